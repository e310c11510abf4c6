#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/fields.h"
#include "base/hash.h"
#include "base/id.h"
#include "base/quantity.h"

namespace tenbin {

using FunderId = Id<struct FunderTag>;
using ProgrammeId = Id<struct ProgrammeTag>;
using OrganisationId = Id<struct OrganisationTag>;
using GrantId = Id<struct GrantTag>;
using LotId = Id<struct LotTag>;
using ProjectId = Id<struct ProjectTag>;
using AllocationId = Id<struct AllocationTag>;
using ShareId = Id<struct ShareTag>;
using AccountId = Id<struct AccountTag>;
using PersonId = Id<struct PersonTag>;
using TokenId = Id<struct TokenTag>;
using ProviderId = Id<struct ProviderTag>;
using RegionId = Id<struct RegionTag>;
using GpuModelId = Id<struct GpuModelTag>;
using PoolId = Id<struct PoolTag>;
using NodeId = Id<struct NodeTag>;
using PriceId = Id<struct PriceTag>;
using JobId = Id<struct JobTag>;

/// Text inside a command or an event. It points into the message it came in or into the arena of
/// the decision; rows keep copies.
using Text = std::string_view;

/// A UUID chosen by the client: submitting twice is submitting once. All zero: none was given.
struct RequestId {
  std::uint64_t high = 0, low = 0;

  constexpr auto operator<=>(const RequestId&) const = default;
  constexpr explicit operator bool() const { return high != 0 || low != 0; }
};

/// The funders' side of a grant: minor units (cents, yen) of an ISO 4217 currency.
struct Money {
  std::int64_t minor = 0;
  std::array<char, 3> currency{'J', 'P', 'Y'};

  constexpr auto operator<=>(const Money&) const = default;
  TENBIN_FIELDS(minor, currency)
};

/// A set of up to 64 pools (or regions, or GPU models) by id, which starts at 1.
struct PoolSet {
  std::uint64_t bits = 0;

  static constexpr std::uint64_t bit(std::uint64_t id) { return std::uint64_t{1} << (id - 1); }
  constexpr bool has(PoolId id) const { return (bits & bit(id.value)) != 0; }
  constexpr void add(PoolId id) { bits |= bit(id.value); }
  constexpr bool empty() const { return bits == 0; }
  constexpr auto operator<=>(const PoolSet&) const = default;
};

/// How the GPUs of a job lie on nodes.
enum class Packing : std::uint8_t {
  members,  // `members` members, each on a node of its own with `gpus` GPUs
  count,    // `gpus` GPUs in all: on nodes of g up to g on one node, above that whole nodes and the
            // remainder on one more; `members` is 1 and cpus and memory are for each node
};
constexpr auto enum_names(Packing) {
  return std::array<std::string_view, 2>{"members", "count"};
}

/// What one member of a gang asks for.
struct Shape {
  Packing packing = Packing::members;
  std::uint32_t members = 1;
  Gpus gpus;      // per member: below 1000 a fraction of one GPU, else whole GPUs
  Cpus cpus;      // per member
  Memory memory;  // per member

  constexpr Gpus all_gpus() const { return Gpus{gpus.count * members}; }
  constexpr auto operator<=>(const Shape&) const = default;
  TENBIN_FIELDS(packing, members, gpus, cpus, memory)
};

/// A part of a node given to a member: whole GPUs as a mask of device indexes, or one device and a
/// fraction of it.
struct Slice {
  NodeId node;
  std::uint32_t mask = 0;   // devices; exactly one if `milli` is not 0
  std::uint32_t milli = 0;  // 0: the whole devices of `mask`

  constexpr auto operator<=>(const Slice&) const = default;
  TENBIN_FIELDS(node, mask, milli)
};

/// What a hold has pinned on one share of a lot.
struct Leg {
  ShareId share;
  Credits amount;

  constexpr auto operator<=>(const Leg&) const = default;
  TENBIN_FIELDS(share, amount)
};

enum class Role : std::uint8_t { member, auditor, operator_, officer };
constexpr auto enum_names(Role) {
  return std::array<std::string_view, 4>{"member", "auditor", "operator", "officer"};
}

/// What a person is in one project (lead, member, auditor) or one programme (officer, auditor).
enum class ScopedRole : std::uint8_t { member, auditor, lead, officer };
constexpr auto enum_names(ScopedRole) {
  return std::array<std::string_view, 4>{"member", "auditor", "lead", "officer"};
}

enum class PoolKind : std::uint8_t {
  nodes,    // nodes with places
  counted,  // one divisible node: for traces and golden schedules
};
constexpr auto enum_names(PoolKind) {
  return std::array<std::string_view, 2>{"nodes", "counted"};
}

/// `evacuating`: draining, and what ran there was told to stop; who starts again tells it again.
enum class NodeState : std::uint8_t { up, draining, evacuating };
constexpr auto enum_names(NodeState) {
  return std::array<std::string_view, 3>{"up", "draining", "evacuating"};
}

/// An enumerator's name, as files and messages have it.
template <class Enum>
constexpr std::string_view name_of(Enum value) {
  return enum_names(value)[static_cast<std::size_t>(value)];
}

/// Which job is looked at first.
enum class QueueOrder : std::uint8_t {
  fifo,  // first come, first served
  sjf,   // the shortest time limit first, then the first that came
};
constexpr auto enum_names(QueueOrder) {
  return std::array<std::string_view, 2>{"fifo", "sjf"};
}

/// Which jobs may pass one that does not fit.
enum class Backfill : std::uint8_t { none, easy };
constexpr auto enum_names(Backfill) {
  return std::array<std::string_view, 2>{"none", "easy"};
}

/// Which nodes a job is given among those that have room (core/fleet/placement.h has the
/// definitions).
enum class Placement : std::uint8_t {
  best_fit,       // in the first pool with room: the fewest free GPUs
  random,         // any
  dot_product,    // where what is free is least like what is asked for
  clustering,     // beside jobs of the same size
  packing,        // shared GPUs first, then used nodes
  fragmentation,  // where the least becomes useless to the jobs to come
  tightest,       // the fewest GPUs and CPUs left
};
constexpr auto enum_names(Placement) {
  return std::array<std::string_view, 7>{"best_fit", "random",        "dot_product", "clustering",
                                         "packing",  "fragmentation", "tightest"};
}

/// How the queue is served: the parts combine freely.
struct Policy {
  QueueOrder order = QueueOrder::fifo;
  Backfill backfill = Backfill::easy;
  Placement placement = Placement::best_fit;
  std::uint64_t seed = 0;  // of Placement::random
  bool cpu_jobs = false;   // jobs that ask for CPUs and no GPU are taken; they cost nothing

  constexpr auto operator<=>(const Policy&) const = default;
  TENBIN_FIELDS(order, backfill, placement, seed, cpu_jobs)
};

/// A kind of job to be ready for, and how common it is: one member of it, as it lies on one node.
struct Target {
  Gpus gpus;  // below 1000 a fraction of one GPU; 0: it wants none
  Cpus cpus;
  Memory memory;
  std::uint64_t models = 0;  // bits of GpuModelId; 0: any
  std::uint32_t weight = 0;

  constexpr auto operator<=>(const Target&) const = default;
  TENBIN_FIELDS(gpus, cpus, memory, models, weight)
};

/// When a job that comes after another may start.
enum class When : std::uint8_t {
  ok,      // the other was completed; of an array: every task
  any,     // the other is over
  not_ok,  // the other ended in another way
};
constexpr auto enum_names(When) {
  return std::array<std::string_view, 3>{"ok", "any", "not_ok"};
}

/// A job, or a whole array, that has to end first.
struct After {
  JobId job;
  When when = When::ok;

  constexpr auto operator<=>(const After&) const = default;
  TENBIN_FIELDS(job, when)
};

/// What people write on their jobs to find them again.
struct Label {
  Text key, value;

  constexpr auto operator<=>(const Label&) const = default;
  TENBIN_FIELDS(key, value)
};

enum class JobState : std::uint8_t {
  queued,    // waits for room
  blocked,   // waits for other jobs to end
  on_hold,   // waits until its owner releases it
  running,   // an attempt has been started
  stopping,  // asked to stop, not yet ended
  completed,
  failed,
  cancelled,
  time_limit,  // settled: the job leaves the World
};
constexpr auto enum_names(JobState) {
  return std::array<std::string_view, 9>{"queued",  "blocked",   "on_hold",
                                         "running", "stopping",  "completed",
                                         "failed",  "cancelled", "time_limit"};
}

/// Why a job was settled in the state in which it was.
enum class Why : std::uint8_t {
  ended,                 // it ended by itself, or could not be started
  asked,                 // somebody cancelled it
  dependency_never_met,  // what it came after ended otherwise
  lost_too_often,        // its attempts were lost again and again
  no_credit_to_retry,    // it failed, and another attempt could not be paid
};
constexpr auto enum_names(Why) {
  return std::array<std::string_view, 5>{"ended", "asked", "dependency_never_met", "lost_too_often",
                                         "no_credit_to_retry"};
}

/// How an attempt ended, as the executor reports it.
enum class EndKind : std::uint8_t { exited, signalled, time_limit, stopped, launch_failed, lost };
constexpr auto enum_names(EndKind) {
  return std::array<std::string_view, 6>{"exited",  "signalled",     "time_limit",
                                         "stopped", "launch_failed", "lost"};
}

}  // namespace tenbin
