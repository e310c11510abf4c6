#include <algorithm>

#include "core/declare.h"
#include "core/fleet/price.h"
#include "core/fleet/room.h"
#include "core/jobs/attempt.h"
#include "core/programmes/credit.h"

// Submitting holds the dearest placement that the job permits, so a job that has started can never
// run out of credit.

namespace tenbin {

namespace {

std::optional<Refusal> check_shape(const SubmitJob& c) {
  const Shape& s = c.shape;
  if (s.members < 1 || s.members > members_max || (s.packing == Packing::count && s.members != 1)) {
    return refuse(Reason::members_invalid, members_max);
  }
  if (c.tasks < 1 || c.tasks > tasks_max) return refuse(Reason::tasks_invalid, tasks_max);
  if (s.gpus <= Gpus{0}) return refuse(Reason::gpus_must_be_positive);
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

}  // namespace

Decision decide(const World& world, const Asked& asked, const SubmitJob& c, Instant now,
                Facts& facts) {
  const ProjectId project = find_name(world.index.projects, c.project);
  if (!project) return std::unexpected(refuse(Reason::unknown_project));
  if (const auto refused = check_shape(c)) return std::unexpected(*refused);
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

  Legs taken, legs;
  const JobId first = world.jobs.next_id();
  for (std::uint32_t task = 0; task < c.tasks; ++task) {
    const RegionNeed* chosen = nullptr;
    for (const RegionNeed& n : needs) {
      if (pick_legs(world, project, n.region, n.need, now, {}, taken.span(), legs) == n.need) {
        chosen = &n;
        break;
      }
    }
    if (!chosen) {
      const RegionNeed& cheapest = needs.back();
      const Wide all = Wide{cheapest.need.count} * c.tasks;
      const std::int64_t need = all > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(all);
      const Spendable free = spendable(world, project, cheapest.region, now);
      if (free.amount == Credits{0}) return std::unexpected(refuse(Reason::no_credit, need));
      return std::unexpected(
          refuse(Reason::insufficient_credit, need, free.amount.count, free.until.ms));
    }
    facts.add([&] {
      return JobQueued{.job = JobId{first.value + task},
                       .project = project,
                       .person = asked.by,
                       .shape = c.shape,
                       .pools = pools,
                       .time_limit = c.time_limit,
                       .prices = prices,
                       .array = c.tasks > 1 ? first : JobId{},
                       .task = task,
                       .name = facts.text(c.name),
                       .spec = c.spec,
                       .held = chosen->need,
                       .legs = facts.list(legs.span())};
    });
    if (c.tasks == 1) break;
    for (const Leg& leg : legs) {
      const auto same = std::ranges::find(taken, leg.share, &Leg::share);
      if (same == taken.end()) {
        taken.push_back(leg);
      } else {
        same->amount += leg.amount;
      }
    }
  }
  return first.value;
}

void enqueue(World& world, JobId id, const Job& job) {
  world.index.lanes[job.pools].insert(
      {.job = id,
       .limit = job.limit,
       .gpus_milli = static_cast<std::uint32_t>(job.shape.all_gpus().count),
       .node_milli = static_cast<std::uint32_t>(job.shape.gpus.count)});
}

void dequeue(World& world, JobId id, const Job& job) {
  const auto lane = world.index.lanes.find(job.pools);
  TENBIN_ASSERT(lane != world.index.lanes.end());
  lane->second.remove(id);
  // A few empty ones are kept for the next job; many would slow every pass.
  if (lane->second.empty() && world.index.lanes.size() > 64) world.index.lanes.erase(lane);
}

void evolve(World& world, const JobQueued& e, Instant at) {
  for (const Leg& leg : e.legs) {
    const Share& share = world.shares.at(leg.share);
    hold(world.accounts, share.free, share.used, leg.amount);
  }
  TENBIN_ASSERT(e.job == world.jobs.next_id());
  Job& job = world.jobs.open(e.job);
  job.project = e.project;
  job.person = e.person;
  job.shape = e.shape;
  job.pools = e.pools;
  job.limit = e.time_limit;
  job.submitted = at;
  job.prices = e.prices;
  job.array = e.array;
  job.task = e.task;
  job.name = e.name;
  job.spec = e.spec;
  job.held = e.held;
  job.legs.assign(e.legs);
  enqueue(world, e.job, job);
  ++world.projects.at(e.project).live_jobs;
}

}  // namespace tenbin
