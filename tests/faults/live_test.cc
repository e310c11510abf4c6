// The live driver, with everything outside it failing on purpose: what was answered survives, what
// was not answered is never half there, and nobody is told anything that is not in the journal.
//
// Method: a driver runs in this process over a journal in memory. A kill is a copy of that journal
// taken at an instant while it runs, which is what a killed process leaves; the next driver opens
// the copy. What must end the process is done in a child, and the child's words and exit code are
// read.

#include "live/live.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <thread>

#include "codec/hash.h"
#include "codec/record.h"
#include "codec/snapshot.h"
#include "codec/spec.h"
#include "core/limits.h"
#include "faults/outside.h"
#include "live/verify.h"
#include "property/story.h"
#include "store/memory_journal.h"

namespace tenbin {
namespace {

constexpr Instant dawn{1'800'000'000'000};
constexpr Span day{86'400'000};
constexpr std::chrono::seconds patience{20};

RequestId request(std::uint64_t number) {
  return {0x0190'0000'0000'7000u, 0x8000'0000'0000'0000u | number};
}

/// One life of a service. Dies when it goes out of scope, cleanly.
struct Service {
  Journal& journal;
  MemoryHistory& history;
  ManualClock& clock;
  FakeExecutor executor;
  std::unique_ptr<Live> live;
  std::string trouble;  // why it did not open

  Service(Journal& j, MemoryHistory& h, ManualClock& c, Machines& machines,
          LiveSettings settings = {})
      : journal(j), history(h), clock(c), executor(machines) {
    auto opened = Live::open(journal, executor, history, clock, std::move(settings));
    if (!opened) {
      trouble = opened.error().what;
      return;
    }
    live = std::move(*opened);
    live->start();
  }
  ~Service() { live.reset(); }

  Answer ask(Command command, RequestId id = {}, std::optional<Blob> blob = {},
             PersonId by = {}) const {
    auto answered = std::make_shared<std::promise<Answer>>();
    auto answer = answered->get_future();
    Message message;
    message.asked = {by, id, command};
    message.blob = std::move(blob);
    message.reply = [answered](const Answer& a) { answered->set_value(a); };
    live->ask(std::move(message));
    REQUIRE(answer.wait_for(patience) == std::future_status::ready);
    return answer.get();
  }
  Decision decide(Command command, RequestId id = {}) const { return ask(command, id).decision; }

  JobId submit(RequestId id = {}, Span limit = Span{3'600'000}, Gpus gpus = Gpus{1'000}) const {
    const std::string bytes = write_spec({.argv = {"true"}});
    const SubmitJob job{
        .project = "project", .shape = {.gpus = gpus}, .time_limit = limit, .spec = hash_of(bytes)};
    const Answer answer = ask(job, id, Blob{hash_of(bytes), bytes});
    REQUIRE(answer.decision.has_value());
    return JobId{*answer.decision};
  }
  World world() const {
    return live->read([](const World& w) { return w; });
  }
  JobState state(JobId id) const {
    return live->read([&](const World& w) {
      const Job* job = w.jobs.find(id);
      return job ? job->state : JobState::completed;
    });
  }
};

template <class Check>
bool soon(Check&& check) {
  for (const auto over = std::chrono::steady_clock::now() + patience;
       std::chrono::steady_clock::now() < over;) {
    if (check()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return check();
}

/// A programme with 5,000 credits for one project, and two nodes of four GPUs at 2 credits an hour.
void found(const Service& s, Instant lot_expires = dawn + Span{365 * day.count}) {
  const Command commands[] = {
      DeclareFunder{"funder", "", {100'000'000, {'U', 'S', 'D'}}, Credits{10'000}},
      DeclareProgramme{"programme", ""},
      DeclareOrganisation{"organisation", ""},
      DeclareGrant{"grant", "", "programme", "organisation"},
      DeclareLot{
          "lot", "grant", "funder", {1'000'000, {'U', 'S', 'D'}}, dawn - day, lot_expires, {}},
      DeclareProject{"project", "", "organisation"},
      DeclareAllocation{"allocation", "grant", "project", Credits{5'000'000'000}, ""},
      DeclareProvider{"provider", ""},
      DeclareRegion{"region", ""},
      DeclarePool{.name = "pool",
                  .provider = "provider",
                  .region = "region",
                  .gpu_model = "model",
                  .gpus_per_node = 4},
      DeclareNode{"node-0", "pool", 0},
      DeclareNode{"node-1", "pool", 4},
      SetPrice{"pool", Credits{2'000'000}},
  };
  for (const Command& command : commands) REQUIRE(s.decide(command).has_value());
}

std::vector<Record> records_of(Journal& journal) {
  std::vector<Record> records;
  REQUIRE(journal.read(1, [&](const Record& r) {
    records.push_back(r);
    return true;
  }));
  return records;
}

World replayed(Journal& journal) {
  World world;
  JsonDocument document;
  Facts facts;
  for (const Record& r : records_of(journal)) {
    facts.clear();
    REQUIRE(read_record(document, r.body, facts));
    for (const Event& event : facts.events()) record(world, event, r.at);
  }
  return world;
}

/// Every settlement of the journal, and how often each job was settled.
std::map<std::uint64_t, int> settlements(Journal& journal) {
  std::map<std::uint64_t, int> count;
  JsonDocument document;
  Facts facts;
  for (const Record& r : records_of(journal)) {
    facts.clear();
    REQUIRE(read_record(document, r.body, facts));
    for (const Event& event : facts.events()) {
      if (const auto* settled = std::get_if<JobSettled>(&event)) ++count[settled->job.value];
    }
  }
  return count;
}

void check_history(const MemoryHistory& history, Journal& journal) {
  const MemoryHistory::State state = history.state();
  const auto settled = settlements(journal);
  Credits charged, rows;
  std::size_t jobs = 0;
  for (const auto& [id, job] : state.jobs) {
    if (job.tasks > 0) continue;  // an array: its tasks have rows of their own
    ++jobs;
    CHECK(settled.contains(id));
    charged += job.charged;
  }
  REQUIRE(jobs == settled.size());
  for (const ChargeRow& row : state.charges) rows += row.amount;
  Credits spent;
  const World world = replayed(journal);
  // Attempts that failed are charged at once, their job is settled when it is over.
  world.jobs.each([&](JobId, const Job& job) { charged += job.charged; });
  CHECK(charged == rows);
  world.shares.each(
      [&](ShareId, const Share& share) { spent += world.accounts.at(share.used).balance(); });
  CHECK(spent == rows);
}

// ---- restarts ----

TEST_CASE("what was answered is there after a restart, and a repeat is answered alike") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  std::unique_ptr<MemoryJournal> next;
  JobId job;
  Decision refused;
  {
    Service s(journal, history, clock, machines);
    found(s);
    job = s.submit(request(1));
    CHECK(s.submit(request(1)) == job);  // before the restart
    const CancelJob nobody{JobId{999}};
    refused = s.decide(nobody, request(2));
    REQUIRE(!refused);
    CHECK(s.decide(nobody, request(2)).error().reason == refused.error().reason);
    next = journal.after_restart();
  }
  MemoryHistory none;
  Service s(*next, none, clock, machines);
  REQUIRE(s.live);
  CHECK(s.submit(request(1)) == job);
  CHECK(s.decide(CancelJob{JobId{999}}, request(2)).error().reason == refused.error().reason);
  // The same id with another question is told apart, also now.
  CHECK(s.decide(CancelJob{job}, request(1)).error().reason == Reason::request_reused);
  CHECK(s.world().jobs.size() == 1);
  CHECK(sound(s.world()));
}

TEST_CASE("fifty lives of a service, killed at any moment") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    Rng rng{seed};
    Dice dice{seed};
    Story story{dice};
    Machines machines;
    ManualClock clock(Instant{1'700'000'000'000});
    auto journal =
        std::make_unique<MemoryJournal>(JournalFaults{.delay = Span{rng.below(2) ? 0 : 1}});
    auto history = std::make_unique<MemoryHistory>();
    const std::string bytes = write_spec({.argv = {"true"}});

    struct Answered {
      Asked asked;
      Decision decision;
      Instant at;
    };
    struct Heard {  // what clients had been told before the kill
      std::mutex mutex;
      bool dead = false;
      std::vector<Answered> answers;
      std::size_t told = 0;
    };
    std::vector<Answered> promised;
    std::map<RequestId, Instant> first_asked;
    for (int life = 0; life < 4; ++life) {
      CAPTURE(life);
      auto heard = std::make_shared<Heard>();
      std::unique_ptr<MemoryJournal> left;
      std::unique_ptr<MemoryHistory> left_history;
      {
        {  // what it recovers, before anything happens
          const auto copy = journal->after_restart();
          MemoryHistory its_history(history->state());
          FakeExecutor executor(machines);
          const auto found = Live::open(*copy, executor, its_history, clock, {});
          REQUIRE_MESSAGE(found, found.error().what);
          const World start = (*found)->read([](const World& w) { return w; });
          REQUIRE(broken_promise(start) == "");
          REQUIRE(encode(start) == encode(replayed(*copy)));
        }
        Service s(*journal, *history, clock, machines, {.snapshot_every = 1 + rng.below(60)});
        REQUIRE_MESSAGE(s.live, s.trouble);
        for (const Answered& a : promised) {
          const Answered* known = &a;
          // Seven days after it was first asked it may be forgotten, as is promised.
          const Instant first = first_asked.at(known->asked.request);
          if (std::max(s.world().now, clock.now()) - first >= request_memory) continue;
          const Decision again =
              s.ask(known->asked.command, known->asked.request, {}, known->asked.by).decision;
          INFO("answered at ", known->at.ms, ", now ", s.world().now.ms, ", command ",
               command_names[known->asked.command.index()], " ",
               again ? "" : text_of(again.error().reason).name);
          REQUIRE(again.has_value() == known->decision.has_value());
          if (again) REQUIRE(*again == *known->decision);
          if (!again) REQUIRE(again.error().reason == known->decision.error().reason);
        }
        const int steps = static_cast<int>(20 + rng.below(60));
        std::size_t asked_count = 0;
        for (int step = 0; step < steps; ++step) {
          clock.pass(story.pause());
          if (rng.below(20) == 0) clock.pass(Span{-3'000});  // the wall clock is set back
          Asked asked = s.live->read(
              [&](const World& w) { return story.next(w, std::max(w.now, clock.now())); });
          if (std::holds_alternative<Schedule>(asked.command) ||
              std::holds_alternative<OpenEpoch>(asked.command))
            continue;
          Message message;
          if (auto* submit = std::get_if<SubmitJob>(&asked.command)) {
            submit->spec = hash_of(bytes);
            message.blob = Blob{submit->spec, bytes};
          }
          message.asked = asked;
          message.reply = [heard, asked](const Answer& answer) {
            const std::lock_guard lock(heard->mutex);
            ++heard->told;
            if (!heard->dead && asked.request)
              heard->answers.push_back({asked, answer.decision, answer.at});
          };
          first_asked.try_emplace(asked.request, std::min(clock.now(), s.world().now));
          s.live->ask(std::move(message));
          ++asked_count;
          // Machines end what they run: late, twice, never, in any order, and some are lost.
          for (const AttemptId id : machines.running()) {
            if (rng.below(8) != 0) continue;
            const auto outcome = static_cast<Outcome>(rng.below(6));
            const Instant ended =
                clock.now() + Span{static_cast<std::int64_t>(rng.below(100'000)) - 50'000};
            s.executor.end(id, outcome, static_cast<std::int32_t>(rng.below(3)), ended,
                           rng.below(3) != 0);
            if (rng.below(3) == 0) s.executor.end(id, outcome, 0, ended);
          }
          if (rng.below(4) == 0)
            std::this_thread::sleep_for(std::chrono::microseconds(rng.below(300)));
        }
        // Killed: nothing that happens from here on reaches anybody.
        s.executor.cut();
        {
          const std::lock_guard lock(heard->mutex);
          heard->dead = true;
          promised.insert(promised.end(), heard->answers.begin(), heard->answers.end());
        }
        left = journal->after_restart({.delay = Span{rng.below(2) ? 0 : 1}});
        left_history = std::make_unique<MemoryHistory>(rng.below(4) ? history->state()
                                                                    : MemoryHistory::State{});
        REQUIRE(soon([&] {  // the old one answers everyone, each once
          const std::lock_guard lock(heard->mutex);
          return heard->told == asked_count;
        }));
        s.live->stop();
        const std::lock_guard lock(heard->mutex);
        REQUIRE(heard->told == asked_count);
      }
      journal = std::move(left);
      history = std::move(left_history);
      // No work was ever begun whose start is not in the journal.
      std::set<AttemptId> recorded;
      JsonDocument document;
      Facts facts;
      for (const Record& r : records_of(*journal)) {
        facts.clear();
        REQUIRE(read_record(document, r.body, facts));
        for (const Event& event : facts.events()) {
          if (const auto* e = std::get_if<JobStarted>(&event))
            recorded.insert({e->job.value, e->attempt});
        }
      }
      for (const AttemptId id : machines.ever_started()) {
        const bool known = recorded.contains(id);
        REQUIRE(known);
      }
    }
    // A last life: every end is told in the end, all is settled once, and the books are right.
    Service s(*journal, *history, clock, machines);
    REQUIRE_MESSAGE(s.live, s.trouble);
    for (const AttemptId id : machines.running())
      s.executor.end(id, Outcome::exited, 0, clock.now());
    s.decide(DeclareProvider{"the-last", ""});
    s.live->catch_up_history();
    check_history(*history, *journal);
    for (const auto& [id, count] : settlements(*journal)) REQUIRE(count == 1);
    const auto verified = verify(*journal);
    REQUIRE_MESSAGE(verified, verified.error().what);
  }
}

TEST_CASE("a restart takes up what runs, and stops what was to be stopped") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  std::unique_ptr<MemoryJournal> next;
  JobId runs, stops, over;
  {
    Service s(journal, history, clock, machines);
    found(s);
    runs = s.submit();
    stops = s.submit();
    over = s.submit();
    REQUIRE(soon([&] { return machines.running().size() == 3; }));
    s.executor.cut();  // the service is killed between the record and its effect
    REQUIRE(s.decide(CancelJob{stops}));
    CHECK(!machines.stop_was_asked({stops.value, 1}));
    next = journal.after_restart();
  }
  {  // one ends while there is no service
    FakeExecutor machine(machines);
    machine.end({over.value, 1}, Outcome::exited, 7, dawn + Span{5'000}, false);
  }
  clock.pass(Span{60'000});
  Service s(*next, history, clock, machines);
  REQUIRE(s.live);
  REQUIRE(soon([&] { return s.world().jobs.size() == 2; }));
  CHECK(machines.stop_was_asked({stops.value, 1}));
  CHECK(!machines.stop_was_asked({runs.value, 1}));
  CHECK(s.state(runs) == JobState::running);
  s.live->catch_up_history();
  const auto settled = history.job(over.value);
  REQUIRE(settled);
  REQUIRE(*settled);
  CHECK((*settled)->state == "failed");
  CHECK((*settled)->code == 7);
  CHECK((*settled)->ended == dawn + Span{5'000});
  CHECK((*settled)->charged == price(Span{5'000}, Rate{2'000'000}));
}

TEST_CASE("an end that is told twice settles once") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  Service s(journal, history, clock, machines);
  found(s);
  const JobId job = s.submit();
  REQUIRE(soon([&] { return machines.running().size() == 1; }));
  clock.pass(Span{10'000});
  const AttemptEnd end{.id = {job.value, 1},
                       .outcome = Outcome::exited,
                       .code = 0,
                       .ended = clock.now(),
                       .words = {}};
  for (int i = 0; i < 3; ++i) s.executor.tell(end);
  REQUIRE(soon([&] { return machines.kept().empty(); }));
  s.executor.tell(end);  // long after
  AttemptEnd never_was = end;
  never_was.id = {4711, 3};
  s.executor.tell(never_was);
  s.decide(DeclareProvider{"after", ""});
  CHECK(settlements(journal) == std::map<std::uint64_t, int>{{job.value, 1}});
  s.live->catch_up_history();
  check_history(history, journal);
}

TEST_CASE("ends come in any order, and one that comes late belongs to its own attempt") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  Service s(journal, history, clock, machines);
  found(s);
  const JobId job = s.submit();
  REQUIRE(soon([&] { return machines.running().size() == 1; }));
  clock.pass(Span{10'000});
  s.executor.end({job.value, 1}, Outcome::lost, 0, clock.now());
  REQUIRE(soon([&] { return machines.running() == std::vector<AttemptId>{{job.value, 2}}; }));
  // A straggler says that the first attempt went well: the second runs on.
  s.executor.tell({.id = {job.value, 1},
                   .outcome = Outcome::exited,
                   .code = 0,
                   .ended = clock.now(),
                   .words = {}});
  s.decide(DeclareProvider{"after", ""});
  CHECK(s.state(job) == JobState::running);
  CHECK(machines.running().size() == 1);
  const Instant started = s.world().jobs.at(job).started;
  clock.pass(Span{20'000});
  s.executor.end({job.value, 2}, Outcome::exited, 0, clock.now());
  REQUIRE(soon([&] { return s.world().jobs.size() == 0; }));
  s.live->catch_up_history();
  const auto row = history.job(job.value);
  CHECK((*row)->attempts == 2);
  CHECK((*row)->charged == price(clock.now() - started, Rate{2'000'000}));  // the lost one is free
}

// ---- time ----

TEST_CASE("a clock that is set back never takes the ledger's time back") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  Service s(journal, history, clock, machines);
  found(s);
  clock.set(dawn - day);
  const JobId job = s.submit();
  REQUIRE(soon([&] { return machines.running().size() == 1; }));
  CHECK(s.world().now == dawn);
  CHECK(s.world().jobs.at(job).started == dawn);
  s.executor.end({job.value, 1}, Outcome::exited, 0, clock.now());  // "ended a day before it began"
  REQUIRE(soon([&] { return s.world().jobs.size() == 0; }));
  s.live->catch_up_history();
  CHECK((*history.job(job.value))->charged == Credits{0});
  Instant last;
  for (const Record& r : records_of(journal)) {
    CHECK(r.at >= last);
    last = r.at;
  }
  const auto next = journal.after_restart();
  MemoryHistory none;
  Service again(*next, none, clock, machines);
  REQUIRE_MESSAGE(again.live, again.trouble);
  CHECK(again.world().now == dawn);
}

TEST_CASE("lots expire by the clock, with nobody asking") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  Service s(journal, history, clock, machines);
  found(s, dawn + Span{300});
  const std::uint64_t before = s.live->sequence();
  clock.flow();
  // The owner may sleep up to a minute when nothing is due; this is due in less than a second.
  s.decide(DeclareProvider{"wakes-it", ""});
  REQUIRE(soon([&] { return s.world().lots.at(LotId{1}).expired; }));
  CHECK(s.live->sequence() > before);
  CHECK(s.world().now >= dawn + Span{300});
  CHECK(sound(s.world()));
}

TEST_CASE("a lot that becomes valid while nothing waits leaves the service asleep") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  Service s(journal, history, clock, machines);
  found(s);
  REQUIRE(s.decide(DeclareLot{"later",
                              "grant",
                              "funder",
                              {1'000'000, {'U', 'S', 'D'}},
                              dawn + Span{100},
                              dawn + Span{365 * day.count},
                              {}})
              .has_value());
  clock.flow();
  s.decide(DeclareProvider{"wakes-it", ""});
  REQUIRE(soon([&] { return clock.now() > dawn + Span{300}; }));
  const std::uint64_t before = clock.asked();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(clock.asked() - before < 1'000);  // a loop without rest asks a hundred times as often
}

TEST_CASE("a lot that expired while there was no service expires at the start") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  {
    Service s(journal, history, clock, machines);
    found(s, dawn + day);
  }
  clock.pass(day + day);
  const auto next = journal.after_restart();
  Service s(*next, history, clock, machines);
  CHECK(s.world().lots.at(LotId{1}).expired);
}

// ---- recovery ----

TEST_CASE("recovery from a snapshot gives the same World as recovery from the journal alone") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  {
    Service s(journal, history, clock, machines, {.snapshot_every = 5});
    found(s);
    for (int i = 0; i < 12; ++i) s.submit(request(static_cast<std::uint64_t>(i) + 1));
    for (const AttemptId id : machines.running())
      s.executor.end(id, Outcome::exited, 0, clock.now());
    s.decide(DeclareProvider{"after", ""});
    s.live->catch_up_history();
  }
  const auto with = journal.after_restart();
  RecordList without;
  without.records = records_of(journal);
  REQUIRE(*with->newest_snapshot());
  const auto open = [&](Journal& j, MemoryHistory& h) {
    FakeExecutor executor(machines);
    auto live = Live::open(j, executor, h, clock, {});
    REQUIRE_MESSAGE(live, live.error().what);
    return std::pair{(*live)->read([](const World& w) { return encode(w); }),
                     (*live)->recovery().snapshot};
  };
  MemoryHistory same(history.state()), empty;
  const auto quick = open(*with, same);
  const auto slow = open(without, empty);
  CHECK(quick.second > 0);
  CHECK(slow.second == 0);
  CHECK(quick.first == slow.first);
  check_history(same, without);
  check_history(empty, without);
}

TEST_CASE("a history that is behind, missing or ahead is made right") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  MemoryHistory::State early;
  std::vector<Record> older;
  {
    Service s(journal, history, clock, machines, {.snapshot_every = 8});
    found(s);
    for (int i = 0; i < 30; ++i) {
      const JobId job = s.submit();
      REQUIRE(soon([&] { return machines.running().size() == 1; }));
      clock.pass(Span{7'000});
      s.executor.end({job.value, 1}, Outcome::exited, 0, clock.now());
      REQUIRE(soon([&] { return s.world().jobs.size() == 0; }));
      if (i == 9) {
        s.live->catch_up_history();
        early = history.state();
        older = records_of(journal);
      }
    }
    s.live->catch_up_history();
  }
  const auto check = [&](MemoryHistory::State state, Journal& over) {
    MemoryHistory started(std::move(state));
    Service s(over, started, clock, machines);
    REQUIRE_MESSAGE(s.live, s.trouble);
    CHECK(started.state().watermark >= 40);
    check_history(started, over);
    CHECK(sound(s.world()));
  };
  SUBCASE("behind") {
    check(early, *journal.after_restart());
  }
  SUBCASE("missing") {
    check({}, *journal.after_restart());
  }
  SUBCASE("as it was") {
    check(history.state(), *journal.after_restart());
  }
  SUBCASE("ahead, because an older journal was put in its place") {
    RecordList old;
    old.records = older;
    check(history.state(), old);
  }
  SUBCASE("ahead, and the snapshots too") {
    RecordList old;
    old.records = older;
    old.snapshots.push_back(**journal.newest_snapshot());
    check(history.state(), old);
  }
  SUBCASE("an older journal went on by itself, beside the snapshots of the other") {
    RecordList old;
    old.records = older;
    {
      MemoryHistory own;
      Service s(old, own, clock, machines);
      REQUIRE(s.live);
      for (int i = 0; i < 200; ++i)
        s.decide(DeclareProvider{i % 2 ? "one" : "another", ""},
                 request(1'000 + static_cast<std::uint64_t>(i)));
    }
    old.snapshots = {**journal.newest_snapshot()};
    REQUIRE(old.records.size() > old.snapshots[0].sequence);
    MemoryHistory none(history.state());
    Service s(old, none, clock, machines);
    REQUIRE_MESSAGE(s.live, s.trouble);
    CHECK(encode(s.world()) == encode(replayed(old)));
  }
}

TEST_CASE("a damaged or foreign record refuses to open and is named") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  {
    Service s(journal, history, clock, machines);
    found(s);
    s.submit(request(1));
  }
  RecordList list;
  list.records = records_of(journal);
  const auto trouble = [&] {
    MemoryHistory none;
    return Service(list, none, clock, machines).trouble;
  };
  const auto chain_again = [&] {
    Hash last;
    for (Record& r : list.records) last = r.hash = chain(last, r.sequence, r.at, r.body);
  };
  CHECK(trouble() == "");
  list.records = records_of(journal);
  SUBCASE("a flipped bit in any byte of a body") {
    Rng rng{7};
    for (int i = 0; i < 60; ++i) {
      const std::size_t at = rng.below(list.records.size());
      std::string& body = list.records[at].body;
      char& byte = body[rng.below(body.size())];
      const char before = byte;
      byte = static_cast<char>(byte ^ (1 << rng.below(7)));
      CHECK(trouble().find("damaged at record " + std::to_string(at + 1) + ":") !=
            std::string::npos);
      byte = before;
    }
  }
  SUBCASE("another instant") {
    list.records[4].at = list.records[4].at + Span{1};
    CHECK(trouble().find("record 5:") != std::string::npos);
  }
  SUBCASE("a record is missing") {
    list.records.erase(list.records.begin() + 6);
    CHECK(trouble().find("record 8:") != std::string::npos);
  }
  SUBCASE("an event that this program does not know") {
    std::string& body = list.records[9].body;
    const std::size_t at = body.find("\"events\":[{\"");
    REQUIRE(at != std::string::npos);
    body.insert(at + 12, "Very");
    chain_again();
    const std::string words = trouble();
    CHECK(words.find("record 10:") != std::string::npos);
    CHECK(words.find("newer version") != std::string::npos);
  }
}

// ---- verify ----

TEST_CASE("verify finds what was altered") {
  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  {
    Service s(journal, history, clock, machines, {.snapshot_every = 10});
    found(s);
    for (std::uint64_t i = 1; i <= 5; ++i) s.submit(request(i));
    for (const AttemptId id : machines.running())
      s.executor.end(id, Outcome::exited, 0, clock.now());
    s.decide(DeclareProvider{"after", ""});
  }
  RecordList list;
  list.records = records_of(journal);
  const auto chain_again = [&] {
    Hash last;
    std::uint64_t sequence = 0;
    for (Record& r : list.records) {
      r.sequence = ++sequence;
      last = r.hash = chain(last, r.sequence, r.at, r.body);
    }
  };
  const auto found_at = [&](std::size_t sequence, const char* words) {
    const auto result = verify(list);
    REQUIRE(!result);
    CAPTURE(result.error().what);
    CHECK(result.error().what.starts_with("record " + std::to_string(sequence) + ": "));
    CHECK(result.error().what.find(words) != std::string::npos);
  };
  const auto clean = verify(list);
  REQUIRE_MESSAGE(clean, clean.error().what);
  CHECK(clean->records == list.records.size());
  CHECK(clean->redecided == clean->records);

  const auto submit = std::ranges::find_if(
      list.records, [](const Record& r) { return r.body.find("JobQueued") != std::string::npos; });
  REQUIRE(submit != list.records.end());
  const auto at = static_cast<std::size_t>(submit - list.records.begin());
  SUBCASE("a body") {
    list.records[3].body[10] = static_cast<char>(list.records[3].body[10] ^ 1);
    found_at(4, "hash");
  }
  SUBCASE("a record is missing") {
    list.records.erase(list.records.begin() + 3);
    found_at(5, "missing");
  }
  SUBCASE("two records changed places") {
    std::swap(list.records[3], list.records[4]);
    found_at(5, "missing");
  }
  SUBCASE("two records changed places and numbers") {
    std::swap(list.records[3], list.records[4]);
    std::swap(list.records[3].sequence, list.records[4].sequence);
    found_at(4, "hash");
  }
  SUBCASE("an event was altered and every hash made anew") {
    std::string& body = list.records[at].body;
    const std::size_t held = body.find("\"held\":");
    REQUIRE(held != std::string::npos);
    body.insert(held + 7, "1");
    chain_again();
    found_at(at + 1, "other events");
  }
  SUBCASE("a command was altered and every hash made anew") {
    std::string& body = list.records[at].body;
    const std::size_t limit = body.find("\"time_limit\":3600000");
    REQUIRE(limit != std::string::npos);
    body.replace(limit, 20, "\"time_limit\":3600001");
    chain_again();
    found_at(at + 1, "other events");
  }
  SUBCASE("a record was left out and every hash and number made anew") {
    list.records.erase(list.records.begin() + static_cast<std::ptrdiff_t>(at));
    chain_again();
    CHECK(!verify(list));
  }
  SUBCASE("the last record was cut off, and a snapshot knows it") {
    list.snapshots.push_back({.sequence = list.records.size(),
                              .chain = list.records.back().hash,
                              .bytes = encode(replayed(list))});
    CHECK(verify(list));
    list.records.pop_back();
    const auto result = verify(list);
    REQUIRE(!result);
    CHECK(result.error().what.find("newer") != std::string::npos);
  }
  SUBCASE("a snapshot is of another journal") {
    list.snapshots.push_back({.sequence = list.records.size() - 1,
                              .chain = list.records.back().hash,
                              .bytes = encode(replayed(list))});
    CHECK(!verify(list));
  }
}

// ---- what ends the process ----

struct Child {
  int status = 0;
  std::string told, words;  // what it wrote to its pipe, and to stderr
};

/// Runs `body(pipe)` in a child of its own until it ends.
template <class Body>
Child in_a_child(Body&& body) {
  int told[2], words[2];
  REQUIRE(::pipe(told) == 0);
  REQUIRE(::pipe(words) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(words[1], 2);
    ::close(told[0]);
    ::close(words[0]);
    ::signal(SIGABRT, SIG_DFL);  // not the test framework's
    ::alarm(60);
    body(told[1]);
    ::_exit(0);
  }
  ::close(told[1]);
  ::close(words[1]);
  Child result;
  std::thread reader([&] {
    char buffer[4096];
    for (ssize_t n; (n = ::read(words[0], buffer, sizeof buffer)) > 0;)
      result.words.append(buffer, static_cast<std::size_t>(n));
  });
  char buffer[4096];
  for (ssize_t n; (n = ::read(told[0], buffer, sizeof buffer)) > 0;)
    result.told.append(buffer, static_cast<std::size_t>(n));
  reader.join();
  ::close(told[0]);
  ::close(words[0]);
  ::waitpid(child, &result.status, 0);
  return result;
}

TEST_CASE("a failed append ends the process with words, and nothing of the batch is told") {
  const Child child = in_a_child([](int pipe) {
    ManualClock clock(dawn);
    Machines machines;
    MemoryHistory history;
    MemoryJournal journal({.fail_append = 14});  // the epoch and twelve declarations fit
    Service s(journal, history, clock, machines);
    Message message;
    for (std::uint64_t i = 1;; ++i) {
      Arena texts;
      const Text name = texts.text("provider-" + std::to_string(i));
      message = {};
      message.texts = std::move(texts);
      message.asked = {{}, request(i), DeclareProvider{name, ""}};
      auto done = std::make_shared<std::promise<void>>();
      auto told = done->get_future();
      message.reply = [pipe, i, done](const Answer&) {
        const std::string line = std::to_string(i) + " ";
        static_cast<void>(!::write(pipe, line.data(), line.size()));
        done->set_value();
      };
      s.live->ask(std::move(message));
      told.wait();
    }
  });
  REQUIRE(WIFEXITED(child.status));
  CHECK(WEXITSTATUS(child.status) == 70);
  CHECK(child.told == "1 2 3 4 5 6 7 8 9 10 11 12 ");
  CHECK(child.words.find("the journal could not be written: append 14 failed") !=
        std::string::npos);
  CHECK(child.words.find("what was acknowledged is safe") != std::string::npos);
  CHECK(child.words.find("ジャーナル") != std::string::npos);
}

TEST_CASE(
    "after a failed append the next start has all that was told, and the batch whole or not at "
    "all") {
  for (const auto kind : {JournalFaults::Failed::lost, JournalFaults::Failed::kept}) {
    const Child child = in_a_child([kind](int pipe) {
      ManualClock clock(dawn);
      Machines machines;
      MemoryHistory history;
      MemoryJournal journal({.fail_append = 30, .failed_batch = kind, .delay = Span{1}});
      std::mutex mutex;
      std::map<std::uint64_t, std::uint64_t> told;  // request, what it made
      LiveSettings settings;
      // The process would end here; instead the next one begins, and says what it found.
      settings.fatal = [&](const Error&) {
        const std::lock_guard lock(mutex);
        const auto next = journal.after_restart();
        MemoryHistory none;
        Machines others;
        Service s(*next, none, clock, others);
        if (!s.live) ::_exit(2);
        for (const auto& [id, made] : told) {
          const World world = s.world();
          const auto* answered = world.requests.find(request(id));
          if (!answered || answered->result != made || answered->refused) ::_exit(3);
        }
        if (!sound(s.world()) || encode(s.world()) != encode(replayed(*next))) ::_exit(4);
        const std::string line = "told " + std::to_string(told.size()) + " of " +
                                 std::to_string(s.world().requests.size());
        static_cast<void>(!::write(pipe, line.data(), line.size()));
        ::_exit(70);
      };
      Service s(journal, history, clock, machines, std::move(settings));
      found(s);
      const std::string bytes = write_spec({.argv = {"true"}});
      for (std::uint64_t i = 1; i < 100'000; ++i) {
        Message message;
        message.asked = {{},
                         request(i),
                         SubmitJob{.project = "project",
                                   .shape = {.gpus = Gpus{1'000}},
                                   .time_limit = Span{60'000},
                                   .spec = hash_of(bytes)}};
        message.blob = Blob{hash_of(bytes), bytes};
        message.reply = [&mutex, &told, i](const Answer& answer) {
          const std::lock_guard lock(mutex);
          told[i] = answer.decision.value_or(0);
        };
        s.live->ask(std::move(message));
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
    });
    CAPTURE(child.words);
    REQUIRE(WIFEXITED(child.status));
    CHECK(WEXITSTATUS(child.status) == 70);
    CHECK(child.told.starts_with("told "));
  }
}

TEST_CASE("a request that broke a promise is set aside, and refused after the restart") {
  const std::string file =
      (std::filesystem::temp_directory_path() / ("tenbin-quarantine-" + std::to_string(::getpid())))
          .string();
  std::filesystem::remove(file);
  const Child child = in_a_child([&](int) {
    ManualClock clock(dawn);
    Machines machines;
    MemoryHistory history;
    MemoryJournal journal;
    Service s(journal, history, clock, machines, {.quarantine_file = file});
    // No door lets this through: the driver's own command, under somebody's request id.
    Message message;
    message.asked = {{}, request(5), Schedule{}};
    s.live->ask(std::move(message));
    ::sleep(60);
  });
  REQUIRE(WIFSIGNALED(child.status));
  CHECK(WTERMSIG(child.status) == SIGABRT);
  CHECK(child.words.find("a promise was broken") != std::string::npos);

  ManualClock clock(dawn);
  Machines machines;
  MemoryHistory history;
  MemoryJournal journal;
  {
    std::ofstream more(file, std::ios::app);
    more << "not an id\n"
         << to_uuid(request(6)) << "\n"
         << to_uuid(request(7)).substr(0, 20);  // cut off
  }
  Service s(journal, history, clock, machines, {.quarantine_file = file});
  REQUIRE(s.live);
  const DeclareProvider harmless{"provider", ""};
  for (const std::uint64_t id : {std::uint64_t{5}, std::uint64_t{6}}) {
    const Decision refused = s.decide(harmless, request(id));
    REQUIRE(!refused);
    CHECK(refused.error().reason == Reason::quarantined);
  }
  CHECK(s.world().providers.size() == 0);
  CHECK(s.decide(harmless, request(7)));
  CHECK(s.decide(harmless));
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace tenbin
