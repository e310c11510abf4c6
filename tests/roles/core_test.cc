// The whole matrix through the core: every operation, every role, one's own scope and another's.

#include "roles/matrix.h"

namespace tenbin::roles {

namespace {

constexpr std::array<char, 3> yen{'J', 'P', 'Y'};

/// Two of everything, -a and -b, and a person for each column.
struct Town {
  World world;
  Facts facts;
  Instant now{1'700'000'000'000};
  std::map<std::string, JobId> jobs;      // by whose and in which: "p-lead a"
  std::map<std::string, TokenId> tokens;  // by whose

  Town() {
    ok(DeclareProvider{"provider", ""});
    ok(DeclareRegion{"region", ""});
    ok(DeclarePool{.name = "pool",
                   .provider = "provider",
                   .region = "region",
                   .gpu_model = "m",
                   .kind = PoolKind::counted,
                   .counted = Gpus{1'000}});
    ok(DeclarePool{.name = "nodes",
                   .provider = "provider",
                   .region = "region",
                   .gpu_model = "m",
                   .gpus_per_node = 1});
    ok(DeclareNode{"node", "nodes", 0});
    ok(SetPrice{"pool", Credits{1}});
    ok(DeclareOrganisation{"organisation", ""});
    ok(DeclareFunder{"funder", "", {1'000'000, yen}, Credits{1'000'000}});
    for (const std::string x : {"-a", "-b"}) {
      const std::string programme = "programme" + x, grant = "grant" + x, lot = "lot" + x,
                        project = "project" + x, allocation = "allocation" + x;
      ok(DeclareProgramme{programme, ""});
      ok(DeclareGrant{grant, "", programme, "organisation"});
      ok(DeclareLot{lot, grant, "funder", {1'000, yen}, Instant{}, instant_max, {}});
      ok(DeclareProject{project, "", "organisation"});
      ok(DeclareAllocation{allocation, grant, project, Credits{1'000'000}, ""});
    }
    person("second", Role::officer);
    person("other", Role::member);
    ok(DeclareMember{"project-a", "other"});
    ok(DeclareMember{"project-b", "other"});
    for (const Actor& actor : actors()) {
      person(actor.name, actor.role);
      if (!actor.project_role.empty())
        ok(DeclareMember{"project-a", actor.name, role(actor.project_role)});
      if (!actor.programme_role.empty())
        ok(DeclareMember{"", actor.name, role(actor.programme_role), "programme-a"});
    }
    for (const Actor& actor : actors()) jobs[actor.name + " a"] = job("project-a", actor.name);
    jobs["other a"] = job("project-a", "other");
    jobs["other b"] = job("project-b", "other");
    REQUIRE(sound(world));
  }
  static ScopedRole role(std::string_view name) {
    const auto names = enum_names(ScopedRole{});
    return static_cast<ScopedRole>(std::find(names.begin(), names.end(), name) - names.begin());
  }
  std::uint64_t ok(const Command& command) {
    facts.clear();
    const Decision decision = apply(world, {.command = command}, now, facts);
    REQUIRE(decision.has_value());
    return *decision;
  }
  PersonId id(const std::string& name) const { return world.index.persons.at(name); }
  void person(const std::string& name, Role of_all) {
    ok(DeclarePerson{name, "", of_all});
    CreateToken token{.person = name, .expires = instant_max};
    token.hash.bytes[0] = static_cast<std::uint8_t>(tokens.size() + 1);
    tokens[name] = TokenId{ok(token)};
  }
  JobId job(const std::string& project, const std::string& whose) {
    const JobId made{ok(
        SubmitJob{.project = project, .shape = {.gpus = Gpus{1'000}}, .time_limit = Span{1'000}})};
    world.jobs.at(made).person = id(whose);  // as if asked when the role was another
    return made;
  }
};

/// An operation tried on something: the command, or the question with its scope.
struct Try {
  std::variant<Command, std::pair<Question, Scope>> what;
  std::optional<Command> missing;  // the same about what does not exist
};

// What `actor` tries on things there; nothing where the operation has no such thing.
std::optional<Try> attempt(const Town& t, std::string_view operation, const Actor& actor,
                           Where where, Arena& texts) {
  const std::string x = where == Where::b ? "b" : "a";
  const auto name = [&](const std::string& kind) { return texts.text(kind + "-" + x); };
  const Text self = texts.text(actor.name);
  const std::string owner = where == Where::own ? actor.name : "other";
  const JobId job = t.jobs.at(owner + " " + x);
  const ProjectId project = t.world.index.projects.at("project-" + x);
  const ProgrammeId programme = t.world.index.programmes.at("programme-" + x);
  const auto about_all = [&](Command command) -> std::optional<Try> {
    if (where != Where::a) return std::nullopt;
    return Try{std::move(command), std::nullopt};
  };
  const auto scoped = [&](Command command, Command missing) -> std::optional<Try> {
    if (where == Where::own) return std::nullopt;
    return Try{std::move(command), std::move(missing)};
  };
  const auto of_project = [&](Question q) -> std::optional<Try> {
    if (where == Where::own) return std::nullopt;
    return Try{std::pair{q, Scope{.project = project}}, std::nullopt};
  };
  const auto of_programme = [&](Question q) -> std::optional<Try> {
    if (where == Where::own) return std::nullopt;
    return Try{std::pair{q, Scope{.programme = programme}}, std::nullopt};
  };
  const Money money{1, yen};
  const Credits little{1};
  CreateToken token{.person = where == Where::own ? self : Text("other"), .expires = instant_max};
  token.hash.bytes[1] = 1;
  CreateToken no_token = token;
  no_token.person = "no-one";
  SubmitJob submit{
      .project = name("project"), .shape = {.gpus = Gpus{1'000}}, .time_limit = Span{1'000}};
  SubmitJob no_submit = submit;
  no_submit.project = "nothing";

  const std::map<std::string_view, std::function<std::optional<Try>()>> tries{
      {"DeclareFunder", [&] { return about_all(DeclareFunder{"new", "", money, Credits{1}}); }},
      {"DeclareProgramme", [&] { return about_all(DeclareProgramme{"new", ""}); }},
      {"DeclareOrganisation", [&] { return about_all(DeclareOrganisation{"new", ""}); }},
      {"DeclareGrant",
       [&] {
         return scoped(DeclareGrant{"new", "", name("programme"), "organisation"},
                       DeclareGrant{"new", "", "nothing", "organisation"});
       }},
      {"DeclareLot",
       [&] {
         return scoped(
             DeclareLot{"new", name("grant"), "funder", money, Instant{}, instant_max, {}},
             DeclareLot{"new", "nothing", "funder", money, Instant{}, instant_max, {}});
       }},
      {"DeclareProject", [&] { return about_all(DeclareProject{"new", "", "organisation"}); }},
      {"DeclareAllocation",
       [&] {
         return scoped(DeclareAllocation{"new", name("grant"), name("project"), little, ""},
                       DeclareAllocation{"new", "nothing", name("project"), little, ""});
       }},
      {"ExpireLot", [&] { return about_all(ExpireLot{LotId{1}}); }},
      {"DeclarePerson", [&] { return about_all(DeclarePerson{"new", "", Role::member}); }},
      {"DeclareMember",
       [&] {
         return scoped(DeclareMember{name("project"), "nobody"},
                       DeclareMember{"nothing", "nobody"});
       }},
      {"RemoveMember",
       [&] {
         return scoped(RemoveMember{name("project"), "other", ""},
                       RemoveMember{"nothing", "other", ""});
       }},
      {"CreateToken",
       [&]() -> std::optional<Try> {
         if (where == Where::b) return std::nullopt;
         return Try{token, no_token};
       }},
      {"RevokeToken",
       [&]() -> std::optional<Try> {
         if (where == Where::b) return std::nullopt;
         return Try{RevokeToken{t.tokens.at(owner)}, RevokeToken{TokenId{999}}};
       }},
      {"DeclareProvider", [&] { return about_all(DeclareProvider{"new", ""}); }},
      {"DeclareRegion", [&] { return about_all(DeclareRegion{"new", ""}); }},
      {"DeclarePool",
       [&] {
         return about_all(DeclarePool{.name = "new",
                                      .provider = "provider",
                                      .region = "region",
                                      .gpu_model = "m",
                                      .gpus_per_node = 1});
       }},
      {"DeclareNode", [&] { return about_all(DeclareNode{"new", "nodes", 0}); }},
      {"SetPrice", [&] { return about_all(SetPrice{"pool", Credits{2}}); }},
      {"DrainNode", [&] { return about_all(DrainNode{"node"}); }},
      {"ResumeNode", [&] { return about_all(ResumeNode{"node"}); }},
      {"EvacuateNode", [&] { return about_all(EvacuateNode{"node"}); }},
      {"SubmitJob", [&] { return scoped(submit, no_submit); }},
      {"CancelJob", [&] { return std::optional<Try>{{CancelJob{job}, std::nullopt}}; }},
      {"HoldJob", [&] { return std::optional<Try>{{HoldJob{job}, std::nullopt}}; }},
      {"ReleaseJob", [&] { return std::optional<Try>{{ReleaseJob{job}, std::nullopt}}; }},
      {"ReportEnd", [&] { return about_all(ReportEnd{job, 1}); }},
      {"SetPolicy", [&] { return about_all(SetPolicy{{.backfill = Backfill::none}}); }},
      {"OpenEpoch", [&] { return about_all(OpenEpoch{}); }},
      {"ForgetRequests", [&] { return about_all(ForgetRequests{}); }},
      {"Schedule", [&] { return about_all(Schedule{}); }},
      {"DisablePerson", [&] { return about_all(DisablePerson{"other"}); }},
      {"EnablePerson", [&] { return about_all(EnablePerson{"other"}); }},
      {"fleet", [&] { return of_project(Question::fleet); }},
      {"policy", [&] { return of_project(Question::policy); }},
      {"project", [&] { return of_project(Question::project); }},
      {"members", [&] { return of_project(Question::members); }},
      {"credit", [&] { return of_project(Question::credit); }},
      {"jobs", [&] { return of_project(Question::jobs); }},
      {"work",
       [&] {
         return std::optional<Try>{
             {std::pair{Question::work, scope_of(t.world.jobs.at(job))}, std::nullopt}};
       }},
      {"quote", [&] { return of_project(Question::quote); }},
      {"programme", [&] { return of_programme(Question::programme); }},
      {"allocation",
       [&]() -> std::optional<Try> {
         if (where == Where::own) return std::nullopt;
         const Scope scope{.project = project, .programme = programme};
         return Try{std::pair{Question::allocation, scope}, std::nullopt};
       }},
      {"organisations", [&] { return of_programme(Question::organisations); }},
      {"funders", [&] { return of_programme(Question::funders); }},
      {"spending", [&] { return of_programme(Question::spending); }},
      {"person",
       [&]() -> std::optional<Try> {
         if (where == Where::b) return std::nullopt;
         return Try{std::pair{Question::person, Scope{.owner = t.id(owner)}}, std::nullopt};
       }},
      {"tokens",
       [&]() -> std::optional<Try> {
         if (where == Where::b) return std::nullopt;
         return Try{std::pair{Question::tokens, Scope{.owner = t.id(owner)}}, std::nullopt};
       }},
      {"journal", [&] { return of_programme(Question::journal); }},
  };
  const auto found = tries.find(operation);
  REQUIRE_MESSAGE(found != tries.end(), "no attempt at " << std::string(operation));
  return found->second();
}

}  // namespace

TEST_CASE("docs/security.md shows the table of rights as it is") {
  const Expected expected = documented();
  CHECK(expected.size() == rights().size());
  for (const Right& right : rights()) {
    CAPTURE(right.operation);
    const auto row = expected.find(right.operation);
    REQUIRE(row != expected.end());
    for (std::size_t c = 0; c < enum_names(Column{}).size(); ++c) {
      CAPTURE(enum_names(Column{})[c]);
      CHECK(right.has(static_cast<Column>(c)) == row->second.contains(static_cast<Column>(c)));
    }
  }
}

TEST_CASE("every operation, every role, one's own scope and another's, through the core") {
  const Town town;
  const Expected expected = documented();
  std::size_t cells = 0;
  for (const auto& [operation, who] : expected) {
    CAPTURE(operation);
    for (const Actor& actor : actors()) {
      CAPTURE(actor.name);
      for (const Where where : {Where::a, Where::b, Where::own}) {
        CAPTURE(static_cast<int>(where));
        Arena texts;
        const auto tried = attempt(town, operation, actor, where, texts);
        if (!tried) continue;
        const bool in_project = about_a_job(operation);
        const bool may_it = expected_to(who, actor, where, in_project);
        ++cells;
        const PersonId by = town.id(actor.name);
        if (const auto* question = std::get_if<std::pair<Question, Scope>>(&tried->what)) {
          CHECK(may_see(town.world, by, question->first, question->second) == may_it);
          CHECK(may_see(town.world, {}, question->first, question->second));
          continue;
        }
        const auto& command = std::get<Command>(tried->what);
        Facts facts;
        const Decision decision =
            consider(town.world, {.by = by, .command = command}, town.now, facts);
        CHECK(decision.has_value() == may_it);
        CHECK(may(town.world, by, command) == may_it);
        CHECK(may(town.world, {}, command));  // the service itself
        if (decision) continue;
        CHECK(facts.size() == 0);
        // What one may not see is answered as what does not exist.
        if (tried->missing && where != Where::own) {
          const Decision nothing =
              consider(town.world, {.by = by, .command = *tried->missing}, town.now, facts);
          const bool sees = actor.role != Role::member || where == Where::a;
          if (!sees || decision.error().reason != Reason::not_permitted) CHECK(decision == nothing);
        }
      }
    }
  }
  CHECK(cells > 500);
}

TEST_CASE("who is disabled or taken off may nothing, and comes back as before") {
  Town town;
  const PersonId lead = town.id("p-lead");
  const Command submit =
      SubmitJob{.project = "project-a", .shape = {.gpus = Gpus{1'000}}, .time_limit = Span{1'000}};
  const Scope project{.project = town.world.index.projects.at("project-a")};
  CHECK(may(town.world, lead, submit));
  town.ok(DisablePerson{"p-lead"});
  CHECK(!may(town.world, lead, submit));
  CHECK(!may_see(town.world, lead, Question::fleet));
  CHECK(!may_see(town.world, lead, Question::jobs, project));
  CHECK(town.world.jobs.find(town.jobs.at("p-lead a")) != nullptr);  // the project's, it goes on
  town.ok(EnablePerson{"p-lead"});
  CHECK(may(town.world, lead, submit));
  town.ok(RemoveMember{"project-a", "p-lead", ""});
  CHECK(!may(town.world, lead, submit));
  CHECK(!may_see(town.world, lead, Question::jobs, project));
  CHECK(!may_see(town.world, lead, Question::work,
                 scope_of(town.world.jobs.at(town.jobs.at("p-lead a")))));
  town.ok(DeclareMember{"project-a", "p-lead", ScopedRole::auditor});
  CHECK(!may(town.world, lead, submit));
  CHECK(may_see(town.world, lead, Question::jobs, project));
}

TEST_CASE("an officer remains, whatever is asked") {
  Town town;
  const auto refused = [&](const Command& command) {
    town.facts.clear();
    const Decision d = apply(town.world, {.command = command}, town.now, town.facts);
    return !d && d.error().reason == Reason::last_officer;
  };
  CHECK(!refused(DisablePerson{"second"}));
  CHECK(refused(DisablePerson{"officer"}));
  CHECK(refused(DeclarePerson{"officer", "", Role::auditor}));
  CHECK(!refused(DeclarePerson{"officer", "renamed", Role::officer}));
  town.ok(EnablePerson{"second"});
  CHECK(!refused(DeclarePerson{"officer", "", Role::auditor}));
  CHECK(refused(DeclarePerson{"second", "", Role::member}));
}

TEST_CASE(
    "a programme's officer takes nothing from funders who never gave to the programme, and "
    "learns nothing of other programmes' names") {
  Town town;
  town.ok(DeclareFunder{"stranger", "", {1'000, yen}, Credits{1'000'000}});
  const PersonId by = town.id("a-officer");
  const auto reason = [&](const Command& command) {
    town.facts.clear();
    const Decision d = consider(town.world, {.by = by, .command = command}, town.now, town.facts);
    REQUIRE(!d.has_value());
    return d.error().reason;
  };
  const auto lot = [&](Text name, Text funder) {
    return DeclareLot{name, "grant-a", funder, {1, yen}, Instant{}, instant_max, {}};
  };
  CHECK(reason(lot("new", "stranger")) == Reason::unknown_funder);
  CHECK(reason(lot("new", "nothing")) == Reason::unknown_funder);
  CHECK(reason(lot("lot-b", "funder")) == Reason::name_in_use);
  CHECK(reason(DeclareGrant{"grant-b", "", "programme-a", "organisation"}) == Reason::name_in_use);
  CHECK(reason(DeclareAllocation{"allocation-b", "grant-a", "project-a", Credits{1}, ""}) ==
        Reason::name_in_use);
}

}  // namespace tenbin::roles
