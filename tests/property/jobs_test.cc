#include <doctest/doctest.h>

#include "codec/snapshot.h"
#include "core/jobs/tasks.h"
#include "core/limits.h"
#include "core/world.h"

namespace tenbin {

namespace {

constexpr std::int64_t hour = 3'600'000;
constexpr std::array<char, 3> yen{'J', 'P', 'Y'};

/// One pool of four GPUs at a credit an hour, one project with a thousand credits.
struct Town {
  World world;
  Facts facts;
  Instant now{1'700'000'000'000};

  explicit Town(std::int64_t credits = 1'000) {
    ok(DeclareProvider{"p", ""});
    ok(DeclareRegion{"r", ""});
    ok(DeclareFunder{"f", "", {money_max, yen}, Credits{1'000'000}});
    ok(DeclareProgramme{"p", ""});
    ok(DeclareOrganisation{"o", ""});
    ok(DeclareGrant{"g", "", "p", "o"});
    ok(DeclareProject{"project", "", "o"});
    ok(DeclareLot{"l", "g", "f", {credits, yen}, Instant{}, instant_max, {}});
    ok(DeclareAllocation{"a", "g", "project", Credits{credits * 1'000'000}, "l"});
    ok(DeclarePool{.name = "pool",
                   .provider = "p",
                   .region = "r",
                   .gpu_model = "m",
                   .kind = PoolKind::counted,
                   .counted = Gpus{4'000}});
    ok(SetPrice{"pool", Credits{1'000'000}});
  }
  Decision ask(Command command) {
    facts.clear();
    return apply(world, {.command = std::move(command)}, now, facts);
  }
  std::uint64_t ok(Command command) {
    const Decision decision = ask(std::move(command));
    REQUIRE(decision.has_value());
    REQUIRE(broken_promise(world) == "");
    return *decision;
  }
  SubmitJob wish() const {
    return {.project = "project", .shape = {.gpus = Gpus{1'000}}, .time_limit = Span{hour}};
  }
  JobId submit(SubmitJob job) { return JobId{ok(job)}; }
  JobId array(std::uint32_t tasks, std::uint32_t at_once = 0) {
    SubmitJob job = wish();
    job.tasks = tasks;
    job.tasks_at_once = at_once;
    return submit(job);
  }
  JobId after(JobId other, When when) {
    SubmitJob job = wish();
    const std::array<After, 1> list{After{other, when}};
    job.after = list;
    return submit(job);
  }
  void schedule() { ok(Schedule{}); }
  void end(JobId job, std::int32_t code, EndKind kind = EndKind::exited) {
    ok(ReportEnd{job, world.jobs.at(job).attempt, kind, code, now});
  }
  bool live(JobId job) const { return bool(row_of(world, job)); }
  JobState state(JobId job) const { return world.jobs.at(row_of(world, job)).state; }
  Credits held() const {
    return world.accounts.at(world.shares.at(ShareId{1}).free).debits_pending;
  }
  template <class E>
  std::uint64_t count() const {
    std::uint64_t n = 0;
    for (const Event& event : facts.events()) n += std::holds_alternative<E>(event) ? 1 : 0;
    return n;
  }
};

}  // namespace

TEST_CASE("array: a million tasks are one event and one row until they start") {
  Town town(2'000'000);
  const std::size_t table = town.world.jobs.bytes();
  const JobId array = town.array(1'000'000);
  CHECK(town.facts.size() == 1);
  CHECK(town.world.jobs.size() == 1);
  CHECK(town.world.projects.at(ProjectId{1}).live_jobs == 1'000'000);
  CHECK(town.held() == Credits{1'000'000'000'000});
  CHECK(town.world.jobs.next_id() == JobId{array.value + 1'000'001});

  town.schedule();
  CHECK(town.count<JobStarted>() == 4);
  CHECK(town.world.jobs.size() == 5);  // four that run, and one for all others
  CHECK(town.world.jobs.at(JobId{array.value + 1}).task == 0);
  CHECK(town.state(JobId{array.value + 1'000'000}) == JobState::queued);

  // Others come behind, and the array's row moves on as tasks start.
  const JobId behind = town.submit(town.wish());
  CHECK(behind.value == array.value + 1'000'001);
  town.end(JobId{array.value + 2}, 0);
  town.schedule();
  CHECK(town.state(JobId{array.value + 5}) == JobState::running);
  CHECK(town.state(behind) == JobState::queued);
  CHECK(town.world.jobs.bytes() < table + 3 * 256 * sizeof(Job));

  const std::string bytes = encode(town.world);
  const Result<World> copy = decode_world(bytes);
  REQUIRE(copy.has_value());
  CHECK(encode(*copy) == bytes);
  CHECK(broken_promise(*copy) == "");
  CHECK(bytes.size() < 10'000);
}

TEST_CASE("array: cancelled as a whole, what never started ends in one event") {
  Town town;
  const JobId array = town.array(100);
  town.schedule();
  town.ok(CancelJob{array});
  CHECK(town.count<TasksCancelled>() == 1);
  CHECK(town.count<StopRequested>() == 4);
  CHECK(town.facts.size() == 5);
  CHECK(town.held() == Credits{4'000'000});
  CHECK(!town.live(JobId{array.value + 50}));
  CHECK(town.ask(CancelJob{array}).error().reason == Reason::job_already_stopping);
  for (std::uint64_t t = 1; t <= 4; ++t) town.end(JobId{array.value + t}, 0, EndKind::stopped);
  CHECK(town.held() == Credits{0});
  CHECK(town.world.arrays.at(array).cancelled == 100);
  CHECK(town.ask(CancelJob{array}).error().reason == Reason::job_settled);
  CHECK(town.ask(CancelJob{JobId{array.value + 50}}).error().reason == Reason::job_settled);
}

TEST_CASE("array: one task may be cancelled or held, at any place") {
  Town town;
  const JobId array = town.array(8);
  town.ok(CancelJob{JobId{array.value + 3}});
  town.ok(CancelJob{JobId{array.value + 1}});
  town.ok(HoldJob{JobId{array.value + 5}});
  CHECK(town.held() == Credits{6'000'000});
  town.schedule();
  for (const std::uint64_t t : {2u, 4u, 6u, 7u})
    CHECK(town.state(JobId{array.value + t}) == JobState::running);
  CHECK(town.state(JobId{array.value + 5}) == JobState::on_hold);
  CHECK(town.state(JobId{array.value + 8}) == JobState::queued);
  town.ok(ReleaseJob{JobId{array.value + 5}});
  town.end(JobId{array.value + 2}, 0);
  town.schedule();
  CHECK(town.state(JobId{array.value + 5}) == JobState::running);  // its old place
  CHECK(town.state(JobId{array.value + 8}) == JobState::queued);
}

TEST_CASE("array: no more tasks at once than were asked for") {
  Town town;
  const JobId array = town.array(10, 2);
  town.schedule();
  CHECK(town.count<JobStarted>() == 2);
  CHECK(town.state(JobId{array.value + 3}) == JobState::blocked);
  const JobId other = town.submit(town.wish());
  town.schedule();
  CHECK(town.state(other) == JobState::running);  // nobody is held up by tasks that may not start
  town.end(JobId{array.value + 1}, 0, EndKind::lost);
  CHECK(town.state(JobId{array.value + 3}) == JobState::queued);
  town.schedule();
  CHECK(town.state(JobId{array.value + 1}) == JobState::running);
  CHECK(town.state(JobId{array.value + 3}) == JobState::blocked);
}

TEST_CASE("after: ok, any, not ok; before and after the other has ended") {
  for (const std::int32_t code : {0, 7}) {
    Town town;
    const JobId other = town.submit(town.wish());
    const JobId ok = town.after(other, When::ok), any = town.after(other, When::any),
                not_ok = town.after(other, When::not_ok), chained = town.after(ok, When::ok),
                on_chain = town.after(chained, When::any);
    town.schedule();
    for (const JobId job : {ok, any, not_ok, chained, on_chain})
      CHECK(town.state(job) == JobState::blocked);
    town.end(other, code);
    town.schedule();
    CHECK(town.live(ok) == (code == 0));
    CHECK(town.live(not_ok) == (code != 0));
    CHECK(town.live(chained) == (code == 0));  // what can never start takes others with it
    CHECK(town.state(any) == JobState::running);
    CHECK(town.state(on_chain) == (code == 0 ? JobState::blocked : JobState::running));
    if (code != 0) {
      for (const Event& event : town.facts.events()) {
        const auto* settled = std::get_if<JobSettled>(&event);
        if (settled) CHECK(settled->why == Why::dependency_never_met);
      }
      CHECK(town.count<JobSettled>() == 2);
    }
    // The same when it is over already, for seven days.
    const JobId late = town.after(other, When::ok);
    town.schedule();
    CHECK(town.live(late) == (code == 0));
    for (const JobId job : {ok, any, not_ok, late, on_chain}) {
      if (town.live(job) && town.state(job) == JobState::running) town.end(job, 0);
    }
    town.now = town.now + outcome_memory;
    CHECK(town.ask([&] {
                SubmitJob job = town.wish();
                static constexpr std::array<After, 1> unknown{After{JobId{999}, When::any}};
                job.after = unknown;
                return job;
              }())
              .error() == refuse(Reason::unknown_after, 999, 7));
    CHECK(town.live(town.after(other, When::any)));
  }
}

TEST_CASE("after: a whole array, and an array after a job") {
  Town town;
  const JobId array = town.array(3);
  const JobId ok = town.after(array, When::ok), not_ok = town.after(array, When::not_ok);
  town.schedule();
  town.end(JobId{array.value + 1}, 0);
  town.end(JobId{array.value + 2}, 1);
  CHECK(town.state(ok) == JobState::blocked);
  town.end(JobId{array.value + 3}, 0);
  town.schedule();
  CHECK(!town.live(ok));
  CHECK(town.state(not_ok) == JobState::running);

  SubmitJob many = town.wish();
  many.tasks = 5;
  const std::array<After, 1> list{After{not_ok, When::ok}};
  many.after = list;
  const JobId waits = town.submit(many);
  CHECK(town.state(JobId{waits.value + 5}) == JobState::blocked);
  const Credits before = town.held();
  town.end(not_ok, 1);
  town.schedule();
  CHECK(town.count<TasksCancelled>() == 1);
  CHECK(before - town.held() == Credits{6'000'000});
  CHECK(town.world.arrays.at(waits).ended == town.now);
}

TEST_CASE("after: how a task of a long array ended may be forgotten, and is then not made up") {
  Town town(100'000);
  const JobId array = town.array(2, 1);
  const JobId first{array.value + 1};
  town.schedule();
  town.end(first, 0);
  town.schedule();
  CHECK(town.state(JobId{array.value + 2}) == JobState::running);
  town.ok(CancelJob{town.array(10'000)});  // what is remembered goes in pages: others lie far off
  // Others end, and what is older than a week is forgotten, while the array still runs.
  for (int days = 0; days < 9; ++days) {
    town.now = town.now + Span{24 * hour};
    const JobId other = town.submit(town.wish());
    town.schedule();
    town.end(other, 0);
  }
  REQUIRE(!town.world.outcomes.find(first));
  SubmitJob job = town.wish();
  for (const When when : {When::ok, When::not_ok, When::any}) {
    const std::array<After, 1> list{After{first, when}};
    job.after = list;
    const Decision decision = town.ask(job);
    REQUIRE(!decision.has_value());
    CHECK(decision.error().reason == Reason::unknown_after);
  }
}

TEST_CASE("promises end with the policy that keeps them") {
  Town town;
  town.ok(SetPolicy{{.backfill = Backfill::easy}});
  SubmitJob large = town.wish();
  large.shape.gpus = Gpus{4'000};
  const JobId small = town.submit(town.wish()), blocked = town.submit(large);
  town.schedule();
  CHECK(town.state(small) == JobState::running);
  CHECK(town.world.jobs.at(blocked).promised == PoolId{1});
  town.ok(SetPolicy{{.backfill = Backfill::none}});
  CHECK(town.world.jobs.at(blocked).promised == PoolId{});
  CHECK(town.world.pools.at(PoolId{1}).promise.job == JobId{});
  town.ok(SetPolicy{{.backfill = Backfill::easy}});
  town.schedule();
  CHECK(town.world.jobs.at(blocked).promised == PoolId{1});
}

TEST_CASE("hold: a job on hold does not start, holds up nobody and keeps its place") {
  Town town;
  SubmitJob job = town.wish();
  job.hold = true;
  job.shape.gpus = Gpus{4'000};
  const JobId held = town.submit(job);
  job.hold = false;
  const JobId next = town.submit(job), last = town.submit(job);
  town.schedule();
  CHECK(town.state(held) == JobState::on_hold);
  CHECK(town.state(next) == JobState::running);
  CHECK(town.ask(HoldJob{next}).error().reason == Reason::job_not_waiting);
  town.ok(ReleaseJob{held});
  town.ok(ReleaseJob{held});
  CHECK(town.facts.size() == 0);  // twice is once
  town.end(next, 0);
  town.schedule();
  CHECK(town.state(held) == JobState::running);
  CHECK(town.state(last) == JobState::queued);
  town.ok(HoldJob{last});
  CHECK(town.state(last) == JobState::on_hold);
  town.end(held, 0);
  town.schedule();
  CHECK(town.state(last) == JobState::on_hold);
  town.ok(CancelJob{last});
  CHECK(town.held() == Credits{0});
}

TEST_CASE("retries: a failed attempt is charged, and the next is held for") {
  Town town(3);
  SubmitJob wish = town.wish();
  wish.retries = 5;
  const JobId job = town.submit(wish);
  for (std::uint32_t attempt = 1; attempt <= 3; ++attempt) {
    town.schedule();
    REQUIRE(town.world.jobs.at(job).attempt == attempt);
    town.now = town.now + Span{hour / 2};
    town.end(job, 1);
    CHECK(town.count<AttemptFailed>() == 1);
    CHECK(town.held() == Credits{1'000'000});
  }
  CHECK(town.world.jobs.at(job).charged == Credits{1'500'000});
  town.schedule();
  town.now = town.now + Span{hour};
  town.end(job, 0, EndKind::launch_failed);  // costs nothing, and is an attempt too
  town.schedule();
  town.now = town.now + Span{hour};
  town.end(job, 9);  // 2.5 of 3 credits are gone: half a credit is no hour
  CHECK(!town.live(job));
  const auto& settled = std::get<JobSettled>(town.facts[0]);
  CHECK(settled.state == JobState::failed);
  CHECK(settled.why == Why::no_credit_to_retry);
  CHECK(settled.attempt == 5);
  CHECK(town.held() == Credits{0});

  // What reached its limit is not tried again.
  Town other;
  const JobId slow = other.submit(wish);
  other.schedule();
  other.now = other.now + Span{hour};
  other.end(slow, 0, EndKind::time_limit);
  CHECK(!other.live(slow));
}

TEST_CASE("what is bounded is refused with figures") {
  Town town(20'000'000);
  for (int i = 0; i < 10; ++i) town.array(1'000'000);
  CHECK(town.ask(town.wish()).error() ==
        refuse(Reason::too_many_live_jobs, 10'000'000, 1, 10'000'000));
  CHECK(town.world.jobs.size() == 10);

  Town small;
  const auto refused = [&](auto&& change) {
    SubmitJob job = small.wish();
    change(job);
    const Decision decision = small.ask(job);
    REQUIRE(!decision);
    return decision.error().reason;
  };
  CHECK(refused([](SubmitJob& j) { j.tasks = tasks_max + 1; }) == Reason::tasks_invalid);
  CHECK(refused([](SubmitJob& j) { j.tasks_at_once = 1; }) == Reason::tasks_at_once_invalid);
  CHECK(refused([](SubmitJob& j) { j.retries = 101; }) == Reason::retries_invalid);
  const std::array<Label, 2> twice{Label{"k", "1"}, Label{"k", "2"}};
  CHECK(refused([&](SubmitJob& j) { j.labels = twice; }) == Reason::labels_invalid);
  const std::array<Label, 1> control{Label{"k", "\x1b[31m"}};
  CHECK(refused([&](SubmitJob& j) { j.labels = control; }) == Reason::labels_invalid);
  const std::vector<After> many(65, After{JobId{1}, When::any});
  CHECK(refused([&](SubmitJob& j) { j.after = many; }) == Reason::after_invalid);
}

TEST_CASE("a member may not come after what it may not see") {
  Town town;
  town.ok(DeclareProject{"secret", "", "o"});
  const PersonId member{town.ok(DeclarePerson{"m", "", Role::member})};
  town.ok(DeclareMember{"project", "m"});
  SubmitJob free = town.wish();
  free.project = "secret";
  town.ok(SetPrice{"pool", Credits{0}});
  const JobId hidden = town.submit(free), mine = town.submit(town.wish());
  const auto ask = [&](JobId other) {
    SubmitJob job = town.wish();
    const std::array<After, 1> list{After{other, When::any}};
    job.after = list;
    town.facts.clear();
    return apply(town.world, {.by = member, .command = job}, town.now, town.facts);
  };
  CHECK(ask(hidden).error().reason == Reason::unknown_after);
  CHECK(ask(mine).has_value());
}

}  // namespace tenbin
