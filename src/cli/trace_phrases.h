#pragma once

// What the `trace` commands say, in both languages on the same line; part of phrases.h.

// clang-format off
#define TENBIN_TRACE_PHRASES(X) \
  X(trace_info_about, "Say what is in a trace: jobs, sizes, times, users, and what was left out", "トレースの内容（ジョブ数、規模、時間、利用者、除いた行）を表示します") \
  X(trace_convert_about, "Write a trace in another form", "トレースを別の形式で書き出します") \
  X(trace_sample_about, "Take a part of a trace by chance, the same part for the same seed", "トレースから無作為に一部を取り出します（同じ seed なら同じ結果）") \
  X(trace_filter_about, "Take the jobs of a trace that are of some kind", "トレースから条件に合うジョブを取り出します") \
  X(trace_generate_about, "Make a trace up that is like those of real clusters", "実在のクラスターに似たトレースを生成します") \
  X(opt_trace_format, "what FILE is; told from its content if not given", "FILE の形式（省略時は内容から判定）") \
  X(opt_trace_strict, "stop at the first line that is of no use", "使えない行があればそこで終了する") \
  X(opt_trace_cpu, "keep jobs that ask for no GPU", "GPU を要求しないジョブも残す") \
  X(opt_trace_to, "what OUT becomes; told from its name if not given", "OUT の形式（省略時は名前から判定）") \
  X(opt_trace_rate, "how much of it: 10%, 0.5%", "取り出す割合: 10%、0.5%") \
  X(opt_trace_by, "whether jobs are drawn, or users with all their jobs (default: job)", "ジョブを選ぶか、利用者を選んでその全ジョブを取るか（既定: job）") \
  X(opt_trace_seed, "a number to draw by (default: 1)", "乱数の種（既定: 1）") \
  X(opt_trace_from, "submitted at this time or later: a date, or a length of time after the first job", "この時刻以降に投入されたもの。日時か、先頭のジョブからの時間") \
  X(opt_trace_until, "submitted before this time: a date, or a length of time after the first job", "この時刻より前に投入されたもの。日時か、先頭のジョブからの時間") \
  X(opt_trace_gpus, "so many GPUs: 8, 2-8, 64-", "GPU 数: 8、2-8、64-") \
  X(opt_trace_runtime, "ran so long: 1m-, 10m-2h", "実行時間: 1m-、10m-2h") \
  X(opt_trace_user, "of this user", "この利用者のもの") \
  X(opt_trace_owner, "of this project, virtual cluster or group", "このプロジェクト・仮想クラスター・グループのもの") \
  X(opt_trace_end, "that ended so", "この終わり方をしたもの") \
  X(opt_trace_first, "at most this many, the first ones", "先頭からの最大件数") \
  X(opt_trace_preset, "which clusters it shall be like (default: philly)", "どのクラスターに似せるか（既定: philly）") \
  X(opt_trace_jobs, "how many jobs (default: 10000)", "ジョブ数（既定: 10000）") \
  X(opt_trace_days, "over how many days (default: as --load says)", "期間の日数（省略時は --load から決まる）") \
  X(opt_trace_fleet, "for a cluster of so many GPUs (default: the preset's)", "想定するクラスターの GPU 数（省略時はプリセットの値）") \
  X(opt_trace_load, "how much of the cluster they want on average, 0.8 or 80% (default: 80%)", "平均負荷。0.8 または 80%（既定: 80%）") \
  X(trace_written, "{0}: {1} jobs, {2}", "{0}: {1} ジョブ、{2}") \
  X(trace_none_left, "{0}: no job is left; nothing was written", "{0}: ジョブが残らないため、何も書き出しませんでした") \
  X(trace_left_out, "left out: {0} lines", "除いた行: {0}") \
  X(trace_fault, "  {0}: {1}", "  {0}: {1}") \
  X(trace_line, "  line {0}: {1}: {2}", "  {0} 行目: {1}: {2}") \
  X(trace_no_gpu, "{0} jobs ask for no GPU and were left out{1}", "GPU を要求しない {0} ジョブを除きました{1}") \
  X(trace_keep_cpu, " (--cpu-jobs keeps them)", "（--cpu-jobs で残せます）") \
  X(trace_sorted, "the lines were out of order and have been sorted by submit time", "行の順序が乱れていたため、投入時刻順に並べ替えました") \
  X(trace_clipped, "{0} jobs ran longer than their limit; their limit was drawn out to that", "{0} ジョブが制限時間を超えて実行されていたため、制限時間を実行時間まで延ばしました") \
  X(trace_no_limits, "it has no time limits: the run time stands in for them, so backfill knows more than it would", "制限時間がないため、実行時間を制限時間とみなします（追い越しは実際より有利になります）") \
  X(trace_no_times, "it has no times: nothing can be replayed, only packed", "時刻がないため、再生はできず、詰め込みの実験にだけ使えます") \
  X(trace_processors, "its processors are taken as GPUs", "プロセッサーを GPU とみなします") \
  X(trace_bad_value, "{0} cannot be {1}", "{0} に {1} は指定できません") \
  X(trace_to_what, "what {0} shall become cannot be told from its name", "{0} の形式が名前から分かりません") \
  X(hint_trace_to, "end it in .csv, .swf or .trace (.gz, .zst behind that), or say --to csv|golden|swf|binary", "末尾を .csv、.swf、.trace（さらに .gz、.zst）にするか、--to csv|golden|swf|binary を指定してください") \
  X(hint_trace_format, "say what it is with --format, or see `tenbin help trace info`", "--format で形式を指定するか、`tenbin help trace info` を参照してください") \
  X(hint_trace_strict, "without --strict such lines are counted and left out", "--strict を付けなければ、その行は数えたうえで除かれます") \
  X(ti_format, "format", "形式") \
  X(ti_jobs, "jobs", "ジョブ数") \
  X(ti_from, "first submitted", "最初の投入") \
  X(ti_until, "last submitted", "最後の投入") \
  X(ti_length, "time between", "その間") \
  X(ti_users, "users", "利用者数") \
  X(ti_owners, "owners", "所有者数") \
  X(ti_models, "GPU models", "GPU モデル") \
  X(ti_gpu_hours, "GPU hours", "GPU 時間") \
  X(ti_mean_gpus, "GPUs wanted on average", "平均で必要な GPU 数") \
  X(ti_runtime, "run time", "実行時間") \
  X(ti_limit, "limit / run time", "制限時間／実行時間") \
  X(ti_ends, "ended", "終わり方") \
  X(ti_ends_time, "GPU time by that", "その GPU 時間の割合") \
  X(ti_top, "GPU time of the top users", "上位利用者の GPU 時間") \
  X(ti_burst, "burstiness", "集中度") \
  X(ti_sizes, "GPUs per job, at most:", "ジョブあたりの GPU 数（以下）:") \
  X(ti_gpus, "GPUS", "GPU") \
  X(ti_share_jobs, "JOBS", "ジョブ") \
  X(ti_share_time, "GPU TIME", "GPU 時間") \
  X(ti_hours, "submissions by hour of day (UTC), 100 is the mean:", "時間帯ごとの投入数（UTC、平均を 100 とする）:") \
  X(ti_mean, "mean", "平均") \
  X(ti_burst_text, "CV of gaps {0}, dispersion of hourly counts {1}", "間隔の変動係数 {0}、1 時間ごとの件数の分散／平均 {1}") \
  X(ti_top_text, "1 %: {0}, 5 %: {1}, 10 %: {2}, 20 %: {3}", "1 %: {0}、5 %: {1}、10 %: {2}、20 %: {3}") \
  X(end_completed, "completed", "完了") \
  X(end_failed, "failed", "失敗") \
  X(end_cancelled, "cancelled", "取り消し")
// clang-format on
