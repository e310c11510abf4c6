#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/world.h"

namespace tenbin {

/// Checks the promises of the World from outside: it sees commands and events, keeps books of its
/// own in the simplest way, and shares no code with core/. It says what is wrong instead of
/// stopping.
class Auditor {
 public:
  /// Takes in what one command came to.
  void hear(const Asked& asked, Instant at, std::span<const Event> events);
  /// Whether the World's accounts say what the auditor's books say.
  void compare(const World& world);

  const std::string& complaint() const { return complaint_; }

 private:
  struct Lot {
    FunderId funder;
    Instant from, expires;
    std::uint64_t regions = 0;
    Credits credits, unallocated, gone;
    bool expired = false;
  };
  struct Share {
    LotId lot;
    ProjectId project;
    Credits free, held, spent;
    AllocationId allocation;
  };
  struct Allocation {
    ProjectId project;
    Credits amount;
  };
  struct Price {
    PoolId pool;
    Credits gpu_hour;
    std::uint32_t fraction_ppm = 0;
  };
  struct Node {
    PoolId pool;
    NodeState state = NodeState::up;
    std::array<std::int64_t, 32> used{};  // milli of each device
    std::int64_t cpus = 0, memory = 0;    // used
  };
  struct Pool {
    RegionId region;
    PoolKind kind = PoolKind::nodes;
    std::uint32_t gpus = 0;
    Cpus cpus;
    Memory memory;
    Gpus counted, used;
  };
  enum class Life { waiting, running, stopping };
  struct Job {
    ProjectId project;
    Shape shape;
    PoolSet pools;
    Span limit;
    PriceId prices;
    Credits held;
    std::vector<Leg> legs;
    Life life = Life::waiting;
    std::uint32_t attempt = 0;
    PoolId pool;
    Credits rate;
    Instant started, stop;
    std::vector<Slice> slices;
    JobId array;
    bool hold = false, never = false;
    std::vector<After> after;
    std::uint32_t retries = 0, failures = 0;
  };
  struct Array {
    ProjectId project;
    std::uint32_t tasks = 0, at_once = 0;
    bool over = false, all_completed = true;
  };

  template <class E>
  void take_in(const E&) {}  // nothing to check
  void take_in(const FunderDeclared& e);
  void take_in(const LotDeclared& e);
  void take_in(const AllocationDeclared& e);
  void take_in(const FunderChanged& e);
  void take_in(const LotChanged& e);
  void take_in(const AllocationChanged& e);
  void take_in(const PersonDeclared& e);
  void take_in(const PersonChanged& e);
  void take_in(const LotExpired& e);
  void take_in(const CreditExpired& e);
  void take_in(const PoolDeclared& e);
  void take_in(const NodeDeclared& e);
  void take_in(const PriceSet& e);
  void take_in(const NodeStateSet& e);
  void take_in(const JobQueued& e);
  void take_in(const ArrayQueued& e);
  void take_in(const JobConditions& e);
  void take_in(const TaskParted& e);
  void take_in(const JobHeld& e);
  void take_in(const JobReleased& e);
  void take_in(const PromiseMoved& e);
  void take_in(const JobStarted& e);
  void take_in(const StopRequested& e);
  void take_in(const AttemptLost& e);
  void take_in(const AttemptFailed& e);
  void take_in(const TasksCancelled& e);
  void take_in(const JobSettled& e);
  void take_in(const PolicySet& e) { policy_ = e.policy; }

  void expect(bool good, std::string what);
  struct Queued {
    ProjectId project;
    Shape shape;
    PoolSet pools;
    Span limit;
    PriceId prices;
    Credits held;
    std::span<const Leg> legs;
  };
  Job& queue(JobId id, const Queued& q);
  template <class Visit>
  void each_of(JobId id, Visit&& visit);  // a job, or every task of an array
  bool eligible(const Job& job) const;
  bool full(JobId array) const;
  Wide due(const Job& job, Instant ended) const;
  std::vector<Leg> capture(Job& job, Credits charged, std::span<const Leg> captures);
  void end(JobId id, bool ok);
  void over(JobId id, bool ok);
  Wide rate(const Pool& pool, PoolId id, const Shape& shape, PriceId prices) const;
  static Wide cost(Span length, Wide rate) { return Wide{length.count} * rate / 3'600'000; }
  bool spendable(const Share& share, RegionId region) const;
  std::vector<Leg> pick(ProjectId project, RegionId region, Wide need,
                        const std::vector<Leg>& pinned) const;
  std::vector<Leg> paying(const Job& job, PoolId pool, bool& enough) const;
  bool node_takes(const Pool& pool, const Node& node, const Shape& shape, Gpus gpus) const;
  bool room(PoolId pool, const Shape& shape) const;
  void place(const Job& job, std::int64_t sign);
  bool goes_before(JobId id, const Job& job, JobId other_id, const Job& other) const;
  void first_is_blocked();

  std::string complaint_;
  Instant at_;
  const Asked* asked_ = nullptr;
  Policy policy_;
  std::map<FunderId, std::pair<Credits, Credits>> funders_;  // committed, promised to lots
  std::map<LotId, Lot> lots_;
  std::map<ShareId, Share> shares_;
  std::map<AllocationId, Allocation> allocations_;
  std::set<PersonId> officers_;  // who may sign in
  std::map<PriceId, Price> prices_;
  std::map<PoolId, Pool> pools_;
  std::map<NodeId, Node> nodes_;
  std::map<JobId, Job> jobs_;
  std::map<JobId, Array> arrays_;
  std::map<JobId, bool> ended_;  // whether it was completed
};

}  // namespace tenbin
