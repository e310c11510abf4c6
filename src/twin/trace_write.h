#pragma once

#include <memory>
#include <string>

#include "twin/trace.h"

namespace tenbin {

enum class TraceOutput : std::uint8_t {
  csv,     // every column that Tenbin knows
  golden,  // job_id,submit,gpus,runtime,walltime,user
  swf,
  binary,
};
constexpr auto enum_names(TraceOutput) {
  return std::array<std::string_view, 4>{"csv", "golden", "swf", "binary"};
}

/// What a file's name says about what shall stand in it: .csv, .swf, .trace, each also with .gz or
/// .zst behind it.
std::optional<TraceOutput> output_named(std::string_view path);

/// Writes jobs one after the other. The file appears under its name when it is finished; until then
/// it is beside it with `.part` behind its name.
class TraceWriter {
 public:
  virtual ~TraceWriter() = default;
  /// Errors: the disk's, or a job that the format cannot express (golden and SWF know no fractions
  /// and no gangs).
  virtual Result<void> add(const TraceJob& job, const TraceNames& names) = 0;
  virtual Result<void> finish(const TraceNames& names) = 0;
};

/// "-": standard output. Packed if the name ends in .gz or .zst. Two runs give the same bytes.
Result<std::unique_ptr<TraceWriter>> create_trace(const std::string& path, TraceOutput output,
                                                  const TraceInfo& info, bool japanese = false);

/// The same into a text.
Result<std::string> trace_text(TraceSource& source, TraceOutput output, bool japanese = false);

}  // namespace tenbin
