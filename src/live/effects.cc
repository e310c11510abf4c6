#include "live/effects.h"

#include <bit>

#include "codec/json.h"
#include "core/jobs/tasks.h"

namespace tenbin {

EndKind to_end_kind(Outcome outcome) {
  switch (outcome) {
    case Outcome::exited: return EndKind::exited;
    case Outcome::signalled: return EndKind::signalled;
    case Outcome::time_limit: return EndKind::time_limit;
    case Outcome::stopped: return EndKind::stopped;
    case Outcome::launch_failed: return EndKind::launch_failed;
    case Outcome::lost: return EndKind::lost;
  }
  return EndKind::lost;
}

AttemptSpec attempt_of(const World& world, JobId id, const Job& job) {
  AttemptSpec spec;
  spec.id = {id.value, job.attempt};
  spec.epoch = world.epoch;
  spec.started = job.started;
  spec.project = job.project.value;
  spec.time_limit = job.limit;
  for (const Slice& slice : job.slices) {
    const Node& node = world.nodes.at(slice.node);
    MemberPlace place;
    place.node = node.name;
    for (std::uint32_t mask = slice.mask; mask; mask &= mask - 1) {
      place.gpus.push_back(static_cast<int>(node.first_device) + std::countr_zero(mask));
    }
    place.gpu_milli = slice.milli ? slice.milli : std::popcount(slice.mask) * 1'000;
    spec.members.push_back(std::move(place));
  }
  spec.environment["TENBIN_PROJECT"] = world.projects.at(job.project).name;
  if (!job.name.empty()) spec.environment["TENBIN_JOB_NAME"] = job.name;
  spec.environment["TENBIN_REGION"] = world.regions.at(world.pools.at(job.pool).region).name;
  return spec;
}

JobId job_of(const Event& event) {
  return std::visit(
      [](const auto& e) {
        if constexpr (requires { JobId{e.job}; }) {
          return JobId{e.job};
        } else if constexpr (requires { JobId{e.array}; }) {
          return JobId{e.array};
        } else {
          return JobId{};
        }
      },
      event);
}

ProjectId project_of(const World& world, const Event& event) {
  if (const auto* queued = std::get_if<JobQueued>(&event)) return queued->project;
  if (const auto* queued = std::get_if<ArrayQueued>(&event)) return queued->project;
  const JobId id = job_of(event);
  return id ? project_of(world, id) : ProjectId{};
}

std::string shape_text(const Shape& shape) {
  std::string gpus = std::to_string(shape.gpus.count / 1'000);
  if (const std::int64_t part = shape.gpus.count % 1'000) {
    std::string digits = std::to_string(1'000 + part).substr(1);
    while (digits.back() == '0') digits.pop_back();
    gpus += "." + digits;
  }
  gpus += " GPU";
  return shape.members > 1 ? std::to_string(shape.members) + " x " + gpus : gpus;
}

namespace {

/// What a row of the history takes from a job as it was submitted.
SettledJob row_from(const World& world, const Job& job) {
  SettledJob row;
  row.array = job.array.value;
  row.project = world.projects.at(job.project).name;
  if (const Person* person = world.persons.find(job.person)) row.person = person->name;
  row.name = job.name;
  JsonWriter labels(row.labels);
  labels.begin_object();
  for (const auto& [key, value] : job.labels) labels.member(key, value);
  labels.end_object();
  row.shape = shape_text(job.shape);
  row.gpus_milli = job.shape.all_gpus().count;
  row.members = job.shape.members;
  row.time_limit = job.limit;
  row.submitted = job.submitted;
  row.spec = job.spec;
  return row;
}

std::string reason_text(Why why) {
  return why == Why::ended || why == Why::asked ? std::string() : std::string(name_of(why));
}

/// The row of an array whose last tasks are over with `array`, its counts as they are then.
SettledJob array_row(const World& world, JobId id, const JobArray& array, const Job& task, Why why,
                     Instant ended) {
  SettledJob row = row_from(world, task);
  row.job = id.value;
  JobArray over = array;
  over.ended = ended;
  row.state = name_of(state_of(world, over));
  row.reason = reason_text(why);
  row.tasks = array.tasks;
  row.tasks_completed = array.completed;
  row.tasks_failed = array.failed;
  row.tasks_cancelled = array.cancelled;
  row.started = array.started;
  row.ended = ended;
  row.held = array.held;
  row.charged = array.charged;
  return row;
}

}  // namespace

std::optional<SettledJob> ended_array_row(const World& world, const Event& event) {
  if (const auto* settled = std::get_if<JobSettled>(&event)) {
    const Job& job = world.jobs.at(settled->job);
    if (!job.array) return std::nullopt;
    const JobArray& now = world.arrays.at(job.array);
    if (now.rows.size() > 1) return std::nullopt;
    JobArray array = now;
    count_end(array, settled->state);
    array.charged += job.charged + settled->charged;
    return array_row(world, job.array, array, job, Why::ended, settled->ended);
  }
  const auto* cancelled = std::get_if<TasksCancelled>(&event);
  if (!cancelled) return std::nullopt;
  const JobArray& now = world.arrays.at(cancelled->array);
  if (now.over() + cancelled->tasks < now.tasks) return std::nullopt;
  JobArray array = now;
  array.cancelled += cancelled->tasks;
  return array_row(world, cancelled->array, array, world.jobs.at(*array.rows.begin()),
                   cancelled->why, cancelled->ended);
}

SettledJob settled_row(const World& world, const JobSettled& event) {
  const Job& job = world.jobs.at(event.job);
  SettledJob row = row_from(world, job);
  row.job = event.job.value;
  row.task = static_cast<std::int32_t>(job.task);
  row.state = name_of(event.state);
  row.reason = reason_text(event.why);
  row.code = event.code;
  if (const Pool* pool = world.pools.find(job.pool)) {
    row.pool = pool->name;
    row.region = world.regions.at(pool->region).name;
  }
  row.attempts = job.attempt;
  row.started = job.started;
  row.ended = event.ended;
  row.held = job.held;
  row.charged = job.charged + event.charged;
  return row;
}

ChargeRow charge_row(const World& world, JobId job, const Leg& leg, std::uint64_t sequence,
                     Instant at) {
  const Share& share = world.shares.at(leg.share);
  const Lot& lot = world.lots.at(share.lot);
  return {.sequence = sequence,
          .at = at,
          .job = job.value,
          .project = world.projects.at(share.project).name,
          .grant = world.grants.at(lot.grant).name,
          .funder = world.funders.at(lot.funder).name,
          .lot = lot.name,
          .amount = leg.amount};
}

}  // namespace tenbin
