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

}  // namespace
}  // namespace tenbin
