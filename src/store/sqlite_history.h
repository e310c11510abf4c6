#pragma once

// The jobs that are over and what they cost, in `history.db`, for lists, statements and SQL tools.
// It only repeats what the journal says: when it is damaged it is put aside and built again.

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "base/log.h"
#include "live/ports.h"
#include "store/sqlite.h"

namespace tenbin {

/// Write-ahead log, synchronous=NORMAL: after a loss of power the last rows may be missing together
/// with their watermark, and the follower tells them again.
///
/// Threads: follow and clear from one thread at a time, queries from any. Other processes may
/// read the file with any SQLite tool meanwhile.
class SqliteHistory : public History {
 public:
  /// Call while the folder's journal is open for writing: its lock guards this file too. A
  /// file that is damaged, or of another format, is renamed to `history.db.damaged-<n>` and an
  /// empty one begun; that is told to `log`. Errors: as SqliteJournal::open.
  static Result<std::unique_ptr<SqliteHistory>> open(const std::string& state_folder,
                                                     const Log& log = {});

  /// Jobs are rows by id: telling one again replaces it. Charges carry their own sequence, none
  /// above `sequence`. Cost: about six index entries for each job.
  Result<void> follow(std::uint64_t sequence, std::span<const SettledJob> jobs,
                      std::span<const ChargeRow> charges) override;
  Result<std::uint64_t> watermark() override;
  Result<std::optional<SettledJob>> job(std::uint64_t id) override;

  /// Cost: the answer, for any filter that its index answers alone (see settled_jobs_sql); a state
  /// of one person also passes that person's jobs in other states, in the index only.
  Result<std::vector<SettledJob>> jobs(const HistoryQuery& query) override;

  /// The charges of one record are never cut apart, so there may be a few more than `limit`.
  /// An empty project means all.
  Result<std::vector<ChargeRow>> charges(std::string_view project, std::uint64_t after_sequence,
                                         std::size_t limit) override;
  Result<void> clear() override;

 private:
  static constexpr unsigned filters = 8;  // project, person, state: each given or not

  explicit SqliteHistory(std::string path) : path_(std::move(path)) {}

  Result<void> connect();
  Result<void> add(std::uint64_t sequence, std::span<const SettledJob> jobs,
                   std::span<const ChargeRow> charges);
  Result<void> drop_all();
  Result<void> set_watermark(std::uint64_t sequence);
  Error noted(const Error& error, const SqliteDatabase& database) const;

  const std::string path_;
  std::atomic<std::uint64_t> watermark_ = 0;

  std::mutex write_mutex_;
  SqliteDatabase writer_;
  SqliteStatement add_job_, add_charge_, move_watermark_;

  std::mutex read_mutex_;
  SqliteDatabase reader_;
  SqliteStatement one_job_, project_charges_, all_charges_;
  SqliteStatement jobs_[filters];
};

/// The statement that answers `query`. It names its index, so that the plan does not hang on what
/// SQLite guesses about the data; the test asks SQLite for the plan of each.
/// Parameters: 1 before, 2 project, 3 person, 4 state, 5 limit.
std::string settled_jobs_sql(const HistoryQuery& query);

}  // namespace tenbin
