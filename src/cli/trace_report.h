#pragma once

#include "cli/context.h"
#include "twin/trace.h"

// What a trace says about itself, for people; the same from every command that reads one.

namespace tenbin::cli {

/// What was done to its lines, and which of them were left out. `keep_cpu_jobs`: what to say of how
/// jobs without GPUs are kept, if they can be.
void report(const Context& context, const TraceInfo& info, const TraceProblems& problems,
            Phrase keep_cpu_jobs = Phrase::empty);

/// What it lacks, and what stands in for it.
void report_lacks(const Context& context, const TraceInfo& info);

}  // namespace tenbin::cli
