// kill -9, of the service and of those who watch over jobs, at any moment and again and again,
// while clients submit and cancel: what was acknowledged stays, what was not is done once, no job
// ever runs twice at a time, and in the end every micro-credit is where it belongs.
//
// Method: the real program, real processes. Every job holds a lock for each member while it runs
// and writes down when it begins and ends, so the jobs themselves tell whether two attempts met.
// Clients repeat what was not answered under the same Idempotency-Key. Seed and rounds come from
// TENBIN_KILL_SEED and TENBIN_KILL_ROUNDS.

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "faults/ledger.h"
#include "faults/service.h"

namespace tenbin::faults {
namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

const char* const script = R"sh(
exec 9>>"$TRACE/lock-$TENBIN_JOB_ID-$TENBIN_RANK"
flock -n 9 || echo "$TENBIN_JOB_ID $TENBIN_ATTEMPT $TENBIN_RANK" >> "$TRACE/overlap"
echo "start $TENBIN_ATTEMPT $TENBIN_RANK $(date +%s%3N)" >> "$TRACE/log-$TENBIN_JOB_ID"
sleep $LENGTH
echo "job $TENBIN_JOB_ID attempt $TENBIN_ATTEMPT"
echo "stop $TENBIN_ATTEMPT $TENBIN_RANK $(date +%s%3N)" >> "$TRACE/log-$TENBIN_JOB_ID"
exit $CODE
)sh";

std::string quoted(const std::string& text) {
  std::string out;
  JsonWriter(out).value(text);
  return out;
}

struct Wish {
  std::string key, body;
  int tasks = 1, code = 0;
  std::int64_t id = 0, first = 0;  // job or array, and first task, once acknowledged
  bool cancel = false;
  std::string cancel_key;
};

std::string job_body(const std::string& trace, const std::string& shape, int length_ms, int code,
                     int limit_ms = 60'000) {
  const std::string length =
      std::to_string(length_ms / 1000) + "." + std::to_string(1000 + length_ms % 1000).substr(1);
  return R"({"project": "project", )" + shape + R"(, "time_limit_ms": )" +
         std::to_string(limit_ms) + R"(, "run": {"argv": ["sh", "-c", )" + quoted(script) +
         R"(], "grace_ms": 300, "environment": {"TRACE": )" + quoted(trace) + R"(, "LENGTH": ")" +
         length + R"(", "CODE": ")" + std::to_string(code) + R"("}}})";
}

Wish any_wish(Rng& rng, const std::string& trace) {
  Wish wish{.key = uuid(rng), .code = rng.below(4) ? 0 : static_cast<int>(1 + rng.below(99))};
  std::string shape = R"("gpus": 1)";
  switch (rng.below(6)) {
    case 0: shape = R"("gpus": 2, "members": 2)"; break;
    case 1: shape = R"("gpus": "0.25")"; break;
    case 2: shape = R"("gpus": "0.4")"; break;
    case 3:
      wish.tasks = static_cast<int>(2 + rng.below(2));
      shape += R"(, "tasks": )" + std::to_string(wish.tasks);
      break;
    default: break;
  }
  wish.body = job_body(trace, shape, static_cast<int>(rng.below(600)), wish.code);
  wish.cancel = rng.below(8) == 0;
  wish.cancel_key = uuid(rng);
  return wish;
}

/// Where the service is now; clients look it up whenever they are not answered.
struct Whereabouts {
  std::mutex mutex;
  std::string url, token;
  std::atomic<bool> stop = false;
};

/// Asks until it is answered, through any number of lives of the service.
Reply insist(Whereabouts& where, const std::string& target, const std::string& body,
             const std::string& key) {
  for (;;) {
    std::string url, token;
    {
      const std::lock_guard lock(where.mutex);
      url = where.url;
      token = where.token;
    }
    Caller caller(url, token);
    Reply reply = caller.send("POST", target, body, {{"Idempotency-Key", key}}, Span{3'000});
    if (reply.status != 0 && reply.status < 500) return reply;
    rest(15);
  }
}

struct Load {
  std::mutex mutex;
  std::vector<Wish> done;
  std::vector<std::string> trouble;
};

void be_a_client(Whereabouts& where, Load& load, std::uint64_t seed, std::string trace) {
  Rng rng{seed};
  while (!where.stop) {
    Wish wish = any_wish(rng, trace);
    const Reply reply = insist(where, "/v1/jobs", wish.body, wish.key);
    wish.id = reply.number("job").value_or(0);
    wish.first = reply.number("first_task").value_or(wish.id);
    if (reply.status != 201 || wish.first == 0) {
      const std::lock_guard lock(load.mutex);
      load.trouble.push_back(std::to_string(reply.status) + " " + reply.body);
      continue;
    }
    {
      const std::lock_guard lock(load.mutex);
      load.done.push_back(wish);
    }
    if (wish.cancel) {
      rest(static_cast<int>(rng.below(150)));
      const Reply cancelled =
          insist(where, "/v1/jobs/" + std::to_string(wish.id) + "/cancel", "", wish.cancel_key);
      if (cancelled.status != 200 && cancelled.status != 409) {
        const std::lock_guard lock(load.mutex);
        load.trouble.push_back("cancel: " + std::to_string(cancelled.status) + " " +
                               cancelled.body);
      }
    }
    rest(static_cast<int>(100 + rng.below(300)));
  }
}

std::set<std::int64_t> all_jobs(Caller& caller) {
  std::set<std::int64_t> ids;
  std::string cursor;
  for (;;) {
    const Reply reply = caller.get("/v1/jobs?limit=500" + cursor);
    REQUIRE_MESSAGE(reply.status == 200, (reply.trouble + reply.body));
    JsonDocument document;
    const auto root = document.parse(reply.body);
    REQUIRE(root);
    (*root)["items"].each_item([&](JsonValue item) {
      ids.insert(item["id"].integer().value_or(-1));
      return true;
    });
    const auto next = (*root)["next"].text();
    if (!next) return ids;
    cursor = "&cursor=" + std::string(*next);
  }
}

TEST_CASE("kill -9 at any moment") {
  const std::uint64_t rounds = number_from("TENBIN_KILL_ROUNDS", 20);
  const std::uint64_t seed =
      number_from("TENBIN_KILL_SEED", static_cast<std::uint64_t>(wall_now_ms()));
  std::printf("kill_test: TENBIN_KILL_SEED=%llu TENBIN_KILL_ROUNDS=%llu\n",
              static_cast<unsigned long long>(seed), static_cast<unsigned long long>(rounds));
  std::fflush(stdout);
  CAPTURE(seed);
  Rng rng{seed};
  const TestFolder folder;
  Daemon service({.state = folder.state(),
                  .work = folder.work(),
                  .lease_ms = 1'000,
                  .more = {"--snapshot-every", "150"}});
  REQUIRE_MESSAGE(service.start(), service.words());
  Whereabouts where;
  where.url = service.url();
  where.token = service.token();
  {
    Caller officer(service.url(), service.token());
    declare_fleet(officer);
  }
  Load load;
  std::vector<std::jthread> clients;
  for (std::uint64_t i = 0; i < 3; ++i) {
    clients.emplace_back([&, i] { be_a_client(where, load, seed * 10 + i, folder.trace()); });
  }
  struct StopClients {
    Whereabouts& where;
    ~StopClients() { where.stop = true; }
  } stop_clients{where};

  std::uint64_t services = 0, watchers = 0;
  for (std::uint64_t round = 1; round <= rounds; ++round) {
    CAPTURE(round);
    rest(static_cast<int>(200 + rng.below(900)));
    const std::uint64_t kind = rng.below(10);
    if (kind >= 6) {  // one or two of those who watch over jobs
      std::vector<Seen> seen = supervisors(folder.state());
      for (std::uint64_t n = 1 + rng.below(2); n > 0 && !seen.empty(); --n) {
        const std::size_t at = rng.below(seen.size());
        ::kill(seen[at].process, SIGKILL);
        seen.erase(seen.begin() + static_cast<std::ptrdiff_t>(at));
        ++watchers;
      }
    }
    if (kind < 8) {
      std::vector<Wish> acknowledged;
      {
        const std::lock_guard lock(load.mutex);
        acknowledged = load.done;
      }
      service.kill9();
      ++services;
      rest(static_cast<int>(rng.below(4) ? rng.below(300) : rng.below(2'500)));
      REQUIRE_MESSAGE(service.start(), service.words());
      {
        const std::lock_guard lock(where.mutex);
        where.url = service.url();
      }
      Caller officer(service.url(), service.token());
      const std::set<std::int64_t> known = all_jobs(officer);
      for (const Wish& wish : acknowledged) {
        const bool there = known.contains(wish.id);
        CAPTURE(wish.id);
        REQUIRE(there);
      }
    }
    const Ran v = verified(folder.state());
    REQUIRE_MESSAGE(v.code == 0, v.words);
    REQUIRE(contents(folder.trace() + "/overlap") == "");
  }
  where.stop = true;
  clients.clear();
  for (const std::string& trouble : load.trouble) FAIL_CHECK(trouble);

  Caller officer(service.url(), service.token());
  REQUIRE(within(90, [&] {
    const Reply fleet = officer.get("/v1/jobs?state=running&limit=1");
    const Reply queue = officer.get("/v1/jobs?state=queued&limit=1"),
                stopping = officer.get("/v1/jobs?state=stopping&limit=1");
    const auto none = [](const Reply& r) {
      return r.body.find("\"items\":[]") != std::string::npos;
    };
    return none(fleet) && none(queue) && none(stopping);
  }));

  // One job for each wish, and no other.
  const std::set<std::int64_t> listed = all_jobs(officer);
  std::set<std::int64_t> wished;
  for (const Wish& wish : load.done) {
    CHECK(listed.contains(wish.id));
    if (wish.tasks > 1) wished.insert(wish.id);
    for (int task = 0; task < wish.tasks; ++task) {
      const bool fresh = wished.insert(wish.first + task).second;
      CHECK(fresh);
    }
  }
  // Tasks that were cancelled before they started have no line of their own.
  for (const std::int64_t id : listed) {
    CAPTURE(id);
    CHECK(wished.contains(id));
  }

  const Ledger ledger = read_ledger(folder.state());
  Credits charged;
  std::uint64_t again = 0, completed = 0;
  for (const Wish& wish : load.done) {
    REQUIRE(ledger.by_request.contains(wish.key));
    REQUIRE(ledger.by_request.at(wish.key).size() == static_cast<std::size_t>(wish.tasks));
    for (int task = 0; task < wish.tasks; ++task) {
      const std::int64_t id = wish.first + task;
      CAPTURE(id);
      const JobRow& job = ledger.jobs.at(static_cast<std::uint64_t>(id));
      CHECK(job.settlements == 1);
      CHECK(job.charged == price_of(job));
      charged += job.charged;
      again += job.attempts.size() > 1 ? 1 : 0;
      for (std::size_t i = 0; i < job.attempts.size(); ++i) {
        CHECK(job.attempts[i].attempt == i + 1);
        if (i + 1 < job.attempts.size()) CHECK(job.attempts[i].lost);
      }
      const Reply row = officer.get("/v1/jobs/" + std::to_string(id));
      CHECK(row.status == 200);
      CHECK(row.text("state").value_or("") == job.state);
      if (job.state == "cancelled") {
        CHECK(wish.cancel);
        continue;
      }
      // What ran, ran to its end, and its status and output are told right.
      CHECK(job.end_kind == "exited");
      CHECK(job.code == wish.code);
      CHECK(job.state == (wish.code == 0 ? "completed" : "failed"));
      ++completed;
      const std::string attempt = std::to_string(job.attempts.size());
      std::int64_t stopped = 0;
      std::string rank =
          "0";  // of a member that came to its end: the first that fails ends the others
      std::set<std::string> begun;  // "start ATTEMPT RANK": none twice
      for (const std::string& line : lines(folder.trace() + "/log-" + std::to_string(id))) {
        if (!line.starts_with("start ")) continue;
        const bool once = begun.insert(line.substr(0, line.rfind(' '))).second;
        CHECK(once);
      }
      for (const std::string& line : lines(folder.trace() + "/log-" + std::to_string(id))) {
        if (!line.starts_with("stop " + attempt + " ")) continue;
        stopped = std::max<std::int64_t>(stopped, std::atoll(line.c_str() + line.rfind(' ')));
        rank = line.substr(6 + attempt.size(), 1);
      }
      const Reply output = officer.get("/v1/jobs/" + std::to_string(id) + "/output?rank=" + rank);
      const std::string file =
          folder.state() + "/output/" + std::to_string(id) + "/" + attempt + "/" + rank + ".stdout";
      INFO("status ", output.status, " ", output.trouble, ", the file holds ", contents(file),
           ", the job's own log: ", contents(folder.trace() + "/log-" + std::to_string(id)));
      CHECK(output.body == "job " + std::to_string(id) + " attempt " + attempt + "\n");
      CHECK(stopped >= job.attempts.back().started.ms);
      CHECK(job.ended.ms >= stopped);
      CHECK(job.ended.ms - stopped < 2'000);  // its own end, not that of the service's absence
    }
  }
  CHECK(contents(folder.trace() + "/overlap") == "");
  const Reply balance = officer.get("/v1/projects/project/statement");
  CHECK(balance.text("held").value_or("") == "0");
  CHECK(balance.body.find("\"adds_up\":true") != std::string::npos);
  const std::string digits = std::to_string(1'000'000 + charged.count % 1'000'000).substr(1);
  std::string spent = std::to_string(charged.count / 1'000'000) + "." + digits;
  while (spent.back() == '0') spent.pop_back();
  if (spent.back() == '.') spent.pop_back();
  CHECK(balance.text("spent").value_or("") == spent);
  CHECK(officer.get("/v1/statement").body.find("\"adds_up\":true") != std::string::npos);

  // Nothing is left behind: no process, no folder of an attempt.
  CHECK(within(
      10, [&] { return supervisors(folder.state()).empty() && jobs_of(folder.trace()).empty(); }));
  service.signal(SIGTERM);
  CHECK(service.wait().code == 0);
  CHECK(verified(folder.state()).code == 0);
  // No life of it broke a promise; with sanitizers, none found anything either.
  CHECK(service.words().find("a promise was broken") == std::string::npos);
  CHECK(service.words().find("Sanitizer") == std::string::npos);
  MESSAGE("killed the service " << services << " times and " << watchers << " watchers; "
                                << wished.size() << " jobs, " << completed << " ran to their end, "
                                << again << " in more than one attempt");
}

TEST_CASE("a killed service loses nothing of what ran meanwhile") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work(), .lease_ms = 20'000});
  REQUIRE_MESSAGE(service.start(), service.words());
  std::vector<std::int64_t> jobs;
  {
    Caller officer(service.url(), service.token());
    declare_fleet(officer);
    for (int i = 0; i < 6; ++i) {
      const Reply reply =
          officer.post("/v1/jobs", job_body(folder.trace(), R"("gpus": 1)", 200 + 300 * i, i * 7));
      REQUIRE(reply.status == 201);
      jobs.push_back(*reply.number("job"));
    }
    REQUIRE(within(20, [&] {
      return !lines(folder.trace() + "/log-" + std::to_string(jobs.back())).empty();
    }));
  }
  service.kill9();
  rest(1'000);  // some end now
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::string address = "/v1/jobs/" + std::to_string(jobs[i]);
    const Reply job = officer.get(address + "/wait");
    CAPTURE(job.body);
    CHECK(job.number("attempt") == 1);
    CHECK(job.number("code") == static_cast<std::int64_t>(i) * 7);
    CHECK(job.text("state") == (i == 0 ? "completed" : "failed"));
    CHECK(officer.get(address + "/output").body ==
          "job " + std::to_string(jobs[i]) + " attempt 1\n");
  }
  for (const auto& [id, job] : read_ledger(folder.state()).jobs) {
    CHECK(job.attempts.size() == 1);
    CHECK(job.charged == price_of(job));
    const std::vector<std::string> log = lines(folder.trace() + "/log-" + std::to_string(id));
    REQUIRE(log.size() == 2);
    const std::int64_t stopped = std::atoll(log[1].c_str() + log[1].rfind(' '));
    CHECK(job.ended.ms >= stopped);
    CHECK(job.ended.ms - stopped < 1'000);
  }
}

TEST_CASE(
    "who watches over a job is killed: the job is lost, runs again, and pays for what ended") {
  for (const bool both : {false, true}) {
    CAPTURE(both);
    const TestFolder folder;
    Daemon service({.state = folder.state(), .work = folder.work(), .lease_ms = 1'000});
    REQUIRE_MESSAGE(service.start(), service.words());
    Caller officer(service.url(), service.token());
    declare_fleet(officer);
    const Reply reply =
        officer.post("/v1/jobs", job_body(folder.trace(), R"("gpus": 2, "members": 2)", 1'000, 0));
    REQUIRE(reply.status == 201);
    const std::string id = std::to_string(*reply.number("job"));
    REQUIRE(within(20, [&] { return lines(folder.trace() + "/log-" + id).size() == 2; }));
    const std::vector<Seen> seen = supervisors(folder.state());
    REQUIRE(seen.size() == 2);  // a supervisor and its warden
    ::kill(seen[0].process, SIGKILL);
    if (both) ::kill(seen[1].process, SIGKILL);
    const Reply job = officer.get("/v1/jobs/" + id + "/wait");
    CAPTURE(job.body);
    CHECK(job.text("state") == "completed");
    CHECK(job.number("attempt") == 2);
    CHECK(contents(folder.trace() + "/overlap") == "");
    const Ledger ledger = read_ledger(folder.state());
    const JobRow& row = ledger.jobs.begin()->second;
    REQUIRE(row.attempts.size() == 2);
    CHECK(row.attempts[0].lost);
    CHECK(row.charged == price_of(row));
    CHECK(row.charged.count >= 4 * 1'000'000 * 1);  // four GPUs for a second at a credit a second
    CHECK(row.charged.count < 4 * 1'000'000 * 3);
  }
}

TEST_CASE("a node is evacuated: its job starts elsewhere only when it has ended there") {
  // Its TERM is ignored, so that the first attempt lives for all of its grace.
  const TestFolder folder;
  // On a busy machine a start takes seconds: that must neither cost an attempt by its lease, nor
  // last until the job has ended by itself.
  Daemon service({.state = folder.state(), .work = folder.work(), .lease_ms = 30'000});
  REQUIRE_MESSAGE(service.start(), service.words());
  std::string id;
  bool killed = false;
  SUBCASE("by a service that goes on") {}
  SUBCASE("by a service that is killed right after") {
    killed = true;
  }
  {
    Caller officer(service.url(), service.token());
    declare_fleet(officer);
    std::string body = job_body(folder.trace(), R"("gpus": 4)", 3'000, 0);
    body.replace(body.find("\"grace_ms\": 300"), 15, "\"grace_ms\": 1500");
    const std::size_t at = body.find("exec 9");
    body.insert(at, "trap '' TERM; ");
    const Reply reply = officer.post("/v1/jobs", body);
    REQUIRE_MESSAGE(reply.status == 201, reply.body);
    id = std::to_string(*reply.number("job"));
    REQUIRE(within(20, [&] { return !lines(folder.trace() + "/log-" + id).empty(); }));
    const Reply job = officer.get("/v1/jobs/" + id);
    const std::string node = job.body.find("node-0") != std::string::npos ? "node-0" : "node-1";
    REQUIRE(officer.post("/v1/nodes/" + node + "/evacuate", "").status == 200);
    if (killed) {
      service.kill9();
      REQUIRE_MESSAGE(service.start(), service.words());
      // The stops may not have gone out. Nobody needs to ask again: the journal has it.
    }
  }
  Caller officer(service.url(), service.token());
  const Reply job = officer.get("/v1/jobs/" + id + "/wait");
  CAPTURE(job.body);
  CHECK(job.text("state") == "completed");
  CHECK(job.number("attempt") == 2);
  CHECK(contents(folder.trace() + "/overlap") == "");
}

}  // namespace
}  // namespace tenbin::faults
