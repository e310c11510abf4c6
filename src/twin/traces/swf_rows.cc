#include <array>
#include <cctype>

#include "twin/traces/fields.h"
#include "twin/traces/rows.h"

// The Standard Workload Format of the Parallel Workloads Archive: 18 numbers a line, -1 for what is
// not known, ";" before comments.

namespace tenbin::traces {

namespace {

enum Field : std::size_t {
  number,
  submit,
  wait,
  run,
  processors,
  cpu_time,
  memory,
  wanted_processors,
  wanted_time,
  wanted_memory,
  status,
  user,
  group,
  executable,
  queue,
  partition,
  before,
  think,
  fields
};

class SwfRows final : public Rows {
 public:
  SwfRows(Window& window, const TraceOptions& options) : Rows(options), lines_(window) {
    info.format = TraceFormat::swf;
    info.limits = info.ends = info.processors = true;
  }

  Result<Step> next(TraceJob& job) override {
    while (true) {
      const auto any = lines_.next(text);
      if (!any) return std::unexpected(any.error());
      if (!*any) return Step::end;
      line = lines_.number;
      if (lines_.too_long) return wrong(TraceFault::line_too_long);
      const std::string_view words = trimmed(text);
      if (words.empty()) continue;
      if (words[0] == ';') {
        comment(words.substr(1));
        continue;
      }
      return row(words, job);
    }
  }

 private:
  void comment(std::string_view words) {
    const std::size_t colon = words.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view about = trimmed(words.substr(0, colon));
    const auto value = whole(words.substr(colon + 1));
    if (!value || *value <= 0) return;
    if (about == "MaxProcs") info.processors_there = *value;
    if (about == "UnixStartTime" && *value < 4'102'444'800) info.began = Instant{*value * 1'000};
  }

  Step row(std::string_view words, TraceJob& job) {
    std::array<std::int64_t, fields> value{};
    std::size_t count = 0;
    while (!words.empty()) {
      std::size_t length = 0;
      while (length < words.size() && words[length] != ' ' && words[length] != '\t') ++length;
      if (count == fields) return wrong(TraceFault::columns);
      // Average times and memory may have a fraction, which is of no use here.
      const auto parsed = thousandths(words.substr(0, length));
      if (!parsed) return wrong(TraceFault::not_a_number);
      value[count++] = *parsed;
      words.remove_prefix(length);
      while (!words.empty() && (words[0] == ' ' || words[0] == '\t')) words.remove_prefix(1);
    }
    if (count != fields) return wrong(TraceFault::columns);
    if (value[number] < 0) return wrong(TraceFault::not_a_number);
    if (value[submit] == -1'000) return wrong(TraceFault::not_submitted);

    job = {};
    key = job.id = static_cast<std::uint64_t>(value[number] / 1'000);
    job.submit = Instant{value[submit]};
    if (value[run] == -1'000) return wrong(TraceFault::never_ran);
    job.runtime = Span{value[run]};
    job.shape.packing = Packing::count;
    job.shape.gpus = Gpus{value[processors] > 0 ? value[processors] : value[wanted_processors]};
    if (job.shape.gpus.count == -1'000) job.shape.gpus = Gpus{0};
    job.limit = Span{value[wanted_time] > 0 ? value[wanted_time] : value[run]};
    if (job.limit.count == 0) job.limit = Span{1};
    if (job.runtime > job.limit) {  // users were let past their own estimates
      job.limit = job.runtime;
      ++info.clipped;
    }
    job.end = value[status] == 0       ? TraceEnd::failed
              : value[status] == 5'000 ? TraceEnd::cancelled
                                       : TraceEnd::completed;
    if (!Rows::user(as_name(value[Field::user], user_), job)) return Step::fault;
    if (value[group] >= 0) {
      info.owners = true;
      if (!owner(as_name(value[group], group_), job)) return Step::fault;
    } else if (!owner("-", job)) {
      return Step::fault;
    }
    return Step::job;
  }

  static std::string_view as_name(std::int64_t thousandth, std::string& text) {
    text = thousandth < 0 ? "-" : std::to_string(thousandth / 1'000);
    return text;
  }

  Lines lines_;
  std::string user_, group_;
};

}  // namespace

std::unique_ptr<Rows> swf_rows(Window& window, const TraceOptions& options) {
  return std::make_unique<SwfRows>(window, options);
}

}  // namespace tenbin::traces
