#pragma once

// What `submit` says about scripts and job files, in both languages on the same line; part of
// phrases.h.

// clang-format off
#define TENBIN_JOB_PHRASES(X) \
  X(sb_no_interpreter, "{0} is no script: its first line must be #! and an interpreter, such as #!/bin/bash", "{0} はスクリプトではありません。1 行目は #!/bin/bash のような #! とインタープリターにしてください") \
  X(sb_carriage_return, "{0} has DOS line ends, which interpreters do not take; convert it with `sed -i 's/\\r$//' {0}`", "{0} の改行が DOS 形式で、インタープリターが受け付けません。`sed -i 's/\\r$//' {0}` で変換してください") \
  X(sb_not_text, "{0} is not UTF-8 text without NUL, so it cannot be kept as a script", "{0} は NUL を含まない UTF-8 のテキストではないため、スクリプトとして保存できません") \
  X(sb_unmatched_quote, "the quote {0} is not closed", "引用符 {0} が閉じられていません") \
  X(sb_unexpected_colon, "a value cannot begin with \":\"", "値を「:」で始めることはできません") \
  X(sb_late, "this #SBATCH line stands behind the first command (line {0}), where sbatch does not look; move it up if it is meant", "この #SBATCH 行は最初のコマンド（{0} 行目）より後ろにあり、sbatch と同じく読まれません。有効にするには前へ移してください") \
  X(sb_comment, "\"{0}\" is a comment to sbatch; write #SBATCH without a blank or another # if it is meant", "「{0}」は sbatch ではコメントです。有効にするには空白や余分な # のない #SBATCH にしてください") \
  X(sb_unknown, "sbatch has no option {0}", "sbatch に {0} というオプションはありません") \
  X(sb_ambiguous, "{0} may mean {1}", "{0} は {1} のどれか決まりません") \
  X(sb_needs_value, "--{0} needs a value", "--{0} には値が必要です") \
  X(sb_takes_no_value, "--{0} takes no value", "--{0} に値は付けられません") \
  X(sb_word, "\"{0}\" is not an option", "「{0}」はオプションではありません") \
  X(sb_bad_value, "--{0} cannot be \"{1}\": expected {2}", "--{0} に「{1}」は指定できません。{2} の形にしてください") \
  X(sb_not_honoured, "--{0} is not honoured: {1}; take it out, or submit with --ignore {0}", "--{0} には対応していません: {1}。取り除くか、--ignore {0} を付けて投入してください") \
  X(sb_ignored, "--{0} has no effect: {1}", "--{0} は効果がありません: {1}") \
  X(sb_warning, "warning: {0}: {1}", "警告: {0}: {1}") \
  X(sb_refused, "the script asks for what Tenbin would not do", "スクリプトの指定のうち、Tenbin では実現できないものがあります") \
  X(sb_ignore_unknown, "--ignore names {0}, which is not given, or cannot be ignored", "--ignore の {0} は指定されていないか、無視できないオプションです") \
  X(sb_no_gpu, "no GPU is asked for, and Tenbin shares GPUs: add --gpus-per-node, --gpus, --gpus-per-task or --gres=gpu:N", "GPU の指定がありません。Tenbin は GPU を割り当てます。--gpus-per-node、--gpus、--gpus-per-task、--gres=gpu:N のいずれかを加えてください") \
  X(sb_not_divisible, "{0} {1} cannot be spread evenly over {2} {3}", "{0} {1} を {2} {3} へ均等に分けられません") \
  X(sb_conflict, "{0} and {1} contradict each other", "{0} と {1} が矛盾しています") \
  X(sb_range_of_nodes, "a range of nodes is not a size; give one number", "ノード数は範囲ではなく 1 つの数で指定してください") \
  X(sb_partition_unknown, "partition {0} is neither a region nor a pool here ({1}); map it with [partition.{0}] in {2}, or submit with --ignore partition", "パーティション {0} という地域やプールはありません（{1}）。{2} の [partition.{0}] で対応づけるか、--ignore partition を付けてください") \
  X(sb_model_unknown, "GPU type {0} is none of the models here ({1}); map it with [gpu_type.{0}] in {2}", "GPU の種類 {0} に当たる型番がありません（{1}）。{2} の [gpu_type.{0}] で対応づけてください") \
  X(sb_constraint_unknown, "constraint {0} is none of the GPU models here ({1}); map it with [constraint.{0}] in {2}, or submit with --ignore constraint", "制約 {0} に当たる GPU の型番がありません（{1}）。{2} の [constraint.{0}] で対応づけるか、--ignore constraint を付けてください") \
  X(sb_output_outside, "{0} is outside the working directory: outputs are written below it; give a relative name, or none (`tenbin job logs` has all output)", "{0} は作業ディレクトリの外です。出力は作業ディレクトリの下にだけ書けます。相対パスにするか、省略してください（出力は `tenbin job logs` で見られます）") \
  X(sb_spmd, "the script runs on each of the {0} nodes at the same time (Slurm: on the first only); srun in it starts the tasks of its own node; guard what must happen once with [ \"$SLURM_NODEID\" = 0 ]", "スクリプトは {0} 台のノードすべてで同時に実行されます（Slurm では最初の 1 台だけ）。中の srun は自ノードのタスクを起動します。一度だけ行う処理は [ \"$SLURM_NODEID\" = 0 ] で囲んでください") \
  X(sb_memory_all, "0 means all memory of a node in Slurm; here nothing is reserved", "Slurm では 0 はノードの全メモリですが、ここでは確保しません") \
  X(sb_export_all, "your environment ({0} variables) is stored with the job, where members of the project can find it", "環境変数 {0} 個がジョブと共に保存され、プロジェクトの参加者から見えます") \
  X(sb_export_missing, "the variable {0} is not set", "変数 {0} は設定されていません") \
  X(sb_qos, "there are no classes of service yet: all jobs wait in one order", "サービス区分はまだなく、すべてのジョブが同じ順で待ちます") \
  X(sb_begin, "a start at a given time: submit it then", "開始時刻の指定: その時刻に投入してください") \
  X(sb_dependency, "\"{0}\" is not understood; there are afterok:ID, afterany:ID, afternotok:ID, joined by commas", "「{0}」は解釈できません。afterok:ID、afterany:ID、afternotok:ID をコンマでつないで指定できます") \
  X(sb_signal_steps, "without B: only what srun starts is signalled, as in Slurm, and this script has no srun: write --signal=B:{0}", "B: がないと Slurm と同じく srun で起動したものだけに届きますが、このスクリプトに srun はありません。--signal=B:{0} と書いてください") \
  X(sb_signal_reservation, "R: (a signal for reservations) has no meaning here", "R:（予約時のシグナル）は意味を持ちません") \
  X(sb_expect_time, "minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S", "分、分:秒、時:分:秒、日-時、日-時:分、日-時:分:秒") \
  X(sb_expect_count, "a whole number above 0", "1 以上の整数") \
  X(sb_expect_memory, "a whole number with K, M, G or T behind (M if there is none)", "K、M、G、T の付いた整数（なければ M）") \
  X(sb_expect_gpus, "a number, or TYPE:NUMBER", "数、または 種類:数") \
  X(sb_expect_gres, "gpu:NUMBER or gpu:TYPE:NUMBER; Tenbin shares nothing but GPUs", "gpu:数 または gpu:種類:数（Tenbin が割り当てるのは GPU だけです）") \
  X(sb_expect_array, "indexes such as 0-9, 1,3,5-9:2, with %N behind for so many at once", "0-9、1,3,5-9:2 のような添字（同時実行数は末尾に %N）") \
  X(sb_expect_signal, "[B:]SIGNAL[@SECONDS] with HUP INT QUIT USR1 USR2 ALRM TERM CONT WINCH URG", "[B:]シグナル[@秒]（HUP INT QUIT USR1 USR2 ALRM TERM CONT WINCH URG）") \
  X(sb_expect_mode, "append or truncate", "append または truncate") \
  X(sb_expect_export, "ALL, NONE, or names and NAME=VALUE joined by commas", "ALL、NONE、またはコンマで区切った名前や 名前=値") \
  X(sb_expect_path, "an absolute path", "絶対パス") \
  X(sb_word_gpus, "GPUs", "個の GPU") \
  X(sb_word_tasks, "tasks", "個のタスク") \
  X(sb_word_nodes, "nodes", "台のノード") \
  X(no_mail, "Tenbin sends no mail; `tenbin job wait` tells when a job is over", "Tenbin はメールを送りません。終了は `tenbin job wait` で分かります") \
  X(no_node_choice, "nodes are chosen by Tenbin", "ノードは Tenbin が選びます") \
  X(no_whole_nodes, "a whole node is had by asking for all of its GPUs", "ノード全体を使うには、その GPU をすべて要求してください") \
  X(no_other_user, "jobs run as the account of the service", "ジョブはサービスの定めたアカウントで実行されます") \
  X(no_input_file, "standard input is empty; redirect it in the script", "標準入力は空です。スクリプトの中でリダイレクトしてください") \
  X(no_licences, "licences are not counted", "ライセンスは数えません") \
  X(no_cluster, "regions are chosen with --partition or --region", "地域は --partition か --region で選びます") \
  X(no_container, "there are no containers; call one in the script", "コンテナの機能はありません。スクリプトから呼び出してください") \
  X(no_deadline, "a job cannot be given a deadline", "期限は指定できません") \
  X(no_export_file, "give the variables with --export or --env", "変数は --export か --env で指定してください") \
  X(no_login_environment, "the environment is clean; set what is needed in the script", "環境変数は最小限です。必要なものはスクリプトで設定してください") \
  X(no_reservation, "there are no reservations yet", "予約の機能はまだありません") \
  X(no_reboot, "nodes are not rebooted for a job", "ジョブのためにノードを再起動することはありません") \
  X(no_local_disk, "room on disks is not counted", "ディスクの空きは数えません") \
  X(no_burst_buffer, "there are no burst buffers", "バーストバッファーはありません") \
  X(no_wrap, "it stands for a script, and this is one", "スクリプトの代わりに使うもので、スクリプトの中では使えません") \
  X(no_socket_counts, "sockets are not counted", "ソケットは数えません") \
  X(no_network, "networks are not chosen", "ネットワークは選べません") \
  X(no_binding, "processes are not bound to cores", "プロセスをコアに固定しません") \
  X(no_accounting, "use is accounted by GPU time", "利用は GPU 時間で記録します") \
  X(no_frequency, "clock rates are left as they are", "クロック周波数は変えません") \
  X(no_priority, "all jobs wait in one order", "すべてのジョブが同じ順で待ちます") \
  X(no_profile, "there is no profiling", "プロファイルは取りません") \
  X(no_limits_taken, "the limits of your shell are not taken over", "シェルの資源制限は引き継ぎません") \
  X(no_topology, "nodes are taken by what is free", "ノードは空きに応じて選びます") \
  X(no_labels_here, "it is for Slurm's accounting", "Slurm の集計用の指定です") \
  X(no_shorter, "the limit is --time", "制限時間は --time です") \
  X(no_survivors, "when a node is lost the whole job waits again, not charged", "ノードを失うと、ジョブ全体が課金なしで待ち行列に戻ります") \
  X(no_sharing, "GPUs are never shared unless a fraction is asked for", "端数を要求しない限り GPU は共有されません") \
  X(no_verbosity, "it is about what sbatch prints", "sbatch の表示に関する指定です") \
  X(no_batch_flag, "it belongs on the command line", "コマンドラインで使う指定です") \
  X(dependency_kept, "a job whose dependency can never be met is always cancelled", "満たせなくなった依存のあるジョブは必ず取り消されます") \
  X(opt_array, "as many jobs as these indexes: 0-9, 1,3,5-9:2, at most N at once with %N behind", "この添字の数だけのジョブ: 0-9、1,3,5-9:2（同時実行数は末尾に %N）") \
  X(opt_after, "wait for a job: ID (it must be ok), ID:any, ID:not_ok; may be repeated", "ジョブを待つ: ID（成功）、ID:any、ID:not_ok（複数可）") \
  X(opt_hold, "do not start before `tenbin job release`", "`tenbin job release` まで開始しない") \
  X(opt_retries, "run again so often after a failure", "失敗したときに再実行する回数") \
  X(opt_label, "a label for people; may be repeated", "人が読むためのラベル（複数可）") \
  X(opt_output_file, "also write standard output to this file below the working directory: logs/%j.out", "標準出力を作業ディレクトリの下のファイルにも書く: logs/%j.out") \
  X(opt_error_file, "the same for standard error (default: into the same file)", "標準エラー出力についても同じ（既定は同じファイル）") \
  X(opt_signal, "warn the job before its limit: USR1@120 (seconds)", "制限時間の前に知らせる: USR1@120（秒）") \
  X(opt_no_requeue, "end as failed, instead of running again, if a node is lost", "ノードを失ったら再実行せず失敗とする") \
  X(opt_sbatch, "an option of sbatch, over the script's: --sbatch=--nodes=4; may be repeated", "スクリプトの指定に優先する sbatch のオプション: --sbatch=--nodes=4（複数可）") \
  X(opt_ignore, "do without this option of the script; may be repeated", "スクリプトのこのオプションを無視する（複数可）") \
  X(opt_slurm_names, "file that maps partitions, accounts and GPU types (TENBIN_SLURM_NAMES)", "パーティション・アカウント・GPU の種類の対応表（TENBIN_SLURM_NAMES）") \
  X(opt_submit_dry_run, "show what was understood and what it costs, submit nothing", "投入せず、解釈した内容と費用を表示") \
  X(opt_follow_job, "show its output as it is written; the exit code is the job's own", "出力を逐次表示する（終了コードはジョブのもの）") \
  X(expected_array, "indexes such as 0-9, 1,3,5-9:2%4", "0-9、1,3,5-9:2%4 のような添字") \
  X(expected_after, "ID, ID:ok, ID:any or ID:not_ok", "ID、ID:ok、ID:any、ID:not_ok のいずれか") \
  X(expected_label, "KEY=VALUE", "キー=値") \
  X(expected_boolean, "true or false", "true または false") \
  X(expected_output, "a name below the working directory, without ..: logs/%j.out", "作業ディレクトリの下の名前（.. は不可）: logs/%j.out") \
  X(expected_signal, "a signal and seconds: USR1@120", "シグナルと秒数: USR1@120") \
  X(expected_afters, "a list of job ids, [12, \"13:any\"]", "ジョブ ID の並び [12, \"13:any\"]") \
  X(expected_script, "a text whose first line is #! and an interpreter", "1 行目が #! とインタープリターのテキスト") \
  X(expected_mode, "\"append\" or \"truncate\"", "\"append\" または \"truncate\"") \
  X(expected_directory_own, "an absolute path, or own", "絶対パス、または own") \
  X(dry_heading, "would be submitted:", "投入する内容:") \
  X(dry_script, "script of {0} lines, by {1}", "{0} 行のスクリプト（{1}）") \
  X(dry_own_directory, "a folder of its own", "専用のフォルダー") \
  X(dry_logs_only, "`tenbin job logs` only", "`tenbin job logs` のみ") \
  X(dry_clean, "clean; --export=ALL or --env adds to it", "最小限（--export=ALL か --env で追加）") \
  X(dry_variables, "{0} variables: {1}", "{0} 個: {1}") \
  X(dry_shape_members, "{0} members on nodes of their own, each {1} GPUs", "別々のノードの {0} メンバー（各 {1} GPU）") \
  X(dry_shape_count, "{0} GPUs", "{0} GPU") \
  X(dry_array, "{0} tasks: {1}", "{0} 個: {1}") \
  X(row_project, "project", "プロジェクト") \
  X(row_name, "name", "名前") \
  X(row_shape, "shape", "形") \
  X(row_tasks_per_member, "tasks per member", "メンバーごとのタスク") \
  X(row_cpus, "cpus", "CPU") \
  X(row_memory, "memory MiB", "メモリ MiB") \
  X(row_models, "models", "型番") \
  X(row_regions, "regions", "地域") \
  X(row_limit, "time limit", "制限時間") \
  X(row_array, "array", "配列") \
  X(row_at_once, "at once", "同時実行数") \
  X(row_after, "after", "待つジョブ") \
  X(row_hold, "held", "保留") \
  X(row_retries, "retries", "再実行") \
  X(row_labels, "labels", "ラベル") \
  X(row_runs, "runs", "実行") \
  X(row_arguments, "arguments", "引数") \
  X(row_directory, "directory", "ディレクトリ") \
  X(row_environment, "environment", "環境変数") \
  X(row_output, "output", "出力") \
  X(row_error, "error", "エラー出力") \
  X(row_signal, "signal", "シグナル") \
  X(row_requeue, "requeued", "再投入") \
  X(toml_bad_map, "{0} must be a table", "{0} は表で指定してください")
// clang-format on
