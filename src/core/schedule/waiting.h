#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/types.h"

namespace tenbin {

/// Where a job stands in the queue: by rank, then first come, first served.
struct Turn {
  std::int64_t rank = 0;
  JobId job;

  constexpr auto operator<=>(const Turn&) const = default;
};
constexpr Turn turn_of(QueueOrder order, Span limit, JobId job) {
  return {order == QueueOrder::sjf ? limit.count : 0, job};
}

/// One job that waits, as far as backfill needs to know it.
struct WaitingJob {
  JobId job;
  Span limit;
  std::uint32_t gpus_milli = 0;  // the whole job
  std::uint32_t node_milli = 0;  // what one node has to give; all of it, if that is more
};

/// Room for backfill in one pool: a job of at most `free` GPUs may start if it ends within `window`
/// or uses at most `spare`; and only if some node has as many GPUs free as the job asks of one.
struct Window {
  Gpus free;
  Span window;
  Gpus spare;
  Gpus on_node = any;     // on the node with the most free
  Gpus spare_node = any;  // the same of what is spare

  static constexpr Gpus any{INT64_MAX};  // a node wholly free has room for a part of any job
  bool lets_in(const WaitingJob& job) const {
    return job.gpus_milli <= free.count &&
           ((job.limit <= window && job.node_milli <= on_node.count) ||
            (job.gpus_milli <= spare.count && job.node_milli <= spare_node.count));
  }
};

/// Jobs that wait, in the order of their turns, with an index that finds the next one small or
/// short enough without a scan: blocks of up to 64, each with the least limit for each power-of-two
/// size, and blocks of up to 64 blocks with the same above them.
///
/// Cost: push, remove and look-up touch one block and one superblock (64 entries each) and a binary
/// search; `next_match` enters only blocks that hold a candidate by size and limit.
/// (references: measured without a cliff for any distribution of limits, unlike a queue for each
/// limit.)
class Waiting {
 public:
  Waiting() = default;
  explicit Waiting(QueueOrder order) : order_(order) {}
  Waiting(Waiting&&) noexcept = default;
  Waiting& operator=(Waiting&&) noexcept = default;
  Waiting(const Waiting& other);
  Waiting& operator=(const Waiting& other);

  void insert(const WaitingJob& job);  // anywhere; at the end is fastest
  void remove(Turn turn);              // must be there

  bool empty() const { return size_ == 0; }
  std::uint64_t size() const { return size_; }
  const WaitingJob* head() const {
    if (size_ == 0) return nullptr;
    const Block& block = *supers_.front()->blocks[supers_.front()->begin];
    return &block.entries[block.begin];
  }
  Turn turn_of(const WaitingJob& job) const { return tenbin::turn_of(order_, job.limit, job.job); }
  /// The first job whose turn comes after `turn`, or null.
  const WaitingJob* after(Turn turn) const;
  /// The first job whose turn comes after `turn` that one of `windows` lets in, or null.
  const WaitingJob* next_match(Turn turn, std::span<const Window> windows) const;

  template <class Visit>  // visit(job) -> bool: go on
  void each(Visit&& visit) const {
    for (const auto& super : supers_) {
      for (std::size_t b = super->begin; b < super->end; ++b) {
        const Block& block = *super->blocks[b];
        for (std::size_t i = block.begin; i < block.end; ++i) {
          if (!visit(block.entries[i])) return;
        }
      }
    }
  }
  std::size_t bytes() const;

 private:
  static constexpr std::size_t fanout = 64;
  static constexpr std::size_t classes = 18;  // below 1 GPU, 1, 2 to 3, 4 to 7, ... 65,536 and more
  using Least = std::array<std::uint32_t, classes + 2>;  // four go into a register
  static constexpr std::uint32_t none = UINT32_MAX;

  struct Block {
    std::uint16_t begin = 0, end = 0;
    std::array<WaitingJob, fanout> entries{};
  };
  struct Super {
    std::uint16_t begin = 0, end = 0;
    Least least = empty_least();
    std::array<std::unique_ptr<Block>, fanout> blocks{};
    std::vector<Least> leasts;  // of each block up to `end`: side by side, they are searched most
  };

  static constexpr Least empty_least() {
    Least least{};
    least.fill(none);
    return least;
  }
  static const Block& last_block(const Super& super) { return *super.blocks[super.end - 1]; }
  Turn last_of(const Block& block) const { return turn_of(block.entries[block.end - 1]); }
  Turn last_of(const Super& super) const { return last_of(last_block(super)); }
  // The first that ends at `turn` or after it.
  std::vector<std::unique_ptr<Super>>::const_iterator super_of(Turn turn) const;
  std::array<std::unique_ptr<Block>, fanout>::const_iterator block_of(const Super& super,
                                                                      Turn turn) const;
  static std::size_t class_of(std::uint32_t gpus_milli);
  static std::uint32_t coarse(Span limit) { return static_cast<std::uint32_t>(limit.count >> 4); }
  static Least bounds_of(std::span<const Window> windows);
  static bool any_below(const Least& least, const Least& bounds);
  static Least least_of(const Block& block);
  static void recount(Super& super);
  std::unique_ptr<Super> blank_super();
  std::unique_ptr<Block> blank_block();
  void open_block_at_end();
  void split(std::size_t super, std::size_t block);

  // No block is empty, but the only one of an empty queue.
  std::vector<std::unique_ptr<Super>> supers_;
  // What was emptied last: a queue that grows and shrinks allocates nothing.
  std::unique_ptr<Super> spare_super_;
  std::unique_ptr<Block> spare_block_;
  std::uint64_t size_ = 0;
  QueueOrder order_ = QueueOrder::fifo;
};

}  // namespace tenbin
