#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/world.h"
#include "twin/trace.h"

namespace tenbin {

/// One pool of a replay's fleet: nodes of one class in one region at one price.
struct ReplayPool {
  std::string name, provider = "replay", region = "replay", model = "gpu";
  PoolKind kind = PoolKind::nodes;
  std::uint32_t gpus_per_node = 0;  // nodes
  Cpus cpus;                        // of one node; 0: not accounted
  Memory memory;                    // of one node; 0: not accounted
  Gpus counted;                     // counted: all of it
  std::vector<std::string> nodes;   // their names
  Credits gpu_hour{1'000'000};
  std::uint32_t fraction_ppm = 1'000'000;

  Gpus gpus() const {
    return kind == PoolKind::counted
               ? counted
               : Gpus{static_cast<std::int64_t>(nodes.size()) * gpus_per_node * 1'000};
  }
};

/// Where a replay's jobs run: one pool in few words, or any pools.
struct ReplayFleet {
  PoolKind kind = PoolKind::counted;
  std::uint32_t gpus = 0;   // counted: in all
  std::uint32_t nodes = 0;  // nodes of `gpus_per_node`
  std::uint32_t gpus_per_node = 8;
  std::vector<ReplayPool> pools = {};  // if there are any, these and not the one above

  /// The pools, however they were given.
  std::vector<ReplayPool> all() const;
};

struct ReplayResult {
  std::vector<Instant> starts;  // in the order of the trace; never for a job that did not start
  std::uint64_t refused = 0;
  std::uint64_t events = 0;
  std::uint64_t history = 0;  // the World's digest
};

/// A World with a fleet at prices and a funder, and no project yet: the driver makes one for each
/// owner when the owner's first job comes, and gives it more credit whenever it needs some.
/// `targets`: what Placement::fragmentation is to be ready for (see typical_targets).
/// Errors: what of the fleet or the policy is refused, and why.
Result<World> open_replay_world(const ReplayFleet& fleet, const Policy& policy,
                                std::span<const Target> targets = {}, bool japanese = false);
/// The same for a fleet that is known to be good.
World replay_world(const ReplayFleet& fleet, const Policy& policy,
                   std::span<const Target> targets = {});
/// A name that a World takes, for one from a file: "V100M16" is "v100m16".
std::string world_name(std::string_view text);

/// The kinds of jobs that a trace has, as fragmentation counts them, for a World with this fleet.
std::vector<Target> replay_targets(const ReplayFleet& fleet, const Trace& trace);

/// The same, with the projects of all owners of `jobs`.
World replay_world(const std::vector<TraceJob>& jobs, const ReplayFleet& fleet,
                   const Policy& policy);

/// The name of an owner's project in a replay's World.
std::string replay_project(std::uint32_t owner);

/// Called after every instant with the World as it is then; may put another, equal one in its
/// place.
using AfterInstant = std::function<void(World&)>;

/// Drives `world` through the trace with a virtual clock. At one instant: first what ended, then
/// what was submitted, then `Schedule`. Jobs are what the trace says they were: they run for their
/// runtime and end as they did.
ReplayResult replay(World& world, const std::vector<TraceJob>& jobs,
                    const AfterInstant& after = {});

/// What is told while a replay runs. A job is named by its row: the rows of the trace that were
/// read, counted from 0.
class ReplayWatch {
 public:
  virtual ~ReplayWatch() = default;
  virtual void submitted(std::uint64_t /*row*/, const TraceJob& /*job*/) {}
  virtual void refused(std::uint64_t /*row*/, const TraceJob& /*job*/, const Refusal& /*why*/) {}
  virtual void started(std::uint64_t /*row*/, const TraceJob& /*job*/, const JobStarted& /*event*/,
                       Instant /*now*/) {}
  virtual void ended(std::uint64_t /*row*/, const TraceJob& /*job*/, const JobSettled& /*event*/,
                     Instant /*now*/) {}
  /// Of journals: its attempt is over and the job waits again; it is over and never ran; it ran for
  /// its time limit because its end is not known.
  virtual void waits_again(std::uint64_t /*row*/, const TraceJob& /*job*/, Instant /*now*/) {}
  virtual void dropped(std::uint64_t /*row*/, const TraceJob& /*job*/, Instant /*now*/) {}
  virtual void given_limit(std::uint64_t /*row*/) {}
  /// Every event of a start or an end, when the World has taken it in; before `started` and `ended`
  /// tell of the same.
  virtual void happened(const World& /*world*/, const Event& /*event*/) {}
  /// After everything that happened at `now`.
  virtual void instant(const World& /*world*/, Instant /*now*/) {}
};

/// How far a replay is, and how to end it early; may be used from another thread.
struct ReplayControl {
  std::atomic<std::uint64_t> submitted{0}, ended{0};
  std::atomic<bool> stop{false};
};

struct ReplayRun {
  std::uint64_t jobs = 0;  // read
  std::uint64_t events = 0;
  std::uint64_t history = 0;
  bool stopped = false;  // before the end, because it was asked
};

/// The same for a trace that is read while the replay runs: memory follows the jobs that wait and
/// run. Errors: the source's.
Result<ReplayRun> replay(World& world, TraceSource& source, ReplayWatch* watch = nullptr,
                         ReplayControl* control = nullptr);
/// The same for jobs in memory, which several replays may share.
Result<ReplayRun> replay(World& world, const std::vector<TraceJob>& jobs, const TraceNames& names,
                         ReplayWatch* watch = nullptr, ReplayControl* control = nullptr);

}  // namespace tenbin
