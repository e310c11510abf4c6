// The surroundings are hostile or broken: what the service then does is written in
// docs/operating.md and tried here.

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "faults/ledger.h"
#include "faults/service.h"

namespace tenbin::faults {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t day_ms = 86'400'000;

void tell(const std::string& path, std::int64_t value) {
  // As one write, because the service may read it at any moment.
  const std::string text = std::to_string(value) + "\n";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT, 0644);
  REQUIRE(file >= 0);
  REQUIRE(::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  REQUIRE(::ftruncate(file, static_cast<off_t>(text.size())) == 0);
  ::close(file);
}

/// A service whose syncs and wall clock follow the test.
struct Shimmed {
  explicit Shimmed(const TestFolder& folder)
      : clock(folder.path() + "/clock_ms"), sync(folder.path() + "/sync_ms") {
    tell(clock, 0);
    tell(sync, 0);
  }
  std::function<void()> load() const {
    return [this] {
      ::setenv("LD_PRELOAD", TENBIN_SHIM, 1);
      ::setenv("TENBIN_SHIM_CLOCK_MS", clock.c_str(), 1);
      ::setenv("TENBIN_SHIM_SYNC_MS", sync.c_str(), 1);
    };
  }
  std::string clock, sync;
};

std::string job_body(const std::string& more = {}) {
  return R"({"project": "project", "gpus": "0.01", "time_limit_ms": 60000, "run": {"argv": ["true")" +
         more + "]}}";
}

std::string balance(Caller& caller) {
  const Reply reply = caller.get("/v1/projects/project/balance");
  REQUIRE(reply.status == 200);
  return reply.text("free").value_or(reply.body);
}

double metric(Caller& caller, const std::string& name) {
  const Reply reply = caller.get("/metrics");
  REQUIRE(reply.status == 200);
  const std::size_t at = reply.body.find("\n" + name + " ");
  REQUIRE(at != std::string::npos);
  return std::atof(reply.body.c_str() + at + name.size() + 2);
}

#ifndef TENBIN_SANITIZED  // the shim would be loaded before the sanitizer's own library

TEST_CASE("a disk that syncs slowly slows submissions, not questions") {
  const TestFolder folder;
  const Shimmed shim(folder);
  Daemon service({.state = folder.state(), .work = folder.work(), .before_exec = shim.load()});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  officer.post("/v1/nodes/node-0/drain", "");
  officer.post("/v1/nodes/node-1/drain", "");
  tell(shim.sync, 3'000);
  std::vector<std::thread> clients;
  std::atomic<int> taken = 0;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 16; ++i) {
    clients.emplace_back([&, i] {
      Caller caller(service.url(), service.token());
      Rng rng{static_cast<std::uint64_t>(100 + i)};
      if (caller.post("/v1/jobs", job_body(), uuid(rng)).status == 201) ++taken;
    });
  }
  int asked = 0;
  std::chrono::steady_clock::duration worst{};
  while (taken < 16) {
    const auto now = std::chrono::steady_clock::now();
    CHECK(officer.get("/v1/jobs").status == 200);
    worst = std::max(worst, std::chrono::steady_clock::now() - now);
    ++asked;
    rest(20);
    if (std::chrono::steady_clock::now() - began > std::chrono::seconds(60)) break;
  }
  for (std::thread& client : clients) client.join();
  CHECK(taken == 16);
  CHECK(asked > 20);
  CHECK(worst < std::chrono::milliseconds(1'500));
  // What came while one sync ran was committed with the next: not sixteen times three seconds.
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
  CHECK(officer.get("/readyz").status == 200);
  tell(shim.sync, 0);
}

TEST_CASE("a clock far ahead at the start is not believed, and one that is set later neither") {
  const TestFolder folder;
  const Shimmed shim(folder);
  Daemon::Settings settings{
      .state = folder.state(), .work = folder.work(), .before_exec = shim.load()};
  std::string before;
  {
    Daemon service(settings);
    REQUIRE_MESSAGE(service.start(), service.words());
    Caller officer(service.url(), service.token());
    declare_fleet(officer);
    // A lot that ends in ten days.
    std::ostringstream lot;
    const std::time_t soon = wall_now_ms() / 1'000 + 10 * 86'400;
    char text[32];
    std::tm utc{};
    ::gmtime_r(&soon, &utc);
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    lot << R"({"items": [{"kind": "lot", "name": "short", "grant": "grant", "funder": "funder",
      "amount": {"amount": "1000", "currency": "USD"}, "valid_from": "2020-01-01T00:00:00Z", "expires": ")"
        << text
        << R"("}, {"kind": "allocation", "name": "more", "grant": "grant", "project": "project",
      "amount": "1000", "lot": "short"}]})";
    const Reply reply = officer.post("/v1/apply", lot.str());
    REQUIRE_MESSAGE(reply.body.find("\"refused\":null") != std::string::npos, reply.body);
    before = balance(officer);

    // Set thirty days ahead while it runs.
    tell(shim.clock, 30 * day_ms);
    CHECK(officer.post("/v1/jobs", job_body()).status == 201);
    rest(300);
    CHECK(within(20, [&] { return balance(officer) <= before; }));
    CHECK(officer.get("/v1/lots").body.find("\"expired\":true") == std::string::npos);
    CHECK(service.words().find("clock_far_ahead") != std::string::npos);
    // Back again, and an hour too far: ledger time waits.
    tell(shim.clock, -3'600'000);
    CHECK(officer.post("/v1/jobs", job_body()).status == 201);
    CHECK(officer.post("/v1/regions", R"({"name": "later"})").status == 201);
    CHECK(metric(officer, "tenbin_clock_steps_total") >= 1);
    CHECK(metric(officer, "tenbin_ledger_behind_clock_seconds") < -3'000);
    tell(shim.clock, 0);
    // What the job has held is settled, or it would be while the service is away.
    const auto over = [&] {
      return officer.get("/v1/projects/project").body.find("\"live_jobs\":0") != std::string::npos;
    };
    CHECK(within(20, over));
    before = balance(officer);
    service.signal(SIGTERM);
    CHECK(service.wait().code == 0);
  }
  CHECK(verified(folder.state()).code == 0);
  tell(shim.clock, 30 * day_ms);
  {
    Daemon service(settings);
    CHECK(!service.start());
    CHECK(service.words().find("--accept-clock") != std::string::npos);
    CHECK(service.words().find("30 days ahead") != std::string::npos);
  }
  tell(shim.clock, 0);
  {
    Daemon service(settings);
    REQUIRE_MESSAGE(service.start(), service.words());
    Caller officer(service.url(), service.token());
    CHECK(balance(officer) == before);
  }
  // Behind the journal it starts, says so, and ledger time stands still.
  tell(shim.clock, -day_ms);
  {
    Daemon service(settings);
    REQUIRE_MESSAGE(service.start(), service.words());
    CHECK(service.words().find("behind the journal") != std::string::npos);
    Caller officer(service.url(), service.token());
    CHECK(officer.post("/v1/jobs", job_body()).status == 201);
  }
  CHECK(verified(folder.state()).code == 0);
  tell(shim.clock, 30 * day_ms);
  settings.more = {"--accept-clock"};
  Daemon service(settings);
  REQUIRE_MESSAGE(service.start(), service.words());
}

#endif

TEST_CASE("without memory it ends with words and 71, and nothing acknowledged is lost") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  officer.post("/v1/nodes/node-0/drain", "");
  officer.post("/v1/nodes/node-1/drain", "");
#ifndef TENBIN_SANITIZED
  // What it may write to: address space that its threads have only set aside does not count. (A
  // control group's limit is another thing: its end is kill -9.)
  std::ifstream statm("/proc/" + std::to_string(service.process()) + "/statm");
  std::uint64_t size = 0, resident = 0, shared = 0, code = 0, library = 0, data = 0;
  statm >> size >> resident >> shared >> code >> library >> data;
  const rlim_t most = data * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE)) + 8 * 1024 * 1024;
  const rlimit limit{most, most};
  REQUIRE(::prlimit(service.process(), RLIMIT_DATA, &limit, nullptr) == 0);
  std::map<std::string, std::int64_t> acknowledged;
  Rng rng{21};
  // What fills memory is not what jobs run, which lies in the journal, but what is declared.
  for (int i = 0; i < 1'000; ++i) {
    const std::string key = uuid(rng);
    const Reply reply = officer.post("/v1/jobs", job_body(), key);
    if (reply.status == 0) break;
    if (reply.status == 201) acknowledged[key] = *reply.number("job");
    std::string items;
    for (int k = 0; k < 1'000; ++k)
      items += std::string(k ? "," : "") + R"({"kind": "organisation", "name": "o)" +
               std::to_string(i) + "-" + std::to_string(k) + R"(", "title": ")" +
               std::string(400, 't') + "\"}";
    if (officer.post("/v1/apply", "{\"items\": [" + items + "]}").status == 0) break;
  }
  const Ended ended = service.wait();
  CAPTURE(service.words());
  CHECK(!ended.signal.has_value());
  CHECK((ended.code == 71 || ended.code == 70));
  CHECK(service.words().find("what was acknowledged is safe") != std::string::npos);
  const Ran v = verified(folder.state());
  REQUIRE_MESSAGE(v.code == 0, v.words);
  const Ledger ledger = read_ledger(folder.state());
  for (const auto& [key, job] : acknowledged) REQUIRE(ledger.by_request.contains(key));
  REQUIRE_MESSAGE(service.start(), service.words());
#endif
}

TEST_CASE("a state folder on a disk that may only be read is refused with the reason") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string name = own_disk("size=64m,mode=0755");
    if (name.empty()) ::_exit(77);
    int code = 0;
    {
      const std::string state = name + "/state";
      ::mkdir(state.c_str(), 0700);
      if (::mount("tmpfs", state.c_str(), "tmpfs", 0, "size=32m,mode=0700") != 0) ::_exit(77);
      ::mkdir((name + "/work").c_str(), 0711);
      Daemon service({.state = state, .work = name + "/work"});
      const auto check = [&](bool good, int number) {
        if (!good && code == 0) {
          code = number;
          std::fprintf(stderr, "surroundings_test: step %d\n%s\n", number, service.words().c_str());
        }
        return good;
      };
      if (check(service.start(), 1)) {
        service.signal(SIGTERM);
        check(service.wait().code == 0, 2);
        check(::mount(nullptr, state.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0, 3);
        // Its log lies beside the state folder, which can still be written.
        const pid_t started = ::fork();
        if (started == 0) {
          const int log = ::open((name + "/log2").c_str(), O_WRONLY | O_CREAT, 0600);
          ::dup2(log, 1);
          ::dup2(log, 2);
          ::execl(TENBIN_BINARY, TENBIN_BINARY, "serve", "--state", state.c_str(), "--port", "0",
                  nullptr);
          ::_exit(126);
        }
        int status = 0;
        ::waitpid(started, &status, 0);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 1, 4);
        check(contents(name + "/log2").find("Read-only file system") != std::string::npos, 5);
      }
    }
    ::umount2((name + "/state").c_str(), MNT_DETACH);
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

TEST_CASE("links in the state folder and files that others may write are refused") {
  const TestFolder folder;
  {
    Daemon service({.state = folder.state(), .work = folder.work()});
    REQUIRE_MESSAGE(service.start(), service.words());
    service.signal(SIGTERM);
    CHECK(service.wait().code == 0);
  }
  const auto refused = [&](const std::string& words) {
    Daemon service({.state = folder.state(), .work = folder.work()});
    const std::size_t said = service.words().size();
    CHECK(!service.start());
    const std::string all = service.words().substr(said);
    CAPTURE(all);
    CHECK(all.find(words) != std::string::npos);
    return all;
  };
  for (const char* name : {"journal.db", "history.db", "admin.token", "snapshots", "output",
                           "attempts", "lock", "url", "alive"}) {
    CAPTURE(name);
    const std::string path = folder.state() + "/" + name, away = folder.path() + "/away";
    if (!fs::exists(path)) std::ofstream(path) << "";
    fs::rename(path, away);
    fs::create_symlink(away, path);
    // Daemon::start waits for `url`, and removes it: then the link is gone and nothing is refused.
    if (std::string(name) != "url") refused("symbolic link");
    fs::remove(path);
    fs::rename(away, path);
  }
  for (const char* name : {"", "/journal.db", "/admin.token", "/snapshots"}) {
    CAPTURE(name);
    const std::string path = folder.state() + name;
    const bool is_folder = fs::is_directory(path);
    ::chmod(path.c_str(), is_folder ? 0770 : 0620);
    refused("others may write");
    ::chmod(path.c_str(), is_folder ? 0700 : 0600);
  }
  // What others could only read is mended, and said.
  ::chmod(folder.state().c_str(), 0755);
  ::chmod((folder.state() + "/admin.token").c_str(), 0644);
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE_MESSAGE(service.start(), service.words());
  CHECK(service.words().find("could be read by others") != std::string::npos);
  struct stat about{};
  REQUIRE(::stat((folder.state() + "/admin.token").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  REQUIRE(::stat(folder.state().c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);
}

TEST_CASE("the log has a JSON object a line, with request ids and without secrets") {
  const TestFolder folder;
  Daemon service({.state = folder.state(),
                  .work = folder.work(),
                  .more = {"--log", "json", "--access-log", "all", "--log-level", "debug"}});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  const Reply made = officer.post("/v1/tokens", R"({"person": "member", "label": "l"})");
  REQUIRE(made.status == 201);
  const std::string secret = *made.text("token");
  Caller member(service.url(), secret);
  const Reply job = member.send("POST", "/v1/jobs",
                                R"({"project": "project", "gpus": 1, "time_limit_ms": 60000,
          "run": {"argv": ["sh", "-c", "echo argument-secret"], "environment": {"KEY": "environment-secret"}}})",
                                {{"X-Request-Id", "wall-7"}});
  REQUIRE_MESSAGE(job.status == 201, job.body);
  CHECK(job.headers.at("X-Request-Id") == "wall-7");
  CHECK(member.get("/v1/jobs?name=query-secret").status == 200);
  CHECK(member.get("/v1/jobs?note=query-secret").status == 400);
  CHECK(Caller(service.url(), "tnb_wrong-secret").get("/v1/jobs").status == 401);
  const std::string id = "/v1/jobs/" + std::to_string(*job.number("job"));
  CHECK(within(20, [&] { return member.get(id).text("state") == "completed"; }));
  // Figures are for who may see everything.
  CHECK(member.get("/metrics").status == 404);
  CHECK(officer.get("/metrics").status == 200);
  CHECK(Caller(service.url(), "").get("/metrics").status == 401);
  service.signal(SIGTERM);
  CHECK(service.wait().code == 0);
  JsonDocument document;
  bool seen = false;
  for (const std::string& line : lines(folder.path() + "/log")) {
    if (line.starts_with("tenbin: ")) continue;  // stdout, for the person who started it
    CAPTURE(line);
    const auto root = document.parse(line);
    REQUIRE(root.has_value());
    CHECK((*root)["time"].text().has_value());
    CHECK((*root)["event"].text().has_value());
    seen |= (*root)["request"].text() == "wall-7" && (*root)["person"].text() == "member" &&
            (*root)["status"].integer() == 201;
  }
  CHECK(seen);
  const std::string all = service.words();
  for (const std::string& hidden :
       {service.token(), secret, std::string("environment-secret"), std::string("argument-secret"),
        std::string("query-secret"), std::string("wrong-secret")}) {
    CAPTURE(hidden);
    CHECK(all.find(hidden) == std::string::npos);
  }
}

}  // namespace
}  // namespace tenbin::faults
