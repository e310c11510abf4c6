#include <algorithm>

#include "core/authorise.h"
#include "core/declare.h"
#include "core/fleet/price.h"
#include "core/fleet/room.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"
#include "core/limits.h"
#include "core/programmes/credit.h"

// Submitting holds the dearest placement that the job permits, so a job that has started can never
// run out of credit. An array holds for all its tasks at once; each task the same as if they had
// been submitted one after the other.

namespace tenbin {

namespace {

std::optional<Refusal> check_shape(const Policy& policy, const SubmitJob& c) {
  const Shape& s = c.shape;
  if (s.members < 1 || s.members > members_max || (s.packing == Packing::count && s.members != 1)) {
    return refuse(Reason::members_invalid, members_max);
  }
  if (c.tasks < 1 || c.tasks > tasks_max) return refuse(Reason::tasks_invalid, tasks_max);
  if (c.tasks == 1 && c.tasks_at_once > 0) return refuse(Reason::tasks_at_once_invalid);
  const bool cpus_alone =
      policy.cpu_jobs && s.gpus == Gpus{0} && s.cpus > Cpus{0} && s.packing == Packing::members;
  if (s.gpus <= Gpus{0} && !cpus_alone) return refuse(Reason::gpus_must_be_positive);
  if (s.gpus.count > 1'000 && s.gpus.count % 1'000 != 0)
    return refuse(Reason::gpus_not_whole, s.gpus.count);
  if (s.gpus > gpus_max || Wide{s.gpus.count} * s.members > gpus_max.count) {
    return refuse(Reason::request_too_large, gpus_max.count);
  }
  if (s.cpus < Cpus{0} || s.cpus > cpus_max || s.memory < Memory{0} || s.memory > memory_max) {
    return refuse(Reason::resources_invalid);
  }
  if (c.name.size() > name_bytes_max) {
    return refuse(Reason::title_too_long, static_cast<std::int64_t>(name_bytes_max));
  }
  if (!valid_utf8(c.name)) return refuse(Reason::text_invalid);
  if (c.time_limit <= Span{0} || c.time_limit > time_limit_max) {
    return refuse(Reason::time_limit_invalid, time_limit_max.count);
  }
  return std::nullopt;
}

std::optional<Refusal> check_conditions(const SubmitJob& c) {
  if (c.retries > retries_max) return refuse(Reason::retries_invalid, retries_max);
  if (c.after.size() > after_max)
    return refuse(Reason::after_invalid, static_cast<std::int64_t>(after_max));
  const Refusal labels_invalid =
      refuse(Reason::labels_invalid, static_cast<std::int64_t>(labels_max),
             static_cast<std::int64_t>(label_key_bytes_max),
             static_cast<std::int64_t>(label_value_bytes_max));
  const auto plain = [](Text text) {
    const auto control = [](char ch) {
      return static_cast<unsigned char>(ch) < 0x20 || ch == 0x7F;
    };
    return valid_utf8(text) && std::ranges::none_of(text, control);
  };
  if (c.labels.size() > labels_max) return labels_invalid;
  for (const Label& label : c.labels) {
    if (label.key.empty() || label.key.size() > label_key_bytes_max ||
        label.value.size() > label_value_bytes_max || !plain(label.key) || !plain(label.value) ||
        std::ranges::count(c.labels, label.key, &Label::key) > 1) {
      return labels_invalid;
    }
  }
  return std::nullopt;
}

/// What is known of a job that another is to come after.
struct Target {
  ProjectId project;  // none: nothing is known
  enum class Is { live, ok, not_ok } is = Is::live;
};
Target target_of(const World& world, JobId id) {
  using enum Target::Is;
  if (const JobArray* array = find_array(world, id)) {
    if (array->ended == Instant{}) return {array->project, live};
    return {array->project, array->completed == array->tasks ? ok : not_ok};
  }
  if (const JobId row = row_of(world, id)) return {world.jobs.at(row).project, live};
  if (const auto known = world.outcomes.find(id)) return {known->project, known->ok ? ok : not_ok};
  // A task of which nothing else is known was cancelled with others; unless the array began so long
  // ago that how its first tasks ended may be forgotten.
  JobId array_id;
  const JobArray* array = array_of_task(world, id, array_id);
  if (array && (array->started == Instant{} || world.outcomes.swept() <= array->started))
    return {array->project, not_ok};
  return {};
}

template <class IdType>
std::optional<std::uint64_t> mask_of(const World::Index::Names<IdType>& names,
                                     std::span<const Text> wanted) {
  std::uint64_t mask = 0;
  for (const Text name : wanted) {
    const IdType id = find_name(names, name);
    if (!id) return std::nullopt;
    mask |= PoolSet::bit(id.value);
  }
  return mask;
}

/// What a job would hold if it ran in one region: the dearest of its pools there.
struct RegionNeed {
  RegionId region;
  Credits need;
};

/// Adds what a job waits for beside room. Changes nothing if it is refused.
std::optional<Refusal> add_conditions(const World& world, const Asked& asked, const SubmitJob& c,
                                      JobId id, Facts& facts) {
  std::vector<After> after;
  JobId never_met;
  for (const After& a : c.after) {
    const Target target = target_of(world, a.job);
    if (!target.project || !may_see(world, asked.by, Question::jobs, {.project = target.project})) {
      return refuse(Reason::unknown_after, static_cast<std::int64_t>(a.job.value),
                    outcome_memory.count / 86'400'000);
    }
    if (target.is == Target::Is::live) {
      after.push_back(a);
    } else if (a.when != When::any && (a.when == When::ok) != (target.is == Target::Is::ok)) {
      if (!never_met) never_met = a.job;
    }
  }
  const std::span<Label> labels = facts.make<Label>(c.labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = {facts.text(c.labels[i].key), facts.text(c.labels[i].value)};
  facts.add(JobConditions{id, facts.list<After>(after), never_met, c.hold, c.retries, labels});
  return std::nullopt;
}

/// What the tasks of an array hold, each the same as if they had been submitted one by one; fewer
/// than it has if the credit is not enough for all. The dearest region comes first.
std::vector<TaskPart> parts_of(const World& world, ProjectId project, const SubmitJob& c,
                               std::span<const RegionNeed> needs, Instant now, Facts& facts) {
  Legs taken, legs;
  std::vector<TaskPart> parts;
  auto region = needs.begin();  // those before it cannot pay for another task
  for (std::uint32_t left = c.tasks; left > 0;) {
    while (region != needs.end() && pick_legs(world, project, region->region, region->need, now, {},
                                              taken.span(), legs) != region->need) {
      ++region;
    }
    if (region == needs.end()) break;
    // As many tasks as one lot pays for wholly hold the same; where two lots meet, one does.
    std::uint32_t alike = 1;
    if (region->need == Credits{0}) {
      alike = left;
    } else if (legs.size() == 1) {
      const auto same = std::ranges::find(taken, legs[0].share, &Leg::share);
      const Credits free = world.accounts.at(world.shares.at(legs[0].share).free).free() -
                           (same == taken.end() ? Credits{0} : same->amount);
      alike =
          static_cast<std::uint32_t>(std::min<std::int64_t>(left, free.count / region->need.count));
    }
    parts.push_back({alike, region->need, facts.list(legs.span())});
    left -= alike;
    for (const Leg& leg : legs) {
      const Credits amount{leg.amount.count * alike};
      const auto same = std::ranges::find(taken, leg.share, &Leg::share);
      if (same == taken.end()) {
        taken.push_back({leg.share, amount});
      } else {
        same->amount += amount;
      }
    }
  }
  return parts;
}

/// The project cannot pay for all tasks even where they are cheapest.
Refusal too_dear(const World& world, ProjectId project, const RegionNeed& cheapest,
                 std::uint32_t tasks, Instant now) {
  const Wide all = Wide{cheapest.need.count} * tasks;
  const std::int64_t need = all > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(all);
  const Spendable free = spendable(world, project, cheapest.region, now);
  if (free.amount == Credits{0}) return refuse(Reason::no_credit, need);
  return refuse(Reason::insufficient_credit, need, free.amount.count, free.until.ms);
}

}  // namespace

Decision decide(const World& world, const Asked& asked, const SubmitJob& c, Instant now,
                Facts& facts) {
  const ProjectId project = find_name(world.index.projects, c.project);
  if (!project) return std::unexpected(refuse(Reason::unknown_project));
  if (const auto refused = check_shape(world.policy, c)) return std::unexpected(*refused);
  const bool conditional =
      !c.after.empty() || c.hold || c.retries > 0 || !c.labels.empty();  // most are not
  if (conditional) {
    if (const auto refused = check_conditions(c)) return std::unexpected(*refused);
  }
  const std::uint64_t live = world.projects.at(project).live_jobs;
  if (live + c.tasks > live_jobs_max) {
    return std::unexpected(refuse(Reason::too_many_live_jobs, static_cast<std::int64_t>(live),
                                  c.tasks, static_cast<std::int64_t>(live_jobs_max)));
  }
  const auto models = mask_of(world.index.models, c.models);
  if (!models) return std::unexpected(refuse(Reason::unknown_gpu_model));
  const auto regions = mask_of(world.index.regions, c.regions);
  if (!regions) return std::unexpected(refuse(Reason::unknown_region));

  // Where it could run, and what that would cost in each region.
  const PriceId prices = newest_price(world);
  PoolSet pools;
  SmallVector<RegionNeed, 4> needs;
  world.pools.each([&](PoolId id, const Pool& pool) {
    if (*models && !(*models & PoolSet::bit(pool.model.value))) return;
    if (*regions && !(*regions & PoolSet::bit(pool.region.value))) return;
    if (!fits_empty(pool, c.shape)) return;
    const auto rate = rate_of(world, pool, c.shape, prices);
    if (!rate) return;
    pools.add(id);
    const Credits need = price(c.time_limit, *rate);
    const auto same = std::ranges::find(needs, pool.region, &RegionNeed::region);
    if (same == needs.end()) {
      needs.push_back({pool.region, need});
    } else {
      same->need = std::max(same->need, need);
    }
  });
  if (pools.empty()) {
    return std::unexpected(
        refuse(Reason::no_pool_fits, c.shape.all_gpus().count, std::int64_t{c.shape.members}));
  }
  // The dearest region first: what suffices there suffices wherever the same lots may be spent.
  if (needs.size() > 1) std::ranges::stable_sort(needs, std::ranges::greater{}, &RegionNeed::need);

  const JobId id = world.jobs.next_id();
  if (c.tasks == 1) {
    Legs legs;
    const RegionNeed* chosen = nullptr;
    for (const RegionNeed& n : needs) {
      if (pick_legs(world, project, n.region, n.need, now, {}, {}, legs) == n.need) {
        chosen = &n;
        break;
      }
    }
    if (!chosen) return std::unexpected(too_dear(world, project, needs.back(), 1, now));
    facts.add([&] {
      return JobQueued{.job = id,
                       .project = project,
                       .person = asked.by,
                       .shape = c.shape,
                       .pools = pools,
                       .time_limit = c.time_limit,
                       .prices = prices,
                       .name = facts.text(c.name),
                       .spec = c.spec,
                       .held = chosen->need,
                       .legs = facts.list(legs.span())};
    });
  } else {
    const std::vector<TaskPart> parts =
        parts_of(world, project, c, {needs.data(), needs.size()}, now, facts);
    std::uint64_t paid = 0;
    for (const TaskPart& part : parts) paid += part.tasks;
    if (paid < c.tasks)
      return std::unexpected(too_dear(world, project, needs.back(), c.tasks, now));
    facts.add([&] {
      return ArrayQueued{.array = id,
                         .project = project,
                         .person = asked.by,
                         .shape = c.shape,
                         .pools = pools,
                         .time_limit = c.time_limit,
                         .prices = prices,
                         .tasks = c.tasks,
                         .tasks_at_once = c.tasks_at_once,
                         .name = facts.text(c.name),
                         .spec = c.spec,
                         .parts = facts.list<TaskPart>(parts)};
    });
  }
  if (conditional) {
    if (const auto refused = add_conditions(world, asked, c, id, facts))
      return std::unexpected(*refused);
  }
  return id.value;
}

namespace {

template <class E>
void fill(Job& job, const E& e, Instant at) {
  job.project = e.project;
  job.person = e.person;
  job.shape = e.shape;
  job.pools = e.pools;
  job.limit = e.time_limit;
  job.submitted = at;
  job.prices = e.prices;
  if (!e.name.empty()) job.name = e.name;
  job.spec = e.spec;
}

}  // namespace

void evolve(World& world, const JobQueued& e, Instant at) {
  for (const Leg& leg : e.legs) {
    const Share& share = world.shares.at(leg.share);
    hold(world.accounts, share.free, share.used, leg.amount);
  }
  TENBIN_ASSERT(e.job == world.jobs.next_id());
  Job& job = world.jobs.open(e.job);
  fill(job, e, at);
  job.held = e.held;
  job.legs.assign(e.legs);
  enqueue(world, e.job, job);
  ++world.projects.at(e.project).live_jobs;
}

void evolve(World& world, const ArrayQueued& e, Instant at) {
  TENBIN_ASSERT(e.array == world.jobs.next_id());
  JobArray& array = world.arrays[e.array];
  array.project = e.project;
  array.tasks = e.tasks;
  array.at_once = e.tasks_at_once;
  std::uint32_t task = 0;
  for (const TaskPart& part : e.parts) {
    for (const Leg& leg : part.legs) {
      const Share& share = world.shares.at(leg.share);
      hold(world.accounts, share.free, share.used, Credits{leg.amount.count * part.tasks});
    }
    const JobId id{e.array.value + 1 + task};
    Job& job = world.jobs.open(id);
    fill(job, e, at);
    job.array = e.array;
    job.task = task;
    job.more = part.tasks - 1;
    job.held = part.held;
    job.legs.assign(part.legs);
    array.rows.insert(id);
    array.held += held_by(job);
    enqueue(world, id, job);
    task += part.tasks;
  }
  TENBIN_ASSERT(task == e.tasks);
  world.jobs.skip_to(JobId{e.array.value + 1 + e.tasks});
  world.projects.at(e.project).live_jobs += e.tasks;
}

void evolve(World& world, const JobConditions& e, Instant) {
  const auto set = [&](JobId id) {
    Job& job = world.jobs.at(id);
    job.after.assign(e.after.begin(), e.after.end());
    job.never = bool(e.never_met);
    job.on_hold = e.hold;
    job.retries = e.retries;
    for (const Label& label : e.labels) job.labels.emplace_back(label.key, label.value);
    await(world, id, job);
    review(world, id, job);
  };
  if (const JobArray* array = find_array(world, e.job)) {
    for (const JobId row : array->rows) set(row);
  } else {
    set(e.job);
  }
}

}  // namespace tenbin
