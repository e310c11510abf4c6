#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/job_request.h"
#include "cli/options.h"
#include "cli/service.h"

namespace tenbin::cli {

/// What describes a job, for `submit` and `quote`: a batch script or a job file, if one is named,
/// is taken first, and what the flags say goes over it.
class JobFlags {
 public:
  void declare(Options& options);

  enum class Command : std::uint8_t { optional, required };
  /// What a script asks for and does not get for nothing is said on the standard error. Asks the
  /// service for the fleet's names if a script uses such names. Errors: usage, a malformed file,
  /// something missing, an option of a script that Tenbin cannot honour.
  Outcome<JobRequest> request(const Context& context, Service& service, const Words& words,
                              std::string_view name, Command command) const;

 private:
  Outcome<JobRequest> from_script(const Context& context, Service& service,
                                  const std::string& text) const;
  Outcome<void> lay_over(const Context& context, JobRequest& job, std::string_view name) const;

  std::string file_, project_, name_, gpus_, members_, cpus_, memory_, time_limit_, tasks_,
      directory_, output_cap_, grace_, array_, retries_, output_, error_, signal_, names_file_;
  bool hold_ = false, no_requeue_ = false;
  std::vector<std::string> models_, regions_, environment_, after_, labels_, sbatch_, ignore_;
};

/// "12", "12:any" ... as --after and job files have it.
std::optional<AfterJob> parse_after(std::string_view text);

/// "USR1@120": a signal and the seconds before the limit at which it is sent.
struct SignalAsked {
  std::string name;
  Span before;
};
std::optional<SignalAsked> parse_signal(std::string_view text);

/// "0-9%2": sets the indexes, their number and how many at once.
bool take_array(std::string_view text, JobRequest& job);

}  // namespace tenbin::cli
