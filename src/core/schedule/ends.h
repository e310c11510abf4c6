#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "core/types.h"

namespace tenbin {

/// The expected ends (start + time limit) of what runs in one pool, in order, with the GPUs that
/// come free: sorted blocks of up to 64, and a directory with the last end and the sum of each, so
/// that "when have n GPUs come free?" skips whole blocks. (references: measured best of three
/// structures at every size.)
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
    if (directory_.empty()) directory_.push_back({.block = blank_block()});
    std::size_t b = block_for(end);
    if (directory_[b].size == block_size) {
      split(b);
      b += directory_[b].last < end ? 1 : 0;
    }
    Entry& entry = directory_[b];
    End* const ends = blocks_[entry.block].data();
    End* const place = std::upper_bound(ends, ends + entry.size, end);
    std::copy_backward(place, ends + entry.size, ends + entry.size + 1);
    *place = end;
    entry.last = ends[entry.size++];
    entry.sum += end.gpus;
  }

  void erase(const End& end) {
    TENBIN_ASSERT(size_ > 0);
    const std::size_t b = block_for(end);
    Entry& entry = directory_[b];
    End* const ends = blocks_[entry.block].data();
    End* const place = std::lower_bound(ends, ends + entry.size, end);
    TENBIN_ASSERT(place != ends + entry.size && place->job == end.job && place->at == end.at);
    entry.sum -= place->gpus;
    std::copy(place + 1, ends + entry.size, place);
    --size_;
    if (--entry.size > 0) {
      entry.last = ends[entry.size - 1];
    } else {
      spare_.push_back(entry.block);
      directory_.erase(directory_.begin() + static_cast<std::ptrdiff_t>(b));
    }
  }

  struct Shadow {
    Instant at;
    Gpus free;  // once all that end at that very instant have ended
    bool found = false;
  };
  /// The earliest expected end by which `need` GPUs are free, if `free` are free now.
  Shadow shadow(Gpus need, Gpus free) const {
    std::size_t b = 0;
    while (b < directory_.size() && free + directory_[b].sum < need) free += directory_[b++].sum;
    if (b == directory_.size()) return {Instant{}, free, false};
    std::size_t i = 0;
    while (free < need) free += end_at(b, i++).gpus;
    TENBIN_ASSERT(i > 0);
    const Instant at = end_at(b, i - 1).at;
    for (; b < directory_.size(); ++b, i = 0) {
      for (; i < directory_[b].size; ++i) {
        if (end_at(b, i).at != at) return {at, free, true};
        free += end_at(b, i).gpus;
      }
    }
    return {at, free, true};
  }

  template <class Visit>  // visit(end) -> bool: go on
  void each(Visit&& visit) const {
    for (std::size_t b = 0; b < directory_.size(); ++b) {
      for (std::size_t i = 0; i < directory_[b].size; ++i) {
        if (!visit(end_at(b, i))) return;
      }
    }
  }
  std::uint64_t size() const { return size_; }

 private:
  static constexpr std::size_t block_size = 64;
  using Block = std::array<End, block_size>;
  struct Entry {
    End last;
    Gpus sum;
    std::uint32_t size = 0;
    std::uint32_t block = 0;
  };

  const End& end_at(std::size_t b, std::size_t i) const { return blocks_[directory_[b].block][i]; }

  // The block in which `end` lies or would lie.
  std::size_t block_for(const End& end) const {
    const auto before = [](const Entry& entry, const End& e) { return entry.last < e; };
    const auto entry = std::lower_bound(directory_.begin(), directory_.end() - 1, end, before);
    return static_cast<std::size_t>(entry - directory_.begin());
  }
  std::uint32_t blank_block() {
    if (spare_.empty()) {
      blocks_.emplace_back();
      return static_cast<std::uint32_t>(blocks_.size() - 1);
    }
    const std::uint32_t block = spare_.back();
    spare_.pop_back();
    return block;
  }
  void split(std::size_t b) {
    Entry right{.last = directory_[b].last, .size = block_size / 2, .block = blank_block()};
    Entry& left = directory_[b];
    left.size = block_size - right.size;
    const End* const moved = blocks_[left.block].data() + left.size;
    std::copy_n(moved, right.size, blocks_[right.block].data());
    for (std::size_t i = 0; i < right.size; ++i) right.sum += moved[i].gpus;
    left.sum -= right.sum;
    left.last = moved[-1];
    directory_.insert(directory_.begin() + static_cast<std::ptrdiff_t>(b) + 1, right);
  }

  std::vector<Entry> directory_;  // in order; no block in it is empty
  std::vector<Block> blocks_;     // in no order
  std::vector<std::uint32_t> spare_;
  std::uint64_t size_ = 0;
};

}  // namespace tenbin
