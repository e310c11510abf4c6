#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/assert.h"
#include "core/types.h"

namespace tenbin {

/// The expected ends (start + time limit) of what runs in one counted pool, in order, with the GPUs
/// that come free at each instant: sorted blocks of up to 32, and a directory with the last instant
/// and the sum of each, so that "when have n GPUs come free?" skips whole blocks. (references:
/// measured best of three structures at every size.)
///
/// Where an end lies is as good as random, so that a search by comparing and branching guesses
/// wrong half of the time: instants lie side by side, and those before the one sought are counted.
class Ends {
 public:
  void insert(Instant end, Gpus gpus) {
    if (last_.empty()) open_block(0);
    std::size_t b = block_for(end.ms);
    Block* block = &blocks_[place_[b]];
    std::size_t i = count_before(*block, end.ms);
    if (i == block->size || block->at[i] != end.ms) {
      if (block->size == block_size) {
        split(b);
        if (i > block_size / 2) i -= block_size / 2, ++b;
        block = &blocks_[place_[b]];
      }
      for (std::size_t j = block->size++; j > i; --j) {
        block->at[j] = block->at[j - 1];
        block->gpus[j] = block->gpus[j - 1];
      }
      block->at[i] = end.ms;
      block->gpus[i] = Gpus{0};
      last_[b] = block->at[block->size - 1];
    }
    block->gpus[i] += gpus;
    sum_[b] += gpus;
  }

  /// What was inserted with the same instant.
  void erase(Instant end, Gpus gpus) {
    TENBIN_ASSERT(!last_.empty());
    const std::size_t b = block_for(end.ms);
    Block& block = blocks_[place_[b]];
    const std::size_t i = count_before(block, end.ms);
    TENBIN_ASSERT(i < block.size && block.at[i] == end.ms && block.gpus[i] >= gpus);
    sum_[b] -= gpus;
    block.gpus[i] -= gpus;
    if (block.gpus[i] > Gpus{0}) return;
    --block.size;
    for (std::size_t j = i; j < block.size; ++j) {
      block.at[j] = block.at[j + 1];
      block.gpus[j] = block.gpus[j + 1];
    }
    block.at[block.size] = none;
    if (block.size > 0) {
      last_[b] = block.at[block.size - 1];
    } else {
      close_block(b);
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
    while (b < sum_.size() && free + sum_[b] < need) free += sum_[b++];
    if (b == sum_.size()) return {Instant{}, free, false};
    const Block& block = blocks_[place_[b]];
    std::size_t i = 0;
    while (free < need) free += block.gpus[i++];
    TENBIN_ASSERT(i > 0);
    return {Instant{block.at[i - 1]}, free, true};
  }

  template <class Visit>  // visit(instant, gpus)
  void each(Visit&& visit) const {
    for (const std::uint32_t place : place_) {
      const Block& block = blocks_[place];
      for (std::size_t i = 0; i < block.size; ++i) visit(Instant{block.at[i]}, block.gpus[i]);
    }
  }

 private:
  static constexpr std::size_t block_size = 32;
  static constexpr std::int64_t none = INT64_MAX;
  struct Block {
    alignas(16) std::array<std::int64_t, block_size> at;  // none behind the last
    std::array<Gpus, block_size> gpus;
    std::size_t size = 0;

    Block() { at.fill(none); }
  };
  using Pair = std::int64_t __attribute__((vector_size(16)));  // two at a time

  // The block in which `at` lies or would lie.
  std::size_t block_for(std::int64_t at) const {
    const std::int64_t* first = last_.data();
    std::size_t count = last_.size() - 1;
    while (count > 32) {
      const std::size_t half = count / 2;
      if (first[half - 1] < at) first += half;
      count -= half;
    }
    const Pair sought{at, at};
    Pair less{};  // a lane that compares true is -1
    std::size_t i = 0;
    for (; i + 2 <= count; i += 2) {
      Pair two;
      std::memcpy(&two, first + i, sizeof(two));
      less -= two < sought;
    }
    auto before = static_cast<std::size_t>(less[0] + less[1]);
    if (i < count && first[i] < at) ++before;
    return static_cast<std::size_t>(first - last_.data()) + before;
  }
  // How many in the block lie before `at`.
  static std::size_t count_before(const Block& block, std::int64_t at) {
    const Pair sought{at, at};
    Pair less{};
    for (std::size_t i = 0; i < block_size; i += 2) {
      Pair two;
      std::memcpy(&two, &block.at[i], sizeof(two));
      less -= two < sought;
    }
    return static_cast<std::size_t>(less[0] + less[1]);
  }
  void open_block(std::size_t b) {
    std::uint32_t place = 0;
    if (spare_.empty()) {
      place = static_cast<std::uint32_t>(blocks_.size());
      blocks_.emplace_back();
    } else {
      place = spare_.back();
      spare_.pop_back();
    }
    const auto at = static_cast<std::ptrdiff_t>(b);
    place_.insert(place_.begin() + at, place);
    last_.insert(last_.begin() + at, none);
    sum_.insert(sum_.begin() + at, Gpus{0});
  }
  void close_block(std::size_t b) {
    const auto at = static_cast<std::ptrdiff_t>(b);
    spare_.push_back(place_[b]);
    place_.erase(place_.begin() + at);
    last_.erase(last_.begin() + at);
    sum_.erase(sum_.begin() + at);
  }
  // A full block becomes two.
  void split(std::size_t b) {
    open_block(b + 1);
    Block& from = blocks_[place_[b]];
    Block& to = blocks_[place_[b + 1]];
    for (std::size_t i = block_size / 2; i < block_size; ++i) {
      to.at[to.size] = from.at[i];
      to.gpus[to.size++] = from.gpus[i];
      sum_[b + 1] += from.gpus[i];
      from.at[i] = none;
    }
    from.size = block_size / 2;
    sum_[b] -= sum_[b + 1];
    last_[b + 1] = last_[b];
    last_[b] = from.at[from.size - 1];
  }

  // The directory, in order; no block in it is empty but the only one of a set just opened.
  std::vector<std::int64_t> last_;
  std::vector<Gpus> sum_;
  std::vector<std::uint32_t> place_;
  std::vector<Block> blocks_;  // in no order
  std::vector<std::uint32_t> spare_;
};

}  // namespace tenbin
