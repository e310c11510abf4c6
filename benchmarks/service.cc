// The real service from outside: durable submissions over HTTP, recovery after a crash, and the
// command line's round trip. Each starts `tenbin serve` on a folder of its own.

#include <atomic>
#include <functional>
#include <thread>

#include "bench.h"
#include "codec/hash.h"
#include "codec/record.h"
#include "codec/snapshot.h"
#include "served.h"
#include "store/sqlite_history.h"
#include "store/sqlite_journal.h"

namespace tenbin::bench {

namespace {

// ---- submissions ----

struct Load {
  double per_second = 0;
  double p99_ms = 0;
};

/// `connections` that each ask again as soon as they are answered, in one thread.
Load load(const Service& service, std::size_t connections, double seconds) {
  struct Connection {
    int socket = -1;
    double asked = 0;
    std::string got;
  };
  std::vector<Connection> all(connections);
  std::vector<pollfd> polled(connections);
  std::uint64_t number = static_cast<std::uint64_t>(now_s() * 1e6);
  const auto ask = [&](Connection& c) {
    const std::string body = job_body;
    const std::string request =
        "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + service.token() +
        "\r\nContent-Type: application/json\r\nIdempotency-Key: " +
        to_uuid({0x0190000000007000u, 0x8000000000000000u | ++number}) +
        "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    c.asked = now_s();
    c.got.clear();
    if (::send(c.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      give_up("a connection was closed");
    }
  };
  for (std::size_t i = 0; i < connections; ++i) {
    all[i].socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(service.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(all[i].socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      give_up("cannot connect");
    polled[i] = {all[i].socket, POLLIN, 0};
    ask(all[i]);
  }
  std::vector<double> latencies;
  const double began = now_s();
  double end = began;
  while ((end = now_s()) - began < seconds) {
    if (::poll(polled.data(), polled.size(), 1'000) <= 0) give_up("no answer within a second");
    for (std::size_t i = 0; i < connections; ++i) {
      if (!(polled[i].revents & (POLLIN | POLLHUP))) continue;
      std::array<char, 4096> part;
      const ssize_t n = ::recv(all[i].socket, part.data(), part.size(), 0);
      if (n <= 0) give_up("a connection was closed");
      all[i].got.append(part.data(), static_cast<std::size_t>(n));
      const std::size_t head = all[i].got.find("\r\n\r\n");
      if (head == std::string::npos || all[i].got.back() != '}') continue;
      if (!all[i].got.starts_with("HTTP/1.1 201")) give_up("refused: " + all[i].got);
      latencies.push_back(now_s() - all[i].asked);
      ask(all[i]);
    }
  }
  for (const Connection& c : all) ::close(c.socket);
  Load result;
  result.per_second = static_cast<double>(latencies.size()) / (end - began);
  std::ranges::sort(latencies);
  result.p99_ms = latencies[latencies.size() * 99 / 100] * 1e3;
  return result;
}

/// Rows a second that the store's own group commit writes, in batches of as many as there are
/// connections.
double store_rows_per_second(const std::string& state, std::size_t batch, double seconds) {
  auto journal = SqliteJournal::open(state, Access::read_write);
  if (!journal) give_up(journal.error().what);
  std::uint64_t sequence = 0;
  const double began = now_s();
  while (now_s() - began < seconds) {
    std::vector<Record> records(batch);
    for (Record& record : records) record = {++sequence, Instant{1}, Hash{}, std::string(900, 'x')};
    if (auto written = (*journal)->append(records, {}); !written) give_up(written.error().what);
  }
  return static_cast<double>(sequence) / (now_s() - began);
}

std::vector<Measurement> submit_http_durable(const Options& options) {
  constexpr std::size_t connections = 32;
  constexpr double seconds = 3;
  std::vector<double> rates, tails, limits;
  for (int round = 0; round < options.rounds; ++round) {
    const TemporaryFolder folder;
    {
      Service service(folder / "state");
      set_up(service);
      load(service, connections, 0.3);
      const Load l = load(service, connections, seconds);
      rates.push_back(l.per_second);
      tails.push_back(l.p99_ms);
    }
    limits.push_back(store_rows_per_second(folder / "store", connections, 1));
  }
  return {{"submit_http_durable", median(rates), "submissions/s", options.rounds,
           "rows/s of the store's own group commit, batches of 32", median(limits),
           "32 connections, client on the same cores, each answered after its commit; asked: 5000"},
          {"submit_http_durable_p99", median(tails), "ms", options.rounds, "asked", 25, ""}};
}
const Registered submit{"submit_http_durable", submit_http_durable};

// ---- arrays ----

/// An array of a million tasks, from the request to the answer after its commit; beside it one job.
/// And how much memory of the service it takes.
std::vector<Measurement> array_submit(const Options& options) {
  const TemporaryFolder folder;
  Service service(folder / "state");
  set_up(service);
  net::Client client(service.url());
  std::string array_body = job_body;
  array_body.insert(1, R"("tasks":1000000,)");
  const auto ask = [&](const std::string& body) {
    const double began = now_s();
    const auto response = client.send("POST", "/v1/jobs", service.headers(), body, Span{30'000});
    if (!response || response->status != 201)
      give_up("an array: " + (response ? response->body : response.error().what));
    return now_s() - began;
  };
  ask(job_body);
  const double before = 1'024 * rss_kib(service.process());
  Measurement seconds = in_turn(
      {.name = "array_submit",
       .unit = "s",
       .limit_name = "s for one job",
       .note = "1,000,000 tasks over HTTP, answered after its commit; "
               "asked: 1"},
      options, [&] { return ask(array_body); }, [&] { return ask(job_body); });
  const double grown = 1'024 * rss_kib(service.process()) - before;
  return {seconds,
          {"array_memory", grown / (1e6 * options.rounds), "bytes", options.rounds,
           "bytes of one job's row", static_cast<double>(sizeof(Job)),
           "resident memory of the service for each task that waits"}};
}
const Registered array{"array_submit", array_submit};

// ---- recovery ----

constexpr std::uint64_t records_wanted = 1'000'000, live_wanted = 100'000;

/// Writes a journal of a million records: submissions, of which all but the last hundred thousand
/// were cancelled again; the newest snapshot lies as far back as it may with the service's own
/// settings.
void write_history(const std::string& state, std::uint64_t snapshot_at) {
  auto journal = SqliteJournal::open(state, Access::read_write);
  if (!journal) give_up(journal.error().what);
  World world;
  Facts facts;
  Hash last;
  std::uint64_t sequence = 0;
  std::vector<Record> records;
  Instant at{1'790'000'000'000};
  const auto flush = [&] {
    if (auto written = (*journal)->append(records, {}); !written) give_up(written.error().what);
    records.clear();
  };
  const auto ask = [&](const Command& command, RequestId request = {}) {
    facts.clear();
    at = at + Span{1};
    const Asked asked{.request = request, .command = command};
    const Decision decision = apply(world, asked, at, facts);
    if (!decision) give_up("the history's own command was refused");
    Record record{.sequence = ++sequence, .at = at};
    write_record(record.body, asked, facts.events());
    record.hash = last = chain(last, sequence, at, record.body);
    records.push_back(std::move(record));
    if (records.size() == 1'000) flush();
    if (sequence == snapshot_at) {
      flush();
      if (auto saved = (*journal)->save_snapshot({sequence, last, encode(world)}); !saved)
        give_up(saved.error().what);
    }
    return *decision;
  };
  ask(DeclareFunder{"f", "", {4'000'000'000'000, {'J', 'P', 'Y'}}, Credits{1'000'000}});
  ask(DeclareProgramme{"p", ""});
  ask(DeclareOrganisation{"o", ""});
  ask(DeclareGrant{"g", "", "p", "o"});
  ask(DeclareLot{"l",
                 "g",
                 "f",
                 {4'000'000'000'000, {'J', 'P', 'Y'}},
                 Instant{0},
                 Instant{4'000'000'000'000},
                 {}});
  ask(DeclareProject{"bench", "", "o"});
  ask(DeclareAllocation{"a", "g", "bench", Credits{3'000'000'000'000'000'000}, ""});
  ask(DeclareProvider{"v", ""});
  ask(DeclareRegion{"r", ""});
  ask(DeclarePool{
      .name = "q", .provider = "v", .region = "r", .gpu_model = "gpu", .gpus_per_node = 8});
  ask(DeclareNode{"n", "q", 0});
  ask(SetPrice{"q", Credits{600'000'000}, 1'100'000});
  ask(DrainNode{"n"});
  std::uint64_t job = 0;
  while (sequence < records_wanted) {
    job = ask(SubmitJob{.project = "bench",
                        .shape = {.packing = Packing::count, .gpus = Gpus{4'000}},
                        .time_limit = Span{3'600'000},
                        .name = "train"},
              {0x0190000000007000u, 0x8000000000000000u | (job + 1)});
    // Cancels keep the living at the wanted number from then on.
    if (world.jobs.size() > live_wanted && sequence < records_wanted) {
      ask(CancelJob{JobId{job - live_wanted}});
    }
  }
  flush();
}

double read_all(const std::string& path) {
  const double began = now_s();
  std::ifstream file(path, std::ios::binary);
  std::vector<char> part(1 << 20);
  std::uint64_t bytes = 0;
  while (file.read(part.data(), static_cast<std::streamsize>(part.size())) || file.gcount() > 0) {
    bytes += static_cast<std::uint64_t>(file.gcount());
  }
  keep(bytes);
  return now_s() - began;
}

std::vector<Measurement> recovery(const Options& options) {
  const TemporaryFolder folder;
  const std::string state = folder / "state";
  write_history(state, records_wanted - 100'000);
  const double file_s = read_all(state + "/journal.db");
  const auto copy = [&](int round, const char* kind) {
    const std::string to = folder / (std::string(kind) + std::to_string(round));
    std::filesystem::copy(state, to, std::filesystem::copy_options::recursive);
    return to;
  };
  const int rounds = std::min(options.rounds, 3);
  std::vector<double> with, without;
  for (int round = 0; round < rounds; ++round) {
    const std::string a = copy(round, "with-");
    {
      // The history was as far as the snapshot, as it always is when one is written.
      auto history = SqliteHistory::open(a);
      if (!history || !(*history)->follow(records_wanted - 100'000, {}, {})) give_up("no history");
    }
    {
      Service service(a);
      with.push_back(service.ready_s());
      service.end(SIGKILL);
    }
    std::filesystem::remove_all(a);
    const std::string b = copy(round, "without-");
    std::filesystem::remove_all(b + "/snapshots");
    {
      Service service(b);
      without.push_back(static_cast<double>(records_wanted) / service.ready_s());
      service.end(SIGKILL);
    }
    std::filesystem::remove_all(b);
  }
  return {{"recovery", median(with), "s", rounds, "s to read the file", file_s,
           "100,000 live jobs, 1,000,000 records, snapshot 100,000 records back; process start to "
           "first answer; asked: 5"},
          {"recovery_without_snapshot", median(without), "records/s", rounds,
           "records/s of reading the file", static_cast<double>(records_wanted) / file_s, ""}};
}
const Registered recover{"recovery", recovery};

// ---- backup ----

/// Submits at `asked` a second for `seconds`, over a few connections; how many a second were
/// answered.
double paced_submits(const Service& service, double asked, const std::function<bool()>& over) {
  constexpr std::size_t clients = 8;
  std::atomic<std::uint64_t> taken = 0, answered = 0;
  const double began = now_s();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < clients; ++i) {
    threads.emplace_back([&] {
      net::Client client(service.url());
      net::Headers headers = service.headers();
      headers.emplace_back("Idempotency-Key", "");
      while (!over()) {
        // Each submission has its moment; what is late is caught up at once, as an open queue of
        // people would.
        const std::uint64_t mine = taken.fetch_add(1);
        while (now_s() < began + static_cast<double>(mine) / asked && !over()) ::usleep(200);
        if (over()) return;
        headers.back().second =
            to_uuid({0x0190000000007000u,
                     0x8000000000000000u | (static_cast<std::uint64_t>(began * 1e6) + mine)});
        const auto response = client.send("POST", "/v1/jobs", headers, job_body, Span{30'000});
        if (!response || response->status != 201) give_up("a submit failed");
        ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return static_cast<double>(answered.load()) / (now_s() - began);
}

std::vector<Measurement> backup_live(const Options& options) {
  constexpr double asked = 1'000, alone_s = 5;
  const TemporaryFolder folder;
  const std::string state = folder / "state";
  write_history(state, records_wanted);
  {
    auto history = SqliteHistory::open(state);
    if (!history || !(*history)->follow(records_wanted, {}, {})) give_up("no history");
  }
  // The history has no tokens: the first start makes the officer's.
  Service service(state);
  std::vector<double> losses, lengths;
  const int rounds = std::min(options.rounds, 3);
  double alone_rate = 0;
  for (int round = 0; round < rounds; ++round) {
    const double until = now_s() + alone_s;
    alone_rate = paced_submits(service, asked, [&] { return now_s() >= until; });
    std::atomic<bool> done = false;
    const double began = now_s();
    std::thread backup([&] {
      const pid_t child =
          spawn({"tenbin", "backup", folder / ("backup" + std::to_string(round)), "--state", state},
                {}, true);
      int status = 0;
      ::waitpid(child, &status, 0);
      if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) give_up("tenbin backup failed");
      done = true;
    });
    const double beside = paced_submits(service, asked, [&] { return done.load(); });
    backup.join();
    lengths.push_back(now_s() - began);
    losses.push_back(100 * (1 - beside / alone_rate));
    std::filesystem::remove_all(folder / ("backup" + std::to_string(round)));
  }
  return {{"backup_live", median(losses), "% lost", rounds, "asked", 20,
           "submissions lost while 1,000,000 records are backed up, 1,000/s offered; alone " +
               std::to_string(static_cast<int>(alone_rate)) + "/s, backup took " +
               std::to_string(static_cast<int>(median(lengths))) + " s"}};
}
const Registered back_up_live{"backup_live", backup_live};

// ---- command line ----

std::vector<Measurement> cli_round_trip(const Options& options) {
  const TemporaryFolder folder;
  const std::string state = folder / "state";
  Service service(state);
  set_up(service);
  for (int i = 0; i < 100; ++i) service.post("/v1/jobs", job_body);
  net::Client client(service.url());
  return {in_turn(
      {.name = "cli_round_trip",
       .unit = "ms",
       .limit_name = "ms of an HTTP client that asks the same",
       .note = "`tenbin jobs` with 100 jobs, process start to end; asked: 30"},
      {.rounds = std::max(options.rounds, 15)},
      [&] {
        const double began = now_s();
        const pid_t child =
            spawn({"tenbin", "jobs", "--limit", "100"}, {"TENBIN_STATE=" + state}, true);
        int status = 0;
        ::waitpid(child, &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) give_up("tenbin jobs failed");
        return (now_s() - began) * 1e3;
      },
      [&] {
        const double began = now_s();
        net::Client fresh(service.url());
        const auto response =
            fresh.send("GET", "/v1/jobs?limit=100", service.headers(), "", Span{5'000});
        if (!response || response->status != 200) give_up("GET /v1/jobs failed");
        return (now_s() - began) * 1e3;
      })};
}
const Registered cli{"cli_round_trip", cli_round_trip};

// ---- lists ----

constexpr std::uint64_t settled_wanted = 1'000'000, list_projects = 100;

SettledJob settled_job(std::uint64_t n) {
  static constexpr std::array<const char*, 4> states{"completed", "completed", "failed",
                                                     "cancelled"};
  SettledJob job;
  job.job = n;
  job.project = n % list_projects == 0 ? "bench" : "project-" + std::to_string(n % list_projects);
  job.person = "person-" + std::to_string(n % 1'000);
  job.name = "train-" + std::to_string(n % 10'000);
  job.state = states[n % states.size()];
  job.shape = "8 GPU";
  job.region = "r";
  job.pool = "q";
  job.attempts = 1;
  job.gpus_milli = 8'000;
  job.time_limit = Span{3'600'000};
  job.submitted = job.started = job.ended = Instant{static_cast<std::int64_t>(n) * 1'000};
  job.charged = Credits{1'000'000};
  return job;
}

/// The 99th percentile in milliseconds of `count` runs of `work(i)`.
template <class Work>
double p99_ms(std::size_t count, Work&& work) {
  std::vector<double> latencies;
  for (std::size_t i = 0; i < count; ++i) {
    const double began = now_s();
    work(i);
    latencies.push_back((now_s() - began) * 1e3);
  }
  std::ranges::sort(latencies);
  return latencies[count * 99 / 100];
}

std::vector<Measurement> http_list(const Options& options) {
  const TemporaryFolder folder;
  const std::string state = folder / "state";
  // The journal must be as long as the history says it has followed it.
  {
    Service service(state);
    set_up(service);
    std::string items;
    for (std::uint64_t p = 1; p < list_projects; ++p)
      items +=
          R"(,{"kind":"project","organisation":"o","name":"project-)" + std::to_string(p) + "\"}";
    service.post("/v1/apply", "{\"items\":[" + items.substr(1) + "]}");
  }
  {
    // A past of a million jobs, told to the history as its follower does, and a World that gives
    // ids from there on.
    auto journal = SqliteJournal::open(state, Access::read_write);
    if (!journal) give_up(journal.error().what);
    auto snapshot = (*journal)->newest_snapshot();
    if (!snapshot || !*snapshot) give_up("the service left no snapshot");
    auto world = decode_world((*snapshot)->bytes);
    if (!world) give_up(world.error().what);
    world->jobs.skip_to(JobId{settled_wanted + 1});
    const std::uint64_t last = (*snapshot)->sequence;
    if (auto saved = (*journal)->save_snapshot({last, (*snapshot)->chain, encode(*world)}); !saved)
      give_up(saved.error().what);

    auto history = SqliteHistory::open(state);
    if (!history) give_up(history.error().what);
    if (auto cleared = (*history)->clear(); !cleared) give_up(cleared.error().what);
    constexpr std::uint64_t part = settled_wanted / 100;
    std::vector<SettledJob> rows;
    for (std::uint64_t n = 1; n <= settled_wanted; ++n) {
      rows.push_back(settled_job(n));
      if (rows.size() < part) continue;
      if (auto told = (*history)->follow(n / part, rows, {}); !told) give_up(told.error().what);
      rows.clear();
    }
    if (last < 100 || !(*history)->follow(last, {}, {})) give_up("the journal is too short");
  }
  Service service(state);
  auto database = SqliteDatabase::open(state + "/history.db", Access::read_only);
  if (!database) give_up(database.error().what);
  auto statement =
      database->prepare("SELECT * FROM settled_job WHERE project = ?1 ORDER BY job DESC LIMIT 100");
  if (!statement) give_up(statement.error().what);
  net::Client client(service.url());
  const auto project = [](std::size_t i) { return "project-" + std::to_string(i % 99 + 1); };
  constexpr std::size_t count = 500;
  return {in_turn(
      {.name = "http_list_p99",
       .unit = "ms",
       .limit_name = "ms p99 of SQLite answering the same query",
       .note = "first page of 100 of one of 100 projects, 1,000,000 settled jobs; asked: 50"},
      options,
      [&] {
        return p99_ms(count, [&](std::size_t i) {
          const auto response =
              client.send("GET", "/v1/jobs?limit=100&sort=-id&project=" + project(i),
                          service.headers(), "", Span{5'000});
          if (!response || response->status != 200) give_up("GET /v1/jobs failed");
          if (response->body.size() < 20'000) give_up("a page without jobs: " + response->body);
        });
      },
      [&] {
        return p99_ms(count, [&](std::size_t i) {
          const std::string name = project(i);
          statement->bind_text(1, name);
          std::size_t bytes = 0, rows = 0;
          while (statement->step().value_or(false)) {
            for (int c = 0; c < 21; ++c) bytes += statement->bytes(c).size();
            ++rows;
          }
          statement->reset();
          if (rows != 100) give_up("SQLite found other rows");
          keep(bytes);
        });
      })};
}
const Registered list_jobs{"http_list", http_list};

}  // namespace

}  // namespace tenbin::bench
