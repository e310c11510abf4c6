#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "twin/trace.h"

namespace tenbin {

/// Values counted in steps of at most 1/64 of their size: percentiles in constant memory.
class Sizes {
 public:
  void add(std::uint64_t value, std::uint64_t weight = 1);
  /// The middle of the step in which the value lies that `ppm` of a million are not above.
  std::uint64_t percentile(std::uint64_t ppm) const;
  std::uint64_t count() const { return count_; }

 private:
  std::array<std::uint64_t, 64 * 59> steps_{};
  std::uint64_t count_ = 0;
};

/// What can be said about a trace in one pass: for `trace info`, and to hold generated traces
/// against what is known of real ones.
class TraceFigures {
 public:
  static constexpr std::size_t sizes = 18;  // 1, 2, 4 ... 131,072 GPUs

  void add(const TraceJob& job);

  std::uint64_t jobs = 0;
  Instant first, last;  // submit times
  Instant over;         // the last end, if every job began at once
  Wide gpu_ms = 0;      // milli-GPU x ms
  std::uint64_t fractions = 0, without_gpus = 0, gangs = 0;
  std::array<std::uint64_t, sizes> jobs_upto{};  // by the smallest power of two that is not below
  std::array<Wide, sizes> gpu_ms_upto{};
  Sizes runtime_ms, gap_ms;
  Sizes limit_over_runtime;  // in thousandths, of jobs that ran at least a second
  Wide runtime_sum = 0;
  std::array<std::uint64_t, 3> ends{};
  std::array<Wide, 3> gpu_ms_by_end{};
  std::array<std::uint64_t, 168> by_hour_of_week{};  // from Monday 0:00 UTC
  std::array<std::uint64_t, 24> by_hour() const;
  std::vector<Wide> gpu_ms_by_user, gpu_ms_by_owner;
  std::vector<std::uint64_t> jobs_by_user;
  std::uint64_t gaps_of_zero = 0;

  /// The share in millionths of the whole that the `ppm` of a million largest hold; at least one.
  static std::uint64_t share_of_top(const std::vector<Wide>& parts, std::uint64_t ppm);
  /// In thousandths: standard deviation over mean of the gaps between submissions; variance over
  /// mean of the submissions in an hour.
  std::uint64_t gap_variation() const;
  std::uint64_t hourly_dispersion() const;
  /// GPUs that are busy on average between the first submission and the last, in thousandths.
  std::uint64_t mean_gpus() const;

 private:
  Wide gap_squares_ = 0, hour_squares_ = 0;
  std::int64_t hour_ = -1;
  std::uint64_t in_hour_ = 0;
};

}  // namespace tenbin
