// `tenbin backup` and `tenbin restore`: the words around src/operate/backup.h.

#include "operate/backup.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "api/text.h"
#include "app/serve.h"
#include "codec/hash.h"

namespace tenbin {

namespace {

constexpr std::string_view backup_help =
    "tenbin backup DEST [--state DIR] [--config FILE] [--rate MIB] [--outputs] [--with-token]\n"
    "\n"
    "Copies the journal as it is at this moment, the commands of all jobs and the settings into\n"
    "the new folder DEST, while the service runs. DEST appears when it is whole.\n"
    "  --state DIR     the service's state folder\n"
    "  --config FILE   the service's settings (/etc/tenbin/tenbin.toml, if it is there)\n"
    "  --rate MIB      copy at most so much a second (64; 0: no limit)\n"
    "  --outputs       also what jobs wrote\n"
    "  --with-token    also the first officer's token, a secret: keep such a backup where you keep "
    "secrets\n"
    "It prints the last record's number and hash: keep them somewhere else, to know the backup "
    "again.\n"
    "\n"
    "サービスの稼働中に、ジャーナル・ジョブのコマンド・設定を新しいフォルダー DEST "
    "に写します。DEST は完成してから現れます。\n"
    "--outputs でジョブの出力も、--with-token "
    "で最初の管理者のトークン（秘密情報）も含めます。最後の記録の番号とハッシュは別の場所に控えてく"
    "ださい。\n";

constexpr std::string_view restore_help =
    "tenbin restore BACKUP --state DIR\n"
    "\n"
    "Makes the state folder DIR of a backup. DIR must not exist or be empty. Every file is "
    "compared\n"
    "with the manifest and the whole journal is verified before DIR appears. Jobs that ran when "
    "the\n"
    "backup was made wait in the queue again and are not charged for that run; their next run is\n"
    "another attempt, in a new epoch. Stop the old service first, and wait one lease.\n"
    "\n"
    "バックアップから状態フォルダー DIR を作ります。DIR は存在しないか、空でなければなりません。\n"
    "全ファイルをマニフェストと照合し、ジャーナル全体を検証してから DIR "
    "が現れます。バックアップ時に実行中だったジョブは課金されずに待ち行列へ戻り、新しい試行として実"
    "行されます。\n"
    "先に元のサービスを停止し、リース期間が過ぎるのを待ってください。\n";

int complain(const char* command, const std::string& what, int code) {
  std::fprintf(stderr, "tenbin: %s: %s\n", command, what.c_str());
  return code;
}

/// A service that runs beside us comes first, at the processor and at the disk.
void step_back() {
  ::setpriority(PRIO_PROCESS, 0, 10);
  constexpr int who_process = 1, class_idle = 3, class_shift = 13;
  ::syscall(SYS_ioprio_set, who_process, 0, class_idle << class_shift);
}

operate::Progress shown(const char* what) {
  if (!::isatty(2)) return {};
  return [what, last = std::chrono::steady_clock::time_point{}](std::uint64_t done,
                                                                std::uint64_t of) mutable {
    const auto now = std::chrono::steady_clock::now();
    if (done < of && now - last < std::chrono::milliseconds(100)) return;
    last = now;
    std::fprintf(stderr, "\r%s %llu/%llu%s", what, static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(of), done >= of ? "\n" : "");
  };
}

/// The value of the option at `words[i]`, which is `name VALUE` or `name=VALUE`.
std::optional<std::string> value_of(const std::vector<std::string>& words, std::size_t& i,
                                    std::string_view name) {
  const std::string& word = words[i];
  if (word == name && i + 1 < words.size()) return words[++i];
  if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=')
    return word.substr(name.size() + 1);
  return std::nullopt;
}

}  // namespace

std::string backup_manual() {
  return std::string(backup_help);
}
std::string restore_manual() {
  return std::string(restore_help);
}

int backup_state(const std::vector<std::string>& words) {
  operate::BackupSettings settings{.config_file = config_path(""),
                                   .bytes_per_second = 64ull * 1024 * 1024};
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--help" || words[i] == "-h") {
      std::fputs(backup_help.data(), stdout);
      return 0;
    }
    if (words[i] == "--outputs") {
      settings.outputs = true;
    } else if (words[i] == "--with-token") {
      settings.token = true;
    } else if (const auto state = value_of(words, i, "--state")) {
      settings.state = *state;
    } else if (const auto config = value_of(words, i, "--config")) {
      settings.config_file = *config;
      if (::access(config->c_str(), R_OK) != 0)
        return complain("backup", *config + ": the settings cannot be read", 1);
    } else if (const auto rate = value_of(words, i, "--rate")) {
      std::uint64_t mib = 0;
      const auto parsed = std::from_chars(rate->data(), rate->data() + rate->size(), mib);
      if (parsed.ec != std::errc{} || parsed.ptr != rate->data() + rate->size() || mib > 1'000'000)
        return complain("backup", "--rate takes a whole number of MiB a second", 2);
      settings.bytes_per_second = mib * 1024 * 1024;
    } else if (words[i].starts_with('-') || !settings.to.empty()) {
      return complain("backup", words[i] + " is not an option; see tenbin backup --help", 2);
    } else {
      settings.to = words[i];
    }
  }
  if (settings.to.empty())
    return complain("backup", "name the folder to make; see tenbin backup --help", 2);
  if (settings.state.empty()) settings.state = configured_state_folder(settings.config_file);
  ::umask(077);
  step_back();
  const auto began = std::chrono::steady_clock::now();
  const auto backup = operate::back_up(settings, shown("pages"));
  if (!backup) return complain("backup", backup.error().what, 1);
  std::printf("backup: %s, %llu records, %llu files, %.1f MiB, %.1f s\nlast record: %llu %s\n",
              settings.to.c_str(), static_cast<unsigned long long>(backup->sequence),
              static_cast<unsigned long long>(backup->files),
              static_cast<double>(backup->bytes) / (1024 * 1024),
              std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(),
              static_cast<unsigned long long>(backup->sequence), to_hex(backup->chain).c_str());
  return 0;
}

int restore_state(const std::vector<std::string>& words) {
  std::string backup, state;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--help" || words[i] == "-h") {
      std::fputs(restore_help.data(), stdout);
      return 0;
    }
    if (const auto folder = value_of(words, i, "--state")) {
      state = *folder;
    } else if (words[i].starts_with('-') || !backup.empty()) {
      return complain("restore", words[i] + " is not an option; see tenbin restore --help", 2);
    } else {
      backup = words[i];
    }
  }
  if (backup.empty() || state.empty())
    return complain("restore", "name the backup and --state DIR; see tenbin restore --help", 2);
  ::umask(077);
  const auto restored = operate::restore(backup, state, shown("verified"));
  if (!restored) return complain("restore", restored.error().what, 1);
  const Verification& found = restored->found;
  std::printf(
      "restored: %s, %llu records up to %s, backup of %s\n"
      "verified: %llu events, %llu records decided again alike\n"
      "credits: in lots %s = unallocated %s + free %s + held %s + spent %s + expired %s\n"
      "jobs: %llu live, of which %llu ran and wait again as new attempts; epoch %llu\n",
      state.c_str(), static_cast<unsigned long long>(restored->sequence),
      text_of(restored->at).c_str(), restored->made.c_str(),
      static_cast<unsigned long long>(found.events),
      static_cast<unsigned long long>(found.redecided), text_of(found.in_lots).c_str(),
      text_of(found.unallocated).c_str(), text_of(found.free).c_str(), text_of(found.held).c_str(),
      text_of(found.spent).c_str(), text_of(found.expired).c_str(),
      static_cast<unsigned long long>(found.live_jobs),
      static_cast<unsigned long long>(restored->attempts_lost),
      static_cast<unsigned long long>(restored->epoch));
  if (restored->has_settings)
    std::printf("settings: the old service's are in %s/tenbin.toml\n", state.c_str());
  if (!restored->has_outputs) std::puts("outputs of jobs: not in the backup");
  if (!restored->has_token)
    std::puts("token: the first officer's is not in the backup; use one that you kept");
  return 0;
}

}  // namespace tenbin
