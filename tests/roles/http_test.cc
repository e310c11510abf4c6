// The whole matrix through HTTP: the real program, a token for each role, the same expected cells.

#include "faults/service.h"
#include "roles/matrix.h"

namespace tenbin::roles {

namespace {

using faults::Caller;
using faults::Daemon;
using faults::Reply;
using faults::TestFolder;

std::string quoted(const std::string& name, const std::string& value) {
  return "\"" + name + "\": \"" + value + "\"";
}
std::string object(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text = "{";
  for (const auto& [name, value] : fields)
    text += (text.size() > 1 ? ", " : "") + quoted(name, value);
  return text + "}";
}

const std::string money = R"("amount": {"amount": "1", "currency": "JPY"})";
const std::string ever =
    R"("valid_from": "2020-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z")";
const std::string work =
    R"("gpus": 1, "time_limit_ms": 1000, "run": {"argv": ["true"], "environment": {"SECRET": "s"}})";

/// The service, two of everything, and a caller for each person. No node is up: jobs wait.
struct Town {
  TestFolder folder;
  Daemon service{{.state = folder.state(), .work = folder.work()}};
  std::map<std::string, Caller> callers;
  std::map<std::string, std::int64_t> tokens;
  int made = 0;

  Town() {
    REQUIRE(service.start());
    callers.emplace("admin", Caller(service.url(), service.token()));
    std::string items = R"(
      {"kind": "provider", "name": "provider"}, {"kind": "region", "name": "region"},
      {"kind": "pool", "name": "pool", "provider": "provider", "region": "region", "gpu_model": "m", "gpus_per_node": 1},
      {"kind": "node", "name": "node", "pool": "pool"},
      {"kind": "price", "pool": "pool", "gpu_hour": "1"},
      {"kind": "organisation", "name": "organisation"},
      {"kind": "funder", "name": "funder", "commitment": {"amount": "1000000", "currency": "JPY"}, "credits_per_unit": "1"},
      {"kind": "person", "name": "other"}, {"kind": "person", "name": "victim"})";
    for (const std::string x : {"-a", "-b"}) {
      for (const std::string& item :
           {object({{"kind", "programme"}, {"name", "programme" + x}}),
            object({{"kind", "grant"},
                    {"name", "grant" + x},
                    {"programme", "programme" + x},
                    {"organisation", "organisation"}}),
            "{" + quoted("kind", "lot") + ", " + quoted("name", "lot" + x) + ", " +
                quoted("grant", "grant" + x) +
                R"(, "funder": "funder", "amount": {"amount": "1000", "currency": "JPY"}, )" +
                ever + "}",
            object(
                {{"kind", "project"}, {"name", "project" + x}, {"organisation", "organisation"}}),
            object({{"kind", "allocation"},
                    {"name", "allocation" + x},
                    {"grant", "grant" + x},
                    {"project", "project" + x},
                    {"amount", "500"}}),
            object({{"kind", "member"}, {"project", "project" + x}, {"person", "other"}})}) {
        items += ", " + item;
      }
    }
    for (const Actor& actor : actors()) {
      items +=
          ", " +
          object({{"kind", "person"},
                  {"name", actor.name},
                  {"role", std::string(enum_names(Role{})[static_cast<std::size_t>(actor.role)])}});
      if (!actor.project_role.empty())
        items += ", " + object({{"kind", "member"},
                                {"project", "project-a"},
                                {"person", actor.name},
                                {"role", actor.project_role}});
      if (!actor.programme_role.empty())
        items += ", " + object({{"kind", "member"},
                                {"programme", "programme-a"},
                                {"person", actor.name},
                                {"role", actor.programme_role}});
    }
    const Reply applied = admin().post("/v1/apply", "{\"items\": [" + items + "]}");
    REQUIRE_MESSAGE(applied.body.find("\"refused\":null") != std::string::npos, applied.body);
    CHECK(applied.body.find("unchanged") == std::string::npos);
    REQUIRE(admin().post("/v1/nodes/node/drain", "").status == 200);
    enter("other");
    for (const Actor& actor : actors()) enter(actor.name);
  }
  Caller& admin() { return callers.at("admin"); }
  void enter(const std::string& person) {
    const Reply token = admin().post("/v1/tokens", object({{"person", person}}));
    REQUIRE(token.status == 201);
    tokens[person] = token.number("id").value_or(0);
    callers.emplace(person, Caller(service.url(), token.text("token").value_or("")));
  }
  std::string fresh() { return "new-" + std::to_string(++made); }
  /// A new job, submitted by who may.
  std::string job(const std::string& by, const std::string& project) {
    const Reply reply =
        callers.at(by).post("/v1/jobs", "{" + quoted("project", project) + ", " + work + "}");
    REQUIRE_MESSAGE(reply.status == 201, reply.body);
    return "/v1/jobs/" + std::to_string(reply.number("job").value_or(0));
  }
};

/// Asks as the operation is asked; whether it was granted. Nothing where there is no such thing.
std::optional<bool> attempt(Town& t, std::string_view operation, const Actor& actor, Where where) {
  Caller& caller = t.callers.at(actor.name);
  const std::string x = where == Where::b ? "-b" : "-a";
  const std::string project = "project" + x, programme = "programme" + x, grant = "grant" + x;
  const auto done = [](const Reply& reply) {
    CAPTURE(reply.body);
    const std::string code = reply.text("code").value_or("");
    const bool good = reply.status == 200 || reply.status == 201;
    // Refused for want of the right, and for nothing else.
    if (!good) CHECK((code == "not_permitted" || code.starts_with("unknown_")));
    return good;
  };
  const auto post = [&](const std::string& target, const std::string& body) {
    return done(caller.post(target, body));
  };
  const auto lists = [&](const std::string& target, const std::string& what) {
    const Reply reply = caller.get(target);
    return done(reply) && reply.body.find(what) != std::string::npos;
  };
  const auto named = [](const std::string& name) { return "\"name\":\"" + name + "\""; };

  // About everything
  const std::map<std::string_view, std::function<bool()>> all{
      {"DeclareFunder",
       [&] {
         return post(
             "/v1/funders",
             "{" + quoted("name", t.fresh()) +
                 R"(, "commitment": {"amount": "1", "currency": "JPY"}, "credits_per_unit": "1"})");
       }},
      {"DeclareProgramme", [&] { return post("/v1/programmes", object({{"name", t.fresh()}})); }},
      {"DeclareOrganisation",
       [&] { return post("/v1/organisations", object({{"name", t.fresh()}})); }},
      {"DeclareProject",
       [&] {
         return post("/v1/projects",
                     object({{"name", t.fresh()}, {"organisation", "organisation"}}));
       }},
      {"DeclarePerson", [&] { return post("/v1/persons", object({{"name", t.fresh()}})); }},
      {"DeclareProvider", [&] { return post("/v1/providers", object({{"name", t.fresh()}})); }},
      {"DeclareRegion", [&] { return post("/v1/regions", object({{"name", t.fresh()}})); }},
      {"DeclarePool",
       [&] {
         return post(
             "/v1/pools",
             "{" + quoted("name", t.fresh()) +
                 R"(, "provider": "provider", "region": "region", "gpu_model": "m", "gpus_per_node": 1})");
       }},
      {"DeclareNode",
       [&] {
         const std::string name = t.fresh();
         const bool good = post("/v1/nodes", object({{"name", name}, {"pool", "pool"}}));
         if (good) REQUIRE(t.admin().post("/v1/nodes/" + name + "/drain", "").status == 200);
         return good;
       }},
      {"SetPrice",
       [&] { return post("/v1/prices", object({{"pool", "pool"}, {"gpu_hour", "1"}})); }},
      {"DrainNode", [&] { return post("/v1/nodes/node/drain", ""); }},
      {"EvacuateNode",
       [&] {
         const bool good = post("/v1/nodes/node/evacuate", "");
         REQUIRE(t.admin().post("/v1/nodes/node/drain", "").status == 200);
         return good;
       }},
      {"ResumeNode",
       [&] {
         const bool good = post("/v1/nodes/node/resume", "");
         REQUIRE(t.admin().post("/v1/nodes/node/drain", "").status == 200);
         return good;
       }},
      {"SetPolicy", [&] { return post("/v1/policies", object({{"backfill", "easy"}})); }},
      {"DisablePerson", [&] { return post("/v1/persons/victim/disable", ""); }},
      {"EnablePerson", [&] { return post("/v1/persons/victim/enable", ""); }},
      {"fleet", [&] { return done(caller.get("/v1/fleet")); }},
      {"policy", [&] { return done(caller.get("/v1/policies")); }},
      {"organisations", [&] { return done(caller.get("/v1/organisations")); }},
      {"funders", [&] { return done(caller.get("/v1/funders")); }},
  };
  if (const auto found = all.find(operation); found != all.end())
    return where == Where::a ? std::optional(found->second()) : std::nullopt;

  // About oneself and others
  const std::string owner = where == Where::own ? actor.name : "other";
  const std::map<std::string_view, std::function<bool()>> of_persons{
      {"CreateToken", [&] { return post("/v1/tokens", object({{"person", owner}})); }},
      {"RevokeToken",
       [&] {
         const Reply made = t.admin().post("/v1/tokens", object({{"person", owner}}));
         return post("/v1/tokens/" + std::to_string(made.number("id").value_or(0)) + "/revoke", "");
       }},
      {"tokens",
       [&] { return lists("/v1/tokens", "\"id\":" + std::to_string(t.tokens.at(owner)) + ","); }},
  };
  if (const auto found = of_persons.find(operation); found != of_persons.end())
    return where == Where::b ? std::nullopt : std::optional(found->second());

  // About a job: a stranger's, or one's own if one may have any
  if (about_a_job(operation)) {
    if (where == Where::own && !actor.works() && actor.role != Role::officer) return std::nullopt;
    const std::string job = t.job(owner, project);
    const bool good = operation == "work"         ? done(caller.get(job + "/output"))
                      : operation == "HoldJob"    ? post(job + "/hold", "")
                      : operation == "ReleaseJob" ? post(job + "/release", "")
                                                  : post(job + "/cancel", "");
    static_cast<void>(t.admin().post(job + "/cancel", ""));
    return good;
  }

  // About a programme or a project
  if (where == Where::own) return std::nullopt;
  const std::map<std::string_view, std::function<bool()>> scoped{
      {"DeclareGrant",
       [&] {
         return post("/v1/grants", object({{"name", t.fresh()},
                                           {"programme", programme},
                                           {"organisation", "organisation"}}));
       }},
      {"DeclareLot",
       [&] {
         return post("/v1/lots", "{" + quoted("name", t.fresh()) + ", " + quoted("grant", grant) +
                                     R"(, "funder": "funder", )" + money + ", " + ever + "}");
       }},
      {"DeclareAllocation",
       [&] {
         return post("/v1/allocations", object({{"name", t.fresh()},
                                                {"grant", grant},
                                                {"project", project},
                                                {"amount", "0.000001"}}));
       }},
      {"DeclareMember",
       [&] {
         return post("/v1/members",
                     object({{"project", project}, {"person", "victim"}, {"role", "auditor"}}));
       }},
      {"RemoveMember",
       [&] {
         return post("/v1/members/remove", object({{"project", project}, {"person", "victim"}}));
       }},
      {"SubmitJob",
       [&] {
         const Reply reply =
             caller.post("/v1/jobs", "{" + quoted("project", project) + ", " + work + "}");
         if (const auto id = reply.number("job"))
           static_cast<void>(t.admin().post("/v1/jobs/" + std::to_string(*id) + "/cancel", ""));
         return done(reply);
       }},
      {"quote",
       [&] { return post("/v1/quote", "{" + quoted("project", project) + ", " + work + "}"); }},
      {"project", [&] { return lists("/v1/projects", named(project)); }},
      {"members", [&] { return lists("/v1/members", "\"project\":\"" + project + "\""); }},
      {"credit",
       [&] {
         const std::string address = "/v1/projects/" + project;
         const bool balance = done(caller.get(address + "/balance"));
         CHECK(done(caller.get(address + "/statement")) == balance);
         return balance;
       }},
      {"jobs",
       [&] {
         const std::string job = t.job("other", project);
         const bool shown = done(caller.get(job));
         CHECK(done(caller.get(job + "/explain")) == shown);
         CHECK(done(caller.get(job + "/wait?timeout_ms=0")) == shown);
         CHECK(lists("/v1/jobs", "\"project\":\"" + project + "\"") == shown);
         CHECK(caller.get(job).body.find("SECRET") == std::string::npos);
         static_cast<void>(t.admin().post(job + "/cancel", ""));
         CHECK(done(caller.get(job)) == shown);  // from the history too
         return shown;
       }},
      {"programme",
       [&] {
         const bool shown = lists("/v1/programmes", named(programme));
         CHECK(lists("/v1/grants", named(grant)) == shown);
         CHECK(lists("/v1/lots", named("lot" + x)) == shown);
         return shown;
       }},
      {"allocation", [&] { return lists("/v1/allocations", named("allocation" + x)); }},
      {"spending", [&] { return lists("/v1/statement", "\"grant\":\"" + grant + "\""); }},
  };
  if (const auto found = scoped.find(operation); found != scoped.end()) return found->second();
  return std::nullopt;
}

}  // namespace

TEST_CASE("every operation, every role, one's own scope and another's, through HTTP") {
  Town town;
  // Not asked through HTTP: what the service asks of itself, and what has no address (yet).
  const std::set<std::string_view> elsewhere{"ExpireLot",      "ReportEnd", "OpenEpoch", "Schedule",
                                             "ForgetRequests", "person",    "journal"};
  std::size_t cells = 0;
  for (const auto& [operation, who] : documented()) {
    if (elsewhere.contains(operation)) continue;
    CAPTURE(operation);
    bool any = false;
    for (const Actor& actor : actors()) {
      CAPTURE(actor.name);
      for (const Where where : {Where::a, Where::b, Where::own}) {
        CAPTURE(static_cast<int>(where));
        const auto granted = attempt(town, operation, actor, where);
        if (!granted) continue;
        const bool in_project = about_a_job(operation);
        CHECK(*granted == expected_to(who, actor, where, in_project));
        any = true;
        ++cells;
      }
    }
    CHECK(any);
  }
  CHECK(cells > 450);
}

TEST_CASE("a programme's people see what a project was charged, and not for which job") {
  Town town;
  REQUIRE(town.admin().post("/v1/nodes/node/resume", "").status == 200);
  const std::string job = town.job("other", "project-a");
  const std::string project = "/v1/projects/project-a";
  REQUIRE(town.admin().get(job + "/wait?timeout_ms=20000").text("ended").has_value());
  const auto line_of = [&](const std::string& actor) {
    const Reply reply = town.callers.at(actor).get(project + "/statement");
    REQUIRE(reply.status == 200);
    const std::size_t at = reply.body.find("\"lines\":[{");
    REQUIRE(at != std::string::npos);
    return reply.body.substr(at, reply.body.find('}', at) - at);
  };
  for (const std::string actor : {"p-auditor", "p-member", "admin"})
    CHECK(line_of(actor).find("\"state\":null") == std::string::npos);
  for (const std::string actor : {"a-auditor", "a-officer"}) {
    const std::string line = line_of(actor);
    CHECK(line.find("\"name\":null,\"state\":null,\"charged\":\"") != std::string::npos);
  }
}

TEST_CASE("what one may not see is answered word for word as what is not there") {
  Town town;
  const std::string hidden = town.job("other", "project-b");
  const std::string over = town.job("other", "project-b");
  REQUIRE(town.admin().post(over + "/cancel", "").status == 200);
  const std::string token = std::to_string(town.tokens.at("other"));
  const std::string nothing = "/v1/jobs/999999";
  struct Pair {
    std::string actor, target, body, no_target, no_body;
  };
  const auto submit = [](const std::string& project) {
    return "{" + quoted("project", project) + ", " + work + "}";
  };
  const auto member = [](const std::string& project) {
    return object({{"project", project}, {"person", "victim"}});
  };
  const auto grant = [&](const std::string& programme) {
    return object({{"name", "fresh"}, {"programme", programme}, {"organisation", "organisation"}});
  };
  const auto allocation = [&](const std::string& from) {
    return object({{"name", "fresh"}, {"grant", from}, {"project", "project-a"}, {"amount", "1"}});
  };
  std::vector<Pair> pairs;
  for (const std::string actor : {"nobody", "a-officer", "p-auditor", "p-member", "p-lead"}) {
    for (const std::string& job : {hidden, over}) {
      for (const std::string what : {"", "/explain", "/output", "/wait?timeout_ms=0"})
        pairs.push_back({actor, job + what, "", nothing + what, ""});
      pairs.push_back({actor, job + "/cancel", "{}", nothing + "/cancel", "{}"});
    }
    for (const std::string what : {"", "/balance", "/statement"})
      pairs.push_back({actor, "/v1/projects/project-b" + what, "", "/v1/projects/none" + what, ""});
    pairs.push_back({actor, "/v1/jobs?project=project-b", "", "/v1/jobs?project=none", ""});
    for (const std::string kind : {"grants/grant-b", "programmes/programme-b"}) {
      const std::string none = kind.substr(0, kind.find('/')) + "/none";
      pairs.push_back({actor, "/v1/" + kind, "", "/v1/" + none, ""});
    }
    pairs.push_back({actor, "/v1/jobs", submit("project-b"), "/v1/jobs", submit("none")});
    pairs.push_back({actor, "/v1/quote", submit("project-b"), "/v1/quote", submit("none")});
    pairs.push_back({actor, "/v1/members", member("project-b"), "/v1/members", member("none")});
    pairs.push_back(
        {actor, "/v1/members/remove", member("project-b"), "/v1/members/remove", member("none")});
    pairs.push_back({actor, "/v1/grants", grant("programme-b"), "/v1/grants", grant("none")});
    pairs.push_back(
        {actor, "/v1/allocations", allocation("grant-b"), "/v1/allocations", allocation("none")});
    pairs.push_back({actor, "/v1/tokens", object({{"person", "other"}}), "/v1/tokens",
                     object({{"person", "none"}})});
    pairs.push_back(
        {actor, "/v1/tokens/" + token + "/revoke", "{}", "/v1/tokens/999999/revoke", "{}"});
  }
  for (const Pair& pair : pairs) {
    CAPTURE(pair.actor);
    CAPTURE(pair.target);
    CAPTURE(pair.body);
    Caller& caller = town.callers.at(pair.actor);
    const auto ask = [&](const std::string& target, const std::string& body) {
      return body.empty() ? caller.get(target) : caller.post(target, body);
    };
    const Reply theirs = ask(pair.target, pair.body), none = ask(pair.no_target, pair.no_body);
    CHECK(theirs.status >= 400);
    CHECK(theirs.status == none.status);
    CHECK(theirs.body == none.body);
  }
  // Lists leave it out, also under its name.
  for (const std::string target :
       {"/v1/jobs", "/v1/projects", "/v1/allocations", "/v1/members", "/v1/fleet"}) {
    CAPTURE(target);
    const Reply list = town.callers.at("p-lead").get(target);
    CHECK(list.status == 200);
    CHECK(list.body.find("project-b") == std::string::npos);
  }
}

TEST_CASE("tokens: shown by label and last characters, ended at once, read-only if wanted") {
  Town town;
  Caller& admin = town.admin();
  const Reply made =
      admin.post("/v1/tokens", R"({"person": "p-lead", "label": "laptop", "scope": "read"})");
  REQUIRE(made.status == 201);
  const std::string secret = made.text("token").value_or("");
  Caller reader(town.service.url(), secret);
  CHECK(reader.get("/v1/whoami").body.find("\"read_only\":true") != std::string::npos);
  const std::string job = "{" + quoted("project", "project-a") + ", " + work + "}";
  CHECK(reader.post("/v1/quote", job).status == 200);
  for (const auto& [target, body] : std::vector<std::pair<std::string, std::string>>{
           {"/v1/jobs", job},
           {"/v1/tokens", R"({"person": "p-lead"})"},
           {"/v1/tokens/" + std::to_string(made.number("id").value_or(0)) + "/revoke", ""},
           {"/v1/members", R"({"project": "project-a", "person": "victim"})"},
           {"/v1/apply", R"({"items": []})"}}) {
    const Reply refused = reader.post(target, body);
    CHECK(refused.status == 403);
    CHECK(refused.text("code").value_or("") == "token_read_only");
  }
  const std::string list = reader.get("/v1/tokens").body;
  CHECK(list.find("\"label\":\"laptop\",\"ends_in\":\"" + secret.substr(secret.size() - 4) +
                  "\",\"scope\":\"read\"") != std::string::npos);
  CHECK(list.find(secret.substr(4, 20)) == std::string::npos);
  CHECK(list.find("\"person\":\"other\"") == std::string::npos);

  REQUIRE(admin.post("/v1/persons/p-lead/disable", "").status == 200);
  CHECK(reader.get("/v1/whoami").status == 401);
  CHECK(town.callers.at("p-lead").get("/v1/whoami").status == 401);
  CHECK(admin.post("/v1/tokens", R"({"person": "p-lead"})").text("code").value_or("") ==
        "person_disabled");
  REQUIRE(admin.post("/v1/persons/p-lead/enable", "").status == 200);
  CHECK(reader.get("/v1/whoami").status == 200);
}

TEST_CASE("declared again: unchanged, changed, or refused with what differs") {
  Town town;
  Caller& admin = town.admin();
  const auto result = [&](const std::string& target, const std::string& body) {
    const Reply reply = admin.post(target, body);
    return reply.text("result").value_or(reply.text("code").value_or(reply.trouble));
  };
  const std::string titled =
      R"({"name": "project-a", "title": "天秤", "organisation": "organisation"})";
  CHECK(result("/v1/projects", titled) == "changed");
  CHECK(result("/v1/projects", titled) == "unchanged");
  for (const std::string kind : {"programme", "organisation", "provider", "region"}) {
    const std::string name = kind == "programme" ? "programme-a" : kind;
    const std::string body = object({{"name", name}, {"title", "another"}});
    CHECK(result("/v1/" + kind + "s", body) == "changed");
    CHECK(result("/v1/" + kind + "s", body) == "unchanged");
  }
  CHECK(result("/v1/prices", R"({"pool": "pool", "gpu_hour": "2"})") == "changed");
  CHECK(result("/v1/members",
               R"({"project": "project-a", "person": "p-member", "role": "lead"})") == "changed");
  const auto allocation = [](const std::string& amount) {
    return object({{"name", "allocation-a"},
                   {"grant", "grant-a"},
                   {"project", "project-a"},
                   {"amount", amount}});
  };
  CHECK(result("/v1/allocations", allocation("700")) == "changed");
  CHECK(result("/v1/allocations", allocation("100")) == "changed");
  CHECK(result("/v1/allocations", allocation("2000")) == "insufficient_grant");
  const Reply balance = admin.get("/v1/projects/project-a/balance");
  CHECK(balance.text("allocated").value_or("") == "100");

  const Reply differs = admin.post("/v1/grants", object({{"name", "grant-a"},
                                                         {"programme", "programme-b"},
                                                         {"organisation", "organisation"}}));
  CHECK(differs.status == 409);
  CHECK(differs.body.find("\"figures\":[\"grant\",\"programme\"]") != std::string::npos);
  CHECK(differs.text("texts.en")
            .value_or("")
            .find("this grant exists already with another programme") != std::string::npos);
  CHECK(admin.get("/v1/statement").body.find("\"adds_up\":true") != std::string::npos);
  CHECK(faults::verified(town.folder.state()).code == 0);
}

}  // namespace tenbin::roles
