#pragma once

// The journal in one SQLite file, `journal.db`, with its snapshots beside it as files.
// docs/formats/journal.md has the tables and the bytes.

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/log.h"
#include "live/ports.h"
#include "store/sqlite.h"
#include "store/state_folder.h"

namespace tenbin {

/// What `append` has acknowledged is on the disk: write-ahead log, synchronous=FULL.
///
/// Threads: append and save_snapshot may each be called from one thread at a time, the rest from
/// any, all at once. A checkpoint thread of its own moves the log into the database; append waits
/// for it a few milliseconds per 8 MiB of log and never for a reader.
///
/// Errors: a failed append or checkpoint ends the use of this object: every later call is refused
/// with the words of the first failure. A failed read or snapshot is only reported.
class SqliteJournal : public Journal {
 public:
  /// For read_write: makes the folder (0700) and the files (0600) if they are missing and takes the
  /// folder's lock. For read_only: takes no lock, so that it may be used while another process
  /// writes; what is committed after the opening is seen too.
  ///
  /// Errors: the folder or the file is a symbolic link or belongs to another user; another process
  /// writes there (says which); the file is not a journal, or one of a format that we do not know.
  static Result<std::unique_ptr<SqliteJournal>> open(const std::string& state_folder, Access access,
                                                     Log log = {});
  ~SqliteJournal() override;

  /// The sequences must go on from the last one without a gap; the first of all is 1.
  Result<void> append(std::span<const Record> records, std::span<const Blob> blobs) override;

  /// Ends with the record that was the last when it was called. Reads in batches and calls `visit`
  /// between them, so `visit` may use the journal and take its time. A gap is an error.
  Result<void> read(std::uint64_t from, const std::function<bool(const Record&)>& visit) override;
  Result<std::optional<std::string>> blob(const Hash& hash) override;
  Result<void> save_snapshot(const Snapshot& snapshot) override;
  Result<std::optional<Snapshot>> newest_snapshot() override;

 private:
  SqliteJournal(std::string folder, Access access, Log log);

  Result<void> connect();
  Result<void> write(std::span<const Record> records, std::span<const Blob> blobs);
  void checkpoint_when_asked();
  Result<bool> checkpoint();
  Result<void> usable();
  void spoil(const std::string& why);

  const std::string folder_, path_, snapshots_;
  const Access access_;
  const Log log_;
  FolderLock lock_;

  std::mutex write_mutex_;  // the writer's connection, and the last part of a checkpoint
  SqliteDatabase writer_;
  SqliteStatement add_record_, add_blob_;
  std::uint64_t last_ = 0;
  int log_pages_ = 0;
  int checkpoint_at_ = 0;  // pages

  std::mutex read_mutex_;
  SqliteDatabase reader_;
  SqliteStatement last_sequence_, read_records_, read_blob_;

  std::mutex snapshot_mutex_;

  std::atomic<bool> spoiled_ = false;
  std::mutex spoiled_mutex_;
  std::string spoiled_by_;

  std::mutex checkpoint_mutex_;
  std::condition_variable checkpoint_wake_;
  bool checkpoint_wanted_ = false;
  bool closing_ = false;
  SqliteDatabase checkpointer_;
  std::thread checkpoint_thread_;
};

}  // namespace tenbin
