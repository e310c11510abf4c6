#include "live/effects.h"

#include <bit>

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
  if (job.array) {
    spec.environment["TENBIN_ARRAY_JOB_ID"] = std::to_string(job.array.value);
    spec.environment["TENBIN_ARRAY_TASK_ID"] = std::to_string(job.task);
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
        } else {
          return JobId{};
        }
      },
      event);
}

ProjectId project_of(const World& world, const Event& event) {
  if (const auto* queued = std::get_if<JobQueued>(&event)) return queued->project;
  const JobId id = job_of(event);
  const Job* job = id ? world.jobs.find(id) : nullptr;
  return job ? job->project : ProjectId{};
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

SettledJob settled_row(const World& world, const JobSettled& event) {
  const Job& job = world.jobs.at(event.job);
  SettledJob row;
  row.job = event.job.value;
  row.array = job.array.value;
  row.task = static_cast<std::int32_t>(job.task);
  row.project = world.projects.at(job.project).name;
  if (const Person* person = world.persons.find(job.person)) row.person = person->name;
  row.name = job.name;
  row.state = enum_names(JobState{})[static_cast<std::size_t>(event.state)];
  row.code = event.code;
  row.shape = shape_text(job.shape);
  if (const Pool* pool = world.pools.find(job.pool)) {
    row.pool = pool->name;
    row.region = world.regions.at(pool->region).name;
  }
  row.attempts = job.attempt;
  row.gpus_milli = job.shape.all_gpus().count;
  row.members = job.shape.members;
  row.time_limit = job.limit;
  row.submitted = job.submitted;
  row.started = job.started;
  row.ended = event.ended;
  row.held = job.held;
  row.charged = event.charged;
  row.spec = job.spec;
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
