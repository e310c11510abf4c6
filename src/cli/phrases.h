#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "cli/job_phrases.h"

// Every text that the command line shows, in both languages on the same line. What the service says
// comes from the service.

namespace tenbin::cli {

enum class Language : std::uint8_t { english, japanese };

// clang-format off
//
//  name, English, Japanese; {0} {1} ... are filled in, the same ones in both
#define TENBIN_PHRASES(X) \
  X(apply_about, "Declare everything in a TOML file: what is new is created, what is there already stays", "TOML ファイルの内容をまとめて登録します（登録済みのものはそのまま）") \
  X(funder_list_about, "List the funders and what they promised", "資金提供者とその約束額を一覧します") \
  X(programme_list_about, "List the programmes", "プログラムを一覧します") \
  X(organisation_list_about, "List the organisations", "組織を一覧します") \
  X(grant_list_about, "List the grants", "助成を一覧します") \
  X(lot_list_about, "List the lots that grants are made of", "助成を構成するロットを一覧します") \
  X(project_list_about, "List the projects", "プロジェクトを一覧します") \
  X(allocation_list_about, "List the allocations of grants to projects", "助成からプロジェクトへの配分を一覧します") \
  X(person_list_about, "List the people", "利用者を一覧します") \
  X(provider_list_about, "List the providers of GPUs", "GPU の提供者を一覧します") \
  X(region_list_about, "List the regions", "地域を一覧します") \
  X(pool_list_about, "List the pools of equal nodes", "同型ノードのプールを一覧します") \
  X(price_list_about, "List the prices in force", "現在の価格を一覧します") \
  X(fleet_about, "Show the GPUs of every region: how many there are, are free, and cost", "地域ごとの GPU の総数・空き・価格を表示します") \
  X(node_drain_about, "Give a node no more work; what runs there goes on", "ノードへの新しい割り当てを止めます（実行中のジョブは続きます）") \
  X(node_resume_about, "Give a drained node work again", "ノードへの割り当てを再開します") \
  X(node_evacuate_about, "Drain a node and put what runs there back into the queue, not charged", "ノードを空けます（実行中のジョブは課金せず待ち行列に戻します）") \
  X(quote_about, "Say what a job would cost and when it would start, without submitting it", "投入せずに、ジョブの費用と開始時期を見積もります") \
  X(submit_about, "Submit a job: a job file, or flags and a command after --", "ジョブを投入します（ジョブファイル、またはフラグと -- に続くコマンド）") \
  X(jobs_about, "List jobs, the newest first", "ジョブを新しい順に一覧します") \
  X(job_show_about, "Show jobs in full", "ジョブの詳細を表示します") \
  X(job_logs_about, "Write what a job has written, byte for byte", "ジョブの出力をそのまま書き出します") \
  X(job_wait_about, "Wait until jobs are over; the exit code is the job's own", "ジョブの終了を待ちます（終了コードはジョブのもの）") \
  X(job_cancel_about, "Cancel jobs", "ジョブを取り消します") \
  X(job_explain_about, "Say what a job is waiting for", "ジョブが何を待っているかを説明します") \
  X(balance_about, "Show the credits of a project: free, held, spent, expired", "プロジェクトのクレジット（残り・確保・使用・失効）を表示します") \
  X(statement_about, "Show who paid for what, for a project or all of the programme", "誰が何の費用を払ったかを表示します（プロジェクト別または全体）") \
  X(token_create_about, "Create a token for a person; the secret is printed this once", "利用者のトークンを作ります（秘密の値はこの一度だけ表示）") \
  X(token_list_about, "List tokens, without their secrets", "トークンを一覧します（秘密の値は表示しません）") \
  X(token_revoke_about, "Make a token useless at once", "トークンを直ちに無効にします") \
  X(whoami_about, "Say who the service takes you for", "サービスから見た自分を表示します") \
  X(help_about, "Show the help of a command, or of: exit-codes, environment", "コマンドのヘルプ、または exit-codes と environment の説明を表示します") \
  X(help_intro, "Tenbin: GPU programmes, shared out and accounted for", "天秤（Tenbin）: GPU プログラムの配分と会計") \
  X(usage, "Usage:", "使い方:") \
  X(help_commands, "Commands:", "コマンド:") \
  X(help_flags, "Flags:", "フラグ:") \
  X(help_global_flags, "Flags of every command:", "全コマンド共通のフラグ:") \
  X(help_more, "`tenbin help COMMAND` or `tenbin COMMAND --help` says more; so do `tenbin help exit-codes` and `tenbin help environment`.", "詳しくは `tenbin help COMMAND` か `tenbin COMMAND --help`。ほかに `tenbin help exit-codes` と `tenbin help environment` があります。") \
  X(help_exit_codes, "Exit codes:\n    0  done\n    1  failed\n    2  usage: the command line, a file or a value is not right\n    3  not found\n    4  not signed in, or not permitted\n    5  conflicts with what is there\n    6  not enough credit\n    7  over a quota (not used yet)\n    8  still pending when the time was up\n  130  interrupted\n\n`job wait ID` and `submit --wait` give the job's own code: 0 completed, its exit status if it failed,\n124 at its time limit, 130 if it was cancelled. Of several jobs: 0 if all completed, 8 if one is still\npending, else 1.\n", "終了コード:\n    0  完了\n    1  失敗\n    2  使い方の誤り（コマンドライン、ファイル、値）\n    3  見つからない\n    4  未認証または権限なし\n    5  既存のものと矛盾\n    6  クレジット不足\n    7  割り当て上限超過（未使用）\n    8  時間切れの時点で未終了\n  130  中断\n\n`job wait ID` と `submit --wait` はジョブの終了コードを返します。完了は 0、失敗はジョブの終了コード、\n時間切れは 124、取消は 130 です。複数のジョブでは、すべて完了なら 0、未終了があれば 8、\nそれ以外は 1 です。\n") \
  X(help_environment, "Environment:\n  TENBIN_URL            where the service is, http://host:port\n  TENBIN_TOKEN          who you are\n  TENBIN_STATE          folder of `url` and `admin.token`, which `tenbin serve` writes\n                        (else $XDG_STATE_HOME/tenbin, else ~/.local/state/tenbin)\n  TENBIN_RETRY_SECONDS  how long to try again when the service falls silent\n  LC_ALL, LC_MESSAGES, LANG   Japanese if the first that is set begins with ja\n  TZ                    the zone in which instants are shown\n  NO_COLOR, CLICOLOR_FORCE, TERM=dumb   colour off, on, off\n\nA flag comes before the environment, and that before the state folder.\n", "環境変数:\n  TENBIN_URL            サービスの場所 http://host:port\n  TENBIN_TOKEN          利用者のトークン\n  TENBIN_STATE          `tenbin serve` が書く `url` と `admin.token` の置き場\n                        （なければ $XDG_STATE_HOME/tenbin、~/.local/state/tenbin）\n  TENBIN_RETRY_SECONDS  サービスの応答が途絶えたときに再試行する秒数\n  LC_ALL, LC_MESSAGES, LANG   設定された最初のものが ja で始まれば日本語\n  TZ                    時刻を表示する地域\n  NO_COLOR, CLICOLOR_FORCE, TERM=dumb   色なし、色あり、色なし\n\nフラグが環境変数に、環境変数が置き場のファイルに優先します。\n") \
  X(opt_output, "how to print: table (default), json as the service answers, csv", "出力形式: table（既定）、json（サービスの応答のまま）、csv") \
  X(opt_lang, "language of texts; codes and JSON are never translated", "表示言語（コードと JSON は翻訳しません）") \
  X(opt_color, "when to use colour", "色を使う条件") \
  X(opt_url, "the service, http://host:port (TENBIN_URL)", "サービス http://host:port（TENBIN_URL）") \
  X(opt_token_file, "file whose first line is your token (else TENBIN_TOKEN)", "1 行目がトークンのファイル（なければ TENBIN_TOKEN）") \
  X(opt_retry, "try again this long when the service falls silent (default 5)", "応答が途絶えたときに再試行する秒数（既定 5）") \
  X(opt_help, "this help", "このヘルプ") \
  X(opt_apply_file, "the TOML file; - is standard input", "TOML ファイル（- は標準入力）") \
  X(opt_nodes, "one line for each node", "ノードごとに 1 行") \
  X(opt_project, "the project that pays", "費用を払うプロジェクト") \
  X(opt_name, "a name for people", "人が読むための名前") \
  X(opt_gpus, "GPUs: 0.25, 8; of each member if there are members", "GPU 数: 0.25、8（メンバーがあればその 1 つあたり）") \
  X(opt_members, "members, each on a node of its own", "メンバー数（それぞれ別のノード）") \
  X(opt_cpus, "CPU cores: 4, 0.5", "CPU コア数: 4、0.5") \
  X(opt_memory, "memory: 512M, 4G", "メモリ: 512M、4G") \
  X(opt_model, "only GPUs of this model; may be repeated", "この型番の GPU に限定（複数可）") \
  X(opt_region, "only this region; may be repeated", "この地域に限定（複数可）") \
  X(opt_time_limit, "longest run: 90s, 10m, 2h, 1-12:00:00, HH:MM:SS", "実行時間の上限: 90s、10m、2h、1-12:00:00、HH:MM:SS") \
  X(opt_tasks, "as many jobs of this kind (an array)", "同じジョブの数（配列）") \
  X(opt_env, "set a variable for the job; may be repeated", "ジョブの環境変数（複数可）") \
  X(opt_dir, "absolute folder to run in (default: one of its own)", "実行するディレクトリの絶対パス（既定は専用のもの）") \
  X(opt_output_cap, "bytes of output kept for each member and stream: 64M", "メンバーと出力先ごとに保存する出力の上限: 64M") \
  X(opt_grace, "time between TERM and KILL: 30s", "TERM から KILL までの時間: 30s") \
  X(opt_wait, "wait until it is over; the exit code is the job's own", "終了を待つ（終了コードはジョブのもの）") \
  X(opt_quiet, "print the id only", "ID だけを表示") \
  X(opt_only_project, "only this project's", "このプロジェクトだけ") \
  X(opt_only_state, "only in this state: queued blocked on_hold running stopping completed failed cancelled time_limit", "この状態だけ: queued blocked on_hold running stopping completed failed cancelled time_limit") \
  X(opt_only_person, "only this person's", "この利用者だけ") \
  X(opt_limit, "at most this many (default 100)", "最大件数（既定 100）") \
  X(opt_all, "all of them", "すべて") \
  X(opt_rank, "which member, from 0 (when following: all of them)", "メンバーの番号（0 から。-f では既定で全員）") \
  X(opt_attempt, "which attempt (default: the last)", "何回目の試行か（既定は最後）") \
  X(opt_stderr, "standard error instead of standard output", "標準出力ではなく標準エラー出力") \
  X(opt_follow, "go on until the job is over", "ジョブが終わるまで続ける") \
  X(opt_timeout, "wait no longer than this, then exit with 8: 10m", "待つ時間の上限（過ぎたら終了コード 8）: 10m") \
  X(opt_token_person, "whose token", "トークンの持ち主") \
  X(opt_token_label, "what it is for", "用途") \
  X(opt_token_expires, "until when, 2027-03-31T23:59:59+09:00", "有効期限 2027-03-31T23:59:59+09:00") \
  X(col_name, "NAME", "名前") \
  X(col_title, "TITLE", "表題") \
  X(col_kind, "KIND", "種類") \
  X(col_result, "RESULT", "結果") \
  X(col_id, "ID", "ID") \
  X(col_commitment, "COMMITMENT", "約束額") \
  X(col_credits_per_unit, "CREDITS PER UNIT", "換算率") \
  X(col_promised, "PROMISED", "約束") \
  X(col_in_lots, "IN LOTS", "ロット計") \
  X(col_unallocated, "UNALLOCATED", "未配分") \
  X(col_allocated, "ALLOCATED", "配分") \
  X(col_allocation, "ALLOCATION", "配分名") \
  X(col_free, "FREE", "残り") \
  X(col_held, "HELD", "確保") \
  X(col_spent, "SPENT", "使用") \
  X(col_expired, "EXPIRED", "失効") \
  X(col_programme, "PROGRAMME", "プログラム") \
  X(col_organisation, "ORGANISATION", "組織") \
  X(col_grant, "GRANT", "助成") \
  X(col_funder, "FUNDER", "資金提供者") \
  X(col_lot, "LOT", "ロット") \
  X(col_amount, "AMOUNT", "金額") \
  X(col_credits, "CREDITS", "クレジット") \
  X(col_valid_from, "VALID FROM", "開始") \
  X(col_expires, "EXPIRES", "期限") \
  X(col_regions, "REGIONS", "地域") \
  X(col_region, "REGION", "地域") \
  X(col_project, "PROJECT", "プロジェクト") \
  X(col_projects, "PROJECTS", "プロジェクト") \
  X(col_role, "ROLE", "役割") \
  X(col_provider, "PROVIDER", "提供者") \
  X(col_pool, "POOL", "プール") \
  X(col_gpu_model, "MODEL", "型番") \
  X(col_gpus_per_node, "GPUS PER NODE", "ノードの GPU") \
  X(col_cpus, "CPUS", "CPU") \
  X(col_memory_mib, "MEMORY MIB", "メモリ MiB") \
  X(col_gpu_hour, "PER GPU HOUR", "GPU 時間単価") \
  X(col_fraction_factor, "FRACTION FACTOR", "端数係数") \
  X(col_node, "NODE", "ノード") \
  X(col_nodes, "NODES", "ノード") \
  X(col_nodes_up, "NODES", "ノード") \
  X(col_state, "STATE", "状態") \
  X(col_gpus, "GPUS", "GPU") \
  X(col_gpus_free, "FREE", "空き") \
  X(col_jobs, "JOBS", "ジョブ") \
  X(col_job, "JOB", "ジョブ") \
  X(col_person, "PERSON", "利用者") \
  X(col_members, "MEMBERS", "メンバー") \
  X(col_time_limit, "LIMIT", "制限時間") \
  X(col_submitted, "SUBMITTED", "投入") \
  X(col_started, "STARTED", "開始") \
  X(col_ended, "ENDED", "終了") \
  X(col_expected_start, "EXPECTED START", "開始見込み") \
  X(col_charged, "CHARGED", "課金") \
  X(col_array, "ARRAY", "配列") \
  X(col_task, "TASK", "タスク") \
  X(col_tasks, "TASKS", "タスク数") \
  X(col_attempt, "ATTEMPT", "試行") \
  X(col_code, "CODE", "コード") \
  X(col_why, "WHY", "理由") \
  X(col_rate, "PER HOUR", "1 時間あたり") \
  X(col_cost, "COST AT MOST", "最大費用") \
  X(col_starts, "STARTS", "開始") \
  X(col_at, "AT", "日時") \
  X(col_part, "PART", "内訳") \
  X(col_paid, "PAID", "支払") \
  X(col_label, "LABEL", "用途") \
  X(col_revoked, "REVOKED", "無効") \
  X(col_token, "TOKEN", "トークン") \
  X(state_queued, "queued", "待機中") \
  X(state_blocked, "blocked", "先行待ち") \
  X(state_on_hold, "on hold", "保留中") \
  X(state_running, "running", "実行中") \
  X(state_stopping, "stopping", "停止処理中") \
  X(state_completed, "completed", "完了") \
  X(state_failed, "failed", "失敗") \
  X(state_cancelled, "cancelled", "取消") \
  X(state_time_limit, "time limit", "時間切れ") \
  X(state_up, "up", "稼働") \
  X(state_draining, "draining", "割当停止") \
  X(state_lost, "lost", "喪失") \
  X(starts_now, "now", "今すぐ") \
  X(starts_later, "later", "後で") \
  X(starts_unknown, "unknown", "不明") \
  X(result_created, "created", "登録") \
  X(result_unchanged, "unchanged", "変更なし") \
  X(yes, "yes", "はい") \
  X(no, "no", "いいえ") \
  X(nothing, "nothing to show", "表示するものはありません") \
  X(total, "TOTAL", "合計") \
  X(applied_item, "created {0} {1}", "登録: {0} {1}") \
  X(applied, "{0} created, {1} unchanged", "登録 {0} 件、変更なし {1} 件") \
  X(node_drained, "node {0} takes no more work", "ノード {0} への割り当てを止めました") \
  X(node_resumed, "node {0} takes work again", "ノード {0} への割り当てを再開しました") \
  X(node_evacuated, "node {0} takes no more work; what ran there is queued again", "ノード {0} を空けました（実行中だったジョブは待ち行列に戻りました）") \
  X(submitted, "job {0} submitted; {1} credits held", "ジョブ {0} を投入しました（{1} クレジットを確保）") \
  X(submitted_array, "array {0} submitted, {1} tasks; {2} credits held", "配列ジョブ {0} を投入しました（{1} タスク、{2} クレジットを確保）") \
  X(quote_held, "{0} credits would be held until the job is over", "ジョブの終了まで {0} クレジットを確保します") \
  X(waiting, "waiting for job {0}; Ctrl-C ends the waiting, not the job", "ジョブ {0} の終了を待っています（Ctrl-C で待機だけをやめます）") \
  X(more_jobs, "there are more: --all or --limit", "続きがあります（--all か --limit で表示）") \
  X(new_attempt, "job {0} runs again, attempt {1}", "ジョブ {0} を再実行しています（試行 {1}）") \
  X(job_state, "job {0}: {1}", "ジョブ {0}: {1}") \
  X(explained, "job {0}: {1} ({2})", "ジョブ {0}: {1}（{2}）") \
  X(explained_start, "  expected start: {0}", "  開始見込み: {0}") \
  X(adds_up, "It adds up: every credit is accounted for.", "収支は一致しています（すべてのクレジットの行方を説明できます）。") \
  X(does_not_add_up, "!!! IT DOES NOT ADD UP: these figures contradict each other; report this !!!", "!!! 収支が一致しません: 数字が互いに矛盾しています。報告してください !!!") \
  X(token_created, "token {0} created; the secret above is shown this once", "トークン {0} を作りました（上の値は二度と表示されません）") \
  X(token_revoked, "token {0} is useless now", "トークン {0} を無効にしました") \
  X(label_code, "code: {0}", "コード: {0}") \
  X(label_hint, "try: {0}", "対処: {0}") \
  X(unknown_command, "there is no command \"{0}\"", "「{0}」というコマンドはありません") \
  X(unfinished_command, "\"{0}\" needs one of: {1}", "「{0}」には次のどれかが必要です: {1}") \
  X(hint_did_you_mean, "did you mean `tenbin {0}`?", "`tenbin {0}` ではありませんか") \
  X(hint_help, "see `tenbin {0} --help`", "`tenbin {0} --help` を見てください") \
  X(hint_help_all, "see `tenbin help`", "`tenbin help` を見てください") \
  X(hint_credit, "`tenbin balance PROJECT` shows what is free; fewer GPUs or a shorter --time-limit need less", "`tenbin balance PROJECT` で残りを確認し、GPU か --time-limit を減らしてください") \
  X(hint_token, "set TENBIN_TOKEN or give --token-file; an officer can make one with `tenbin token create`", "TENBIN_TOKEN か --token-file で指定してください（officer が `tenbin token create` で作れます）") \
  X(hint_whoami, "`tenbin whoami` shows your role", "`tenbin whoami` で自分の役割を確認できます") \
  X(hint_name_taken, "choose another name, or declare it as it is", "別の名前にするか、登録済みの内容と同じにしてください") \
  X(hint_fleet, "`tenbin fleet` shows models, regions and sizes", "`tenbin fleet` で型番・地域・大きさを確認できます") \
  X(hint_jobs, "`tenbin jobs` lists those that you may see", "`tenbin jobs` で閲覧できるものを一覧できます") \
  X(hint_split, "split the file", "ファイルを分けてください") \
  X(hint_serve, "start one with `tenbin serve`, or say where it is with --url or TENBIN_URL", "`tenbin serve` で起動するか、--url か TENBIN_URL で場所を指定してください") \
  X(no_url, "do not know where the service is: no --url, no TENBIN_URL, no file {0}", "サービスの場所が分かりません: --url も TENBIN_URL もファイル {0} もありません") \
  X(no_answer, "no service answers at {0}: {1}", "{0} のサービスが応答しません: {1}") \
  X(no_token, "no token: no --token-file, no TENBIN_TOKEN, and no {0} that belongs to this URL", "トークンがありません: --token-file も TENBIN_TOKEN もなく、この URL 用の {0} もありません") \
  X(token_file_unreadable, "cannot read a token from {0}", "{0} からトークンを読めません") \
  X(token_file_open, "warning: others can read {0}; chmod 600 it", "警告: {0} は他人にも読めます。chmod 600 してください") \
  X(trying_again, "{0} fell silent, trying again", "{0} の応答が途絶えました。再試行します") \
  X(bad_answer, "{0} sent an answer that is not JSON: {1}", "{0} の応答が JSON ではありません: {1}") \
  X(bad_status, "{0} answered with status {1}", "{0} が状態 {1} を返しました") \
  X(usage_extra, "do not know what to do with: {0}", "解釈できない引数です: {0}") \
  X(usage_bad, "the command line is not right: {0}", "コマンドラインが正しくありません: {0}") \
  X(usage_missing, "missing: {0}", "不足しています: {0}") \
  X(usage_no_command, "takes no -- COMMAND", "-- COMMAND は指定できません") \
  X(flag_value, "{0} cannot be \"{1}\": {2}", "{0} に「{1}」は指定できません: {2}") \
  X(expected_text, "a text", "文字列") \
  X(expected_texts, "a list of texts, [\"a\", \"b\"]", "文字列の並び [\"a\", \"b\"]") \
  X(expected_integer, "a whole number", "0 以上の整数") \
  X(expected_decimal, "a number with at most {0} decimals, \"12.5\"", "小数点以下 {0} 桁までの数 \"12.5\"") \
  X(expected_money, "{{ amount = \"2900000.00\", currency = \"USD\" }}", "{{ amount = \"2900000.00\", currency = \"USD\" }}") \
  X(expected_instant, "an instant with its offset, 2027-03-31T23:59:59+09:00", "時差つきの日時 2027-03-31T23:59:59+09:00") \
  X(expected_gpus, "a fraction below 1 or a whole number, more than zero: 0.25, 8", "1 未満の端数か 1 以上の整数: 0.25、8") \
  X(expected_cpus, "a number with at most 3 decimals: 4, 0.5", "小数点以下 3 桁までの数: 4、0.5") \
  X(expected_memory, "whole mebibytes with a unit: 512M, 4G", "単位つきの整数 MiB: 512M、4G") \
  X(expected_bytes, "bytes: 65536, 64M", "バイト数: 65536、64M") \
  X(expected_span, "a time with its unit, up to 400 days: 90s, 10m, 2h, 1-12:00:00, HH:MM:SS", "単位つきで 400 日までの時間: 90s、10m、2h、1-12:00:00、HH:MM:SS") \
  X(expected_directory, "an absolute path", "絶対パス") \
  X(expected_pair, "NAME=VALUE", "名前=値") \
  X(expected_environment, "a table of texts, {{ A = \"1\" }}", "文字列の表 {{ A = \"1\" }}") \
  X(file_unreadable, "cannot read {0}: {1}", "{0} を読めません: {1}") \
  X(file_empty, "{0} declares nothing", "{0} には登録する内容がありません") \
  X(toml_syntax, "not TOML: {0}", "TOML ではありません: {0}") \
  X(table_unknown, "no such kind of thing: {0}; there are: {1}", "{0} という種類はありません。使えるのは: {1}") \
  X(table_not_array, "write [[{0}]], with two brackets", "[[{0}]] と二重の角括弧で書いてください") \
  X(field_unknown, "no such field: {0}; there are: {1}", "{0} という項目はありません。使えるのは: {1}") \
  X(field_missing, "{0} needs {1}", "{0} には {1} が必要です") \
  X(field_wrong, "{0} must be {1}", "{0} は次の形で指定してください: {1}")
// clang-format on

#define TENBIN_PHRASE_NAME(name, english, japanese) name,
enum class Phrase : std::uint16_t {
  TENBIN_PHRASES(TENBIN_PHRASE_NAME) TENBIN_JOB_PHRASES(TENBIN_PHRASE_NAME)
};
#undef TENBIN_PHRASE_NAME

struct PhraseText {
  std::string_view english, japanese;
};

#define TENBIN_PHRASE_TEXT(name, english, japanese) PhraseText{english, japanese},
inline constexpr auto phrase_table = std::to_array<PhraseText>(
    {TENBIN_PHRASES(TENBIN_PHRASE_TEXT) TENBIN_JOB_PHRASES(TENBIN_PHRASE_TEXT)});
#undef TENBIN_PHRASE_TEXT

constexpr std::string_view text_of(Phrase phrase, Language language) {
  const PhraseText& text = phrase_table[static_cast<std::size_t>(phrase)];
  return language == Language::japanese ? text.japanese : text.english;
}

}  // namespace tenbin::cli
