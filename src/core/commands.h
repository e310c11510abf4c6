#pragma once

#include <span>
#include <variant>

#include "core/types.h"

// Everything that can be asked of the World. A command may be refused; a refusal changes nothing.
// Things are named by their names here, as people name them; events carry ids.

namespace tenbin {

// ---- programmes: who promised what to whom. Declaring the same thing twice changes nothing. ----

struct DeclareFunder {
  Text name, title;
  Money commitment;           // all that this funder may promise as credits
  Credits credits_per_minor;  // the fixed rate: credits for one minor unit of its currency
  TENBIN_FIELDS(name, title, commitment, credits_per_minor)
};
struct DeclareProgramme {
  Text name, title;
  TENBIN_FIELDS(name, title)
};
struct DeclareOrganisation {
  Text name, title;
  TENBIN_FIELDS(name, title)
};
struct DeclareGrant {
  Text name, title, programme, organisation;
  TENBIN_FIELDS(name, title, programme, organisation)
};
struct DeclareLot {
  Text name, grant, funder;
  Money amount;
  Instant valid_from, expires;
  std::span<const Text> regions;  // where it may be spent; empty: anywhere
  TENBIN_FIELDS(name, grant, funder, amount, valid_from, expires, regions)
};
struct DeclareProject {
  Text name, title, organisation;
  TENBIN_FIELDS(name, title, organisation)
};
struct DeclareAllocation {
  Text name, grant, project;
  Credits amount;
  Text lot;  // take it from this lot; empty: from the grant's lots in order of consumption
  TENBIN_FIELDS(name, grant, project, amount, lot)
};
struct ExpireLot {  // given by the driver's clock
  LotId lot;
  TENBIN_FIELDS(lot)
};

// ---- people ----

struct DeclarePerson {
  Text name, title;
  Role role = Role::member;
  TENBIN_FIELDS(name, title, role)
};
struct DeclareMember {  // again with another role: changes it
  Text project, person;
  ScopedRole role = ScopedRole::member;
  Text programme;  // either a project or a programme is named
  TENBIN_FIELDS(project, person, role, programme)
};
struct RemoveMember {
  Text project, person, programme;
  TENBIN_FIELDS(project, person, programme)
};
struct DisablePerson {  // tokens stop at once; jobs that the projects pay for go on
  Text person;
  TENBIN_FIELDS(person)
};
struct EnablePerson {
  Text person;
  TENBIN_FIELDS(person)
};
struct CreateToken {
  Text person, label;
  Hash hash;  // of the secret; the secret itself is never here
  Instant expires;
  Text hint;               // the secret's last characters, so that people can tell tokens apart
  bool read_only = false;  // it may ask questions and give no commands
  TENBIN_FIELDS(person, label, hash, expires, hint, read_only)
};
struct RevokeToken {
  TokenId token;
  TENBIN_FIELDS(token)
};

// ---- fleet ----

struct DeclareProvider {
  Text name, title;
  TENBIN_FIELDS(name, title)
};
struct DeclareRegion {
  Text name, title;
  TENBIN_FIELDS(name, title)
};
struct DeclarePool {
  Text name, provider, region, gpu_model;
  PoolKind kind = PoolKind::nodes;
  std::uint32_t gpus_per_node = 0;  // nodes
  Cpus cpus;                        // of one node; 0: not accounted
  Memory memory;                    // of one node; 0: not accounted
  Gpus counted;                     // counted: all of it
  TENBIN_FIELDS(name, provider, region, gpu_model, kind, gpus_per_node, cpus, memory, counted)
};
struct DeclareNode {
  Text name, pool;
  std::uint32_t first_device = 0;  // the machine's index of its first GPU
  TENBIN_FIELDS(name, pool, first_device)
};
struct SetPrice {
  Text pool;
  Credits gpu_hour;                        // a whole GPU for an hour
  std::uint32_t fraction_ppm = 1'000'000;  // a fraction f costs this / 1,000,000 x f of that
  TENBIN_FIELDS(pool, gpu_hour, fraction_ppm)
};
struct DrainNode {
  Text node;
  TENBIN_FIELDS(node)
};
struct ResumeNode {
  Text node;
  TENBIN_FIELDS(node)
};
struct EvacuateNode {  // drained, and what runs there goes back into the queue, uncharged
  Text node;
  TENBIN_FIELDS(node)
};

// ---- jobs ----

struct SubmitJob {
  Text project;
  Shape shape;
  std::span<const Text> models;   // permitted GPU models; empty: any
  std::span<const Text> regions;  // permitted regions; empty: any
  Span time_limit;
  std::uint32_t tasks = 1;          // more than 1: an array
  std::uint32_t tasks_at_once = 0;  // of an array, started and not yet over; 0: any number
  std::span<const After> after;     // all of them have to be met
  bool hold = false;                // wait until ReleaseJob
  std::uint32_t retries = 0;        // further attempts after one that failed
  Text name;                        // for people; may be empty
  std::span<const Label> labels;    // for people
  Hash spec;                        // of the blob with command, environment and script
  TENBIN_FIELDS(project, shape, models, regions, time_limit, tasks, tasks_at_once, after, hold,
                retries, name, labels, spec)
};
struct CancelJob {  // or an array, or one task
  JobId job;
  TENBIN_FIELDS(job)
};
struct HoldJob {  // or what waits of an array, or one task
  JobId job;
  TENBIN_FIELDS(job)
};
struct ReleaseJob {
  JobId job;
  TENBIN_FIELDS(job)
};
struct ReportEnd {  // the driver, from an executor
  JobId job;
  std::uint32_t attempt = 0;
  EndKind kind = EndKind::lost;
  std::int32_t code = 0;
  Instant ended;
  TENBIN_FIELDS(job, attempt, kind, code, ended)
};

// ---- the driver's own ----

struct SetPolicy {
  Policy policy;
  std::span<const Target> targets;  // for Placement::fragmentation
  TENBIN_FIELDS(policy, targets)
};
struct OpenEpoch {  // one for each start of the service
  TENBIN_FIELDS()
};
struct ForgetRequests {  // ids older than request_memory
  TENBIN_FIELDS()
};
struct Schedule {
  TENBIN_FIELDS()
};

using Command =
    std::variant<DeclareFunder, DeclareProgramme, DeclareOrganisation, DeclareGrant, DeclareLot,
                 DeclareProject, DeclareAllocation, ExpireLot, DeclarePerson, DeclareMember,
                 CreateToken, RevokeToken, DeclareProvider, DeclareRegion, DeclarePool, DeclareNode,
                 SetPrice, DrainNode, ResumeNode, EvacuateNode, SubmitJob, CancelJob, HoldJob,
                 ReleaseJob, ReportEnd, SetPolicy, OpenEpoch, ForgetRequests, Schedule,
                 RemoveMember, DisablePerson, EnablePerson>;

/// The names of the alternatives, as they stand in the journal and in the API.
inline constexpr std::array<std::string_view, std::variant_size_v<Command>> command_names{
    "DeclareFunder",     "DeclareProgramme", "DeclareOrganisation",
    "DeclareGrant",      "DeclareLot",       "DeclareProject",
    "DeclareAllocation", "ExpireLot",        "DeclarePerson",
    "DeclareMember",     "CreateToken",      "RevokeToken",
    "DeclareProvider",   "DeclareRegion",    "DeclarePool",
    "DeclareNode",       "SetPrice",         "DrainNode",
    "ResumeNode",        "EvacuateNode",     "SubmitJob",
    "CancelJob",         "HoldJob",          "ReleaseJob",
    "ReportEnd",         "SetPolicy",        "OpenEpoch",
    "ForgetRequests",    "Schedule",         "RemoveMember",
    "DisablePerson",     "EnablePerson"};

/// A command as it arrives: who asks, and under which id it may be repeated.
struct Asked {
  PersonId by;        // none: the service itself
  RequestId request;  // none: not remembered
  Command command;
};

}  // namespace tenbin
