#include "property/auditor.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace tenbin {

namespace {

std::vector<Leg> not_empty(std::span<const Leg> legs) {
  std::vector<Leg> result;
  for (const Leg& leg : legs) {
    if (leg.amount != Credits{0}) result.push_back(leg);
  }
  return result;
}

Credits sum(std::span<const Leg> legs) {
  Credits all;
  for (const Leg& leg : legs) all += leg.amount;
  return all;
}

Credits on(std::span<const Leg> legs, ShareId share) {
  for (const Leg& leg : legs) {
    if (leg.share == share) return leg.amount;
  }
  return Credits{0};
}

}  // namespace

void Auditor::expect(bool good, std::string what) {
  if (!good && complaint_.empty()) complaint_ = std::move(what);
}

void Auditor::hear(const Asked& asked, Instant at, std::span<const Event> events) {
  at_ = at;
  asked_ = &asked;
  for (const Event& event : events) {
    std::visit([&](const auto& e) { take_in(e); }, event);
  }
  for (const auto& [id, lot] : lots_)
    expect(!lot.expired || lot.unallocated == Credits{0}, "an expired lot has nothing left");
  for (const auto& [id, share] : shares_) {
    expect(!lots_[share.lot].expired || share.free == Credits{0}, "expired credit is gone");
  }
  if (std::holds_alternative<Schedule>(asked.command)) {
    first_is_blocked();
    for (const auto& [id, job] : jobs_) expect(!job.never, "what can never start is cancelled");
  }
}

// ---- credit ----

void Auditor::take_in(const FunderDeclared& e) {
  expect(Wide{e.committed.count} == Wide{e.commitment.minor} * e.credits_per_minor.count,
         "a commitment at its rate");
  funders_[e.funder] = {e.committed, Credits{0}};
}

void Auditor::take_in(const LotDeclared& e) {
  auto& [committed, promised] = funders_[e.funder];
  promised += e.credits;
  expect(promised <= committed, "a funder promises no more than it committed");
  expect(at_ < e.expires && e.valid_from < e.expires, "a lot is born valid");
  lots_[e.lot] = {e.funder,  e.valid_from, e.expires,  e.regions,
                  e.credits, e.credits,    Credits{0}, false};
}

void Auditor::take_in(const AllocationDeclared& e) {
  Credits all;
  for (const LotPart& part : e.parts) {
    Lot& lot = lots_[part.lot];
    expect(part.amount > Credits{0} && lot.unallocated >= part.amount, "a lot gives what it has");
    expect(at_ < lot.expires, "an expired lot gives nothing");
    lot.unallocated -= part.amount;
    expect(!shares_.contains(part.share), "a share is new");
    shares_[part.share] = {part.lot, e.project, part.amount, Credits{0}, Credits{0}, e.allocation};
    all += part.amount;
  }
  expect(all == e.amount, "the parts of an allocation add up");
  allocations_[e.allocation] = {e.project, e.amount};
}

void Auditor::take_in(const FunderChanged& e) {
  auto& [committed, promised] = funders_[e.funder];
  expect(promised <= e.committed, "a commitment covers what is in lots");
  committed = e.committed;
}

void Auditor::take_in(const LotChanged& e) {
  Lot& lot = lots_[e.lot];
  auto& [committed, promised] = funders_[lot.funder];
  expect(!lot.expired && at_ < lot.expires, "what has expired stays expired");
  expect(e.expires >= at_ && e.expires > lot.from, "an expiry moves to no earlier than now");
  const Credits more = e.credits - lot.credits;
  promised += more;
  expect(promised <= committed, "a funder promises no more than it committed");
  lot.unallocated += more;
  expect(lot.unallocated >= Credits{0}, "what is allocated stays in the lot");
  lot.credits = e.credits;
  lot.expires = e.expires;
}

void Auditor::take_in(const AllocationChanged& e) {
  Allocation& allocation = allocations_[e.allocation];
  for (const LotPart& part : e.added) {
    Lot& lot = lots_[part.lot];
    expect(part.amount > Credits{0} && lot.unallocated >= part.amount, "a lot gives what it has");
    expect(at_ < lot.expires && !lot.expired, "an expired lot gives nothing");
    lot.unallocated -= part.amount;
    const bool there = shares_.contains(part.share);
    Share& share = shares_[part.share];
    expect(!there || (share.lot == part.lot && share.allocation == e.allocation),
           "an allocation grows in its own shares");
    if (!there) share = {part.lot, allocation.project, {}, {}, {}, e.allocation};
    share.free += part.amount;
    allocation.amount += part.amount;
  }
  for (const LotPart& part : e.taken) {
    Share& share = shares_[part.share];
    expect(share.allocation == e.allocation && share.lot == part.lot,
           "an allocation gives its own");
    expect(part.amount > Credits{0} && share.free >= part.amount, "what is held or spent stays");
    expect(!lots_[part.lot].expired, "expired credit does not come back");
    share.free -= part.amount;
    lots_[part.lot].unallocated += part.amount;
    allocation.amount -= part.amount;
  }
  expect(e.added.empty() || e.taken.empty(), "an allocation is raised or lowered");
  expect(allocation.amount == e.amount, "the parts of a change add up");
}

void Auditor::take_in(const PersonDeclared& e) {
  if (e.role == Role::officer) officers_.insert(e.person);
}

void Auditor::take_in(const PersonChanged& e) {
  const bool some = !officers_.empty();
  if (e.role == Role::officer && !e.disabled) {
    officers_.insert(e.person);
  } else {
    officers_.erase(e.person);
  }
  expect(!some || !officers_.empty(), "an officer remains");
}

void Auditor::take_in(const LotExpired& e) {
  Lot& lot = lots_[e.lot];
  expect(at_ >= lot.expires && !lot.expired, "a lot expires once, at its time");
  expect(e.unallocated == lot.unallocated, "all that is unallocated expires");
  lot.expired = true;
  lot.gone += lot.unallocated;
  lot.unallocated = Credits{0};
  for (const Leg& leg : e.shares) {
    Share& share = shares_[leg.share];
    expect(share.lot == e.lot && share.free == leg.amount, "all that is free expires");
    share.free -= leg.amount;
    lot.gone += leg.amount;
  }
}

void Auditor::take_in(const CreditExpired& e) {
  for (const Leg& leg : e.shares) {
    Share& share = shares_[leg.share];
    expect(lots_[share.lot].expired && share.free >= leg.amount, "only expired credit expires");
    share.free -= leg.amount;
    lots_[share.lot].gone += leg.amount;
  }
}

bool Auditor::spendable(const Share& share, RegionId region) const {
  const std::uint64_t where = lots_.at(share.lot).regions;
  return where == 0 || (where >> (region.value - 1) & 1) != 0;
}

// What ought to pay `need`: lots by earliest expiry, narrowest eligibility, oldest validity, lowest
// id.
std::vector<Leg> Auditor::pick(ProjectId project, RegionId region, Wide need,
                               const std::vector<Leg>& pinned) const {
  std::vector<std::tuple<Instant, int, Instant, LotId, ShareId>> order;
  for (const auto& [id, share] : shares_) {
    const Lot& lot = lots_.at(share.lot);
    if (share.project != project || !spendable(share, region)) continue;
    order.emplace_back(lot.expires, lot.regions == 0 ? 99 : std::popcount(lot.regions), lot.from,
                       share.lot, id);
  }
  std::ranges::sort(order);
  std::vector<Leg> legs;
  for (const auto& [expires, breadth, from, lot, id] : order) {
    Wide there = on(pinned, id).count;
    if (from <= at_ && at_ < expires) there += shares_.at(id).free.count;
    const Wide amount = std::min(there, need);
    if (amount <= 0) continue;
    legs.push_back({id, Credits{static_cast<std::int64_t>(amount)}});
    need -= amount;
  }
  return legs;
}

// What ought to pay for `job` in `pool` if it starts there now.
std::vector<Leg> Auditor::paying(const Job& job, PoolId pool_id, bool& enough) const {
  const Pool& pool = pools_.at(pool_id);
  const Wide need = cost(job.limit, rate(pool, pool_id, job.shape, job.prices));
  const bool eligible = std::ranges::all_of(job.legs, [&](const Leg& leg) {
    return leg.amount == Credits{0} || spendable(shares_.at(leg.share), pool.region);
  });
  std::vector<Leg> legs;
  if (need <= job.held.count && eligible) {
    Wide left = need;
    for (const Leg& leg : job.legs) {
      const Wide amount = std::min(left, Wide{leg.amount.count});
      legs.push_back({leg.share, Credits{static_cast<std::int64_t>(amount)}});
      left -= amount;
    }
  } else {
    legs = pick(job.project, pool.region, need, job.legs);
  }
  enough = Wide{sum(legs).count} == need;
  return not_empty(legs);
}

void Auditor::compare(const World& world) {
  for (const auto& [id, books] : funders_) {
    const auto& [committed, promised] = books;
    Wide all = committed.count - promised.count;
    for (const auto& [lot_id, lot] : lots_) {
      if (lot.funder != id) continue;
      all += lot.unallocated.count + Wide{lot.gone.count};
      for (const auto& [share_id, share] : shares_) {
        if (share.lot == lot_id)
          all += Wide{share.free.count} + share.held.count + share.spent.count;
      }
    }
    expect(all == committed.count, "a funder's credit adds up");
    expect(world.accounts.at(world.funders.at(id).account).free() == committed - promised,
           "uncommitted agrees");
  }
  for (const auto& [id, lot] : lots_) {
    expect(world.accounts.at(world.lots.at(id).unallocated).free() == lot.unallocated,
           "unallocated agrees");
    expect(world.accounts.at(world.lots.at(id).gone).balance() == lot.gone, "expired agrees");
  }
  for (const auto& [id, share] : shares_) {
    const Account& free = world.accounts.at(world.shares.at(id).free);
    expect(share.free >= Credits{0} && free.free() == share.free, "free agrees");
    expect(free.debits_pending == share.held, "held agrees");
    expect(world.accounts.at(world.shares.at(id).used).balance() == share.spent, "spent agrees");
  }
  std::uint64_t tasks = 0;
  world.jobs.each([&](JobId, const tenbin::Job& job) { tasks += job.tasks(); });
  expect(tasks == jobs_.size(), "the same jobs live");
}

// ---- fleet ----

void Auditor::take_in(const PoolDeclared& e) {
  pools_[e.pool] = {e.region, e.kind, e.gpus_per_node, e.cpus, e.memory, e.counted, Gpus{0}};
}
void Auditor::take_in(const NodeDeclared& e) {
  nodes_[e.node].pool = e.pool;
}
void Auditor::take_in(const PriceSet& e) {
  expect(prices_.empty() || prices_.rbegin()->first < e.price, "prices ascend");
  prices_[e.price] = {e.pool, e.gpu_hour, e.fraction_ppm};
}
void Auditor::take_in(const NodeStateSet& e) {
  nodes_[e.node].state = e.state;
}

Wide Auditor::rate(const Pool&, PoolId id, const Shape& shape, PriceId prices) const {
  Wide hour = -1;
  for (const auto& [price_id, price] : prices_) {
    if (price_id > prices || price.pool != id) continue;
    const Wide fraction =
        Wide{shape.gpus.count % 1'000} * price.gpu_hour.count * price.fraction_ppm / 1'000'000'000;
    hour = (Wide{shape.gpus.count / 1'000} * price.gpu_hour.count + fraction) * shape.members;
  }
  return hour;
}

bool Auditor::node_takes(const Pool& pool, const Node& node, const Shape& shape, Gpus gpus) const {
  if (node.state != NodeState::up) return false;
  if (pool.cpus > Cpus{0} && node.cpus + shape.cpus.count > pool.cpus.count) return false;
  if (pool.memory > Memory{0} && node.memory + shape.memory.count > pool.memory.count) return false;
  std::int64_t whole = 0, most = 0;
  for (std::uint32_t d = 0; d < pool.gpus; ++d) {
    whole += node.used[d] == 0 ? 1'000 : 0;
    most = std::max(most, 1'000 - node.used[d]);
  }
  return gpus.count < 1'000 ? most >= gpus.count : whole >= gpus.count;
}

bool Auditor::room(PoolId id, const Shape& shape) const {
  const Pool& pool = pools_.at(id);
  if (pool.kind == PoolKind::counted) return pool.used + shape.all_gpus() <= pool.counted;
  const auto that_take = [&](Gpus gpus) {
    std::int64_t count = 0;
    for (const auto& [node_id, node] : nodes_)
      count += node.pool == id && node_takes(pool, node, shape, gpus) ? 1 : 0;
    return count;
  };
  if (shape.packing == Packing::members) return that_take(shape.gpus) >= shape.members;
  const std::int64_t node = std::int64_t{pool.gpus} * 1'000;
  if (shape.gpus.count <= node) return that_take(shape.gpus) >= 1;
  const std::int64_t whole = shape.gpus.count / node, rest = shape.gpus.count % node;
  return that_take(Gpus{node}) >= whole && (rest == 0 || that_take(Gpus{rest}) >= whole + 1);
}

void Auditor::place(const Job& job, std::int64_t sign) {
  Pool& pool = pools_[job.pool];
  if (pool.kind == PoolKind::counted) {
    pool.used += Gpus{sign * job.shape.all_gpus().count};
    expect(pool.used >= Gpus{0} && pool.used <= pool.counted, "a counted pool is not overfull");
    expect(job.slices.empty(), "a counted pool has no places");
    return;
  }
  std::set<NodeId> used;
  Gpus given;
  for (const Slice& slice : job.slices) {
    Node& node = nodes_[slice.node];
    expect(used.insert(slice.node).second, "each part of a job has a node of its own");
    expect(node.pool == job.pool, "a job lies in its pool");
    for (std::uint32_t d = 0; d < 32; ++d) {
      if (!(slice.mask >> d & 1)) continue;
      expect(d < pool.gpus, "a device is there");
      const std::int64_t milli = slice.milli == 0 ? 1'000 : slice.milli;
      node.used[d] += sign * milli;
      given += Gpus{milli};
      expect(node.used[d] >= 0 && node.used[d] <= 1'000, "no GPU is given twice");
    }
    node.cpus += sign * job.shape.cpus.count;
    node.memory += sign * job.shape.memory.count;
    expect(pool.cpus == Cpus{0} || node.cpus <= pool.cpus.count, "CPUs are not given twice");
    expect(pool.memory == Memory{0} || node.memory <= pool.memory.count,
           "memory is not given twice");
  }
  expect(given == job.shape.all_gpus(), "a job gets the GPUs that it asked for");
  expect(job.shape.packing == Packing::count || job.slices.size() == job.shape.members,
         "a gang has all its members");
}

// ---- jobs ----

void Auditor::take_in(const JobQueued& e) {
  queue(e.job, {e.project, e.shape, e.pools, e.time_limit, e.prices, e.held, e.legs});
}

// An array is what its tasks would be if they had been submitted one after the other.
void Auditor::take_in(const ArrayQueued& e) {
  arrays_[e.array] = {e.project, e.tasks, e.tasks_at_once};
  std::uint64_t next = e.array.value;
  for (const TaskPart& part : e.parts) {
    for (std::uint32_t t = 0; t < part.tasks; ++t) {
      queue(JobId{++next},
            {e.project, e.shape, e.pools, e.time_limit, e.prices, part.held, part.legs})
          .array = e.array;
    }
  }
  expect(next == e.array.value + e.tasks, "an array has all its tasks");
}

Auditor::Job& Auditor::queue(JobId new_id, const Queued& e) {
  expect((jobs_.empty() || jobs_.rbegin()->first < new_id) &&
             (ended_.empty() || ended_.rbegin()->first < new_id),
         "jobs are numbered in order");
  // The dearest region that the project can pay for.
  std::vector<std::pair<RegionId, Wide>> needs;
  for (const auto& [id, pool] : pools_) {
    if (!e.pools.has(id)) continue;
    const Wide hour = rate(pool, id, e.shape, e.prices);
    expect(hour >= 0, "a permitted pool has a price");
    const Wide need = cost(e.limit, hour);
    const auto same = std::ranges::find(needs, pool.region, [](const auto& n) { return n.first; });
    if (same == needs.end()) {
      needs.emplace_back(pool.region, need);
    } else {
      same->second = std::max(same->second, need);
    }
  }
  std::ranges::stable_sort(needs, [](const auto& a, const auto& b) { return a.second > b.second; });
  bool paid = false;
  for (const auto& [region, need] : needs) {
    const std::vector<Leg> legs = pick(e.project, region, need, {});
    if (Wide{sum(legs).count} != need) continue;
    expect(Wide{e.held.count} == need,
           "a job holds the dearest placement that its project can pay");
    expect(std::ranges::equal(not_empty(e.legs), legs), "lots are consumed in their order");
    paid = true;
    break;
  }
  expect(paid, "no job is accepted without credit");

  for (const Leg& leg : e.legs) {
    Share& share = shares_[leg.share];
    const Lot& lot = lots_[share.lot];
    expect(leg.amount == Credits{0} || (lot.from <= at_ && at_ < lot.expires),
           "only valid credit is held");
    expect(share.project == e.project, "a project spends its own");
    share.free -= leg.amount;
    share.held += leg.amount;
    expect(share.free >= Credits{0}, "no credit is held twice");
  }
  expect(sum(e.legs) == e.held, "the legs of a hold add up");
  Job job;
  job.project = e.project;
  job.shape = e.shape;
  job.pools = e.pools;
  job.limit = e.limit;
  job.prices = e.prices;
  job.held = e.held;
  job.legs.assign(e.legs.begin(), e.legs.end());
  return jobs_[new_id] = std::move(job);
}

template <class Visit>
void Auditor::each_of(JobId id, Visit&& visit) {
  for (auto& [job_id, job] : jobs_) {
    if (job_id == id || job.array == id) visit(job);
  }
}

void Auditor::take_in(const JobConditions& e) {
  const SubmitJob& asked = std::get<SubmitJob>(asked_->command);
  std::vector<After> after;
  bool never = false;
  for (const After& a : asked.after) {
    const auto ended = ended_.find(a.job);
    if (ended == ended_.end()) {
      after.push_back(a);
    } else {
      never = never || (a.when == When::ok && !ended->second) ||
              (a.when == When::not_ok && ended->second);
    }
  }
  expect(std::ranges::equal(after, e.after) && never == bool(e.never_met),
         "a job comes after what it said");
  for (const After& a : after) {
    expect(jobs_.contains(a.job) || (arrays_.contains(a.job) && !arrays_[a.job].over),
           "what it comes after is there");
  }
  expect(e.hold == asked.hold && e.retries == asked.retries &&
             std::ranges::equal(e.labels, asked.labels),
         "a job gets what it asked for");
  each_of(e.job, [&](Job& job) {
    job.after = after;
    job.never = never;
    job.hold = e.hold;
    job.retries = e.retries;
  });
}

void Auditor::take_in(const TaskParted& e) {
  expect(jobs_.contains(e.job) && jobs_[e.job].array && jobs_[e.job].attempt == 0,
         "only a task that has not started is parted");
}

void Auditor::take_in(const JobHeld& e) {
  each_of(e.job, [&](Job& job) {
    if (job.life == Life::waiting) job.hold = true;
  });
}

void Auditor::take_in(const JobReleased& e) {
  each_of(e.job, [&](Job& job) {
    if (job.life == Life::waiting) job.hold = false;
  });
}

bool Auditor::full(JobId id) const {
  if (!id) return false;
  const Array& array = arrays_.at(id);
  std::uint32_t active = 0;
  for (const auto& [job_id, job] : jobs_)
    active += job.array == id && job.life != Life::waiting ? 1 : 0;
  return array.at_once > 0 && active >= array.at_once;
}

bool Auditor::eligible(const Job& job) const {
  return job.life == Life::waiting && !job.hold && !job.never && job.after.empty() &&
         !full(job.array);
}

void Auditor::take_in(const PromiseMoved& e) {
  const Job& job = jobs_[e.job];
  expect(eligible(job) && job.pools.has(e.pool), "a promise is to a job that waits for this pool");
  bool enough = false;
  static_cast<void>(paying(job, e.pool, enough));
  expect(enough, "a promise can be paid");
  expect(e.at >= at_, "a promise lies ahead");
}

void Auditor::take_in(const JobStarted& e) {
  Job& job = jobs_[e.job];
  expect(jobs_.contains(e.job) && eligible(job), "only what waits for room alone is started");
  expect(e.attempt == job.attempt + 1, "attempts are counted");
  expect(job.pools.has(e.pool), "a job starts where it may");
  const Pool& pool = pools_[e.pool];
  expect(Wide{e.rate.count} == rate(pool, e.pool, job.shape, job.prices),
         "the price of the place, when it was submitted");
  expect(Wide{e.held.count} == cost(job.limit, e.rate.count), "the hold covers the limit");

  bool enough = false;
  const std::vector<Leg> legs = paying(job, e.pool, enough);
  expect(enough, "no job starts without credit");
  expect(std::ranges::equal(not_empty(e.legs), legs), "lots pay in their order at the start");
  for (const Leg& leg : e.legs) {
    const Share& share = shares_[leg.share];
    const Lot& lot = lots_[share.lot];
    expect(leg.amount == Credits{0} || spendable(share, pool.region),
           "no lot is spent outside its regions");
    expect(leg.amount <= on(job.legs, leg.share) || (lot.from <= at_ && at_ < lot.expires),
           "only valid credit is newly held");
  }
  for (const auto& [id, other] : jobs_) {
    if (policy_.backfill != Backfill::none) break;
    if (!goes_before(id, other, e.job, job) || !eligible(other) || !other.pools.has(e.pool))
      continue;
    bool payable = false;
    static_cast<void>(paying(other, e.pool, payable));
    expect(!payable, "nobody is passed who could be paid");
  }

  for (const Leg& leg : job.legs) {
    shares_[leg.share].held -= leg.amount;
    shares_[leg.share].free += leg.amount;
  }
  for (const Leg& leg : e.legs) {
    Share& share = shares_[leg.share];
    share.free -= leg.amount;
    share.held += leg.amount;
    expect(share.free >= Credits{0}, "no credit is held twice");
  }
  job.legs.assign(e.legs.begin(), e.legs.end());
  job.held = e.held;
  expect(sum(e.legs) == e.held, "the legs of a hold add up");
  job.life = Life::running;
  job.attempt = e.attempt;
  job.pool = e.pool;
  job.rate = Credits{e.rate.count};
  job.started = at_;
  job.slices.assign(e.slices.begin(), e.slices.end());
  for (const Slice& slice : job.slices)
    expect(nodes_[slice.node].state == NodeState::up, "work starts on nodes in service");
  place(job, +1);
}

void Auditor::take_in(const StopRequested& e) {
  Job& job = jobs_[e.job];
  expect(job.life == Life::running, "only what runs is asked to stop");
  job.life = Life::stopping;
  job.stop = at_;
}

void Auditor::take_in(const AttemptLost& e) {
  Job& job = jobs_[e.job];
  expect(job.life == Life::running && job.attempt == e.attempt,
         "only the attempt that runs is lost");
  expect(e.ended >= job.started && e.ended <= at_, "an end lies between start and now");
  place(job, -1);
  job.life = Life::waiting;
}

// What an attempt that has been running costs if it ended then.
Wide Auditor::due(const Job& job, Instant ended) const {
  const ReportEnd* report = std::get_if<ReportEnd>(&asked_->command);
  if (!report || report->kind == EndKind::lost || report->kind == EndKind::launch_failed) return 0;
  Instant until = std::min(ended, job.started + job.limit);
  if (job.life == Life::stopping) until = std::min(until, job.stop);
  return cost(until - job.started, job.rate.count);
}

// Ends a hold, and returns what is left of its legs.
std::vector<Leg> Auditor::capture(Job& job, Credits charged, std::span<const Leg> captures) {
  std::vector<Leg> rest;
  Credits left = charged;
  std::size_t next = 0;
  for (const Leg& leg : job.legs) {
    const Credits amount = std::min(left, leg.amount);
    if (amount > Credits{0}) {
      expect(next < captures.size() && captures[next] == Leg{leg.share, amount},
             "a charge is taken in the order of the legs");
      ++next;
    }
    left -= amount;
    Share& share = shares_[leg.share];
    share.held -= leg.amount;
    share.spent += amount;
    share.free += leg.amount - amount;
    rest.push_back({leg.share, leg.amount - amount});
    expect(share.held >= Credits{0}, "no hold ends twice");
  }
  expect(next == captures.size(), "no more is captured than charged");
  return rest;
}

void Auditor::take_in(const AttemptFailed& e) {
  Job& job = jobs_[e.job];
  expect(job.life == Life::running && job.attempt == e.attempt && job.failures < job.retries,
         "only what runs fails, and is tried again as often as was asked");
  expect(Wide{e.charged.count} == due(job, e.ended), "a failed attempt is charged");
  expect(sum(e.legs) == job.held, "another attempt holds as much");
  const Pool& pool = pools_[job.pool];
  // What the hold has left counts for the next: the books as they are before it goes back.
  std::vector<Leg> pinned;
  {
    Credits left = e.charged;
    for (const Leg& leg : job.legs) {
      const Credits amount = std::min(left, leg.amount);
      left -= amount;
      pinned.push_back({leg.share, leg.amount - amount});
    }
  }
  const std::vector<Leg> legs = pick(job.project, pool.region, job.held.count, pinned);
  expect(std::ranges::equal(not_empty(e.legs), legs),
         "lots pay in their order for another attempt");
  static_cast<void>(capture(job, e.charged, e.captures));
  for (const Leg& leg : e.legs) {
    Share& share = shares_[leg.share];
    share.free -= leg.amount;
    share.held += leg.amount;
    expect(share.free >= Credits{0}, "no credit is held twice");
  }
  job.legs.assign(e.legs.begin(), e.legs.end());
  place(job, -1);
  ++job.failures;
  job.life = Life::waiting;
}

void Auditor::take_in(const TasksCancelled& e) {
  std::vector<JobId> gone;
  Credits released;
  for (auto& [id, job] : jobs_) {
    if (job.array != e.array || job.attempt > 0) continue;
    expect(e.why != Why::dependency_never_met || job.never,
           "only what can never start is cancelled");
    released += job.held;
    static_cast<void>(capture(job, Credits{0}, {}));
    gone.push_back(id);
  }
  expect(gone.size() == e.tasks && released == e.released && e.ended == at_,
         "all tasks that never started are cancelled");
  for (const JobId id : gone) end(id, false);
}

void Auditor::take_in(const JobSettled& e) {
  expect(jobs_.contains(e.job), "a job is settled once");
  Job& job = jobs_[e.job];
  const bool ran = job.life == Life::running || job.life == Life::stopping;
  const ReportEnd* report = std::get_if<ReportEnd>(&asked_->command);
  expect(Wide{e.charged.count} == (ran ? due(job, e.ended) : 0),
         "charged from the start to the end, the limit or the stop");
  expect(e.charged <= job.held && e.charged + e.released == job.held,
         "what is not charged goes back");
  expect(e.ended <= at_ && (!ran || e.ended >= job.started), "an end lies between start and now");
  if (report && ran) {
    expect(e.ended == std::max(job.started, std::min(at_, report->ended)),
           "an end is what was reported");
  }
  if (!ran) expect(e.state == JobState::cancelled, "what does not run can only be cancelled");
  expect(e.why != Why::dependency_never_met || job.never, "only what can never start ends so");
  if (report && ran && job.life == Life::running && e.state == JobState::failed &&
      report->kind != EndKind::lost && job.failures < job.retries) {
    expect(e.why == Why::no_credit_to_retry, "what failed is tried again if it can be paid");
    std::vector<Leg> pinned;
    Credits left = e.charged;
    for (const Leg& leg : job.legs) {
      const Credits amount = std::min(left, leg.amount);
      left -= amount;
      pinned.push_back({leg.share, leg.amount - amount});
    }
    const RegionId region = pools_[job.pool].region;
    expect(sum(pick(job.project, region, job.held.count, pinned)) < job.held,
           "a retry is refused only for want of credit");
  }
  static_cast<void>(capture(job, e.charged, e.captures));
  if (ran) place(job, -1);
  end(e.job, e.state == JobState::completed);
}

void Auditor::end(JobId id, bool ok) {
  const JobId array = jobs_[id].array;
  jobs_.erase(id);
  over(id, ok);
  if (!array) return;
  Array& row = arrays_[array];
  row.all_completed = row.all_completed && ok;
  for (const auto& [other, job] : jobs_) {
    if (job.array == array) return;
  }
  row.over = true;
  over(array, row.all_completed);
}

void Auditor::over(JobId id, bool ok) {
  ended_[id] = ok;
  for (auto& [other, job] : jobs_) {
    for (const After& after : job.after) {
      if (after.job != id || after.when == When::any) continue;
      job.never = job.never || (after.when == When::ok) != ok;
    }
    std::erase_if(job.after, [&](const After& after) { return after.job == id; });
  }
}

bool Auditor::goes_before(JobId id, const Job& job, JobId other_id, const Job& other) const {
  if (policy_.order == QueueOrder::sjf && job.limit != other.limit) return job.limit < other.limit;
  return id < other_id;
}

void Auditor::first_is_blocked() {
  JobId first;
  for (const auto& [id, job] : jobs_) {
    if (eligible(job) && (!first || goes_before(id, job, first, jobs_[first]))) first = id;
  }
  if (!first) return;
  const Job& job = jobs_[first];
  for (const auto& [pool_id, pool] : pools_) {
    if (!job.pools.has(pool_id) || !room(pool_id, job.shape)) continue;
    bool enough = false;
    static_cast<void>(paying(job, pool_id, enough));
    expect(!enough, "the first job starts as soon as it can");
  }
}

}  // namespace tenbin
