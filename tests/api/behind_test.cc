// While the history cannot be written, what is over cannot be told: the service says so, and does
// not call jobs unknown or lists empty. What needs no history is answered as ever.

#include <doctest/doctest.h>

#include <future>
#include <memory>

#include "api/api.h"
#include "codec/hash.h"
#include "faults/outside.h"
#include "store/memory_journal.h"

namespace tenbin {
namespace {

class StuckHistory final : public MemoryHistory {
 public:
  std::atomic<bool> stuck = false;
  Result<void> follow(std::uint64_t sequence, std::span<const SettledJob> jobs,
                      std::span<const ChargeRow> charges) override {
    if (stuck) return failed("the disk is full");
    return MemoryHistory::follow(sequence, jobs, charges);
  }
  Result<HistoryPage> jobs(const HistoryQuery&) override { return HistoryPage{}; }
  Result<std::vector<ChargeRow>> charges(const ChargeQuery&) override {
    return std::vector<ChargeRow>{};
  }
  Result<Credits> charged(std::string_view, Instant, Instant) override { return Credits{0}; }
};

class Inbox final : public net::ReplySink {
 public:
  std::promise<std::optional<net::Response>> told;
  void deliver(std::uint64_t, std::optional<net::Response> response) override {
    told.set_value(std::move(response));
  }
};

struct Door {
  ManualClock clock{Instant{1'800'000'000'000}};
  Machines machines;
  FakeExecutor executor{machines};
  MemoryJournal journal;
  StuckHistory history;
  std::unique_ptr<Live> live;
  std::unique_ptr<Api> api;

  Door() {
    live = std::move(*Live::open(journal, executor, history, clock, {}));
    api = std::make_unique<Api>(*live);
    live->start();
    ask(DeclarePerson{"admin", "", Role::officer});
    ask(CreateToken{"admin", "", hash_of("tnb_secret"), clock.now() + Span{1'000'000'000}});
    ask(DeclareOrganisation{"o", ""});
    ask(DeclareProject{"p", "", "o"});
  }
  ~Door() {
    api->stop();
    live->stop();
  }
  void ask(Command command) {
    auto done = std::make_shared<std::promise<bool>>();
    Message message;
    message.asked.command = command;
    message.reply = [done](const Answer& answer) { done->set_value(answer.decision.has_value()); };
    live->ask(std::move(message));
    REQUIRE(done->get_future().get());
  }
  net::Response get(const std::string& path, const std::string& query = {},
                    const std::string& tag = {}) {
    auto inbox = std::make_shared<Inbox>();
    auto answer = inbox->told.get_future();
    net::Request request{.method = "GET", .path = path, .query = query};
    request.headers = {{"Authorization", "Bearer tnb_secret"}, {"If-None-Match", tag}};
    api->handle(std::move(request), net::Reply(inbox, 1));
    REQUIRE(answer.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
    return answer.get().value();
  }
  std::future<std::optional<net::Response>> post(const std::string& path, const std::string& body) {
    auto inbox = std::make_shared<Inbox>();
    auto answer = inbox->told.get_future();
    net::Request request{.method = "POST", .path = path, .body = body};
    request.headers = {{"Authorization", "Bearer tnb_secret"},
                       {"Content-Type", "application/json"}};
    api->handle(std::move(request), net::Reply(inbox, 1));
    return answer;
  }
};

TEST_CASE("a history that lags behind is 503 with Retry-After, not 404") {
  Door door;
  door.history.stuck = true;
  door.ask(DeclareRegion{"r", ""});  // a record that the history does not have

  for (const char* path : {"/v1/jobs", "/v1/projects/p/statement"}) {
    const net::Response answer = door.get(path);
    CAPTURE(path);
    CHECK(answer.status == 503);
    CHECK(answer.body.find("history_behind") != std::string::npos);
    CHECK(answer.header("Retry-After") == "1");
    CHECK(answer.header("ETag").empty());
  }
  CHECK(door.get("/v1/jobs", "state=queued").status == 200);  // asks the World alone
  CHECK(door.get("/v1/jobs/7").status == 404);                // this id was never given
  CHECK(door.get("/v1/projects/p/balance").status == 200);

  door.history.stuck = false;
  CHECK(door.get("/v1/jobs").status == 200);
  CHECK(door.get("/v1/projects/p/statement").status == 200);
}

TEST_CASE("a tag holds until something happens, and for one thing until that thing changes") {
  Door door;
  const std::string list(door.get("/v1/regions").header("ETag"));
  const std::string project(door.get("/v1/projects/p").header("ETag"));
  REQUIRE(!list.empty());
  REQUIRE(!project.empty());
  CHECK(door.get("/v1/regions", {}, list).status == 304);
  CHECK(door.get("/v1/projects/p", {}, project).status == 304);

  door.ask(DeclareRegion{"r", ""});
  CHECK(door.get("/v1/regions", {}, list).status == 200);
  CHECK(door.get("/v1/projects/p", {}, project).status == 304);  // is as it was

  door.ask(DeclareMember{"p", "admin"});
  const net::Response changed = door.get("/v1/projects/p", {}, project);
  CHECK(changed.status == 200);
  CHECK(changed.body.find("admin") != std::string::npos);
}

// Each record one event with a long title.
void say_much(EventHub& hub, const World& world, std::uint64_t first, std::uint64_t records,
              const std::string& title) {
  const Event event = RegionDeclared{.name = "r", .title = title};
  const ProjectId none;
  for (std::uint64_t n = first; n < first + records; ++n) {
    const Published record{.sequence = n, .events = {&event, 1}, .projects = {&none, 1}};
    hub.published({&record, 1}, world);
  }
}

TEST_CASE("a stream that lags is cut off with the word and the place to go on from") {
  Door door;
  EventHub hub(*door.live, {.slowly = [](std::function<void()> work) { work(); }, .wake = [] {}});
  const auto all = [](const World&) -> std::optional<EventHub::Sees> {
    return [](const Happening&) { return true; };
  };
  const std::uint64_t before = hub.last();
  const auto pull = [](net::Stream& stream) {
    std::string out;
    const auto then = stream.pull(out, 1'000'000, net::Stream::Why::ready);
    return std::pair(out, then);
  };
  const auto slow = hub.open({}, {}, all), quick = hub.open({}, {}, all);
  const auto of_others = hub.open({}, {.job = JobId{77}}, all);
  door.live->read([&](const World& world) { say_much(hub, world, before + 1, 1, "first"); });
  CHECK(pull(*slow).first.find("first") != std::string::npos);

  const std::string long_title(100'000, 'x');
  for (int i = 0; i < 400; ++i) {  // 40 MB, of which 32 MiB are kept
    door.live->read([&](const World& world) {
      say_much(hub, world, before + 2 + static_cast<std::uint64_t>(i), 1, long_title);
    });
    CHECK(pull(*quick).second == net::Stream::Then::goes_on);
  }
  const auto [words, then] = pull(*slow);
  CHECK(then == net::Stream::Then::ends);
  CHECK(words == "event: lagging\ndata: {\"after\":\"" + std::to_string(before + 1) + "\"}\n\n");
  // Who follows something else does not lag, however much there is of this.
  CHECK(pull(*of_others).second == net::Stream::Then::goes_on);
}

TEST_CASE("quotes that take long do not keep others waiting") {
  Door door;
  const auto good = [&](std::future<std::optional<net::Response>> answer) {
    const net::Response response = answer.get().value();
    REQUIRE_MESSAGE(response.status < 300, response.body);
  };
  good(door.post("/v1/apply", R"({"items":[
    {"kind":"funder","name":"f","commitment":{"amount":"4000000000","currency":"JPY"},"credits_per_unit":"1"},
    {"kind":"programme","name":"pr"},{"kind":"grant","name":"g","programme":"pr","organisation":"o"},
    {"kind":"lot","name":"l","grant":"g","funder":"f","amount":{"amount":"4000000000","currency":"JPY"},"valid_from":"2020-01-01T00:00:00Z","expires":"2099-01-01T00:00:00Z"},
    {"kind":"allocation","name":"a","grant":"g","project":"p","amount":"3000000000"},
    {"kind":"provider","name":"v"},{"kind":"region","name":"r"},
    {"kind":"pool","name":"q","provider":"v","region":"r","gpu_model":"gpu","gpus_per_node":8},
    {"kind":"node","name":"n","pool":"q"},{"kind":"price","pool":"q","gpu_hour":"1","fraction_factor":"1"}]})"));
  const std::string work =
      R"("project":"p","gpus":8,"time_limit_ms":60000,"run":{"argv":["true"]}})";
  good(door.post("/v1/jobs", R"({"tasks":3000,)" + work));  // one after the other: a long forecast

  std::vector<std::future<std::optional<net::Response>>> quotes;
  for (int i = 0; i < 24; ++i) quotes.push_back(door.post("/v1/quote", "{" + work));
  for (int i = 0; i < 3; ++i) {
    CHECK(door.get("/v1/fleet").status == 200);
    CHECK(door.get("/v1/jobs", "state=queued").status == 200);
    CHECK(door.get("/v1/whoami").status == 200);
  }
  // Or they would have been quick, and this would show nothing.
  CHECK(quotes.back().wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  for (auto& quote : quotes) good(std::move(quote));
}

}  // namespace
}  // namespace tenbin
