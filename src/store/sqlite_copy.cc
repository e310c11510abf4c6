#include "store/sqlite_copy.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

#include "store/state_folder.h"

namespace tenbin {

namespace {

constexpr int pages_per_step = 64;  // 256 KiB: short enough that nobody feels one step
constexpr int patience_ms = 10'000;

struct Close {
  void operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
};
using Connection = std::unique_ptr<sqlite3, Close>;

std::unexpected<Error> failure(sqlite3* connection, const std::string& path, const char* tried) {
  return failed(path + ": could not " + tried + ": " +
                (connection ? sqlite3_errmsg(connection) : "out of memory"));
}

Result<Connection> open(const std::string& path, int flags) {
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Connection connection(raw);
  if (code != SQLITE_OK) return failure(raw, path, "open it");
  sqlite3_busy_timeout(raw, patience_ms);
  return connection;
}

}  // namespace

Result<void> copy_database(const std::string& from, const std::string& to, CopyPace pace,
                           const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
  using Clock = std::chrono::steady_clock;
  auto source = open(from, SQLITE_OPEN_READONLY);
  if (!source) return std::unexpected(source.error());
  // SQLite begins a copy anew whenever it finds that another process wrote meanwhile, and would
  // never end beside a busy service. A read transaction of our own, begun first, keeps it to what
  // it saw then.
  if (sqlite3_exec(source->get(), "BEGIN; SELECT count(*) FROM sqlite_schema;", nullptr, nullptr,
                   nullptr) != SQLITE_OK) {
    return failure(source->get(), from, "read it");
  }
  if (auto made = make_private_file(to); !made) return made;
  auto target = open(to, SQLITE_OPEN_READWRITE);
  if (!target) return std::unexpected(target.error());
  // A copy that a crash cuts short is thrown away, so it needs no journal; it is synced at the end.
  if (sqlite3_exec(target->get(), "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;", nullptr,
                   nullptr, nullptr) != SQLITE_OK) {
    return failure(target->get(), to, "prepare it");
  }
  sqlite3_backup* const backup = sqlite3_backup_init(target->get(), "main", source->get(), "main");
  if (!backup) return failure(target->get(), to, "begin the copy");

  std::int64_t page_bytes = 4096;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(source->get(), "PRAGMA page_size", -1, &statement, nullptr) == SQLITE_OK &&
      sqlite3_step(statement) == SQLITE_ROW) {
    page_bytes = sqlite3_column_int64(statement, 0);
  }
  sqlite3_finalize(statement);

  const auto began = Clock::now();
  std::uint64_t done = 0;
  int code = SQLITE_OK;
  while ((code = sqlite3_backup_step(backup, pages_per_step)) == SQLITE_OK) {
    const auto pages = static_cast<std::uint64_t>(sqlite3_backup_pagecount(backup));
    done = pages - static_cast<std::uint64_t>(sqlite3_backup_remaining(backup));
    if (progress) progress(done, pages);
    if (pace.bytes_per_second == 0) continue;
    const double due_s = static_cast<double>(done) * static_cast<double>(page_bytes) /
                         static_cast<double>(pace.bytes_per_second);
    std::this_thread::sleep_until(
        began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(due_s)));
  }
  sqlite3_backup_finish(backup);
  if (code != SQLITE_DONE) {
    return failed(to + ": could not copy " + from + ": " + sqlite3_errstr(code));
  }
  source->reset();
  target->reset();
  return sync_file(to);
}

}  // namespace tenbin
