// "What if" for a whole month: every policy that the parts make, up to 24, on the shared Philly
// month, on all cores of the machine, with the figures of the table.

#include "twin/compare.h"

#include <thread>

#include "bench.h"
#include "input.h"
#include "twin/policy.h"

namespace tenbin::bench {

namespace {

constexpr std::size_t policies_max = 24;
constexpr double seconds_asked = 60;

std::vector<Policy> all_policies() {
  std::vector<Policy> all;
  for (std::size_t p = 0; p < enum_names(Placement{}).size(); ++p) {
    for (std::size_t o = 0; o < enum_names(QueueOrder{}).size(); ++o) {
      for (std::size_t b = 0; b < enum_names(Backfill{}).size(); ++b) {
        if (all.size() == policies_max) return all;
        all.push_back({.order = static_cast<QueueOrder>(o),
                       .backfill = static_cast<Backfill>(b),
                       .placement = static_cast<Placement>(p)});
      }
    }
  }
  return all;
}

std::vector<Measurement> compare_24_philly(const Options& options) {
  auto trace =
      read_trace(shared_folder() + "/traces/philly/philly_jobs_2017-09-04_2017-10-31.csv.gz");
  std::string note = "Philly, submitted in October 2017, 96 nodes of 8 GPUs";
  std::vector<TraceJob> jobs;
  if (trace) {
    for (const TraceJob& job : trace->jobs) {
      if (job.submit >= Instant{1'506'816'000'000} && job.submit < Instant{1'509'494'400'000})
        jobs.push_back(job);
    }
  } else {
    jobs = s6().jobs;
    jobs.resize(std::min<std::size_t>(jobs.size(), 47'192));
    note = "the Philly trace is not here (TENBIN_SHARED): other jobs";
  }
  const std::vector<Policy> policies = all_policies();
  note += "; " + std::to_string(policies.size()) + " policies, " + std::to_string(jobs.size()) +
          " jobs each";
  const ReplayFleet fleet{.kind = PoolKind::nodes, .nodes = 96, .gpus_per_node = 8};
  const TraceNames names;
  std::vector<double> seconds;
  for (int round = 0; round < options.rounds; ++round) {
    std::vector<ReplayTask> tasks;
    for (const Policy& policy : policies) {
      tasks.push_back({words_of(policy), policy, [&](Measure& measure, ReplayControl& control) {
                         World world = replay_world(fleet, policy);
                         return replay(world, jobs, names, &measure, &control);
                       }});
    }
    seconds.push_back(
        1 / per_second(1, [&] {
          keep(run_all(std::move(tasks), {}, Gpus{768'000}, std::thread::hardware_concurrency(), {})
                   .size());
        }));
  }
  return {{.name = "compare_24_philly",
           .value = median(std::move(seconds)),
           .unit = "s",
           .rounds = options.rounds,
           .limit_name = "asked for",
           .limit = seconds_asked,
           .note = note}};
}

const Registered compare{"compare_24_philly", compare_24_philly};

}  // namespace

}  // namespace tenbin::bench
