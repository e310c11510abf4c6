// A whole trace through the World: commands, events, holds, places on nodes, settlement, digest.

#include <cstdio>
#include <cstdlib>
#include <queue>

#include "bench.h"
#include "input.h"
#include "twin/replay.h"

namespace tenbin::bench {

namespace {

/// First come, first served with nothing but a heap of ends and a count of free GPUs: what any FIFO
/// replay has to do at least. Returns the sum of all starts.
std::int64_t bare_loop(const std::vector<TraceJob>& jobs, std::int64_t free) {
  struct End {
    std::int64_t at, gpus;
    bool operator>(const End& other) const { return at > other.at; }
  };
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  std::int64_t now = 0, sum = 0;
  for (const TraceJob& job : jobs) {
    now = std::max(now, job.submit.ms);
    while (!ends.empty() && (ends.top().at <= now || free < job.gpus())) {
      now = std::max(now, ends.top().at);
      free += ends.top().gpus;
      ends.pop();
    }
    free -= job.gpus();
    ends.push({now + job.runtime.count, job.gpus()});
    sum += now;
  }
  return sum;
}

Measurement replayed(const char* name, const Input& input, Policy policy, PoolKind kind,
                     const Options& options) {
  constexpr std::uint32_t gpus = 1'000, per_node = 8;
  const ReplayFleet fleet{kind, kind == PoolKind::counted ? gpus : 0,
                          kind == PoolKind::nodes ? gpus / per_node : 0, per_node};
  const std::size_t count = input.jobs.size();
  return in_turn(
      {.name = name,
       .unit = "jobs/s",
       .limit_name = "bare heap loop, first come first served",
       .note = input.note},
      options,
      [&] {
        World world = replay_world(input.jobs, fleet, policy);
        const double speed = per_second(count, [&] { keep(replay(world, input.jobs).history); });
        if (!sound(world)) {
          std::fprintf(stderr, "bench: a promise was broken: %s\n",
                       std::string(broken_promise(world)).c_str());
          std::exit(1);
        }
        return speed;
      },
      [&] { return per_second(count, [&] { keep(bare_loop(input.jobs, gpus)); }); });
}

std::vector<Measurement> core_fifo(const Options& options) {
  return {replayed("core_fifo", s6(), {.backfill = Backfill::none}, PoolKind::nodes, options)};
}
std::vector<Measurement> core_easy(const Options& options) {
  const Input input = s6();
  return {replayed("core_easy_counted", input, {.backfill = Backfill::easy}, PoolKind::counted,
                   options),
          replayed("core_easy", input, {.backfill = Backfill::easy}, PoolKind::nodes, options)};
}

const Registered fifo{"core_fifo", core_fifo};
const Registered easy{"core_easy", core_easy};

}  // namespace

}  // namespace tenbin::bench
