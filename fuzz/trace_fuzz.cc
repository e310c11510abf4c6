// Any bytes may be a trace of any form, packed or not: they are an error that says where, or jobs
// within the limits, in order, each id once; and what was read is the same after it was written and
// read again. A small trace of whole GPUs is also scheduled: by the World as by the obvious way.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "core/limits.h"
#include "core/schedule/schedule.h"
#include "golden/oracle.h"
#include "twin/replay.h"
#include "twin/trace_write.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tenbin;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto trace = parse_trace(text, "trace", {.cpu_jobs = true, .japanese = size % 2 == 0});
  if (!trace) {
    TENBIN_ASSERT(trace.error().what.starts_with("trace:"));
    return 0;
  }
  const std::vector<TraceJob>& jobs = trace->jobs;
  bool whole = true;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const TraceJob& job = jobs[i];
    TENBIN_ASSERT(job.gpus() >= 0 && job.shape.all_gpus() <= gpus_max);
    TENBIN_ASSERT(job.runtime.count >= 0 && job.limit.count > 0);
    TENBIN_ASSERT(job.runtime <= job.limit && job.limit <= time_limit_max);
    TENBIN_ASSERT(job.submit >= instant_min && job.submit <= instant_max);
    TENBIN_ASSERT(job.user < trace->names.users.size() && job.owner < trace->names.owners.size());
    TENBIN_ASSERT(i == 0 || jobs[i - 1].submit < job.submit ||
                  (jobs[i - 1].submit == job.submit && jobs[i - 1].id < job.id));
    whole = whole && job.shape == whole_gpus(job.gpus()) && job.gpus() > 0;
  }
  const auto source = open_trace_text(text, "trace", {.cpu_jobs = true, .held_max = 2});
  if (source) {
    const auto written = trace_text(**source, TraceOutput::binary);
    if (written) {
      const auto again = parse_trace(*written, "again", {.cpu_jobs = true});
      TENBIN_ASSERT(again && again->jobs == jobs);
    }
  }
  // Near the end of the calendar no credit is valid.
  if (!whole || jobs.empty() || jobs.size() > 100 || jobs.back().submit >= instant_max) return 0;
  for (const auto policy : {oracle::Policy::fifo, oracle::Policy::easy}) {
    World world = replay_world(
        jobs, {.gpus = 8},
        {.backfill = policy == oracle::Policy::easy ? Backfill::easy : Backfill::none});
    TENBIN_ASSERT(replay(world, jobs).starts == oracle::counted(jobs, 8, policy, never));
    TENBIN_ASSERT(sound(world));
  }
  return 0;
}
