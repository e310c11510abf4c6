#pragma once

#include <string>
#include <vector>

#include "core/world.h"

// What the status page shows, as values: the World is looked at once and briefly, and what is seen
// is put into words afterwards, without it.

namespace tenbin {

struct Board {
  struct Pool {
    std::string name, provider, model;
    Gpus all, busy, free;  // the rest is on nodes that take nothing new
    std::uint64_t up = 0, draining = 0, evacuating = 0;  // nodes
  };
  struct Region {
    std::string name, title;
    std::vector<Pool> pools;
  };
  struct Job {
    JobId id;
    std::string name, project, person, shape;
    std::uint64_t tasks = 1;
    JobState state = JobState::queued;
    Instant submitted;
    // While it waits:
    Gpus asked, free;                // all that it asks for, and what is free where it may run
    std::vector<std::string> pools;  // where it may run
    std::vector<JobId> after;        // what has to end first
    std::uint32_t at_once = 0;       // of its array, if that many run
    Instant promised;                // 0: nothing is
    // While it runs:
    Instant started, ends;
    std::string region;
    std::vector<std::string> nodes;
  };
  struct Project {
    std::string name, title;
    Credits allocated, held, spent, expired, free;
  };

  std::string person, person_title;
  std::vector<Region> regions;
  bool all_jobs = false;                   // all projects' jobs are seen
  std::uint64_t running = 0, waiting = 0;  // each task counted
  bool running_exact = true;               // else more may run, and fewer wait
  Instant oldest;                          // when what has waited longest was submitted; 0: nothing
  std::vector<Job> next, runs;             // no more than `rows` of each
  std::uint64_t projects = 0;              // that are seen
  std::vector<Project> balances;           // no more than `rows`
  Project sum;                             // over all that are seen
};

/// Bounds of one look.
struct BoardLimits {
  std::size_t rows = 50;           // shown of each kind
  std::size_t jobs_read = 20'000;  // that may have to be looked at to find those
};

/// What `by` may see. Cost: nodes, shares and projects; of jobs, at most what the limits say.
Board look(const World& world, PersonId by, const BoardLimits& limits = {});

}  // namespace tenbin
