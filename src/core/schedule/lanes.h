#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "core/schedule/waiting.h"

namespace tenbin {

/// The queue, parted by the pools that jobs permit: those of one lane can stand in each other's way
/// everywhere. There are few lanes, and most passes look at all of them.
class Lanes {
 public:
  struct Lane {
    PoolSet pools;
    Waiting waiting;
  };

  Lanes() = default;
  explicit Lanes(QueueOrder order) : order_(order) {}

  void insert(PoolSet pools, const WaitingJob& job) {
    auto lane = place(pools);
    if (lane == lanes_.end() || lane->pools != pools)
      lane = lanes_.insert(lane, {pools, Waiting(order_)});
    lane->waiting.insert(job);
    ++size_;
    if (!std::has_single_bit(pools.bits)) ++choosing_;
  }
  void remove(PoolSet pools, Span limit, JobId job) {  // must be there
    const auto lane = place(pools);
    TENBIN_ASSERT(lane != lanes_.end() && lane->pools == pools);
    lane->waiting.remove(turn_of(order_, limit, job));
    --size_;
    if (!std::has_single_bit(pools.bits)) --choosing_;
    // A few empty ones are kept for the next job; many would slow every pass.
    if (lane->waiting.empty() && lanes_.size() > 64) lanes_.erase(lane);
  }
  const Waiting* find(PoolSet pools) const {
    const auto lane = std::ranges::lower_bound(lanes_, pools, {}, &Lane::pools);
    return lane != lanes_.end() && lane->pools == pools ? &lane->waiting : nullptr;
  }

  QueueOrder order() const { return order_; }
  std::uint64_t size() const { return size_; }          // jobs
  std::uint64_t choosing() const { return choosing_; }  // jobs with a choice of pools
  auto begin() const { return lanes_.begin(); }
  auto end() const { return lanes_.end(); }

 private:
  std::vector<Lane>::iterator place(PoolSet pools) {
    if (lanes_.size() == 1 && lanes_.front().pools == pools) return lanes_.begin();
    return std::ranges::lower_bound(lanes_, pools, {}, &Lane::pools);
  }

  QueueOrder order_ = QueueOrder::fifo;
  std::vector<Lane> lanes_;  // by pools
  std::uint64_t size_ = 0, choosing_ = 0;
};

}  // namespace tenbin
