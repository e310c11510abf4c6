#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "core/types.h"

namespace tenbin {

/// The expected ends (start + time limit) of what runs in one pool, in order, with the GPUs that
/// come free: sorted blocks of up to 32, and a directory with the last end and the sum of each, so
/// that "when have n GPUs come free?" skips whole blocks. (references: measured best of three
/// structures at every size.)
///
/// Where an end lies is as good as random, so that a search by comparing and branching guesses
/// wrong half of the time: instants lie side by side, and those before the one sought are counted.
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
      b += before(directory_[b].last_at, directory_[b].last_job, end) ? 1 : 0;
    }
    Entry& entry = directory_[b];
    Block& block = blocks_[entry.block];
    const std::size_t place = count_before(block, entry.size, end);
    for (std::size_t i = entry.size; i > place; --i) block.move(i - 1, i);
    block.at[place] = end.at.ms;
    block.of[place] = {end.job, end.gpus};
    entry.last_at = block.at[entry.size];
    entry.last_job = block.of[entry.size++].job;
    entry.sum += end.gpus;
  }

  void erase(const End& end) {
    TENBIN_ASSERT(size_ > 0);
    const std::size_t b = block_for(end);
    Entry& entry = directory_[b];
    Block& block = blocks_[entry.block];
    const std::size_t place = count_before(block, entry.size, end);
    TENBIN_ASSERT(place < entry.size && block.of[place].job == end.job &&
                  block.at[place] == end.at.ms);
    entry.sum -= block.of[place].gpus;
    --size_;
    --entry.size;
    for (std::size_t i = place; i < entry.size; ++i) block.move(i + 1, i);
    block.at[entry.size] = none;
    if (entry.size > 0) {
      entry.last_at = block.at[entry.size - 1];
      entry.last_job = block.of[entry.size - 1].job;
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
    while (free < need) free += block_at(b).of[i++].gpus;
    TENBIN_ASSERT(i > 0);
    const std::int64_t at = block_at(b).at[i - 1];
    for (; b < directory_.size(); ++b, i = 0) {
      for (; i < directory_[b].size; ++i) {
        if (block_at(b).at[i] != at) return {Instant{at}, free, true};
        free += block_at(b).of[i].gpus;
      }
    }
    return {Instant{at}, free, true};
  }

  template <class Visit>  // visit(end) -> bool: go on
  void each(Visit&& visit) const {
    for (std::size_t b = 0; b < directory_.size(); ++b) {
      const Block& block = block_at(b);
      for (std::size_t i = 0; i < directory_[b].size; ++i) {
        if (!visit(End{Instant{block.at[i]}, block.of[i].job, block.of[i].gpus})) return;
      }
    }
  }
  std::uint64_t size() const { return size_; }

 private:
  static constexpr std::size_t block_size = 32;
  static constexpr std::int64_t none = INT64_MAX;
  struct Block {
    struct Of {
      JobId job;
      Gpus gpus;
    };
    alignas(16) std::array<std::int64_t, block_size> at;  // none behind the last
    std::array<Of, block_size> of;

    Block() { at.fill(none); }
    void move(std::size_t from, std::size_t to) {
      at[to] = at[from];
      of[to] = of[from];
    }
  };
  struct Entry {
    std::int64_t last_at = 0;
    JobId last_job;
    Gpus sum;
    std::uint32_t size = 0;
    std::uint32_t block = 0;
  };

  const Block& block_at(std::size_t b) const { return blocks_[directory_[b].block]; }

  static bool before(std::int64_t at, JobId job, const End& end) {
    return at != end.at.ms ? at < end.at.ms : job < end.job;
  }
  // The block in which `end` lies or would lie.
  std::size_t block_for(const End& end) const {
    const Entry* first = directory_.data();
    std::size_t count = directory_.size() - 1;
    while (count > 16) {
      const std::size_t half = count / 2;
      if (before(first[half - 1].last_at, first[half - 1].last_job, end)) first += half;
      count -= half;
    }
    std::size_t less = 0;
    for (std::size_t i = 0; i < count; ++i) less += first[i].last_at < end.at.ms ? 1 : 0;
    while (less < count && before(first[less].last_at, first[less].last_job, end)) ++less;
    return static_cast<std::size_t>(first - directory_.data()) + less;
  }
  // How many in the block lie before `end`.
  static std::size_t count_before(const Block& block, std::size_t size, const End& end) {
    using Pair = std::int64_t __attribute__((vector_size(16)));  // two at a time
    const Pair sought{end.at.ms, end.at.ms};
    Pair less{};  // a lane that compares true is -1
    for (std::size_t i = 0; i < block_size; i += 2) {
      Pair at;
      std::memcpy(&at, &block.at[i], sizeof(at));
      less -= at < sought;
    }
    auto place = static_cast<std::size_t>(less[0] + less[1]);
    while (place < size && block.at[place] == end.at.ms && block.of[place].job < end.job) ++place;
    return place;
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
    const std::uint32_t fresh = blank_block();
    Entry& left = directory_[b];
    Entry right{.last_at = left.last_at, .last_job = left.last_job, .block = fresh};
    right.size = block_size / 2;
    left.size = block_size - right.size;
    Block& from = blocks_[left.block];
    Block& to = blocks_[fresh];
    for (std::size_t i = 0; i < right.size; ++i) {
      to.at[i] = std::exchange(from.at[left.size + i], none);
      to.of[i] = from.of[left.size + i];
      right.sum += to.of[i].gpus;
    }
    left.sum -= right.sum;
    left.last_at = from.at[left.size - 1];
    left.last_job = from.of[left.size - 1].job;
    directory_.insert(directory_.begin() + static_cast<std::ptrdiff_t>(b) + 1, right);
  }

  std::vector<Entry> directory_;  // in order; no block in it is empty
  std::vector<Block> blocks_;     // in no order
  std::vector<std::uint32_t> spare_;
  std::uint64_t size_ = 0;
};

}  // namespace tenbin
