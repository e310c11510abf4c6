#include <algorithm>

#include "core/fleet/room.h"
#include "core/handlers.h"
#include "core/jobs/attempt.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"
#include "core/limits.h"
#include "core/programmes/credit.h"

// The end of an attempt. Charged: from the start event to the earlier of end and time limit, and of
// a stop that was asked for: the grace of a KILL is free. Lost attempts are not charged at all;
// failed ones are, also if the job is tried again.

namespace tenbin {

namespace {

/// Adds the events of another attempt after one that failed, if the job may have one and the
/// project can pay for it; what it held, less the charge, counts towards it.
enum class Retry { granted, none_left, no_credit };
Retry retry(const World& world, JobId id, const Job& job, std::int32_t code, Instant ended,
            Credits charged, Instant now, Facts& facts) {
  if (job.failures >= job.retries) return Retry::none_left;
  const std::span<const Leg> captures = split(facts, job.legs.span(), charged);
  Legs left, legs;
  std::size_t next = 0;
  for (const Leg& leg : job.legs) {
    const bool charges = next < captures.size() && captures[next].share == leg.share;
    const Credits rest = leg.amount - (charges ? captures[next++].amount : Credits{0});
    if (rest > Credits{0}) left.push_back({leg.share, rest});
  }
  const RegionId region = world.pools.at(job.pool).region;
  const Credits found = pick_legs(world, job.project, region, job.held, now, left.span(), {}, legs);
  if (found != job.held) return Retry::no_credit;
  facts.add([&] {
    return AttemptFailed{.job = id,
                         .attempt = job.attempt,
                         .code = code,
                         .ended = ended,
                         .charged = charged,
                         .captures = captures,
                         .legs = facts.list(legs.span())};
  });
  expire_released(world, left.span(), legs.span(), facts);
  return Retry::granted;
}

}  // namespace

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

  Ending ending{.state = JobState::failed, .code = c.code, .ended = ended, .charged = charged};
  switch (c.kind) {
    case EndKind::exited:
      ending.state = c.code == 0 ? JobState::completed : JobState::failed;
      break;
    case EndKind::signalled:
      ending.state = stop_asked ? JobState::cancelled : JobState::failed;
      break;
    case EndKind::time_limit: ending.state = JobState::time_limit; break;
    case EndKind::launch_failed: ending.state = JobState::failed; break;
    case EndKind::stopped:
    case EndKind::lost: ending.state = JobState::cancelled; break;
  }
  if (ending.state == JobState::cancelled) ending.why = Why::asked;
  if (ending.state == JobState::failed && !stop_asked && job->retries > 0) {
    switch (retry(world, c.job, *job, c.code, ended, charged, now, facts)) {
      case Retry::granted: return c.job.value;
      case Retry::none_left: break;
      case Retry::no_credit: ending.why = Why::no_credit_to_retry; break;
    }
  }
  settle(world, c.job, *job, ending, facts);
  return c.job.value;
}

void lose_attempt(const World& world, JobId id, const Job& job, Instant ended, Instant now,
                  Facts& facts) {
  const Instant at = std::min(ended, now);
  if (job.state == JobState::stopping) {
    settle(world, id, job, {.state = JobState::cancelled, .why = Why::asked, .ended = at}, facts);
  } else if (job.attempt - job.failures >= attempts_max) {
    settle(world, id, job, {.state = JobState::failed, .why = Why::lost_too_often, .ended = at},
           facts);
  } else {
    facts.add(AttemptLost{id, job.attempt, at});
  }
}

void settle(const World& world, JobId id, const Job& job, const Ending& ending, Facts& facts) {
  const std::span<const Leg> captures = split(facts, job.legs.span(), ending.charged);
  facts.add([&] {
    return JobSettled{.job = id,
                      .attempt = job.attempt,
                      .state = ending.state,
                      .why = ending.why,
                      .code = ending.code,
                      .ended = ending.ended,
                      .charged = ending.charged,
                      .released = job.held - ending.charged,
                      .captures = captures};
  });
  expire_released(world, job.legs.span(), captures, facts);
}

namespace {

/// Takes a running attempt off its pool.
void vacate(World& world, JobId id, Job& job) {
  leave(world, id, job);
  if (!job.array) return;
  JobArray& array = world.arrays.at(job.array);
  const bool full = array.full();
  --array.active;
  if (full) review(world, array);
}

/// An attempt is over and the job is not: it waits again.
void wait_again(World& world, JobId id, Job& job) {
  vacate(world, id, job);
  job.pool = {};
  job.rate = {};
  job.started = {};
  job.slices.clear();
  line_up(world, id, job);
}

/// Ends a hold: what was captured of it is taken, the rest goes back.
void end_hold(World& world, const Job& job, std::span<const Leg> captures, Credits charged) {
  std::size_t next = 0;
  Credits captured;
  for (const Leg& leg : job.legs) {
    const Share& share = world.shares.at(leg.share);
    Credits used;
    if (next < captures.size() && captures[next].share == leg.share) used = captures[next++].amount;
    settle(world.accounts, share.free, share.used, leg.amount, used);
    captured += used;
  }
  TENBIN_ASSERT(next == captures.size() && captured == charged);
}

}  // namespace

void evolve(World& world, const AttemptLost& e, Instant) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(job.state == JobState::running && job.attempt == e.attempt);
  wait_again(world, e.job, job);
}

void evolve(World& world, const AttemptFailed& e, Instant) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(job.state == JobState::running && job.attempt == e.attempt);
  end_hold(world, job, e.captures, e.charged);
  for (const Leg& leg : e.legs) {
    const Share& share = world.shares.at(leg.share);
    hold(world.accounts, share.free, share.used, leg.amount);
  }
  job.legs.assign(e.legs);
  job.charged += e.charged;
  ++job.failures;
  wait_again(world, e.job, job);
}

void evolve(World& world, const JobSettled& e, Instant at) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(e.charged + e.released == job.held && e.charged >= Credits{0} && job.more == 0);
  const bool waited = !job.active();
  if (!waited) vacate(world, e.job, job);
  if (waited) step_out(world, e.job, job);
  end_hold(world, job, e.captures, e.charged);

  const ProjectId project = job.project;
  const JobId array_id = job.array;
  if (array_id) {
    JobArray& array = world.arrays.at(array_id);
    array.charged += job.charged + e.charged;
    count_end(array, e.state);
  }
  --world.projects.at(project).live_jobs;
  world.jobs.retire(e.job);
  remember_end(world, e.job, project, e.state == JobState::completed, at);
  if (array_id) leave_array(world, array_id, e.job, at);
}

}  // namespace tenbin
