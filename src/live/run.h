#pragma once

#include <string>
#include <string_view>

#include "codec/spec.h"
#include "core/world.h"
#include "live/ports.h"

// From what a person asked to be run, and what the World says of it, to what an executor runs: the
// environment that is the same for all members (docs/job-files.md has the table), the index of an
// array's task, and the names of output files.

namespace tenbin {

/// Fills in what `spec` says. `attempt` has its identity and places already (attempt_of). The job's
/// own environment goes over what attempt_of put there, the SLURM_ variables over that.
void describe_run(AttemptSpec& attempt, JobSpec spec, const World& world, const Job& job);

/// What stands for %x in the name of an output file.
struct OutputNames {
  std::string job, array, task, name, user, node;
};

/// Slurm's patterns: %j %J %A %a %x %u %N, also with a width (%4j). %t and %n are the member's rank
/// and stay %t; %% stays %%; a letter that is no pattern stays as it is. What is filled in never
/// has a slash.
std::string expand_output(std::string_view pattern, const OutputNames& names);

}  // namespace tenbin
