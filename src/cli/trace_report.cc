#include "cli/trace_report.h"

namespace tenbin::cli {

void report(const Context& context, const TraceInfo& info, const TraceProblems& problems,
            Phrase keep_cpu_jobs) {
  const bool japanese = context.look.language == Language::japanese;
  const auto count = [](std::uint64_t number) { return grouped(std::to_string(number)); };
  if (info.sorted_by_us) context.note(context.say(Phrase::trace_sorted));
  if (info.clipped > 0) context.note(context.say(Phrase::trace_clipped, count(info.clipped)));
  if (info.without_gpus > 0) {
    context.note(
        context.say(Phrase::trace_no_gpu, count(info.without_gpus), context.say(keep_cpu_jobs)));
  }
  if (problems.count() == 0) return;
  context.note(context.say(Phrase::trace_left_out, count(problems.count())));
  for (std::size_t f = 0; f < trace_faults; ++f) {
    if (problems.counts[f] == 0) continue;
    context.note(context.say(Phrase::trace_fault, count(problems.counts[f]),
                             words(static_cast<TraceFault>(f), japanese)));
  }
  for (const TraceProblems::Problem& one : problems.first) {
    context.note(context.say(Phrase::trace_line, one.line, words(one.fault, japanese), one.text));
  }
}

void report_lacks(const Context& context, const TraceInfo& info) {
  if (!info.times) context.note(context.say(Phrase::trace_no_times));
  if (info.times && !info.limits) context.note(context.say(Phrase::trace_no_limits));
  if (info.processors) context.note(context.say(Phrase::trace_processors));
}

}  // namespace tenbin::cli
