// The service is asked to stop while there is much to do: it answers what it took, leaves what runs
// alone, and the next one takes it up.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "faults/ledger.h"
#include "faults/service.h"

namespace tenbin::faults {
namespace {

std::string sleeper(const std::string& seconds, const std::string& more = "") {
  return R"({"project": "project", "gpus": "0.01", "time_limit_ms": 60000, "run": {"argv": ["sh", "-c", "sleep )" +
         seconds + R"(; echo done"])" + more + "}}";
}

TEST_CASE(
    "SIGTERM under load: what was taken is answered, what runs goes on and is taken up again") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work(), .lease_ms = 10'000});
  REQUIRE_MESSAGE(service.start(), service.words());
  std::int64_t runs = 0;
  {
    Caller officer(service.url(), service.token());
    declare_fleet(officer);
    const Reply reply = officer.post("/v1/jobs", sleeper("4"));
    REQUIRE_MESSAGE(reply.status == 201, reply.body);
    runs = *reply.number("job");
    REQUIRE(within(20, [&] { return supervisors(folder.state()).size() == 2; }));
  }
  std::atomic<bool> stop = false;
  std::mutex mutex;
  std::map<std::string, std::int64_t> acknowledged;
  std::vector<int> odd;
  {
    std::vector<std::jthread> clients;
    for (std::uint64_t c = 0; c < 4; ++c) {
      clients.emplace_back([&, c] {
        Rng rng{c + 1};
        Caller caller(service.url(), service.token());
        while (!stop) {
          const std::string key = uuid(rng);
          const Reply reply = caller.post("/v1/jobs", sleeper("0", ""), key);
          const std::lock_guard lock(mutex);
          if (reply.status == 201) acknowledged[key] = *reply.number("job");
          if (reply.status != 201 && reply.status != 0 && reply.status != 503)
            odd.push_back(reply.status);
          if (reply.status == 0) return;  // it no longer listens
        }
      });
    }
    rest(150);
    service.signal(SIGTERM);
    const Ended ended = service.wait(30);
    CHECK(ended.code == 0);
    stop = true;
  }
  // An internal error would be an answer that is not one.
  CHECK(odd.empty());
  CHECK(verified(folder.state()).code == 0);
  const Ledger ledger = read_ledger(folder.state());
  for (const auto& [key, job] : acknowledged) {
    CAPTURE(key);
    REQUIRE(ledger.by_request.contains(key));
    CHECK(ledger.by_request.at(key) == std::vector<std::uint64_t>{static_cast<std::uint64_t>(job)});
  }
  CHECK(!supervisors(folder.state()).empty());

  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  const Reply job = officer.get("/v1/jobs/" + std::to_string(runs) + "/wait");
  CAPTURE(job.body);
  CHECK(job.text("state") == "completed");
  CHECK(job.number("attempt") == 1);
  CHECK(officer.get("/v1/jobs/" + std::to_string(runs) + "/output").body == "done\n");
  // Asked to stop again, with all at rest: soon gone, and no process is left.
  CHECK(within(60, [&] {
    return officer.get("/v1/jobs?state=running").body.find("\"items\":[]") != std::string::npos &&
           officer.get("/v1/jobs?state=queued").body.find("\"items\":[]") != std::string::npos;
  }));
  service.signal(SIGTERM);
  CHECK(service.wait(20).code == 0);
  CHECK(within(5, [&] { return supervisors(folder.state()).empty(); }));
}

TEST_CASE(
    "SIGTERM while somebody waits for a job: the waiter is told how things are, and at once") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work(), .lease_ms = 1'000});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  const Reply reply = officer.post("/v1/jobs", sleeper("30"));
  REQUIRE_MESSAGE(reply.status == 201, reply.body);
  const std::string address = "/v1/jobs/" + std::to_string(*reply.number("job"));
  Reply waited;
  std::jthread waiter([&] {
    Caller caller(service.url(), service.token());
    waited = caller.get(address + "/wait?timeout_ms=20000");
  });
  rest(300);
  const auto began = std::chrono::steady_clock::now();
  service.signal(SIGTERM);
  const Ended ended = service.wait(30);
  const auto took = std::chrono::steady_clock::now() - began;
  waiter.join();
  CHECK(ended.code == 0);
  CAPTURE(waited.trouble);
  CHECK(waited.status == 200);
  CHECK(waited.text("state").value_or("") == "running");
  CHECK(took < std::chrono::seconds(3));
}

// Lists look at the World and at the history, one after the other; a job that moves from one to the
// other meanwhile was in neither once.
TEST_CASE("a job is in every list from its acknowledgement on, and the statement always adds up") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  constexpr int jobs = 60;
  for (int i = 0; i < jobs; ++i) REQUIRE(officer.post("/v1/jobs", sleeper("0")).status == 201);
  int lists = 0;
  REQUIRE(within(60, [&] {
    const Reply list = officer.get("/v1/jobs?limit=1000");
    JsonDocument document;
    const auto root = document.parse(list.body);
    REQUIRE(root);
    REQUIRE((*root)["items"].size() == jobs);
    REQUIRE(officer.get("/v1/projects/project/statement").body.find("\"adds_up\":true") !=
            std::string::npos);
    ++lists;
    return list.body.find("queued") == std::string::npos &&
           list.body.find("running") == std::string::npos;
  }));
  MESSAGE(lists << " lists while " << jobs << " jobs came to their ends");
}

TEST_CASE("two services never share a state folder") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE(service.start());
  Daemon other({.state = folder.state(), .work = folder.work()});
  const std::string url = service.url();
  CHECK(!other.start());
  CAPTURE(service.words());
  CHECK(service.words().find("in use") != std::string::npos);
  CHECK(Caller(url, service.token()).get("/v1/whoami").status == 200);
}

TEST_CASE("killed at any moment of its first start, it can be entered at the next") {
  Rng rng{11};
  for (int i = 0; i < 8; ++i) {
    const TestFolder folder;
    Daemon::Settings settings{.state = folder.state(), .work = folder.work()};
    const auto ms = static_cast<int>(rng.below(60));
    {
      // The kill comes from the child's own timer, so that it needs no word from anybody.
      Daemon::Settings timed = settings;
      timed.before_exec = [ms] {
        const pid_t process = ::getpid();
        if (::fork() == 0) {
          ::usleep(static_cast<useconds_t>(ms) * 1'000);
          ::kill(process, SIGKILL);
          ::_exit(0);
        }
      };
      Daemon first(timed);
      static_cast<void>(first.start());
    }
    rest(100);
    Daemon service(settings);
    REQUIRE_MESSAGE(service.start(), service.words());
    const Reply who = Caller(service.url(), service.token()).get("/v1/whoami");
    CHECK(who.status == 200);
    CHECK(who.text("role").value_or("") == "officer");
  }
}

}  // namespace
}  // namespace tenbin::faults
