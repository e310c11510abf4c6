#pragma once

// A journal in memory, for tests: it loses, fails and tarries when it is told to.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "live/ports.h"

namespace tenbin {

/// What shall go wrong. Appends are counted from 1, over the life of one object.
struct JournalFaults {
  /// What became of the batch whose append failed: a caller must be right in both cases.
  enum class Failed : std::uint8_t { lost, kept };

  std::uint64_t fail_append = 0;  // this one fails, and whatever comes after; 0: none
  Failed failed_batch = Failed::lost;
  Span delay;  // of every append; until it has passed, nothing of the batch is there
};

/// May be called from any threads. After a failed append or a power cut every call is refused.
class MemoryJournal : public Journal {
 public:
  explicit MemoryJournal(JournalFaults faults = {}) : faults_(faults) {}

  /// What has not been acknowledged is lost, also what an append on another thread waits for.
  void cut_power();

  /// What the next process would find: all that this one kept, under a new plan.
  std::unique_ptr<MemoryJournal> after_restart(JournalFaults faults = {}) const;

  std::uint64_t appends() const;  // calls so far

  Result<void> append(std::span<const Record> records, std::span<const Blob> blobs) override;
  Result<void> read(std::uint64_t from, const std::function<bool(const Record&)>& visit) override;
  Result<std::optional<std::string>> blob(const Hash& hash) override;
  Result<void> save_snapshot(const Snapshot& snapshot) override;
  Result<std::optional<Snapshot>> newest_snapshot() override;

 private:
  void keep(std::span<const Record> records, std::span<const Blob> blobs);

  const JournalFaults faults_;
  mutable std::mutex mutex_;
  std::condition_variable power_cut_;
  bool dead_ = false;
  std::uint64_t appends_ = 0;
  std::vector<Record> records_;
  std::map<Hash, std::string> blobs_;
  std::map<std::uint64_t, Snapshot> snapshots_;
};

}  // namespace tenbin
