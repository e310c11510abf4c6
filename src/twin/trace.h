#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "core/types.h"

namespace tenbin {

/// One job of a trace: what it asked for, and how long it really ran (which the scheduler never
/// sees before its end).
struct TraceJob {
  std::uint64_t id = 0;
  Instant submit;
  std::uint32_t gpus = 0;  // whole GPUs
  Span runtime, limit;     // runtime <= limit
  std::uint32_t user = 0;
};

/// Reads `job_id,submit,gpus,runtime,walltime,user` (times in ms, a header line, plain or gzip), as
/// golden schedules have it, and sorts by (submit, id).
/// Errors: the file and line, what is wrong with it and what is expected.
Result<std::vector<TraceJob>> read_trace(const std::string& path);

/// The same from memory; `name` is for messages.
Result<std::vector<TraceJob>> parse_trace(std::string_view text, const std::string& name);

/// A file's bytes, unpacked if it is gzip.
Result<std::string> unpacked_file(const std::string& path);

}  // namespace tenbin
