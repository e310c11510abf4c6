#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/job_request.h"

// The two kinds of TOML file, read strictly: every error names the file and the line.

namespace tenbin::cli {

/// All of a file, or of standard input for "-".
Outcome<std::string> read_file(const Context& context, const std::string& path);

/// One table of an `apply` file as the API takes it.
struct Declaration {
  std::string_view kind;
  std::string name;   // or what stands for it: the pool of a price, "project person" of a member
  std::string place;  // file:line
  std::string json;
};

/// [[funder]], [[grant]] ... in the order in which they depend on each other, within a kind in the
/// file's order.
Outcome<std::vector<Declaration>> read_declarations(const Context& context,
                                                    const std::string& path);
Outcome<std::vector<Declaration>> parse_declarations(const Context& context, std::string_view text,
                                                     const std::string& path);

/// The keys of POST /v1/jobs with `command`, `environment`, `directory`, `output_cap` and `grace`
/// for its "run"; `time_limit = "2h"` and `memory = "4G"` beside time_limit_ms and memory_mib.
Outcome<JobRequest> read_job_file(const Context& context, const std::string& path);
Outcome<JobRequest> parse_job_file(const Context& context, std::string_view text,
                                   const std::string& path);

}  // namespace tenbin::cli
