// Submitting into a long queue, and what a job that waits there costs in memory.

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "bench.h"
#include "twin/replay.h"

namespace tenbin::bench {

namespace {

constexpr std::size_t live_jobs = 200'000, more_jobs = 50'000;
constexpr Instant now{1'000};

constexpr std::uint32_t owner = 1;

/// One owner's project with credit for all, and 125 nodes of 8 GPUs that nobody schedules.
World fleet() {
  return replay_world({TraceJob{.id = 1, .submit = now, .shape = whole_gpus(1), .owner = owner}},
                      {PoolKind::nodes, 0, 125, 8}, {.backfill = Backfill::none});
}

enum class Remembered { no, yes };

void submit(World& world, std::size_t count, Remembered remembered) {
  Facts facts;
  const std::string project = replay_project(owner);
  for (std::size_t i = 0; i < count; ++i) {
    facts.clear();
    Asked asked{.command = SubmitJob{.project = project,
                                     .shape = {.packing = Packing::count, .gpus = Gpus{8'000}},
                                     .time_limit = Span{3'600'000}}};
    if (remembered == Remembered::yes) asked.request = {1, world.jobs.next_id().value};
    if (!apply(world, asked, now, facts)) {
      std::fprintf(stderr, "bench: a job was refused\n");
      std::exit(1);
    }
  }
}

void add_rows(Table<JobId, Job>& jobs, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) keep(jobs.add({}));
}

std::vector<Measurement> submit_core(const Options& options) {
  std::vector<Measurement> all;
  for (const Remembered remembered : {Remembered::no, Remembered::yes}) {
    World full = fleet();
    submit(full, live_jobs, remembered);
    Table<JobId, Job> rows;
    add_rows(rows, live_jobs);
    all.push_back(in_turn(
        {.name = remembered == Remembered::yes ? "submit_core_remembered" : "submit_core",
         .unit = "submits/s",
         .limit_name = "adding blank rows to the table of jobs",
         .note = "200,000 live jobs are queued"},
        options,
        [&] {
          World world = full;
          return per_second(more_jobs, [&] { submit(world, more_jobs, remembered); });
        },
        [&] {
          Table<JobId, Job> table = rows;
          return per_second(more_jobs, [&] { add_rows(table, more_jobs); });
        }));
  }
  return all;
}

double heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

std::vector<Measurement> job_memory(const Options& options) {
  return {in_turn(
      {.name = "job_memory",
       .unit = "bytes",
       .limit_name = "asked",
       .note = "a live queued job in one World, its request id remembered"},
      options,
      [] {
        World world = fleet();
        const double before = heap_bytes();
        submit(world, live_jobs, Remembered::yes);
        return (heap_bytes() - before) / static_cast<double>(live_jobs);
      },
      [] { return 1'024.0; })};
}

const Registered submits{"submit_core", submit_core};
const Registered memory{"job_memory", job_memory};

}  // namespace

}  // namespace tenbin::bench
