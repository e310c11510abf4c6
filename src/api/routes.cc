#include "api/routes.h"

#include <array>

#include "api/api.h"
#include "api/embedded.h"

namespace tenbin {

namespace {

/// Kinds of declarations: in addresses, in operations' names, what lists of them can be filtered
/// by, and whether each has a name of its own to be asked for by.
struct KindRoute {
  std::string_view kind, plural, capital, filters;
  bool has_one = true;
};
constexpr std::array<KindRoute, 15> kind_routes{{
    {"funder", "funders", "Funder", ""},
    {"programme", "programmes", "Programme", ""},
    {"organisation", "organisations", "Organisation", ""},
    {"grant", "grants", "Grant", "programme organisation "},
    {"lot", "lots", "Lot", "grant funder "},
    {"project", "projects", "Project", "organisation person "},
    {"allocation", "allocations", "Allocation", "project grant "},
    {"person", "persons", "Person", "role "},
    {"member", "members", "Member", "programme project person ", false},
    {"provider", "providers", "Provider", ""},
    {"region", "regions", "Region", ""},
    {"pool", "pools", "Pool", "provider region gpu_model "},
    {"node", "nodes", "Node", "pool state "},
    {"price", "prices", "Price", "pool "},
    {"policy", "policies", "Policy", "", false},
}};

using Handle = void (*)(Api&, const CallPtr&);

Route get(std::string path, std::string operation, std::string parameters, Validator validator,
          Handle handle) {
  return {.method = "GET",
          .path = std::move(path),
          .operation = std::move(operation),
          .parameters = std::move(parameters),
          .handle = handle,
          .validator = validator};
}
Route post(std::string path, std::string operation, Body body, Handle handle) {
  return {.method = "POST",
          .path = std::move(path),
          .operation = std::move(operation),
          .parameters = {},
          .handle = handle,
          .body = body};
}
Route open(Route route) {
  route.entry = Entry::open;
  return route;
}

constexpr std::string_view page = "limit cursor sort";

}  // namespace

std::vector<Route> Api::routes() {
  using enum Validator;
  std::vector<Route> all;
  const auto add = [&](Route route) { all.push_back(std::move(route)); };

  // The service
  add(open(get("/healthz", "health", "", none,
               [](Api&, const CallPtr& c) { c->reply(ok("{\"status\":\"ok\"}")); })));
  // These two are answered before they come here (operate/door.h), where the service has a door.
  add(open(
      get("/readyz", "ready", "", none, [](Api&, const CallPtr& c) { c->deny(not_found()); })));
  add(get("/metrics", "readMetrics", "", none, [](Api& a, const CallPtr& c) {
    if (!a.metrics_ || !c->caller.sees_all()) return c->deny(not_found());
    a.slowly([&a, c] { c->reply(a.metrics_()); });
  }));
  add(open(get("/v1/openapi.yaml", "describeApi", "", own,
               [](Api& a, const CallPtr& c) { a.describe(c); })));

  // Jobs
  add(get("/v1/jobs", "listJobs",
          "project person state name region label submitted_from submitted_to limit cursor sort",
          world, [](Api& a, const CallPtr& c) { a.jobs(c); }));
  add(post("/v1/jobs", "submitJob", Body::json, [](Api& a, const CallPtr& c) { a.submit(c); }));
  add(get("/v1/jobs/{id}", "getJob", "", own,
          [](Api& a, const CallPtr& c) { a.job(c, JobId{c->id}); }));
  add(post("/v1/jobs/{id}/cancel", "cancelJob", Body::none,
           [](Api& a, const CallPtr& c) { a.change(c, JobId{c->id}, CancelJob{JobId{c->id}}); }));
  add(post("/v1/jobs/{id}/hold", "holdJob", Body::none,
           [](Api& a, const CallPtr& c) { a.change(c, JobId{c->id}, HoldJob{JobId{c->id}}); }));
  add(post("/v1/jobs/{id}/release", "releaseJob", Body::none,
           [](Api& a, const CallPtr& c) { a.change(c, JobId{c->id}, ReleaseJob{JobId{c->id}}); }));
  add(get("/v1/jobs/{id}/wait", "waitForJob", "timeout_ms", none,
          [](Api& a, const CallPtr& c) { a.wait_for_job(c, JobId{c->id}); }));
  add(get("/v1/jobs/{id}/explain", "explainJob", "", none,
          [](Api& a, const CallPtr& c) { a.explain(c, JobId{c->id}); }));
  add(get("/v1/jobs/{id}/output", "getOutput", "rank stream attempt offset wait_ms", none,
          [](Api& a, const CallPtr& c) { a.output(c, JobId{c->id}); }));
  add(post("/v1/quote", "quoteJob", Body::json, [](Api& a, const CallPtr& c) { a.quote(c); }));

  // Fleet
  add(get("/v1/fleet", "getFleet", "", world,
          [](Api& a, const CallPtr& c) { a.slowly([&a, c] { a.fleet(c); }); }));
  for (const std::string_view verb : {"drain", "resume", "evacuate"}) {
    add(post("/v1/nodes/{name}/" + std::string(verb), std::string(verb) + "Node", Body::none,
             [](Api& a, const CallPtr& c) { a.set_node(c, c->name, c->path[3]); }));
  }
  add(get("/v1/pools/{name}/prices", "listPoolPrices", "limit cursor sort", world,
          [](Api& a, const CallPtr& c) { a.slowly([&a, c] { a.prices_of_pool(c); }); }));

  // Money
  add(get("/v1/projects/{name}/balance", "getBalance", "", world,
          [](Api& a, const CallPtr& c) { a.balance(c, c->name); }));
  add(get("/v1/projects/{name}/statement", "getStatement", "from to limit cursor", world,
          [](Api& a, const CallPtr& c) { a.project_statement(c, c->name); }));
  add(get("/v1/statement", "getFundersStatement", "", world,
          [](Api& a, const CallPtr& c) { a.slowly([&a, c] { a.statement(c); }); }));

  // People
  add(get("/v1/whoami", "whoAmI", "", world, [](Api& a, const CallPtr& c) { a.whoami(c); }));
  // Its states change with the clock.
  add(get("/v1/tokens", "listTokens", "person limit cursor sort", none,
          [](Api& a, const CallPtr& c) { a.slowly([&a, c] { a.tokens(c); }); }));
  add(post("/v1/tokens", "createToken", Body::json,
           [](Api& a, const CallPtr& c) { a.create_token(c); }));
  add(post("/v1/tokens/{id}/revoke", "revokeToken", Body::none,
           [](Api& a, const CallPtr& c) { a.revoke_token(c, TokenId{c->id}); }));

  add(post("/v1/members/remove", "removeMember", Body::json,
           [](Api& a, const CallPtr& c) { a.remove_member(c); }));
  for (const std::string_view verb : {"disable", "enable"}) {
    add(post("/v1/persons/{name}/" + std::string(verb), std::string(verb) + "Person", Body::none,
             [](Api& a, const CallPtr& c) { a.set_person(c, c->name, c->path[3]); }));
  }

  // The record
  add(get("/v1/events", "followEvents", "since project job kinds follow", none,
          [](Api& a, const CallPtr& c) { a.events(c); }));
  add(get("/v1/journal", "readJournal", "from limit as", world,
          [](Api& a, const CallPtr& c) { a.journal(c); }));

  // Declarations
  add(post("/v1/apply", "apply", Body::json, [](Api& a, const CallPtr& c) { a.apply_all(c); }));
  for (const KindRoute& kind : kind_routes) {
    const std::string path = "/v1/" + std::string(kind.plural);
    const std::string plural =
        std::string(kind.capital.substr(0, 1)) + std::string(kind.plural.substr(1));
    Route list =
        get(path, "list" + plural, std::string(kind.filters) + std::string(page), world,
            [](Api& a, const CallPtr& c) { a.slowly([&a, c] { a.list(c, c->route->kind); }); });
    Route declare = post(path, "declare" + std::string(kind.capital), Body::json,
                         [](Api& a, const CallPtr& c) { a.declare(c, c->route->kind); });
    Route one = get(path + "/{name}", "get" + std::string(kind.capital), "", own,
                    [](Api& a, const CallPtr& c) { a.one(c, c->route->kind); });
    list.kind = declare.kind = one.kind = kind.kind;
    add(std::move(list));
    add(std::move(declare));
    if (kind.has_one) add(std::move(one));
  }
  return all;
}

void Api::describe(const CallPtr& call) {
  static const std::uint64_t digest = [] {
    Digest d;
    d.add(openapi_yaml());
    return d.value();
  }();
  if (unchanged(call, digest)) return;
  call->reply(
      {.status = 200, .content_type = "application/yaml", .body = std::string(openapi_yaml())});
}

}  // namespace tenbin
