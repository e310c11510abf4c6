#pragma once

#include <string>
#include <vector>

#include "twin/trace.h"

namespace tenbin::bench {

struct Input {
  std::vector<TraceJob> jobs;
  std::string note;  // says so if the jobs were generated
};

/// 100,000 jobs for 1,000 GPUs: the golden case s6, from the folder that the environment names in
/// TENBIN_SHARED or from beside the project; else jobs of the same kind from a fixed seed.
Input s6();

}  // namespace tenbin::bench
