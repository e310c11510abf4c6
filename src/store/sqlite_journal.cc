#include "store/sqlite_journal.h"

#include <utility>
#include <vector>

#include "store/snapshot_file.h"

namespace tenbin {

namespace {

constexpr std::int64_t format = 1;
constexpr int page_bytes = 4096;
constexpr int checkpoint_pages = 8 * 1024 * 1024 / page_bytes;
// What may be left of a checkpoint for the part that holds up the writer: a millisecond or two.
constexpr int tail_pages = 128;
constexpr int rounds_beside_the_writer = 3;
// Past this the writer is faster than the disk takes checkpoints, and has to wait for one.
constexpr int urgent_pages = 64 * 1024 * 1024 / page_bytes;
// A log this long means that somebody has kept a read transaction open for very long.
constexpr int alarming_pages = 1024 * 1024 * 1024 / page_bytes;

constexpr std::size_t batch_rows = 1024;
constexpr std::size_t batch_bytes = 1024 * 1024;

constexpr const char* tables = R"sql(
BEGIN IMMEDIATE;
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('format', 1);
CREATE TABLE record(
  sequence INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  hash BLOB NOT NULL,
  body TEXT NOT NULL) STRICT;
CREATE TABLE blob(hash BLOB PRIMARY KEY, bytes BLOB NOT NULL) STRICT, WITHOUT ROWID;
COMMIT;
)sql";

// `journal_size_limit` cuts the log back after a burst; below it the log's blocks are written over,
// which costs less than growing the file each time.
constexpr const char* writing_settings = R"sql(
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA wal_autocheckpoint = 0;
PRAGMA journal_size_limit = 67108864;
PRAGMA cache_size = -32768;
PRAGMA temp_store = MEMORY;
)sql";

Result<void> check_format(SqliteDatabase& database, const std::string& path) {
  auto is_ours = database.number("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'");
  if (!is_ours) return std::unexpected(is_ours.error());
  if (*is_ours == 0) return failed(path + ": this is not a journal of Tenbin");
  auto version = database.number("SELECT value FROM meta WHERE key = 'format'");
  if (!version) return std::unexpected(version.error());
  if (*version != format) {
    return failed(path + ": the journal is of format " + std::to_string(*version) +
                  ", and this program knows format " + std::to_string(format) +
                  " only; use the version of Tenbin that wrote it, or a newer one");
  }
  return {};
}

}  // namespace

SqliteJournal::SqliteJournal(std::string folder, Access access, Log log)
    : folder_(std::move(folder)),
      path_(folder_ + "/journal.db"),
      snapshots_(folder_ + "/snapshots"),
      access_(access),
      log_(std::move(log)),
      checkpoint_at_(checkpoint_pages) {}

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(const std::string& state_folder,
                                                           Access access, Log log) {
  if (auto ready = prepare_state_folder(state_folder, access); !ready) {
    return std::unexpected(ready.error());
  }
  std::unique_ptr<SqliteJournal> journal(new SqliteJournal(state_folder, access, std::move(log)));
  if (auto connected = journal->connect(); !connected) return std::unexpected(connected.error());
  return journal;
}

Result<void> SqliteJournal::connect() {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    if (auto plain = refuse_link(path_ + suffix); !plain) return plain;
  }
  if (access_ == Access::read_write) {
    auto lock = FolderLock::take(folder_);
    if (!lock) return std::unexpected(lock.error());
    lock_ = std::move(*lock);
    if (auto made = make_private_file(path_); !made) return made;
    if (auto made = prepare_state_folder(snapshots_, access_); !made) return made;
    if (auto swept = sweep_snapshot_drafts(snapshots_); !swept) return swept;

    auto writer = SqliteDatabase::open(path_, access_);
    if (!writer) return std::unexpected(writer.error());
    writer_ = std::move(*writer);
    // A file that is not ours is not touched, so this comes before any setting.
    auto anything = writer_.number("SELECT count(*) FROM sqlite_schema");
    if (!anything) return std::unexpected(anything.error());
    if (*anything != 0) {
      if (auto known = check_format(writer_, path_); !known) return known;
    }
    if (auto set = writer_.run(writing_settings); !set) return set;
    if (*anything == 0) {
      if (auto made = writer_.run(tables); !made) return made;
      if (auto synced = sync_folder(folder_); !synced) return synced;
    }
  }

  auto reader = SqliteDatabase::open(path_, Access::read_only);
  if (!reader) return std::unexpected(reader.error());
  reader_ = std::move(*reader);
  if (auto known = check_format(reader_, path_); !known) return known;

  struct Wanted {
    SqliteDatabase* database;
    SqliteStatement* statement;
    const char* sql;
  };
  std::vector<Wanted> wanted{
      {&reader_, &last_sequence_, "SELECT max(sequence) FROM record"},
      {&reader_, &read_records_,
       "SELECT sequence, at, hash, body FROM record WHERE sequence BETWEEN ?1 AND ?2 "
       "ORDER BY sequence"},
      {&reader_, &read_blob_, "SELECT bytes FROM blob WHERE hash = ?1"},
  };
  if (access_ == Access::read_write) {
    wanted.push_back({&writer_, &add_record_, "INSERT INTO record VALUES (?1, ?2, ?3, ?4)"});
    wanted.push_back({&writer_, &add_blob_, "INSERT OR IGNORE INTO blob VALUES (?1, ?2)"});
  }
  for (const Wanted& one : wanted) {
    auto statement = one.database->prepare(one.sql);
    if (!statement) return std::unexpected(statement.error());
    *one.statement = std::move(*statement);
  }
  if (access_ == Access::read_only) return {};

  auto last = writer_.number("SELECT max(sequence) FROM record");
  if (!last) return std::unexpected(last.error());
  last_ = static_cast<std::uint64_t>(*last);
  writer_.watch_log(&log_pages_);

  auto checkpointer = SqliteDatabase::open(path_, Access::read_write);
  if (!checkpointer) return std::unexpected(checkpointer.error());
  checkpointer_ = std::move(*checkpointer);
  if (auto set = checkpointer_.run(writing_settings); !set) return set;
  checkpoint_thread_ = std::thread([this] { checkpoint_when_asked(); });
  return {};
}

SqliteJournal::~SqliteJournal() {
  if (!checkpoint_thread_.joinable()) return;
  {
    const std::lock_guard lock(checkpoint_mutex_);
    closing_ = true;
  }
  checkpoint_wake_.notify_one();
  checkpoint_thread_.join();
}

// ---- writing ----

Result<void> SqliteJournal::append(std::span<const Record> records, std::span<const Blob> blobs) {
  if (access_ == Access::read_only)
    return failed(path_ + ": the journal was opened for reading only");
  bool checkpoint_due = false;
  {
    const std::lock_guard lock(write_mutex_);
    if (auto ready = usable(); !ready) return ready;
    if (records.empty() && blobs.empty()) return {};
    if (auto written = write(records, blobs); !written) {
      spoil(written.error().what);
      return written;
    }
    checkpoint_due = log_pages_ >= checkpoint_at_;
    // Until the checkpoint has said how far it came, more pages are no reason to ask again.
    if (checkpoint_due) checkpoint_at_ = INT32_MAX;
  }
  if (checkpoint_due) {
    {
      const std::lock_guard lock(checkpoint_mutex_);
      checkpoint_wanted_ = true;
    }
    checkpoint_wake_.notify_one();
  }
  return {};
}

Result<void> SqliteJournal::write(std::span<const Record> records, std::span<const Blob> blobs) {
  std::uint64_t expected = last_;
  for (const Record& record : records) {
    if (record.sequence != ++expected) {
      return failed(path_ + ": record " + std::to_string(record.sequence) +
                    " was to be appended where " + std::to_string(expected) + " is next");
    }
  }

  auto transaction = SqliteTransaction::begin(writer_);
  if (!transaction) return std::unexpected(transaction.error());
  for (const Blob& blob : blobs) {
    add_blob_.bind_hash(1, blob.hash);
    add_blob_.bind_bytes(2, blob.bytes);
    if (auto added = add_blob_.run(); !added) return added;
  }
  for (const Record& record : records) {
    add_record_.bind(1, record.sequence);
    add_record_.bind(2, record.at.ms);
    add_record_.bind_hash(3, record.hash);
    add_record_.bind_text(4, record.body);
    if (auto added = add_record_.run(); !added) return added;
  }
  if (auto committed = transaction->commit(); !committed) return committed;
  last_ = expected;
  return {};
}

void SqliteJournal::checkpoint_when_asked() {
  for (;;) {
    {
      std::unique_lock lock(checkpoint_mutex_);
      checkpoint_wake_.wait(lock, [this] { return closing_ || checkpoint_wanted_; });
      if (closing_) return;
      checkpoint_wanted_ = false;
    }
    const Result<bool> whole = checkpoint();
    if (!whole) {
      spoil(whole.error().what);
      return;
    }
  }
}

/// True if the whole log is in the database, so that the next commit begins the log anew.
///
/// A checkpoint beside the writer never sees the end of the log while the writer keeps adding to
/// it, and the log would grow for ever. So most of it is done beside the writer, and what came
/// meanwhile with the writer held.
Result<bool> SqliteJournal::checkpoint() {
  std::unique_lock lock(write_mutex_, std::defer_lock);
  for (int round = 1;; ++round) {
    const auto log = checkpointer_.checkpoint();
    if (!log) return std::unexpected(log.error());
    lock.lock();
    const bool little_is_left = log_pages_ - log->saved <= tail_pages;
    if (little_is_left || log_pages_ >= urgent_pages || round == rounds_beside_the_writer) break;
    lock.unlock();
  }
  const auto log = checkpointer_.checkpoint();
  if (!log) return std::unexpected(log.error());
  const bool whole = log->saved == log->pages;
  // A reader stood in the way: try again when some more has come.
  checkpoint_at_ = whole ? checkpoint_pages : log_pages_ + checkpoint_pages / 4;
  if (!whole && log_pages_ >= alarming_pages) {
    log_(LogLevel::warning, "write_ahead_log_long",
         path_ + "-wal has grown to " +
             std::to_string(std::int64_t{log_pages_} * page_bytes / (1024 * 1024)) +
             " MiB because a program keeps a read transaction open on the journal");
    checkpoint_at_ = log_pages_ + alarming_pages / 4;
  }
  return whole;
}

Result<void> SqliteJournal::usable() {
  if (!spoiled_.load(std::memory_order_acquire)) return {};
  const std::lock_guard lock(spoiled_mutex_);
  return failed("the journal is out of use since an earlier failure: " + spoiled_by_);
}

void SqliteJournal::spoil(const std::string& why) {
  const std::lock_guard lock(spoiled_mutex_);
  if (spoiled_) return;
  spoiled_by_ = why;
  spoiled_.store(true, std::memory_order_release);
}

// ---- reading ----

Result<void> SqliteJournal::read(std::uint64_t from,
                                 const std::function<bool(const Record&)>& visit) {
  if (from == 0) from = 1;
  std::uint64_t last = 0;
  {
    const std::lock_guard lock(read_mutex_);
    if (auto ready = usable(); !ready) return ready;
    const auto row = last_sequence_.step();
    if (!row) return std::unexpected(row.error());
    last = static_cast<std::uint64_t>(last_sequence_.number(0));
    last_sequence_.reset();
  }

  // Short transactions: a long one would keep the write-ahead log from being emptied.
  std::vector<Record> batch;
  while (from <= last) {
    batch.clear();
    {
      const std::lock_guard lock(read_mutex_);
      if (auto ready = usable(); !ready) return ready;
      read_records_.bind(1, from);
      read_records_.bind(2, last);
      for (std::size_t bytes = 0; batch.size() < batch_rows && bytes < batch_bytes;) {
        const auto row = read_records_.step();
        if (!row) return std::unexpected(row.error());
        if (!*row) break;
        const auto hash = read_records_.hash(2);
        if (!hash) {
          read_records_.reset();
          return std::unexpected(hash.error());
        }
        batch.push_back({.sequence = static_cast<std::uint64_t>(read_records_.number(0)),
                         .at = Instant{read_records_.number(1)},
                         .hash = *hash,
                         .body = std::string(read_records_.bytes(3))});
        bytes += batch.back().body.size();
      }
      read_records_.reset();
    }
    if (batch.empty()) return failed(path_ + ": record " + std::to_string(from) + " is missing");
    for (const Record& record : batch) {
      if (record.sequence != from) {
        return failed(path_ + ": record " + std::to_string(from) + " is missing");
      }
      ++from;
      if (!visit(record)) return {};
    }
  }
  return {};
}

Result<std::optional<std::string>> SqliteJournal::blob(const Hash& hash) {
  const std::lock_guard lock(read_mutex_);
  if (auto ready = usable(); !ready) return std::unexpected(ready.error());
  read_blob_.bind_hash(1, hash);
  const auto row = read_blob_.step();
  if (!row) return std::unexpected(row.error());
  std::optional<std::string> bytes;
  if (*row) bytes = read_blob_.bytes(0);
  read_blob_.reset();
  return bytes;
}

Result<void> SqliteJournal::save_snapshot(const Snapshot& snapshot) {
  if (access_ == Access::read_only)
    return failed(path_ + ": the journal was opened for reading only");
  if (auto ready = usable(); !ready) return ready;
  const std::lock_guard lock(snapshot_mutex_);
  return save_snapshot_file(snapshots_, snapshot);
}

Result<std::optional<Snapshot>> SqliteJournal::newest_snapshot() {
  if (auto ready = usable(); !ready) return std::unexpected(ready.error());
  const std::lock_guard lock(snapshot_mutex_);
  return newest_snapshot_file(snapshots_, log_);
}

}  // namespace tenbin
