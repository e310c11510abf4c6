#pragma once

#include <expected>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/small_vector.h"
#include "base/table.h"
#include "core/commands.h"
#include "core/facts.h"
#include "core/fleet/fleet.h"
#include "core/fleet/placement_memo.h"
#include "core/jobs/outcomes.h"
#include "core/ledger/ledger.h"
#include "core/requests.h"
#include "core/schedule/lanes.h"

namespace tenbin {

// ---- rows ----

struct Funder {
  std::string name, title;
  Money commitment;
  Credits credits_per_minor;
  AccountId account;  // debited with what it gave
  TENBIN_FIELDS(name, title, commitment, credits_per_minor, account)
};
/// A person's role in one project or programme.
struct Membership {
  PersonId person;
  ScopedRole role = ScopedRole::member;
  TENBIN_FIELDS(person, role)
};
using Members = std::vector<Membership>;  // in the order in which they came
struct Programme {
  std::string name, title;
  Members members;
  TENBIN_FIELDS(name, title, members)
};
struct Organisation {
  std::string name, title;
  TENBIN_FIELDS(name, title)
};
struct Grant {
  std::string name, title;
  ProgrammeId programme;
  OrganisationId organisation;
  TENBIN_FIELDS(name, title, programme, organisation)
};
struct Lot {
  std::string name;
  GrantId grant;
  FunderId funder;
  Money amount;
  Credits credits;
  Instant valid_from, expires;
  std::uint64_t regions = 0;  // 0: anywhere
  bool expired = false;       // its free credit has been returned
  AccountId unallocated, gone;
  TENBIN_FIELDS(name, grant, funder, amount, credits, valid_from, expires, regions, expired,
                unallocated, gone)

  bool spendable_in(RegionId region) const {
    return regions == 0 || (regions & PoolSet::bit(region.value)) != 0;
  }
  bool valid_at(Instant t) const { return valid_from <= t && t < expires; }
};
struct Project {
  std::string name, title;
  OrganisationId organisation;
  Members members;
  TENBIN_FIELDS(name, title, organisation, members)

  std::vector<ShareId> shares;  // derived: in order of consumption
  std::uint64_t live_jobs = 0;  // derived
};
struct Allocation {
  std::string name;
  GrantId grant;
  ProjectId project;
  Credits amount;
  std::string lot;
  TENBIN_FIELDS(name, grant, project, amount, lot)
};
/// The part of one lot that one allocation gives to its project: where holds are pinned.
struct Share {
  AllocationId allocation;
  LotId lot;
  ProjectId project;
  AccountId free, used;  // used is credited with what was captured
  TENBIN_FIELDS(allocation, lot, project, free, used)
};
struct Person {
  std::string name, title;
  Role role = Role::member;
  bool disabled = false;  // may do nothing, and no token of theirs is taken
  TENBIN_FIELDS(name, title, role, disabled)
};
struct Token {
  PersonId person;
  std::string label;
  Hash hash;
  Instant expires;
  bool revoked = false;
  std::string hint;
  bool read_only = false;
  TENBIN_FIELDS(person, label, hash, expires, revoked, hint, read_only)
};

struct Job {
  ProjectId project;
  PersonId person;
  Shape shape;
  PoolSet pools;
  Span limit;
  Instant submitted, started, stop_asked;  // 0: not yet
  PriceId prices;
  JobId array;             // none: not in one
  std::uint32_t task = 0;  // in its array
  std::uint32_t more = 0;  // tasks right after it that this row stands for too: they hold the same
  std::string name;
  Hash spec;
  JobState state = JobState::queued;
  bool on_hold = false;        // by its owner
  bool never = false;          // what it came after ended otherwise: it is to be cancelled
  std::uint32_t retries = 0;   // further attempts that it may have
  std::uint32_t failures = 0;  // attempts that failed so far
  std::uint32_t attempt = 0;   // starts so far
  PoolId pool;                 // while running
  PoolId promised;             // in which pool it holds the promise
  Rate rate;
  Credits held;              // of each task
  Credits charged;           // for attempts that failed before this one
  SmallVector<Leg, 1> legs;  // add up to held
  SmallVector<Slice, 1> slices;
  std::vector<After> after;  // what has to end first
  std::vector<std::pair<std::string, std::string>> labels;
  TENBIN_FIELDS(project, person, shape, pools, limit, submitted, started, stop_asked, prices, array,
                task, more, name, spec, state, on_hold, never, retries, failures, attempt, pool,
                promised, rate, held, charged, legs, slices, after, labels)

  bool active() const { return state == JobState::running || state == JobState::stopping; }
  std::uint64_t tasks() const { return std::uint64_t{more} + 1; }
  Instant expected_end() const { return started + limit; }

  std::uint32_t seat = 0;  // derived: where it stands in its pool's `running`
};

/// What is known of an array as a whole. Its tasks have the ids that follow its own; until they
/// start, rows of jobs stand for many of them each. It stays for outcome_memory after its end.
struct JobArray {
  ProjectId project;
  std::uint32_t tasks = 0, at_once = 0;
  std::uint32_t completed = 0, failed = 0, cancelled = 0, time_limit = 0;  // tasks that are over
  Instant started, ended;                                                  // 0: not yet
  Credits held, charged;  // when it was submitted; for all attempts of tasks that are over
  TENBIN_FIELDS(project, tasks, at_once, completed, failed, cancelled, time_limit, started, ended,
                held, charged)

  std::uint32_t active = 0;  // derived: tasks that run
  std::set<JobId> rows;      // derived: of its tasks that are not over

  std::uint32_t over() const { return completed + failed + cancelled + time_limit; }
  bool full() const { return at_once > 0 && active >= at_once; }
};

// ---- the World ----

/// What the World is about. Rows are the state; what is marked derived, and `index`, can be built
/// from the rows again (`reindex`) and is kept up to date by every evolve.
struct Affairs {
  Instant now;
  std::uint64_t history = 0;  // digest of all events so far, in order
  std::uint64_t epoch = 0;
  Policy policy;
  std::vector<Target> targets;  // kinds of jobs that placement is to be ready for

  Accounts accounts;
  Table<FunderId, Funder> funders;
  Table<ProgrammeId, Programme> programmes;
  Table<OrganisationId, Organisation> organisations;
  Table<GrantId, Grant> grants;
  Table<LotId, Lot> lots;
  Table<ProjectId, Project> projects;
  Table<AllocationId, Allocation> allocations;
  Table<ShareId, Share> shares;
  Table<PersonId, Person> persons;
  Table<TokenId, Token> tokens;
  Table<ProviderId, Provider> providers;
  Table<RegionId, Region> regions;
  Table<GpuModelId, GpuModel> models;
  Table<PoolId, Pool> pools;
  Table<NodeId, Node> nodes;
  Table<PriceId, Price> prices;
  Table<JobId, Job> jobs;
  std::map<JobId, JobArray> arrays;

  struct Index {
    // By hash: a submit names its project. Never walked.
    struct TextHash {
      using is_transparent = void;
      std::size_t operator()(Text text) const {
        Digest digest;
        digest.add(text);
        return digest.value();
      }
    };
    template <class IdType>
    using Names = std::unordered_map<std::string, IdType, TextHash, std::equal_to<>>;
    Names<FunderId> funders;
    Names<ProgrammeId> programmes;
    Names<OrganisationId> organisations;
    Names<GrantId> grants;
    Names<LotId> lots;
    Names<ProjectId> projects;
    Names<AllocationId> allocations;
    Names<PersonId> persons;
    Names<ProviderId> providers;
    Names<RegionId> regions;
    Names<GpuModelId> models;
    Names<PoolId> pools;
    Names<NodeId> nodes;
    Lanes lanes;                               // queued jobs
    std::map<JobId, std::set<JobId>> awaited;  // rows of jobs by what they come after
    std::set<JobId> never;                     // rows of jobs that are to be cancelled
    std::map<Hash, TokenId> tokens;
    // A pass has looked at every waiting job up to this one, and nothing has happened since that
    // could let one of them start. Only ever a short cut: a pass would refuse them again.
    JobId rested;
    bool some_lot_expired = false;
    PlacementMemo placements;
  } index;
};

/// Everything that Tenbin knows: a plain value. Only `record` changes it.
struct World : Affairs {
  Requests requests;  // what was answered lately; by far the largest part of a busy World
  Outcomes outcomes;  // how jobs ended lately
};

/// A copy for playing forward, which needs no memory of past requests and jobs. Cost: the living
/// rows.
inline World without_requests(const World& world) {
  World copy;
  static_cast<Affairs&>(copy) = world;
  return copy;
}

// ---- the loop ----

/// What a command came to: the id of what was made (0 if nothing is), or a refusal.
using Decision = std::expected<std::uint64_t, Refusal>;

/// Decides `asked` at `now` and makes it true. Appends the events to `facts`; a refusal appends
/// none, unless the request carries an id: then the answer itself is remembered by an event. `now`
/// never goes back. Cost: the command's.
Decision apply(World& world, const Asked& asked, Instant now, Facts& facts);

/// What `apply` would answer, changing nothing; the events are appended to `facts`.
Decision consider(const World& world, const Asked& asked, Instant now, Facts& facts);

/// Makes one fact true. A fact that does not fit is a broken promise.
void record(World& world, const Event& event, Instant at);

/// Builds everything derived from the rows, after decoding.
void reindex(World& world);

/// The promises that hold between any two commands: credits are conserved and never overspent,
/// every hold belongs to one living job, no GPU is given twice, every index agrees with the rows.
/// Returns nothing if all hold, else which one is broken. Cost: all rows.
std::string_view broken_promise(const World& world);
inline bool sound(const World& world) {
  return broken_promise(world).empty();
}

}  // namespace tenbin
