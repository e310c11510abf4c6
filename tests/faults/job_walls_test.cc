// Jobs as people have them, through the real service: a script, its variables, its output while it
// is written, and what a hostile job may not do when the service runs as root.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>

#include "faults/service.h"

using namespace tenbin;          // NOLINT(google-build-using-namespace)
using namespace tenbin::faults;  // NOLINT(google-build-using-namespace)

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

// Submits a script and gives its id.
std::int64_t submit(Caller& caller, const std::string& script, const std::string& run = {},
                    const std::string& job = {}) {
  const Reply reply =
      caller.post("/v1/jobs", R"({"project": "project", "gpus": 1, "time_limit_ms": 60000)" + job +
                                  R"(, "run": {"script": )" + quoted(script) + run + "}}");
  REQUIRE_MESSAGE(reply.status == 201, reply.body);
  return *reply.number("job");
}

std::string state_after(Caller& caller, std::int64_t job) {
  for (int i = 0; i < 20; ++i) {
    const Reply reply = caller.get("/v1/jobs/" + std::to_string(job) + "/wait?timeout_ms=10000");
    const std::string state = reply.text("state").value_or("");
    if (state != "queued" && state != "running" && state != "stopping") return state;
  }
  return "still there";
}

std::string said(Caller& caller, std::int64_t job) {
  return caller.get("/v1/jobs/" + std::to_string(job) + "/output").body;
}

}  // namespace

TEST_CASE("as root, a job reads nothing of the service's and stops nothing") {
  if (::geteuid() != 0) {
    MESSAGE("not root: as an ordinary user jobs can, and the service says so at its start");
    return;
  }
  TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE(service.start());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);

  const std::string pid = std::to_string(service.process());
  const std::string state = folder.state();
  const std::int64_t job = submit(
      officer,
      "#!/bin/sh\n"
      "try() { \"$@\" >/dev/null 2>&1 && echo \"COULD: $*\"; }\n"
      "id -u\n"
      "for f in admin.token journal.db history.db url lock attempts output snapshots; do\n"
      "  try ls " +
          state + "/$f; try cat " + state +
          "/$f\ndone\n"
          "try ls " +
          state + "; try cd " + state + "; try touch " + state +
          "/mine\n"
          "try ls " +
          folder.work() + "; try touch " + folder.work() +
          "/mine\n"
          "try sh -c 'echo x >> " +
          folder.work() +
          "/.slurm/srun'\n"
          "for s in 0 TERM KILL STOP USR1; do\n"
          "  try kill -$s " +
          pid +
          "; try kill -$s $PPID\ndone\n"
          "for f in mem environ maps fd root cwd; do try ls /proc/" +
          pid + "/$f/; try cat /proc/" + pid +
          "/$f\ndone\n"
          "try sh -c 'echo 1 > /proc/" +
          pid +
          "/oom_score_adj'\n"
          "supervisor=$(ps -o ppid= -p $PPID 2>/dev/null || cut -d' ' -f4 /proc/$PPID/stat)\n"
          "try kill -KILL $supervisor\n"
          "ls /proc/self/fd | tr '\\n' ' '; echo\n"
          "env | grep -c -E 'tnb_|TOKEN'\n"
          "true\n");
  CHECK(state_after(officer, job) == "completed");
  const std::string text = said(officer, job);
  CAPTURE(text);
  CHECK(text.find("COULD") == std::string::npos);
  CHECK(text.starts_with("1879048193\n"));                 // the first project's
  CHECK(text.find("0 1 2 3 \n0\n") != std::string::npos);  // 3 is that of ls itself
  CHECK(service.runs());
  CHECK(officer.get("/v1/whoami").status == 200);
}

TEST_CASE("as an ordinary user the service warns at its start") {
  if (::geteuid() != 0) {
    TestFolder folder;
    Daemon service({.state = folder.state(), .work = folder.work()});
    REQUIRE(service.start());
    CHECK(service.words().find("not running as root") != std::string::npos);
    return;
  }
  TestFolder folder;
  ::chmod(folder.path().c_str(), 0777);
  for (const std::string& own : {folder.state(), folder.work()}) [[maybe_unused]]
    const int changed = ::chown(own.c_str(), 65'534, 65'534);
  Daemon service({.state = folder.state(), .work = folder.work(), .before_exec = [] {
                    if (::setgid(65'534) != 0 || ::setuid(65'534) != 0) ::_exit(99);
                  }});
  if (!service.start()) {  // this account may not run the program from where it was built
    MESSAGE("skipped: " << service.words());
    return;
  }
  CHECK(service.words().find("not running as root") != std::string::npos);
  CHECK(service.words().find("root ではないため") != std::string::npos);
}

TEST_CASE("an array's tasks get their own indexes, files and variables") {
  TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE(service.start());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);

  const std::int64_t array = submit(
      officer,
      "#!/bin/sh\necho $SLURM_ARRAY_TASK_ID $TENBIN_TASK $SLURM_ARRAY_TASK_COUNT "
      "$SLURM_ARRAY_TASK_MAX $SLURM_JOB_NAME $SLURM_JOB_ACCOUNT $SLURM_CPUS_PER_TASK \"$1\"\n",
      R"(, "argv": ["an argument"], "array": "3,10-20:5", "output": "out/%x.%a.%3j")",
      R"(, "name": "a/b", "cpus": 2)");
  const char* const indexes[] = {"3", "10", "15", "20"};
  for (int task = 0; task < 4; ++task) {
    const std::int64_t job = array + 1 + task;
    CHECK(state_after(officer, job) == "completed");
    const std::string line =
        std::string(indexes[task]) + " " + indexes[task] + " 4 20 a/b project 2 an argument\n";
    CHECK(said(officer, job) == line);
    std::string id = std::to_string(job);
    const std::string work = folder.work() + "/" + id;
    while (id.size() < 3) id.insert(0, "0");
    CHECK(contents(work + "/out/a_b." + indexes[task] + "." + id) == line);
  }
  // The count of tasks is that of the indexes.
  const Reply wrong = officer.post(
      "/v1/jobs", R"({"project": "project", "gpus": 1, "time_limit_ms": 1000, "tasks": 3,)"
                  R"( "run": {"argv": ["true"], "array": "0-3"}})");
  CHECK(wrong.status == 400);
  CHECK(wrong.text("code") == "invalid_field");
}

TEST_CASE("output is answered when it comes, when the job ends, and when the time is up") {
  TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE(service.start());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point begin) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  };

  const std::int64_t job =
      submit(officer, "#!/bin/sh\nsleep 1\necho one\nsleep 1\necho two >&2\nsleep 1.5\n");
  const std::string output = "/v1/jobs/" + std::to_string(job) + "/output";
  auto begin = Clock::now();
  Reply reply = officer.get(output + "?wait_ms=20000");
  CHECK(reply.body == "one\n");
  CHECK(reply.headers["Tenbin-Job-State"] == "running");
  CHECK(reply.headers["Tenbin-Attempt"] == "1");
  CHECK(reply.headers["Tenbin-Next-Offset"] == "4");
  CHECK(since(begin) > 500);

  begin = Clock::now();
  reply = officer.get(output + "?offset=4&wait_ms=300");
  CHECK(reply.status == 200);
  CHECK(reply.body.empty());
  CHECK(since(begin) >= 250);
  CHECK(since(begin) < 1'500);
  CHECK(reply.headers["Tenbin-Next-Offset"] == "4");

  CHECK(officer.get(output + "?stream=stderr&wait_ms=20000").body == "two\n");
  begin = Clock::now();
  reply = officer.get(output + "?offset=4&wait_ms=20000");
  CHECK(reply.body.empty());
  CHECK(reply.headers["Tenbin-Job-State"] == "completed");
  CHECK(since(begin) < 10'000);
  CHECK(officer.get(output + "?wait_ms=60001").status == 400);

  // Who waits is answered when the service is told to end.
  const std::int64_t quiet = submit(officer, "#!/bin/sh\nsleep 30\n");
  begin = Clock::now();
  std::optional<Ended> ended;
  CHECK(within(5, [&] {
    return officer.get("/v1/jobs/" + std::to_string(quiet)).text("state") == "running";
  }));
  service.signal(SIGTERM);
  ended = service.wait(20);
  CHECK(ended->code == 0);
  CHECK(since(begin) < 15'000);
}

TEST_CASE("a job that must not run twice does not, and one that may does") {
  TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work(), .lease_ms = 500});
  REQUIRE(service.start());
  const std::string script = "#!/bin/sh\necho run >> runs\nsleep 20\n";
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  const std::int64_t once = submit(officer, script, R"(, "requeue": false)"),
                     again = submit(officer, script);
  const auto runs = [&](std::int64_t job) {
    return lines(folder.work() + "/" + std::to_string(job) + "/runs").size();
  };
  // After a failure it may be tried again all the same: nobody was lost.
  const std::int64_t tried = submit(officer, "#!/bin/sh\necho run >> runs\nexit 3\n",
                                    R"(, "requeue": false)", R"(, "retries": 2)");
  CHECK(state_after(officer, tried) == "failed");
  CHECK(runs(tried) == 3);
  REQUIRE(within(10, [&] { return runs(once) == 1 && runs(again) == 1; }));
  service.kill9();
  rest(2'500);  // longer than the lease: both are lost
  REQUIRE(service.start());
  Caller later(service.url(), service.token());
  CHECK(state_after(later, once) == "failed");
  CHECK(within(10, [&] { return runs(again) == 2; }));
  CHECK(runs(once) == 1);
  later.post("/v1/jobs/" + std::to_string(again) + "/cancel", "{}");
  CHECK(state_after(later, again) == "cancelled");
}
