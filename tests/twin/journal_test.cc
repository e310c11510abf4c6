// A live journal as a trace: as it was, the same is decided, event for event; under another policy
// every job that really ended runs as long as it did.

#include "twin/journal.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>

#include "codec/hash.h"
#include "codec/record.h"
#include "property/story.h"
#include "store/memory_journal.h"
#include "twin/measure.h"

namespace tenbin {
namespace {

struct Told {
  std::map<std::uint64_t, Instant> first_starts;  // by job
  std::uint64_t history = 0;
  std::size_t losses = 0, stops = 0, arrays = 0, policies = 0, waits_for = 0;
};

/// Writes what a service would: each command at its instant with its events, a pass after each
/// batch. Gives what was decided.
Told write_story(std::uint64_t seed, std::size_t commands, MemoryJournal& journal) {
  Dice dice(seed);
  Story story(dice);
  World world;
  Told told;
  Hash last;
  std::uint64_t sequence = 0;
  const auto give = [&](const Asked& asked, Instant now) {
    Facts facts;
    static_cast<void>(apply(world, asked, now, facts));
    if (facts.size() == 0) return;
    Record record{.sequence = ++sequence, .at = now, .hash = {}, .body = {}};
    write_record(record.body, asked, facts.events());
    record.hash = last = chain(last, record.sequence, now, record.body);
    REQUIRE(journal.append(std::span(&record, 1), {}).has_value());
    for (const Event& event : facts.events()) {
      if (const auto* s = std::get_if<JobStarted>(&event))
        told.first_starts.emplace(s->job.value, now);
      told.losses += std::holds_alternative<AttemptLost>(event);
      told.stops += std::holds_alternative<StopRequested>(event);
      told.arrays += std::holds_alternative<ArrayQueued>(event);
      told.policies += std::holds_alternative<PolicySet>(event);
      if (const auto* c = std::get_if<JobConditions>(&event)) told.waits_for += !c->after.empty();
    }
  };
  Instant now{1'700'000'000'000};
  for (std::size_t i = 0; i < commands; ++i) {
    give(story.next(world, now), now);
    const Span pause = story.pause();
    if (pause > Span{0} || dice.percent(30)) give({.command = Schedule{}}, now);
    now = now + pause;
  }
  told.history = world.history;
  return told;
}

RecordReader reader_of(MemoryJournal& journal) {
  return [&](const RecordVisit& visit) {
    return journal.read(1, [&](const Record& r) { return visit(r.sequence, r.at, r.body); });
  };
}

class Starts final : public ReplayWatch {
 public:
  std::map<std::uint64_t, Instant> first;
  std::uint64_t rows = 0, at_limit = 0, refused_jobs = 0;
  void submitted(std::uint64_t row, const TraceJob&) override { CHECK(row == rows++); }
  void refused(std::uint64_t row, const TraceJob&, const Refusal&) override {
    CHECK(row == rows++);
    ++refused_jobs;
  }
  void started(std::uint64_t, const TraceJob& job, const JobStarted&, Instant now) override {
    first.emplace(job.id, now);
  }
  void given_limit(std::uint64_t) override { ++at_limit; }
};

}  // namespace

TEST_CASE("a journal replayed as it was decides the same, whatever happened") {
  const std::uint64_t seeds =
      std::getenv("TENBIN_LONG") ? 2'000 : 120;  // NOLINT(concurrency-mt-unsafe)
  Told sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    MemoryJournal journal;
    const Told told = write_story(seed, 600, journal);
    const auto history = JournalHistory::read(reader_of(journal));
    REQUIRE(history.has_value());
    Starts starts;
    World world;
    const auto run = (*history)->replay(world, {}, &starts, nullptr);
    REQUIRE(run.has_value());
    REQUIRE(broken_promise(world) == "");
    // After the journal's end what still runs gets its limit, and what waits may start then.
    for (const auto& [job, start] : told.first_starts) {
      REQUIRE(starts.first.contains(job));
      REQUIRE(starts.first[job] == start);
    }
    sum.losses += told.losses;
    sum.stops += told.stops;
    sum.arrays += told.arrays;
    sum.policies += told.policies;
    sum.waits_for += told.waits_for;
  }
  // The stories were worth it.
  CHECK(sum.losses > 0);
  CHECK(sum.stops > 0);
  CHECK(sum.arrays > 0);
  CHECK(sum.policies > seeds);
  CHECK(sum.waits_for > 0);
}

TEST_CASE("a journal under another policy: sound to the end, and nobody is lost") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    MemoryJournal journal;
    write_story(seed, 500, journal);
    const auto history = JournalHistory::read(reader_of(journal));
    REQUIRE(history.has_value());
    for (const Backfill backfill : {Backfill::none, Backfill::easy}) {
      std::uint64_t digest = 0;
      for (int again = 0; again < 2; ++again) {
        World world;
        Measure measure({.jobs = true, .places = true, .course = true}, Gpus{100'000});
        const auto run = (*history)->replay(
            world, {.policy = Policy{.backfill = backfill}, .fleet = {}}, &measure, nullptr);
        REQUIRE(run.has_value());
        measure.finish(*run, 1);
        REQUIRE(broken_promise(world) == "");
        CHECK(world.policy.backfill == backfill);
        if (again) CHECK(digest == run->history);
        digest = run->history;
      }
    }
    World world;
    const auto run = (*history)->replay(
        world, {.policy = {}, .fleet = ReplayFleet{.kind = PoolKind::nodes, .nodes = 4}}, nullptr,
        nullptr);
    REQUIRE(run.has_value());
    REQUIRE(broken_promise(world) == "");
    CHECK(world.pools.size() == 1);
  }
}

TEST_CASE(
    "under another policy a job runs as long as it really did, one without an end its limit") {
  MemoryJournal journal;
  World world;
  Hash last;
  std::uint64_t sequence = 0;
  const auto give = [&](std::int64_t at, Command command) {
    Facts facts;
    const Instant now{at};
    const Asked asked{.command = command};
    REQUIRE(apply(world, asked, now, facts).has_value());
    if (facts.size() == 0) return;
    Record record{.sequence = ++sequence, .at = now, .hash = {}, .body = {}};
    write_record(record.body, asked, facts.events());
    record.hash = last = chain(last, record.sequence, now, record.body);
    REQUIRE(journal.append(std::span(&record, 1), {}).has_value());
  };
  const auto submit = [&](std::int64_t at, std::int64_t gpus, std::int64_t limit) {
    give(at, SubmitJob{.project = "p", .shape = whole_gpus(gpus), .time_limit = Span{limit}});
    give(at, Schedule{});
  };
  give(1'000, SetPolicy{{.backfill = Backfill::none}});
  give(1'000, DeclareProvider{"x", ""});
  give(1'000, DeclareRegion{"x", ""});
  give(1'000,
       DeclarePool{
           .name = "x", .provider = "x", .region = "x", .gpu_model = "x", .gpus_per_node = 4});
  give(1'000, DeclareNode{"n", "x", 0});
  give(1'000, SetPrice{"x", Credits{1'000'000}, 1'000'000});
  give(1'000, DeclareFunder{"f", "", {1'000'000, {'J', 'P', 'Y'}}, Credits{1'000'000}});
  give(1'000, DeclareProgramme{"g", ""});
  give(1'000, DeclareOrganisation{"o", ""});
  give(1'000, DeclareGrant{"g", "", "g", "o"});
  give(1'000,
       DeclareLot{"l", "g", "f", {1'000'000, {'J', 'P', 'Y'}}, Instant{0}, Instant{INT32_MAX}, {}});
  give(1'000, DeclareProject{"p", "", "o"});
  give(1'000, DeclareAllocation{"a", "g", "p", Credits{1'000'000'000'000}, ""});
  submit(2'000, 2, 60'000);  // 1: runs 10 s of its minute
  submit(3'000, 4, 60'000);  // 2: waits for all four
  submit(4'000, 2, 5'000);   // 3: behind it; EASY lets it pass
  give(12'000, ReportEnd{JobId{1}, 1, EndKind::exited, 0, Instant{12'000}});
  give(12'000, Schedule{});  // 2 starts
  give(32'000, ReportEnd{JobId{2}, 1, EndKind::exited, 1, Instant{32'000}});
  give(32'000, Schedule{});  // 3 starts, and the journal ends before it does

  const auto history = JournalHistory::read(reader_of(journal));
  REQUIRE(history.has_value());
  CHECK((*history)->jobs() == 3);
  const auto outcomes = [&](std::optional<Policy> policy) {
    World again;
    Measure measure({.jobs = true}, Gpus{4'000});
    const auto run = (*history)->replay(again, {.policy = policy, .fleet = {}}, &measure, nullptr);
    REQUIRE(run.has_value());
    measure.finish(*run, 1);
    return measure;
  };
  const Measure was = outcomes({});
  CHECK(was.jobs()[0].start == Instant{2'000});
  CHECK(was.jobs()[1].start == Instant{12'000});
  CHECK(was.jobs()[1].end == Instant{32'000});
  CHECK(was.jobs()[1].how == TraceEnd::failed);
  CHECK(was.jobs()[2].start == Instant{32'000});
  CHECK(was.jobs()[2].end == Instant{37'000});  // its limit
  CHECK(was.jobs()[2].at_limit);
  CHECK(was.figures().at_limit == 1);
  const Measure other = outcomes(Policy{});
  CHECK(other.jobs()[2].start == Instant{4'000});
  CHECK(other.jobs()[2].end == Instant{9'000});
  CHECK(other.jobs()[1].start == Instant{12'000});
  CHECK(other.jobs()[1].end == Instant{32'000});  // 20 s, as it really ran
}

}  // namespace tenbin
