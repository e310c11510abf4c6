#include "core/jobs/line.h"

#include <algorithm>

namespace tenbin {

void enqueue(World& world, JobId id, const Job& job) {
  world.index.lanes.insert(job.pools,
                           {.job = id,
                            .limit = job.limit,
                            .gpus_milli = static_cast<std::uint32_t>(job.shape.all_gpus().count),
                            .node_milli = static_cast<std::uint32_t>(job.shape.gpus.count)});
}

void dequeue(World& world, JobId id, const Job& job) {
  world.index.lanes.remove(job.pools, job.limit, id);
}

JobState waiting_state(const World& world, const Job& job) {
  if (job.on_hold) return JobState::on_hold;
  if (job.never || !job.after.empty()) return JobState::blocked;
  if (job.array && world.arrays.at(job.array).full()) return JobState::blocked;
  return JobState::queued;
}

void line_up(World& world, JobId id, Job& job) {
  job.state = waiting_state(world, job);
  if (job.state == JobState::queued) enqueue(world, id, job);
}

void review(World& world, JobId id, Job& job) {
  const JobState state = waiting_state(world, job);
  if (state == job.state) return;
  if (job.state == JobState::queued) {
    dequeue(world, id, job);
    drop_promise(world, id, job);
  }
  job.state = state;
  if (state == JobState::queued) enqueue(world, id, job);
}

void step_out(World& world, JobId id, Job& job) {
  if (job.state == JobState::queued) dequeue(world, id, job);
  drop_promise(world, id, job);
  for (const After& after : job.after) {
    const auto awaited = world.index.awaited.find(after.job);
    if (awaited == world.index.awaited.end()) continue;
    awaited->second.erase(id);
    if (awaited->second.empty()) world.index.awaited.erase(awaited);
  }
  if (job.never) world.index.never.erase(id);
}

void review(World& world, const JobArray& array) {
  for (const JobId row : array.rows) {
    Job& job = world.jobs.at(row);
    if (!job.active()) review(world, row, job);
  }
}

void await(World& world, JobId id, const Job& job) {
  for (const After& after : job.after) world.index.awaited[after.job].insert(id);
  if (job.never) world.index.never.insert(id);
}

void resolve(World& world, JobId ended, bool ok) {
  if (world.index.awaited.empty()) return;
  auto awaited = world.index.awaited.extract(ended);
  if (awaited.empty()) return;
  for (const JobId row : awaited.mapped()) {
    Job& job = world.jobs.at(row);
    for (const After& after : job.after) {
      if (after.job != ended || after.when == When::any || (after.when == When::ok) == ok) continue;
      job.never = true;
      world.index.never.insert(row);
    }
    std::erase_if(job.after, [&](const After& after) { return after.job == ended; });
    review(world, row, job);
  }
}

void drop_promise(World& world, JobId id, Job& job) {
  if (!job.promised) return;
  Pool& pool = world.pools.at(job.promised);
  TENBIN_ASSERT(pool.promise.job == id);
  pool.promise = {};
  job.promised = {};
}

}  // namespace tenbin
