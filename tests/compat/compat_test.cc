// State folders of every released version, kept for ever, are opened, verified and served.
//
// With TENBIN_COMPAT_WRITE=FOLDER it makes one of the present version there instead (see
// tests/compat/make).

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "codec/snapshot.h"
#include "faults/service.h"
#include "store/sqlite_journal.h"

namespace tenbin::faults {
namespace {

namespace fs = std::filesystem;

/// What every later version must find again: how many records, what the credits are, which history.
std::vector<std::string> lasting(const std::string& words) {
  std::vector<std::string> lines;
  std::string line;
  for (const char c : words + "\n") {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (line.starts_with("verified: ")) lines.push_back(line.substr(0, line.find(" events")));
    if (line.starts_with("credits: ") || line.starts_with("history digest: "))
      lines.push_back(line);
    line.clear();
  }
  return lines;
}

void make_one(const std::string& into) {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  Rng ids{2};
  const auto post = [&](const std::string& path, const std::string& body) {
    const Reply reply = officer.post(path, body, uuid(ids));
    REQUIRE_MESSAGE(reply.status < 300, reply.body);
    return reply;
  };
  const auto submit = [&](const std::string& rest) {
    const Reply reply = post("/v1/jobs", R"({"project": "project", )" + rest + "}");
    return "/v1/jobs/" + std::to_string(*reply.number("job"));
  };
  const auto state_of = [&](const std::string& job) {
    return officer.get(job).text("state").value_or("");
  };
  const std::string good =
      submit(R"("name": "good", "gpus": 2, "time_limit_ms": 60000, "run": {"argv": ["true"]})");
  const std::string bad =
      submit(R"("gpus": "0.5", "time_limit_ms": 60000, "run": {"argv": ["false"]})");
  const std::string long_one =
      submit(R"("gpus": 4, "time_limit_ms": 60000, "run": {"argv": ["sleep", "60"]})");
  REQUIRE(within(30, [&] { return state_of(long_one) == "running"; }));
  post(long_one + "/cancel", "");
  for (const std::string& job : {good, bad, long_one}) {
    REQUIRE(within(30, [&] {
      const std::string state = state_of(job);
      return state == "completed" || state == "failed" || state == "cancelled";
    }));
  }
  post("/v1/nodes/node-0/drain", "");
  post("/v1/nodes/node-1/drain", "");
  submit(R"("name": "waits", "gpus": 8, "time_limit_ms": 60000, "run": {"argv": ["true"]})");
  post("/v1/tokens", R"({"person": "member", "label": "compat"})");
  // A refusal that is remembered.
  Rng rng{1};
  CHECK(officer
            .post("/v1/jobs", R"({"project": "poor", "gpus": 1, "time_limit_ms": 1000})", uuid(rng))
            .status >= 400);
  service.signal(SIGTERM);
  REQUIRE(service.wait().code == 0);
  const Ran v = verified(folder.state());
  REQUIRE_MESSAGE(v.code == 0, v.words);
  fs::remove_all(into);
  fs::create_directories(into);
  fs::copy(folder.state() + "/journal.db", into + "/journal.db");
  fs::copy(folder.state() + "/snapshots", into + "/snapshots");
  fs::copy(folder.state() + "/admin.token", into + "/admin.token");  // of nothing else in the world
  std::ofstream expected(into + "/expected");
  for (const std::string& line : lasting(v.words)) expected << line << "\n";
}

TEST_CASE("state of every released version is opened, verified and served") {
  if (const char* into = std::getenv("TENBIN_COMPAT_WRITE"); into && *into) {
    make_one(into);
    return;
  }
  int versions = 0;
  for (const auto& entry : fs::directory_iterator(TENBIN_COMPAT_DIR)) {
    if (!entry.is_directory()) continue;
    ++versions;
    const std::string kept = entry.path().string();
    CAPTURE(kept);
    const TestFolder folder;
    fs::copy(kept + "/journal.db", folder.state() + "/journal.db");
    fs::create_directory(folder.state() + "/snapshots");
    ::chmod((folder.state() + "/snapshots").c_str(), 0700);
    for (const auto& snapshot : fs::directory_iterator(kept + "/snapshots"))
      fs::copy(snapshot.path(), folder.state() + "/snapshots");

    const Ran v = verified(folder.state());
    REQUIRE_MESSAGE(v.code == 0, v.words, "before the first release: tests/compat/make 1");
    CHECK(lasting(v.words) == lines(kept + "/expected"));
    {
      auto journal = SqliteJournal::open(folder.state(), Access::read_only);
      REQUIRE(journal.has_value());
      const auto snapshot = (*journal)->newest_snapshot();
      REQUIRE(snapshot.has_value());
      REQUIRE(snapshot->has_value());
      const auto world = decode_world((*snapshot)->bytes);
      CHECK_MESSAGE(world.has_value(), (world ? "" : world.error().what));
    }
    // It serves: what is old is there, and what is new is taken.
    fs::copy(kept + "/admin.token", folder.state() + "/admin.token");
    ::chmod((folder.state() + "/admin.token").c_str(), 0600);
    Daemon service({.state = folder.state(),
                    .work = folder.work(),
                    .more = {"--accept-clock", "--metrics-listen", "127.0.0.1:0"}});
    REQUIRE_MESSAGE(service.start(), service.words());
    CHECK(service.words().find("serving") != std::string::npos);
    Caller nobody(service.url(), "");
    CHECK(nobody.get("/healthz").status == 200);
    CHECK(nobody.get("/readyz").status == 200);
    CHECK(nobody.get("/v1/jobs").status == 401);
    Caller officer(service.url(), service.token());
    const Reply jobs = officer.get("/v1/jobs");
    CHECK(jobs.status == 200);
    CHECK(jobs.body.find("\"waits\"") != std::string::npos);
    CHECK(officer.post("/v1/regions", R"({"name": "new-region"})").status == 201);
    service.signal(SIGTERM);
    CHECK(service.wait().code == 0);
    const Ran after = verified(folder.state());
    REQUIRE_MESSAGE(after.code == 0, after.words);
    CHECK(lasting(after.words)[1] == lines(kept + "/expected")[1]);
  }
  CHECK(versions >= 1);
}

}  // namespace
}  // namespace tenbin::faults
