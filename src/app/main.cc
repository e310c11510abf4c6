#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "app/serve.h"
#include "cli/cli.h"
#include "exec/supervisor.h"

int main(int argc, char** argv) {
  // A supervisor is this program again; it must do nothing else and start no thread.
  if (argc == 4 && std::string_view(argv[1]) == "supervise") {
    ::_exit(tenbin::exec::supervise(argv[2], argv[3]));
  }
  return tenbin::cli::run_cli(
      argc, argv,
      {{"serve", "run the service on this machine", "このマシンでサービスを動かす", tenbin::serve,
        tenbin::serve_manual},
       {"verify", "check a state folder's journal from the first record on",
        "状態フォルダーのジャーナルを最初から検証する", tenbin::verify_state,
        tenbin::verify_manual},
       {"backup", "copy the journal and settings while the service runs",
        "サービスの稼働中にジャーナルと設定をバックアップする", tenbin::backup_state,
        tenbin::backup_manual},
       {"restore", "make a state folder of a backup, verified before use",
        "バックアップを検証して新しい状態フォルダーを作る", tenbin::restore_state,
        tenbin::restore_manual}},
      tenbin::read_journal);
}
