// The status page as a browser meets it: the real program, its cookie and what it may do, its
// files, and what a member is shown. What is in the page is in src/api/page_test.cc.

#include <cstdlib>

#include "faults/service.h"
#include "net/event_stream.h"

namespace tenbin::faults {

namespace {

const std::string job =
    R"({"project": "project", "name": "<script>alert(1)</script>", "gpus": 4, "time_limit_ms": 60000, "run": {"argv": ["sleep", "30"]}})";

struct Site {
  TestFolder folder;
  Daemon daemon{{.state = folder.state(), .work = folder.work()}};
  Site() {
    REQUIRE(daemon.start());
    Caller officer = admin();
    declare_fleet(officer);
  }
  Caller admin() const { return {daemon.url(), daemon.token()}; }
  Caller nobody() const { return {daemon.url(), ""}; }
  std::string token_of(const std::string& person, const std::string& more = "") const {
    Caller officer = admin();
    const Reply made = officer.post("/v1/tokens", "{\"person\": \"" + person + "\"" + more + "}");
    REQUIRE_MESSAGE(made.status == 201, made.body);
    return made.text("token").value_or("");
  }
};

Reply sign_in(const Site& site, const std::string& token, net::Headers more = {}) {
  Caller browser = site.nobody();
  return browser.send("POST", "/sign-in?lang=ja", "token=" + token, std::move(more));
}
Reply with_cookie(const Site& site, const std::string& token, const std::string& target,
                  const std::string& method = "GET", const std::string& body = "") {
  Caller browser = site.nobody();
  return browser.send(method, target, body, {{"Cookie", "other=1; tenbin_token=" + token}});
}
bool has(const Reply& reply, std::string_view words) {
  return reply.body.find(words) != std::string::npos;
}

}  // namespace

TEST_CASE("page: without a cookie there is a form and nothing else") {
  Site site;
  Caller browser = site.nobody();
  for (const std::string target : {"/", "/?lang=ja"}) {
    const Reply page = browser.get(target);
    CHECK(page.status == 200);
    CHECK(page.type.starts_with("text/html"));
    CHECK(has(page, "<form method=\"post\" action=\"/sign-in"));
    CHECK_FALSE(has(page, "pool"));
    CHECK_FALSE(has(page, "project"));
    CHECK_FALSE(has(page, "page.js"));
    const std::string policy = page.headers.at("Content-Security-Policy");
    for (const std::string_view part :
         {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'",
          "form-action 'self'", "base-uri 'none'"})
      CHECK_MESSAGE(policy.find(part) != std::string::npos, part);
    CHECK(policy.find("unsafe") == std::string::npos);
    CHECK(page.headers.at("X-Content-Type-Options") == "nosniff");
    CHECK(page.headers.at("Referrer-Policy") == "same-origin");
    CHECK(page.headers.at("Cache-Control") == "no-store");
  }
  CHECK(browser.get("/board").status == 401);
  CHECK(browser.get("/board").body.empty());
  CHECK(browser.get("/sign-in").status == 303);
  CHECK(browser.send("PUT", "/sign-in", "").status == 405);
  CHECK(browser.post("/", "{}").status == 405);
  CHECK(browser.get("/nothing-here").status == 401);
  // The language: as asked, else as the browser says.
  CHECK(has(browser.get("/?lang=ja"), "<html lang=\"ja\">"));
  CHECK(has(browser.send("GET", "/", "", {{"Accept-Language", "ja,en;q=0.5"}}),
            "<html lang=\"ja\">"));
  CHECK(
      has(browser.send("GET", "/?lang=en", "", {{"Accept-Language", "ja"}}), "<html lang=\"en\">"));
  CHECK(
      has(browser.send("GET", "/?lang=xx", "", {{"Accept-Language", "en"}}), "<html lang=\"en\">"));
}

TEST_CASE("page: the cookie shows, and commands nothing") {
  Site site;
  const std::string token = site.daemon.token();
  const Reply in = sign_in(site, token);
  CHECK(in.status == 303);
  CHECK(in.headers.at("Location") == "/?lang=ja");
  const std::string cookie = in.headers.at("Set-Cookie");
  CHECK(cookie.starts_with("tenbin_token=" + token + "; Path=/; Max-Age="));
  CHECK(cookie.find("; HttpOnly; SameSite=Strict") != std::string::npos);
  CHECK(cookie.find("Secure") == std::string::npos);  // no TLS here: it would never come back
  CHECK(sign_in(site, "%20" + token + "%0D%0A").status == 303);  // as it is pasted

  CHECK(has(with_cookie(site, token, "/?lang=ja"), "計算機群"));
  CHECK(has(with_cookie(site, token, "/board?lang=en"), "Credits of the projects"));
  // Nothing else takes it: no question of the API, and above all no command.
  for (const std::string target : {"/v1/jobs", "/v1/fleet", "/v1/whoami", "/v1/tokens", "/metrics"})
    CHECK_MESSAGE(with_cookie(site, token, target).status == 401, target);
  const std::uint64_t before = static_cast<std::uint64_t>(records(site.folder.state()));
  CHECK(with_cookie(site, token, "/v1/jobs", "POST", job).status == 401);
  CHECK(with_cookie(site, token, "/v1/tokens", "POST", R"({"person": "admin"})").status == 401);
  CHECK(with_cookie(site, token, "/v1/nodes/node-0/drain", "POST", "").status == 401);
  CHECK(with_cookie(site, token, "/v1/events", "POST", "").status == 401);
  CHECK(static_cast<std::uint64_t>(records(site.folder.state())) == before);

  // The stream of events, which is what keeps the page as things are.
  auto events = net::EventReader::open(
      site.daemon.url(), "/v1/events",
      {{"Cookie", "tenbin_token=" + token}, {"Accept", "text/event-stream"}}, Span{20'000});
  REQUIRE(events);
  REQUIRE(events->refusal() == nullptr);
  Caller officer = site.admin();
  REQUIRE(officer.post("/v1/jobs", job).status == 201);
  net::StreamEvent event;
  const auto got = events->next(event, Span{10'000});
  REQUIRE(got);
  CHECK(event.event == "JobQueued");
  CHECK(with_cookie(site, "tnb_wrong", "/v1/events").status == 401);

  const Reply out = with_cookie(site, token, "/sign-out?lang=en", "POST", "");
  CHECK(out.status == 303);
  CHECK(out.headers.at("Set-Cookie").starts_with("tenbin_token=; Path=/; Max-Age=0"));
}

TEST_CASE("page: what is no valid token, or not sent by our own form, signs nobody in") {
  Site site;
  for (const std::string token : {"", "tnb_0", "%ZZ", "%3Cscript%3E"}) {
    const Reply refused = sign_in(site, token);
    CHECK(refused.status == 403);
    CHECK(has(refused, "このトークンは有効ではありません"));
    CHECK_FALSE(refused.headers.contains("Set-Cookie"));
    CHECK_FALSE(has(refused, "<script>"));
  }
  const std::string token = site.token_of("member");
  const std::string host = site.daemon.url().substr(7);
  CHECK(sign_in(site, token, {{"Origin", site.daemon.url()}}).status == 303);
  CHECK(sign_in(site, token, {{"Sec-Fetch-Site", "same-origin"}}).status == 303);
  for (const net::Headers& other :
       {net::Headers{{"Origin", "http://elsewhere.example"}}, net::Headers{{"Origin", "null"}},
        net::Headers{{"Sec-Fetch-Site", "cross-site"}},
        net::Headers{{"Sec-Fetch-Site", "same-site"}}}) {
    const Reply reply = sign_in(site, token, other);
    CHECK(reply.status == 403);
    CHECK_FALSE(reply.headers.contains("Set-Cookie"));
  }
  // It ends with the token: when that is revoked, and when it is over.
  CHECK(has(with_cookie(site, token, "/?lang=en"), "Sign out"));
  Caller officer = site.admin();
  const Reply made = officer.post("/v1/tokens", R"({"person": "member"})");
  const std::string other = made.text("token").value_or("");
  CHECK(with_cookie(site, other, "/board").status == 200);
  REQUIRE(
      officer.post("/v1/tokens/" + std::to_string(made.number("id").value_or(0)) + "/revoke", "")
          .status == 200);
  CHECK(with_cookie(site, other, "/board").status == 401);
  CHECK_FALSE(has(with_cookie(site, other, "/?lang=en"), "Sign out"));
}

TEST_CASE("page: a member is shown the own projects, a stranger none, and text stays text") {
  Site site;
  Caller officer = site.admin();
  REQUIRE(
      officer
          .post(
              "/v1/projects",
              R"({"name": "project", "title": "<b>\"Title\"</b>", "organisation": "organisation"})")
          .status == 200);
  for (int i = 0; i < 3; ++i) REQUIRE(officer.post("/v1/jobs", job).status == 201);
  const std::string member = site.token_of("member", R"(, "scope": "read")");
  const std::string stranger = site.token_of("stranger");
  CHECK(within(10, [&] { return has(with_cookie(site, member, "/board?lang=en"), "Ends by"); }));
  const Reply theirs = with_cookie(site, member, "/board?lang=en");
  CHECK(has(theirs, "&lt;script&gt;alert(1)&lt;/script&gt;"));
  CHECK(has(theirs, "&lt;b&gt;&quot;Title&quot;&lt;/b&gt;"));
  CHECK(has(theirs, "1,000,000"));
  CHECK(has(theirs, "Waits for"));
  CHECK_FALSE(has(theirs, "<script>"));
  CHECK_FALSE(has(theirs, "poor"));  // a project that is not theirs
  const Reply nothing = with_cookie(site, stranger, "/board?lang=en");
  CHECK(nothing.status == 200);
  CHECK(has(nothing, "<bdi>pool</bdi>"));
  CHECK(has(nothing, "8 / 8"));  // how full the fleet is, and not by whom
  CHECK_FALSE(has(nothing, "alert(1)"));
  CHECK_FALSE(has(nothing, "<bdi>project</bdi>"));
  CHECK_FALSE(has(nothing, "1,000,000"));
}

TEST_CASE("page: with TLS the cookie travels in nothing else") {
  TestFolder folder;
  const std::string certificate = folder.path() + "/certificate.pem",
                    key = folder.path() + "/key.pem";
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
      "/CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout " +
      key + " -out " + certificate + " >/dev/null 2>&1";
  REQUIRE(std::system(command.c_str()) == 0);
  Daemon daemon{{.state = folder.state(),
                 .work = folder.work(),
                 .more = {"--tls-cert", certificate, "--tls-key", key}}};
  REQUIRE_MESSAGE(daemon.start(), daemon.words());
  REQUIRE(daemon.url().starts_with("https://"));
  net::Client browser(daemon.url(), certificate);
  const auto in = browser.send("POST", "/sign-in", {}, "token=" + daemon.token(), Span{20'000});
  REQUIRE_MESSAGE(in, (in ? "" : in.error().what));
  CHECK(in->status == 303);
  CHECK(in->header("Set-Cookie").ends_with("; HttpOnly; SameSite=Strict; Secure"));
}

TEST_CASE("page: its files and the board are not sent twice") {
  Site site;
  Caller browser = site.nobody();
  for (const auto& [target, type] :
       std::map<std::string, std::string>{{"/page.css", "text/css"},
                                          {"/page.js", "text/javascript"},
                                          {"/icon.svg", "image/svg+xml"}}) {
    const Reply first = browser.get(target);
    CHECK(first.status == 200);
    CHECK(first.type.starts_with(type));
    CHECK(first.headers.at("X-Content-Type-Options") == "nosniff");
    const std::string tag = first.headers.at("ETag");
    const Reply again = browser.send("GET", target, "", {{"If-None-Match", tag}});
    CHECK(again.status == 304);
    CHECK(again.body.empty());
    CHECK(browser.send("GET", target, "", {{"If-None-Match", "\"other\""}}).status == 200);
    CHECK(browser.post(target, "{}").status == 405);
  }
  const std::string token = site.daemon.token();
  const std::string tag = with_cookie(site, token, "/board?lang=en").headers.at("ETag");
  const net::Headers known{{"Cookie", "tenbin_token=" + token}, {"If-None-Match", tag}};
  CHECK(browser.send("GET", "/board?lang=en", "", known).status == 304);
  CHECK(browser.send("GET", "/board?lang=ja", "", known).status == 200);
  Caller officer = site.admin();
  REQUIRE(officer.post("/v1/jobs", job).status == 201);
  CHECK(browser.send("GET", "/board?lang=en", "", known).status == 200);
}

}  // namespace tenbin::faults
