#include <algorithm>

#include "core/fleet/room.h"
#include "core/handlers.h"
#include "core/jobs/attempt.h"
#include "core/programmes/credit.h"

// The end of an attempt. Charged: from the start event to the earlier of end and time limit, and of
// a stop that was asked for: the grace of a KILL is free. Lost attempts are not charged at all.

namespace tenbin {

Decision decide(const World& world, const Asked&, const ReportEnd& c, Instant now, Facts& facts) {
  const Job* job = world.jobs.find(c.job);
  if (!job) {
    return std::unexpected(
        refuse(c.job && c.job < world.jobs.next_id() ? Reason::job_settled : Reason::unknown_job));
  }
  if (!job->active() || job->attempt != c.attempt) {
    return std::unexpected(refuse(Reason::job_not_running, job->attempt));
  }
  // The reporter's clock may differ from the ledger's: the end lies between start and now.
  const Instant ended = std::clamp(c.ended, job->started, now);
  const bool stop_asked = job->state == JobState::stopping;

  if (c.kind == EndKind::lost || (c.kind == EndKind::stopped && !stop_asked)) {
    lose_attempt(world, c.job, *job, ended, now, facts);
    return c.job.value;
  }
  Instant until = std::min(ended, job->expected_end());
  if (stop_asked) until = std::min(until, job->stop_asked);
  const Credits charged =
      c.kind == EndKind::launch_failed ? Credits{0} : price(until - job->started, job->rate);

  JobState state = JobState::failed;
  switch (c.kind) {
    case EndKind::exited: state = c.code == 0 ? JobState::completed : JobState::failed; break;
    case EndKind::signalled: state = stop_asked ? JobState::cancelled : JobState::failed; break;
    case EndKind::time_limit: state = JobState::time_limit; break;
    case EndKind::launch_failed: state = JobState::failed; break;
    case EndKind::stopped:
    case EndKind::lost: state = JobState::cancelled; break;
  }
  settle(world, c.job, *job, state, c.code, ended, charged, facts);
  return c.job.value;
}

void lose_attempt(const World& world, JobId id, const Job& job, Instant ended, Instant now,
                  Facts& facts) {
  if (job.state == JobState::stopping) {
    settle(world, id, job, JobState::cancelled, 0, std::min(ended, now), Credits{0}, facts);
  } else if (job.attempt >= attempts_max) {
    settle(world, id, job, JobState::failed, 0, std::min(ended, now), Credits{0}, facts);
  } else {
    facts.add(AttemptLost{id, job.attempt, std::min(ended, now)});
  }
}

void settle(const World& world, JobId id, const Job& job, JobState state, std::int32_t code,
            Instant ended, Credits charged, Facts& facts) {
  const std::span<const Leg> captures = split(facts, job.legs.span(), charged);
  facts.add([&] {
    return JobSettled{.job = id,
                      .attempt = job.attempt,
                      .state = state,
                      .code = code,
                      .ended = ended,
                      .charged = charged,
                      .released = job.held - charged,
                      .captures = captures};
  });
  expire_released(world, job.legs.span(), captures, facts);
}

namespace {

/// Takes a running attempt off its pool.
void vacate(World& world, JobId id, Job& job) {
  Pool& pool = world.pools.at(job.pool);
  pool.ends.erase({job.expected_end(), id, job.shape.all_gpus()});
  give_back(world, pool, job);
}

void drop_promise(World& world, JobId id, Job& job) {
  if (!job.promised) return;
  Promise& promise = world.pools.at(job.promised).promise;
  TENBIN_ASSERT(promise.job == id);
  promise = {};
  job.promised = {};
}

}  // namespace

void evolve(World& world, const AttemptLost& e, Instant) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(job.state == JobState::running && job.attempt == e.attempt);
  vacate(world, e.job, job);
  job.state = JobState::queued;
  job.pool = {};
  job.rate = {};
  job.started = {};
  job.slices.clear();
  enqueue(world, e.job, job);
}

void evolve(World& world, const JobSettled& e, Instant) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(e.charged + e.released == job.held && e.charged >= Credits{0});
  if (job.active()) {
    vacate(world, e.job, job);
  } else if (job.state == JobState::queued) {
    dequeue(world, e.job, job);
  } else {
    const auto parked = world.index.parked.find(job.project);
    parked->second.erase(e.job);
    if (parked->second.empty()) world.index.parked.erase(parked);
  }
  drop_promise(world, e.job, job);

  std::size_t next = 0;
  Credits captured;
  for (const Leg& leg : job.legs) {
    const Share& share = world.shares.at(leg.share);
    Credits used;
    if (next < e.captures.size() && e.captures[next].share == leg.share)
      used = e.captures[next++].amount;
    settle(world.accounts, share.free, share.used, leg.amount, used);
    captured += used;
  }
  TENBIN_ASSERT(next == e.captures.size() && captured == e.charged);

  const ProjectId project = job.project;
  --world.projects.at(project).live_jobs;
  world.jobs.retire(e.job);
  if (e.released > Credits{0}) unpark(world, project);
}

}  // namespace tenbin
