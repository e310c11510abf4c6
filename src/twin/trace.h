#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "core/types.h"

namespace tenbin {

/// How a job of a trace ended, where the trace knows it.
enum class TraceEnd : std::uint8_t { completed, failed, cancelled };
constexpr auto enum_names(TraceEnd) {
  return std::array<std::string_view, 3>{"completed", "failed", "cancelled"};
}

/// One job of a trace: what it asked for, and how long it really ran (which the scheduler never
/// sees before its end).
struct TraceJob {
  std::uint64_t id = 0;      // the trace's own number, or that of the job's row
  Instant submit;            // since 1970, or since the trace's own beginning
  Shape shape;               // Packing::count for a bare number of GPUs
  Span runtime, limit;       // runtime <= limit; a trace without limits: limit == runtime
  std::uint32_t user = 0;    // index into TraceNames::users
  std::uint32_t owner = 0;   // index into TraceNames::owners: project, virtual cluster, group
  std::uint64_t models = 0;  // bits of indexes into TraceNames::models; 0: any model
  TraceEnd end = TraceEnd::completed;

  /// All that it holds at once, in whole GPUs, rounded up.
  constexpr std::int64_t gpus() const { return (shape.all_gpus().count + 999) / 1'000; }
  constexpr auto operator<=>(const TraceJob&) const = default;
};

/// `count` GPUs, wherever they are.
constexpr Shape whole_gpus(std::int64_t count) {
  return {.packing = Packing::count, .gpus = Gpus{count * 1'000}};
}

/// What the numbers in jobs mean. Grows while a source is read; what is there stays.
struct TraceNames {
  std::vector<std::string> users, owners, models;
};

/// Every way in which a line of a trace can be of no use. Name, English, Japanese.
#define TENBIN_TRACE_FAULTS(X)                                                             \
  X(columns, "too few or too many columns", "列の数が合いません")                          \
  X(not_a_number, "not a number", "数値ではありません")                                    \
  X(not_a_time, "not a date and time", "日時ではありません")                               \
  X(submit_out_of_range, "the submit time is negative or after 2099",                      \
    "投入時刻が負か、2099年より後です")                                                    \
  X(not_submitted, "no submit time", "投入時刻がありません")                               \
  X(no_gpus, "asks for no GPU", "GPUを1つも要求していません")                              \
  X(gpus_out_of_range, "the number of GPUs is negative or above 100,000",                  \
    "GPU数が負か、10万を超えています")                                                     \
  X(shape_out_of_range, "CPUs, memory or members out of range",                            \
    "CPU、メモリ、メンバー数のいずれかが範囲外です")                                       \
  X(runtime_out_of_range, "the run time is negative or above 400 days",                    \
    "実行時間が負か、400日を超えています")                                                 \
  X(never_ran, "never ran, or its run time is not known",                                  \
    "実行されていないか、実行時間が不明です")                                              \
  X(limit_out_of_range, "the time limit is not between 1 ms and 400 days",                 \
    "制限時間が1ミリ秒から400日の範囲にありません")                                        \
  X(runs_past_limit, "ran longer than its time limit", "制限時間より長く実行されています") \
  X(duplicate, "this id was there before", "同じIDがすでにあります")                       \
  X(encoding, "not UTF-8 text", "UTF-8の文字列ではありません")                             \
  X(line_too_long, "the line is longer than 1 MiB", "行が1 MiBを超えています")             \
  X(too_many_names, "too many users, owners or GPU models",                                \
    "利用者、所有者、GPUモデルのいずれかが多すぎます")                                     \
  X(not_understood, "not understood", "読み取れません")

enum class TraceFault : std::uint8_t {
#define X(name, english, japanese) name,
  TENBIN_TRACE_FAULTS(X)
#undef X
};
constexpr auto enum_names(TraceFault) {
  return std::array{
#define X(name, english, japanese) std::string_view{#name},
      TENBIN_TRACE_FAULTS(X)
#undef X
  };
}
constexpr std::size_t trace_faults = enum_names(TraceFault{}).size();
std::string_view words(TraceFault fault, bool japanese);

/// What was wrong with lines that were left out.
struct TraceProblems {
  struct Problem {
    std::uint64_t line = 0;  // from 1; of a JSON file or a binary trace: the job
    TraceFault fault{};
    std::string text;  // what stood there, cut to some 60 characters
  };
  std::array<std::uint64_t, trace_faults> counts{};  // by fault
  std::vector<Problem> first;                        // the first ten

  std::uint64_t count() const;
  std::uint64_t count(TraceFault fault) const { return counts[static_cast<std::size_t>(fault)]; }
};

enum class TraceFormat : std::uint8_t {
  csv,         // job_id,submit,gpus,runtime,walltime,user and more columns (docs/traces.md)
  swf,         // Standard Workload Format; its processors are taken as GPUs
  openb,       // pods of Alibaba's cluster-trace-gpu-v2023
  philly,      // cluster_job_log of Microsoft's Philly
  philly_csv,  // submit_time,duration_s,num_gpus,vc
  helios,      // cluster_log.csv of SenseTime's Helios
  acme,        // trace_seren.csv, trace_kalos.csv of Acme
  muri,        // traces of Muri
  binary,      // Tenbin's own (docs/formats/trace.md)
};
constexpr auto enum_names(TraceFormat) {
  return std::array<std::string_view, 9>{"csv",    "swf",  "openb", "philly", "philly-csv",
                                         "helios", "acme", "muri",  "binary"};
}

/// What holds for all jobs of a trace.
struct TraceInfo {
  TraceFormat format{};
  bool limits = false;        // jobs have time limits of their own; else the run time stands in
  bool owners = false;        // owners are not just the users again
  bool ends = false;          // it is known how jobs ended
  bool times = true;          // else jobs have neither submit nor run times
  bool dated = false;         // instants are dates; else they count from the trace's beginning
  bool processors = false;    // what are GPUs here were processors
  bool sorted_by_us = false;  // lines were out of order
  std::uint64_t clipped = 0;  // jobs that ran longer than their limit, which was drawn out
  std::uint64_t without_gpus =
      0;  // jobs left out because they want no GPU (TraceOptions::cpu_jobs)
  std::optional<std::int64_t> processors_there;  // SWF's MaxProcs
  std::optional<Instant> began;                  // SWF's UnixStartTime
};

struct TraceOptions {
  std::optional<TraceFormat> format;  // nothing: told from the content
  bool strict = false;                // the first bad line is an error
  bool cpu_jobs = false;              // keep jobs that want no GPU; else they are counted only
  bool japanese = false;              // the language of errors
  /// So many jobs are held to be sorted before the first is given out; a file that turns out to be
  /// unsorted after that is an error.
  std::size_t held_max = 1 << 18;
};

/// A trace that is read job by job.
class TraceSource {
 public:
  virtual ~TraceSource() = default;
  /// In order of (submit, id). False at the end.
  virtual Result<bool> next(TraceJob& job) = 0;
  virtual const TraceNames& names() const = 0;
  virtual const TraceProblems& problems() const = 0;
  virtual const TraceInfo& info() const = 0;
};

/// Opens a file ("-": standard input), plain, gzip or zstd. Memory: `held_max` jobs, whatever the
/// file's size, and a few bits for each id. Errors, at once or while reading: what cannot be read
/// and why; what the file looks like if it is no trace.
Result<std::unique_ptr<TraceSource>> open_trace(const std::string& path, const TraceOptions& = {});
/// The same from memory, which must outlive the source; `name` is for messages.
Result<std::unique_ptr<TraceSource>> open_trace_text(std::string_view bytes, std::string name,
                                                     const TraceOptions& = {});

/// A whole trace in memory.
struct Trace {
  std::vector<TraceJob> jobs;  // in order of (submit, id)
  TraceNames names;
  TraceProblems problems;
  TraceInfo info;
};

Result<Trace> read_all(TraceSource& source);
/// Files of any order.
Result<Trace> read_trace(const std::string& path, TraceOptions = {});
Result<Trace> parse_trace(std::string_view bytes, std::string name, TraceOptions = {});

/// A file's bytes, unpacked if it is gzip or zstd.
Result<std::string> unpacked_file(const std::string& path);

/// One node of openb's node list.
struct FleetNode {
  std::string name;
  std::uint32_t gpus = 0;
  Cpus cpus;
  Memory memory;
  std::string model;  // empty: a node without GPUs
};

/// `sn,cpu_milli,memory_mib,gpu,model`, in the order of the file. Every line must be good.
Result<std::vector<FleetNode>> read_openb_nodes(const std::string& path, bool japanese = false);

}  // namespace tenbin
