#include "core/jobs/tasks.h"

#include "core/handlers.h"
#include "core/jobs/attempt.h"
#include "core/jobs/line.h"
#include "core/limits.h"

namespace tenbin {

const JobArray* find_array(const World& world, JobId array) {
  if (world.arrays.empty()) return nullptr;
  const auto found = world.arrays.find(array);
  return found == world.arrays.end() ? nullptr : &found->second;
}

const JobArray* array_of_task(const World& world, JobId task, JobId& array) {
  auto next = world.arrays.lower_bound(task);
  if (next == world.arrays.begin()) return nullptr;
  --next;
  if (task.value > next->first.value + next->second.tasks) return nullptr;
  array = next->first;
  return &next->second;
}

JobId row_of(const World& world, JobId job) {
  if (world.jobs.find(job)) return job;
  JobId id;
  const JobArray* array = array_of_task(world, job, id);
  if (!array) return {};
  auto next = array->rows.upper_bound(job);
  if (next == array->rows.begin()) return {};
  const JobId row = *--next;
  return job.value <= row.value + world.jobs.at(row).more ? row : JobId{};
}

ProjectId project_of(const World& world, JobId job) {
  if (const JobArray* array = find_array(world, job)) return array->project;
  const JobId row = row_of(world, job);
  return row ? world.jobs.at(row).project : ProjectId{};
}

Credits held_by(const Job& job) {
  return Credits{job.held.count * static_cast<std::int64_t>(job.tasks())};
}

Credits held_by(const World& world, const JobArray& array) {
  Credits held;
  for (const JobId row : array.rows) held += held_by(world.jobs.at(row));
  return held;
}

JobState state_of(const World& world, const JobArray& array) {
  if (array.ended != Instant{}) {
    if (array.failed > 0) return JobState::failed;
    if (array.time_limit > 0) return JobState::time_limit;
    return array.cancelled > 0 ? JobState::cancelled : JobState::completed;
  }
  // The furthest that any of them has come.
  JobState state = JobState::on_hold;
  for (const JobId row : array.rows) {
    const JobState of_row = world.jobs.at(row).state;
    if (of_row == JobState::running) return of_row;
    const bool further = of_row == JobState::stopping ||
                         (of_row == JobState::queued && state != JobState::stopping) ||
                         (of_row == JobState::blocked && state == JobState::on_hold);
    if (further) state = of_row;
  }
  return state;
}

void count_end(JobArray& array, JobState state) {
  std::uint32_t& count = state == JobState::completed    ? array.completed
                         : state == JobState::time_limit ? array.time_limit
                         : state == JobState::cancelled  ? array.cancelled
                                                         : array.failed;
  ++count;
}

void part(World& world, JobId row, JobId at) {
  Job& from = world.jobs.at(row);
  TENBIN_ASSERT(from.attempt == 0 && at > row && at.value - row.value <= from.more);
  const auto ahead = static_cast<std::uint32_t>(at.value - row.value);
  Job& to = world.jobs.open_reserved(at);
  to.project = from.project;
  to.person = from.person;
  to.shape = from.shape;
  to.pools = from.pools;
  to.limit = from.limit;
  to.submitted = from.submitted;
  to.prices = from.prices;
  to.array = from.array;
  to.task = from.task + ahead;
  to.more = from.more - ahead;
  to.name = from.name;
  to.spec = from.spec;
  to.on_hold = from.on_hold;
  to.never = from.never;
  to.retries = from.retries;
  to.held = from.held;
  to.legs = from.legs;
  to.after = from.after;
  to.labels = from.labels;
  from.more = ahead - 1;
  world.arrays.at(to.array).rows.insert(at);
  await(world, at, to);
  line_up(world, at, to);
}

void leave_array(World& world, JobId id, JobId row, Instant at) {
  JobArray& array = world.arrays.at(id);
  array.rows.erase(row);
  if (!array.rows.empty()) return;
  array.ended = at;
  remember_end(world, id, array.project, array.completed == array.tasks, at);
}

void remember_end(World& world, JobId job, ProjectId project, bool ok, Instant at) {
  world.outcomes.add(job, project, ok, at);
  resolve(world, job, ok);
  const Instant before = at - outcome_memory;
  if (world.outcomes.forget(before)) {
    std::erase_if(world.arrays, [&](const auto& item) {
      return item.second.ended != Instant{} && item.second.ended < before;
    });
  }
}

void evolve(World& world, const TaskParted& e, Instant) {
  const JobId row = row_of(world, e.job);
  TENBIN_ASSERT(bool(row));
  if (row != e.job) part(world, row, e.job);
  if (world.jobs.at(e.job).more > 0) part(world, e.job, JobId{e.job.value + 1});
}

}  // namespace tenbin
