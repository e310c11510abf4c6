#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "core/types.h"

namespace tenbin {

/// The expected ends (start + time limit) of what runs in one pool, in order, with the GPUs that
/// come free: sorted blocks of up to 64 with a sum for each, so that "when have n GPUs come free?"
/// skips whole blocks. (references: measured best of three structures at every size.)
class Ends {
 public:
  struct End {
    Instant at;
    JobId job;
    Gpus gpus;
    friend constexpr bool operator<(const End& a, const End& b) {
      return a.at != b.at ? a.at < b.at : a.job < b.job;
    }
  };

  void insert(const End& end) {
    ++size_;
    if (blocks_.empty()) blocks_.emplace_back();
    std::size_t b = block_for(end);
    if (blocks_[b].size == block_size) {
      split(b);
      b = block_for(end);
    }
    Block& block = blocks_[b];
    End* const last = block.ends.data() + block.size;
    End* const place = std::upper_bound(block.ends.data(), last, end);
    std::copy_backward(place, last, last + 1);
    *place = end;
    ++block.size;
    block.sum += end.gpus;
  }

  void erase(const End& end) {
    const std::size_t b = block_for(end);
    Block& block = blocks_[b];
    End* const last = block.ends.data() + block.size;
    End* const place = std::lower_bound(block.ends.data(), last, end);
    TENBIN_ASSERT(place != last && place->job == end.job && place->at == end.at);
    block.sum -= place->gpus;
    std::copy(place + 1, last, place);
    --size_;
    if (--block.size == 0) blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(b));
  }

  struct Shadow {
    Instant at;
    Gpus free;  // once all that end at that very instant have ended
    bool found = false;
  };
  /// The earliest expected end by which `need` GPUs are free, if `free` are free now.
  Shadow shadow(Gpus need, Gpus free) const {
    std::size_t b = 0;
    while (b < blocks_.size() && free + blocks_[b].sum < need) free += blocks_[b++].sum;
    if (b == blocks_.size()) return {Instant{}, free, false};
    std::size_t i = 0;
    while (free < need) free += blocks_[b].ends[i++].gpus;
    TENBIN_ASSERT(i > 0);
    const Instant at = blocks_[b].ends[i - 1].at;
    for (; b < blocks_.size(); ++b, i = 0) {
      for (; i < blocks_[b].size; ++i) {
        if (blocks_[b].ends[i].at != at) return {at, free, true};
        free += blocks_[b].ends[i].gpus;
      }
    }
    return {at, free, true};
  }

  template <class Visit>  // visit(end) -> bool: go on
  void each(Visit&& visit) const {
    for (const Block& block : blocks_) {
      for (std::size_t i = 0; i < block.size; ++i) {
        if (!visit(block.ends[i])) return;
      }
    }
  }
  std::uint64_t size() const { return size_; }

 private:
  static constexpr std::size_t block_size = 64;
  struct Block {
    std::size_t size = 0;
    Gpus sum;
    std::array<End, block_size> ends;
  };

  // The block in which `end` lies or would lie.
  std::size_t block_for(const End& end) const {
    std::size_t low = 0, high = blocks_.size() - 1;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (blocks_[middle].ends[blocks_[middle].size - 1] < end) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  void split(std::size_t b) {
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(b) + 1, Block{});
    Block& left = blocks_[b];
    Block& right = blocks_[b + 1];
    right.size = block_size / 2;
    left.size = block_size - right.size;
    std::copy_n(left.ends.begin() + static_cast<std::ptrdiff_t>(left.size), right.size, right.ends.begin());
    for (std::size_t i = 0; i < right.size; ++i) right.sum += right.ends[i].gpus;
    left.sum -= right.sum;
  }

  std::vector<Block> blocks_;
  std::uint64_t size_ = 0;
};

}  // namespace tenbin
