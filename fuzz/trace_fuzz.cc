// Any bytes may be a trace: they are an error that says where, or jobs within the limits, in order.
// A small trace is also scheduled: by the World as by the obvious way.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "core/limits.h"
#include "core/schedule/schedule.h"
#include "golden/oracle.h"
#include "twin/replay.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tenbin;
  const auto trace = parse_trace({reinterpret_cast<const char*>(data), size}, "trace");
  if (!trace) {
    TENBIN_ASSERT(trace.error().what.starts_with("trace:"));
    return 0;
  }
  const std::vector<TraceJob>& jobs = trace->jobs;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const TraceJob& job = jobs[i];
    TENBIN_ASSERT(job.gpus() > 0 && job.runtime <= job.limit && job.limit <= time_limit_max);
    TENBIN_ASSERT(i == 0 || jobs[i - 1].submit <= job.submit);
  }
  // Near the end of the calendar no credit is valid.
  if (jobs.empty() || jobs.size() > 100 || jobs.back().submit >= instant_max) return 0;
  for (const auto policy : {oracle::Policy::fifo, oracle::Policy::easy}) {
    World world = replay_world(
        jobs, {.gpus = 8},
        {.backfill = policy == oracle::Policy::easy ? Backfill::easy : Backfill::none});
    TENBIN_ASSERT(replay(world, jobs).starts == oracle::counted(jobs, 8, policy, never));
    TENBIN_ASSERT(sound(world));
  }
  return 0;
}
