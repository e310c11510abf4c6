#include "core/schedule/schedule.h"

#include <algorithm>
#include <array>
#include <bit>

#include "core/fleet/price.h"
#include "core/fleet/room.h"
#include "core/handlers.h"
#include "core/jobs/attempt.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"
#include "core/programmes/credit.h"

namespace tenbin {

namespace {

/// Jobs that permit the same pools, and the next of them to look at.
struct Lane {
  PoolSet pools;
  const Waiting* waiting = nullptr;
  const WaitingJob* next = nullptr;
};

/// One way to start a job.
struct Option {
  PoolId pool;
  Rate rate;
};

enum class Credit { there, missing };

/// Whether the job's hold, or what its project has besides, pays for it in `pool`. Fills `legs`.
Credit credit_for(const World& world, const Job& job, const Pool& pool, Rate rate, Instant now,
                  Legs& legs) {
  const Credits need = price(job.limit, rate);
  if (need == job.held && std::has_single_bit(job.pools.bits)) {  // held for this very place
    legs.assign(job.legs.span());
    return Credit::there;
  }
  bool all_eligible = need <= job.held;
  for (const Leg& leg : job.legs) {
    all_eligible =
        all_eligible && world.lots.at(world.shares.at(leg.share).lot).spendable_in(pool.region);
  }
  if (all_eligible) {
    legs.clear();
    Credits left = need;
    for (const Leg& leg : job.legs) {
      if (left == Credits{0}) break;
      legs.push_back({leg.share, std::min(leg.amount, left)});
      left -= legs.back().amount;
    }
    return Credit::there;
  }
  const Credits found =
      pick_legs(world, job.project, pool.region, need, now, job.legs.span(), {}, legs);
  return found == need ? Credit::there : Credit::missing;
}

class Pass {
 public:
  Pass(const World& world, Instant now, Facts& facts) : world_(world), now_(now), facts_(facts) {}

  bool step() {
    if (!world_.index.never.empty()) {  // goes first: others may wait for it
      cancel(*world_.index.never.begin());
      return true;
    }
    closed_ = {};
    lanes_.clear();
    windows_of_ = {};
    for (const auto& [pools, waiting] : world_.index.lanes) {
      if (const WaitingJob* head = waiting.head()) lanes_.push_back({pools, &waiting, head});
    }
    while (Lane* lane = first_lane()) {
      const PoolSet open{lane->pools.bits & ~closed_.bits};
      if (open.empty() && world_.policy.backfill == Backfill::none) {
        lane->next = nullptr;
        continue;
      }
      const JobId id = lane->next->job;
      const Job& job = world_.jobs.at(id);
      if (start(id, job, open)) return true;
      if (!open.empty()) {
        // Where it could not pay, it waits for nothing and holds up nobody.
        const PoolSet wanted = payable(job, open);
        if (world_.policy.backfill == Backfill::none) {
          closed_.bits |= wanted.bits;
        } else if (promise(id, job, wanted) || part_next(id, job, wanted)) {
          return true;
        }
      }
      advance(*lane, id);
    }
    return false;
  }

 private:
  // A job whose dependencies can no longer be met.
  void cancel(JobId id) {
    const Job& job = world_.jobs.at(id);
    constexpr Why why = Why::dependency_never_met;
    if (job.array) {
      cancel_unstarted(world_, job.array, why, now_, facts_);
    } else {
      settle(world_, id, job, {.state = JobState::cancelled, .why = why, .ended = now_}, facts_);
    }
  }

  Lane* first_lane() {
    Lane* first = nullptr;
    for (Lane& lane : lanes_) {
      if (lane.next && (!first || lane.next->job < first->next->job)) first = &lane;
    }
    return first;
  }

  // Jobs behind a blocked one are looked at only where they may pass it.
  void advance(Lane& lane, JobId id) {
    if ((lane.pools.bits & ~closed_.bits) != 0) {
      lane.next = lane.waiting->after(id);
      return;
    }
    if (world_.policy.backfill == Backfill::none) {
      lane.next = nullptr;
      return;
    }
    if (windows_of_ != lane.pools) open_windows(lane.pools);
    lane.next = lane.waiting->next_match(id, windows_.span());
  }

  // Where jobs may pass the blocked ones in `pools`; the same for a whole step.
  void open_windows(PoolSet pools) {
    windows_of_ = pools;
    windows_.clear();
    each_pool(pools, [&](PoolId, const Pool& pool) {
      const Promise& promise = pool.promise;
      const Span window = promise.at == never ? Span{INT64_MAX} : promise.at - now_;
      if (pool.kind == PoolKind::counted) {
        windows_.push_back({pool.free, window, promise.spare});
      } else {
        windows_.push_back({pool.free, window, free_off(pool, promise), most_free(pool, {}),
                            most_free(pool, promise.nodes)});
      }
    });
  }

  template <class Visit>
  void each_pool(PoolSet pools, Visit&& visit) const {
    for (std::uint64_t bits = pools.bits; bits; bits &= bits - 1) {
      const PoolId id{static_cast<std::uint64_t>(std::countr_zero(bits)) + 1};
      visit(id, world_.pools.at(id));
    }
  }

  // On nodes the spare room is at most what is free off the promised ones; find_room knows the
  // rest.
  Gpus free_off(const Pool& pool, const Promise& promise) const {
    Gpus free = pool.free;
    for (const NodeId id : promise.nodes) {
      const Node& node = world_.nodes.at(id);
      if (node.state == NodeState::up) free -= node.free();
    }
    return free;
  }

  // The most that one node off `avoid` has free, for one part of a job: above a whole node, any.
  Gpus most_free(const Pool& pool, std::span<const NodeId> avoid) const {
    std::array<std::uint32_t, gpus_per_node_max + 1> avoided{};
    for (const NodeId id : avoid) {
      const Node& node = world_.nodes.at(id);
      if (node.state == NodeState::up) ++avoided[node.free_whole()];
    }
    for (std::uint32_t whole = pool.gpus_per_node; whole > 0; --whole) {
      if (pool.count_by_whole[whole] == avoided[whole]) continue;
      return whole == pool.gpus_per_node ? Window::any : Gpus{std::int64_t{whole} * 1'000};
    }
    return pool.partial.empty() ? Gpus{0} : Gpus{std::get<0>(*pool.partial.rbegin())};
  }

  bool room_in(const Pool& pool, const Job& job, bool is_open) {
    if (is_open) return find_room(world_, pool, job.shape, {}, slices_);
    const Promise& promise = pool.promise;
    const bool ends_before = promise.at == never || now_ + job.limit <= promise.at;
    if (pool.kind == PoolKind::counted) {
      return (ends_before || job.shape.all_gpus() <= promise.spare) &&
             find_room(world_, pool, job.shape, {}, slices_);
    }
    return find_room(
        world_, pool, job.shape,
        ends_before ? std::span<const NodeId>{} : std::span<const NodeId>{promise.nodes}, slices_);
  }

  Rate rate_in(const Pool& pool, const Job& job) const {
    const auto rate = rate_of(world_, pool, job.shape, job.prices);
    TENBIN_ASSERT(rate.has_value());
    return *rate;
  }

  // Starts the job in the cheapest pool that has room and that it can pay.
  bool start(JobId id, const Job& job, PoolSet open) {
    options_.clear();
    each_pool(job.pools, [&](PoolId pool_id, const Pool& pool) {
      if (world_.policy.backfill == Backfill::none && !open.has(pool_id)) return;
      if (room_in(pool, job, open.has(pool_id))) options_.push_back({pool_id, rate_in(pool, job)});
    });
    const bool choice = !std::has_single_bit(job.pools.bits);
    if (choice) std::ranges::stable_sort(options_, {}, &Option::rate);
    for (const Option& option : options_) {
      const Pool& pool = world_.pools.at(option.pool);
      if (choice)
        room_in(pool, job, open.has(option.pool));  // slices_ are of the pool searched last
      if (credit_for(world_, job, pool, option.rate, now_, legs_) == Credit::missing) continue;
      facts_.add([&] {
        return JobStarted{.job = id,
                          .attempt = job.attempt + 1,
                          .pool = option.pool,
                          .rate = option.rate,
                          .held = price(job.limit, option.rate),
                          .legs = facts_.list(legs_.span()),
                          .slices = facts_.list(slices_.span())};
      });
      if (!std::ranges::equal(job.legs, legs_)) {
        expire_released(world_, job.legs.span(), legs_.span(), facts_);
      }
      return true;
    }
    return false;
  }

  // The tasks behind a blocked one that its row stands for want the same and could not start
  // either; but where pools are left that are promised to nobody, the next one is promised one.
  bool part_next(JobId id, const Job& job, PoolSet wanted) {
    if (job.more == 0 || (wanted.bits & ~closed_.bits) == 0) return false;
    facts_.add(TaskParted{id});
    return true;
  }

  /// Those of `pools` in which the job could be paid for now.
  PoolSet payable(const Job& job, PoolSet pools) {
    if (std::has_single_bit(job.pools.bits)) return pools;  // its hold was made for it
    PoolSet result;
    each_pool(pools, [&](PoolId id, const Pool& pool) {
      if (credit_for(world_, job, pool, rate_in(pool, job), now_, legs_) == Credit::there)
        result.add(id);
    });
    return result;
  }

  // The job is blocked: it holds the promise in one open pool, which is closed to all behind it.
  // True if that promise has to be made or moved first.
  bool promise(JobId id, const Job& job, PoolSet open) {
    if (open.empty()) return false;
    std::uint64_t seen = 0;
    each_pool(job.pools, [&](PoolId, const Pool& pool) { seen += pool.releases; });
    if (job.promised && open.has(job.promised)) {
      const Promise& kept = world_.pools.at(job.promised).promise;
      if (kept.seen == seen) {
        closed_.add(job.promised);
        return false;
      }
    }
    Forecast best{never, Gpus{0}, {}};
    PoolId where;
    each_pool(open, [&](PoolId pool_id, const Pool& pool) {
      Forecast f = forecast(world_, pool, job.shape, now_);
      if (where && f.at >= best.at) return;
      best = std::move(f);
      where = pool_id;
    });
    facts_.add(PromiseMoved{.pool = where,
                            .job = id,
                            .at = best.at,
                            .spare = best.spare,
                            .nodes = facts_.list<NodeId>(best.nodes),
                            .seen = seen});
    return true;
  }

  const World& world_;
  Instant now_;
  Facts& facts_;
  PoolSet closed_;
  SmallVector<Lane, 4> lanes_;
  SmallVector<Window, 4> windows_;
  PoolSet windows_of_;
  SmallVector<Option, 4> options_;
  Slices slices_;
  Legs legs_;
};

}  // namespace

bool next_step(const World& world, Instant now, Facts& facts) {
  return Pass(world, now, facts).step();
}

void schedule(World& world, Instant now, Facts& facts) {
  if (world.index.at_rest) return;
  const auto waits = [](const auto& lane) { return !lane.second.empty(); };
  // Often, while the fleet is idle.
  if (world.index.never.empty() && std::ranges::none_of(world.index.lanes, waits)) return;
  Pass pass(world, now, facts);  // blank at each step; kept for its memory alone
  for (std::size_t next = facts.size(); pass.step();) {
    for (; next < facts.size(); ++next) record(world, facts[next], now);
  }
  // Where a job has a choice of pools, credit that becomes valid may let it start: time alone.
  world.index.at_rest = std::ranges::all_of(
      world.index.lanes, [](const auto& lane) { return std::has_single_bit(lane.first.bits); });
}

bool stays_at_rest(const World& world, const JobQueued& e) {
  if (world.policy.backfill != Backfill::none || !world.index.never.empty()) return false;
  const auto lane = world.index.lanes.find(e.pools);
  return lane != world.index.lanes.end() && lane->second.size() > 1;
}

void evolve(World& world, const PromiseMoved& e, Instant) {
  Job& job = world.jobs.at(e.job);
  if (job.promised) world.pools.at(job.promised).promise = {};
  Promise& promise = world.pools.at(e.pool).promise;
  if (promise.job) world.jobs.at(promise.job).promised = {};
  promise.job = e.job;
  promise.at = e.at;
  promise.spare = e.spare;
  promise.nodes.assign(e.nodes.begin(), e.nodes.end());
  promise.seen = e.seen;
  job.promised = e.pool;
}

void evolve(World& world, const JobStarted& e, Instant at) {
  Job& job = world.jobs.at(e.job);
  TENBIN_ASSERT(job.state == JobState::queued && e.attempt == job.attempt + 1);
  if (job.more > 0) part(world, e.job, JobId{e.job.value + 1});
  dequeue(world, e.job, job);

  // The price of this place may be lower, and other lots may have to pay for it.
  if (!std::ranges::equal(job.legs, e.legs)) {
    for (const Leg& leg : job.legs) {
      const Share& share = world.shares.at(leg.share);
      release(world.accounts, share.free, share.used, leg.amount);
    }
    for (const Leg& leg : e.legs) {
      const Share& share = world.shares.at(leg.share);
      hold(world.accounts, share.free, share.used, leg.amount);
    }
    job.legs.assign(e.legs);
  }
  job.held = e.held;
  job.state = JobState::running;
  job.attempt = e.attempt;
  job.pool = e.pool;
  job.rate = e.rate;
  job.started = at;
  job.slices.assign(e.slices);
  if (job.promised) {
    world.pools.at(job.promised).promise = {};
    job.promised = {};
  }

  Pool& pool = world.pools.at(e.pool);
  occupy(world, e.job, job);

  // What runs beyond a promise uses up its spare room; if it needs more (an older job came back and
  // went first), the promise has to be worked out again.
  Promise& promise = pool.promise;
  if (promise.job && promise.at != never && job.expected_end() > promise.at) {
    bool broken = false;
    if (pool.kind == PoolKind::counted) {
      promise.spare -= job.shape.all_gpus();
      broken = promise.spare < Gpus{0};
    } else {
      broken = std::ranges::any_of(job.slices, [&](const Slice& s) {
        return std::ranges::binary_search(promise.nodes, s.node);
      });
    }
    if (broken) promise.seen = UINT64_MAX;
  }
  if (job.array) {
    JobArray& array = world.arrays.at(job.array);
    if (array.started == Instant{}) array.started = at;
    ++array.active;
    if (array.full()) review(world, array);
  }
}

}  // namespace tenbin
