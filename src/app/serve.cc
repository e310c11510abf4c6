#include "app/serve.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>

#include "api/api.h"
#include "codec/hash.h"
#include "exec/gpu_probe.h"
#include "exec/local_executor.h"
#include "live/live.h"
#include "live/verify.h"
#include "net/http_server.h"
#include "store/sqlite_history.h"
#include "store/sqlite_journal.h"

namespace tenbin {

namespace {

class WallClock final : public Clock {
 public:
  Instant now() override {
    timespec t{};
    ::clock_gettime(CLOCK_REALTIME, &t);
    return Instant{t.tv_sec * 1'000 + t.tv_nsec / 1'000'000};
  }
};

struct Settings {
  std::string state = default_state_folder();
  std::string work;  // where jobs run; empty: chosen by default_work_folder
  std::string address = "127.0.0.1";
  std::uint16_t port = 7411;
  std::string job_account = "nobody";
  Span lease{10'000};
  std::uint64_t snapshot_every = 200'000;
  std::string tls_certificate, tls_key;
  net::Limits limits = {.stop_grace = Span{10'000}};
  bool per_peer_given = false;
};

int complain(const std::string& what) {
  std::fprintf(stderr, "tenbin: %s\n", what.c_str());
  return 1;
}

constexpr std::string_view serve_help =
    "tenbin serve [--state DIR] [--work DIR] [--address A] [--port N] [--job-account NAME]\n"
    "             [--lease-ms N] [--snapshot-every RECORDS] [--tls-cert FILE --tls-key FILE]\n"
    "             [--connections-max N] [--connections-per-peer N] [--streams-max N]\n"
    "             [--body-max-bytes N] [--header-timeout-ms N] [--body-timeout-ms N]\n"
    "             [--idle-timeout-ms N] [--drain-ms N]\n"
    "\n"
    "Runs the service. It listens on 127.0.0.1:7411 unless told otherwise (--port 0: any free "
    "port), keeps its\n"
    "state in --state ($TENBIN_STATE, else the XDG state folder). Running jobs go on for one lease "
    "after it stops.\n"
    "As root, jobs run as --job-account (nobody), never as root.\n"
    "With --tls-cert and --tls-key (PEM) it speaks TLS and nothing else. On TERM it ends what is "
    "under way within\n"
    "--drain-ms (10000). The other options bound what clients may take; docs/operating.md.\n"
    "サービスを起動します。既定では 127.0.0.1:7411 で待ち受け、状態を --state "
    "に保存します。停止後も実行中のジョブは --lease-ms の間（既定 10 秒）続きます。\n"
    "root で起動した場合、ジョブは --job-account（既定は nobody）で実行され、root "
    "では実行されません。\n"
    "--tls-cert と --tls-key（PEM）を指定すると TLS だけで待ち受けます。TERM "
    "を受けると、処理中の要求を "
    "--drain-ms（既定 10000）以内に終えて停止します。\n";

/// Takes what bounds clients; false if it is none of that, or out of range.
bool read_limit(const std::string& name, std::int64_t number, Settings& settings) {
  net::Limits& limits = settings.limits;
  const auto in = [&](std::int64_t least, std::int64_t most) {
    return number >= least && number <= most;
  };
  constexpr std::int64_t hour_ms = 3'600'000;
  if (name == "--connections-max" && in(10, 1'000'000)) {
    limits.connections_max = static_cast<std::size_t>(number);
  } else if (name == "--connections-per-peer" && in(0, 1'000'000)) {
    limits.connections_per_peer = static_cast<std::size_t>(number);
    settings.per_peer_given = true;
  } else if (name == "--streams-max" && in(0, 1'000'000)) {
    limits.streams_max = static_cast<std::size_t>(number);
  } else if (name == "--body-max-bytes" && in(1'024, 64 * 1024 * 1024)) {
    limits.body_max_bytes = static_cast<std::uint64_t>(number);
  } else if (name == "--header-timeout-ms" && in(100, hour_ms)) {
    limits.header_timeout = Span{number};
  } else if (name == "--body-timeout-ms" && in(100, hour_ms)) {
    limits.body_timeout = Span{number};
  } else if (name == "--idle-timeout-ms" && in(100, hour_ms)) {
    limits.idle_timeout = Span{number};
  } else if (name == "--drain-ms" && in(0, hour_ms)) {
    limits.stop_grace = Span{number};
  } else {
    return false;
  }
  return true;
}

/// As many files as the system lets us have open, and no more connections than that leaves room
/// for: the journal, its readers and the supervisors of jobs need descriptors too.
void fit_connections(net::Limits& limits) {
  constexpr rlim_t kept_back = 512;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return;
  const rlim_t room = files.rlim_cur > 2 * kept_back ? files.rlim_cur - kept_back : kept_back;
  if (limits.connections_max <= room) return;
  std::fprintf(stderr,
               "tenbin: at most %llu connections instead of %zu: the limit on open files is %llu "
               "(LimitNOFILE, ulimit -n)\n",
               static_cast<unsigned long long>(room), limits.connections_max,
               static_cast<unsigned long long>(files.rlim_cur));
  limits.connections_max = static_cast<std::size_t>(room);
}

/// Reads the options; an exit code if the process should end here.
std::optional<int> read_options(const std::vector<std::string>& words, Settings& settings) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string name = words[i], value;
    if (name == "--help" || name == "-h") {
      std::fputs(serve_help.data(), stdout);
      return 0;
    }
    if (const std::size_t equal = name.find('='); equal != std::string::npos) {
      value = name.substr(equal + 1);
      name.resize(equal);
    } else if (i + 1 < words.size()) {
      value = words[++i];
    }
    std::int64_t number = -1;
    const auto parsed = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool whole = parsed.ec == std::errc{} && parsed.ptr == value.data() + value.size();
    if (name == "--state" && !value.empty()) {
      settings.state = value;
    } else if (name == "--work" && !value.empty()) {
      settings.work = value;
    } else if (name == "--address" && !value.empty()) {
      settings.address = value;
    } else if (name == "--port" && whole && number >= 0 && number <= 65'535) {
      settings.port = static_cast<std::uint16_t>(number);
    } else if (name == "--job-account" && !value.empty()) {
      settings.job_account = value;
    } else if (name == "--lease-ms" && whole && number >= 100 && number <= 3'600'000) {
      settings.lease = Span{number};
    } else if (name == "--tls-cert" && !value.empty()) {
      settings.tls_certificate = value;
    } else if (name == "--tls-key" && !value.empty()) {
      settings.tls_key = value;
    } else if (whole && read_limit(name, number, settings)) {
      // taken
    } else if (name == "--snapshot-every" && whole && number >= 1) {
      settings.snapshot_every = static_cast<std::uint64_t>(number);
    } else {
      complain("serve: " + words[i] +
               " is not an option, or its value is not valid; see tenbin serve --help");
      return 2;
    }
  }
  return std::nullopt;
}

Result<void> write_private(const std::string& path, const std::string& text) {
  const std::string draft = path + ".tmp";
  const int file =
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failed(draft + ": " + std::strerror(errno));
  const bool written =
      ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(file) == 0;
  ::close(file);
  if (!written || ::rename(draft.c_str(), path.c_str()) != 0)
    return failed(path + ": " + std::strerror(errno));
  return {};
}

std::optional<std::string> read_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || line.empty()) return std::nullopt;
  return line;
}

std::string random_hex() {
  Hash random;
  std::size_t got = 0;
  while (got < random.bytes.size()) {
    const ssize_t n = ::getrandom(random.bytes.data() + got, random.bytes.size() - got, 0);
    if (n > 0) got += static_cast<std::size_t>(n);
  }
  return to_hex(random);
}

// Jobs of a service that runs as root run as another account, which must be able to enter the
// folder: it cannot lie below root's home or below the state folder. Its name is drawn once for
// each state folder, so that a new one never finds an old one's files.
Result<std::string> default_work_folder(const std::string& state) {
  if (::geteuid() != 0) return state + "/work";
  const std::string path = state + "/work-id";
  auto id = read_line(path);
  if (!id) {
    id = random_hex().substr(0, 16);
    if (auto written = write_private(path, *id + "\n"); !written)
      return std::unexpected(written.error());
  }
  return "/var/lib/tenbin/" + *id;
}

Decision ask_and_wait(Live& live, Message message) {
  std::mutex mutex;
  std::condition_variable told;
  std::optional<Decision> decision;
  message.reply = [&](const Answer& answer) {
    const std::lock_guard lock(mutex);
    decision = answer.decision;
    told.notify_one();
  };
  live.ask(std::move(message));
  std::unique_lock lock(mutex);
  told.wait(lock, [&] { return decision.has_value(); });
  return *decision;
}

// The first person is an officer, whose token lies in the state folder. The file comes before the
// record, so that a crash between the two leaves no service that nobody can enter.
Result<void> first_token(Live& live, const std::string& state) {
  const bool none = live.read([](const World& world) { return world.tokens.size() == 0; });
  if (!none) return {};
  const std::string path = state + "/admin.token";
  auto secret = read_line(path);
  if (!secret) {
    secret = "tnb_" + random_hex();
    if (auto written = write_private(path, *secret + "\n"); !written) return written;
  }
  Message person;
  person.asked.command = DeclarePerson{"admin", "First officer", Role::officer};
  Message token;
  const Instant far = live.now() + Span{3650LL * 86'400'000};
  token.asked.command = CreateToken{"admin", "made at first start", hash_of(*secret), far};
  if (!ask_and_wait(live, std::move(person)) || !ask_and_wait(live, std::move(token))) {
    return failed("the first token could not be made");
  }
  return {};
}

}  // namespace

std::string default_state_folder() {
  if (const char* own = std::getenv("TENBIN_STATE"); own && *own) return own;
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg && *xdg)
    return std::string(xdg) + "/tenbin";
  const char* home = std::getenv("HOME");
  return std::string(home && *home ? home : "/tmp") + "/.local/state/tenbin";
}

int serve(const std::vector<std::string>& words) {
  Settings settings;
  if (const auto code = read_options(words, settings)) return *code;

  // Before any thread: they inherit this, and only this function waits for the signals.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ,
           SIG_IGN);  // a file that may not grow is an error like a full disk, and ends with words
  ::umask(077);

  if (settings.tls_certificate.empty() != settings.tls_key.empty()) {
    complain("serve: --tls-cert and --tls-key go together");
    return 2;
  }
  fit_connections(settings.limits);
  const bool loopback = settings.address.starts_with("127.") || settings.address == "::1";
  // On loopback everybody has the same address; elsewhere one client must not take all the room.
  if (!settings.per_peer_given && !loopback) settings.limits.connections_per_peer = 1'000;

  const auto began = std::chrono::steady_clock::now();
  std::error_code made;
  std::filesystem::create_directories(std::filesystem::path(settings.state).parent_path(), made);
  auto journal = SqliteJournal::open(settings.state, Access::read_write);
  if (!journal) return complain(journal.error().what);
  auto history = SqliteHistory::open(settings.state);
  if (!history) return complain(history.error().what);
  if (settings.work.empty()) {
    auto folder = default_work_folder(settings.state);
    if (!folder) return complain(folder.error().what);
    settings.work = *folder;
  }
  if (::geteuid() == 0) {
    // What we make ourselves the job account may pass through; a folder that was there is its
    // owner's.
    if (std::filesystem::create_directories(settings.work, made))
      ::chmod(settings.work.c_str(), 0711);
    // Others may pass through, and look at nothing.
    for (std::filesystem::path p = settings.work;
         p != p.root_path() && p.string().starts_with("/var/lib/tenbin"); p = p.parent_path()) {
      ::chmod(p.c_str(), 0711);
    }
  } else {
    std::fprintf(stderr,
                 "tenbin: not running as root: jobs run as this user and could read the state "
                 "folder; see docs/security.md\n"
                 "tenbin: root "
                 "ではないため、ジョブは同じ利用者として実行され、状態フォルダーを読めます（docs/"
                 "security.md）\n");
  }
  auto executor = exec::LocalExecutor::open(
      {.attempt_directory = settings.state + "/attempts",
       .work_directory = settings.work,
       .output_directory = settings.state + "/output",
       .job_account = settings.job_account,
       .lease = settings.lease,
       .log = [](const std::string& line) { std::fprintf(stderr, "tenbin: %s\n", line.c_str()); }});
  if (!executor) return complain(executor.error().what);
  WallClock clock;
  auto live = Live::open(**journal, **executor, **history, clock,
                         {.snapshot_every = settings.snapshot_every,
                          .quarantine_file = settings.state + "/quarantine"});
  if (!live) return complain(live.error().what);

  const Span behind = (*live)->read([](const World& world) { return world.now; }) - clock.now();
  if (behind > Span{60'000}) {
    std::fprintf(stderr,
                 "tenbin: the clock is %lld s behind the journal; ledger time stands still until "
                 "it has caught up\n",
                 static_cast<long long>(behind.count / 1'000));
  }

  Api api(**live);
  net::Server server(
      {.address = settings.address,
       .port = settings.port,
       .tls_certificate = settings.tls_certificate,
       .tls_key = settings.tls_key,
       .limits = settings.limits,
       .problem = server_problem,
       .log = [](const std::string& line) { std::fprintf(stderr, "tenbin: %s\n", line.c_str()); }},
      [&](net::Request&& request, net::Reply reply) {
        api.handle(std::move(request), std::move(reply));
      });
  api.on_news([&] { server.wake_streams(); });
  // The port first: who cannot have it must not take up any work. Requests wait in the mailbox.
  if (auto started = server.start(); !started) return complain(started.error().what);
  const auto end = [&] {
    api.hurry();  // or the server would wait for those who wait for a job
    server.stop();
    api.stop();
    (*live)->stop();
  };
  (*live)->start();
  for (const AttemptId id : (*executor)->kept()) {
    const bool runs = (*live)->read([&](const World& world) {
      const Job* job = world.jobs.find(JobId{id.job});
      return job && job->active() && job->attempt == id.attempt;
    });
    if (!runs) (*executor)->forget(id);
  }
  if (auto token = first_token(**live, settings.state); !token) {
    end();
    return complain(token.error().what);
  }
  const bool v6 = settings.address.find(':') != std::string::npos;
  const std::string host = v6 ? "[" + settings.address + "]" : settings.address;
  const std::string url =
      fmt::format("{}://{}:{}", settings.tls_key.empty() ? "http" : "https", host, server.port());
  if (auto written = write_private(settings.state + "/url", url + "\n"); !written) {
    end();
    return complain(written.error().what);
  }
  const Live::Recovery recovery = (*live)->recovery();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("tenbin: serving %s, state %s, ready in %.2f s (snapshot %llu and %llu records)\n",
              url.c_str(), settings.state.c_str(), seconds,
              static_cast<unsigned long long>(recovery.snapshot),
              static_cast<unsigned long long>(recovery.records));
  const std::vector<exec::GpuFound> gpus = exec::probe_gpus();
  for (const exec::GpuFound& gpu : gpus) {
    std::printf("tenbin: device %d of this machine is a %s with %lld MiB\n", gpu.index,
                gpu.model.c_str(), static_cast<long long>(gpu.memory_mib));
  }
  if (gpus.empty())
    std::printf("tenbin: no NVIDIA GPU found; GPUs are the slots that nodes declare\n");
  // A node that declares devices which are not there would give jobs GPUs that do not exist.
  (*live)->read([&](const World& world) {
    world.nodes.each([&](NodeId, const Node& node) {
      const std::uint32_t last = node.first_device + world.pools.at(node.pool).gpus_per_node;
      if (!gpus.empty() && last > gpus.size()) {
        std::printf("tenbin: node %s declares devices %u to %u, and this machine has %zu\n",
                    node.name.c_str(), node.first_device, last - 1, gpus.size());
      }
    });
  });
  std::printf("tenbin: the first officer's token is in %s/admin.token\n", settings.state.c_str());
  std::fflush(stdout);

  int signal_number = 0;
  sigwait(&ends, &signal_number);
  std::printf("tenbin: stopping; running jobs go on for %lld s, start again before that\n",
              static_cast<long long>(settings.lease.count / 1'000));
  std::fflush(stdout);
  end();
  return 0;
}

int verify_state(const std::vector<std::string>& words) {
  std::string state = default_state_folder();
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") {
      std::puts(
          "tenbin verify [STATE]\n\nReplays the journal of a state folder from its first record: "
          "the chain of hashes, every decision\n"
          "made again, every promise of the World, and that credits add up. May run beside the "
          "service.\n"
          "状態フォルダーのジャーナルを最初の記録から再生し、ハッシュの連鎖・すべての決定・台帳の合"
          "計を検証します。");
      return 0;
    }
    state = word;
  }
  auto journal = SqliteJournal::open(state, Access::read_only);
  if (!journal) return complain(journal.error().what);
  const bool terminal = ::isatty(2);
  const auto result = verify(**journal, [&](std::uint64_t records) {
    if (terminal) std::fprintf(stderr, "\r%llu records", static_cast<unsigned long long>(records));
  });
  if (terminal) std::fputs("\r", stderr);
  if (!result) {
    std::fprintf(stderr, "tenbin: verify: %s\n", result.error().what.c_str());
    return 1;
  }
  std::printf(
      "verified: %llu records, %llu events, %llu decided again alike, %llu jobs live\n"
      "credits: in lots %s = unallocated %s + free %s + held %s + spent %s + expired %s\n"
      "history digest: %016llx\n",
      static_cast<unsigned long long>(result->records),
      static_cast<unsigned long long>(result->events),
      static_cast<unsigned long long>(result->redecided),
      static_cast<unsigned long long>(result->live_jobs), text_of(result->in_lots).c_str(),
      text_of(result->unallocated).c_str(), text_of(result->free).c_str(),
      text_of(result->held).c_str(), text_of(result->spent).c_str(),
      text_of(result->expired).c_str(), static_cast<unsigned long long>(result->history));
  return 0;
}

}  // namespace tenbin
