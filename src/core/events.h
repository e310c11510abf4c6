#pragma once

#include <span>
#include <type_traits>
#include <variant>

#include "core/reasons.h"
#include "core/types.h"

// Everything that can become true. An event is complete in itself, so that it can be understood
// years later; only events change the World. Names and order of fields are a format
// (docs/formats/journal.md): a changed meaning gets a new name.

namespace tenbin {

// ---- programmes ----

struct FunderDeclared {
  FunderId funder;
  Text name, title;
  Money commitment;
  Credits credits_per_minor, committed;  // committed: the commitment at that rate
  TENBIN_FIELDS(funder, name, title, commitment, credits_per_minor, committed)
};
struct ProgrammeDeclared {
  ProgrammeId programme;
  Text name, title;
  TENBIN_FIELDS(programme, name, title)
};
struct OrganisationDeclared {
  OrganisationId organisation;
  Text name, title;
  TENBIN_FIELDS(organisation, name, title)
};
struct GrantDeclared {
  GrantId grant;
  Text name, title;
  ProgrammeId programme;
  OrganisationId organisation;
  TENBIN_FIELDS(grant, name, title, programme, organisation)
};
struct LotDeclared {
  LotId lot;
  Text name;
  GrantId grant;
  FunderId funder;
  Money amount;
  Credits credits;
  Instant valid_from, expires;
  std::uint64_t regions = 0;  // bit id-1 for each; 0: anywhere
  TENBIN_FIELDS(lot, name, grant, funder, amount, credits, valid_from, expires, regions)
};
struct ProjectDeclared {
  ProjectId project;
  Text name, title;
  OrganisationId organisation;
  TENBIN_FIELDS(project, name, title, organisation)
};
struct LotPart {
  LotId lot;
  ShareId share;
  Credits amount;
  TENBIN_FIELDS(lot, share, amount)
};
struct AllocationDeclared {
  AllocationId allocation;
  Text name;
  GrantId grant;
  ProjectId project;
  Credits amount;
  Text lot;
  std::span<const LotPart> parts;  // add up to amount
  TENBIN_FIELDS(allocation, name, grant, project, amount, lot, parts)
};
struct LotExpired {  // what nobody holds of it goes back
  LotId lot;
  Credits unallocated;
  std::span<const Leg> shares;
  TENBIN_FIELDS(lot, unallocated, shares)
};
struct CreditExpired {  // a hold on an expired lot was released: it has nowhere to go back to
  std::span<const Leg> shares;
  TENBIN_FIELDS(shares)
};

// What was declared before was declared with something else in it.

struct TitleSet {
  Thing thing = Thing::thing;
  std::uint64_t id = 0;
  Text title;
  TENBIN_FIELDS(thing, id, title)
};
struct FunderChanged {
  FunderId funder;
  Text title;
  Money commitment;
  Credits committed;
  TENBIN_FIELDS(funder, title, commitment, committed)
};
struct LotChanged {  // the difference of the credits comes from the funder, or goes back to it
  LotId lot;
  Money amount;
  Credits credits;
  Instant expires;
  TENBIN_FIELDS(lot, amount, credits, expires)
};
struct AllocationChanged {
  AllocationId allocation;
  Credits amount;
  std::span<const LotPart> added;  // to shares that are there, or to new ones
  std::span<const LotPart> taken;  // back to their lots
  TENBIN_FIELDS(allocation, amount, added, taken)
};

// ---- people ----

struct PersonDeclared {
  PersonId person;
  Text name, title;
  Role role = Role::member;
  TENBIN_FIELDS(person, name, title, role)
};
struct MemberDeclared {  // in one of the two; the role replaces the one before
  ProjectId project;
  PersonId person;
  ScopedRole role = ScopedRole::member;
  ProgrammeId programme;
  TENBIN_FIELDS(project, person, role, programme)
};
struct MemberRemoved {
  ProjectId project;
  PersonId person;
  ProgrammeId programme;
  TENBIN_FIELDS(project, person, programme)
};
struct PersonChanged {
  PersonId person;
  Text title;
  Role role = Role::member;
  bool disabled = false;
  TENBIN_FIELDS(person, title, role, disabled)
};
struct TokenCreated {
  TokenId token;
  PersonId person;
  Text label;
  Hash hash;
  Instant expires;
  Text hint;
  bool read_only = false;
  TENBIN_FIELDS(token, person, label, hash, expires, hint, read_only)
};
struct TokenRevoked {
  TokenId token;
  TENBIN_FIELDS(token)
};

// ---- fleet ----

struct ProviderDeclared {
  ProviderId provider;
  Text name, title;
  TENBIN_FIELDS(provider, name, title)
};
struct RegionDeclared {
  RegionId region;
  Text name, title;
  TENBIN_FIELDS(region, name, title)
};
struct GpuModelSeen {
  GpuModelId model;
  Text name;
  TENBIN_FIELDS(model, name)
};
struct PoolDeclared {
  PoolId pool;
  Text name;
  ProviderId provider;
  RegionId region;
  GpuModelId model;
  PoolKind kind = PoolKind::nodes;
  std::uint32_t gpus_per_node = 0;
  Cpus cpus;
  Memory memory;
  Gpus counted;
  TENBIN_FIELDS(pool, name, provider, region, model, kind, gpus_per_node, cpus, memory, counted)
};
struct NodeDeclared {
  NodeId node;
  Text name;
  PoolId pool;
  std::uint32_t first_device = 0;
  TENBIN_FIELDS(node, name, pool, first_device)
};
struct PriceSet {
  PriceId price;  // ascending: a job keeps the prices in force when it was submitted
  PoolId pool;
  Credits gpu_hour;
  std::uint32_t fraction_ppm = 0;
  TENBIN_FIELDS(price, pool, gpu_hour, fraction_ppm)
};
struct NodeStateSet {
  NodeId node;
  NodeState state = NodeState::up;
  TENBIN_FIELDS(node, state)
};

// ---- jobs ----

struct JobQueued {
  JobId job;
  ProjectId project;
  PersonId person;
  Shape shape;
  PoolSet pools;  // that could run it
  Span time_limit;
  PriceId prices;  // the prices in force: those with an id up to this
  Text name;
  Hash spec;
  Credits held;  // the dearest placement that it permits
  std::span<const Leg> legs;
  TENBIN_FIELDS(job, project, person, shape, pools, time_limit, prices, name, spec, held, legs)
};
struct TaskPart {  // tasks in a row that hold the same, each
  std::uint32_t tasks = 0;
  Credits held;
  std::span<const Leg> legs;
  TENBIN_FIELDS(tasks, held, legs)
};
struct ArrayQueued {  // task k has the id array + 1 + k, and no row of its own until it starts
  JobId array;
  ProjectId project;
  PersonId person;
  Shape shape;
  PoolSet pools;
  Span time_limit;
  PriceId prices;
  std::uint32_t tasks = 0, tasks_at_once = 0;
  Text name;
  Hash spec;
  std::span<const TaskPart> parts;  // in the order of the tasks
  TENBIN_FIELDS(array, project, person, shape, pools, time_limit, prices, tasks, tasks_at_once,
                name, spec, parts)
};
struct JobConditions {  // follows a JobQueued or ArrayQueued that came with any of these
  JobId job;
  std::span<const After> after;  // those that are not over yet
  JobId never_met;               // one that is over and ended otherwise: this job cannot start
  bool hold = false;
  std::uint32_t retries = 0;
  std::span<const Label> labels;
  TENBIN_FIELDS(job, after, never_met, hold, retries, labels)
};
struct TaskParted {  // this task of an array gets a row of its own before it starts
  JobId job;
  TENBIN_FIELDS(job)
};
struct JobHeld {  // a job, a task, or all that waits of an array
  JobId job;
  TENBIN_FIELDS(job)
};
struct JobReleased {
  JobId job;
  TENBIN_FIELDS(job)
};
struct PromiseMoved {  // this blocked job will start no later than `at` if all keep their limits
  PoolId pool;
  JobId job;
  Instant at;
  Gpus spare;                     // counted pools: what backfill may use beyond `at`
  std::span<const NodeId> nodes;  // pools of nodes: where; backfill there ends before `at`
  TENBIN_FIELDS(pool, job, at, spare, nodes)
};
struct JobStarted {
  JobId job;
  std::uint32_t attempt = 0;
  PoolId pool;
  Rate rate;
  Credits held;  // may be lower than before: the price of this place
  std::span<const Leg> legs;
  std::span<const Slice> slices;  // empty in a counted pool
  TENBIN_FIELDS(job, attempt, pool, rate, held, legs, slices)
};
struct StopRequested {
  JobId job;
  TENBIN_FIELDS(job)
};
struct AttemptLost {  // not charged; the hold stays and the job waits again, at its old place
  JobId job;
  std::uint32_t attempt = 0;
  Instant ended;
  TENBIN_FIELDS(job, attempt, ended)
};
struct AttemptFailed {  // charged; the job holds for another attempt and waits at its old place
  JobId job;
  std::uint32_t attempt = 0;
  std::int32_t code = 0;
  Instant ended;
  Credits charged;
  std::span<const Leg> captures;  // add up to charged
  std::span<const Leg> legs;      // what the next attempt holds: as much as this one did
  TENBIN_FIELDS(job, attempt, code, ended, charged, captures, legs)
};
struct TasksCancelled {  // all tasks of an array that never started, at once
  JobId array;
  Why why = Why::asked;
  Instant ended;
  std::uint32_t tasks = 0;
  Credits released;
  TENBIN_FIELDS(array, why, ended, tasks, released)
};
struct JobSettled {
  JobId job;
  std::uint32_t attempt = 0;
  JobState state = JobState::completed;
  Why why = Why::ended;
  std::int32_t code = 0;
  Instant ended;
  Credits charged, released;      // of the last attempt
  std::span<const Leg> captures;  // add up to charged
  TENBIN_FIELDS(job, attempt, state, why, code, ended, charged, released, captures)
};

// ---- the driver's own ----

struct PolicySet {
  Policy policy;
  std::span<const Target> targets;
  TENBIN_FIELDS(policy, targets)
};
struct EpochOpened {
  std::uint64_t epoch = 0;
  TENBIN_FIELDS(epoch)
};
struct RequestAnswered {  // what a repeat of this request will be told
  RequestId request;
  std::uint64_t asked = 0;   // digest of who asked what
  std::uint64_t result = 0;  // id of what was made
  bool refused = false;
  Reason reason = Reason::not_permitted;
  std::int64_t a = 0, b = 0, c = 0, d = 0;
  TENBIN_FIELDS(request, asked, result, refused, reason, a, b, c, d)
};
struct RequestsForgotten {
  std::uint64_t count = 0;
  TENBIN_FIELDS(count)
};

using Event = std::variant<
    FunderDeclared, ProgrammeDeclared, OrganisationDeclared, GrantDeclared, LotDeclared,
    ProjectDeclared, AllocationDeclared, LotExpired, CreditExpired, PersonDeclared, MemberDeclared,
    TokenCreated, TokenRevoked, ProviderDeclared, RegionDeclared, GpuModelSeen, PoolDeclared,
    NodeDeclared, PriceSet, NodeStateSet, JobQueued, ArrayQueued, JobConditions, TaskParted,
    JobHeld, JobReleased, PromiseMoved, JobStarted, StopRequested, AttemptLost, AttemptFailed,
    TasksCancelled, JobSettled, PolicySet, EpochOpened, RequestAnswered, RequestsForgotten,
    TitleSet, FunderChanged, LotChanged, AllocationChanged, MemberRemoved, PersonChanged>;
static_assert(std::is_trivially_copyable_v<Event> && std::is_trivially_destructible_v<Event>,
              "events are plain: their variable parts lie in an arena");

inline constexpr std::array<std::string_view, std::variant_size_v<Event>> event_names{
    "FunderDeclared",
    "ProgrammeDeclared",
    "OrganisationDeclared",
    "GrantDeclared",
    "LotDeclared",
    "ProjectDeclared",
    "AllocationDeclared",
    "LotExpired",
    "CreditExpired",
    "PersonDeclared",
    "MemberDeclared",
    "TokenCreated",
    "TokenRevoked",
    "ProviderDeclared",
    "RegionDeclared",
    "GpuModelSeen",
    "PoolDeclared",
    "NodeDeclared",
    "PriceSet",
    "NodeStateSet",
    "JobQueued",
    "ArrayQueued",
    "JobConditions",
    "TaskParted",
    "JobHeld",
    "JobReleased",
    "PromiseMoved",
    "JobStarted",
    "StopRequested",
    "AttemptLost",
    "AttemptFailed",
    "TasksCancelled",
    "JobSettled",
    "PolicySet",
    "EpochOpened",
    "RequestAnswered",
    "RequestsForgotten",
    "TitleSet",
    "FunderChanged",
    "LotChanged",
    "AllocationChanged",
    "MemberRemoved",
    "PersonChanged"};

}  // namespace tenbin
