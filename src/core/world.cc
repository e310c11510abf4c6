#include "core/world.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>
#include <type_traits>
#include <utility>

#include "core/authorise.h"
#include "core/declare.h"
#include "core/fleet/room.h"
#include "core/handlers.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"
#include "core/programmes/credit.h"
#include "core/schedule/schedule.h"

namespace tenbin {

namespace {

// ---- the digest of a value, by its fields ----

template <class D, class T>
void digest_value(D& digest, const T& value) {
  if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    digest.add(static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_same_v<T, Text>) {
    digest.add(value);
  } else if constexpr (std::is_same_v<T, Hash>) {
    if constexpr (std::is_same_v<D, PairedDigest>) {
      for (const std::uint64_t word : std::bit_cast<std::array<std::uint64_t, 4>>(value))
        digest.add(word);
    } else {
      digest.add(Text{reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
    }
  } else if constexpr (std::is_same_v<T, RequestId>) {
    digest.add(value.high);
    digest.add(value.low);
  } else if constexpr (std::is_same_v<T, PoolSet>) {
    digest.add(value.bits);
  } else if constexpr (std::is_same_v<T, Instant>) {
    digest.add(static_cast<std::uint64_t>(value.ms));
  } else if constexpr (requires { value.count; }) {
    digest.add(static_cast<std::uint64_t>(value.count));
  } else if constexpr (requires { value.value; }) {
    digest.add(value.value);
  } else if constexpr (HasFields<T>) {
    visit_fields(value, [&](const char*, const auto& field) { digest_value(digest, field); });
  } else {  // a list
    digest.add(std::uint64_t{value.size()});
    if constexpr (std::is_same_v<D, PairedDigest>) digest.align();
    for (const auto& item : value) {
      digest_value(digest, item);
      if constexpr (std::is_same_v<D, PairedDigest>) digest.align();
    }
  }
}

template <class E>
[[gnu::flatten]] std::uint64_t history_after(std::uint64_t history, std::uint64_t header,
                                             const E& event) {
  PairedDigest digest{history};
  digest.add(header);
  digest_value(digest, event);
  return digest.value();
}

std::uint64_t digest_of(const Asked& asked) {
  Digest digest;
  digest.add(asked.by.value);
  digest.add(asked.command.index());
  std::visit([&](const auto& c) { digest_value(digest, c); }, asked.command);
  return digest.value();
}

Decision remembered(const World& world, const Asked& asked, const Answered& row) {
  if (row.asked != digest_of(asked)) return std::unexpected(refuse(Reason::request_reused));
  if (row.refused) return std::unexpected(world.requests.refusal(asked.request));
  return row.result;
}

// A refusal leaves no events.
Decision answer(const World& world, const Asked& asked, Instant now, Facts& facts) {
  const auto decide_it = [&](const auto& command) -> Decision {
    if constexpr (std::is_same_v<decltype(command), const Schedule&>) {
      next_step(world, now, facts);
      return 0;
    } else {
      return decide(world, asked, command, now, facts);
    }
  };
  const std::size_t first = facts.size();
  const std::optional<Reason> forbidden = why_not(world, asked.by, asked.command);
  Decision decision = forbidden ? Decision{std::unexpected(refuse(*forbidden))}
                                : std::visit(decide_it, asked.command);
  if (!decision) facts.shrink(first);
  return decision;
}

Decision answer_once(const World& world, const Asked& asked, Instant now, Facts& facts) {
  if (const Answered* row = world.requests.find(asked.request))
    return remembered(world, asked, *row);
  const Decision decision = answer(world, asked, now, facts);
  const Refusal r = decision ? Refusal{} : decision.error();
  facts.add(RequestAnswered{asked.request, digest_of(asked), decision.value_or(0), !decision,
                            r.reason, r.figures[0], r.figures[1], r.figures[2], r.figures[3]});
  return decision;
}

}  // namespace

Decision consider(const World& world, const Asked& asked, Instant now, Facts& facts) {
  return asked.request ? answer_once(world, asked, now, facts) : answer(world, asked, now, facts);
}

Decision apply(World& world, const Asked& asked, Instant now, Facts& facts) {
  TENBIN_ASSERT(now >= world.now);
  if (std::holds_alternative<Schedule>(asked.command) && !asked.by) {
    TENBIN_ASSERT(!asked.request);  // the driver's own
    schedule(world, now, facts);
    return 0;
  }
  const std::size_t first = facts.size();
  const Decision decision = consider(world, asked, now, facts);
  for (std::size_t i = first; i < facts.size(); ++i) record(world, facts[i], now);
  return decision;
}

void record(World& world, const Event& event, Instant at) {
  TENBIN_ASSERT(at >= world.now);
  world.now = at;
  const std::uint64_t header = (event.index() << 48) ^ static_cast<std::uint64_t>(at.ms);
  const JobId rested = std::exchange(world.index.rested, {});
  std::visit(
      [&]<class E>(const E& e) {
        world.history = history_after(world.history, header, e);
        evolve(world, e, at);
        if constexpr (std::is_same_v<E, JobQueued>) {
          world.index.rested = rested_behind(world, rested, e);
        } else if constexpr (std::is_same_v<E, RequestAnswered>) {
          world.index.rested = rested;
        }
      },
      event);
}

bool valid_name(Text name) {
  if (name.empty() || name.size() > name_bytes_max) return false;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (!plain(name.front())) return false;
  return std::ranges::all_of(name,
                             [&](char c) { return plain(c) || c == '-' || c == '_' || c == '.'; });
}

// ---- indexes ----

namespace {

template <class IdType, class Row>
void name_rows(World::Index::Names<IdType>& names, const Table<IdType, Row>& rows) {
  names.clear();
  rows.each([&](IdType id, const Row& row) { names.emplace(row.name, id); });
}

}  // namespace

void reindex(World& world) {
  World::Index& index = world.index;
  index.placements.forget();
  name_rows(index.funders, world.funders);
  name_rows(index.programmes, world.programmes);
  name_rows(index.organisations, world.organisations);
  name_rows(index.grants, world.grants);
  name_rows(index.lots, world.lots);
  name_rows(index.projects, world.projects);
  name_rows(index.allocations, world.allocations);
  name_rows(index.persons, world.persons);
  name_rows(index.providers, world.providers);
  name_rows(index.regions, world.regions);
  name_rows(index.models, world.models);
  name_rows(index.pools, world.pools);
  name_rows(index.nodes, world.nodes);
  index.tokens.clear();
  world.tokens.each([&](TokenId id, const Token& token) { index.tokens.emplace(token.hash, id); });

  world.projects.each([&](ProjectId id, const Project&) {
    world.projects.at(id).shares.clear();
    world.projects.at(id).live_jobs = 0;
  });
  world.shares.each([&](ShareId id, const Share& share) {
    world.projects.at(share.project).shares.push_back(id);
  });
  world.projects.each(
      [&](ProjectId id, const Project&) { sort_shares(world, world.projects.at(id).shares); });

  world.pools.each([&](PoolId id, const Pool&) { open_pool(world.pools.at(id)); });
  world.nodes.each([&](NodeId id, const Node&) { join_pool(world, id); });
  index.rested = {};
  index.some_lot_expired = false;
  world.lots.each([&](LotId, const Lot& lot) { index.some_lot_expired |= lot.expired; });
  index.lanes = Lanes(world.policy.order);
  index.awaited.clear();
  index.never.clear();
  for (auto& [id, array] : world.arrays) {
    array.active = 0;
    array.rows.clear();
  }
  world.jobs.each([&](JobId id, const Job&) {
    Job& job = world.jobs.at(id);
    world.projects.at(job.project).live_jobs += job.tasks();
    if (job.array) {
      JobArray& array = world.arrays.at(job.array);
      array.rows.insert(id);
      if (job.active()) ++array.active;
    }
    if (job.active()) {
      occupy(world, id, job);
    } else {
      if (job.state == JobState::queued) enqueue(world, id, job);
      await(world, id, job);
    }
  });
}

// ---- the promises ----

std::string_view broken_promise(const World& world) {
  if (!balanced(world.accounts)) return "credits are conserved and never overspent";

  // Every hold belongs to one living job, and its legs add up to it.
  std::map<ShareId, Credits> pinned;
  std::map<NodeId, std::uint32_t> whole_used;
  std::map<std::pair<NodeId, std::uint32_t>, std::uint32_t> part_used;
  std::map<NodeId, std::pair<Cpus, Memory>> used;
  std::map<PoolId, Gpus> counted;
  std::map<NodeId, std::array<std::int64_t, gpus_per_node_max>> device_ends;
  std::map<PoolId, std::map<Instant, Gpus>> ends;
  std::map<ProjectId, std::uint64_t> live;
  std::string_view broken;
  world.jobs.each([&](JobId id, const Job& job) {
    live[job.project] += job.tasks();
    Credits legs;
    for (const Leg& leg : job.legs) {
      if (leg.amount <= Credits{0} && job.held > Credits{0}) broken = "no leg of a hold is empty";
      legs += leg.amount;
      pinned[leg.share] += Credits{leg.amount.count * static_cast<std::int64_t>(job.tasks())};
      if (world.shares.at(leg.share).project != job.project)
        broken = "a project spends its own credit";
    }
    if (legs != job.held) broken = "the legs of a hold add up to it";
    if (job.promised && world.pools.at(job.promised).promise.job != id)
      broken = "a promise has one owner";
    if (!job.active() && job.state != waiting_state(world, job))
      broken = "what waits is known to wait for what it waits for";
    if (job.more > 0 && (!job.array || job.attempt > 0))
      broken = "only tasks that have not started share a row";
    if (!job.active()) {
      if (job.pool || !job.slices.empty()) broken = "only what runs has a place";
      return;
    }
    if (price(job.limit, job.rate) != job.held) broken = "what runs is paid for up to its limit";
    const Pool& pool = world.pools.at(job.pool);
    if (!job.pools.has(job.pool)) broken = "a job runs where it may";
    for (const Leg& leg : job.legs) {
      if (!world.lots.at(world.shares.at(leg.share).lot).spendable_in(pool.region)) {
        broken = "credit is spent where it may be";
      }
    }
    if (pool.kind == PoolKind::counted) {
      counted[job.pool] += job.shape.all_gpus();
      ends[job.pool][job.expected_end()] += job.shape.all_gpus();
    }
    Gpus given;
    for (const Slice& slice : job.slices) {
      if (world.nodes.at(slice.node).pool != job.pool) broken = "a gang lies in one pool";
      auto device_end = device_ends.try_emplace(slice.node).first->second.begin();
      for (std::uint32_t mask = slice.mask; mask; mask >>= 1, ++device_end) {
        if (mask & 1) *device_end = std::max(*device_end, job.expected_end().ms);
      }
      if (slice.milli == 0) {
        if (whole_used[slice.node] & slice.mask) broken = "no GPU is given twice";
        whole_used[slice.node] |= slice.mask;
        given += Gpus{std::popcount(slice.mask) * 1'000};
      } else {
        part_used[{slice.node, slice.mask}] += slice.milli;
        given += Gpus{slice.milli};
      }
      used[slice.node].first += job.shape.cpus;
      used[slice.node].second += job.shape.memory;
    }
    if (pool.kind == PoolKind::nodes && given != job.shape.all_gpus())
      broken = "a job gets what it asked for";
  });
  for (const auto& [key, milli] : part_used) {
    if (milli > 1'000 || (whole_used[key.first] & key.second)) broken = "no GPU is given twice";
  }
  // What a lot has came from its funder, and what an allocation has came from lots.
  std::map<AllocationId, Credits> allocated;
  world.shares.each([&](ShareId, const Share& share) {
    allocated[share.allocation] += world.accounts.at(share.free).credits_posted;
  });
  world.allocations.each([&](AllocationId id, const Allocation& a) {
    if (allocated[id] != a.amount) broken = "the shares of an allocation add up to it";
  });
  std::map<FunderId, Credits> in_lots;
  world.lots.each([&](LotId, const Lot& lot) {
    in_lots[lot.funder] += lot.credits;
    if (world.accounts.at(lot.unallocated).credits_posted != lot.credits)
      broken = "a lot was given what it says";
  });
  world.funders.each([&](FunderId id, const Funder& f) {
    if (world.accounts.at(f.account).debits_posted != in_lots[id])
      broken = "a funder gave what is in lots";
  });
  world.projects.each([&](ProjectId, const Project& project) {
    for (std::size_t i = 1; i < project.shares.size(); ++i) {
      const LotId before = world.shares.at(project.shares[i - 1]).lot;
      if (consumed_before(world, world.shares.at(project.shares[i]).lot, before))
        broken = "shares lie in the order of consumption";
    }
  });
  world.shares.each([&](ShareId id, const Share& share) {
    const Credits held = pinned.contains(id) ? pinned[id] : Credits{0};
    const Lot& lot = world.lots.at(share.lot);
    const Account& free = world.accounts.at(share.free);
    if (free.debits_pending != held) broken = "every hold belongs to a living job";
    if (world.accounts.at(share.used).credits_pending != held)
      broken = "a hold stands on both sides";
    if (lot.expired && free.free() != Credits{0}) broken = "expired credit is gone";
  });
  world.nodes.each([&](NodeId id, const Node& node) {
    const Pool& pool = world.pools.at(node.pool);
    std::uint32_t busy = whole_used[id];
    for (const PartialGpu& gpu : node.partial) {
      busy |= std::uint32_t{1} << gpu.device;
      if (part_used[{id, std::uint32_t{1} << gpu.device}] != 1'000 - gpu.free_milli)
        broken = "parts of a GPU add up";
    }
    const auto all = static_cast<std::uint32_t>((std::uint64_t{1} << pool.gpus_per_node) - 1);
    if ((busy ^ node.free_mask) != all) broken = "every GPU is free or given";
    if (pool.cpus > Cpus{0} && node.cpus_free + used[id].first != pool.cpus) broken = "CPUs add up";
    if (pool.memory > Memory{0} && node.memory_free + used[id].second != pool.memory)
      broken = "memory adds up";
  });
  world.pools.each([&](PoolId id, const Pool& pool) {
    Gpus free = pool.counted - counted[id];
    std::uint32_t listed = 0;
    for (const NodeId n : pool.nodes) {
      const Node& node = world.nodes.at(n);
      if (node.state != NodeState::up) continue;
      free += Gpus{node.free_whole() * 1'000};
      for (const PartialGpu& gpu : node.partial) free += Gpus{gpu.free_milli};
      if (pool.by_whole[node.free_whole()].next(node.position) != node.position)
        broken = "nodes are in the index";
      ++listed;
    }
    for (const std::uint32_t count : pool.count_by_whole) listed -= count;
    if (free != pool.free || listed != 0) broken = "a pool knows what is free";
    if (world.policy.backfill != Backfill::none) {
      auto end = ends[id].begin();
      pool.ends.each([&](Instant at, Gpus gpus) {
        if (end == ends[id].end() || end->first != at || end->second != gpus)
          broken = "a pool knows when what runs there ends";
        else
          ++end;
      });
      for (std::size_t p = 0; p < pool.nodes.size() && broken.empty(); ++p) {
        const Node& node = world.nodes.at(pool.nodes[p]);
        std::array<std::int64_t, gpus_per_node_max> when{};
        if (const auto known = device_ends.find(pool.nodes[p]); known != device_ends.end())
          when = known->second;
        for (std::uint32_t d = 0; d < pool.gpus_per_node; ++d) {
          if (node.free_mask & (std::uint32_t{1} << d)) when[d] = INT64_MIN;
          if (node.state != NodeState::up) when[d] = INT64_MAX;
        }
        std::sort(when.begin(), when.begin() + pool.gpus_per_node);
        for (std::uint32_t whole = 1; whole <= pool.gpus_per_node; ++whole) {
          if (pool.emptied[whole][p] != when[whole - 1])
            broken = "a pool knows when its nodes empty";
        }
      }
    }
    if (pool.promise.job) {
      const Job* job = world.jobs.find(pool.promise.job);
      if (!job || job->promised != id || job->state != JobState::queued)
        broken = "a promise has one owner";
    }
  });
  std::uint64_t waiting = 0, queued = 0;
  for (const auto& [pools, lane] : world.index.lanes) {
    Turn last;
    lane.each([&](const WaitingJob& w) {
      const Job* job = world.jobs.find(w.job);
      if (!job || job->state != JobState::queued || job->pools != pools ||
          turn_of(world.policy.order, job->limit, w.job) <= last) {
        broken = "the queue holds what waits, in order";
      }
      last = lane.turn_of(w);
      ++waiting;
      return true;
    });
  }
  std::map<JobId, std::set<JobId>> awaited, rows;
  std::map<JobId, std::uint32_t> active;
  std::map<JobId, std::uint64_t> tasks;
  std::set<JobId> to_cancel;
  JobId last;
  world.jobs.each([&](JobId id, const Job& job) {
    queued += job.state == JobState::queued ? 1 : 0;
    if (id <= last) broken = "a task has one row";
    last = JobId{id.value + job.more};
    for (const After& after : job.after) {
      awaited[after.job].insert(id);
      if (!find_array(world, after.job) && !row_of(world, after.job))
        broken = "nobody waits for what is over";
    }
    if (job.never) to_cancel.insert(id);
    if (!job.array) return;
    rows[job.array].insert(id);
    tasks[job.array] += job.tasks();
    active[job.array] += job.active() ? 1 : 0;
    if (id.value != job.array.value + 1 + job.task) broken = "tasks are numbered by their ids";
  });
  if (waiting != queued) broken = "what waits is in the queue";
  if (awaited != world.index.awaited || to_cancel != world.index.never)
    broken = "it is known who waits for whom";
  for (const auto& [id, array] : world.arrays) {
    if (array.rows != rows[id] || array.active != active[id] ||
        array.over() + tasks[id] != array.tasks || (array.ended != Instant{}) != rows[id].empty() ||
        (array.at_once > 0 && array.active > array.at_once)) {
      broken = "arrays count their tasks";
    }
  }
  world.projects.each([&](ProjectId id, const Project& project) {
    if (project.live_jobs != (live.contains(id) ? live[id] : 0))
      broken = "projects count their jobs";
  });
  return broken;
}

}  // namespace tenbin
