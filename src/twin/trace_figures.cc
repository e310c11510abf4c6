#include "twin/trace_figures.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace tenbin {

namespace {

constexpr std::int64_t hour_ms = 3'600'000;

std::uint64_t root(Wide square) {
  __extension__ using U = unsigned __int128;
  if (square <= 0) return 0;
  const U target = static_cast<U>(square);
  U low = 0, high = U{1} << 63;
  while (low < high) {
    const U middle = (low + high + 1) / 2;
    if (middle * middle <= target) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return static_cast<std::uint64_t>(low);
}

}  // namespace

void Sizes::add(std::uint64_t value, std::uint64_t weight) {
  const unsigned width = static_cast<unsigned>(std::bit_width(value | 63));
  const unsigned shift = width - 6;  // the six highest bits below the first
  const std::size_t step = value < 64 ? value : 64 * shift + ((value >> (shift - 1)) & 63);
  steps_[std::min(step, steps_.size() - 1)] += weight;
  count_ += weight;
}

std::uint64_t Sizes::percentile(std::uint64_t ppm) const {
  if (count_ == 0) return 0;
  const Wide wanted = (Wide{count_} * ppm + 999'999) / 1'000'000;
  Wide below = 0;
  for (std::size_t step = 0; step < steps_.size(); ++step) {
    below += steps_[step];
    if (below < wanted || below == 0) continue;
    if (step < 64) return step;
    const std::size_t shift = step / 64;
    const std::uint64_t from = (std::uint64_t{64} + step % 64) << (shift - 1);
    return from + ((std::uint64_t{1} << (shift - 1)) / 2);
  }
  return 0;
}

void TraceFigures::add(const TraceJob& job) {
  const Wide held = Wide{job.shape.all_gpus().count} * job.runtime.count;
  if (jobs == 0) {
    first = job.submit;
  } else {
    const auto gap = static_cast<std::uint64_t>(job.submit.ms - last.ms);
    gap_ms.add(gap);
    gap_squares_ += Wide{gap} * gap;
    gaps_of_zero += gap == 0;
  }
  last = job.submit;
  over = std::max(over, job.submit + job.runtime);
  ++jobs;
  gpu_ms += held;
  runtime_sum += job.runtime.count;
  runtime_ms.add(static_cast<std::uint64_t>(job.runtime.count));
  if (job.runtime.count >= 1'000)
    limit_over_runtime.add(
        static_cast<std::uint64_t>(Wide{job.limit.count} * 1'000 / job.runtime.count));
  fractions += job.shape.gpus.count % 1'000 != 0;
  without_gpus += job.shape.gpus.count == 0;
  gangs += job.shape.members > 1;
  const auto gpus = static_cast<std::uint64_t>(std::max<std::int64_t>(job.gpus(), 1));
  const std::size_t size = std::min<std::size_t>(std::bit_width(gpus - 1), sizes - 1);
  ++jobs_upto[size];
  gpu_ms_upto[size] += held;
  const auto end = static_cast<std::size_t>(job.end);
  ++ends[end];
  gpu_ms_by_end[end] += held;
  if (job.user >= gpu_ms_by_user.size()) {
    gpu_ms_by_user.resize(job.user + 1);
    jobs_by_user.resize(job.user + 1);
  }
  if (job.owner >= gpu_ms_by_owner.size()) gpu_ms_by_owner.resize(job.owner + 1);
  gpu_ms_by_user[job.user] += held;
  ++jobs_by_user[job.user];
  gpu_ms_by_owner[job.owner] += held;

  const std::int64_t hour = job.submit.ms / hour_ms;
  // 1970 began on a Thursday.
  ++by_hour_of_week[static_cast<std::size_t>((hour + 72) % 168)];
  if (hour != hour_) {
    hour_squares_ += Wide{in_hour_} * in_hour_;
    hour_ = hour;
    in_hour_ = 0;
  }
  ++in_hour_;
}

std::array<std::uint64_t, 24> TraceFigures::by_hour() const {
  std::array<std::uint64_t, 24> hours{};
  for (std::size_t h = 0; h < by_hour_of_week.size(); ++h) hours[h % 24] += by_hour_of_week[h];
  return hours;
}

std::uint64_t TraceFigures::share_of_top(const std::vector<Wide>& parts, std::uint64_t ppm) {
  std::vector<Wide> sorted;
  Wide all = 0;
  for (const Wide part : parts) {
    if (part <= 0) continue;
    sorted.push_back(part);
    all += part;
  }
  if (all == 0) return 0;
  std::ranges::sort(sorted, std::greater{});
  const std::size_t count = std::max<std::size_t>(1, (sorted.size() * ppm + 500'000) / 1'000'000);
  Wide top = 0;
  for (std::size_t i = 0; i < std::min(count, sorted.size()); ++i) top += sorted[i];
  return static_cast<std::uint64_t>(top * 1'000'000 / all);
}

std::uint64_t TraceFigures::gap_variation() const {
  if (jobs < 3 || last == first) return 0;
  const Wide gaps = static_cast<Wide>(jobs - 1), sum = last.ms - first.ms;
  // n times the sum of squares, less the square of the sum: n squared times the variance.
  const Wide spread = gap_squares_ * gaps - sum * sum;
  return static_cast<std::uint64_t>(Wide{root(spread)} * 1'000 / sum);
}

std::uint64_t TraceFigures::hourly_dispersion() const {
  if (jobs == 0) return 0;
  const Wide hours = last.ms / hour_ms - first.ms / hour_ms + 1;
  const Wide squares = hour_squares_ + Wide{in_hour_} * in_hour_, count = jobs;
  return static_cast<std::uint64_t>((squares * hours - count * count) * 1'000 / (hours * count));
}

std::uint64_t TraceFigures::mean_gpus() const {
  return last == first ? 0 : static_cast<std::uint64_t>(gpu_ms / (last.ms - first.ms));
}

}  // namespace tenbin
