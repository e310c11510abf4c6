#pragma once

#include <string>
#include <vector>

#include "twin/trace.h"

namespace tenbin::bench {

struct Input {
  std::vector<TraceJob> jobs;
  std::string note;  // says so if the jobs were generated
};

/// The folder of published traces and schedules: what the environment names in TENBIN_SHARED, or
/// beside the project. It need not be there.
std::string shared_folder();

/// 100,000 jobs for 1,000 GPUs: the golden case s6; else jobs of the same kind from a fixed seed.
Input s6();

}  // namespace tenbin::bench
