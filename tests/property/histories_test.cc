// Whatever people and machines send, in whatever order, the World keeps its promises, a refusal
// changes nothing, and the journal alone, or a snapshot in the middle, rebuilds the same World.
//
// Method: a seed picks a history, most of it sensible, some of it not. After each command the
// promises are checked: by the World itself, by an auditor who sees only commands and events, and
// by two other Worlds: one that is fed the events through the journal's JSON, one that now and then
// is replaced by its own snapshot and decides for itself. A failure prints the seed; TENBIN_SEED=n
// runs it alone, TENBIN_SEEDS=n runs as many.

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "base/assert.h"
#include "codec/record.h"
#include "codec/snapshot.h"
#include "property/auditor.h"
#include "property/story.h"

namespace tenbin {

namespace {

std::uint64_t seed_in_work = 0;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

void run_seeds(std::uint64_t count, void (*one)(std::uint64_t)) {
  on_breach([](const char*) {
    std::fprintf(stderr, "TENBIN_SEED=%llu\n", static_cast<unsigned long long>(seed_in_work));
  });
  const std::uint64_t only = from_environment("TENBIN_SEED", 0);
  const std::uint64_t last = only ? only : from_environment("TENBIN_SEEDS", count);
  for (seed_in_work = only ? only : 1; seed_in_work <= last; ++seed_in_work) one(seed_in_work);
}

/// What must be answered to a request id: the same as before to the same question, a refusal to
/// another, until it is forgotten after seven days.
class Memory {
 public:
  void check(const Asked& asked, Instant at, const Decision& decision,
             std::span<const Event> events) {
    if (asked.request) {
      std::string question = std::to_string(asked.by.value) + " ";
      JsonWriter out(question);
      write_command(out, asked.command);
      if (const auto said = said_.find(asked.request); said != said_.end()) {
        REQUIRE(events.empty());
        if (said->second.question == question) {
          REQUIRE(decision == said->second.decision);
        } else {
          REQUIRE(decision == std::unexpected(refuse(Reason::request_reused)));
        }
      } else {
        said_.emplace(asked.request, Said{std::move(question), decision, at});
      }
    }
    for (const Event& event : events) {
      const RequestsForgotten* forgotten = std::get_if<RequestsForgotten>(&event);
      if (!forgotten) continue;
      const Instant horizon = at - Span{7LL * 86'400'000};
      const std::size_t count =
          std::erase_if(said_, [&](const auto& said) { return said.second.at < horizon; });
      REQUIRE(forgotten->count == count);
    }
  }

 private:
  struct Said {
    std::string question;
    Decision decision;
    Instant at;
  };
  std::map<RequestId, Said> said_;
};

// How often each kind of event was seen in all histories: what never happens is not tested.
std::array<std::uint64_t, event_names.size()> seen{};

bool is_answer(const Event& event) {
  return std::holds_alternative<RequestAnswered>(event);
}

void one_history(std::uint64_t seed) {
  CAPTURE(seed);
  Dice dice(seed);
  Story story(dice);
  World world, restored, rebuilt;
  Auditor auditor;
  Memory memory;
  Facts facts, same_facts, read_facts;
  JsonDocument document;
  std::string record_text, before = encode(world);
  Instant now{1'700'000'000'000};

  for (int step = 0; step < 240; ++step) {
    CAPTURE(step);
    now = now + story.pause();
    const Asked asked = story.next(world, now);
    const World unremembered = world.requests.size() < 3 && asked.request ? world : World{};

    facts.clear();
    const Decision decision = apply(world, asked, now, facts);
    const std::string_view broken = broken_promise(world);
    REQUIRE(broken == "");
    for (const Event& event : facts.events()) ++seen[event.index()];
    auditor.hear(asked, now, facts.events());
    auditor.compare(world);
    REQUIRE(auditor.complaint() == "");
    memory.check(asked, now, decision, facts.events());

    // A refusal changes nothing, but for the answer if it is to be remembered.
    const std::string after = facts.size() > 0 ? encode(world) : before;
    if (!decision) {
      REQUIRE(facts.size() <= (asked.request ? 1u : 0u));
      if (facts.size() == 1) REQUIRE(is_answer(facts[0]));
      if (facts.size() == 0) REQUIRE(encode(world) == before);
      if (facts.size() == 1 && unremembered.now != Instant{}) {
        World but_for_the_answer = world;
        but_for_the_answer.requests = unremembered.requests;
        but_for_the_answer.now = unremembered.now;
        but_for_the_answer.history = unremembered.history;
        REQUIRE(encode(but_for_the_answer) == before);
      }
    }
    before = after;

    // Another World that hears the same decides the same.
    same_facts.clear();
    const Decision same = apply(restored, asked, now, same_facts);
    REQUIRE(same == decision);
    REQUIRE(same_facts.size() == facts.size());
    REQUIRE(restored.history == world.history);
    if (dice.percent(4)) {
      Result<World> copy = decode_world(encode(restored));
      REQUIRE(copy.has_value());
      restored = std::move(*copy);
      REQUIRE(broken_promise(restored) == "");
      REQUIRE(encode(restored) == after);
    }

    // The journal alone rebuilds it.
    if (facts.size() > 0) {
      record_text.clear();
      write_record(record_text, asked, facts.events());
      read_facts.clear();
      const auto read = read_record(document, record_text, read_facts);
      REQUIRE(read.has_value());
      REQUIRE(read->asked.by == asked.by);
      REQUIRE(read->asked.request == asked.request);
      std::string again;
      write_record(again, read->asked, read_facts.events());
      REQUIRE(again == record_text);
      for (const Event& event : read_facts.events()) record(rebuilt, event, now);
      REQUIRE(encode(rebuilt) == after);
    }
  }
}

// ---- EASY: what was promised to the head is kept ----

// One history in which jobs keep their limits, no node changes and nobody cancels; some attempts
// are lost, and those jobs wait again at their old places. While a job is the oldest that waits, it
// starts no later than it was promised, and it is never promised a later start.
void one_kept_promise(std::uint64_t seed) {
  CAPTURE(seed);
  Rng rng{seed};
  World world;
  Facts facts;
  Instant now{1'700'000'000'000};
  const auto ask = [&](Command command) {
    facts.clear();
    const Decision decision = apply(world, {.command = std::move(command)}, now, facts);
    REQUIRE(decision.has_value());
  };
  ask(DeclareProvider{"p", ""});
  ask(DeclareRegion{"r", ""});
  constexpr std::array<Text, 3> pool_names{"small", "large", "count"};
  constexpr std::array<Text, 3> models{"a", "b", "c"};
  for (std::uint64_t p = 0; p < 3; ++p) {
    DeclarePool pool{.name = pool_names[p], .provider = "p", .region = "r", .gpu_model = models[p]};
    if (p == 2) {
      pool.kind = PoolKind::counted;
      pool.counted = Gpus{16'000};
    } else {
      pool.gpus_per_node = p == 0 ? 2 : 8;
      pool.cpus = Cpus{16'000};
    }
    ask(pool);
    for (int n = 0; p < 2 && n < 4; ++n)
      ask(DeclareNode{std::string(pool_names[p]) + std::to_string(n), pool_names[p], 0});
    ask(SetPrice{pool_names[p], Credits{static_cast<std::int64_t>(1 + rng.below(3))}, 1'000'000});
  }
  ask(DeclareFunder{"f", "", {1'000'000, {'J', 'P', 'Y'}}, Credits{1'000'000'000}});
  ask(DeclareProgramme{"p", ""});
  ask(DeclareOrganisation{"o", ""});
  ask(DeclareGrant{"g", "", "p", "o"});
  ask(DeclareLot{"l", "g", "f", {1'000'000, {'J', 'P', 'Y'}}, Instant{}, instant_max, {}});
  ask(DeclareProject{"project", "", "o"});
  ask(DeclareAllocation{"a", "g", "project", Credits{1'000'000'000'000'000}, ""});

  std::multimap<Instant, ReportEnd> ends;
  JobId head;
  Instant promised = Instant{INT64_MAX};
  for (int step = 0; step < 150; ++step) {
    // To the next end, or a little on.
    Instant next = now + Span{static_cast<std::int64_t>(rng.below(4)) * 60'000};
    if (!ends.empty()) next = std::min(next, ends.begin()->first);
    now = next;
    while (!ends.empty() && ends.begin()->first == now) {
      const ReportEnd end = ends.begin()->second;
      ends.erase(ends.begin());
      ask(end);
    }
    for (std::uint64_t i = rng.below(3); i > 0 && step < 120; --i) {
      SubmitJob job{.project = "project",
                    .time_limit = Span{static_cast<std::int64_t>(1 + rng.below(10)) * 60'000}};
      std::vector<Text> permitted;
      for (const Text model : models) {
        if (rng.chance(450'000)) permitted.push_back(model);
      }
      if (permitted.empty()) permitted.push_back(models[rng.below(3)]);
      job.models = permitted;
      job.shape.packing = rng.chance(500'000) ? Packing::members : Packing::count;
      if (job.shape.packing == Packing::members)
        job.shape.members = static_cast<std::uint32_t>(1 + rng.below(3));
      job.shape.gpus =
          rng.chance(250'000)
              ? Gpus{static_cast<std::int64_t>(1 + rng.below(999))}
              : Gpus{static_cast<std::int64_t>(1 + rng.below(rng.chance(500'000) ? 2 : 8)) * 1'000};
      if (std::ranges::count(permitted, "c") == 0)
        job.shape.cpus = Cpus{static_cast<std::int64_t>(rng.below(10)) * 1'000};
      facts.clear();
      static_cast<void>(apply(world, {.command = job}, now, facts));  // some fit nowhere
    }
    ask(Schedule{});
    for (const Event& event : facts.events()) {
      const JobStarted* started = std::get_if<JobStarted>(&event);
      if (!started) continue;
      if (started->job < head) promised = Instant{INT64_MAX};  // one that came back went first
      const Job& job = world.jobs.at(started->job);
      const Span runtime{
          rng.chance(300'000)
              ? job.limit.count
              : static_cast<std::int64_t>(
                    1 + rng.below(static_cast<std::uint64_t>(job.limit.count) / 60'000)) *
                    60'000};
      const EndKind kind = rng.chance(150'000) ? EndKind::lost : EndKind::exited;
      ends.emplace(now + runtime,
                   ReportEnd{started->job, started->attempt, kind, 0, now + runtime});
      if (started->job == head) {
        REQUIRE(now <= promised);
      }
    }
    // Who is the head now, and what is it promised?
    JobId oldest;
    world.jobs.each([&](JobId id, const Job& job) {
      if (!oldest && job.state == JobState::queued) oldest = id;
    });
    if (oldest != head) promised = Instant{INT64_MAX};
    head = oldest;
    if (!head) continue;
    const Job& job = world.jobs.at(head);
    REQUIRE(job.promised);
    const Instant at = world.pools.at(job.promised).promise.at;
    REQUIRE(at <= promised);
    REQUIRE(now <= at);
    promised = at;
  }
}

}  // namespace

TEST_CASE("the World keeps its promises through any history") {
  run_seeds(1'000, one_history);
  if (from_environment("TENBIN_SEED", 0) || from_environment("TENBIN_SEEDS", 1'000) < 1'000) return;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CAPTURE(event_names[i]);
    // A hold pays for one permitted place at least, so no history has led to a parked job yet.
    CHECK(seen[i] > 0);
  }
}

TEST_CASE("what EASY promises to the head of the queue is kept") {
  run_seeds(1'000, one_kept_promise);
}

}  // namespace tenbin
