#pragma once

#include <bit>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/small_vector.h"
#include "core/limits.h"
#include "core/schedule/ends.h"
#include "core/types.h"

namespace tenbin {

struct Provider {
  std::string name, title;
  TENBIN_FIELDS(name, title)
};
struct Region {
  std::string name, title;
  TENBIN_FIELDS(name, title)
};
struct GpuModel {
  std::string name;
  TENBIN_FIELDS(name)
};

struct Price {
  PoolId pool;
  Credits gpu_hour;
  std::uint32_t fraction_ppm = 0;
  Instant since;  // in force from then until the pool's next one
  TENBIN_FIELDS(pool, gpu_hour, fraction_ppm, since)
};

/// A GPU of which a part is given away.
struct PartialGpu {
  std::uint32_t device = 0;
  std::uint32_t free_milli = 0;
};

/// What one attempt has of a node, until its expected end.
struct Tenant {
  Instant end;
  JobId job;
  std::uint32_t mask = 0, milli = 0;  // as in a Slice
};

struct Node {
  std::string name;
  PoolId pool;
  std::uint32_t first_device = 0;
  NodeState state = NodeState::up;
  TENBIN_FIELDS(name, pool, first_device, state)

  // Derived from what runs here:
  std::uint32_t position = 0;   // in its pool
  std::uint32_t free_mask = 0;  // wholly free devices
  Cpus cpus_free;
  Memory memory_free;
  SmallVector<PartialGpu, 1> partial;
  std::vector<Tenant> tenants;  // by expected end, kept while the policy backfills

  std::uint32_t free_whole() const { return static_cast<std::uint32_t>(std::popcount(free_mask)); }
  Gpus free() const {
    Gpus free{std::int64_t{free_whole()} * 1'000};
    for (const PartialGpu& gpu : partial) free += Gpus{gpu.free_milli};
    return free;
  }
};

/// A set of small integers with a summary level, so that the next member is two word look-ups away.
class PositionSet {
 public:
  void set(std::size_t i) {
    if (i / 64 >= words_.size()) grow(i);
    words_[i / 64] |= std::uint64_t{1} << (i % 64);
    summary_[i / 4096] |= std::uint64_t{1} << (i / 64 % 64);
  }
  void clear(std::size_t i) {  // a member
    words_[i / 64] &= ~(std::uint64_t{1} << (i % 64));
    if (!words_[i / 64]) summary_[i / 4096] &= ~(std::uint64_t{1} << (i / 64 % 64));
  }
  static constexpr std::size_t none = SIZE_MAX;
  /// The least member >= i, or none.
  std::size_t next(std::size_t i) const {
    if (i / 64 >= words_.size()) return none;
    if (const std::uint64_t rest = words_[i / 64] >> (i % 64)) {
      return i + static_cast<std::size_t>(std::countr_zero(rest));
    }
    std::size_t word = i / 64 + 1;
    for (std::size_t s = word / 64; s < summary_.size(); ++s, word = s * 64) {
      if (const std::uint64_t rest = summary_[s] >> (word % 64)) {
        word += static_cast<std::size_t>(std::countr_zero(rest));
        return word * 64 + static_cast<std::size_t>(std::countr_zero(words_[word]));
      }
    }
    return none;
  }

 private:
  void grow(std::size_t i) {
    words_.resize(i / 64 + 1);
    summary_.resize(i / 4096 + 1);
  }
  std::vector<std::uint64_t> words_, summary_;
};

/// What one blocked job was promised in a pool.
struct Promise {
  JobId job;
  Instant at;
  Gpus spare;
  std::vector<NodeId> nodes;
  TENBIN_FIELDS(job, at, spare, nodes)

  // Derived: the pools that the job could have been promised when this was found to be the best,
  // and the `releases` of all its pools then. While both are the same it need not be worked out
  // again: that would come to the same.
  static constexpr std::uint64_t unknown = UINT64_MAX;
  PoolSet open;
  std::uint64_t seen = unknown;
};

/// Identical nodes of one provider in one region; or, if counted, one divisible node.
struct Pool {
  std::string name;
  ProviderId provider;
  RegionId region;
  GpuModelId model;
  PoolKind kind = PoolKind::nodes;
  std::uint32_t gpus_per_node = 0;
  Cpus cpus;
  Memory memory;
  Gpus counted;
  std::vector<PriceId> prices;  // oldest first
  Promise promise;
  TENBIN_FIELDS(name, provider, region, model, kind, gpus_per_node, cpus, memory, counted, prices,
                promise)

  // Derived:
  Gpus free;                          // on nodes that are up (or of the count)
  std::vector<NodeId> nodes;          // by position
  std::vector<PositionSet> by_whole;  // up nodes by number of wholly free devices
  std::vector<std::uint32_t> count_by_whole;
  std::uint64_t some_by_whole = 0;  // bit f: some node has f
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>>
      partial;                 // free milli, position, device
  std::vector<JobId> running;  // in no order that means anything
  std::uint64_t releases = 0;  // how often room came back or nodes changed
  // Kept while the policy backfills. Counted pools: the expected ends of what runs. Pools of nodes:
  // by number of whole GPUs and position, when they are free there (INT64_MIN: they are).
  Ends ends;
  std::vector<std::vector<std::int64_t>> emptied;
};

}  // namespace tenbin
