// Schedules that must come out byte for byte, through the whole World: every job is submitted,
// held, started, ended and charged. The published files are read where they are; two small cases
// lie beside this file. TENBIN_LONG=1: all published cases.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/rng.h"
#include "core/schedule/schedule.h"
#include "golden/oracle.h"
#include "twin/replay.h"

namespace tenbin {

namespace {

using Rule = oracle::Policy;

Policy policy_of(Rule policy) {
  return {.order = oracle::shortest_first(policy) ? QueueOrder::sjf : QueueOrder::fifo,
          .backfill = oracle::backfills(policy) ? Backfill::easy : Backfill::none};
}

std::vector<Instant> scheduled(const std::vector<TraceJob>& jobs, const ReplayFleet& fleet,
                               const Policy& policy) {
  World world = replay_world(jobs, fleet, policy);
  const std::vector<Instant> starts = replay(world, jobs).starts;
  REQUIRE(broken_promise(world) == "");
  return starts;
}

std::string csv(const std::vector<TraceJob>& jobs, const std::vector<Instant>& starts) {
  std::vector<std::pair<std::uint64_t, Instant>> rows;
  for (std::size_t i = 0; i < jobs.size(); ++i) rows.emplace_back(jobs[i].id, starts[i]);
  std::ranges::sort(rows);
  std::string text = "job_id,start\n";
  for (const auto& [id, start] : rows)
    text += std::to_string(id) + "," + std::to_string(start.ms) + "\n";
  return text;
}

std::string name_of(Rule policy) {
  constexpr std::array names{"fifo", "sjf", "easy", "sjf_easy"};
  return names[static_cast<std::size_t>(policy)];
}

bool long_run() {
  return std::getenv("TENBIN_LONG") != nullptr;
}  // NOLINT(concurrency-mt-unsafe)

struct Published {
  const char* name;
  std::uint32_t gpus;
};

/// Many jobs at few instants, of few sizes and few limits, so that everything ties with something.
std::vector<TraceJob> many_ties(Rng& rng, std::uint64_t count, std::uint64_t gpus_max) {
  std::vector<TraceJob> jobs;
  for (std::uint64_t id = 1; id <= count; ++id) {
    TraceJob job{.id = id, .submit = Instant{static_cast<std::int64_t>(rng.below(count / 2)) * 10}};
    job.shape = whole_gpus(static_cast<std::int64_t>(
        1 + rng.below(rng.chance(200'000) ? gpus_max : 1 + gpus_max / 3)));
    job.limit = Span{static_cast<std::int64_t>(1 + rng.below(5)) * 20};
    job.runtime = rng.chance(400'000)
                      ? job.limit
                      : Span{static_cast<std::int64_t>(
                                 1 + rng.below(static_cast<std::uint64_t>(job.limit.count) / 10)) *
                             10};
    job.user = static_cast<std::uint32_t>(rng.below(3));
    jobs.push_back(job);
  }
  std::ranges::stable_sort(jobs, {}, &TraceJob::submit);
  return jobs;
}

}  // namespace

TEST_CASE("the published schedules come out byte for byte") {
  const char* shared = std::getenv("TENBIN_SHARED");  // NOLINT(concurrency-mt-unsafe)
  const std::string folder = std::string(shared ? shared : "") + "/golden/";
  if (!shared || !std::filesystem::exists(folder + "inputs")) {
    MESSAGE("SKIPPED: the published schedules are not here (TENBIN_SHARED)");
    return;
  }
  constexpr std::array quick{Published{"s1_1k_g64", 64}, Published{"s2_1k_g64_u", 64},
                             Published{"s8_ties_2k_g32", 32}};
  constexpr std::array large{Published{"s3_10k_g1000", 1'000}, Published{"s4_10k_g1000_u", 1'000},
                             Published{"s5_10k_g10000_u", 10'000},
                             Published{"s6_100k_g1000_u", 1'000},
                             Published{"s7_100k_g10000_u", 10'000}};
  std::vector<Published> cases(quick.begin(), quick.end());
  if (long_run()) cases.insert(cases.end(), large.begin(), large.end());
  for (const Published& c : cases) {
    const auto trace = read_trace(folder + "inputs/" + c.name + ".csv.gz");
    REQUIRE(trace.has_value());
    const std::vector<TraceJob>& jobs = trace->jobs;
    for (const Rule policy : {Rule::fifo, Rule::sjf, Rule::easy}) {
      const std::string name = std::string(c.name) + "." + name_of(policy);
      CAPTURE(name);
      const auto expected = unpacked_file(folder + name + ".csv.gz");
      REQUIRE(expected.has_value());
      const std::string got = csv(jobs, scheduled(jobs, {.gpus = c.gpus}, policy_of(policy)));
      CHECK((got == *expected));  // in brackets: a difference is not worth two megabytes of text
    }
  }
}

TEST_CASE("two small schedules come out byte for byte") {
  for (const std::string name : {"ties_60_g8", "limits_60_g16"}) {
    CAPTURE(name);
    const std::string path = std::string(TENBIN_GOLDEN_DIR) + "/" + name;
    const auto trace = read_trace(path + ".csv");
    REQUIRE(trace.has_value());
    const std::vector<TraceJob>& jobs = trace->jobs;
    const std::uint32_t gpus = name == "ties_60_g8" ? 8 : 16;
    for (const Rule policy : {Rule::fifo, Rule::sjf, Rule::easy}) {
      const auto expected = unpacked_file(path + "." + name_of(policy) + ".csv");
      REQUIRE(expected.has_value());
      CHECK(csv(jobs, oracle::counted(jobs, gpus, policy, never)) == *expected);
      CHECK(csv(jobs, scheduled(jobs, {.gpus = gpus}, policy_of(policy))) == *expected);
    }
  }
}

TEST_CASE("the World schedules a counted pool as the obvious way does") {
  const std::uint64_t seeds = long_run() ? 5'000 : 400;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Rng rng{seed};
    const auto gpus = static_cast<std::uint32_t>(1 + rng.below(12));
    const std::vector<TraceJob> jobs =
        many_ties(rng, 10 + rng.below(seed % 10 == 0 ? 400 : 60), gpus + 1);
    for (const Rule policy : {Rule::fifo, Rule::sjf, Rule::easy, Rule::sjf_easy}) {
      REQUIRE(csv(jobs, scheduled(jobs, {.gpus = gpus}, policy_of(policy))) ==
              csv(jobs, oracle::counted(jobs, gpus, policy, never)));
    }
  }
}

TEST_CASE("the World places jobs on nodes as the obvious way does") {
  const std::uint64_t seeds = long_run() ? 5'000 : 400;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Rng rng{seed};
    const auto nodes = static_cast<std::uint32_t>(1 + rng.below(6));
    const std::uint32_t each = 1u << rng.below(4);
    const std::vector<TraceJob> jobs = many_ties(rng, 10 + rng.below(60), nodes * each + 1);
    REQUIRE(
        csv(jobs, scheduled(jobs, {.kind = PoolKind::nodes, .nodes = nodes, .gpus_per_node = each},
                            {.backfill = Backfill::none})) ==
        csv(jobs, oracle::on_nodes(jobs, nodes, each, never)));
  }
}

}  // namespace tenbin
