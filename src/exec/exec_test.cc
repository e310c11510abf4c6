// What must hold of attempts whatever is killed, and what members see around them. The test program
// is its own supervisor: started as `exec_test supervise DIR TOKEN` it never comes to doctest.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pwd.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "exec/files.h"
#include "exec/gpu_probe.h"
#include "exec/local_executor.h"
#include "exec/message.h"
#include "exec/processes.h"
#include "exec/supervisor.h"

using namespace tenbin::exec;
using namespace tenbin;  // NOLINT(google-build-using-namespace)

namespace {

[[gnu::constructor]] void be_a_supervisor(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "supervise") ::_exit(supervise(argv[2], argv[3]));
}

void pass(std::int64_t ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

template <class Condition>
bool soon(Condition&& condition, std::int64_t ms = 10'000) {
  for (const std::int64_t over = boot_ms() + ms; boot_ms() < over; pass(5)) {
    if (condition()) return true;
  }
  return condition();
}

std::string contents(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// A machine with a service on it, which may be taken away and brought back.
class Site {
 public:
  explicit Site(std::int64_t lease_ms = 1'000) {
    std::string name = "/tmp/tenbin-exec-XXXXXX";
    REQUIRE(::mkdtemp(name.data()));
    root = name;
    ::chmod(root.c_str(), 0711);
    settings.attempt_directory = root + "/attempts";
    settings.work_directory = root + "/work";
    settings.output_directory = root + "/output";
    settings.lease = Span{lease_ms};
    return_service();
  }
  ~Site() {
    executor.reset();
    std::error_code ignored;
    std::filesystem::remove_all(root, ignored);
  }

  void take_service_away() { executor.reset(); }
  void return_service() {
    auto opened = LocalExecutor::open(settings);
    REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().what));
    executor = *std::move(opened);
    executor->listen([this](const AttemptEnd& end) {
      const std::lock_guard hold(mutex);
      ends.push_back(end);
      heard.notify_all();
    });
    ++epoch;
  }

  AttemptSpec spec(AttemptId id, std::vector<std::string> argv, std::size_t members = 1) const {
    AttemptSpec out;
    out.id = id;
    out.epoch = epoch;
    out.argv = std::move(argv);
    for (std::size_t i = 0; i < members; ++i) {
      out.members.push_back({.node = "node-" + std::to_string(i), .gpus = {}, .gpu_milli = 0});
    }
    out.started = Instant{wall_ms()};
    out.time_limit = Span{60'000};
    out.grace = Span{300};
    out.output_cap = 1 << 20;
    return out;
  }
  AttemptSpec shell(AttemptId id, const std::string& script, std::size_t members = 1) const {
    return spec(id, {"/bin/sh", "-c", script}, members);
  }

  std::optional<AttemptEnd> end_of(AttemptId id, std::int64_t ms = 15'000) {
    std::unique_lock hold(mutex);
    const auto found = [&] { return std::ranges::find(ends, id, &AttemptEnd::id); };
    heard.wait_for(hold, std::chrono::milliseconds(ms), [&] { return found() != ends.end(); });
    if (found() == ends.end()) return std::nullopt;
    return *found();
  }
  AttemptEnd run(const AttemptSpec& what) {
    executor->start(what);
    auto end = end_of(what.id);
    REQUIRE(end);
    return *end;
  }

  std::string said(AttemptId id, int rank = 0, std::string_view stream = "stdout") const {
    return contents(executor->output_file(id, rank, stream));
  }
  bool says(AttemptId id, std::string_view words, int rank = 0) const {
    return soon([&] { return said(id, rank).contains(words); });
  }

  std::string folder(AttemptId id) const {
    return settings.attempt_directory + "/" + std::to_string(id.job) + "-" +
           std::to_string(id.attempt);
  }
  pid_t supervisor(AttemptId id) const {
    const auto started = decode_started(contents(folder(id) + "/started"));
    return started ? started->supervisor : 0;
  }
  pid_t warden(AttemptId id) const {
    const pid_t parent = supervisor(id);
    if (parent == 0) return 0;
    for (const Process& process : descendants(parent)) {
      if (process.parent == parent) return process.id;
    }
    return 0;
  }
  std::size_t running(AttemptId id) const {
    return processes_with({"TENBIN_JOB_ID=" + std::to_string(id.job),
                           "TENBIN_ATTEMPT=" + std::to_string(id.attempt), "SITE=" + root})
        .size();
  }

  std::string root;
  LocalSettings settings;
  std::unique_ptr<LocalExecutor> executor;
  std::uint64_t epoch = 0;

  std::mutex mutex;
  std::condition_variable heard;
  std::vector<AttemptEnd> ends;  // under mutex
};

constexpr AttemptId one{.job = 1, .attempt = 1};

}  // namespace

// ---- how attempts end ----

TEST_CASE("an attempt ends as its command does") {
  Site site;
  const AttemptEnd good = site.run(site.shell({1, 1}, "exit 0"));
  CHECK(good.outcome == Outcome::exited);
  CHECK(good.code == 0);
  CHECK(std::abs(good.ended.ms - wall_ms()) < 10'000);
  const AttemptEnd bad = site.run(site.shell({2, 1}, "exit 3"));
  CHECK(bad.outcome == Outcome::exited);
  CHECK(bad.code == 3);
  const AttemptEnd hit = site.run(site.shell({3, 1}, "kill -USR1 $$"));
  CHECK(hit.outcome == Outcome::signalled);
  CHECK(hit.code == SIGUSR1);
}

TEST_CASE("output is kept, up to the cap") {
  Site site;
  site.run(site.shell(one, "echo to out; echo to err >&2"));
  CHECK(site.said(one) == "to out\n");
  CHECK(site.said(one, 0, "stderr") == "to err\n");
  struct stat status{};
  REQUIRE(::stat(site.executor->output_file(one, 0, "stdout").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(status.st_uid == ::geteuid());

  const AttemptId two{2, 1};
  AttemptSpec loud = site.shell(two, "head -c 3000000 /dev/zero | tr '\\0' x; echo done >&2");
  loud.output_cap = 100'000;
  CHECK(site.run(loud).code == 0);
  const std::string kept = site.said(two);
  const std::string note = "\n[tenbin: output beyond 100000 bytes was thrown away]\n";
  CHECK(kept == std::string(100'000, 'x') + note);
  CHECK(site.said(two, 0, "stderr") == "done\n");
}

TEST_CASE("what is left behind by a member that ends is ended") {
  Site site;
  AttemptSpec spec = site.shell(one, "(setsid sleep 50 &) ; echo there; exit 0");
  spec.environment["SITE"] = site.root;
  CHECK(site.run(spec).code == 0);
  CHECK(site.running(one) == 0);
}

TEST_CASE("the time limit, and the record's time counts") {
  Site site;
  AttemptSpec spec = site.shell({1, 1}, "sleep 50");
  spec.time_limit = Span{300};
  const std::int64_t from = boot_ms();
  CHECK(site.run(spec).outcome == Outcome::time_limit);
  CHECK(boot_ms() - from >= 250);
  CHECK(boot_ms() - from < 5'000);

  AttemptSpec late = site.shell({2, 1}, "sleep 50");
  late.started = Instant{wall_ms() - 70'000};
  CHECK(site.run(late).outcome == Outcome::time_limit);
}

TEST_CASE("stop: TERM, and KILL for those who do not listen") {
  Site site(20'000);  // neither a lease nor a grace may end what a busy machine has not yet run
  const AttemptId polite{1, 1}, deaf{2, 1};
  AttemptSpec listens = site.shell(polite, "trap 'echo bye; exit 0' TERM; echo up; sleep 50");
  listens.grace = Span{20'000};
  site.executor->start(listens);
  site.executor->start(site.shell(deaf, "trap '' TERM; echo up; sleep 50"));
  REQUIRE(site.says(polite, "up"));
  REQUIRE(site.says(deaf, "up"));
  const std::int64_t from = boot_ms();
  site.executor->stop(polite);
  site.executor->stop(deaf);
  CHECK(site.end_of(polite)->outcome == Outcome::stopped);
  CHECK(site.said(polite) == "up\nbye\n");
  CHECK(site.end_of(deaf)->outcome == Outcome::stopped);
  CHECK(boot_ms() - from >= 300);
  CHECK(boot_ms() - from < 15'000);
}

TEST_CASE("stop: the grace is also for what a shell had started") {
  Site site;
  AttemptSpec spec = site.shell(one,
                                "sh -c 'trap \"sleep 0.3; echo saved; exit\" TERM; echo up;"
                                "while :; do sleep 0.05; done'; echo never");
  spec.grace = Span{5'000};
  site.executor->start(spec);
  REQUIRE(site.says(one, "up"));
  const std::int64_t from = boot_ms();
  site.executor->stop(one);
  CHECK(site.end_of(one)->outcome == Outcome::stopped);
  CHECK(site.said(one) == "up\nsaved\n");
  CHECK(boot_ms() - from < 3'000);
}

TEST_CASE("a stop that comes with the start stops all the same") {
  Site site;
  AttemptSpec spec = site.shell(one, "sleep 50");
  spec.grace = Span{2'000};
  site.executor->start(spec);
  site.executor->stop(one);
  REQUIRE(site.end_of(one));
  CHECK(site.end_of(one)->outcome == Outcome::stopped);
  CHECK(site.end_of(one)->ended.ms - spec.started.ms < 1'500);  // TERM is not lost on a fresh fork
}

TEST_CASE("what cannot be started says why") {
  Site site;
  const AttemptEnd absent = site.run(site.spec({1, 1}, {"/no/such/program"}));
  CHECK(absent.outcome == Outcome::launch_failed);
  CHECK(absent.words == "cannot run /no/such/program: No such file or directory");
  // Where the submitter finds it.
  CHECK(site.said({1, 1}, 0, "stderr") == "tenbin: " + absent.words + "\n");

  AttemptSpec lost = site.shell({2, 1}, "true");
  lost.directory = "/no/such/folder";
  const AttemptEnd homeless = site.run(lost);
  CHECK(homeless.outcome == Outcome::launch_failed);
  CHECK(homeless.words.contains("/no/such/folder"));

  CHECK(site.run(site.spec({3, 1}, {})).words == "there is no command");

  AttemptSpec odd = site.shell({4, 1}, "true");
  odd.environment["A=B"] = "c";
  CHECK(site.run(odd).outcome == Outcome::launch_failed);

  site.settings.supervisor = {"/no/such/tenbin"};
  site.return_service();
  const AttemptEnd alone = site.run(site.shell({5, 1}, "true"));
  CHECK(alone.outcome == Outcome::launch_failed);
  CHECK(alone.words == "cannot run the supervisor /no/such/tenbin: No such file or directory");
}

// ---- what members see ----

TEST_CASE("the environment is exactly what is promised") {
  Site site;
  AttemptSpec spec = site.spec({.job = 7, .attempt = 2}, {"env"});
  spec.members = {{.node = "n4", .gpus = {0, 2}, .gpu_milli = 2'000}};
  spec.environment = {{"LANG", "ja_JP.UTF-8"}, {"TENBIN_RANK", "99"}, {"GREETING", "a=b\nc"}};
  REQUIRE(site.run(spec).code == 0);
  const std::string said = site.said(spec.id);
  const std::size_t at = said.find("TENBIN_ADDRESSES=") + 17;
  REQUIRE(at > 17);
  const std::string port = said.substr(at, said.find('\n', at) - at);
  CHECK(port.size() > 10);
  const passwd* self = ::getpwuid(::geteuid());  // NOLINT(concurrency-mt-unsafe): one thread asks
  const std::string user = ::geteuid() == 0 ? "nobody"
                           : self           ? self->pw_name
                                            : std::to_string(::geteuid());
  const std::string start = std::to_string(spec.started.ms / 1'000),
                    limit = std::to_string((spec.started.ms + spec.time_limit.count) / 1'000);
  CHECK(said == "CUDA_DEVICE_ORDER=PCI_BUS_ID\nCUDA_VISIBLE_DEVICES=0,2\nGREETING=a=b\nc\nHOME=" +
                    site.root + "/work/7\nLANG=ja_JP.UTF-8\nLOGNAME=" + user +
                    "\nMASTER_ADDR=127.0.0.1\nMASTER_PORT=" + port.substr(port.find(':') + 1) +
                    "\nPATH=/usr/local/bin:/usr/bin:/bin\nSLURMD_NODENAME=n4\nSLURM_GPUS=2\n"
                    "SLURM_GPUS_ON_NODE=2\nSLURM_JOBID=7\nSLURM_JOB_END_TIME=" +
                    limit +
                    "\nSLURM_JOB_GPUS=0,2\nSLURM_JOB_ID=7\nSLURM_JOB_NODELIST=n4\n"
                    "SLURM_JOB_NUM_NODES=1\nSLURM_JOB_START_TIME=" +
                    start +
                    "\nSLURM_LAUNCH_NODE_IPADDR=127.0.0.1\nSLURM_LOCALID=0\nSLURM_NNODES=1\n"
                    "SLURM_NODEID=0\nSLURM_NODELIST=n4\nSLURM_NPROCS=1\nSLURM_NTASKS=1\n"
                    "SLURM_NTASKS_PER_NODE=1\n"
                    "SLURM_PROCID=0\nSLURM_TASKS_PER_NODE=1\nTENBIN_ADDRESSES=" +
                    port +
                    "\nTENBIN_ATTEMPT=2\nTENBIN_GPU_MILLI=2000\nTENBIN_JOB_ID=7\nTENBIN_NODE=n4\n"
                    "TENBIN_RANK=0\nTENBIN_SIZE=1\nTMPDIR=/tmp\nUSER=" +
                    user + "\n");
}

TEST_CASE("a member starts clean: descriptors, umask, signals, session, core files") {
  Site site;
  const int leak = ::open("/dev/null", O_RDONLY);  // without CLOEXEC
  site.run(site.shell(one,
                      "ls /proc/self/fd | wc -l; umask; ulimit -c; readlink /proc/self/fd/0;"
                      "grep -E 'Sig(Blk|Ign)|NoNewPrivs' /proc/$$/status | tr -d '\\t';"
                      "cut -d' ' -f6 /proc/$$/stat | grep -cx $$; pwd"));
  ::close(leak);
  // Four: 0, 1, 2 and the one with which ls reads the folder.
  CHECK(site.said(one) ==
        "4\n0077\n0\n/dev/null\nSigBlk:0000000000000000\n"
        "SigIgn:0000000000000000\nNoNewPrivs:1\n1\n" +
            site.root + "/work/1\n");
}

TEST_CASE("a member's limit on open files is the one that the service had, not the one it took") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  REQUIRE(before.rlim_max > 400);
  Site site;
  site.settings.open_files = 321;
  site.return_service();
  rlimit raised = before;
  raised.rlim_cur = 400;
  ::setrlimit(RLIMIT_NOFILE, &raised);
  site.run(site.shell(one, "ulimit -S -n; ulimit -H -n; env | grep -c OPEN_FILES"));
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(site.said(one) == "321\n" + std::to_string(before.rlim_max) + "\n0\n");
}

TEST_CASE("a later attempt finds the work folder of the earlier one") {
  Site site;
  site.run(site.shell({1, 1}, "echo checkpoint > state"));
  site.run(site.shell({1, 2}, "cat state"));
  CHECK(site.said({1, 2}) == "checkpoint\n");
}

TEST_CASE("a gang of three knows its ranks, size and addresses") {
  Site site;
  CHECK(
      site.run(site.shell(one, "echo $TENBIN_RANK/$TENBIN_SIZE $TENBIN_NODE $TENBIN_ADDRESSES", 3))
          .code == 0);
  std::set<std::string> addresses;
  for (int rank = 0; rank < 3; ++rank) {
    std::istringstream in(site.said(one, rank));
    std::string place, node, list;
    in >> place >> node >> list;
    CHECK(place == std::to_string(rank) + "/3");
    CHECK(node == "node-" + std::to_string(rank));
    addresses.insert(list);
  }
  REQUIRE(addresses.size() == 1);
  std::istringstream in(*addresses.begin());
  std::set<std::string> ports;
  for (std::string address; std::getline(in, address, ',');) {
    CHECK(address.starts_with("127.0.0.1:"));
    ports.insert(address);
  }
  CHECK(ports.size() == 3);
}

TEST_CASE("when one member fails the others are stopped") {
  Site site;
  const std::string script =
      "trap 'echo told; exit 9' TERM; echo up; [ $TENBIN_RANK = 1 ] && sleep 0.3 && exit 5; sleep "
      "50";
  const AttemptEnd end = site.run(site.shell(one, script, 3));
  CHECK(end.outcome == Outcome::exited);
  CHECK(end.code == 5);
  CHECK(end.words == "member 1");
  CHECK(site.said(one, 0) == "up\ntold\n");
  CHECK(site.said(one, 2) == "up\ntold\n");
}

// ---- supervisors and wardens that die ----

namespace {

// A member that hides a process behind two forks and a session of its own.
AttemptSpec hiding(const Site& site, AttemptId id) {
  AttemptSpec spec =
      site.shell(id, "(setsid sh -c 'trap \"\" TERM HUP; sleep 50' & ) & echo up; sleep 50");
  spec.environment["SITE"] = site.root;
  return spec;
}

void kill_and_expect_lost(const std::function<std::vector<pid_t>(Site&)>& victims) {
  Site site;
  site.executor->start(hiding(site, one));
  REQUIRE(site.says(one, "up"));
  REQUIRE(soon([&] { return site.running(one) >= 3; }));
  pass(400);  // so that a renewal or two have been
  const std::int64_t hit = boot_ms();
  for (const pid_t victim : victims(site)) {
    REQUIRE(victim > 0);
    ::kill(victim, SIGKILL);
  }
  const auto end = site.end_of(one);
  REQUIRE(end);
  CHECK(end->outcome == Outcome::lost);
  CHECK(boot_ms() - hit >= 600);  // the lease was at least two thirds whole
  CHECK(boot_ms() - hit < 3'000);
  CHECK(site.running(one) == 0);
}

}  // namespace

TEST_CASE("kill -9 of the supervisor leaves nothing, and lost is told after the lease") {
  kill_and_expect_lost([](Site& site) { return std::vector{site.supervisor(one)}; });
}

TEST_CASE("kill -9 of the warden leaves nothing, and lost is told after the lease") {
  kill_and_expect_lost([](Site& site) { return std::vector{site.warden(one)}; });
}

TEST_CASE("kill -9 of both at one blow leaves nothing either") {
  kill_and_expect_lost([](Site& site) {
    const pid_t warden = site.warden(one), supervisor = site.supervisor(one);
    ::kill(warden, SIGSTOP);  // or it would be quicker than we are
    ::kill(supervisor, SIGSTOP);
    return std::vector{warden, supervisor};
  });
}

TEST_CASE("a supervisor that is stopped cannot make the work outlive the lease") {
  Site site;
  site.executor->start(hiding(site, one));
  REQUIRE(site.says(one, "up"));
  const std::int64_t from = boot_ms();
  ::kill(site.supervisor(one), SIGSTOP);
  CHECK(soon([&] { return site.running(one) == 0; }));
  CHECK(boot_ms() - from < 1'500);
  REQUIRE(site.end_of(one));
  CHECK(site.end_of(one)->outcome == Outcome::lost);
}

TEST_CASE("a warden that is stopped cannot either") {
  Site site;
  site.executor->start(hiding(site, one));
  REQUIRE(site.says(one, "up"));
  ::kill(site.warden(one), SIGSTOP);
  site.take_service_away();
  CHECK(soon([&] { return site.running(one) == 0; }));
  site.return_service();
  site.executor->start(hiding(site, one));
  REQUIRE(site.end_of(one));
  CHECK(site.end_of(one)->outcome == Outcome::lost);
}

TEST_CASE("stopped both, they are ended, and the job can run again") {
  Site site;
  site.executor->start(hiding(site, one));
  REQUIRE(site.says(one, "up"));
  const pid_t warden = site.warden(one), supervisor = site.supervisor(one);
  ::kill(warden, SIGSTOP);
  ::kill(supervisor, SIGSTOP);
  const auto end = site.end_of(one, 30'000);
  REQUIRE(end);
  CHECK(end->outcome == Outcome::lost);
  CHECK(site.running(one) == 0);
  CHECK(soon([&] { return ::kill(warden, 0) != 0 && ::kill(supervisor, 0) != 0; }));
}

// ---- services that die ----

TEST_CASE("a restarted service adopts what runs and gets its end") {
  Site site;
  const AttemptSpec spec = site.shell(one, "echo up; sleep 1.2; echo down; exit 4");
  site.executor->start(spec);
  REQUIRE(site.says(one, "up"));
  site.take_service_away();
  pass(100);
  site.return_service();
  AttemptSpec again = spec;
  again.epoch = site.epoch;
  const AttemptEnd end = site.run(again);
  CHECK(end.outcome == Outcome::exited);
  CHECK(end.code == 4);
  CHECK(site.said(one) == "up\ndown\n");  // once
  const auto folder = open_directory(site.folder(one));
  REQUIRE(folder);
  CHECK(
      soon([&] { return try_lock(folder->get())->has_value(); }));  // the supervisor goes by itself
}

TEST_CASE("what ended while there was no service is known afterwards") {
  Site site;
  const AttemptSpec spec = site.shell(one, "echo up; sleep 0.3; exit 6");
  site.executor->start(spec);
  REQUIRE(site.says(one, "up"));
  site.take_service_away();
  REQUIRE(soon([&] { return std::filesystem::exists(site.folder(one) + "/result"); }));
  site.return_service();
  AttemptSpec again = spec;
  again.epoch = site.epoch;
  CHECK(site.run(again).code == 6);

  CHECK(site.executor->kept() == std::vector{one});
  site.executor->forget(one);
  CHECK(soon([&] { return site.executor->kept().empty(); }));
  CHECK(site.said(one) == "up\n");  // output stays
}

TEST_CASE("a disk that will not take the result is asked again") {
  Site site;
  site.executor->start(site.shell(one, "echo up; sleep 0.2; exit 8"));
  REQUIRE(site.says(one, "up"));
  const std::string obstacle = site.folder(one) + "/result.new";
  REQUIRE(::mkdir(obstacle.c_str(), 0700) == 0);
  CHECK_FALSE(site.end_of(one, 1'500));  // longer than a lease: it is renewed all the while
  REQUIRE(::rmdir(obstacle.c_str()) == 0);
  REQUIRE(site.end_of(one));
  CHECK(site.end_of(one)->code == 8);
}

TEST_CASE("forgetting what runs stops it, and nobody is told") {
  Site site;
  AttemptSpec spec = site.shell(one, "echo up; sleep 50");
  spec.environment["SITE"] = site.root;
  site.executor->start(spec);
  REQUIRE(site.says(one, "up"));
  site.executor->forget(one);
  CHECK(soon([&] { return site.executor->kept().empty(); }));
  CHECK(site.running(one) == 0);
  CHECK_FALSE(site.end_of(one, 50));
}

TEST_CASE("without a service the work ends with the lease") {
  Site site;
  AttemptSpec spec = hiding(site, one);
  site.executor->start(spec);
  REQUIRE(site.says(one, "up"));
  const std::int64_t from = boot_ms();
  site.take_service_away();
  CHECK(soon([&] { return site.running(one) == 0; }));
  CHECK(boot_ms() - from >= 500);
  CHECK(boot_ms() - from < 1'500);
  site.return_service();
  spec.epoch = site.epoch;
  CHECK(site.run(spec).outcome == Outcome::lost);
}

TEST_CASE("a lower epoch is refused for ever after") {
  Site site;
  std::mutex mutex;
  std::string words;
  site.settings.log = [&](const std::string& said) {
    const std::lock_guard hold(mutex);
    words += said;
  };
  site.return_service();
  AttemptSpec spec = site.shell(one, "echo up; sleep 1; echo down");
  spec.epoch = 5;
  site.executor->start(spec);
  REQUIRE(site.says(one, "up"));

  // A second service with a higher epoch takes over while the first still lives.
  auto second = LocalExecutor::open(site.settings);
  REQUIRE(second);
  std::optional<AttemptEnd> heard;
  (*second)->listen([&](const AttemptEnd& end) {
    const std::lock_guard hold(mutex);
    heard = end;
  });
  spec.epoch = 6;
  (*second)->start(spec);
  CHECK(soon([&] {
    const std::lock_guard hold(mutex);
    return words.contains("belongs to a later service");
  }));
  site.executor->stop(one);  // of no effect
  CHECK(soon([&] {
    const std::lock_guard hold(mutex);
    return heard.has_value();
  }));
  CHECK(heard->outcome == Outcome::exited);
  CHECK(site.said(one) == "up\ndown\n");
  CHECK_FALSE(site.end_of(one, 100));
}

TEST_CASE("launching twice is launching once") {
  Site site;
  const AttemptSpec spec = site.shell(one, "echo up; sleep 0.3");
  site.executor->start(spec);
  site.executor->start(spec);
  CHECK(site.run(spec).code == 0);
  site.executor->start(spec);
  CHECK(soon([&] {
    const std::lock_guard hold(site.mutex);
    return site.ends.size() >= 2;  // told again, not run again
  }));
  CHECK(site.said(one) == "up\n");
}

TEST_CASE("a launch that was fenced off starts nothing") {
  Site site;
  site.run(site.shell(one, "echo up"));
  std::string self = "/proc/self/exe", word = "supervise", folder = site.folder(one), token = "old";
  std::array<char*, 5> argv = {self.data(), word.data(), folder.data(), token.data(), nullptr};
  pid_t process = 0;
  REQUIRE(::posix_spawn(&process, argv[0], nullptr, nullptr, argv.data(), ::environ) == 0);
  int status = 0;
  REQUIRE(::waitpid(process, &status, 0) == process);
  CHECK(WEXITSTATUS(status) == 1);
  CHECK(contents(folder + "/log").contains("fenced off"));
}

// ---- scripts, output files, warnings ----

TEST_CASE("a script runs by its own interpreter with its arguments, and is gone afterwards") {
  Site site;
  AttemptSpec spec = site.spec(one, {"first", "second one"});
  spec.script =
      "#!/bin/bash\narray=(x y)\necho \"$#:$1:$2:${array[1]}\"; ls -l \"$0\" | cut -c1-10\n"
      "echo more >> \"$0\" || echo cannot be changed\n";
  REQUIRE(site.run(spec).code == 0);
  const std::string rights = ::geteuid() == 0 ? "-r-xr-x---" : "-r-x------";
  CHECK(site.said(one) == "2:first:second one:y\n" + rights + "\ncannot be changed\n");
  CHECK_FALSE(std::filesystem::exists(site.root + "/work/1-1.script"));

  AttemptSpec wrong = site.spec({2, 1}, {});
  wrong.script = "#!/no/such/interpreter\n";
  const AttemptEnd end = site.run(wrong);
  CHECK(end.outcome == Outcome::launch_failed);
  CHECK(end.words ==
        "cannot run the script by its first line, #!/no/such/interpreter: No such file or "
        "directory");
}

TEST_CASE("srun starts this node's tasks, and scontrol names the members") {
  Site site;
  AttemptSpec spec = site.spec(one, {}, 2);
  spec.tasks_per_member = 2;
  spec.script =
      "#!/bin/sh\n"
      "srun --label --cpu-bind=none sh -c 'echo $SLURM_PROCID/$SLURM_NTASKS $SLURM_LOCALID' | "
      "sort\n"
      "srun -N1 -n1 echo once\n"
      "srun -n 2 sh -c 'exit $((3 + SLURM_NODEID))'; echo status $?\n"
      "scontrol show hostnames \"$SLURM_JOB_NODELIST\"\n"
      "srun --pty bash; srun -n 3 true; srun\n"
      "true\n";
  REQUIRE(site.run(spec).code == 0);
  CHECK(site.said(one, 0) == "0: 0/4 0\n1: 1/4 1\nonce\nstatus 3\n127.0.0.1\n127.0.0.1\n");
  CHECK(site.said(one, 1) == "2: 2/4 0\n3: 3/4 1\nstatus 4\n127.0.0.1\n127.0.0.1\n");
  CHECK(site.said(one, 0, "stderr") ==
        "srun (tenbin): --pty is not supported inside Tenbin\n"
        "srun (tenbin): 3 tasks do not divide over 2 nodes\n"
        "srun (tenbin): names no command\n");
}

TEST_CASE("output also goes into files below the working directory") {
  Site site;
  AttemptSpec spec = site.shell(one, "echo out; echo err >&2", 2);
  spec.output = "logs/a/rank-%t 100%%.out";
  spec.output_cap = 2;
  REQUIRE(site.run(spec).code == 0);
  const std::string work = site.root + "/work/1/";
  for (const char* rank : {"0", "1"}) {
    const std::string text = contents(work + "logs/a/rank-" + rank + " 100%.out");
    CHECK((text == "out\nerr\n" || text == "err\nout\n"));  // without a cap
  }

  AttemptSpec again = site.shell({1, 2}, "echo again; echo err >&2");
  again.output = "logs/a/rank-0 100%%.out";
  again.error = "err";
  REQUIRE(site.run(again).code == 0);  // what an earlier attempt wrote stays
  CHECK(contents(work + "logs/a/rank-0 100%.out").ends_with("again\n"));
  CHECK(contents(work + "logs/a/rank-0 100%.out").size() > 6);
  CHECK(contents(work + "err") == "err\n");
}

TEST_CASE("output files cannot be led astray") {
  Site site;
  const std::string outside = site.root + "/outside";
  REQUIRE(::mkdir(outside.c_str(), 0777) == 0);
  ::chmod(outside.c_str(), 0777);
  std::ofstream(outside + "/victim") << "precious";
  ::chmod((outside + "/victim").c_str(), 0666);
  // The first attempt prepares the folder as a hostile job would.
  REQUIRE(
      site.run(site.shell(one, "ln -s " + outside + " away; ln -s " + outside +
                                   "/victim link; ln " + outside +
                                   "/victim hard; mkfifo pipe; mkdir folder; ln -s /dev/null null; "
                                   "touch own; ln own twin; true"))
          .code == 0);
  std::uint32_t attempt = 1;
  for (const char* path :
       {"away/victim", "away/new", "link", "hard", "pipe", "folder", "null", "../outside/victim",
        "folder/../../escaped", "/tmp/tenbin-escaped", "own", "twin", "pipe/below"}) {
    CAPTURE(path);
    AttemptSpec spec = site.shell({1, ++attempt}, "echo overwritten");
    spec.output = path;
    const AttemptEnd end = site.run(spec);
    CAPTURE(end.words);
    // What is not there is no danger: links that the kernel did not let the job make.
    if (std::string_view(path) == "hard" && end.outcome == Outcome::exited) continue;
    CHECK(end.outcome == Outcome::launch_failed);
    CHECK(end.words.contains("output file " + std::string(path)));
  }
  CHECK(contents(outside + "/victim") == "precious");
  CHECK_FALSE(std::filesystem::exists(outside + "/new"));
  CHECK_FALSE(std::filesystem::exists(site.root + "/work/escaped"));
  CHECK_FALSE(std::filesystem::exists("/tmp/tenbin-escaped"));
}

TEST_CASE("a warning comes before the time limit, to whom it is for") {
  const auto run = [](Warned to) {
    Site site;
    AttemptSpec spec = site.spec(one, {});
    spec.script =
        "#!/bin/sh\ntrap 'echo shell' USR1\n"
        "srun sh -c 'trap \"echo step; exit\" USR1; while :; do sleep 0.05; done' &\n"
        "sh -c 'trap \"echo child; exit\" USR1; while :; do sleep 0.05; done' &\n"
        "while :; do sleep 0.05 || :; done\n";
    spec.time_limit = Span{2'500};
    spec.signal = SIGUSR1;
    spec.signal_before = Span{1'500};
    spec.signal_to = to;
    CHECK(site.run(spec).outcome == Outcome::time_limit);
    std::set<std::string> said;
    std::istringstream lines(site.said(one));
    for (std::string line; std::getline(lines, line);) said.insert(line);
    return said;
  };
  CHECK(run(Warned::shell) == std::set<std::string>{"shell"});
  CHECK(run(Warned::steps) == std::set<std::string>{"step"});
  CHECK(run(Warned::all) == std::set<std::string>{"child", "shell", "step"});
}

// ---- root ----

TEST_CASE("as root, members are nobody and can do what nobody can") {
  if (::geteuid() != 0) return;
  Site site;
  const std::string secret = site.root + "/secret";
  REQUIRE(::mkdir(secret.c_str(), 0700) == 0);
  std::ofstream(secret + "/file") << "secret";
  site.run(site.shell(
      one, "id -un; id -G; cat " + secret + "/file; kill -0 " + std::to_string(::getpid()) +
               " || echo no signal; kill -0 $PPID || "
               "echo no parent; ls " +
               site.settings.attempt_directory + " || echo no attempts; stat -c '%a %U' ."));
  CHECK(site.said(one) == "nobody\n65534\nno signal\nno parent\nno attempts\n700 nobody\n");

  AttemptSpec closed = site.shell({2, 1}, "true");
  closed.directory = secret;
  const AttemptEnd end = site.run(closed);
  CHECK(end.outcome == Outcome::launch_failed);
  CHECK(end.words.starts_with("cannot enter the folder " + secret +
                              " as nobody: Permission denied; submit with --dir"));
}

TEST_CASE("as root, members of one project can do nothing to those of another") {
  if (::geteuid() != 0 || !accounts_can_have(1'879'048'192)) return;
  Site site;
  site.settings.project_accounts = 1'879'048'192;
  site.return_service();
  const AttemptId victim{7, 1};
  AttemptSpec theirs = site.shell(victim, "echo secret > mine; echo $$ up; exec sleep 50");
  theirs.project = 3;
  theirs.environment = {{"WORD", "of-mine"}};
  site.executor->start(theirs);
  REQUIRE(site.says(victim, "up"));
  const std::string process = site.said(victim).substr(0, site.said(victim).find(' '));

  AttemptSpec look = site.shell(
      one, "id -u; id -G; echo $USER; cat ../7/mine /proc/" + process + "/environ; kill -9 " +
               process + " || echo no signal; ls ../7 || echo no folder; stat -c '%a %u' .");
  look.project = 4;
  CHECK(site.run(look).outcome == Outcome::exited);
  CHECK(site.said(one) ==
        "1879048196\n1879048196\ntenbin-1879048196\nno signal\nno folder\n700 1879048196\n");

  // One of its own project may: it is the same people's work.
  AttemptSpec friendly = site.shell({8, 1}, "cat ../7/mine; kill -9 " + process + " && echo ended");
  friendly.project = 3;
  site.run(friendly);
  CHECK(site.said({8, 1}) == "secret\nended\n");
  CHECK(site.end_of(victim)->outcome == Outcome::signalled);
}

TEST_CASE("as root, what an earlier account left is not taken over, and words say what to do") {
  if (::geteuid() != 0 || !accounts_can_have(1'879'048'192)) return;
  Site site;
  site.run(site.shell(one, "echo mine > kept"));
  site.settings.project_accounts = 1'879'048'192;
  site.return_service();
  AttemptSpec next = site.shell({one.job, one.attempt + 1}, "cat kept");
  next.project = 5;
  const AttemptEnd end = site.run(next);
  CHECK(end.outcome == Outcome::launch_failed);
  CHECK(end.words.contains("belongs to account 65534, and the job runs as 1879048197 now"));
  CHECK(end.words.contains("chown -R 1879048197"));
}

TEST_CASE("as root, without a usable account nothing runs") {
  if (::geteuid() != 0) return;
  for (const std::string account :
       {"no-such-account", "root", "", "#", "#0", "#-1", "#4294967295", "#99999999999", "#12x"}) {
    CAPTURE(account);
    Site site;
    site.settings.job_account = account;
    site.return_service();
    const AttemptEnd end = site.run(site.shell(one, "touch /tmp/tenbin-exec-ran"));
    CHECK(end.outcome == Outcome::launch_failed);
    CHECK(end.words.contains("account"));
  }
}

TEST_CASE("as root, a work folder that jobs cannot enter is refused at once") {
  if (::geteuid() != 0) return;
  Site site;
  ::chmod(site.root.c_str(), 0700);
  const auto opened = LocalExecutor::open(site.settings);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().what.contains("who cannot enter " + site.root));
}

// ---- chance ----

// Never two attempts of one job at once. Method: every attempt takes a file lock that whatever it
// leaves behind inherits; one that finds it taken says so. In each round something is killed,
// stopped or restarted at some moment, and the next attempt starts as soon as the end is told.
TEST_CASE("whatever is killed when, no two attempts of a job run together") {
  const std::uint64_t seed = static_cast<std::uint64_t>(wall_ms());
  CAPTURE(seed);
  Rng rng{seed};
  Site site(200);
  const std::string script =
      "exec 9>>turn; flock -n 9 || echo overlap $TENBIN_ATTEMPT >> overlaps; echo $TENBIN_ATTEMPT "
      ">> ran;"
      "(setsid sh -c 'trap \"\" TERM; sleep 20' &) ; sleep 20";
  const std::string ran = site.settings.work_directory + "/1/ran";
  std::array<int, 6> outcomes{};
  for (std::uint32_t round = 1; round <= 50; ++round) {
    const AttemptId id{.job = 1, .attempt = round};
    AttemptSpec spec = site.shell(id, script);
    spec.grace = Span{20};
    site.executor->start(spec);
    if (rng.chance(700'000)) {  // else it is hit on its way
      soon([&] { return contents(ran).ends_with(std::to_string(round) + "\n"); }, 1'000);
    }
    pass(static_cast<std::int64_t>(rng.below(60)));
    const pid_t supervisor = site.supervisor(id);
    const pid_t warden = site.warden(id);
    switch (rng.below(12)) {
      case 0:
      case 1:
        if (supervisor > 0) ::kill(supervisor, SIGKILL);
        break;
      case 2:
      case 3:
        if (warden > 0) ::kill(warden, SIGKILL);
        break;
      case 4:
      case 5:
        if (supervisor > 0) ::kill(supervisor, SIGKILL);
        if (warden > 0) ::kill(warden, SIGKILL);
        break;
      case 6:
        if (supervisor > 0) ::kill(supervisor, SIGSTOP);
        break;
      case 7:
      case 8:
        site.take_service_away();
        pass(static_cast<std::int64_t>(rng.below(300)));
        site.return_service();
        spec.epoch = site.epoch;
        site.executor->start(spec);
        break;
      default: break;
    }
    site.executor->stop(id);
    const auto end = site.end_of(id);
    REQUIRE(end);
    ++outcomes[static_cast<std::size_t>(end->outcome)];
    site.executor->forget(id);
  }
  // What a service was taken away from before it could clear up.
  for (const AttemptId id : site.executor->kept()) site.executor->forget(id);
  CHECK(soon([&] { return site.executor->kept().empty(); }));
  const std::string overlaps = contents(site.settings.work_directory + "/1/overlaps");
  CHECK(overlaps.empty());
  std::istringstream lines(contents(ran));
  std::set<std::string> attempts;
  for (std::string line; std::getline(lines, line);)
    CHECK(attempts.insert(line).second);  // at most once
  MESSAGE(attempts.size() << " of 50 ran, " << outcomes[5] << " lost, " << outcomes[3]
                          << " stopped");
}

// ---- texts ----

TEST_CASE("texts come back as they were, and nothing else is taken") {
  LaunchSpec spec;
  spec.attempt.id = {.job = 7, .attempt = 3};
  spec.attempt.epoch = 9;
  spec.attempt.argv = {"/bin/echo", "", "two words", "100%\n\xFF"};
  spec.attempt.environment = {{"A", ""}, {"B", "x=y"}};
  spec.attempt.members = {{.node = "n", .gpus = {0, 3}, .gpu_milli = 2'000}, {}};
  spec.attempt.script = "#!/bin/sh\necho %\n";
  spec.attempt.output = "logs/%t.out";
  spec.attempt.append = true;
  spec.attempt.tasks_per_member = 4;
  spec.attempt.signal = 10;
  spec.attempt.signal_before = Span{90'000};
  spec.attempt.signal_to = Warned::steps;
  spec.attempt.time_limit = Span{5};
  spec.lease = Span{10'000};
  const std::string text = encode(spec);
  CHECK(text.contains("argument 100%25%0A%FF\n"));
  const auto back = decode_spec(text);
  REQUIRE(back);
  CHECK(back->attempt.argv == spec.attempt.argv);
  CHECK(back->attempt.script == spec.attempt.script);
  CHECK(back->attempt.signal_to == Warned::steps);
  CHECK(encode(*back) == text);
  for (std::size_t size = 0; size < text.size(); ++size)
    CHECK_FALSE(decode_spec(text.substr(0, size)));
  CHECK_FALSE(decode_spec(text + "\n"));

  const AttemptEnd end{.id = one,
                       .outcome = Outcome::signalled,
                       .code = 9,
                       .ended = Instant{5},
                       .words = std::string(3'000, '\n')};
  const auto end_back = decode_end(encode(end));
  REQUIRE(end_back);
  CHECK(end_back->words.size() == words_bytes_max);
  CHECK(encode(*end_back).size() < end_bytes_max);

  const Message message{.word = Message::Word::renew, .epoch = 4, .until_ms = 1'000};
  CHECK(encode(message) == "renew 4 1000");
  CHECK(decode_message("renew 4 1000") == message);
  for (const char* wrong : {"", "renew", "renew 4", "renew 4 -1", "renew 04 1", "renew 4 1 ",
                            "Renew 4 1", "renew  4 1", "renew 4 1 1", "renew +4 1"}) {
    CHECK_FALSE(decode_message(wrong));
  }
}

TEST_CASE("no library, no GPUs") {
  CHECK(probe_gpus("libno-such-library.so.1").empty());
}
