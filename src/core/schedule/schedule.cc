#include "core/schedule/schedule.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <utility>

#include "core/fleet/placement.h"
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

  Turn turn() const { return waiting->turn_of(*next); }
};

/// One way to start a job.
struct Option {
  PoolId pool;
  Rate rate;
  Credits cost;  // up to the job's limit
  PlaceScore place;

  bool before(const Option& other) const {
    return rate != other.rate ? rate < other.rate : place.better_than(other.place);
  }
};

/// Counts how often room has come back in `pools`.
std::uint64_t releases_in(const World& world, PoolSet pools) {
  std::uint64_t releases = 0;
  for (std::uint64_t bits = pools.bits; bits; bits &= bits - 1) {
    const PoolId id{static_cast<std::uint64_t>(std::countr_zero(bits)) + 1};
    releases += world.pools.at(id).releases;
  }
  return releases;
}

enum class Credit { there, missing };

/// Whether the job's hold, or what its project has besides, pays for it in `pool`. Fills `legs`.
Credit credit_for(const World& world, const Job& job, const Pool& pool, Credits need, Instant now,
                  Legs& legs) {
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
  Pass(const World& world, PlacementMemo& memo, Instant now, Facts& facts)
      : world_(world), memo_(memo), now_(now), facts_(facts) {}

  /// Jobs up to this turn would be refused if they were looked at.
  void refused_up_to(Turn turn) { refused_ = turn; }
  /// A promise that holds, or will once what was added is true, and the pools among which it is
  /// the best.
  struct Checked {
    PoolId pool;
    PoolSet open;
    bool moves = false;
  };
  std::span<const Checked> checked() const { return checked_.span(); }

  bool step() {
    if (!world_.index.never.empty()) {  // goes first: others may wait for it
      cancel(*world_.index.never.begin());
      return true;
    }
    closed_ = {};
    checked_.clear();
    lanes_.clear();
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
      const Turn turn = lane->turn();
      const Job& job = world_.jobs.at(id);
      if (turn > refused_ && start(id, job, open)) return true;
      if (!open.empty()) {
        // Where it could not pay, it waits for nothing and holds up nobody.
        const PoolSet wanted = payable(job, open);
        if (world_.policy.backfill == Backfill::none) {
          closed_.bits |= wanted.bits;
        } else if (promise(id, job, wanted) || part_next(id, job, wanted)) {
          return true;
        }
      }
      advance(*lane, turn);
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
      if (lane.next && (!first || lane.turn() < first->turn())) first = &lane;
    }
    return first;
  }

  // Jobs behind a blocked one are looked at only where they may pass it.
  void advance(Lane& lane, Turn turn) {
    if ((lane.pools.bits & ~closed_.bits) != 0) {
      lane.next = lane.waiting->after(turn);
      return;
    }
    if (world_.policy.backfill == Backfill::none) {
      lane.next = nullptr;
      return;
    }
    // Mostly nobody comes even near to what the pools have free; if somebody does, where the
    // promises lie has to be looked at.
    const Turn after = std::max(turn, refused_);
    open_windows(lane.pools, Look::at_room);
    lane.next = lane.waiting->next_match(after, windows_.span());
    if (!lane.next || rough_.empty()) return;
    open_windows(lane.pools, Look::at_promised_nodes);
    const Turn near = lane.turn();  // it is looked at again
    lane.next = lane.waiting->next_match({near.rank, JobId{near.job.value - 1}}, windows_.span());
  }

  // Where jobs may pass the blocked ones in `pools`; the same for a whole step.
  enum class Look { at_room, at_promised_nodes };
  void open_windows(PoolSet pools, Look look) {
    rough_ = {};
    windows_.clear();
    each_pool(pools, [&](PoolId id, const Pool& pool) {
      const Promise& promise = pool.promise;
      const Span window = promise.at == never ? Span{INT64_MAX} : promise.at - now_;
      if (pool.kind == PoolKind::counted) {
        windows_.push_back({pool.free, window, promise.spare});
      } else if (look == Look::at_room) {
        windows_.push_back({pool.free, Span{INT64_MAX}, Gpus{0}, most(pool, pool.some_by_whole)});
        rough_.add(id);
      } else {
        windows_.push_back(node_window(pool, promise, window));
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

  // On nodes the spare room is at most what is free off the promised ones, and for one part of a
  // job what one of those others has free (above a whole node, any); find_room knows the rest.
  Window node_window(const Pool& pool, const Promise& promise, Span window) const {
    Gpus spare = pool.free;
    std::array<std::uint32_t, gpus_per_node_max + 1> promised{};
    for (const NodeId id : promise.nodes) {
      const Node& node = world_.nodes.at(id);
      if (node.state != NodeState::up) continue;
      spare -= node.free();
      ++promised[node.free_whole()];
    }
    std::uint64_t some = pool.some_by_whole;  // bit n: some node off the promised ones has n whole
    for (std::uint64_t bits = some; bits; bits &= bits - 1) {
      const int whole = std::countr_zero(bits);
      if (pool.count_by_whole[static_cast<std::size_t>(whole)] ==
          promised[static_cast<std::size_t>(whole)])
        some &= ~(std::uint64_t{1} << whole);
    }
    return {pool.free, window, spare, most(pool, pool.some_by_whole), most(pool, some)};
  }
  // The most that a part of a job can have on a node, if those have as many whole GPUs free as bits
  // in `some`.
  static Gpus most(const Pool& pool, std::uint64_t some) {
    if (pool.kind == PoolKind::counted) return Window::any;
    const int whole = some == 0 ? 0 : static_cast<int>(std::bit_width(some)) - 1;
    if (whole > 0) {
      return whole == static_cast<int>(pool.gpus_per_node) ? Window::any
                                                           : Gpus{std::int64_t{whole} * 1'000};
    }
    return Gpus{pool.partial.empty() ? 0 : std::get<0>(*pool.partial.rbegin())};
  }

  // Fills slices_ and place_.
  bool room_in(const Pool& pool, JobId id, const Job& job, bool is_open) {
    const auto room = [&](std::span<const NodeId> avoid) {
      return place(world_, memo_, pool, job.shape, {id, job.attempt + 1}, avoid, slices_, place_);
    };
    if (is_open) return room({});
    const Promise& promise = pool.promise;
    const bool ends_before = promise.at == never || now_ + job.limit <= promise.at;
    if (pool.kind == PoolKind::counted) {
      return (ends_before || job.shape.all_gpus() <= promise.spare) && room({});
    }
    return room(ends_before ? std::span<const NodeId>{} : std::span<const NodeId>{promise.nodes});
  }

  Rate rate_in(const Pool& pool, const Job& job) const {
    const auto rate = rate_of(world_, pool, job.shape, job.prices);
    TENBIN_ASSERT(rate.has_value());
    return *rate;
  }

  Forecaster& forecaster() {
    if (!forecaster_) forecaster_.emplace(world_);
    return *forecaster_;
  }

  // Starts the job in the cheapest pool that has room and that it can pay; among equally cheap ones
  // in that with the best place, then the first.
  bool start(JobId id, const Job& job, PoolSet open) {
    options_.clear();
    each_pool(job.pools, [&](PoolId pool_id, const Pool& pool) {
      if (world_.policy.backfill == Backfill::none && !open.has(pool_id)) return;
      if (!room_in(pool, id, job, open.has(pool_id))) return;
      const Rate rate = rate_in(pool, job);
      options_.push_back({pool_id, rate, price(job.limit, rate), place_});
    });
    const bool choice = !std::has_single_bit(job.pools.bits);
    if (choice) std::ranges::stable_sort(options_, &Option::before);
    for (const Option& option : options_) {
      const Pool& pool = world_.pools.at(option.pool);
      if (choice)
        room_in(pool, id, job, open.has(option.pool));  // slices_ are of the pool searched last
      if (credit_for(world_, job, pool, option.cost, now_, legs_) == Credit::missing) continue;
      facts_.add([&] {
        return JobStarted{.job = id,
                          .attempt = job.attempt + 1,
                          .pool = option.pool,
                          .rate = option.rate,
                          .held = option.cost,
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
      const Credits need = price(job.limit, rate_in(pool, job));
      if (credit_for(world_, job, pool, need, now_, legs_) == Credit::there) result.add(id);
    });
    return result;
  }

  // The job is blocked: it holds the promise in one open pool, which is closed to all behind it.
  // True if that promise has to be made or moved first.
  bool promise(JobId id, const Job& job, PoolSet open) {
    if (open.empty()) return false;
    const Promise* kept = nullptr;
    if (job.promised && open.has(job.promised)) {
      kept = &world_.pools.at(job.promised).promise;
      if (kept->open == open && kept->seen == releases_in(world_, job.pools)) {
        closed_.add(job.promised);
        return false;
      }
    }
    // Another place has to be earlier, not as early: once limits have passed, all are due now.
    Forecast best{never, Gpus{0}, {}};
    PoolId where;
    if (kept) {
      where = job.promised;
      best = forecaster().of(world_.pools.at(where), job.shape, now_, kept);
    }
    each_pool(open, [&](PoolId pool_id, const Pool& pool) {
      if (kept && pool_id == job.promised) return;
      const Forecast& f = forecaster().of(pool, job.shape, now_, nullptr);
      if (where && f.at >= best.at) return;
      best = f;
      where = pool_id;
    });
    if (best.keeps) {
      checked_.push_back({where, open});
      closed_.add(where);
      return false;
    }
    checked_.push_back({where, open, true});
    facts_.add(PromiseMoved{.pool = where,
                            .job = id,
                            .at = best.at,
                            .spare = best.spare,
                            .nodes = facts_.list<NodeId>(best.nodes)});
    return true;
  }

  const World& world_;
  PlacementMemo& memo_;
  Instant now_;
  Facts& facts_;
  std::optional<Forecaster> forecaster_;
  Turn refused_;
  PoolSet closed_;
  SmallVector<Checked, 4> checked_;
  SmallVector<Lane, 4> lanes_;
  SmallVector<Window, 4> windows_;
  PoolSet rough_;  // whose window is wider than it is
  SmallVector<Option, 4> options_;
  Slices slices_;
  PlaceScore place_;
  Legs legs_;
};

}  // namespace

bool next_step(const World& world, Instant now, Facts& facts) {
  PlacementMemo memo;
  return Pass(world, memo, now, facts).step();
}

void schedule(World& world, Instant now, Facts& facts) {
  World::Index& index = world.index;
  if (index.rested && index.rested.value + 1 == world.jobs.next_id().value) return;
  if (index.lanes.size() == 0 && index.never.empty()) return;  // often, while the fleet is idle
  // Where a job has a choice of pools, time alone may let it start, when credit becomes valid; so
  // may the start of another, when credit comes back because its place is cheaper than its hold.
  const bool plain = index.lanes.choosing() == 0;

  Pass pass(world, index.placements, now,
            facts);  // each step is blank but for its memory and what was refused
  if (plain && world.policy.order == QueueOrder::fifo) pass.refused_up_to({0, index.rested});
  for (std::size_t next = facts.size();;) {
    const bool more = pass.step();
    const auto keep_checked = [&](bool moved) {
      for (const Pass::Checked& c : pass.checked()) {
        if (c.moves != moved) continue;
        Promise& promise = world.pools.at(c.pool).promise;
        promise.open = c.open;
        promise.seen = releases_in(world, world.jobs.at(promise.job).pools);
      }
    };
    keep_checked(false);
    if (!more) break;
    // Within a pass room only goes, so whoever was refused before the one that started is refused
    // again; unless it had a promise, or broke one.
    Turn refused;
    if (const auto* e = std::get_if<JobStarted>(&facts[next]); e && plain) {
      const Job& job = world.jobs.at(e->job);
      if (!job.promised && !job.array) refused = turn_of(world.policy.order, job.limit, e->job);
    }
    for (; next < facts.size(); ++next) {
      record(world, facts[next], now);
      const auto* e = std::get_if<JobStarted>(&facts[next]);
      if (!e) continue;
      const Promise& promise = world.pools.at(e->pool).promise;
      if (promise.job && promise.seen == Promise::unknown) refused = {};
    }
    keep_checked(true);
    pass.refused_up_to(refused);
  }
  if (plain) index.rested = JobId{world.jobs.next_id().value - 1};
}

JobId rested_behind(const World& world, JobId rested, const JobQueued& e) {
  if (world.policy.backfill != Backfill::none || rested.value + 1 != e.job.value) return rested;
  const Waiting* lane = world.index.lanes.find(e.pools);
  return lane && lane->size() > 1 && lane->head()->job != e.job ? e.job : rested;
}

void evolve(World& world, const PromiseMoved& e, Instant) {
  Job& job = world.jobs.at(e.job);
  if (job.promised != e.pool) drop_promise(world, e.job, job);
  Promise& promise = world.pools.at(e.pool).promise;
  if (promise.job) world.jobs.at(promise.job).promised = {};
  promise.job = e.job;
  promise.at = e.at;
  promise.spare = e.spare;
  promise.nodes.assign(e.nodes.begin(), e.nodes.end());
  promise.seen = Promise::unknown;
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
  drop_promise(world, e.job, job);

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
    if (broken) promise.seen = Promise::unknown;
  }
  if (job.array) {
    JobArray& array = world.arrays.at(job.array);
    if (array.started == Instant{}) array.started = at;
    ++array.active;
    if (array.full()) review(world, array);
  }
}

}  // namespace tenbin
