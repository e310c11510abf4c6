#pragma once

#include <string>

#include "cli/context.h"
#include "cli/service.h"

namespace tenbin::cli {

/// Which of a job's output is wanted. Empty: all members, both streams, the attempt that runs.
struct OutputWanted {
  std::string rank, stream, attempt;
};

/// Writes a job's output as it is written, until the job is over: standard output to ours, standard
/// error to ours. With several members each line begins with its rank. A later attempt begins anew.
Outcome<void> follow_output(Context& context, Service& service, const std::string& id,
                            const OutputWanted& wanted);

}  // namespace tenbin::cli
