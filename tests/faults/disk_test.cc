// The disk is full, or a file may not grow: the service says so and ends with 70, and when there is
// room again nothing that was acknowledged is missing.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "faults/ledger.h"
#include "faults/service.h"

namespace tenbin::faults {
namespace {

std::string job_body(std::uint64_t number) {
  // The command is long and never the same, so that every submit takes room.
  return R"({"project": "project", "gpus": "0.01", "time_limit_ms": 1000, "run": {"argv": ["true", ")" +
         std::string(20'000, 'x') + std::to_string(number) + R"("]}})";
}

struct Filled {
  std::map<std::string, std::int64_t> acknowledged;
  std::vector<int> other;  // statuses that are neither 201 nor the end
};

/// Submits until the service no longer answers.
Filled fill(Daemon& service, std::uint64_t at_most) {
  Filled filled;
  Rng rng{3};
  Caller officer(service.url(), service.token());
  for (std::uint64_t i = 0; i < at_most; ++i) {
    const std::string key = uuid(rng);
    const Reply reply = officer.post("/v1/jobs", job_body(i), key);
    if (reply.status == 0) return filled;
    if (reply.status == 201) filled.acknowledged[key] = *reply.number("job");
    if (reply.status != 201) filled.other.push_back(reply.status);
  }
  FAIL("the disk never filled");
  return filled;
}

void check_nothing_is_lost(const std::string& state, const Filled& filled) {
  const Ran v = verified(state);
  REQUIRE_MESSAGE(v.code == 0, v.words);
  const Ledger ledger = read_ledger(state);
  for (const auto& [key, job] : filled.acknowledged) {
    CAPTURE(key);
    REQUIRE(ledger.by_request.contains(key));
    CHECK(ledger.by_request.at(key).front() == static_cast<std::uint64_t>(job));
  }
}

TEST_CASE(
    "a file that may not grow ends the service with words and 70, and nothing acknowledged is "
    "lost") {
  const TestFolder folder;
  bool limited = true;
  const auto limit = [&limited] {
    if (!limited) return;
    const rlimit most{3 * 1024 * 1024, 3 * 1024 * 1024};
    ::setrlimit(RLIMIT_FSIZE, &most);
  };
  Daemon service({.state = folder.state(), .work = folder.work(), .before_exec = limit});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  const Filled filled = fill(service, 2'000);
  const Ended ended = service.wait();
  CAPTURE(service.words());
  CHECK(!ended.signal.has_value());
  CHECK(ended.code == 70);
  CHECK(service.words().find("the journal could not be written") != std::string::npos);
  CHECK(service.words().find("what was acknowledged is safe") != std::string::npos);
  CHECK(filled.other.empty());
  CHECK(filled.acknowledged.size() > 10);
  limited = false;
  REQUIRE_MESSAGE(service.start(), service.words());
  check_nothing_is_lost(folder.state(), filled);
  Caller again(service.url(), service.token());
  CHECK(again.post("/v1/jobs", job_body(999'999)).status == 201);
}

TEST_CASE("a full disk ends the service with words and 70; with room again nothing is missing") {
  // In a mount namespace of a child of its own, so that nobody else sees it.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string name = own_disk("size=12m,mode=0755");
    if (name.empty()) ::_exit(77);
    int code = 0;
    {
      ::mkdir((name + "/state").c_str(), 0700);
      ::mkdir((name + "/work").c_str(), 0711);
      {  // something of somebody else's, that can go
        std::ofstream ballast(name + "/ballast");
        ballast << std::string(4 * 1024 * 1024, 'b');
      }
      Daemon service({.state = name + "/state", .work = name + "/work"});
      const auto check = [&](bool good, int number) {
        if (!good && code == 0) {
          code = number;
          std::fprintf(stderr, "disk_test: step %d\n%s\n", number, service.words().c_str());
        }
        return good;
      };
      if (check(service.start(), 1)) {
        Caller officer(service.url(), service.token());
        const bool declared = officer.post("/v1/regions", R"({"name": "first"})").status == 201;
        check(declared, 2);
        Filled filled;
        Rng rng{5};
        for (int i = 0;; ++i) {
          const std::string region = "r" + std::to_string(i), key = uuid(rng);
          const Reply reply = officer.post(
              "/v1/organisations",
              R"({"name": ")" + region + R"(", "title": ")" + std::string(399, 'x') + R"("})", key);
          if (reply.status == 0 || !check(reply.status == 201, 3) || !check(i < 100'000, 4)) break;
          filled.acknowledged[key] = *reply.number("id");
        }
        const Ended ended = service.wait();
        check(ended.code == 70, 5);
        check(service.words().find("the journal could not be written") != std::string::npos, 6);
        // Without room it does not start, or starts and ends again, but it never forgets.
        if (service.start()) {
          Caller caller(service.url(), service.token());
          static_cast<void>(
              caller.post("/v1/organisations", R"({"name": "one-more", "title": "x"})"));
          service.kill9();
        }
        ::unlink((name + "/ballast").c_str());
        if (check(service.start(), 7)) {
          check(verified(name + "/state").code == 0, 8);
          Caller caller(service.url(), service.token());
          const std::string all = caller.get("/v1/organisations").body;
          for (std::size_t i = 0; i < filled.acknowledged.size(); ++i) {
            check(all.find("\"r" + std::to_string(i) + "\"") != std::string::npos, 9);
          }
          check(
              caller.post("/v1/organisations", R"({"name": "after", "title": "x"})").status == 201,
              10);
          service.signal(SIGTERM);
          check(service.wait().code == 0, 11);
        }
      }
    }
    ::umount2(name.c_str(), MNT_DETACH);
    ::rmdir(name.c_str());
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    MESSAGE("skipped: no mount namespace of its own here");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace tenbin::faults
