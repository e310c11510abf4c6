#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/job_request.h"
#include "cli/options.h"

namespace tenbin::cli {

/// The flags that describe a job, for `submit` and `quote`: a job file, if one is named, is taken
/// first, and what the flags say goes over it.
class JobFlags {
 public:
  void declare(Options& options);

  enum class Command : std::uint8_t { optional, required };
  /// Errors: usage, a malformed file, something missing.
  Outcome<JobRequest> request(const Context& context, const Words& words, std::string_view name,
                              Command command) const;

 private:
  Outcome<void> lay_over(const Context& context, JobRequest& job, std::string_view name) const;

  std::string file_, project_, name_, gpus_, members_, cpus_, memory_, time_limit_, tasks_,
      directory_, output_cap_, grace_;
  std::vector<std::string> models_, regions_, environment_;
};

}  // namespace tenbin::cli
