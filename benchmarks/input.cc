#include "input.h"

#include <array>
#include <cmath>
#include <cstdlib>

#include "base/rng.h"

namespace tenbin::bench {

namespace {

// Many small jobs and few large ones, sizes in powers of two; a time limit from a short list, of
// which people use a part; arrivals at random, so that 1,000 GPUs are wanted about nine tenths of
// the time.
std::vector<TraceJob> generate() {
  constexpr std::array<double, 9> weights{5'200, 1'150, 1'150, 1'700, 420, 220, 110, 35, 10};
  constexpr std::array<std::int64_t, 8> limits_s{300,   900,    1'800,  3'600,
                                                 7'200, 14'400, 28'800, 86'400};
  constexpr double gpus = 1'000, busy = 0.9;
  Rng rng{6};
  const auto uniform = [&] {
    return (static_cast<double>(rng.next() >> 11) + 0.5) / 9'007'199'254'740'992.0;
  };

  std::vector<TraceJob> jobs(100'000);
  double wanted = 0;  // GPU-milliseconds
  std::uint64_t id = 0;
  for (TraceJob& job : jobs) {
    job.id = ++id;
    double at = uniform() * 9'995;
    std::size_t size = 0;
    while (size + 1 < weights.size() && at >= weights[size]) at -= weights[size++];
    job.shape = whole_gpus(1 << size);
    job.limit = Span{limits_s[rng.below(limits_s.size())] * 1'000};
    job.runtime = Span{1 + static_cast<std::int64_t>(uniform() * uniform() *
                                                     static_cast<double>(job.limit.count - 1))};
    job.user = static_cast<std::uint32_t>(rng.below(64));
    wanted += static_cast<double>(job.gpus()) * static_cast<double>(job.runtime.count);
  }
  const double gap = wanted / (gpus * busy) / static_cast<double>(jobs.size());
  double now = 0;
  for (TraceJob& job : jobs) {
    now -= gap * std::log(uniform());
    job.submit = Instant{static_cast<std::int64_t>(now)};
  }
  return jobs;
}

}  // namespace

std::string shared_folder() {
  const char* shared = std::getenv("TENBIN_SHARED");  // NOLINT(concurrency-mt-unsafe)
  return shared ? shared : TENBIN_ROOT "/../shared";
}

Input s6() {
  if (auto trace = read_trace(shared_folder() + "/golden/inputs/s6_100k_g1000_u.csv.gz"))
    return {std::move(trace->jobs), ""};
  return {generate(), "the golden input is not here: jobs of the same kind from a fixed seed"};
}

}  // namespace tenbin::bench
