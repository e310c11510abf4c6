#include "core/handlers.h"
#include "core/jobs/attempt.h"

// A job that waits ends at once; one that runs is asked to stop and settles when it has.

namespace tenbin {

Decision decide(const World& world, const Asked&, const CancelJob& c, Instant now, Facts& facts) {
  const Job* job = world.jobs.find(c.job);
  if (!job) {
    return std::unexpected(
        refuse(c.job && c.job < world.jobs.next_id() ? Reason::job_settled : Reason::unknown_job));
  }
  if (job->state == JobState::stopping)
    return std::unexpected(refuse(Reason::job_already_stopping));
  if (job->state == JobState::running) {
    facts.add(StopRequested{c.job});
  } else {
    settle(world, c.job, *job, JobState::cancelled, 0, now, Credits{0}, facts);
  }
  return c.job.value;
}

void evolve(World& world, const StopRequested& e, Instant at) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(job.state == JobState::running);
  job.state = JobState::stopping;
  job.stop_asked = at;
}

}  // namespace tenbin
