#pragma once

// The jobs that are over and what they cost, in `history.db`, for lists, statements and SQL tools.
// It only repeats what the journal says: when it is damaged it is put aside and built again.

#include <atomic>
#include <map>
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

  /// Cost: the answer, for project, person, state, project and state, project and person, name,
  /// project and name (see settled_jobs_sql); what else is asked for is looked for among those, in
  /// at most `look_at` rows, so that a page always comes soon.
  Result<HistoryPage> jobs(const HistoryQuery& query) override;
  /// Cost: a look-up for each bit of the largest id.
  Result<std::uint64_t> first_submitted(Instant t) override;

  /// The charges of one record are never cut apart, so there may be a few more than `limit`.
  Result<std::vector<ChargeRow>> charges(const ChargeQuery& query) override;
  /// Cost: one row without bounds; with them the charges between them, in the index alone.
  Result<Credits> charged(std::string_view project, Instant from, Instant to) override;
  Result<void> clear() override;
  Result<void> begin_rebuild() override;
  Result<void> end_rebuild() override;

 private:
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
  SqliteStatement add_job_, add_charge_, add_to_total_, move_watermark_;

  std::mutex read_mutex_;
  SqliteDatabase reader_;
  SqliteStatement one_job_, next_job_, last_job_, project_charges_, all_charges_, total_, sum_;
  std::map<std::string, SqliteStatement> jobs_;  // by their SQL, made when first asked for
};

/// The statement that answers `query`. It names its index, so that the plan does not hang on what
/// SQLite guesses about the data; the test asks SQLite for the plan of each.
/// It has no limit: who runs it stops. Conditions that its index does not answer are not in it.
/// Parameters: 1 from, 2 before, 3 project, 4 person, 5 state, 6 name.
std::string settled_jobs_sql(const HistoryQuery& query);
/// The statement behind `charges`, for one project and for all. Parameters: 1 project, 2 and 3 the
/// instant and record to begin after, 4 to.
std::string charges_sql(bool of_one_project);

}  // namespace tenbin
