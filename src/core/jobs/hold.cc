#include "core/handlers.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"

// The owner may hold a job that waits, so that it does not start until it is released. It keeps its
// place by order of submission, and its credit.

namespace tenbin {

namespace {

enum class Wanted { held, released };

/// Whether anything that waits under this id is not yet as wanted; a refusal if nothing waits.
std::expected<bool, Refusal> differs(const World& world, JobId id, Wanted wanted) {
  const bool held = wanted == Wanted::held;
  if (const JobArray* array = find_array(world, id)) {
    if (array->ended != Instant{}) return std::unexpected(refuse(Reason::job_settled));
    bool waits = false, any = false;
    for (const JobId row : array->rows) {
      const Job& job = world.jobs.at(row);
      waits = waits || !job.active();
      any = any || (!job.active() && job.on_hold != held);
    }
    if (!waits) return std::unexpected(refuse(Reason::job_not_waiting));
    return any;
  }
  const JobId row = row_of(world, id);
  if (!row) {
    return std::unexpected(
        refuse(id && id < world.jobs.next_id() ? Reason::job_settled : Reason::unknown_job));
  }
  const Job& job = world.jobs.at(row);
  if (job.active()) return std::unexpected(refuse(Reason::job_not_waiting));
  return job.on_hold != held;
}

template <class E>
Decision move(const World& world, JobId id, Wanted wanted, Facts& facts) {
  const auto change = differs(world, id, wanted);
  if (!change) return std::unexpected(change.error());
  if (!*change) return id.value;
  if (!find_array(world, id)) {
    const JobId row = row_of(world, id);
    if (row != id || world.jobs.at(row).more > 0) facts.add(TaskParted{id});
  }
  facts.add(E{id});
  return id.value;
}

void set_hold(World& world, JobId id, Wanted wanted) {
  const auto set = [&](JobId row) {
    Job& job = world.jobs.at(row);
    if (job.active()) return;
    job.on_hold = wanted == Wanted::held;
    review(world, row, job);
  };
  if (const JobArray* array = find_array(world, id)) {
    for (const JobId row : array->rows) set(row);
  } else {
    set(id);
  }
}

}  // namespace

Decision decide(const World& world, const Asked&, const HoldJob& c, Instant, Facts& facts) {
  return move<JobHeld>(world, c.job, Wanted::held, facts);
}

Decision decide(const World& world, const Asked&, const ReleaseJob& c, Instant, Facts& facts) {
  return move<JobReleased>(world, c.job, Wanted::released, facts);
}

void evolve(World& world, const JobHeld& e, Instant) {
  set_hold(world, e.job, Wanted::held);
}

void evolve(World& world, const JobReleased& e, Instant) {
  set_hold(world, e.job, Wanted::released);
}

}  // namespace tenbin
