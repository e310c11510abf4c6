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
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <new>
#include <optional>

#include "api/api.h"
#include "app/wall_clock.h"
#include "base/nearest.h"
#include "codec/hash.h"
#include "exec/gpu_probe.h"
#include "exec/local_executor.h"
#include "live/live.h"
#include "live/verify.h"
#include "net/http_server.h"
#include "operate/door.h"
#include "operate/log_writer.h"
#include "operate/metrics.h"
#include "operate/settings.h"
#include "store/sqlite_history.h"
#include "store/sqlite_journal.h"
#include "store/state_folder.h"

namespace tenbin {

namespace {

int complain(const std::string& what) {
  std::fprintf(stderr, "tenbin: %s\n", what.c_str());
  return 1;
}

constexpr std::string_view serve_help =
    "tenbin serve [--config FILE] [--check-config | --print-config] [SETTING...]\n"
    "\n"
    "Runs the service. It listens on 127.0.0.1:7411 unless told otherwise. Running jobs go on for "
    "one lease after it stops.\n"
    "As root, jobs run as --job-account, never as root.\n"
    "A setting is taken from its flag, else from its variable (TENBIN_PORT for --port), else from "
    "the file, else it is the one in brackets.\n"
    "The file is --config, $TENBIN_CONFIG, $XDG_CONFIG_HOME/tenbin/tenbin.toml or "
    "/etc/tenbin/tenbin.toml; its keys are the flags' names with _ for -.\n"
    "サービスを起動します。既定では 127.0.0.1:7411 で待ち受けます。停止後も実行中のジョブは "
    "リース期間（--lease-ms）の間続きます。\n"
    "root で起動した場合、ジョブは --job-account で実行され、root では実行されません。\n"
    "設定はフラグ、環境変数（--port なら "
    "TENBIN_PORT）、設定ファイル、既定値（括弧内）の順に優先されます。\n"
    "\n"
    "  --config FILE     settings to read / 読み込む設定ファイル\n"
    "  --check-config    only say whether the settings are right / 設定を検査して終了する\n"
    "  --print-config    print all settings and where each comes from / 設定とその出所を表示する\n";

using operate::Settings;

/// Reads all settings; an exit code if the process should end here.
std::optional<int> read_settings(const std::vector<std::string>& words, Settings& settings) {
  std::vector<std::string> rest;
  Settings only_flags;
  static_cast<void>(only_flags.read_flags(words, rest));
  std::string asked;
  bool check = false, print = false;
  std::vector<operate::Mistake> mistakes;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const std::string& word = rest[i];
    if (word == "--help" || word == "-h") {
      std::fputs(serve_manual().c_str(), stdout);
      return 0;
    }
    if (word == "--check-config") {
      check = true;
    } else if (word == "--print-config") {
      print = true;
    } else if (word == "--config" && i + 1 < rest.size()) {
      asked = rest[++i];
    } else if (word.starts_with("--config=")) {
      asked = word.substr(9);
    } else if (word.starts_with('-') || mistakes.empty()) {  // else it is the value of a mistake
      std::vector<std::string> flags{"--config", "--check-config", "--print-config", "--help"};
      for (const operate::Setting& one : operate::all_settings()) {
        flags.push_back("--" + std::string(one.name));
        std::ranges::replace(flags.back(), '_', '-');
      }
      const std::vector<std::string_view> names(flags.begin(), flags.end());
      const std::string near = nearest(word.substr(0, word.find('=')), names);
      mistakes.push_back(
          {word,
           near.empty() ? std::string("is not an option; see tenbin serve --help")
                        : fmt::format("is not an option; did you mean {}?", near),
           near.empty()
               ? std::string("という指定はできません。tenbin serve --help を参照してください")
               : fmt::format("という指定はできません。{} ではありませんか", near)});
    }
  }
  settings.set_standard("state", default_state_folder());
  const auto add = [&](std::vector<operate::Mistake> more) {
    std::ranges::move(more, std::back_inserter(mistakes));
  };
  const std::string path = config_path(asked);
  if (!path.empty()) {
    if (const auto text = read_config(path)) {
      add(settings.read_toml(*text, path));
    } else {
      mistakes.push_back({path, text.error().what, "設定ファイルを読めません"});
    }
  }
  add(settings.read_environment([](const std::string& name) { return std::getenv(name.c_str()); }));
  add(settings.read_flags(words, rest));
  if (settings.text("tls_cert").empty() != settings.text("tls_key").empty()) {
    mistakes.push_back({"tls_cert, tls_key", "they go together: give both or neither",
                        "両方を指定するか、どちらも指定しないでください"});
  }
  for (const operate::Mistake& mistake : mistakes) {
    std::fprintf(stderr, "tenbin: serve: %s: %s\ntenbin: serve: %s: %s\n", mistake.where.c_str(),
                 mistake.english.c_str(), mistake.where.c_str(), mistake.japanese.c_str());
  }
  if (!mistakes.empty()) return 2;
  if (print) {
    std::fputs(settings.print().c_str(), stdout);
    return 0;
  }
  if (check) {
    std::printf("%s: the settings are right\n%s: 設定に問題はありません\n",
                path.empty() ? "(no file)" : path.c_str(),
                path.empty() ? "(ファイルなし)" : path.c_str());
    return 0;
  }
  return std::nullopt;
}

operate::LogFormat log_format(const std::string& asked) {
  const bool text = asked == "text" || (asked == "auto" && ::isatty(2));
  return text ? operate::LogFormat::text : operate::LogFormat::json;
}

template <class Enum>
Enum position_in(const std::string& value, std::initializer_list<std::string_view> names) {
  const auto found = std::ranges::find(names, std::string_view(value));
  return static_cast<Enum>(found - names.begin());
}

// The latest instant at which a service was seen at work here: a fleet may rest for weeks without
// a record, and its clock is right all the same.
constexpr const char* alive_file = "/alive";

Instant last_alive(const std::string& state) {
  std::ifstream file(state + alive_file);
  std::int64_t ms = 0;
  return file >> ms && ms > 0 ? Instant{ms} : Instant{};
}

/// As many files as the system lets us have open, and no more connections than that leaves room
/// for: the journal, its readers and the supervisors of jobs need descriptors too.
void fit_connections(net::Limits& limits, const Log& log) {
  constexpr rlim_t kept_back = 512;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY) return;
  const rlim_t room = files.rlim_cur > 2 * kept_back ? files.rlim_cur - kept_back : kept_back;
  if (limits.connections_max <= room) return;
  log(LogLevel::warning, "fewer_connections",
      fmt::format("at most {} connections instead of {}: the limit on open files is {} "
                  "(LimitNOFILE, ulimit -n)",
                  room, limits.connections_max, files.rlim_cur));
  limits.connections_max = static_cast<std::size_t>(room);
}

net::Limits limits_of(const Settings& settings) {
  net::Limits limits;
  limits.connections_max = static_cast<std::size_t>(settings.number("connections_max"));
  limits.connections_per_peer = static_cast<std::size_t>(settings.number("connections_per_peer"));
  limits.streams_max = static_cast<std::size_t>(settings.number("streams_max"));
  limits.body_max_bytes = static_cast<std::uint64_t>(settings.number("body_max_bytes"));
  limits.header_timeout = Span{settings.number("header_timeout_ms")};
  limits.body_timeout = Span{settings.number("body_timeout_ms")};
  limits.idle_timeout = Span{settings.number("idle_timeout_ms")};
  limits.stop_grace = Span{settings.number("drain_ms")};
  // On loopback everybody has the same address; elsewhere one client must not take all the room.
  const std::string& address = settings.text("address");
  const bool loopback = address.starts_with("127.") || address == "::1";
  if (settings.origin("connections_per_peer") == "default" && !loopback)
    limits.connections_per_peer = 1'000;
  return limits;
}

// What SQLite and the containers cannot get ends the process before anything half done is seen.
void out_of_memory() {
  constexpr std::string_view words =
      "tenbin: out of memory: stopping now; what was acknowledged is safe. Allow more memory, then "
      "start again.\ntenbin: メモリーが不足したため停止します。受理済みの記録は失われません。\n";
  [[maybe_unused]] const ssize_t n = ::write(2, words.data(), words.size());
  ::_exit(71);
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

std::string config_path(const std::string& asked) {
  if (!asked.empty()) return asked;
  if (const char* own = std::getenv("TENBIN_CONFIG"); own && *own) return own;
  const char* xdg = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  std::vector<std::string> places;
  if (xdg && *xdg) {
    places.push_back(std::string(xdg) + "/tenbin/tenbin.toml");
  } else if (home && *home) {
    places.push_back(std::string(home) + "/.config/tenbin/tenbin.toml");
  }
  places.emplace_back("/etc/tenbin/tenbin.toml");
  for (const std::string& place : places) {
    if (::access(place.c_str(), F_OK) == 0) return place;
  }
  return {};
}

Result<std::string> read_config(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return failed(path + ": " + std::strerror(errno));
  if (!S_ISREG(about.st_mode)) return failed(path + ": it is not a plain file");
  if (about.st_mode & S_IWOTH)
    return failed(path + ": everybody may write it; run chmod o-w on it");
  if (about.st_size > 1024 * 1024) return failed(path + ": it is longer than 1 MiB");
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) return failed(path + ": it cannot be read");
  return text;
}

std::string configured_state_folder(const std::string& config) {
  Settings settings;
  settings.set_standard("state", default_state_folder());
  if (!config.empty()) {
    if (const auto text = read_config(config)) static_cast<void>(settings.read_toml(*text, config));
  }
  static_cast<void>(
      settings.read_environment([](const std::string& name) { return std::getenv(name.c_str()); }));
  return settings.text("state");
}

std::string serve_manual() {
  return std::string(serve_help) + operate::settings_help();
}

int serve(const std::vector<std::string>& words) {
  Settings settings;
  if (const auto code = read_settings(words, settings)) return *code;
  const std::string state = settings.text("state");
  const Span lease{settings.number("lease_ms")};

  // Before any thread: they inherit this, and only this function waits for the signals.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  // With TLS it means: read the certificate again, even if it is a terminal that went. Without TLS
  // a terminal that goes takes us with it.
  const bool tls = !settings.text("tls_key").empty();
  if (tls || !::isatty(0)) sigaddset(&ends, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ,
           SIG_IGN);  // a file that may not grow is an error like a full disk, and ends with words
  ::umask(077);
  std::set_new_handler(out_of_memory);

  operate::LogWriter writer(
      2, log_format(settings.text("log")),
      position_in<LogLevel>(settings.text("log_level"), {"debug", "info", "warning", "error"}));
  const Log log = writer.log();
  const auto refuse_to_start = [&](const std::string& what) {
    log(LogLevel::error, "start_failed", what);
    return 1;  // the writer's end flushes
  };
  rlimit files{};
  const auto files_as_started = ::getrlimit(RLIMIT_NOFILE, &files) == 0
                                    ? std::optional<std::uint64_t>(files.rlim_cur)
                                    : std::nullopt;  // for jobs; the service raises its own
  const auto began = std::chrono::steady_clock::now();
  std::error_code made;
  std::filesystem::create_directories(std::filesystem::path(state).parent_path(), made);
  if (auto mended = secure_state_folder(state); !mended) {
    return refuse_to_start(mended.error().what);
  } else {
    for (const std::string& path : *mended)
      log(LogLevel::warning, "rights_mended", path + " could be read by others; now it cannot");
  }

  // What watches the service must be answered while it still reads its journal.
  std::mutex figures_mutex;
  struct Watched {  // all null until the journal has been read
    Live* live = nullptr;
    exec::LocalExecutor* executor = nullptr;
    operate::Door* door = nullptr;
    net::Server* server = nullptr;
  } watched;  // under figures_mutex
  std::atomic<bool> recovered = false, stopping = false;
  const auto ready = [&](const net::Request&) {
    Live* live = nullptr;
    {
      const std::lock_guard lock(figures_mutex);
      live = watched.live;
    }
    return operate::ready_response(operate::why_unready(
        recovered, stopping, live ? live->figures() : LiveFigures{},
        operate::process_figures(state),
        {.disk_free_min_bytes =
             static_cast<std::uint64_t>(settings.number("disk_free_mib")) * 1024 * 1024}));
  };
  const auto metrics = [&] {
    operate::Figures figures{.version = TENBIN_VERSION};
    figures.process = operate::process_figures(state);
    figures.log_lines_dropped = writer.dropped();
    Watched now;
    {
      const std::lock_guard lock(figures_mutex);
      now = watched;
    }
    if (now.live) {
      figures.live = now.live->figures();
      figures.world = now.live->read(operate::world_figures);
      const auto executor = now.executor->figures();
      figures.executor = {executor.attempts, executor.supervisors, executor.launches,
                          executor.renewals_failed};
      figures.routes = now.door->routes();
      figures.open_requests = now.door->open_requests();
      const auto server = now.server->figures();
      figures.server = {server.connections, server.streams};
    }
    return operate::metrics_response(figures);
  };
  operate::Door watch_door(
      {.inner = [](net::Request&&, net::Reply reply) { reply(server_problem(404, "not_found")); },
       .access = operate::AccessLog::off,
       .log = log,
       .ready = ready,
       .metrics = metrics});
  std::optional<net::Server> watch_server;
  if (const auto listener = operate::listener_of(settings.text("metrics_listen"))) {
    watch_server.emplace(
        net::ServerSettings{
            .address = listener->address, .port = listener->port, .problem = server_problem},
        [&](net::Request&& request, net::Reply reply) {
          watch_door.handle(std::move(request), std::move(reply));
        });
    if (auto started = watch_server->start(); !started)
      return refuse_to_start("metrics_listen: " + started.error().what);
  }

  auto journal = SqliteJournal::open(state, Access::read_write, log);
  if (!journal) return refuse_to_start(journal.error().what);
  auto history = SqliteHistory::open(state, log);
  if (!history) return refuse_to_start(history.error().what);
  if (settings.text("work").empty()) {
    auto folder = default_work_folder(state);
    if (!folder) return refuse_to_start(folder.error().what);
    settings.set_standard("work", *folder);
  }
  const std::string work = settings.text("work");
  if (::geteuid() == 0) {
    // What we make ourselves the job account may pass through; a folder that was there is its
    // owner's.
    if (std::filesystem::create_directories(work, made)) ::chmod(work.c_str(), 0711);
    // Others may pass through, and look at nothing.
    for (std::filesystem::path p = work;
         p != p.root_path() && p.string().starts_with("/var/lib/tenbin"); p = p.parent_path()) {
      ::chmod(p.c_str(), 0711);
    }
  } else {
    log(LogLevel::warning, "not_root",
        "not running as root: jobs run as this user and could read the state folder; see "
        "docs/security.md / root ではないため、ジョブは同じ利用者として実行され、状態フォルダーを"
        "読めます（docs/security.md）");
  }
  const auto numbered = static_cast<std::uint32_t>(settings.number("job_accounts_from"));
  const bool by_project =
      ::geteuid() == 0 && settings.text("job_account").empty() && exec::accounts_can_have(numbered);
  if (::geteuid() == 0 && settings.text("job_account").empty() && !by_project) {
    log(LogLevel::warning, "one_account_for_jobs",
        fmt::format("there are no accounts from number {} on here (a user namespace); all jobs run "
                    "as nobody and can disturb one another: set job_accounts_from to 65,536 "
                    "numbers that there are / ここでは番号 {} からのアカウントを使えないため、全"
                    "ジョブを nobody で実行します。ジョブ同士の干渉を防げません。使える番号を "
                    "job_accounts_from に設定してください",
                    numbered, numbered));
    settings.set_standard("job_account", "nobody");
  }
  auto executor = exec::LocalExecutor::open(
      {.attempt_directory = state + "/attempts",
       .work_directory = work,
       .output_directory = state + "/output",
       .job_account = settings.text("job_account"),
       .project_accounts = by_project ? numbered : 0,
       .lease = lease,
       .open_files = files_as_started,
       .log = [&log](const std::string& line) { log(LogLevel::warning, "executor", line); }});
  if (!executor) return refuse_to_start(executor.error().what);
  WallClock clock(log);
  auto live = Live::open(
      **journal, **executor, **history, clock,
      {.snapshot_every = static_cast<std::uint64_t>(settings.number("snapshot_every")),
       .quarantine_file = state + "/quarantine",
       .fatal =
           [&](const Error& error) {
             log(LogLevel::error, "journal_not_written",
                 "the journal could not be written: " + error.what +
                     "; stopping now; what was acknowledged is safe. Make room or mend the disk, "
                     "then start again",
                 {{"message_ja",
                   "ジャーナルを書き込めないため停止します。受理済みの記録は失われません。空き容量"
                   "とディスクを確認して再起動してください。"}});
             writer.flush();
             ::_exit(70);
           },
       .log = log});
  if (!live) return refuse_to_start(live.error().what);

  const Instant last_record = (*live)->read([](const World& world) { return world.now; });
  const Instant seen = std::max(last_record, last_alive(state));
  const Instant wall = clock.now();
  if (last_record - wall > Span{60'000}) {
    log(LogLevel::warning, "clock_behind",
        fmt::format("the clock is {} s behind the journal; ledger time stands still until it has "
                    "caught up",
                    (last_record - wall).count / 1'000),
        {{"by_ms", (last_record - wall).count}});
  }
  // Lots expire by this clock, and for good.
  if ((*live)->sequence() > 0 && wall - seen > WallClock::far_ahead &&
      !settings.on("accept_clock")) {
    return refuse_to_start(fmt::format(
        "the clock is {} days ahead of the last time a service ran here, so credits could expire "
        "by mistake; if the clock is right, start once with --accept-clock / 時計が最後の稼働より "
        "{} 日進んでいます。時計が正しければ、一度だけ --accept-clock を付けて起動してください",
        (wall - seen).count / 86'400'000, (wall - seen).count / 86'400'000));
  }

  Api api(**live);
  api.serve_metrics(metrics);
  api.set_secure(!settings.text("tls_key").empty());
  operate::Door door(
      {.inner = [&](net::Request&& request,
                    net::Reply reply) { api.handle(std::move(request), std::move(reply)); },
       .access = position_in<operate::AccessLog>(settings.text("access_log"),
                                                 {"off", "errors", "changes", "all"}),
       .log = log,
       .ready = ready});
  net::Limits limits = limits_of(settings);
  fit_connections(limits, log);
  net::Server server(
      {.address = settings.text("address"),
       .port = static_cast<std::uint16_t>(settings.number("port")),
       .tls_certificate = settings.text("tls_cert"),
       .tls_key = settings.text("tls_key"),
       .limits = limits,
       .problem = server_problem,
       .log = [&log](const std::string& line) { log(LogLevel::warning, "server", line); }},
      [&](net::Request&& request, net::Reply reply) {
        door.handle(std::move(request), std::move(reply));
      });
  api.on_news([&] { server.wake_streams(); });
  {
    const std::lock_guard lock(figures_mutex);
    watched = {live->get(), executor->get(), &door, &server};
  }
  const auto end = [&] {
    stopping = true;
    api.hurry();  // or the server would wait for those who wait for a job
    server.stop();
    api.stop();
    if (watch_server) watch_server->stop();
    (*live)->stop();
  };
  // The port first: who cannot have it must not take up any work. Requests wait in the mailbox.
  if (auto started = server.start(); !started) {
    if (watch_server) watch_server->stop();
    return refuse_to_start(started.error().what);
  }
  (*live)->start();
  recovered = true;
  for (const AttemptId id : (*executor)->kept()) {
    const bool runs = (*live)->read([&](const World& world) {
      const Job* job = world.jobs.find(JobId{id.job});
      return job && job->active() && job->attempt == id.attempt;
    });
    if (!runs) (*executor)->forget(id);
  }
  if (auto token = first_token(**live, state); !token) {
    end();
    return refuse_to_start(token.error().what);
  }
  const bool v6 = settings.text("address").find(':') != std::string::npos;
  const std::string host = v6 ? "[" + settings.text("address") + "]" : settings.text("address");
  const std::string url = fmt::format(
      "{}://{}:{}", settings.text("tls_key").empty() ? "http" : "https", host, server.port());
  if (auto written = write_private(state + "/url", url + "\n"); !written) {
    end();
    return refuse_to_start(written.error().what);
  }
  const Live::Recovery recovery = (*live)->recovery();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf("tenbin: serving %s, state %s, ready in %.2f s (snapshot %llu and %llu records)\n",
              url.c_str(), state.c_str(), seconds,
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
  std::printf("tenbin: the first officer's token is in %s/admin.token\n", state.c_str());
  std::fflush(stdout);

  if (watch_server) {
    std::printf("tenbin: metrics without a token on port %u\n", watch_server->port());
    std::fflush(stdout);
  }
  const auto still_alive = [&] {
    static_cast<void>(write_private(state + alive_file, std::to_string(clock.now().ms) + "\n"));
  };
  still_alive();
  const timespec hour{3'600, 0};
  for (;;) {
    const int signal = sigtimedwait(&ends, nullptr, &hour);
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal < 0 && errno == EAGAIN) still_alive();
    if (signal != SIGHUP || !tls) continue;
    if (auto read = server.reload_certificate(); read) {
      log(LogLevel::info, "certificate_read", "the TLS certificate was read again");
    } else {
      log(LogLevel::error, "certificate_not_read",
          read.error().what + "; the one before stays in use");
    }
  }
  still_alive();
  std::printf("tenbin: stopping; running jobs go on for %lld s, start again before that\n",
              static_cast<long long>(lease.count / 1'000));
  std::fflush(stdout);
  end();
  return 0;
}

std::string verify_manual() {
  return "tenbin verify [STATE]\n\nReplays the journal of a state folder from its first record: "
         "the chain of hashes, every decision\n"
         "made again, every promise of the World, and that credits add up. May run beside the "
         "service.\n"
         "状態フォルダーのジャーナルを最初の記録から再生し、ハッシュの連鎖・すべての決定・台帳の合"
         "計を検証します。\n";
}

int verify_state(const std::vector<std::string>& words) {
  std::string state;
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") {
      std::fputs(verify_manual().c_str(), stdout);
      return 0;
    }
    state = word;
  }
  if (state.empty()) state = configured_state_folder(config_path(""));
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

Result<void> read_journal(
    const std::string& state,
    const std::function<bool(std::uint64_t sequence, Instant at, std::string_view body)>& visit) {
  auto journal = SqliteJournal::open(
      state.empty() ? configured_state_folder(config_path("")) : state, Access::read_only);
  if (!journal) return std::unexpected(journal.error());
  return (*journal)->read(
      1, [&](const Record& record) { return visit(record.sequence, record.at, record.body); });
}

}  // namespace tenbin
