// What reading and random histories have found, each as the shortest story that shows it.

#include <doctest/doctest.h>

#include "codec/record.h"
#include "codec/snapshot.h"
#include "core/world.h"

namespace tenbin {

namespace {

constexpr std::int64_t hour = 3'600'000;
constexpr std::array<char, 3> yen{'J', 'P', 'Y'};

/// A World with a provider, two regions, one grant and one project; a credit is one yen.
struct Town {
  World world;
  Facts facts;
  Instant now{1'700'000'000'000};

  Town() {
    ok(DeclareProvider{"p", ""});
    ok(DeclareRegion{"east", ""});
    ok(DeclareRegion{"west", ""});
    ok(DeclareFunder{"f", "", {1'000'000, yen}, Credits{1'000'000}});
    ok(DeclareProgramme{"p", ""});
    ok(DeclareOrganisation{"o", ""});
    ok(DeclareGrant{"g", "", "p", "o"});
    ok(DeclareProject{"project", "", "o"});
  }
  Decision ask(Asked asked) {
    facts.clear();
    return apply(world, asked, now, facts);
  }
  std::uint64_t ok(Command command) {
    const Decision decision = ask({.command = std::move(command)});
    REQUIRE(decision.has_value());
    REQUIRE(broken_promise(world) == "");
    return *decision;
  }
  void lot(Text name, std::int64_t credits, Span lasts, std::span<const Text> regions = {}) {
    ok(DeclareLot{name, "g", "f", {credits, yen}, Instant{}, now + lasts, regions});
    ok(DeclareAllocation{name, "g", "project", Credits{credits * 1'000'000}, name});
  }
  void counted_pool(Text name, Text region, std::int64_t gpus, std::int64_t gpu_hour) {
    ok(DeclarePool{.name = name,
                   .provider = "p",
                   .region = region,
                   .gpu_model = "m",
                   .kind = PoolKind::counted,
                   .counted = Gpus{gpus * 1'000}});
    ok(SetPrice{name, Credits{gpu_hour * 1'000'000}});
  }
  JobId submit(std::int64_t gpus, std::int64_t hours, std::span<const Text> regions = {}) {
    return JobId{ok(SubmitJob{.project = "project",
                              .shape = {.gpus = Gpus{gpus * 1'000}},
                              .regions = regions,
                              .time_limit = Span{hours * hour}})};
  }
  JobState state(JobId job) const { return world.jobs.at(job).state; }
};

constexpr std::array<Text, 1> east{"east"}, west{"west"};

}  // namespace

// The last of the pools that there may be made every later snapshot with a job in it unreadable.
TEST_CASE("a World with as many pools as there may be survives its snapshot") {
  Town town;
  town.lot("l", 100, Span{1'000 * hour});
  for (std::uint64_t p = 1; p <= pools_max; ++p)
    town.counted_pool("pool-" + std::to_string(p), "east", 1, 1);
  town.submit(1, 1);
  town.ok(Schedule{});
  const std::string bytes = encode(town.world);
  const Result<World> copy = decode_world(bytes);
  REQUIRE(copy.has_value());
  CHECK(encode(*copy) == bytes);
}

// A directory of pages that had all been retired grew for ever.
TEST_CASE("a table's memory follows the rows that live") {
  Table<JobId, int> table;
  std::size_t early = 0;
  for (std::uint64_t i = 0; i < 3'000'000; ++i) {
    const JobId id = table.add(1);
    if (id.value > 300) table.retire(JobId{id.value - 300});
    if (i == 100'000) early = table.bytes();
  }
  CHECK(table.bytes() <= 2 * early);
}

// The east is full, the west has room but none of the project's credit may be spent there. The
// scheduler forecast a start in the west, where the job does have room: this ended the process.
TEST_CASE("a job is promised nothing where it cannot pay, and holds up nobody there") {
  for (const Backfill backfill : {Backfill::easy, Backfill::none}) {
    Town town;
    town.ok(SetPolicy{{.backfill = backfill}});
    town.counted_pool("a", "east", 4, 1);
    town.counted_pool("b", "west", 8, 1);
    town.lot("eastern", 100, Span{1'000 * hour}, east);
    const JobId first = town.submit(4, 2, east);
    town.lot("western", 20, Span{1'000 * hour}, west);
    const JobId there = town.submit(4, 4, west);  // 16 of the 20 western credits
    town.ok(Schedule{});
    REQUIRE(town.state(first) == JobState::running);
    REQUIRE(town.state(there) == JobState::running);

    const JobId blocked =
        town.submit(4, 2);  // 8 eastern credits; the west has room but only 4 credits
    const JobId small = town.submit(1, 4, west);
    town.ok(Schedule{});
    CHECK(town.state(blocked) == JobState::queued);
    CHECK(town.state(small) == JobState::running);
    if (backfill == Backfill::easy) {
      CHECK(town.world.pools.at(town.world.jobs.at(blocked).promised).name == "a");
      CHECK(town.world.pools.at(PoolId{1}).promise.at == town.now + Span{2 * hour});
    }
  }
}

// An older job waits for all of pool a; a younger one permits a and b. It was started in a.
TEST_CASE("without backfill nothing starts in a pool that an older job waits for") {
  Town town;
  town.ok(SetPolicy{{.backfill = Backfill::none}});
  town.lot("l", 1'000, Span{1'000 * hour});
  for (const Text pool : {Text{"a"}, Text{"b"}}) {
    town.ok(DeclarePool{.name = pool,
                        .provider = "p",
                        .region = pool == "a" ? "east" : "west",
                        .gpu_model = "m",
                        .gpus_per_node = 1});
    town.ok(SetPrice{pool, Credits{pool == "a" ? 1'000'000 : 2'000'000}});
  }
  town.ok(DeclareNode{"a0", "a", 0});
  town.ok(DeclareNode{"a1", "a", 0});
  town.ok(DeclareNode{"b0", "b", 0});
  town.submit(1, 5, east);
  town.submit(1, 5, west);
  town.ok(Schedule{});
  const JobId older = JobId{town.ok(SubmitJob{.project = "project",
                                              .shape = {.members = 2, .gpus = Gpus{1'000}},
                                              .regions = east,
                                              .time_limit = Span{hour}})};
  const JobId younger = town.submit(1, 1);
  town.ok(Schedule{});
  CHECK(town.state(older) == JobState::queued);
  CHECK(town.state(younger) == JobState::queued);
}

// A job holds 8 credits for the dear place; its lot expires; it starts in the cheap one and lets go
// of 4.
TEST_CASE("credit that a start lets go of expires if its lot has") {
  Town town;
  town.counted_pool("cheap", "east", 4, 1);
  town.counted_pool("dear", "west", 4, 2);
  town.lot("l", 100, Span{hour});
  const JobId job = town.submit(4, 1);
  town.now = town.now + Span{2 * hour};
  town.ok(ExpireLot{LotId{1}});
  town.ok(Schedule{});
  CHECK(town.state(job) == JobState::running);
  CHECK(town.facts.size() == 2);
  CHECK(std::holds_alternative<CreditExpired>(town.facts[1]));
  CHECK(town.world.accounts.at(town.world.lots.at(LotId{1}).gone).balance() == Credits{96'000'000});
}

// Three funders at the limit: what a project could spend was more than 64 bits hold, and the
// refusal that says how much ended the process.
TEST_CASE("all that all funders promise fits the ledger") {
  Town town;
  town.counted_pool("a", "east", 1'000, 100'000);
  const std::int64_t rest = money_max - 1'000'000;  // of the town's own funder
  town.ok(DeclareFunder{"f1", "", {rest, yen}, Credits{1'000'000}});
  CHECK(!town.ask({.command = DeclareFunder{"f2", "", {1, yen}, Credits{1}}}).has_value());
  town.lot("l", 1'000'000, Span{1'000 * hour});
  town.ok(DeclareLot{"l1", "g", "f1", {rest, yen}, Instant{}, instant_max, {}});
  town.ok(DeclareAllocation{"l1", "g", "project", credits_max - Credits{1'000'000'000'000}, "l1"});
  const Decision decision =
      town.ask({.command = SubmitJob{.project = "project",
                                     .shape = {.packing = Packing::count, .gpus = Gpus{1'000'000}},
                                     .time_limit = time_limit_max,
                                     .tasks = 20}});
  REQUIRE(!decision.has_value());
  CHECK(decision.error().reason == Reason::insufficient_credit);
  CHECK(decision.error().figures[1] == credits_max.count);
}

// Input is refused, never asserted.
TEST_CASE("a person cannot ask for scheduling") {
  Town town;
  town.ok(DeclarePerson{"someone", "", Role::officer});
  const Decision decision = town.ask({.by = PersonId{1}, .command = Schedule{}});
  REQUIRE(!decision.has_value());
  CHECK(decision.error().reason == Reason::not_permitted);
}

// A title went into the journal as it came; a journal with broken text in it could not be read
// again.
TEST_CASE("what the journal says can be read again, whatever bytes a text has") {
  Town town;
  const Text broken("\xE3\x81 \xFF \xED\xA0\x80 ok", 11);
  CHECK(!town.ask({.command = DeclareProgramme{"q", broken}}).has_value());
  town.ok(DeclarePerson{"someone", "", Role::officer});
  CreateToken token{.person = "someone", .label = broken, .expires = instant_max};
  token.hash.bytes[0] = 1;
  CHECK(!town.ask({.command = token}).has_value());
  town.counted_pool("a", "east", 4, 1);
  town.lot("l", 100, Span{hour});
  CHECK(!town.ask({.command = SubmitJob{.project = "project",
                                        .shape = {.gpus = Gpus{1'000}},
                                        .time_limit = Span{hour},
                                        .name = broken}})
             .has_value());
  town.ok(DeclareProgramme{"q", "\xE8\xA8\x88\xE7\xAE\x97 \xF0\x9F\x96\xA5"});

  // A refusal under a request id is journaled with the command as it came.
  const Asked asked{.request = {1, 2}, .command = DeclareProgramme{broken, broken}};
  CHECK(!town.ask(asked).has_value());
  std::string body;
  write_record(body, asked, town.facts.events());
  JsonDocument document;
  Facts facts;
  const auto read = read_record(document, body, facts);
  REQUIRE(read.has_value());
  CHECK(facts.size() == 1);
}

// The worked example of docs/ledger.md: what changes of amounts take and give.
TEST_CASE("amounts are raised and lowered down to what is held, spent or allocated") {
  Town town;
  town.counted_pool("a", "east", 8, 1);
  const auto refusal = [&](Command command) {
    const Decision decision = town.ask({.command = std::move(command)});
    REQUIRE(!decision.has_value());
    REQUIRE(town.facts.size() == 0);
    return decision.error();
  };
  const Instant end = town.now + Span{1'000 * hour};
  const auto lot = [&](std::int64_t yens, Instant expires) {
    return DeclareLot{"l", "g", "f", {yens, yen}, Instant{}, expires, {}};
  };
  const auto allocation = [](std::int64_t credits) {
    return DeclareAllocation{"x", "g", "project", Credits{credits * 1'000'000}, "l"};
  };
  const auto funder = [](std::int64_t yens) {
    return DeclareFunder{"f", "", {yens, yen}, Credits{1'000'000}};
  };
  const auto credits = [](std::int64_t n) { return n * 1'000'000; };
  town.ok(lot(100, end));
  town.ok(allocation(60));
  const JobId job = town.submit(4, 10, east);  // holds 40
  town.ok(Schedule{});
  CHECK(refusal(allocation(39)) == refuse(Reason::allocation_in_use, credits(39), credits(40)));
  town.ok(allocation(40));
  CHECK(refusal(lot(39, end)) == refuse(Reason::lot_in_use, credits(39), credits(40)));
  town.ok(lot(40, end));
  CHECK(refusal(funder(39)) == refuse(Reason::commitment_in_use, credits(39), credits(40)));
  town.ok(funder(40));
  CHECK(refusal(allocation(41)) == refuse(Reason::insufficient_grant, credits(1), 0));
  CHECK(refusal(lot(41, end)) == refuse(Reason::commitment_exceeded, credits(1), 0));
  CHECK(town.world.projects.at(ProjectId{1}).shares.size() == 1);

  // The job ends after 5 hours: 20 are spent, 20 come back and can be taken out again.
  town.now = town.now + Span{5 * hour};
  town.ok(ReportEnd{job, 1, EndKind::exited, 0, town.now});
  CHECK(refusal(allocation(19)) == refuse(Reason::allocation_in_use, credits(19), credits(20)));
  town.ok(allocation(20));
  town.ok(lot(20, end));
  town.ok(funder(20));
  town.ok(funder(200));
  town.ok(lot(100, end));
  town.ok(allocation(100));
  const Share& share = town.world.shares.at(ShareId{1});
  CHECK(town.world.accounts.at(share.free).free() == Credits{credits(80)});

  // An expiry moves to now and no further; what has expired stays so.
  CHECK(refusal(lot(100, town.now - Span{1})) == refuse(Reason::expiry_past, town.now.ms));
  town.ok(lot(100, end + Span{hour}));
  town.ok(lot(100, town.now));
  CHECK(refusal(lot(100, end)).reason == Reason::lot_expired);
  CHECK(refusal(allocation(101)).reason == Reason::lot_expired);
  CHECK(refusal(allocation(99)).reason == Reason::allocation_in_use);
  town.ok(ExpireLot{LotId{1}});
  CHECK(refusal(lot(200, end)).reason == Reason::lot_expired);
  CHECK(town.world.accounts.at(town.world.lots.at(LotId{1}).gone).balance() ==
        Credits{credits(80)});
}

TEST_CASE("raising and lowering for ever never reaches the end of the counters") {
  Town town;
  const auto lot = [&](std::int64_t yens) {
    return DeclareLot{"l", "g", "big", {yens, yen}, Instant{}, instant_max, {}};
  };
  town.ok(DeclareFunder{"big", "", {2'000'000'000'000, yen}, Credits{1'000'000}});
  town.ok(lot(2'000'000'000'000));
  town.ok(DeclareAllocation{"x", "g", "project", Credits{1}, "l"});
  for (int i = 0; i < 20; ++i) {  // each time more than a sixth of what 64 bits hold
    town.ok(DeclareAllocation{"x", "g", "project", Credits{2'000'000'000'000'000'000}, "l"});
    town.ok(DeclareAllocation{"x", "g", "project", Credits{1}, "l"});
    town.ok(lot(1));
    town.ok(lot(2'000'000'000'000));
  }
  CHECK(decode_world(encode(town.world)).has_value());
}

TEST_CASE("an earlier expiry is consumed first from then on") {
  Town town;
  town.counted_pool("a", "east", 8, 1);
  town.lot("first", 100, Span{100 * hour});
  town.lot("second", 100, Span{200 * hour});
  REQUIRE(town.world.projects.at(ProjectId{1}).shares.front() == ShareId{1});
  town.ok(DeclareLot{"second", "g", "f", {100, yen}, Instant{}, town.now + Span{50 * hour}, {}});
  CHECK(town.world.projects.at(ProjectId{1}).shares.front() == ShareId{2});
  const JobId job = town.submit(1, 1, east);
  CHECK(town.world.jobs.at(job).legs[0].share == ShareId{2});
}

TEST_CASE("a snapshot of an older version is known as such, and not read") {
  const Town town;
  std::string bytes = encode(town.world);
  CHECK(!is_older_snapshot(bytes));
  bytes[8] = 1;  // after the magic
  CHECK(is_older_snapshot(bytes));
  CHECK(!decode_world(bytes).has_value());
  CHECK(!is_older_snapshot("TNBWORLD"));
  CHECK(!is_older_snapshot(""));
}

// A record of older rules has no roles, hints or scopes: it means what it meant.
TEST_CASE("a record of older rules is read with what was true then") {
  const std::string body =
      R"({"rules":1,"command":{"DeclareMember":{"project":"p","person":"a"}},"events":[)"
      R"({"MemberDeclared":{"project":1,"person":2}},)"
      R"({"TokenCreated":{"token":1,"person":2,"label":"l","hash":")" +
      std::string(64, 'a') + R"(","expires":5}}]})";
  JsonDocument document;
  Facts facts;
  const auto read = read_record(document, body, facts);
  REQUIRE(read.has_value());
  const auto& command = std::get<DeclareMember>(read->asked.command);
  CHECK(command.role == ScopedRole::member);
  CHECK(command.programme.empty());
  const auto& event = std::get<MemberDeclared>(facts[0]);
  CHECK(event.role == ScopedRole::member);
  CHECK(!event.programme);
  CHECK(!std::get<TokenCreated>(facts[1]).read_only);
  // Under the present rules everything has to be there.
  std::string present = body;
  present.replace(present.find("\"rules\":1"), 9, "\"rules\":" + std::to_string(rules_version));
  facts.clear();
  CHECK(!read_record(document, present, facts).has_value());
}

TEST_CASE("a snapshot whose rows contradict each other is an error") {
  Town town;
  town.ok(DeclarePool{.name = "n",
                      .provider = "p",
                      .region = "east",
                      .gpu_model = "m",
                      .gpus_per_node = 2,
                      .cpus = Cpus{4'000}});
  town.ok(SetPrice{"n", Credits{1}});
  town.ok(DeclareNode{"n0", "n", 0});
  town.counted_pool("c", "west", 4, 1);
  town.lot("l", 100, Span{1'000 * hour});
  const JobId on_node = JobId{town.ok(SubmitJob{.project = "project",
                                                .shape = {.gpus = Gpus{500}, .cpus = Cpus{1'000}},
                                                .regions = east,
                                                .time_limit = Span{hour}})};
  const JobId other = town.submit(1, 1, east);
  const JobId counted = town.submit(3, 1, west);
  town.ok(Schedule{});
  REQUIRE(decode_world(encode(town.world)).has_value());
  REQUIRE(town.state(on_node) == JobState::running);
  REQUIRE(town.state(other) == JobState::running);

  const auto damaged = [&](auto change) {
    World copy = town.world;
    change(copy);
    return !decode_world(encode(copy)).has_value();
  };
  CHECK(damaged(
      [&](World& w) { w.jobs.at(other).slices[0].mask = w.jobs.at(on_node).slices[0].mask; }));
  CHECK(damaged([&](World& w) { w.jobs.at(other).slices[0].mask = 4; }));
  CHECK(damaged([&](World& w) { w.jobs.at(on_node).slices[0].mask = 3; }));
  CHECK(damaged([&](World& w) { w.jobs.at(on_node).shape.cpus = Cpus{5'000}; }));
  CHECK(damaged([&](World& w) { w.jobs.at(on_node).shape.cpus = Cpus{-1}; }));
  CHECK(damaged([&](World& w) { w.jobs.at(on_node).pool = PoolId{2}; }));
  CHECK(damaged([&](World& w) { w.jobs.at(counted).shape.gpus = Gpus{5'000}; }));
  CHECK(damaged([&](World& w) { w.jobs.at(counted).promised = PoolId{9}; }));
  CHECK(damaged([&](World& w) { w.pools.at(PoolId{1}).gpus_per_node = 0; }));
  CHECK(damaged([&](World& w) { w.accounts.at(AccountId{1}).debits_posted = Credits{INT64_MIN}; }));
  CHECK(damaged([&](World& w) {
    w.projects.at(ProjectId{1}).name = w.projects.at(ProjectId{1}).name;
    w.regions.at(RegionId{1}).name = "west";
  }));
}

}  // namespace tenbin
