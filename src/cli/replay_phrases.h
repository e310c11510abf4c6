#pragma once

// What `replay` says, in both languages on the same line; part of phrases.h.

// clang-format off
#define TENBIN_REPLAY_PHRASES(X) \
  X(replay_about, "Replay a trace, or a service's journal, under one or more policies", "トレースやジャーナルを、1 つ以上の方針で再生して比べます") \
  X(opt_replay_fleet, "where jobs run: 64x8 (64 nodes of 8 GPUs), a TOML file of declarations, or openb's node list", "計算機群。64x8（GPU 8 基のノード 64 台）、TOML の宣言ファイル、openb のノード表") \
  X(opt_replay_gpus, "one pool of so many GPUs that are counted, wherever they are", "場所を区別せず数だけで管理する GPU の総数") \
  X(opt_replay_policy, "{0}, or a policy file (may be given again)", "{0}、または方針ファイル（複数指定可）") \
  X(opt_replay_starts, "write job_id,start of every job, in ms", "全ジョブの job_id,start（ミリ秒）を書き出す") \
  X(opt_replay_out, "write every job's times, wait, pool and credits as CSV", "ジョブごとの時刻・待ち時間・プール・クレジットを CSV で書き出す") \
  X(opt_replay_html, "write one page with charts that needs no network", "図表のページを 1 つのファイルに書き出す（通信不要）") \
  X(opt_replay_journal, "replay what a service's state folder holds instead of a trace", "トレースの代わりに、サービスの状態フォルダーの記録を再生する") \
  X(opt_replay_format, "the trace's format, if its content does not tell", "トレースの形式（内容から判別できない場合）") \
  X(opt_replay_strict, "the first bad line of the trace is an error", "トレースに不正な行があれば中止する") \
  X(opt_replay_threads, "replays at once; as many as there are cores if not given", "同時に行う再生の数（省略時はコア数）") \
  X(opt_replay_speed, "with -o json|csv too: how fast it was", "-o json|csv にも再生の速さを含める") \
  X(replay_no_trace, "name a trace, or a state folder with --journal", "トレースか、--journal で状態フォルダーを指定してください") \
  X(replay_both, "either a trace or --journal, not both", "トレースと --journal は同時に指定できません") \
  X(replay_no_fleet, "where do the jobs run? --gpus 1000, --fleet 64x8 or --fleet FILE", "計算機群を --gpus 1000、--fleet 64x8、--fleet FILE などで指定してください") \
  X(replay_two_fleets, "either --gpus or --fleet, not both", "--gpus と --fleet は同時に指定できません") \
  X(replay_grid, "{0}: from 1x1 to {1} nodes of {2} GPUs", "{0}: 1x1 から、{1} ノード × {2} GPU までです") \
  X(expected_seed, "a whole number from 0 to 9007199254740992", "0 から 9007199254740992 までの整数") \
  X(replay_gpus_range, "a whole number from 1 to 100,000,000", "1 から 100,000,000 までの整数") \
  X(replay_threads_range, "a whole number from 1 to 1024", "1 から 1024 までの整数") \
  X(replay_no_pool, "there is no pool {0} in this file", "このファイルに {0} というプールはありません") \
  X(replay_twice, "{0} {1} is declared twice", "{0} {1} が 2 回書かれています") \
  X(replay_node_size, "gpus_per_node must be 1 to {0}", "gpus_per_node は 1 から {0} までです") \
  X(replay_no_nodes, "declares no node with GPUs", "GPU を持つノードの宣言がありません") \
  X(replay_many_classes, "{0} classes of nodes; at most {1} pools are possible", "ノードの種類が {0} あります。プールは {1} までです") \
  X(replay_no_policy, "there is no policy \"{0}\" in this version", "この版に「{0}」という方針はありません") \
  X(replay_policy_hint, "there are {0}; or name a policy file, examples/policies has some", "使えるのは {0}、または方針ファイルです（例は examples/policies）") \
  X(replay_bad_format, "one of {0}", "{0} のいずれか") \
  X(replay_one_starts, "--starts takes one policy", "--starts では方針を 1 つだけ指定してください") \
  X(replay_refused, "{0}: {1} jobs were refused: {2}", "{0}: {1} 件を受け付けませんでした: {2}") \
  X(replay_stopped, "stopped early: the figures are of what there was by then", "途中で終了しました。数値はそれまでのものです") \
  X(replay_not_begun, "stopped before they began: {0}", "開始前に終了した方針: {0}") \
  X(replay_no_times, "{0}: it has no times, so nothing can be replayed", "{0}: 時刻がないため再生できません") \
  X(hint_replay_no_times, "`tenbin pack` fills a fleet with such jobs", "`tenbin pack` なら、このようなジョブで詰め込みを試せます") \
  X(replay_failed, "{0}: {1}", "{0}: {1}") \
  X(replay_wrote, "wrote {0}", "{0} を書き出しました") \
  X(replay_best, "Shortest mean wait: {0} ({1}); {2} waits {3} times as long ({4}).", "平均待ち時間が最短なのは {0}（{1}）。{2} はその {3} 倍です（{4}）。") \
  X(replay_equal, "All policies wait alike: the fleet is never short of GPUs, so the choice does not matter here.", "どの方針でも待ち時間は同じです。GPU が不足しないため、この条件では方針による差は出ません。") \
  X(replay_worst_wait, "Longest single wait: {0} {1}, {2} {3}.", "最長の待ち時間: {0} {1}、{2} {3}。") \
  X(replay_journal_at_limit, "{0} jobs have not ended in the journal and run for their time limit", "ジャーナルに終了の記録がない {0} 件は、制限時間まで動くものとします") \
  X(replay_no_journal, "this program cannot read state folders", "このプログラムは状態フォルダーを読めません") \
  X(replay_progress, "{0} of {1} replays, {2} jobs", "再生 {0}/{1}、ジョブ {2} 件") \
  X(col_policy, "POLICY", "方針") \
  X(col_refused, "REFUSED", "拒否") \
  X(col_jobs_replayed, "JOBS", "ジョブ") \
  X(col_wait_mean, "WAIT", "待ち平均") \
  X(col_wait_p50, "P50", "P50") \
  X(col_wait_p95, "P95", "P95") \
  X(col_wait_p99, "P99", "P99") \
  X(col_wait_max, "MAX", "最大") \
  X(col_slowdown, "SLOWDOWN", "減速比") \
  X(col_jct, "JCT", "完了まで") \
  X(col_utilisation, "UTIL", "使用率") \
  X(col_fragmentation, "FRAG", "断片化") \
  X(col_makespan, "MAKESPAN", "全期間") \
  X(col_credits_spent, "CREDITS", "クレジット") \
  X(col_speed, "JOBS/S", "件/秒")
// clang-format on
