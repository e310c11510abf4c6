#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tenbin {

/// What a histogram held when it was read. Counts are not cumulative; the last is of what lay
/// above every bound.
template <std::size_t bounds>
struct HistogramFigures {
  std::array<std::uint64_t, bounds + 1> counts{};
  std::uint64_t count = 0;
  std::int64_t sum = 0;
};

/// Counts values by size. Any thread may add and any may read. Cost: a search among the bounds and
/// three additions. `limits` ascend; a value belongs to the first bound that is not below it.
template <const auto& limits>
class Histogram {
 public:
  static constexpr std::size_t size = std::size(limits);

  void add(std::int64_t value) {
    std::size_t at = 0;
    while (at < size && limits[at] < value) ++at;
    counts_[at].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(value, std::memory_order_relaxed);
  }
  HistogramFigures<size> read() const {
    HistogramFigures<size> figures;
    for (std::size_t i = 0; i <= size; ++i) {
      figures.counts[i] = counts_[i].load(std::memory_order_relaxed);
      figures.count += figures.counts[i];
    }
    figures.sum = sum_.load(std::memory_order_relaxed);
    return figures;
  }

 private:
  std::array<std::atomic<std::uint64_t>, size + 1> counts_{};
  std::atomic<std::int64_t> sum_{0};
};

/// Lengths of time, in microseconds.
inline constexpr std::array<std::int64_t, 16> latency_limits{
    100,    250,     500,     1'000,   2'500,     5'000,     10'000,    25'000,
    50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};
using LatencyHistogram = Histogram<latency_limits>;
using LatencyFigures = HistogramFigures<latency_limits.size()>;

/// How many at once.
inline constexpr std::array<std::int64_t, 10> size_limits{1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
using SizeHistogram = Histogram<size_limits>;
using SizeFigures = HistogramFigures<size_limits.size()>;

}  // namespace tenbin
