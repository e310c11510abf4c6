#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/job_request.h"
#include "core/types.h"

// The three kinds of TOML file, read strictly: every error names the file and the line.

namespace tenbin::cli {

/// Errors: no_file, if there is none at `path` ("-" always is).
Outcome<void> there_is(const Context& context, const std::string& path);

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

/// A policy by its file: the keys of [[policy]], and `name` if it is not to be the file's.
struct GivenPolicy {
  std::string name;
  Policy policy;
};
constexpr std::int64_t seed_max = std::int64_t{1} << 53;  // as the API takes it
Outcome<GivenPolicy> parse_policy(const Context& context, std::string_view text,
                                  const std::string& path);

/// The keys of POST /v1/jobs, those of its "run" beside them (docs/job-files.md), `command` for
/// argv; `time_limit = "2h"` and `memory = "4G"` beside time_limit_ms and memory_mib.
Outcome<JobRequest> read_job_file(const Context& context, const std::string& path);
Outcome<JobRequest> parse_job_file(const Context& context, std::string_view text,
                                   const std::string& path);

}  // namespace tenbin::cli
