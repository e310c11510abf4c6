#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "core/reasons.h"
#include "core/types.h"

namespace tenbin {

/// What a request id was answered with.
struct Answered {
  RequestId request;
  std::uint64_t asked = 0;
  std::uint64_t result = 0;
  Instant at;
  bool refused = false;
  TENBIN_FIELDS(request, asked, result, at, refused)
};

/// Remembered request ids: 128-bit keys in open addressing, in 64 shards so that growing one never
/// holds up a submit for long. Cost: one or two cache lines for a look-up. Refusals are rarer and
/// keep their figures beside.
class Requests {
 public:
  const Answered* find(RequestId id) const {
    const Shard& shard = shards_[shard_of(id)];
    if (shard.rows.empty()) return nullptr;
    const Answered& row = shard.rows[probe(shard, id)];
    return row.request ? &row : nullptr;
  }
  const Refusal& refusal(RequestId id) const { return refusals_.at(id); }

  void add(const Answered& row, const Refusal& refusal) {
    Shard& shard = shards_[shard_of(row.request)];
    if (2 * (shard.size + 1) > shard.rows.size()) rebuild(shard, Instant{INT64_MIN});
    Answered& place = shard.rows[probe(shard, row.request)];
    TENBIN_ASSERT(!place.request);
    place = row;
    ++shard.size;
    ++size_;
    if (row.refused) refusals_.emplace(row.request, refusal);
  }

  /// Forgets what was answered before `horizon`. Cost: all rows.
  void forget_before(Instant horizon) {
    for (Shard& shard : shards_) {
      for (const Answered& row : shard.rows) {
        if (row.request && row.at < horizon) refusals_.erase(row.request);
      }
      rebuild(shard, horizon);
    }
    size_ = 0;
    for (const Shard& shard : shards_) size_ += shard.size;
  }
  std::uint64_t count_before(Instant horizon) const {
    std::uint64_t count = 0;
    each([&](const Answered& row) { count += row.at < horizon ? 1 : 0; });
    return count;
  }

  template <class Visit>  // in no particular order: sort before it matters
  void each(Visit&& visit) const {
    for (const Shard& shard : shards_) {
      for (const Answered& row : shard.rows) {
        if (row.request) visit(row);
      }
    }
  }
  std::uint64_t size() const { return size_; }
  std::size_t bytes() const {
    std::size_t bytes = 0;
    for (const Shard& shard : shards_) bytes += shard.rows.capacity() * sizeof(Answered);
    return bytes;
  }

 private:
  struct Shard {
    std::vector<Answered> rows;  // size is zero or a power of two
    std::uint64_t size = 0;
  };
  static std::uint64_t mix(RequestId id) {
    std::uint64_t z = (id.high ^ (id.low * 0x9E3779B97F4A7C15u));
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    return z ^ (z >> 29);
  }
  static std::size_t shard_of(RequestId id) { return mix(id) >> 58; }
  static std::size_t probe(const Shard& shard, RequestId id) {
    const std::size_t mask = shard.rows.size() - 1;
    std::size_t i = mix(id) & mask;
    while (shard.rows[i].request && shard.rows[i].request != id) i = (i + 1) & mask;
    return i;
  }
  static void rebuild(Shard& shard, Instant horizon) {
    std::uint64_t kept = 0;
    for (const Answered& row : shard.rows) kept += row.request && row.at >= horizon ? 1 : 0;
    std::size_t wanted = 16;
    while (wanted < 3 * (kept + 1)) wanted *= 2;
    Shard fresh;
    fresh.rows.resize(wanted);
    fresh.size = kept;
    for (const Answered& row : shard.rows) {
      if (row.request && row.at >= horizon) fresh.rows[probe(fresh, row.request)] = row;
    }
    shard = std::move(fresh);
  }

  std::array<Shard, 64> shards_;
  std::map<RequestId, Refusal> refusals_;
  std::uint64_t size_ = 0;
};

}  // namespace tenbin
