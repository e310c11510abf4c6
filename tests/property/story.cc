#include "property/story.h"

#include <iterator>

namespace tenbin {

namespace {

constexpr std::int64_t minute = 60'000;
constexpr Instant beginning{1'700'000'000'000};

// How many of each kind the founding may make; later commands name a few more.
constexpr std::uint64_t funders = 3, grants = 2, lots = 6, projects = 3, persons = 5, regions = 3,
                        pools = 4, nodes = 5, models = 2;

}  // namespace

std::uint64_t Dice::below(std::uint64_t bound) {
  if (!from_bytes_) return rng_.below(bound);
  std::uint64_t value = 0;
  for (std::uint64_t range = 1; range < bound && !bytes_.empty(); range <<= 8) {
    value = value << 8 | bytes_.front();
    bytes_ = bytes_.subspan(1);
    if (range > UINT64_MAX >> 8) break;
  }
  return value % bound;
}

Story::Story(Dice& dice) : dice_(dice) {
  found();
}

Text Story::name(const char* kind, std::uint64_t number) {
  return arena_.text(kind + std::to_string(number));
}
Text Story::any_name(const char* kind, std::uint64_t count) {
  if (dice_.percent(2)) return "Not a name!";
  return name(kind, dice_.below(count + 1));  // one that may not exist
}
std::span<const Text> Story::any_names(const char* kind, std::uint64_t count,
                                       std::uint64_t at_most) {
  const std::span<Text> list = arena_.make<Text>(dice_.between(0, at_most));
  for (Text& text : list) text = dice_.percent(98) ? name(kind, dice_.below(count)) : "nowhere";
  return list;
}

void Story::found() {
  SetPolicy policy = any_policy();
  policy.policy.backfill = dice_.percent(30) ? Backfill::none : Backfill::easy;
  founding_.emplace_back(policy);
  founding_.emplace_back(DeclareProvider{"provider0", "a provider"});
  for (std::uint64_t r = 0; r < regions; ++r)
    founding_.emplace_back(DeclareRegion{name("region", r), ""});
  for (std::uint64_t p = 0; p < dice_.between(2, pools); ++p) {
    const DeclarePool pool = any_pool(p);
    founding_.emplace_back(pool);
    if (pool.kind == PoolKind::nodes) {
      for (std::uint64_t n = 0; n < dice_.between(1, nodes); ++n) {
        founding_.emplace_back(DeclareNode{name("node", p * 10 + n), pool.name, 0});
      }
    }
    founding_.emplace_back(SetPrice{pool.name,
                                    Credits{static_cast<std::int64_t>(dice_.below(5) * 700'001)},
                                    dice_.percent(50) ? 1'000'000u : 1'333'333u});
  }
  founding_.emplace_back(DeclareProgramme{"programme0", ""});
  founding_.emplace_back(DeclareOrganisation{"organisation0", ""});
  for (std::uint64_t f = 0; f < funders; ++f) {
    founding_.emplace_back(
        DeclareFunder{name("funder", f), "", {100'000, {'J', 'P', 'Y'}}, Credits{10'001}});
  }
  for (std::uint64_t g = 0; g < grants; ++g) {
    founding_.emplace_back(DeclareGrant{name("grant", g), "", "programme0", "organisation0"});
  }
  for (std::uint64_t l = 0; l < lots; ++l) founding_.emplace_back(any_lot(l, beginning));
  for (std::uint64_t p = 0; p < projects; ++p) {
    founding_.emplace_back(DeclareProject{name("project", p), "", "organisation0"});
    for (std::uint64_t g = 0; g < grants; ++g) {
      founding_.emplace_back(DeclareAllocation{
          name("allocation", p * 10 + g), name("grant", g), name("project", p),
          Credits{static_cast<std::int64_t>(dice_.between(1, 120) * 1'000'003)}, ""});
    }
  }
  constexpr std::array roles{Role::officer, Role::operator_, Role::auditor, Role::member,
                             Role::member};
  for (std::uint64_t p = 0; p < persons; ++p) {
    founding_.emplace_back(DeclarePerson{name("person", p), "", roles[p]});
    founding_.emplace_back(DeclareMember{name("project", p % projects), name("person", p),
                                         p == 4 ? ScopedRole::lead : ScopedRole::member});
  }
  founding_.emplace_back(DeclareMember{"", "person4", ScopedRole::officer, "programme0"});
}

DeclareLot Story::any_lot(std::uint64_t number, Instant now) {
  const Instant from =
      now - Span{minute} +
      Span{static_cast<std::int64_t>(dice_.percent(20) ? dice_.below(600) : 0) * minute};
  return {.name = name("lot", number),
          .grant = name("grant", number % grants),
          .funder = name("funder", dice_.below(funders)),
          .amount = {static_cast<std::int64_t>(dice_.between(1, 20'000)), {'J', 'P', 'Y'}},
          .valid_from = from,
          .expires = from + Span{static_cast<std::int64_t>(dice_.between(30, 2'000)) * minute},
          .regions = dice_.percent(50) ? any_names("region", regions, 2) : std::span<const Text>{}};
}

SetPolicy Story::any_policy() {
  SetPolicy command{{.order = dice_.percent(35) ? QueueOrder::sjf : QueueOrder::fifo,
                     .backfill = static_cast<Backfill>(dice_.below(2)),
                     .seed = dice_.below(3),
                     .cpu_jobs = dice_.percent(50)},
                    {}};
  if (dice_.percent(60))
    command.policy.placement = static_cast<Placement>(dice_.below(enum_names(Placement{}).size()));
  if (dice_.percent(30)) {
    const std::span<Target> targets = arena_.make<Target>(dice_.between(1, 4));
    for (Target& target : targets) {
      target = {.gpus = Gpus{static_cast<std::int64_t>(dice_.percent(50) ? dice_.below(9) * 1'000
                                                                         : dice_.below(1'000))},
                .cpus = Cpus{static_cast<std::int64_t>(dice_.below(3)) * 4'000},
                .weight = static_cast<std::uint32_t>(dice_.between(dice_.percent(3) ? 0 : 1, 9))};
    }
    command.targets = targets;
  }
  return command;
}

DeclarePool Story::any_pool(std::uint64_t number) {
  DeclarePool pool{.name = name("pool", number),
                   .provider = "provider0",
                   .region = name("region", dice_.below(regions)),
                   .gpu_model = name("model", dice_.below(models))};
  if (dice_.percent(30)) {
    pool.kind = PoolKind::counted;
    pool.counted = Gpus{static_cast<std::int64_t>(dice_.between(1, 24)) * 1'000};
  } else {
    pool.gpus_per_node = std::uint32_t{1} << dice_.below(4);
    if (dice_.percent(50))
      pool.cpus = Cpus{static_cast<std::int64_t>(dice_.between(4, 32)) * 1'000};
    if (dice_.percent(50))
      pool.memory = Memory{static_cast<std::int64_t>(dice_.between(16, 256)) * 1'024};
  }
  return pool;
}

SubmitJob Story::any_job(const World& world) {
  SubmitJob job{.project = any_name("project", projects)};
  Shape& shape = job.shape;
  switch (dice_.below(4)) {
    case 0:  // a gang
      shape.members = static_cast<std::uint32_t>(dice_.between(1, 4));
      shape.gpus = Gpus{static_cast<std::int64_t>(dice_.between(1, 4)) * 1'000};
      break;
    case 1:  // fractions
      shape.members = static_cast<std::uint32_t>(dice_.between(1, 3));
      shape.gpus = Gpus{static_cast<std::int64_t>(dice_.between(1, 999))};
      break;
    default:  // a bare count
      shape.packing = Packing::count;
      shape.gpus = Gpus{static_cast<std::int64_t>(dice_.percent(80) ? dice_.between(1, 12) * 1'000
                                                                    : dice_.between(1, 999))};
  }
  if (dice_.percent(15)) shape.cpus = Cpus{static_cast<std::int64_t>(dice_.below(20'000))};
  if (shape.packing == Packing::members && dice_.percent(5)) {  // CPUs alone
    shape.gpus = {};
    shape.cpus = Cpus{static_cast<std::int64_t>(dice_.between(1, 4)) * 1'000};
  }
  if (dice_.percent(15)) shape.memory = Memory{static_cast<std::int64_t>(dice_.below(100'000))};
  job.time_limit = Span{static_cast<std::int64_t>(dice_.between(1, 12)) * 10 * minute};
  if (dice_.percent(30)) job.models = any_names("model", models, 2);
  if (dice_.percent(30)) job.regions = any_names("region", regions, 2);
  if (dice_.percent(12)) {
    job.tasks = static_cast<std::uint32_t>(dice_.between(2, 12));
    if (dice_.percent(30)) job.tasks_at_once = static_cast<std::uint32_t>(dice_.between(1, 3));
  }
  if (dice_.percent(12)) {
    const std::span<After> after = arena_.make<After>(dice_.between(1, 3));
    for (After& a : after)
      a = {any_job_id(world, dice_.percent(40)), static_cast<When>(dice_.below(3))};
    job.after = after;
  }
  if (dice_.percent(4)) job.hold = true;
  if (dice_.percent(12)) job.retries = static_cast<std::uint32_t>(dice_.between(1, 3));
  if (dice_.percent(5)) {
    const std::span<Label> labels = arena_.make<Label>(dice_.between(1, 18));
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = {name("key", i), "a value"};
    job.labels = labels;
  }
  if (dice_.percent(4)) {  // what no job may ask for
    switch (dice_.below(6)) {
      case 0: shape.members = static_cast<std::uint32_t>(dice_.below(2) * 5'000); break;
      case 1: shape.gpus = Gpus{static_cast<std::int64_t>(dice_.below(3'000)) - 1'000}; break;
      case 2: shape.gpus = Gpus{INT64_MAX - static_cast<std::int64_t>(dice_.below(2'000))}; break;
      case 3: job.time_limit = Span{static_cast<std::int64_t>(dice_.below(2)) * INT64_MAX}; break;
      case 4: job.tasks = static_cast<std::uint32_t>(dice_.below(2) * 2'000'000); break;
      default: shape.cpus = Cpus{-1}; break;
    }
  }
  return job;
}

Command Story::any_declaration(Instant now) {
  switch (dice_.below(15)) {
    case 0:
      return DeclareFunder{any_name("funder", funders),
                           "",
                           {static_cast<std::int64_t>(dice_.below(100'001)), {'J', 'P', 'Y'}},
                           Credits{10'001}};
    case 1: return DeclareProgramme{any_name("programme", 2), dice_.percent(70) ? "" : "other"};
    case 2:
      return DeclareOrganisation{any_name("organisation", 2), dice_.percent(50) ? "" : "other"};
    case 3:
      return DeclareGrant{any_name("grant", grants), dice_.percent(50) ? "" : "other",
                          any_name("programme", 1), any_name("organisation", 1)};
    case 4:
    case 5: return any_lot(dice_.below(40), now);
    case 6: return DeclareProject{any_name("project", projects), "", any_name("organisation", 1)};
    case 7:
    case 8:
      return DeclareAllocation{name("allocation", dice_.below(60)), any_name("grant", grants),
                               any_name("project", projects),
                               Credits{static_cast<std::int64_t>(dice_.below(50) * 1'000'003)},
                               dice_.percent(50) ? Text{} : any_name("lot", lots)};
    case 9:
      return DeclarePerson{any_name("person", persons), "", static_cast<Role>(dice_.below(4))};
    case 10: {
      const Text person = any_name("person", persons);
      const bool of_project = dice_.percent(70), of_programme = dice_.percent(of_project ? 3 : 97);
      const Text project = of_project ? any_name("project", projects) : Text{};
      const Text programme = of_programme ? any_name("programme", 1) : Text{};
      if (dice_.percent(40)) return RemoveMember{project, person, programme};
      return DeclareMember{project, person, static_cast<ScopedRole>(dice_.below(4)), programme};
    }
    case 11: {
      CreateToken token{
          .person = any_name("person", persons), .label = "laptop", .expires = now + Span{minute}};
      token.hash.bytes[0] = static_cast<std::uint8_t>(dice_.below(20));
      return token;
    }
    case 12:
      switch (dice_.below(4)) {
        case 0: return DisablePerson{any_name("person", persons)};
        case 1: return EnablePerson{any_name("person", persons)};
        default: return RevokeToken{TokenId{dice_.below(8)}};
      }
    case 13: return any_pool(dice_.below(7));
    default: return DeclareNode{name("node", dice_.below(60)), any_name("pool", pools), 0};
  }
}

// What is there is declared again with another amount, expiry or title.
Command Story::any_change(const World& world, Instant now) {
  const auto some = [&](const auto& rows) {
    using IdType = typename std::remove_cvref_t<decltype(rows)>::id_type;
    return rows.find(IdType{dice_.between(1, rows.next_id().value)});
  };
  const auto near = [&](std::int64_t amount) {  // from nothing to twice as much
    return static_cast<std::int64_t>(dice_.below(static_cast<std::uint64_t>(2 * amount) + 1));
  };
  switch (dice_.below(4)) {
    case 0:
      if (const Funder* f = some(world.funders)) {
        return DeclareFunder{arena_.text(f->name),
                             dice_.percent(50) ? "" : "other",
                             {near(f->commitment.minor), f->commitment.currency},
                             f->credits_per_minor};
      }
      break;
    case 1:
      if (const Lot* l = some(world.lots)) {
        std::vector<Text> names;
        world.regions.each([&](RegionId id, const Region& r) {
          if (l->regions & PoolSet::bit(id.value)) names.push_back(arena_.text(r.name));
        });
        const bool moved = dice_.percent(50);
        return DeclareLot{
            .name = arena_.text(l->name),
            .grant = arena_.text(world.grants.at(l->grant).name),
            .funder = arena_.text(world.funders.at(l->funder).name),
            .amount = {dice_.percent(60) ? near(l->amount.minor) : l->amount.minor,
                       l->amount.currency},
            .valid_from = l->valid_from,
            .expires = moved ? now + Span{static_cast<std::int64_t>(dice_.below(3'000)) * minute} -
                                   Span{10 * minute}
                             : l->expires,
            .regions = arena_.list<Text>(names)};
      }
      break;
    default:
      if (const Allocation* a = some(world.allocations)) {
        Credits free;  // without it, what is held and spent is all that remains
        world.shares.each([&](ShareId, const Share& share) {
          if (&world.allocations.at(share.allocation) == a)
            free += world.accounts.at(share.free).free();
        });
        const std::int64_t amount =
            dice_.percent(40) ? (a->amount - free).count : near(a->amount.count);
        return DeclareAllocation{arena_.text(a->name), arena_.text(world.grants.at(a->grant).name),
                                 arena_.text(world.projects.at(a->project).name), Credits{amount},
                                 arena_.text(a->lot)};
      }
  }
  return any_declaration(now);
}

JobId Story::any_job_id(const World& world, bool active) {
  std::vector<JobId> ids;
  world.jobs.each([&](JobId id, const Job& job) {
    if (job.active() == active) ids.push_back(id);
  });
  if (!active && !world.arrays.empty() && dice_.percent(25)) {
    auto array = world.arrays.begin();
    std::advance(array, dice_.below(world.arrays.size()));
    return JobId{array->first.value + dice_.below(array->second.tasks + 1u)};
  }
  if (ids.empty() || dice_.percent(4)) return JobId{dice_.below(world.jobs.next_id().value + 2)};
  return ids[dice_.below(ids.size())];
}

Command Story::any_end(const World& world, Instant now) {
  ReportEnd end{.job = any_job_id(world, true), .ended = now};
  const Job* job = world.jobs.find(end.job);
  end.attempt = job ? job->attempt : 1;
  if (dice_.percent(4)) end.attempt += static_cast<std::uint32_t>(dice_.below(3)) - 1u;
  const std::uint64_t kind = dice_.below(100);
  end.kind = kind < 60   ? EndKind::exited
             : kind < 68 ? EndKind::signalled
             : kind < 74 ? EndKind::time_limit
             : kind < 84 ? EndKind::stopped
             : kind < 90 ? EndKind::launch_failed
                         : EndKind::lost;
  end.code = dice_.percent(70) ? 0 : static_cast<std::int32_t>(dice_.below(256));
  if (dice_.percent(30))
    end.ended = now + Span{static_cast<std::int64_t>(dice_.below(240)) * minute - 180 * minute};
  if (job && end.kind == EndKind::time_limit) end.ended = job->expected_end();
  return end;
}

Command Story::any_command(const World& world, Instant now) {
  const std::uint64_t pick = dice_.below(100);
  if (pick < 4) return any_change(world, now);
  if (pick < 28) return any_job(world);
  if (pick < 50) return any_end(world, now);
  if (pick < 72) return Schedule{};
  if (pick < 76) {
    const JobId job = any_job_id(world, dice_.percent(30));
    switch (dice_.below(5)) {
      case 0: return HoldJob{job};
      case 1: return ReleaseJob{job};
      default: return CancelJob{job};
    }
  }
  if (pick < 78) return EvacuateNode{name("node", dice_.below(pools) * 10 + dice_.below(nodes))};
  if (pick < 80) return DrainNode{name("node", dice_.below(pools) * 10 + dice_.below(nodes))};
  if (pick < 84) return ResumeNode{name("node", dice_.below(pools) * 10 + dice_.below(nodes))};
  if (pick < 87) return ExpireLot{LotId{dice_.below(world.lots.next_id().value + 1)}};
  if (pick < 89) {
    return SetPrice{
        any_name("pool", pools), Credits{static_cast<std::int64_t>(dice_.below(6) * 500'003) - 1},
        dice_.percent(90) ? 1'000'000u : static_cast<std::uint32_t>(dice_.below(12'000'000))};
  }
  if (pick < 90) return any_policy();
  if (pick < 91) return OpenEpoch{};
  if (pick < 92) return ForgetRequests{};
  if (pick < 93) return DeclareRegion{any_name("region", regions), ""};
  if (pick < 94) return DeclareProvider{any_name("provider", 1), ""};
  return any_declaration(now);
}

Asked Story::next(const World& world, Instant now) {
  if (founded_ < founding_.size()) return {.command = founding_[founded_++]};
  if (!asked_.empty() && dice_.percent(4)) {  // said again, or something else under the same id
    Asked again = asked_[dice_.below(asked_.size())];
    if (dice_.percent(40)) again.command = any_job(world);
    return again;
  }
  Asked asked{.command = any_command(world, now)};
  if (std::holds_alternative<Schedule>(asked.command)) return asked;
  if (dice_.percent(20)) asked.by = PersonId{dice_.between(1, persons + 1)};
  if (dice_.percent(20)) {
    asked.request = {++requests_ << 32, dice_.below(4)};
    asked_.push_back(asked);
  }
  return asked;
}

Span Story::pause() {
  if (founded_ < founding_.size() || dice_.percent(50)) return Span{0};
  if (dice_.percent(1)) return Span{static_cast<std::int64_t>(dice_.between(1, 8)) * 86'400'000};
  return Span{static_cast<std::int64_t>(dice_.below(20 * 60)) * 1'000 +
              static_cast<std::int64_t>(dice_.below(1'000))};
}

}  // namespace tenbin
