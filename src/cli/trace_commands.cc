#include <algorithm>
#include <chrono>

#include "base/rng.h"
#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/trace_report.h"
#include "cli/width.h"
#include "twin/generate.h"
#include "twin/policy.h"
#include "twin/trace.h"
#include "twin/trace_figures.h"
#include "twin/trace_write.h"

// Traces are files: none of these commands speaks to a service.

namespace tenbin::cli {

namespace {

constexpr std::string_view formats = "csv|swf|openb|philly|philly-csv|helios|acme|muri|binary";
constexpr std::string_view outputs = "csv|golden|swf|binary";

std::unexpected<Stop> bad_value(const Context& context, const Words& words, std::string_view flag,
                                std::string_view value) {
  return stop(Exit::usage, "usage", context.say(Phrase::trace_bad_value, flag, value),
              context.say(Phrase::hint_help, words.command->name));
}

bool japanese(const Context& context) {
  return context.look.language == Language::japanese;
}

/// What every command that reads a trace takes.
struct Input {
  std::string path, format;
  bool strict = false, cpu_jobs = false;

  void declare(Options& options) {
    options.word("FILE", path, Options::Need::required)
        .value("--format", formats, format, Phrase::opt_trace_format)
        .flag("--strict", strict, Phrase::opt_trace_strict)
        .flag("--cpu-jobs", cpu_jobs, Phrase::opt_trace_cpu);
  }
  Outcome<std::unique_ptr<TraceSource>> open(const Context& context, const Words& words) const {
    TraceOptions options{.strict = strict, .cpu_jobs = cpu_jobs, .japanese = japanese(context)};
    if (!format.empty()) {
      options.format = value_named<TraceFormat>(format);
      if (!options.format) return bad_value(context, words, "--format", format);
    }
    if (auto there = there_is(context, path); !there) return std::unexpected(there.error());
    auto source = open_trace(path, options);
    if (!source) return unreadable(context, source.error());
    return std::move(*source);
  }
  std::unexpected<Stop> unreadable(const Context& context, const Error& error) const {
    return stop(Exit::failed, "trace_unreadable", error.what,
                strict           ? context.say(Phrase::hint_trace_strict)
                : format.empty() ? context.say(Phrase::hint_trace_format)
                                 : "");
  }
};

/// What every command that writes one takes.
struct Output {
  std::string path, to;

  void declare(Options& options) {
    options.word("OUT", path, Options::Need::required)
        .value("--to", outputs, to, Phrase::opt_trace_to);
  }
  Outcome<TraceOutput> form(const Context& context, const Words& words) const {
    if (!to.empty()) {
      const auto output = value_named<TraceOutput>(to);
      if (!output) return bad_value(context, words, "--to", to);
      return *output;
    }
    if (const auto output = output_named(path)) return *output;
    return stop(Exit::usage, "usage", context.say(Phrase::trace_to_what, path),
                context.say(Phrase::hint_trace_to));
  }
};

void write_problems(JsonWriter& out, const TraceInfo& info, const TraceProblems& problems) {
  out.key("left_out").begin_object();
  for (std::size_t f = 0; f < trace_faults; ++f) {
    if (problems.counts[f] > 0) out.member(enum_names(TraceFault{})[f], problems.counts[f]);
  }
  out.end_object();
  out.key("first_left_out").begin_array();
  for (const TraceProblems::Problem& one : problems.first) {
    out.begin_object()
        .member("line", one.line)
        .member("fault", name_of(one.fault))
        .member("text", one.text)
        .end_object();
  }
  out.end_array();
  out.member("without_gpus", info.without_gpus)
      .member("sorted", info.sorted_by_us)
      .member("limits_drawn_out", info.clipped);
}

/// Thousandths for people: 1.25.
std::string decimal(std::uint64_t thousandths, int decimals) {
  std::string text = std::to_string(thousandths / 1'000);
  if (decimals == 0) return grouped(text);
  std::string part = std::to_string(1'000 + thousandths % 1'000).substr(1);
  return grouped(text) + "." + part.substr(0, static_cast<std::size_t>(decimals));
}

std::string percent(Wide part, Wide whole) {
  if (whole == 0) return "0.0 %";
  const auto tenths = static_cast<std::uint64_t>((part * 1'000 + whole / 2) / whole);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

/// Passes what `keep` wants on into `output`, under the names that the source has.
template <class Keep>
Outcome<int> pass(const Context& context, const Words& words, const Input& input,
                  TraceSource& source, const Output& output, Keep&& keep) {
  const auto form = output.form(context, words);
  if (!form) return std::unexpected(form.error());
  std::unique_ptr<TraceWriter> writer;
  std::uint64_t count = 0;
  TraceJob job;
  const auto unwritable = [&](const Error& error) {
    return stop(Exit::failed, "trace_unwritable", error.what);
  };
  while (true) {
    const auto any = source.next(job);
    if (!any) return input.unreadable(context, any.error());
    if (!*any) break;
    if (context.around.stopped && context.around.stopped())
      return stop(Exit::interrupted, "interrupted", output.path);
    const std::optional<bool> kept = keep(job);
    if (!kept) break;
    if (!*kept) continue;
    if (!writer) {
      auto created = create_trace(output.path, *form, source.info(), japanese(context));
      if (!created) return unwritable(created.error());
      writer = std::move(*created);
    }
    if (auto done = writer->add(job, source.names()); !done) return unwritable(done.error());
    ++count;
  }
  if (!writer) {
    report(context, source.info(), source.problems(), Phrase::trace_keep_cpu);
    return stop(Exit::failed, "no_jobs", context.say(Phrase::trace_none_left, input.path));
  }
  if (auto done = writer->finish(source.names()); !done) return unwritable(done.error());
  if (context.format == Format::json) {
    std::string json;
    JsonWriter out(json);
    out.begin_object()
        .member("out", output.path)
        .member("form", name_of(*form))
        .member("jobs", count);
    write_problems(out, source.info(), source.problems());
    out.end_object();
    if (output.path == "-") {
      context.note(json);
    } else {
      context.print_line(json);
    }
    return 0;
  }
  report(context, source.info(), source.problems(), Phrase::trace_keep_cpu);
  context.note(context.say(Phrase::trace_written, output.path, grouped(std::to_string(count)),
                           name_of(*form)));
  return 0;
}

std::string rfc3339(Instant instant) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds{instant.ms}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<seconds>(time - day)};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

constexpr std::array<std::pair<const char*, std::uint64_t>, 7> percentiles{{{"p10", 100'000},
                                                                            {"p25", 250'000},
                                                                            {"p50", 500'000},
                                                                            {"p75", 750'000},
                                                                            {"p90", 900'000},
                                                                            {"p95", 950'000},
                                                                            {"p99", 990'000}}};

std::string info_json(const TraceSource& source, const TraceFigures& figures) {
  const TraceInfo& info = source.info();
  std::string json;
  JsonWriter out(json);
  out.begin_object()
      .member("format", name_of(info.format))
      .member("jobs", figures.jobs)
      .member("first_submit_ms", figures.first.ms)
      .member("last_submit_ms", figures.last.ms)
      .member("dated", info.dated)
      .member("times", info.times)
      .member("limits", info.limits)
      .member("processors", info.processors)
      .member("users", source.names().users.size())
      .member("owners", source.names().owners.size());
  out.key("models").begin_array();
  for (const std::string& model : source.names().models) out.value(model);
  out.end_array();
  if (info.processors_there) out.member("max_procs", *info.processors_there);
  if (info.began) out.member("began_ms", info.began->ms);
  out.member("gpu_seconds", static_cast<std::int64_t>(figures.gpu_ms / 1'000'000))
      .member("mean_milli_gpus", figures.mean_gpus())
      .member("fractions", figures.fractions)
      .member("gangs", figures.gangs)
      .member("mean_runtime_ms", figures.jobs == 0
                                     ? 0
                                     : static_cast<std::int64_t>(figures.runtime_sum /
                                                                 static_cast<Wide>(figures.jobs)));
  out.key("runtime_ms").begin_object();
  for (const auto& [name, ppm] : percentiles) out.member(name, figures.runtime_ms.percentile(ppm));
  out.end_object();
  if (info.limits)
    out.member("limit_over_runtime_p50_thousandths",
               figures.limit_over_runtime.percentile(500'000));
  out.key("sizes").begin_array();
  for (std::size_t s = 0; s < TraceFigures::sizes; ++s) {
    if (figures.jobs_upto[s] == 0) continue;
    out.begin_object()
        .member("gpus_at_most", std::uint64_t{1} << s)
        .member("jobs", figures.jobs_upto[s])
        .member("gpu_seconds", static_cast<std::int64_t>(figures.gpu_ms_upto[s] / 1'000'000))
        .end_object();
  }
  out.end_array();
  if (info.ends) {
    out.key("ends").begin_object();
    for (std::size_t e = 0; e < figures.ends.size(); ++e)
      out.member(enum_names(TraceEnd{})[e], figures.ends[e]);
    out.end_object();
    out.key("gpu_seconds_by_end").begin_object();
    for (std::size_t e = 0; e < figures.ends.size(); ++e) {
      out.member(enum_names(TraceEnd{})[e],
                 static_cast<std::int64_t>(figures.gpu_ms_by_end[e] / 1'000'000));
    }
    out.end_object();
  }
  out.key("by_hour_utc").begin_array();
  for (const std::uint64_t count : figures.by_hour()) out.value(count);
  out.end_array();
  out.member("gap_variation_thousandths", figures.gap_variation())
      .member("hourly_dispersion_thousandths", figures.hourly_dispersion());
  write_problems(out, info, source.problems());
  out.end_object();
  return json;
}

// How large its jobs are, as programs want it.
void print_sizes(const Context& context, const TraceFigures& figures) {
  Table table({{"gpus_at_most", Phrase::ti_gpus, Kind::number},
               {"jobs", Phrase::ti_share_jobs, Kind::number},
               {"gpu_seconds", Phrase::ti_share_time, Kind::number}});
  for (std::size_t s = 0; s < TraceFigures::sizes; ++s) {
    if (figures.jobs_upto[s] == 0) continue;
    table.add({std::to_string(std::uint64_t{1} << s), std::to_string(figures.jobs_upto[s]),
               std::to_string(static_cast<std::int64_t>(figures.gpu_ms_upto[s] / 1'000'000))});
  }
  context.print(table.csv());
}

void print_info(const Context& context, const TraceSource& source, const TraceFigures& figures) {
  const TraceInfo& info = source.info();
  const bool ja = japanese(context);
  std::vector<std::pair<Phrase, std::string>> lines;
  const auto count = [](std::uint64_t value) { return grouped(std::to_string(value)); };
  const auto instant = [&](Instant at) {
    if (info.dated) return instant_text(rfc3339(at), context.look.zone);
    return at.ms == 0 ? std::string("0") : span_text(at.ms);
  };
  lines.emplace_back(Phrase::ti_format, std::string(name_of(info.format)));
  lines.emplace_back(Phrase::ti_jobs, count(figures.jobs));
  if (info.times) {
    lines.emplace_back(Phrase::ti_from, instant(figures.first));
    lines.emplace_back(Phrase::ti_until, instant(figures.last));
    lines.emplace_back(Phrase::ti_length,
                       span_text((figures.last - figures.first).count / 1'000 * 1'000));
  }
  lines.emplace_back(Phrase::ti_users, count(source.names().users.size()));
  if (info.owners) lines.emplace_back(Phrase::ti_owners, count(source.names().owners.size()));
  std::string models;
  for (const std::string& model : source.names().models)
    models += (models.empty() ? "" : ", ") + model;
  if (!models.empty()) lines.emplace_back(Phrase::ti_models, models);
  if (info.times) {
    lines.emplace_back(Phrase::ti_gpu_hours,
                       count(static_cast<std::uint64_t>(figures.gpu_ms / 3'600'000'000)));
    lines.emplace_back(Phrase::ti_mean_gpus, decimal(figures.mean_gpus(), 1));
    std::string runtime;
    for (const auto& [name, ppm] : percentiles) {
      const auto ms = static_cast<std::int64_t>(figures.runtime_ms.percentile(ppm));
      runtime += std::string(name) + " " +
                 (ms == 0 ? "0s" : span_text(ms < 1'000 ? ms : (ms + 500) / 1'000 * 1'000)) +
                 (ja ? "、" : ", ");
    }
    runtime += context.say(Phrase::ti_mean) + " " +
               span_text(std::max<std::int64_t>(
                   1'000, static_cast<std::int64_t>(figures.runtime_sum /
                                                    static_cast<Wide>(figures.jobs)) /
                              1'000 * 1'000));
    lines.emplace_back(Phrase::ti_runtime, runtime);
    if (info.limits) {
      lines.emplace_back(Phrase::ti_limit,
                         "p50 " + decimal(figures.limit_over_runtime.percentile(500'000), 2));
    }
  }
  if (info.ends) {
    constexpr std::array words_of{Phrase::end_completed, Phrase::end_failed, Phrase::end_cancelled};
    std::string jobs, time;
    for (std::size_t e = 0; e < words_of.size(); ++e) {
      const std::string before = (e == 0 ? "" : ja ? "、" : ", ") + context.say(words_of[e]) + " ";
      jobs += before + percent(static_cast<Wide>(figures.ends[e]), static_cast<Wide>(figures.jobs));
      time += before + percent(figures.gpu_ms_by_end[e], figures.gpu_ms);
    }
    lines.emplace_back(Phrase::ti_ends, jobs);
    if (info.times) lines.emplace_back(Phrase::ti_ends_time, time);
  }
  if (info.times && source.names().users.size() > 1) {
    const auto top = [&](std::uint64_t ppm) {
      return percent(static_cast<Wide>(TraceFigures::share_of_top(figures.gpu_ms_by_user, ppm)),
                     1'000'000);
    };
    lines.emplace_back(Phrase::ti_top, context.say(Phrase::ti_top_text, top(10'000), top(50'000),
                                                   top(100'000), top(200'000)));
  }
  if (info.times) {
    lines.emplace_back(Phrase::ti_burst,
                       context.say(Phrase::ti_burst_text, decimal(figures.gap_variation(), 1),
                                   decimal(figures.hourly_dispersion(), 1)));
  }
  int left = 0;
  for (const auto& [phrase, text] : lines)
    left = std::max(left, width_of(text_of(phrase, context.look.language)));
  for (const auto& [phrase, text] : lines) {
    const std::string name = context.say(phrase);
    context.print_line(
        name + std::string(static_cast<std::size_t>(left - width_of(name) + 2), ' ') + text);
  }

  context.print_line("");
  context.print_line(context.say(Phrase::ti_sizes));
  Table table({{"gpus_at_most", Phrase::ti_gpus, Kind::number},
               {"jobs", Phrase::ti_share_jobs, Kind::number},
               {"gpu_time", Phrase::ti_share_time, Kind::number}});
  std::uint64_t jobs = 0;
  Wide time = 0;
  for (std::size_t s = 0; s < TraceFigures::sizes; ++s) {
    jobs += figures.jobs_upto[s];
    time += figures.gpu_ms_upto[s];
    if (figures.jobs_upto[s] == 0) continue;
    table.add({std::to_string(std::uint64_t{1} << s),
               percent(static_cast<Wide>(jobs), static_cast<Wide>(figures.jobs)),
               info.times ? percent(time, figures.gpu_ms) : "-"});
  }
  context.print(table.text(context.look));
  if (info.times) {
    context.print_line("");
    context.print_line(context.say(Phrase::ti_hours));
    std::string hours;
    for (const std::uint64_t in : figures.by_hour())
      hours += (hours.empty() ? "" : " ") + std::to_string(in * 2'400 / figures.jobs);
    context.print_line("  " + hours);
  }
  report_lacks(context, info);
  report(context, info, source.problems(), Phrase::trace_keep_cpu);
}

/// "8", "2-8", "64-": both ends belong to it.
template <class Parse>
std::optional<std::pair<std::int64_t, std::int64_t>> range(std::string_view text, Parse&& parse) {
  const std::size_t dash = text.find('-');
  const auto from = parse(text.substr(0, dash));
  if (!from) return std::nullopt;
  if (dash == std::string_view::npos) return std::pair(*from, *from);
  if (dash + 1 == text.size()) return std::pair(*from, INT64_MAX);
  const auto to = parse(text.substr(dash + 1));
  if (!to || *to < *from) return std::nullopt;
  return std::pair(*from, *to);
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  const auto value = parse_whole(text, 0, INT64_MAX);
  return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

/// "80%", "0.8": in millionths.
std::optional<std::int64_t> part_of_whole(std::string_view text) {
  const bool percent_sign = text.ends_with('%');
  if (percent_sign) text.remove_suffix(1);
  return parse_decimal(text, percent_sign ? 4 : 6);
}

}  // namespace

Outcome<int> trace_info(Context& context, const Words& words) {
  Input input;
  Options options(*words.command, "FILE [FLAGS]");
  input.declare(options);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto source = input.open(context, words);
  if (!source) return std::unexpected(source.error());
  TraceFigures figures;
  TraceJob job;
  while (true) {
    const auto any = (*source)->next(job);
    if (!any) return input.unreadable(context, any.error());
    if (!*any) break;
    figures.add(job);
  }
  if (context.format == Format::json) {
    print_json(context, info_json(**source, figures));
  } else if (figures.jobs == 0) {
    report(context, (*source)->info(), (*source)->problems(), Phrase::trace_keep_cpu);
    return stop(Exit::failed, "no_jobs", context.say(Phrase::trace_none_left, input.path));
  } else if (context.format == Format::csv) {
    print_sizes(context, figures);
    report(context, (*source)->info(), (*source)->problems(), Phrase::trace_keep_cpu);
  } else {
    print_info(context, **source, figures);
  }
  return 0;
}

Outcome<int> trace_convert(Context& context, const Words& words) {
  Input input;
  Output output;
  Options options(*words.command, "FILE OUT [FLAGS]");
  input.declare(options);
  output.declare(options);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto source = input.open(context, words);
  if (!source) return std::unexpected(source.error());
  return pass(context, words, input, **source, output,
              [](const TraceJob&) -> std::optional<bool> { return true; });
}

Outcome<int> trace_sample(Context& context, const Words& words) {
  Input input;
  Output output;
  std::string rate, by = "job", seed_text = "1";
  Options options(*words.command, "FILE OUT --rate PERCENT [FLAGS]");
  input.declare(options);
  output.declare(options);
  options.value("--rate", "PERCENT", rate, Phrase::opt_trace_rate)
      .value("--by", "job|user", by, Phrase::opt_trace_by)
      .value("--seed", "N", seed_text, Phrase::opt_trace_seed);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (rate.empty()) {
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, "--rate"),
                context.say(Phrase::hint_help, words.command->name));
  }
  const auto ppm = part_of_whole(rate);
  if (!ppm || *ppm <= 0 || *ppm > 1'000'000) return bad_value(context, words, "--rate", rate);
  if (by != "job" && by != "user") return bad_value(context, words, "--by", by);
  const auto seed = whole_number(seed_text);
  if (!seed) return bad_value(context, words, "--seed", seed_text);
  const auto source = input.open(context, words);
  if (!source) return std::unexpected(source.error());
  return pass(context, words, input, **source, output,
              [&](const TraceJob& job) -> std::optional<bool> {
                // Each is drawn by itself, so that what the others are changes nothing.
                const std::uint64_t who = by == "user" ? job.user : job.id;
                Rng rng{Rng{static_cast<std::uint64_t>(*seed)}.next() ^ who};
                return rng.chance(static_cast<std::uint64_t>(*ppm));
              });
}

Outcome<int> trace_filter(Context& context, const Words& words) {
  Input input;
  Output output;
  std::string from, until, gpus, runtime, end, limit;
  std::vector<std::string> users, owners;
  Options options(*words.command, "FILE OUT [FLAGS]");
  input.declare(options);
  output.declare(options);
  options.value("--from", "TIME", from, Phrase::opt_trace_from)
      .value("--until", "TIME", until, Phrase::opt_trace_until)
      .value("--gpus", "A-B", gpus, Phrase::opt_trace_gpus)
      .value("--runtime", "A-B", runtime, Phrase::opt_trace_runtime)
      .values("--user", "NAME", users, Phrase::opt_trace_user)
      .values("--owner", "NAME", owners, Phrase::opt_trace_owner)
      .value("--ended", "completed|failed|cancelled", end, Phrase::opt_trace_end)
      .value("--limit", "N", limit, Phrase::opt_trace_first);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());

  // A time is a date, or a length of time after the first job.
  struct Time {
    std::optional<std::int64_t> at, after;
  };
  const auto time = [](const std::string& text) -> std::optional<Time> {
    Time read;
    if (text.empty() || (read.at = parse_instant(text))) return read;
    if (text == "0") {
      read.after = 0;
    } else if (const auto span = parse_span(text)) {
      read.after = span->count;
    } else {
      return std::nullopt;
    }
    return read;
  };
  const auto begins = time(from), ends = time(until);
  if (!begins) return bad_value(context, words, "--from", from);
  if (!ends) return bad_value(context, words, "--until", until);
  const auto sizes = gpus.empty() ? std::pair<std::int64_t, std::int64_t>(0, INT64_MAX)
                                  : range(gpus, whole_number);
  if (!sizes) return bad_value(context, words, "--gpus", gpus);
  const auto lengths =
      runtime.empty() ? std::pair<std::int64_t, std::int64_t>(0, INT64_MAX)
                      : range(runtime, [](std::string_view text) -> std::optional<std::int64_t> {
                          if (text == "0") return 0;
                          const auto span = parse_span(text);
                          return span ? std::optional(span->count) : std::nullopt;
                        });
  if (!lengths) return bad_value(context, words, "--runtime", runtime);
  const auto ended = end.empty() ? std::nullopt : value_named<TraceEnd>(end);
  if (!end.empty() && !ended) return bad_value(context, words, "--ended", end);
  const auto most = limit.empty() ? std::optional<std::int64_t>(INT64_MAX) : whole_number(limit);
  if (!most || *most == 0) return bad_value(context, words, "--limit", limit);

  const auto source = input.open(context, words);
  if (!source) return std::unexpected(source.error());
  const TraceNames& names = (*source)->names();
  std::int64_t count = 0;
  std::optional<std::int64_t> first;
  return pass(context, words, input, **source, output,
              [&](const TraceJob& job) -> std::optional<bool> {
                if (!first) first = job.submit.ms;
                const auto since = [&](const Time& t, std::int64_t otherwise) {
                  return t.at ? *t.at : t.after ? *first + *t.after : otherwise;
                };
                if (count == *most || job.submit.ms >= since(*ends, INT64_MAX))
                  return std::nullopt;  // nothing more can come
                const bool kept =
                    job.submit.ms >= since(*begins, INT64_MIN) && job.gpus() >= sizes->first &&
                    job.gpus() <= sizes->second && job.runtime.count >= lengths->first &&
                    job.runtime.count <= lengths->second && (!ended || job.end == *ended) &&
                    (users.empty() || std::ranges::count(users, names.users[job.user]) > 0) &&
                    (owners.empty() || std::ranges::count(owners, names.owners[job.owner]) > 0);
                count += kept;
                return kept;
              });
}

Outcome<int> trace_generate(Context& context, const Words& words) {
  Output output;
  std::string preset = "philly", jobs = "10000", days, gpus, load, seed = "1";
  Options options(*words.command, "OUT [FLAGS]");
  output.declare(options);
  options.value("--preset", "philly|helios|llm-dev|university", preset, Phrase::opt_trace_preset)
      .value("--jobs", "N", jobs, Phrase::opt_trace_jobs)
      .value("--days", "N", days, Phrase::opt_trace_days)
      .value("--gpus", "N", gpus, Phrase::opt_trace_fleet)
      .value("--load", "PART", load, Phrase::opt_trace_load)
      .value("--seed", "N", seed, Phrase::opt_trace_seed);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());

  GenerateOptions wanted;
  const auto which = value_named<TracePreset>(preset);
  if (!which) return bad_value(context, words, "--preset", preset);
  wanted.preset = *which;
  const auto number = [](const std::string& text, std::int64_t most) {
    const auto value = whole_number(text);
    return value && *value > 0 && *value <= most ? value : std::nullopt;
  };
  const auto job_count = number(jobs, generated_jobs_max);
  if (!job_count) return bad_value(context, words, "--jobs", jobs);
  wanted.jobs = static_cast<std::uint64_t>(*job_count);
  if (!days.empty()) {
    const auto day_count = number(days, 3'650);
    if (!day_count) return bad_value(context, words, "--days", days);
    wanted.days = *day_count;
  }
  if (!gpus.empty()) {
    const auto fleet = number(gpus, 1'000'000);
    if (!fleet) return bad_value(context, words, "--gpus", gpus);
    wanted.gpus = *fleet;
  }
  if (!load.empty()) {
    const auto ppm = part_of_whole(load);
    if (!ppm || *ppm < 1'000 || *ppm > 10'000'000) return bad_value(context, words, "--load", load);
    wanted.load_ppm = *ppm;
  }
  const auto seed_number = whole_number(seed);
  if (!seed_number) return bad_value(context, words, "--seed", seed);
  wanted.seed = static_cast<std::uint64_t>(*seed_number);
  wanted.japanese = japanese(context);
  auto source = generate_trace(wanted);
  if (!source) return stop(Exit::usage, "usage", source.error().what);
  return pass(context, words, Input{}, **source, output,
              [](const TraceJob&) -> std::optional<bool> { return true; });
}

}  // namespace tenbin::cli
