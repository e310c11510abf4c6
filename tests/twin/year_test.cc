// A year of examples/japan-2024 in the twin: every promise of the ledger holds, and what statements
// say adds up to what the accounts say, by a sum that shares nothing with them.

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <queue>
#include <sstream>

#include "base/arena.h"
#include "base/rng.h"
#include "cli/context.h"
#include "cli/files.h"
#include "cli/values.h"
#include "codec/json.h"
#include "core/fleet/room.h"
#include "core/world.h"

namespace tenbin {
namespace {

const std::string example = std::string(TENBIN_SOURCE_DIR) + "/examples/japan-2024/";

/// The declarations of a file as commands; texts lie in `arena`.
std::vector<Command> commands_of(const std::string& path, Arena& arena) {
  const cli::Surroundings around{
      .variable = [](const char*) { return std::string(); },
      .out = [](std::string_view) {},
      .err = [](std::string_view) {},
      .sleep = [](Span) {},
  };
  const cli::Context context(around);
  const auto declarations = cli::read_declarations(context, path);
  REQUIRE(declarations.has_value());
  std::vector<Command> commands;
  JsonDocument document;
  for (const cli::Declaration& one : *declarations) {
    const JsonValue json = *document.parse(one.json);
    const auto text = [&](std::string_view key) {
      return arena.text(json[key].text().value_or(""));
    };
    const auto decimal = [&](std::string_view key, int decimals, std::int64_t otherwise) {
      const auto value = json[key].text();
      return value ? *cli::parse_decimal(*value, decimals) : otherwise;
    };
    const auto money = [&](std::string_view key) {
      const std::string_view currency = *json[key]["currency"].text();
      return Money{*cli::parse_decimal(*json[key]["amount"].text(), 2),
                   {currency[0], currency[1], currency[2]}};
    };
    const auto instant = [&](std::string_view key) {
      return Instant{*cli::parse_instant(*json[key].text())};
    };
    if (one.kind == "provider") {
      commands.emplace_back(DeclareProvider{text("name"), text("title")});
    } else if (one.kind == "region") {
      commands.emplace_back(DeclareRegion{text("name"), text("title")});
    } else if (one.kind == "pool") {
      commands.emplace_back(DeclarePool{
          .name = text("name"),
          .provider = text("provider"),
          .region = text("region"),
          .gpu_model = text("gpu_model"),
          .gpus_per_node = static_cast<std::uint32_t>(*json["gpus_per_node"].integer())});
    } else if (one.kind == "node") {
      commands.emplace_back(
          DeclareNode{text("name"), text("pool"),
                      static_cast<std::uint32_t>(json["first_device"].integer().value_or(0))});
    } else if (one.kind == "price") {
      commands.emplace_back(
          SetPrice{text("pool"), Credits{decimal("gpu_hour", 6, 0)},
                   static_cast<std::uint32_t>(decimal("fraction_factor", 6, 1'000'000))});
    } else if (one.kind == "funder") {
      // credits for one unit of the currency, which has 100 minor units
      commands.emplace_back(DeclareFunder{text("name"), text("title"), money("commitment"),
                                          Credits{decimal("credits_per_unit", 6, 0) / 100}});
    } else if (one.kind == "programme") {
      commands.emplace_back(DeclareProgramme{text("name"), text("title")});
    } else if (one.kind == "organisation") {
      commands.emplace_back(DeclareOrganisation{text("name"), text("title")});
    } else if (one.kind == "grant") {
      commands.emplace_back(
          DeclareGrant{text("name"), text("title"), text("programme"), text("organisation")});
    } else if (one.kind == "lot") {
      std::vector<Text> regions;
      json["regions"].each_item([&](JsonValue region) {
        regions.push_back(arena.text(*region.text()));
        return true;
      });
      commands.emplace_back(DeclareLot{text("name"), text("grant"), text("funder"), money("amount"),
                                       instant("valid_from"), instant("expires"),
                                       arena.list(std::span<const Text>(regions))});
    } else if (one.kind == "project") {
      commands.emplace_back(DeclareProject{text("name"), text("title"), text("organisation")});
    } else if (one.kind == "allocation") {
      // The example gives enough for a demonstration; a year takes more of the same grants.
      commands.emplace_back(DeclareAllocation{text("name"), text("grant"), text("project"),
                                              Credits{decimal("amount", 6, 0) * 20'000},
                                              text("lot")});
    }
  }
  return commands;
}

}  // namespace

TEST_CASE("a year of the programme keeps every promise, and statements add up") {
  Arena arena;
  World world;
  Facts facts;
  Instant now{*cli::parse_instant("2026-04-01T00:00:00+09:00")};
  const Instant last = now + Span{365LL * 86'400'000};

  // What statements say: of each job who paid how much from which lot.
  std::map<std::uint64_t, Wide> paid_by_share, paid_by_job;
  Wide paid = 0, charged = 0;
  std::uint64_t settled = 0, refused = 0, lost = 0, retried = 0, cancelled = 0, expired = 0;
  struct End {
    Instant at;
    JobId job;
    std::uint32_t attempt = 0;
    bool operator>(const End& o) const { return std::tie(at, job) > std::tie(o.at, o.job); }
  };
  std::priority_queue<End, std::vector<End>, std::greater<>> ends;
  Rng rng{2024};
  const auto captured = [&](std::uint64_t job, Credits amount, std::span<const Leg> captures) {
    charged += amount.count;
    Wide sum = 0;
    for (const Leg& leg : captures) {
      paid_by_share[leg.share.value] += leg.amount.count;
      sum += leg.amount.count;
    }
    CHECK(sum == amount.count);
    paid += sum;
    paid_by_job[job] += sum;
  };
  const auto give = [&](const Command& command) {
    facts.clear();
    const Decision decision = apply(world, {.command = command}, now, facts);
    for (const Event& event : facts.events()) {
      if (const auto* started = std::get_if<JobStarted>(&event)) {
        const Job& job = world.jobs.at(started->job);
        const std::int64_t run = std::min(
            job.limit.count, static_cast<std::int64_t>(rng.below(
                                 static_cast<std::uint64_t>(job.limit.count) * 5 / 4 + 1)));
        ends.push({now + Span{run}, started->job, started->attempt});
      } else if (const auto* over = std::get_if<JobSettled>(&event)) {
        captured(over->job.value, over->charged, over->captures);
        ++settled;
      } else if (const auto* failed = std::get_if<AttemptFailed>(&event)) {
        captured(failed->job.value, failed->charged, failed->captures);
        ++retried;
      } else if (std::holds_alternative<AttemptLost>(event)) {
        ++lost;
      } else if (std::holds_alternative<LotExpired>(event)) {
        ++expired;
      }
    }
    return decision;
  };
  for (const std::string file : {"fleet.toml", "programme.toml"}) {
    for (const Command& command : commands_of(example + file, arena)) {
      const Decision decided = give(command);
      REQUIRE(decided.has_value());
    }
  }
  REQUIRE(world.projects.size() >= 4);
  REQUIRE(world.lots.size() >= 8);

  const Text projects[] = {"tokyo-llm", "keio-agents", "nippon-llm", "us-japan-joint"};
  const Text nodes[] = {"east-1", "east-2", "west-1", "aws-east-1", "aws-west-1", "aws-west-2"};
  Instant next_submit = now;
  std::uint64_t commands = 0;
  for (;;) {
    Instant then = std::min(last, next_submit);
    if (!ends.empty()) then = std::min(then, std::max(now, ends.top().at));
    if (then >= last) break;
    now = then;
    world.lots.each([&](LotId id, const Lot& lot) {
      if (!lot.expired && lot.expires <= now)
        ends.push({now, JobId{}, static_cast<std::uint32_t>(id.value)});
    });
    while (!ends.empty() && ends.top().at <= now) {
      const End end = ends.top();
      ends.pop();
      if (!end.job) {
        static_cast<void>(give(ExpireLot{LotId{end.attempt}}));
        continue;
      }
      const Job* job = world.jobs.find(end.job);
      if (!job || !job->active() || job->attempt != end.attempt) continue;
      const auto chance = rng.below(100);
      const bool at_limit = now == job->expected_end();
      static_cast<void>(give(ReportEnd{end.job, end.attempt,
                                       at_limit      ? EndKind::time_limit
                                       : chance < 70 ? EndKind::exited
                                       : chance < 95 ? EndKind::exited
                                                     : EndKind::lost,
                                       chance < 70 ? 0 : 1, now}));
    }
    if (next_submit <= now) {
      const std::uint64_t what = rng.below(100);
      if (what < 90) {
        SubmitJob job{.project = projects[rng.below(4)]};
        const bool fraction = rng.below(3) == 0;
        job.shape = {
            .members = fraction ? 1u : 1u + static_cast<std::uint32_t>(rng.below(3)),
            .gpus = Gpus{fraction ? 250 : static_cast<std::int64_t>(1 + rng.below(4)) * 1'000}};
        job.time_limit = Span{static_cast<std::int64_t>(1 + rng.below(24)) * 3'600'000};
        job.tasks = rng.below(20) == 0 ? 1 + static_cast<std::uint32_t>(rng.below(8)) : 1;
        job.retries = static_cast<std::uint32_t>(rng.below(3));
        if (!give(job)) ++refused;
      } else if (what < 96) {
        const std::uint64_t newest = world.jobs.next_id().value;
        if (give(CancelJob{
                JobId{newest - 1 - rng.below(std::min<std::uint64_t>(newest - 1, 20))}})) {
          ++cancelled;
          world.jobs.each([&](JobId id, const Job& job) {
            if (job.state == JobState::stopping) ends.push({now + Span{5'000}, id, job.attempt});
          });
        }
      } else if (what < 98) {
        const auto node = give(EvacuateNode{nodes[rng.below(6)]});
        REQUIRE(node);
        for (const JobId id : running_on(world, NodeId{*node}))
          REQUIRE(give(ReportEnd{id, world.jobs.at(id).attempt, EndKind::stopped, 0, now}));
      } else {
        for (const Text node : nodes) static_cast<void>(give(ResumeNode{node}));
      }
      next_submit = now + Span{static_cast<std::int64_t>(rng.below(7'200'000))};
    }
    static_cast<void>(give(Schedule{}));
    if (++commands % 500 == 0) REQUIRE(broken_promise(world) == "");
  }
  REQUIRE(broken_promise(world) == "");
  MESSAGE(settled << " settled, " << refused << " refused, " << lost << " lost, " << retried
                  << " retried, " << cancelled << " cancelled, " << expired << " lots expired");
  CHECK(settled > 3'000);
  CHECK(lost > 50);
  CHECK(retried > 100);
  CHECK(cancelled > 50);
  CHECK(expired > 0);

  // The statements against the accounts.
  CHECK(paid == charged);
  Wide used = 0;
  world.shares.each([&](ShareId id, const Share& share) {
    const Credits balance = world.accounts.at(share.used).balance();
    CHECK(paid_by_share[id.value] == balance.count);
    used += balance.count;
  });
  CHECK(used == paid);
  std::map<std::uint64_t, Wide> by_allocation;
  world.shares.each([&](ShareId id, const Share& share) {
    by_allocation[share.allocation.value] += paid_by_share[id.value];
  });
  world.allocations.each([&](AllocationId id, const Allocation& allocation) {
    CHECK(by_allocation[id.value] <= allocation.amount.count);
  });
}

}  // namespace tenbin
