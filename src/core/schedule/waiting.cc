#include "core/schedule/waiting.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/assert.h"

namespace tenbin {

namespace {

constexpr std::uint32_t class_floor_milli(std::size_t size_class) {
  return size_class == 0 ? 1 : 1'000u << (size_class - 1);
}

}  // namespace

Waiting::Waiting(const Waiting& other) : size_(other.size_), order_(other.order_) {
  for (const auto& super : other.supers_) {
    auto copy = std::make_unique<Super>();
    copy->begin = super->begin;
    copy->end = super->end;
    copy->least = super->least;
    copy->leasts = super->leasts;
    for (std::size_t b = super->begin; b < super->end; ++b) {
      copy->blocks[b] = std::make_unique<Block>(*super->blocks[b]);
    }
    supers_.push_back(std::move(copy));
  }
}

Waiting& Waiting::operator=(const Waiting& other) {
  if (this != &other) *this = Waiting(other);
  return *this;
}

std::size_t Waiting::class_of(std::uint32_t gpus_milli) {
  const std::uint32_t whole = gpus_milli / 1'000;
  if (whole == 0) return 0;
  return std::min<std::size_t>(static_cast<std::size_t>(std::bit_width(whole)), classes - 1);
}

// Below which coarse limit one of `windows` may let in jobs of each size.
Waiting::Least Waiting::bounds_of(std::span<const Window> windows) {
  Least bounds{};
  for (const Window& w : windows) {
    for (std::size_t c = 0; c < classes; ++c) {
      const std::uint32_t floor = class_floor_milli(c);
      if (floor > w.free.count) break;
      const std::int64_t in_time = w.window < Span{0} ? 0 : (w.window.count >> 4) + 1;
      const std::int64_t bound =
          floor <= w.spare.count ? none : std::min<std::int64_t>(in_time, none);
      bounds[c] = std::max(bounds[c], static_cast<std::uint32_t>(bound));
    }
  }
  return bounds;
}

bool Waiting::any_below(const Least& least, const Least& bounds) {
  using Four = std::uint32_t __attribute__((vector_size(16)));
  using Mask = std::int32_t __attribute__((vector_size(16)));
  Mask any{};
  for (std::size_t c = 0; c < least.size(); c += 4) {
    Four a, b;
    std::memcpy(&a, &least[c], sizeof(a));
    std::memcpy(&b, &bounds[c], sizeof(b));
    any |= a < b;
  }
  const auto both = std::bit_cast<std::array<std::uint64_t, 2>>(any);
  return (both[0] | both[1]) != 0;
}

Waiting::Least Waiting::least_of(const Block& block) {
  Least least = empty_least();
  for (std::size_t i = block.begin; i < block.end; ++i) {
    std::uint32_t& of_class = least[class_of(block.entries[i].gpus_milli)];
    of_class = std::min(of_class, coarse(block.entries[i].limit));
  }
  return least;
}

void Waiting::recount(Super& super) {
  super.least.fill(none);
  for (std::size_t b = super.begin; b < super.end; ++b) {
    for (std::size_t c = 0; c < classes; ++c) {
      super.least[c] = std::min(super.least[c], super.leasts[b][c]);
    }
  }
}

std::unique_ptr<Waiting::Super> Waiting::blank_super() {
  if (!spare_super_) return std::make_unique<Super>();
  spare_super_->begin = spare_super_->end = 0;
  spare_super_->least = empty_least();
  return std::move(spare_super_);
}

std::unique_ptr<Waiting::Block> Waiting::blank_block() {
  if (!spare_block_) return std::make_unique<Block>();
  spare_block_->begin = spare_block_->end = 0;
  return std::move(spare_block_);
}

void Waiting::open_block_at_end() {
  if (supers_.empty() || supers_.back()->end == fanout) supers_.push_back(blank_super());
  Super& super = *supers_.back();
  if (super.leasts.size() == super.end) super.leasts.emplace_back();
  super.leasts[super.end] = empty_least();
  super.blocks[super.end++] = blank_block();
}

// A full block in the middle becomes two; a full superblock first becomes two as well.
void Waiting::split(std::size_t s, std::size_t b) {
  if (supers_[s]->end - supers_[s]->begin == static_cast<int>(fanout)) {
    Super& full = *supers_[s];
    auto right = blank_super();
    const std::size_t half = fanout / 2;
    right->leasts.assign(full.leasts.begin() + half, full.leasts.end());
    for (std::size_t i = half; i < fanout; ++i)
      right->blocks[right->end++] = std::move(full.blocks[i]);
    full.end = half;
    recount(full);
    recount(*right);
    supers_.insert(supers_.begin() + static_cast<std::ptrdiff_t>(s) + 1, std::move(right));
    if (b >= half) {
      ++s;
      b -= half;
    }
  }
  Super& super = *supers_[s];
  if (super.end == fanout) {  // room is at the front
    std::move(super.blocks.begin() + super.begin, super.blocks.begin() + super.end,
              super.blocks.begin());
    std::copy(super.leasts.begin() + super.begin, super.leasts.begin() + super.end,
              super.leasts.begin());
    b -= super.begin;
    super.end = static_cast<std::uint16_t>(super.end - super.begin);
    super.begin = 0;
  }
  std::move_backward(super.blocks.begin() + static_cast<std::ptrdiff_t>(b) + 1,
                     super.blocks.begin() + super.end, super.blocks.begin() + super.end + 1);
  if (super.leasts.size() == super.end) super.leasts.emplace_back();
  std::copy_backward(super.leasts.begin() + static_cast<std::ptrdiff_t>(b) + 1,
                     super.leasts.begin() + super.end, super.leasts.begin() + super.end + 1);
  ++super.end;
  auto right = blank_block();
  Block& left = *super.blocks[b];
  const std::size_t middle = (left.begin + left.end) / 2;
  for (std::size_t i = middle; i < left.end; ++i) right->entries[right->end++] = left.entries[i];
  left.end = static_cast<std::uint16_t>(middle);
  super.leasts[b] = least_of(left);
  super.leasts[b + 1] = least_of(*right);
  super.blocks[b + 1] = std::move(right);
}

void Waiting::insert(const WaitingJob& job) {
  ++size_;
  const std::size_t c = class_of(job.gpus_milli);
  const auto lower = [&](Least& least) { least[c] = std::min(least[c], coarse(job.limit)); };

  const Turn turn = turn_of(job);
  const bool at_end = size_ == 1 || last_of(*supers_.back()) < turn;
  if (at_end) {
    if (supers_.empty() || supers_.back()->blocks[supers_.back()->end - 1]->end == fanout) {
      open_block_at_end();
    }
    Super& super = *supers_.back();
    Block& block = *super.blocks[super.end - 1];
    block.entries[block.end++] = job;
    lower(super.leasts[super.end - 1u]);
    lower(super.least);
    return;
  }
  // Somewhere inside: a job that lost its node comes back to its old place, a short one goes ahead.
  const auto s = static_cast<std::size_t>(super_of(turn) - supers_.cbegin());
  const auto b =
      static_cast<std::size_t>(block_of(*supers_[s], turn) - supers_[s]->blocks.cbegin());
  Block* block = supers_[s]->blocks[b].get();
  if (block->end - block->begin == static_cast<int>(fanout)) {
    split(s, b);
    --size_;
    insert(job);
    return;
  }
  if (block->end == fanout) {
    std::copy(block->entries.begin() + block->begin, block->entries.begin() + block->end,
              block->entries.begin());
    block->end = static_cast<std::uint16_t>(block->end - block->begin);
    block->begin = 0;
  }
  std::size_t i = block->begin;
  while (turn_of(block->entries[i]) < turn) ++i;
  TENBIN_ASSERT(turn_of(block->entries[i]) != turn);
  std::copy_backward(block->entries.begin() + static_cast<std::ptrdiff_t>(i),
                     block->entries.begin() + block->end, block->entries.begin() + block->end + 1);
  block->entries[i] = job;
  ++block->end;
  lower(supers_[s]->leasts[b]);
  lower(supers_[s]->least);
}

std::vector<std::unique_ptr<Waiting::Super>>::const_iterator Waiting::super_of(Turn turn) const {
  return std::ranges::partition_point(supers_,
                                      [&](const auto& super) { return last_of(*super) < turn; });
}

std::array<std::unique_ptr<Waiting::Block>, Waiting::fanout>::const_iterator Waiting::block_of(
    const Super& super, Turn turn) const {
  return std::partition_point(super.blocks.begin() + super.begin, super.blocks.begin() + super.end,
                              [&](const auto& block) { return last_of(*block) < turn; });
}

void Waiting::remove(Turn turn) {
  if (size_ == 1) {  // the last one's block stays for the next
    Super& super = *supers_.front();
    Block& block = *super.blocks[super.begin];
    TENBIN_ASSERT(turn_of(block.entries[block.begin]) == turn);
    super.leasts[super.begin] = super.least = empty_least();
    block.begin = block.end = 0;
    size_ = 0;
    return;
  }
  auto s = supers_.begin();
  auto b = (*s)->blocks.begin() + (*s)->begin;
  if (turn > last_of(**b)) {  // not in the first block, where most leave from
    s += super_of(turn) - supers_.cbegin();
    TENBIN_ASSERT(s != supers_.end());
    b = (*s)->blocks.begin() + (block_of(**s, turn) - (*s)->blocks.cbegin());
    TENBIN_ASSERT(b != (*s)->blocks.begin() + (*s)->end);
  }
  Super& super = **s;
  Block& block = **b;
  auto e = block.entries.begin() + block.begin;
  if (e->job != turn.job) {  // not the head of its block, which it mostly is
    e = std::partition_point(e, block.entries.begin() + block.end,
                             [&](const WaitingJob& entry) { return turn_of(entry) < turn; });
  }
  TENBIN_ASSERT(e != block.entries.begin() + block.end && turn_of(*e) == turn);

  --size_;
  const std::size_t c = class_of(e->gpus_milli);
  const std::uint32_t limit = coarse(e->limit);
  if (e == block.entries.begin() + block.begin) {
    ++block.begin;
  } else {
    std::copy(e + 1, block.entries.begin() + block.end, e);
    --block.end;
  }
  if (block.begin == block.end) {
    spare_block_ = std::move(*b);
    if (b == super.blocks.begin() + super.begin) {
      ++super.begin;
    } else {
      const auto gone = b - super.blocks.begin();
      std::move(b + 1, super.blocks.begin() + super.end, b);
      std::copy(super.leasts.begin() + gone + 1, super.leasts.begin() + super.end,
                super.leasts.begin() + gone);
      --super.end;
    }
    if (super.begin == super.end) {
      spare_super_ = std::move(*s);
      supers_.erase(s);
      return;
    }
  } else {
    std::uint32_t& of_block = super.leasts[static_cast<std::size_t>(b - super.blocks.begin())][c];
    if (of_block != limit) return;
    std::uint32_t least = none;
    for (std::size_t i = block.begin; i < block.end; ++i) {
      if (class_of(block.entries[i].gpus_milli) == c) {
        least = std::min(least, coarse(block.entries[i].limit));
      }
    }
    of_block = least;
    if (least == limit) return;
  }
  if (super.least[c] != limit) return;
  std::uint32_t least = none;
  for (std::size_t i = super.begin; i < super.end; ++i) {
    least = std::min(least, super.leasts[i][c]);
  }
  super.least[c] = least;
}

const WaitingJob* Waiting::after(Turn turn) const {
  static constexpr Window all{Gpus{INT64_MAX}, Span{INT64_MAX}, Gpus{INT64_MAX}};
  return next_match(turn, {&all, 1});
}

const WaitingJob* Waiting::next_match(Turn turn, std::span<const Window> windows) const {
  if (size_ == 0) return nullptr;
  const auto let_in = [&](const WaitingJob& entry) {
    return std::ranges::any_of(windows, [&](const Window& w) { return w.lets_in(entry); });
  };
  // Mostly the few that came last are the ones in question.
  const Block& back = last_block(*supers_.back());
  if (std::size_t i = back.end; turn_of(back.entries[i - 1]) <= turn) {
    return nullptr;
  } else if (turn_of(back.entries[back.begin]) > turn) {
    // Further up.
  } else {
    while (turn_of(back.entries[i - 1]) > turn) --i;
    for (; i < back.end; ++i) {
      if (let_in(back.entries[i])) return &back.entries[i];
    }
    return nullptr;
  }
  const Least bounds = bounds_of(windows);
  // The superblock, the block and the entry after `turn`; from there on all of them.
  auto s = std::ranges::partition_point(supers_,
                                        [&](const auto& super) { return last_of(*super) <= turn; });
  bool first = true;
  for (; s != supers_.end(); ++s, first = false) {
    const Super& super = **s;
    if (!any_below(super.least, bounds)) continue;
    const auto end = super.blocks.begin() + super.end;
    auto b = super.blocks.begin() + super.begin;
    if (first) {
      b = std::partition_point(b, end, [&](const auto& block) { return last_of(*block) <= turn; });
    }
    for (bool inside = first; b != end; ++b, inside = false) {
      if (!any_below(super.leasts[static_cast<std::size_t>(b - super.blocks.begin())], bounds))
        continue;
      const Block& block = **b;
      std::size_t i = block.begin;
      while (inside && turn_of(block.entries[i]) <= turn) ++i;
      for (; i < block.end; ++i) {
        if (let_in(block.entries[i])) return &block.entries[i];
      }
    }
  }
  return nullptr;
}

std::size_t Waiting::bytes() const {
  std::size_t bytes = 0;
  for (const auto& super : supers_) {
    bytes += sizeof(Super) + super->leasts.capacity() * sizeof(Least) +
             static_cast<std::size_t>(super->end - super->begin) * sizeof(Block);
  }
  return bytes;
}

}  // namespace tenbin
