#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "cli/job_phrases.h"
#include "cli/model_phrases.h"
#include "cli/pack_phrases.h"
#include "cli/replay_phrases.h"
#include "cli/trace_phrases.h"

// Every text that the command line shows, in both languages on the same line. What the service says
// comes from the service.

namespace tenbin::cli {

enum class Language : std::uint8_t { english, japanese };

// clang-format off
//
//  name, English, Japanese; {0} {1} ... are filled in, the same ones in both
#define TENBIN_PHRASES(X) \
  X(apply_about, "Declare everything in TOML files: what is new is created, what is there already stays", "TOML ファイルの内容をまとめて登録します（登録済みのものはそのまま）") \
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
  X(help_about, "Show the help of a command or a topic", "コマンドや項目のヘルプを表示します") \
  X(help_intro, "Tenbin: GPU programmes, shared out and accounted for", "天秤（Tenbin）: GPU プログラムの配分と会計") \
  X(usage, "Usage:", "使い方:") \
  X(help_commands, "Commands:", "コマンド:") \
  X(help_flags, "Flags:", "フラグ:") \
  X(help_global_flags, "Flags of every command:", "全コマンド共通のフラグ:") \
  X(help_more, "New here? `tenbin help start`. `tenbin help COMMAND` or `tenbin COMMAND --help` says more about one command.", "はじめての方は `tenbin help start` へ。各コマンドの詳細は `tenbin help COMMAND` か `tenbin COMMAND --help` で表示します。") \
  X(help_exit_codes, "Exit codes:\n    0  done\n    1  failed, or refused for a reason that has no code of its own here\n    2  usage: the command line, a file or a value is not right\n    3  not found, or not for your eyes\n    4  not signed in, or not permitted\n    5  conflicts with what is there\n    6  not enough credit\n    7  over a quota (not used yet)\n    8  still pending when the time was up\n    9  the service cannot be reached\n  130  interrupted\n\n`job wait ID` and `submit --wait` give the job's own code: 0 completed, its exit status if it failed,\n124 at its time limit, 130 if it was cancelled. Of several jobs: 0 if all completed, 8 if one is still\npending, else 1.\n", "終了コード:\n    0  完了\n    1  失敗、または下の番号にない理由による拒否\n    2  使い方の誤り（コマンドライン、ファイル、値）\n    3  見つからない、または閲覧できない\n    4  未認証または権限なし\n    5  既存のものと矛盾\n    6  クレジット不足\n    7  割り当て上限超過（未使用）\n    8  時間切れの時点で未終了\n    9  サービスに接続できない\n  130  中断\n\n`job wait ID` と `submit --wait` はジョブの終了コードを返します。完了は 0、失敗はジョブの終了コード、\n時間切れは 124、取消は 130 です。複数のジョブでは、すべて完了なら 0、未終了があれば 8、\nそれ以外は 1 です。\n") \
  X(help_environment, "Environment:\n  TENBIN_URL            where the service is, http://host:port\n  TENBIN_TOKEN          who you are\n  TENBIN_CONTEXT        which context to use (`tenbin help contexts`)\n  TENBIN_STATE          folder of `url` and `admin.token`, which `tenbin serve` writes\n                        (else $XDG_STATE_HOME/tenbin, else ~/.local/state/tenbin)\n  XDG_CONFIG_HOME       tenbin/contexts.toml lies there (else in ~/.config)\n  TENBIN_CA_FILE        authorities to trust for https:// (PEM; else the system's)\n  TENBIN_SLURM_NAMES    a site's names for partitions and accounts\n                        (else tenbin/slurm.toml beside contexts.toml)\n  TENBIN_RETRY_SECONDS  how long to try again when the service falls silent\n  LC_ALL, LC_MESSAGES, LANG   Japanese if the first that is set begins with ja\n  TZ                    the zone in which instants are shown\n  NO_COLOR, CLICOLOR_FORCE, TERM=dumb   colour off, on, off\n\nA flag comes before the environment, that before the context in use, and that before the state folder.\n", "環境変数:\n  TENBIN_URL            サービスの場所 http://host:port\n  TENBIN_TOKEN          利用者のトークン\n  TENBIN_CONTEXT        使う接続先の名前（`tenbin help contexts`）\n  TENBIN_STATE          `tenbin serve` が書く `url` と `admin.token` の置き場\n                        （なければ $XDG_STATE_HOME/tenbin、~/.local/state/tenbin）\n  XDG_CONFIG_HOME       tenbin/contexts.toml の置き場（なければ ~/.config）\n  TENBIN_CA_FILE        https:// で信頼する認証局（PEM、なければシステムのもの）\n  TENBIN_SLURM_NAMES    パーティションなどの対応表\n                        （なければ contexts.toml と同じ場所の slurm.toml）\n  TENBIN_RETRY_SECONDS  サービスの応答が途絶えたときに再試行する秒数\n  LC_ALL, LC_MESSAGES, LANG   設定された最初のものが ja で始まれば日本語\n  TZ                    時刻を表示する地域\n  NO_COLOR, CLICOLOR_FORCE, TERM=dumb   色なし、色あり、色なし\n\nフラグ、環境変数、選択中の接続先、置き場のファイルの順に優先します。\n") \
  X(opt_output, "how to print: table (default), json as the service answers, csv", "出力形式: table（既定）、json（サービスの応答のまま）、csv") \
  X(opt_lang, "language of texts; codes and JSON are never translated", "表示言語（コードと JSON は翻訳しません）") \
  X(opt_color, "when to use colour", "色を使う条件") \
  X(opt_url, "the service, http://host:port (TENBIN_URL)", "サービス http://host:port（TENBIN_URL）") \
  X(opt_token_file, "file whose first line is your token (else TENBIN_TOKEN)", "1 行目がトークンのファイル（なければ TENBIN_TOKEN）") \
  X(opt_retry, "try again this long when the service falls silent (default 5)", "応答が途絶えたときに再試行する秒数（既定 5）") \
  X(opt_help, "this help", "このヘルプ") \
  X(opt_apply_file, "a TOML file, a folder of them, or - for standard input; may be repeated", "TOML ファイル、そのフォルダー、または -（標準入力）。複数可") \
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
  X(state_evacuating, "evacuating", "退避中") \
  X(starts_now, "now", "今すぐ") \
  X(starts_later, "later", "後で") \
  X(starts_unknown, "unknown", "不明") \
  X(result_created, "created", "登録") \
  X(result_unchanged, "unchanged", "変更なし") \
  X(yes, "yes", "はい") \
  X(no, "no", "いいえ") \
  X(nothing, "nothing to show", "表示するものはありません") \
  X(total, "TOTAL", "合計") \
  X(applied_item, "created {0}", "登録: {0}") \
  X(applied, "{0} created, {1} unchanged", "登録 {0} 件、変更なし {1} 件") \
  X(node_drained, "node {0} takes no more work", "ノード {0} への割り当てを止めました") \
  X(node_resumed, "node {0} takes work again", "ノード {0} への割り当てを再開しました") \
  X(node_evacuated, "node {0} takes no more work; what ran there is queued again", "ノード {0} を空けました（実行中だったジョブは待ち行列に戻りました）") \
  X(submitted, "job {0} submitted; {1} credits held", "ジョブ {0} を投入しました（{1} クレジットを確保）") \
  X(submitted_array, "array {0} submitted, {1} tasks; {2} credits held", "配列ジョブ {0} を投入しました（{1} タスク、{2} クレジットを確保）") \
  X(quote_held, "{0} credits would be held until the job is over", "ジョブの終了まで {0} クレジットを確保します") \
  X(waiting, "waiting for job {0}; Ctrl-C ends the waiting, not the job", "ジョブ {0} の終了を待っています（Ctrl-C で待機だけをやめます）") \
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
  X(hint_serve, "start one with `tenbin serve`, or say where it is with --url, TENBIN_URL or `tenbin context add`", "`tenbin serve` で起動するか、--url、TENBIN_URL、`tenbin context add` で場所を指定してください") \
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
  X(expected_pair, "NAME=VALUE", "名前=値") \
  X(expected_environment, "a table of texts, {{ A = \"1\" }}", "文字列の表 {{ A = \"1\" }}") \
  X(file_unreadable, "cannot read {0}: {1}", "{0} を読めません: {1}") \
  X(file_empty, "{0} declares nothing", "{0} には登録する内容がありません") \
  X(toml_syntax, "not TOML: {0}", "TOML ではありません: {0}") \
  X(table_unknown, "no such kind of thing: {0}; there are: {1}", "{0} という種類はありません。使えるのは: {1}") \
  X(table_not_array, "write [[{0}]], with two brackets", "[[{0}]] と二重の角括弧で書いてください") \
  X(field_unknown, "no such field: {0}; there are: {1}", "{0} という項目はありません。使えるのは: {1}") \
  X(field_missing, "{0} needs {1}", "{0} には {1} が必要です") \
  X(empty, "", "") \
  X(group_work, "Work:", "ジョブ:") \
  X(group_credit, "Credit:", "クレジット:") \
  X(group_fleet, "Fleet:", "計算機群:") \
  X(group_setup, "Programmes, grants and projects:", "プログラム・助成・プロジェクト:") \
  X(group_people, "People:", "利用者:") \
  X(group_twin, "What would happen:", "シミュレーション:") \
  X(group_service, "Running a service:", "サービスの運用:") \
  X(group_tool, "This tool:", "このコマンド:") \
  X(help_topics, "Topics:", "項目:") \
  X(help_examples, "Examples:", "例:") \
  X(help_noun_more, "`tenbin {0} VERB --help` says more.", "詳しくは `tenbin {0} VERB --help` を見てください。") \
  X(topic_start, "From nothing to a job that runs", "最初のジョブを動かすまで") \
  X(topic_files, "What an apply file may say", "apply ファイルの書き方") \
  X(topic_output, "Tables, JSON, CSV, colour, watching", "表・JSON・CSV・色・監視") \
  X(topic_contexts, "Several services and their tokens", "複数のサービスとトークン") \
  X(topic_environment, "Environment", "環境変数") \
  X(topic_exit_codes, "Exit codes", "終了コード") \
  X(noun_funder, "a funder", "資金提供者") \
  X(noun_programme, "a programme", "プログラム") \
  X(noun_organisation, "an organisation", "組織") \
  X(noun_grant, "a grant", "助成") \
  X(noun_lot, "a lot", "ロット") \
  X(noun_project, "a project", "プロジェクト") \
  X(noun_allocation, "an allocation", "配分") \
  X(noun_person, "a person", "利用者") \
  X(noun_provider, "a provider", "提供者") \
  X(noun_region, "a region", "地域") \
  X(noun_pool, "a pool", "プール") \
  X(noun_node, "a node", "ノード") \
  X(noun_price, "a price", "価格") \
  X(noun_policy, "the policy", "方針") \
  X(noun_member, "a member", "所属") \
  X(show_about, "Show {0} in full, with what belongs to it", "{0}の詳細と関連するものを表示します") \
  X(declare_about, "Declare {0}; the same again changes nothing", "{0}を登録します（同じ内容なら何も変わりません）") \
  X(node_list_about, "List the nodes", "ノードを一覧します") \
  X(member_list_about, "List who works in which project", "プロジェクトの所属を一覧します") \
  X(member_add_about, "Let a person work in a project or for a programme; again with another role changes it", "利用者をプロジェクトやプログラムに加えます（役割を変えて再実行すると変更）") \
  X(member_remove_about, "Take a person out of a project or programme", "利用者をプロジェクトやプログラムから外します") \
  X(price_set_about, "Set the price of a pool, for jobs submitted from now on", "プールの価格を設定します（今後投入されるジョブに適用）") \
  X(policy_list_about, "Show how the queue is served", "待ち行列の方針を表示します") \
  X(policy_set_about, "Set how the queue is served", "待ち行列の方針を設定します") \
  X(job_hold_about, "Keep waiting jobs from starting", "待機中のジョブを保留し、開始させません") \
  X(job_release_about, "Let held jobs start again", "保留したジョブを開始できるように戻します") \
  X(context_list_about, "List the services that you have named", "名前をつけたサービス（接続先）を一覧します") \
  X(context_show_about, "Show a context, or where commands go now and why", "接続先、または現在の接続先とその理由を表示します") \
  X(context_add_about, "Name a service, and keep your token for it", "サービスに名前をつけ、トークンを保存します") \
  X(context_use_about, "Work with this service from now on", "以後使うサービスを選びます") \
  X(context_remove_about, "Forget a service and its token", "サービスとそのトークンを削除します") \
  X(completion_about, "Print the completion of commands, flags and names for a shell", "シェルの補完（コマンド・フラグ・名前）を出力します") \
  X(man_about, "Print a manual page, or write all of them into a folder", "マニュアルページを表示、またはまとめて書き出します") \
  X(opt_wide, "never cut or wrap to the width of the terminal", "端末の幅に合わせて切り詰めない") \
  X(opt_context, "the service of this name (`tenbin context list`; TENBIN_CONTEXT)", "この名前の接続先を使う（`tenbin context list`、TENBIN_CONTEXT）") \
  X(opt_watch, "show it again whenever it changes, until Ctrl-C", "変化するたびに表示し直す（Ctrl-C で終了）") \
  X(opt_watch_job, "show them again whenever they change, until they are over", "変化するたびに表示し直す（終了まで）") \
  X(opt_limit_all, "at most this many (default: all)", "最大件数（既定はすべて）") \
  X(opt_dry_run, "print what would change and change nothing", "変更点を表示するだけで、何も変更しない") \
  X(opt_only_region, "only in this region", "この地域だけ") \
  X(opt_only_name, "only with this name", "この名前だけ") \
  X(opt_only_label, "only with this label", "このラベルだけ") \
  X(opt_only_from, "only submitted at or after, 2027-03-31T00:00:00+09:00", "この日時以降に投入されたものだけ 2027-03-31T00:00:00+09:00") \
  X(opt_only_to, "only submitted before", "この日時より前に投入されたものだけ") \
  X(opt_sort, "in which order (default: -id, the newest first)", "並び順（既定は -id、新しい順）") \
  X(opt_man_to, "write every page there, into man1 and ja/man1", "全ページをこのフォルダーの man1 と ja/man1 に書き出す") \
  X(field_name, "1 to 64 of a-z 0-9 - _ .", "名前（a-z 0-9 - _ . で 1〜64 文字）") \
  X(field_title, "a title for people", "人が読むための表題") \
  X(field_commitment, "what is promised", "約束額") \
  X(field_credits_per_unit, "credits for one yen, dollar ...", "1 円・1 ドルなどあたりのクレジット") \
  X(field_provider, "who owns the nodes", "ノードの提供者") \
  X(field_region, "where they stand", "設置された地域") \
  X(field_gpu_model, "the model of the GPUs", "GPU の型番") \
  X(field_gpus_per_node, "GPUs in each node", "ノードあたりの GPU 数") \
  X(field_cpus, "CPU cores of each node; 0: not counted", "ノードあたりの CPU コア数（0 は数えない）") \
  X(field_memory_mib, "memory of each node in MiB; 0: not counted", "ノードあたりのメモリ MiB（0 は数えない）") \
  X(field_pool, "the pool", "プール") \
  X(field_first_device, "number of its first GPU on the machine", "最初の GPU のデバイス番号") \
  X(field_gpu_hour, "credits for one GPU and hour", "GPU 1 基 1 時間のクレジット") \
  X(field_fraction_factor, "what a part of a GPU costs more, 1.1", "GPU の端数にかける係数 1.1") \
  X(field_backfill, "who may start before those in front", "先に並ぶジョブを追い越せる範囲") \
  X(field_order, "which job is looked at first", "どのジョブから順に調べるか") \
  X(field_placement, "which of the nodes with room a job is given", "空きのあるノードのうちどれを割り当てるか") \
  X(field_programme, "the programme whose rules hold", "適用されるプログラム") \
  X(field_grant_organisation, "who receives it", "助成を受ける組織") \
  X(field_lot_grant, "the grant that it is part of", "属する助成") \
  X(field_funder, "who pays", "資金提供者") \
  X(field_amount, "how much", "金額") \
  X(field_valid_from, "from when it may be spent", "使い始められる日時") \
  X(field_expires, "until when it may be spent", "使える期限") \
  X(field_regions, "only there; none: anywhere", "使える地域（なければどこでも）") \
  X(field_project_organisation, "whose project it is", "プロジェクトの組織") \
  X(field_allocation_grant, "from which grant", "元の助成") \
  X(field_project, "which project may spend it", "使えるプロジェクト") \
  X(field_credits, "how many credits", "クレジット数") \
  X(field_lot, "only from this lot", "このロットだけから") \
  X(field_role, "member, auditor, operator or officer", "member、auditor、operator、officer のどれか") \
  X(field_person, "the person", "利用者") \
  X(field_member_of, "the project", "プロジェクト") \
  X(field_member_programme, "or the programme", "またはプログラム") \
  X(field_member_role, "in a project lead, member or auditor; for a programme officer or auditor", "プロジェクトでは lead・member・auditor、プログラムでは officer・auditor") \
  X(col_first_device, "FIRST DEVICE", "最初のデバイス") \
  X(col_backfill, "BACKFILL", "追い越し") \
  X(col_order, "ORDER", "順序") \
  X(col_placement, "PLACEMENT", "配置") \
  X(col_url, "URL", "URL") \
  X(col_url_from, "URL FROM", "URL の指定元") \
  X(col_token_from, "TOKEN FROM", "トークンの指定元") \
  X(col_current, "CURRENT", "使用中") \
  X(col_field, "FIELD", "項目") \
  X(col_old, "OLD", "変更前") \
  X(col_new, "NEW", "変更後") \
  X(result_changed, "changed", "変更") \
  X(result_refused, "refused", "拒否") \
  X(applied_change, "changed {0}", "変更: {0}") \
  X(applied_changes, "{0} created, {1} changed, {2} unchanged", "登録 {0} 件、変更 {1} 件、変更なし {2} 件") \
  X(would_apply, "{0} would be created, {1} changed, {2} unchanged; nothing was done", "登録 {0} 件、変更 {1} 件、変更なし {2} 件の予定です（まだ何もしていません）") \
  X(was_unchanged, "unchanged {0}", "変更なし: {0}") \
  X(was_set, "set {0}", "設定: {0}") \
  X(cannot_change, "it is there already and cannot be changed: {0}", "登録済みで、変更できません: {0}") \
  X(declared_twice, "{0} {1} is declared twice, first at {2}", "{0} {1} が 2 回書かれています（最初は {2}）") \
  X(folder_empty, "{0} has no .toml files", "{0} に .toml ファイルがありません") \
  X(member_removed, "{0} is no longer in {1}", "{0} を {1} から外しました") \
  X(context_added, "context {0} is {1}", "接続先 {0} を登録しました（{1}）") \
  X(context_used, "commands go to {0} now, {1}", "以後 {0}（{1}）を使います") \
  X(context_removed, "context {0} is forgotten, and its token with it", "接続先 {0} をトークンごと削除しました") \
  X(unknown_context, "there is no context \"{0}\"", "「{0}」という接続先はありません") \
  X(unknown_thing, "there is no {0} \"{1}\", or none that you may see", "{0}「{1}」は存在しないか、閲覧できません") \
  X(watch_cut, "... {0} more lines; --limit shows fewer", "…ほか {0} 行（--limit で減らせます）") \
  X(more_items, "there are more: --all or --limit", "続きがあります（--all か --limit で表示）") \
  X(hint_contexts, "`tenbin context list` shows those that there are; `tenbin context add` adds one", "`tenbin context list` で一覧、`tenbin context add` で追加できます") \
  X(hint_context_use, "`tenbin context use {0}` makes it the one that commands go to", "使うには `tenbin context use {0}` を実行してください") \
  X(hint_meant, "did you mean {0}?", "{0} ではありませんか") \
  X(hint_meant_flag, "did you mean {0}? `tenbin {1} --help` shows all flags", "{0} ではありませんか（`tenbin {1} --help` で全フラグを表示）") \
  X(hint_list, "`tenbin {0} list` shows them all", "`tenbin {0} list` で一覧できます") \
  X(usage_value, "{0} needs a value", "{0} には値が必要です") \
  X(expected_positive, "a whole number from 1 on", "1 以上の整数") \
  X(expected_name, "1 to 64 letters, digits, - _ .", "英数字と - _ . で 1〜64 文字") \
  X(expected_url, "http://host:port or https://host:port", "http://host:port または https://host:port") \
  X(expected_money_flag, "an amount with at most 2 decimals and a currency: \"2900000.00 USD\"", "小数点以下 2 桁までの金額と通貨: \"2900000.00 USD\"") \
  X(type_decimal, "a decimal text, \"12.5\"", "小数の文字列 \"12.5\"") \
  X(file_unwritable, "cannot write {0}: {1}", "{0} に書き込めません: {1}") \
  X(man_manual, "Tenbin Manual", "天秤 マニュアル") \
  X(man_name, "NAME", "名前") \
  X(man_synopsis, "SYNOPSIS", "書式") \
  X(man_description, "DESCRIPTION", "説明") \
  X(man_commands, "COMMANDS", "コマンド") \
  X(man_global_flags, "FLAGS OF EVERY COMMAND", "全コマンド共通のフラグ") \
  X(man_files, "FILES", "ファイル") \
  X(man_see_also, "SEE ALSO", "関連項目") \
  X(man_noun_about, "the commands of {0}", "{0} のコマンド") \
  X(man_contexts_file, "the services that were named, with their tokens; mode 0600", "名前をつけたサービスとトークン（モード 0600）") \
  X(man_state_files, "where the service on this machine is, and the token of its first officer", "このマシンのサービスの場所と、最初の officer のトークン") \
  X(man_written, "{0} pages in {1}", "{1} に {0} ページを書き出しました") \
  X(help_files, "A TOML file declares things in tables with two brackets, in any order; `tenbin apply -f FILE` sends them in the\norder in which one needs another. Declaring the same again changes nothing; fields with a * may be given another\nvalue later, a difference in the others is refused. `--dry-run` shows + created, ~ changed, = unchanged, ! refused.\n\n  [[project]]\n  name = \"keio-llm\"\n  title = \"日本語モデル\"\n  organisation = \"keio-university\"\n\nThe kinds and their fields (? optional, * may be changed):\n", "TOML ファイルに [[種類]] の表を並べます。順序は自由で、`tenbin apply -f FILE` が依存の順に送ります。\n同じ内容を繰り返し登録しても何も変わりません。* のある項目は後から値を変えられ、それ以外の違いは拒否されます。\n`--dry-run` は + 登録、~ 変更、= 変更なし、! 拒否 を表示します。\n\n  [[project]]\n  name = \"keio-llm\"\n  title = \"日本語モデル\"\n  organisation = \"keio-university\"\n\n種類と項目（? は省略可、* は変更可）:\n") \
  X(help_output, "-o table   for people: aligned columns, grouped figures, instants in your zone (TZ). On a terminal long words are cut\n           to its width with an ellipsis, and on a very narrow one each row becomes lines; --wide keeps all.\n-o json    what the service answered, unchanged; a list is its items, and an empty one is []. Errors are JSON too,\n           on standard error: the problem (RFC 9457) of the service, or {{\"code\", \"detail\", \"hint\"}} of this tool.\n-o csv     RFC 4180 with the field names of the API as the first line and its values unchanged.\n\nColour is used on a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 uses it in a pipe too,\nand --color always|never decides. Nothing is said by colour alone.\n\nLists, `fleet` and `job show` take --watch: they are shown again whenever they change. In a pipe every new state is\nprinted behind the last; with -o json each is one line.\n\nLists give everything (`jobs`: the newest 100); --limit N gives the first N, `jobs --all` all.\nWhat was asked for goes to standard output, everything else to standard error.\n", "-o table   人のための形式。列をそろえ、桁を区切り、日時は利用者の地域（TZ）で表示します。端末では長い語を幅に合わせて\n           省略記号で切り、とても狭い端末では 1 件を複数行で表示します。--wide で切り詰めをやめます。\n-o json    サービスの応答のまま。一覧はその要素の配列で、空なら [] です。エラーも標準エラー出力に JSON で出ます\n           （サービスの problem（RFC 9457）、またはこのコマンドの {{\"code\", \"detail\", \"hint\"}}）。\n-o csv     RFC 4180。1 行目は API の項目名、値はそのままです。\n\n色は端末で使います。NO_COLOR が設定されているか TERM が dumb なら使わず、CLICOLOR_FORCE=1 ならパイプでも使います。\n--color always|never が優先します。色だけで意味を表すことはありません。\n\n一覧、`fleet`、`job show` では --watch が使えます。変化するたびに表示し直します。パイプでは新しい状態を続けて出力し、\n-o json では 1 行に 1 つです。\n\n一覧は全件（`jobs` は新しい 100 件）を表示します。--limit N で先頭の N 件、`jobs --all` で全件です。\n求められたものは標準出力に、それ以外は標準エラー出力に出ます。\n") \
  X(help_contexts, "A context is a name for a service, where it is and your token for it. They lie in\n$XDG_CONFIG_HOME/tenbin/contexts.toml (else ~/.config/tenbin), which only you may read.\n\n  tenbin context add lab --url http://127.0.0.1:7411 --token-file lab.token\n  tenbin context add prod --url https://tenbin.example.jp --token-file -      # the token from standard input\n  tenbin context use prod            # from now on\n  tenbin jobs --context lab          # this once\n  tenbin context show                # where commands go now, and what said so\n\nA context's token is sent to its own URL only. --url, --context, TENBIN_URL, TENBIN_CONTEXT, the context in use and\nthe state folder of a service on this machine are looked at in this order; for the token --token-file, that of a context\nnamed by --context, TENBIN_TOKEN, and the one that belongs to the place.\n", "接続先（context）は、サービスの名前・場所・トークンの組です。$XDG_CONFIG_HOME/tenbin/contexts.toml\n（なければ ~/.config/tenbin）に、本人だけが読めるように保存します。\n\n  tenbin context add lab --url http://127.0.0.1:7411 --token-file lab.token\n  tenbin context add prod --url https://tenbin.example.jp --token-file -      # トークンは標準入力から\n  tenbin context use prod            # 以後これを使う\n  tenbin jobs --context lab          # この 1 回だけ\n  tenbin context show                # 現在の接続先と、それを決めたもの\n\nトークンはその接続先の URL にだけ送ります。場所は --url、--context、TENBIN_URL、TENBIN_CONTEXT、選択中の接続先、\nこのマシンのサービスの置き場の順に、トークンは --token-file、--context の接続先のもの、TENBIN_TOKEN、\nその場所に属するものの順に調べます。\n") \
  X(help_start, "1. A service. On your own machine:\n     tenbin serve &\n   The command line finds it by itself, and you are its first officer. For a service elsewhere, with a token that an\n   officer made for you:\n     tenbin context add lab --url https://tenbin.example.jp --token-file my.token\n     tenbin whoami\n\n2. GPUs (operator or officer). One pool of two nodes with 4 GPUs each, and its price:\n     tenbin provider create lab\n     tenbin region create tokyo --title 東京\n     tenbin pool create tokyo-a100 --provider lab --region tokyo --gpu-model a100 --gpus-per-node 4\n     tenbin node create t1 --pool tokyo-a100\n     tenbin node create t2 --pool tokyo-a100\n     tenbin price set tokyo-a100 --gpu-hour 100\n     tenbin fleet\n\n3. Money (officer). A funder promises; a grant is made of lots; an allocation lets a project spend:\n     tenbin funder create jst --commitment \"1000000 JPY\" --credits-per-unit 1\n     tenbin programme create research\n     tenbin organisation create my-university\n     tenbin grant create research-2026 --programme research --organisation my-university\n     tenbin lot create research-2026-jst --grant research-2026 --funder jst --amount \"500000 JPY\" \\\n       --valid-from 2026-04-01T00:00:00+09:00 --expires 2030-03-31T23:59:59+09:00\n     tenbin project create my-llm --organisation my-university\n     tenbin allocation create my-llm-2026 --grant research-2026 --project my-llm --amount 100000\n   All of this can be written in a file and applied as often as you like: `tenbin help files`.\n\n4. People. A person, what they work in, and a token for them:\n     tenbin person create tanaka --title 田中太郎\n     tenbin member add tanaka --project my-llm\n     tenbin token create --person tanaka > tanaka.token\n\n5. A job. What would it cost, and when would it start? Then submit it and look:\n     tenbin quote --project my-llm --gpus 1 --time-limit 10m\n     tenbin submit --project my-llm --name hello --gpus 1 --time-limit 10m -- sh -c 'echo hello'\n     tenbin jobs\n     tenbin job explain 1\n     tenbin job wait 1\n     tenbin job logs 1\n     tenbin balance my-llm\n     tenbin statement my-llm\n", "1. サービス。自分のマシンで動かすなら:\n     tenbin serve &\n   場所は自動で見つかり、あなたが最初の officer（事務局）になります。別の場所のサービスなら、officer が作った\n   トークンを使います:\n     tenbin context add lab --url https://tenbin.example.jp --token-file my.token\n     tenbin whoami\n\n2. GPU（operator か officer）。GPU 4 基のノード 2 台のプールと価格:\n     tenbin provider create lab\n     tenbin region create tokyo --title 東京\n     tenbin pool create tokyo-a100 --provider lab --region tokyo --gpu-model a100 --gpus-per-node 4\n     tenbin node create t1 --pool tokyo-a100\n     tenbin node create t2 --pool tokyo-a100\n     tenbin price set tokyo-a100 --gpu-hour 100\n     tenbin fleet\n\n3. お金（officer）。資金提供者が約束し、助成はロットからなり、配分によってプロジェクトが使えるようになります:\n     tenbin funder create jst --commitment \"1000000 JPY\" --credits-per-unit 1\n     tenbin programme create research\n     tenbin organisation create my-university\n     tenbin grant create research-2026 --programme research --organisation my-university\n     tenbin lot create research-2026-jst --grant research-2026 --funder jst --amount \"500000 JPY\" \\\n       --valid-from 2026-04-01T00:00:00+09:00 --expires 2030-03-31T23:59:59+09:00\n     tenbin project create my-llm --organisation my-university\n     tenbin allocation create my-llm-2026 --grant research-2026 --project my-llm --amount 100000\n   ここまではファイルに書いて何度でも登録できます: `tenbin help files`\n\n4. 利用者。利用者と所属、そのトークン:\n     tenbin person create tanaka --title 田中太郎\n     tenbin member add tanaka --project my-llm\n     tenbin token create --person tanaka > tanaka.token\n\n5. ジョブ。費用と開始時期を見積もり、投入して確認します:\n     tenbin quote --project my-llm --gpus 1 --time-limit 10m\n     tenbin submit --project my-llm --name hello --gpus 1 --time-limit 10m -- sh -c 'echo hello'\n     tenbin jobs\n     tenbin job explain 1\n     tenbin job wait 1\n     tenbin job logs 1\n     tenbin balance my-llm\n     tenbin statement my-llm\n") \
  X(line_funder, "Who promised how much", "資金提供者と約束額") \
  X(line_programme, "Under which rules", "プログラム") \
  X(line_organisation, "Who receives grants", "助成を受ける組織") \
  X(line_grant, "One award to an organisation", "組織への助成") \
  X(line_lot, "What grants are made of: amount, funder, from when and until when", "助成を構成するロット（金額・資金提供者・期間）") \
  X(line_project, "What credits are spent for", "クレジットを使うプロジェクト") \
  X(line_allocation, "Which part of a grant a project may spend", "助成からプロジェクトへの配分") \
  X(line_person, "Everybody who uses the service, and what each may do", "利用者と役割") \
  X(line_provider, "Who owns GPUs", "GPU の提供者") \
  X(line_region, "Where GPUs stand", "GPU のある地域") \
  X(line_pool, "Nodes of one kind in one region", "同型ノードのプール") \
  X(line_node, "The machines with the GPUs", "GPU を持つノード") \
  X(line_price, "What a GPU hour of a pool costs", "プールの GPU 時間単価") \
  X(line_policy, "How the queue is served", "待ち行列の方針") \
  X(line_member, "Who works in which project", "プロジェクトの所属") \
  X(person_disable_about, "Keep a person out: no command, no token works; the jobs of the projects go on", "利用者を停止します（トークンは使えなくなり、プロジェクトのジョブは続きます）") \
  X(person_enable_about, "Let a person in again", "停止した利用者を元に戻します") \
  X(person_disabled, "{0} is kept out now", "{0} を停止しました") \
  X(person_enabled, "{0} may come in again", "{0} の停止を解除しました") \
  X(opt_token_read_only, "it may ask questions and give no commands", "閲覧だけができるトークンにする") \
  X(col_ends_in, "ENDS IN", "末尾") \
  X(col_scope, "SCOPE", "範囲") \
  X(state_valid, "valid", "有効") \
  X(state_expired, "expired", "期限切れ") \
  X(state_revoked, "revoked", "取消済み") \
  X(state_disabled, "disabled", "停止中") \
  X(events_about, "Show what has happened since a record, or what happens from now on", "ある記録以降の出来事、または今後の出来事を表示します") \
  X(opt_since, "after this record or event, 17 or 17.0; 0: from the first", "この記録・出来事より後（17、17.0。0 は最初から）") \
  X(opt_follow_events, "go on with what happens, until Ctrl-C", "起こるたびに表示し続ける（Ctrl-C で終了）") \
  X(opt_kinds, "only of these kinds: JobStarted,JobSettled", "この種類だけ: JobStarted,JobSettled") \
  X(opt_only_job, "only of this job", "このジョブだけ") \
  X(opt_limit_events, "end after this many", "この件数で終了") \
  X(events_again, "the stream broke off, coming back", "接続が切れました。再接続します") \
  X(events_lost, "the service has ended the stream: {0}", "サービスが配信を終了しました: {0}") \
  X(field_wrong, "{0} must be {1}", "{0} は次の形で指定してください: {1}")
// clang-format on

#define TENBIN_PHRASE_NAME(name, english, japanese) name,
enum class Phrase : std::uint16_t {
  TENBIN_PHRASES(TENBIN_PHRASE_NAME) TENBIN_JOB_PHRASES(TENBIN_PHRASE_NAME)
      TENBIN_TRACE_PHRASES(TENBIN_PHRASE_NAME) TENBIN_REPLAY_PHRASES(TENBIN_PHRASE_NAME)
          TENBIN_PACK_PHRASES(TENBIN_PHRASE_NAME) TENBIN_MODEL_PHRASES(TENBIN_PHRASE_NAME)
};
#undef TENBIN_PHRASE_NAME

struct PhraseText {
  std::string_view english, japanese;
};

#define TENBIN_PHRASE_TEXT(name, english, japanese) PhraseText{english, japanese},
inline constexpr auto phrase_table = std::to_array<PhraseText>(
    {TENBIN_PHRASES(TENBIN_PHRASE_TEXT) TENBIN_JOB_PHRASES(TENBIN_PHRASE_TEXT)
         TENBIN_TRACE_PHRASES(TENBIN_PHRASE_TEXT) TENBIN_REPLAY_PHRASES(TENBIN_PHRASE_TEXT)
             TENBIN_PACK_PHRASES(TENBIN_PHRASE_TEXT) TENBIN_MODEL_PHRASES(TENBIN_PHRASE_TEXT)});
#undef TENBIN_PHRASE_TEXT

constexpr std::string_view text_of(Phrase phrase, Language language) {
  const PhraseText& text = phrase_table[static_cast<std::size_t>(phrase)];
  return language == Language::japanese ? text.japanese : text.english;
}

}  // namespace tenbin::cli
