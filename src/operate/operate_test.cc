#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "codec/json.h"
#include "operate/door.h"
#include "operate/log_writer.h"
#include "operate/metrics.h"
#include "operate/settings.h"

namespace tenbin::operate {
namespace {

std::string first(const std::vector<Mistake>& mistakes) {
  return mistakes.empty() ? "" : mistakes.front().where + ": " + mistakes.front().english;
}

std::string wrong(const std::string& text) {
  Settings settings;
  return first(settings.read_toml(text, "f.toml"));
}

TEST_CASE("a flag beats the environment, which beats the file, which beats the default") {
  Settings settings;
  CHECK(settings.number("port") == 7411);
  CHECK(settings.origin("port") == "default");
  CHECK(settings.read_toml("\nport = 1\nlease_ms = 500\nlog = 'json'\n", "f.toml").empty());
  CHECK(settings.number("port") == 1);
  CHECK(settings.origin("port") == "f.toml:2:8");
  const auto environment = [](const std::string& name) -> const char* {
    return name == "TENBIN_PORT" ? "2" : name == "TENBIN_LEASE_MS" ? "600" : nullptr;
  };
  CHECK(settings.read_environment(environment).empty());
  CHECK(settings.number("port") == 2);
  std::vector<std::string> rest;
  CHECK(settings.read_flags({"--port", "3", "--accept-clock", "--other"}, rest).empty());
  CHECK(settings.number("port") == 3);
  CHECK(settings.origin("port") == "flag --port");
  CHECK(settings.number("lease_ms") == 600);
  CHECK(settings.origin("lease_ms") == "environment TENBIN_LEASE_MS");
  CHECK(settings.text("log") == "json");
  CHECK(settings.on("accept_clock"));
  CHECK(rest == std::vector<std::string>{"--other"});
}

TEST_CASE("what is printed can be read again and says the same") {
  Settings settings;
  CHECK(settings.read_toml("state = \"/a \\\"b\\\"\\n\"\nport = 9\n", "f").empty());
  Settings again;
  const std::string printed = settings.print();
  CAPTURE(printed);
  CHECK(again.read_toml(printed, "g").empty());
  for (const Setting& one : all_settings()) {
    CAPTURE(one.name);
    CHECK(again.text(one.name) == settings.text(one.name));
  }
  CHECK(printed.find("port = 9") != std::string::npos);
  CHECK(printed.find("# f:2:8") != std::string::npos);
}

TEST_CASE("mistakes are told with their place, all at once") {
  CHECK(wrong("port = \n").starts_with("f.toml:1:"));
  CHECK(wrong("port = \n").find("not TOML") != std::string::npos);
  for (const char* odd :
       {"[=]\n", "[\x01]\n", "[ . ]\n", "[[ =", "[\xE3\x81\x82]\n", "\xC3\xA9 = 1\n"})
    CHECK(wrong(odd).find("not TOML") != std::string::npos);
  CHECK(wrong("\nprot = 1\n") == "f.toml:2:1: there is no setting \"prot\"; did you mean port?");
  CHECK(wrong("nothing_like_it = 1\n").find("--print-config") != std::string::npos);
  CHECK(wrong("port = '1'\n") == "f.toml:1:8: port must be a whole number without quotes");
  CHECK(wrong("port = 1.0\n") == "f.toml:1:8: port must be a whole number without quotes");
  CHECK(wrong("state = 5\n") == "f.toml:1:9: state must be a text in quotes");
  CHECK(wrong("port = 65536\n") ==
        "f.toml:1:8: port must be a whole number from 0 to 65535, not \"65536\"");
  CHECK(wrong("port = 99999999999999999999\n").starts_with("f.toml:1:"));
  CHECK(wrong("lease_ms = 99\n").find("from 100 to 3600000") != std::string::npos);
  CHECK(wrong("log = 'jsom'\n").find("did you mean json?") != std::string::npos);
  CHECK(wrong("metrics_listen = '9411'\n").find("ADDRESS:PORT") != std::string::npos);
  CHECK(wrong("accept_clock = true\n").find("--accept-clock") != std::string::npos);
  CHECK(wrong("[port]\na = 1\n").find("whole number") != std::string::npos);
  Settings settings;
  const auto mistakes = settings.read_toml("prot = 1\nlease_ms = 1\nport = 77\n", "f");
  CHECK(mistakes.size() == 2);
  CHECK(settings.number("port") == 77);  // what is right is taken all the same
  std::vector<std::string> rest;
  CHECK(first(settings.read_flags({"--port"}, rest)) == "flag --port: --port needs a value");
  CHECK(first(settings.read_flags({"--port=x"}, rest)).find("whole number") != std::string::npos);
  CHECK(settings.number("port") == 77);
}

TEST_CASE("addresses to listen on") {
  CHECK(listener_of("127.0.0.1:0")->port == 0);
  CHECK(listener_of("[::1]:9411")->address == "::1");
  for (const char* bad : {"", ":", ":1", "a:", "a:65536", "a:-1", "::1:5", "[]:1"}) {
    CAPTURE(bad);
    CHECK(!listener_of(bad));
  }
}

TEST_CASE("a log line is one JSON object, whatever it is about") {
  const LogLine line{LogLevel::warning,
                     "event",
                     "two\nlines \"quoted\" \x1b[31m 日本語 \xff",
                     {{"n", std::int64_t{-5}}, {"path", "/v1/\n"}}};
  const std::string text = format_line(LogFormat::json, Instant{1'795'381'080'123}, line);
  CHECK(text.find('\n') == text.size() - 1);
  JsonDocument document;
  const auto root = document.parse(text);
  REQUIRE(root.has_value());
  CHECK((*root)["time"].text() == "2026-11-22T20:58:00.123Z");
  CHECK((*root)["level"].text() == "warning");
  CHECK((*root)["event"].text() == "event");
  CHECK((*root)["n"].integer() == -5);
  CHECK((*root)["path"].text() == "/v1/\n");
  const std::string plain = format_line(LogFormat::text, Instant{0}, line);
  CHECK(plain.find('\n') == plain.size() - 1);
  CHECK(plain.find('\x1b') == std::string::npos);
  CHECK(plain.find("日本語") != std::string::npos);
}

TEST_CASE("a log that nobody reads holds up nobody, and what is lost is counted") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  {
    LogWriter writer(ends[1], LogFormat::json, LogLevel::info);
    const Log log = writer.log();
    for (int i = 0; i < 20'000; ++i) log(LogLevel::info, "much", std::string(400, 'x'));
    log(LogLevel::debug, "little", "below the level");
    CHECK(writer.dropped() > 0);
  }  // ends although nobody has read
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("routes have no names in them") {
  CHECK(route_of("/v1/jobs") == "/v1/jobs");
  CHECK(route_of("/v1/jobs/17/wait") == "/v1/jobs/{id}/wait");
  CHECK(route_of("/v1/projects/tokyo-llm/balance") == "/v1/projects/{id}/balance");
  CHECK(route_of("/metrics") == "/metrics");
  CHECK(route_of("/") == "/");
  CHECK(route_of("/v1/%2e%2e/x") == "other");
  CHECK(route_of("/a/b/c/d/e/f/g/h") == "other");
  CHECK(route_of("*") == "other");
  CHECK(is_request_id("0a1-b_c.d:E"));
  CHECK(!is_request_id(""));
  CHECK(!is_request_id("a b"));
  CHECK(!is_request_id("a\nb"));
  CHECK(!is_request_id(std::string(65, 'a')));
}

struct Sink final : net::ReplySink {
  std::optional<net::Response> got;
  void deliver(std::uint64_t, std::optional<net::Response> response) override {
    got = std::move(response);
  }
};

TEST_CASE("the door names, counts and logs requests, and says no secret") {
  std::vector<std::string> logged;
  Door door({.inner =
                 [](net::Request&& request, net::Reply reply) {
                   request.trace->person = "hanako";
                   reply({.status = request.path.starts_with("/v1/jobs") ? 201 : 404});
                 },
             .access = AccessLog::all,
             .log = Log([&](LogLine&& line) {
               logged.push_back(format_line(LogFormat::json, Instant{0}, line));
             })});
  const auto ask = [&](const std::string& method, const std::string& path, const std::string& id) {
    auto sink = std::make_shared<Sink>();
    net::Request request{.method = method,
                         .path = path,
                         .query = "q=secret-query",
                         .headers = {{"Authorization", "Bearer tnb_secret"}},
                         .body = "secret-body"};
    if (!id.empty()) request.headers.emplace_back("X-Request-Id", id);
    door.handle(std::move(request), net::Reply(sink, 1));
    REQUIRE(sink->got.has_value());
    return *sink->got;
  };
  CHECK(ask("POST", "/v1/jobs", "mine-1").header("X-Request-Id") == "mine-1");
  const std::string made(ask("GET", "/v1/jobs/5", "bad id").header("X-Request-Id"));
  CHECK(is_request_id(made));
  CHECK(made != std::string(ask("GET", "/v1/jobs/6", "").header("X-Request-Id")));
  for (int i = 0; i < 2'000; ++i)
    ask("GET", "/nothing" + std::string(static_cast<std::size_t>(i % 9), 'a'), "");
  CHECK(ask("GET", "/healthz", "").status == 200);
  std::size_t others = 0, ids = 0;
  for (const Door::Route& route : door.routes()) {
    others += route.route == "other";
    if (route.route == "/v1/jobs/{id}") ids = route.latency.count;
  }
  CHECK(others == 1);
  CHECK(ids == 2);
  CHECK(door.routes().size() == 4);
  CHECK(logged.front().find("\"person\":\"hanako\"") != std::string::npos);
  CHECK(logged.front().find("\"request\":\"mine-1\"") != std::string::npos);
  for (const std::string& line : logged) CHECK(line.find("secret") == std::string::npos);
  // Dropped unanswered, the server below hears of it.
  Door dropping({.inner = [](net::Request&&, net::Reply) {}});
  auto sink = std::make_shared<Sink>();
  dropping.handle({.method = "GET", .path = "/v1/x"}, net::Reply(sink, 1));
  CHECK(!sink->got.has_value());
  CHECK(dropping.open_requests() == 0);
}

TEST_CASE("metrics are the text that Prometheus reads") {
  Figures figures{.version = "1\"2"};
  figures.world.regions["east\\1"].gpus_used = 1'500;
  figures.live.commit.counts[2] = 3;
  figures.live.commit.counts[16] = 1;
  figures.live.commit.count = 4;
  figures.live.commit.sum = 12'000'000;
  figures.live.refused[0] = 7;
  const std::string text = metrics_text(figures);
  CAPTURE(text);
  const auto has = [&](const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
  };
  CHECK(has("tenbin_info{version=\"1\\\"2\"} 1"));
  CHECK(has("tenbin_gpus{region=\"east\\\\1\",state=\"used\"} 1.5"));
  CHECK(has("tenbin_commit_seconds_bucket{le=\"0.0005\"} 3"));
  CHECK(has("tenbin_commit_seconds_bucket{le=\"10\"} 3"));
  CHECK(has("tenbin_commit_seconds_bucket{le=\"+Inf\"} 4"));
  CHECK(has("tenbin_commit_seconds_sum 12"));
  CHECK(has("tenbin_refused_total{reason=\"not_permitted\"} 7"));
  CHECK(has("tenbin_snapshot_age_seconds -1"));
}

TEST_CASE("readiness says every reason why not") {
  const ProcessFigures roomy{.disk_free_bytes = 1ull << 40};
  CHECK(why_unready(true, false, {}, roomy, {}).empty());
  CHECK(ready_response({}).status == 200);
  const auto reasons =
      why_unready(false, true, {.sequence = 1'000'000, .committing = Span{11'000}}, {}, {});
  CHECK(reasons.size() == 5);
  const net::Response response = ready_response(reasons);
  CHECK(response.status == 503);
  for (const char* code :
       {"recovering", "stopping", "commit_hangs", "disk_nearly_full", "history_behind"})
    CHECK(response.body.find(code) != std::string::npos);
}

}  // namespace
}  // namespace tenbin::operate
