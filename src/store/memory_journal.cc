#include "store/memory_journal.h"

#include <chrono>

namespace tenbin {

namespace {

std::unexpected<Error> out_of_use() {
  return failed("the journal in memory is out of use, as its fault plan says");
}

}  // namespace

void MemoryJournal::cut_power() {
  const std::lock_guard lock(mutex_);
  dead_ = true;
  power_cut_.notify_all();
}

std::unique_ptr<MemoryJournal> MemoryJournal::after_restart(JournalFaults faults) const {
  const std::lock_guard lock(mutex_);
  auto next = std::make_unique<MemoryJournal>(faults);
  next->records_ = records_;
  next->blobs_ = blobs_;
  next->snapshots_ = snapshots_;
  return next;
}

std::uint64_t MemoryJournal::appends() const {
  const std::lock_guard lock(mutex_);
  return appends_;
}

Result<void> MemoryJournal::append(std::span<const Record> records, std::span<const Blob> blobs) {
  std::unique_lock lock(mutex_);
  if (dead_) return out_of_use();
  const std::uint64_t number = ++appends_;

  if (faults_.delay > Span{0}) {
    const auto delay = std::chrono::milliseconds(faults_.delay.count);
    if (power_cut_.wait_for(lock, delay, [this] { return dead_; })) return out_of_use();
  }
  std::uint64_t expected = records_.size();
  for (const Record& record : records) {
    if (record.sequence != ++expected) {
      dead_ = true;
      return failed("record " + std::to_string(record.sequence) + " was to be appended where " +
                    std::to_string(expected) + " is next");
    }
  }
  if (number == faults_.fail_append) {
    dead_ = true;
    if (faults_.failed_batch == JournalFaults::Failed::kept) keep(records, blobs);
    return failed("append " + std::to_string(number) + " failed, as the fault plan says");
  }
  keep(records, blobs);
  return {};
}

void MemoryJournal::keep(std::span<const Record> records, std::span<const Blob> blobs) {
  for (const Blob& blob : blobs) blobs_.try_emplace(blob.hash, blob.bytes);
  records_.insert(records_.end(), records.begin(), records.end());
}

Result<void> MemoryJournal::read(std::uint64_t from,
                                 const std::function<bool(const Record&)>& visit) {
  std::vector<Record> found;  // `visit` may come back to us
  {
    const std::lock_guard lock(mutex_);
    if (dead_) return out_of_use();
    const std::uint64_t skip = from == 0 ? 0 : from - 1;
    if (skip < records_.size()) {
      found.assign(records_.begin() + static_cast<std::ptrdiff_t>(skip), records_.end());
    }
  }
  for (const Record& record : found) {
    if (!visit(record)) break;
  }
  return {};
}

Result<std::optional<std::string>> MemoryJournal::blob(const Hash& hash) {
  const std::lock_guard lock(mutex_);
  if (dead_) return out_of_use();
  const auto found = blobs_.find(hash);
  if (found == blobs_.end()) return std::nullopt;
  return found->second;
}

Result<void> MemoryJournal::save_snapshot(const Snapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  if (dead_) return out_of_use();
  snapshots_.insert_or_assign(snapshot.sequence, snapshot);
  while (snapshots_.size() > 2) snapshots_.erase(snapshots_.begin());
  return {};
}

Result<std::optional<Snapshot>> MemoryJournal::newest_snapshot() {
  const std::lock_guard lock(mutex_);
  if (dead_) return out_of_use();
  if (snapshots_.empty()) return std::nullopt;
  return snapshots_.rbegin()->second;
}

}  // namespace tenbin
