#include <algorithm>

#include "core/handlers.h"
#include "core/jobs/attempt.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"
#include "core/ledger/ledger.h"
#include "core/programmes/credit.h"

// A job that waits ends at once; one that runs is asked to stop and settles when it has. Of an
// array all that never started ends in one event.

namespace tenbin {

namespace {

Decision cancel_array(const World& world, JobId id, const JobArray& array, Instant now,
                      Facts& facts) {
  if (array.ended != Instant{}) return std::unexpected(refuse(Reason::job_settled));
  std::uint64_t changed = cancel_unstarted(world, id, Why::asked, now, facts);
  for (const JobId row : array.rows) {
    const Job& job = world.jobs.at(row);
    if (job.attempt == 0 || job.state == JobState::stopping) continue;
    ++changed;
    if (job.state == JobState::running) {
      facts.add(StopRequested{row});
    } else {
      settle(world, row, job, {.state = JobState::cancelled, .why = Why::asked, .ended = now},
             facts);
    }
  }
  if (changed == 0) return std::unexpected(refuse(Reason::job_already_stopping));
  return id.value;
}

}  // namespace

Decision decide(const World& world, const Asked&, const CancelJob& c, Instant now, Facts& facts) {
  if (const JobArray* array = find_array(world, c.job))
    return cancel_array(world, c.job, *array, now, facts);
  const JobId row = row_of(world, c.job);
  if (!row) {
    return std::unexpected(
        refuse(c.job && c.job < world.jobs.next_id() ? Reason::job_settled : Reason::unknown_job));
  }
  const Job& job = world.jobs.at(row);
  if (job.state == JobState::stopping) return std::unexpected(refuse(Reason::job_already_stopping));
  if (job.state == JobState::running) {
    facts.add(StopRequested{c.job});
  } else {
    if (row != c.job || job.more > 0) facts.add(TaskParted{c.job});
    // All tasks of a row hold the same, so the row says what this one gives back.
    settle(world, c.job, job, {.state = JobState::cancelled, .why = Why::asked, .ended = now},
           facts);
  }
  return c.job.value;
}

std::uint64_t cancel_unstarted(const World& world, JobId id, Why why, Instant now, Facts& facts) {
  Legs all;
  Credits released;
  std::uint64_t tasks = 0;
  for (const JobId row : world.arrays.at(id).rows) {
    const Job& job = world.jobs.at(row);
    if (job.attempt > 0) continue;
    tasks += job.tasks();
    released += held_by(job);
    for (const Leg& leg : job.legs) {
      const Credits amount{leg.amount.count * static_cast<std::int64_t>(job.tasks())};
      const auto same = std::ranges::find(all, leg.share, &Leg::share);
      if (same == all.end()) {
        all.push_back({leg.share, amount});
      } else {
        same->amount += amount;
      }
    }
  }
  if (tasks == 0) return 0;
  facts.add(TasksCancelled{id, why, now, static_cast<std::uint32_t>(tasks), released});
  expire_released(world, all.span(), {}, facts);
  return tasks;
}

void evolve(World& world, const StopRequested& e, Instant at) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(job.state == JobState::running);
  job.state = JobState::stopping;
  job.stop_asked = at;
}

void evolve(World& world, const TasksCancelled& e, Instant at) {
  JobArray& array = world.arrays.at(e.array);
  const std::vector<JobId> rows(array.rows.begin(), array.rows.end());
  std::uint64_t tasks = 0;
  for (const JobId row : rows) {
    Job& job = world.jobs.at(row);
    if (job.attempt > 0) continue;
    step_out(world, row, job);
    const auto count = static_cast<std::int64_t>(job.tasks());
    for (const Leg& leg : job.legs) {
      const Share& share = world.shares.at(leg.share);
      release(world.accounts, share.free, share.used, Credits{leg.amount.count * count});
    }
    const JobId last{row.value + job.more};
    tasks += job.tasks();
    world.jobs.retire(row);
    array.rows.erase(row);
    // What comes after single tasks of it.
    auto& awaited = world.index.awaited;
    for (auto a = awaited.lower_bound(row); a != awaited.end() && a->first <= last;
         a = awaited.lower_bound(row)) {
      resolve(world, a->first, false);
    }
  }
  TENBIN_ASSERT(tasks == e.tasks);
  array.cancelled += e.tasks;
  world.projects.at(array.project).live_jobs -= tasks;
  if (array.rows.empty()) leave_array(world, e.array, {}, at);
}

}  // namespace tenbin
