#include <algorithm>
#include <csignal>
#include <span>
#include <thread>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/replay_files.h"
#include "cli/table.h"
#include "cli/trace_report.h"
#include "codec/json.h"
#include "report/replay_page.h"
#include "twin/compare.h"
#include "twin/journal.h"
#include "twin/policy.h"

// `tenbin replay`: a trace under one or more policies, and what came of each.

namespace tenbin::cli {

namespace {

constexpr std::size_t held_max = 2'000'000;  // jobs; above that every replay reads the file itself

struct Asking {
  std::string trace, fleet, gpus, starts, out, html, journal, format, threads;
  std::vector<std::string> policies;
  bool strict = false, speed = false;
};

volatile std::sig_atomic_t interrupted = 0;

/// Ctrl-C asks to end with what there is; a second one ends at once.
class Interrupt {
 public:
  Interrupt() {
    interrupted = 0;
    struct sigaction action{};
    action.sa_handler = [](int) { interrupted = 1; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    ::sigaction(SIGINT, &action, &before_int_);
    ::sigaction(SIGTERM, &action, &before_term_);
  }
  ~Interrupt() {
    ::sigaction(SIGINT, &before_int_, nullptr);
    ::sigaction(SIGTERM, &before_term_, nullptr);
  }
  Interrupt(const Interrupt&) = delete;

 private:
  struct sigaction before_int_{}, before_term_{};
};

// For people: "0.4s", "53s", "12m05s", "5h20m", "3d04h".
std::string short_span(double ms) {
  const auto s = static_cast<std::int64_t>(ms / 1'000 + 0.5);
  if (ms < 10'000) return fmt::format("{:.1f}s", ms / 1'000);
  if (s < 100) return fmt::format("{}s", s);
  if (s < 6'000) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 172'800) return fmt::format("{}h{:02}m", s / 3'600, s % 3'600 / 60);
  return fmt::format("{}d{:02}h", s / 86'400, s % 86'400 / 3'600);
}
std::string short_span(Span span) {
  return short_span(static_cast<double>(span.count));
}

std::string per_cent(double part) {
  return fmt::format("{:.1f}%", part * 100);
}

std::string short_count(double value) {
  if (value >= 9'999'500) return fmt::format("{:.1f}M", value / 1e6);
  if (value >= 99'950) return fmt::format("{:.0f}k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

double speed_of(const Figures& f) {
  return f.seconds > 0 ? static_cast<double>(f.jobs) / f.seconds : 0;
}

void print_table(const Context& context, const std::vector<Replayed>& all) {
  const bool fragments = std::ranges::any_of(
      all, [](const Replayed& r) { return r.measure->figures().fragmentation.has_value(); });
  std::vector<Column> columns{{"policy", Phrase::col_policy},
                              {"jobs", Phrase::col_jobs_replayed, Kind::number},
                              {"refused", Phrase::col_refused, Kind::number, 3},
                              {"wait_mean", Phrase::col_wait_mean, Kind::number},
                              {"wait_p50", Phrase::col_wait_p50, Kind::number},
                              {"wait_p95", Phrase::col_wait_p95, Kind::number},
                              {"wait_p99", Phrase::col_wait_p99, Kind::number, 5},
                              {"wait_max", Phrase::col_wait_max, Kind::number},
                              {"slowdown", Phrase::col_slowdown, Kind::number, 4},
                              {"jct", Phrase::col_jct, Kind::number, 2},
                              {"utilisation", Phrase::col_utilisation, Kind::number}};
  if (fragments) columns.push_back({"fragmentation", Phrase::col_fragmentation, Kind::number, 2});
  columns.push_back({"makespan", Phrase::col_makespan, Kind::number, 6});
  columns.push_back({"credits", Phrase::col_credits_spent, Kind::number, 7});
  columns.push_back({"jobs_per_second", Phrase::col_speed, Kind::number, 8});
  Table table(std::move(columns));
  for (const Replayed& r : all) {
    if (!r.good) continue;
    const Figures& f = r.measure->figures();
    std::vector<std::string> cells{r.name,
                                   grouped(std::to_string(f.jobs)),
                                   grouped(std::to_string(f.refused)),
                                   short_span(f.wait.mean),
                                   short_span(f.wait.p50),
                                   short_span(f.wait.p95),
                                   short_span(f.wait.p99),
                                   short_span(f.wait.max),
                                   fmt::format("{:.2f}", f.slowdown),
                                   short_span(f.jct.mean),
                                   per_cent(f.utilisation)};
    if (fragments) cells.push_back(f.fragmentation ? per_cent(*f.fragmentation) : "-");
    cells.push_back(short_span(f.makespan));
    cells.push_back(short_count(static_cast<double>(f.charged.count) / 1e6));
    cells.push_back(short_count(speed_of(f)));
    table.add(std::move(cells));
  }
  context.print(table.text(context.look));
}

// Which to choose and why; of replays that were stopped nothing can be said.
void print_advice(const Context& context, const std::vector<Replayed>& all) {
  std::vector<const Replayed*> good;
  for (const Replayed& r : all) {
    if (r.measure->figures().stopped) return;
    if (r.good && r.measure->figures().wait.count > 0) good.push_back(&r);
  }
  if (good.size() < 2) return;
  const auto mean = [](const Replayed* r) { return r->measure->figures().wait.mean; };
  const auto [best, worst] = std::ranges::minmax_element(good, {}, mean);
  const auto longest = [](const Replayed* r) { return r->measure->figures().wait.max; };
  const auto [calm, harsh] = std::ranges::minmax_element(good, {}, longest);
  std::string text;
  if (mean(*worst) <= mean(*best) * 1.001 + 1) {
    text = context.say(Phrase::replay_equal);
  } else {
    const double ratio = mean(*worst) / std::max(mean(*best), 1.0);
    text = context.say(Phrase::replay_best, (*best)->name, short_span(mean(*best)), (*worst)->name,
                       ratio < 10 ? fmt::format("{:.1f}", ratio) : fmt::format("{:.0f}", ratio),
                       short_span(mean(*worst)));
    text += '\n' + context.say(Phrase::replay_worst_wait, (*calm)->name, short_span(longest(*calm)),
                               (*harsh)->name, short_span(longest(*harsh)));
  }
  context.print_line("\n" + text);
}

std::string figures_json(const Replayed& r, bool speed) {
  const Figures& f = r.measure->figures();
  std::string json;
  JsonWriter out(json);
  const auto real = [&](std::string_view key, double value) {
    out.key(key).raw(fmt::format("{:.6f}", value));
  };
  const auto spread = [&](std::string_view key, const Spread& s) {
    out.key(key).begin_object().member("count", s.count);
    real("mean", s.mean);
    out.member("p5", s.p5.count)
        .member("p25", s.p25.count)
        .member("p50", s.p50.count)
        .member("p75", s.p75.count)
        .member("p90", s.p90.count)
        .member("p95", s.p95.count)
        .member("p99", s.p99.count)
        .member("max", s.max.count)
        .end_object();
  };
  out.begin_object().member("policy", r.name).member("parts", words_of(r.policy));
  if (!r.good) {
    out.member("error", r.good.error().what).end_object();
    return json;
  }
  out.member("jobs", f.jobs).member("refused", f.refused).key("refused_because").begin_object();
  for (const auto& [reason, count] : f.reasons) out.member(text_of(reason).name, count);
  out.end_object().member("started", f.started).member("over", f.over);
  if (f.at_limit > 0) out.member("at_limit", f.at_limit);
  spread("wait_ms", f.wait);
  real("bounded_slowdown", f.slowdown);
  spread("jct_ms", f.jct);
  real("utilisation", f.utilisation);
  if (f.fragmentation) real("fragmentation", *f.fragmentation);
  out.member("first_submit_ms", f.first_submit.ms)
      .member("last_end_ms", f.last_end.ms)
      .member("makespan_ms", f.makespan.count)
      .member("gpus", fmt::format("{}", static_cast<double>(f.capacity.count) / 1'000))
      .member("credits", credits_text(f.charged.count))
      .member("events", f.events)
      .member("history", fmt::format("{:016x}", f.history))
      .member("stopped_early", f.stopped);
  if (speed) {
    real("seconds", f.seconds);
    real("jobs_per_second", speed_of(f));
  }
  out.end_object();
  return json;
}

void print_csv(const Context& context, const std::vector<Replayed>& all, bool speed) {
  std::string text =
      "policy,jobs,refused,started,over,wait_mean_ms,wait_p50_ms,wait_p95_ms,wait_p99_ms,wait_max_"
      "ms,bounded_slowdown,jct_mean_ms,utilisation,fragmentation,makespan_ms,credits";
  text += speed ? ",jobs_per_second\n" : "\n";
  for (const Replayed& r : all) {
    if (!r.good) continue;
    const Figures& f = r.measure->figures();
    text += fmt::format("{},{},{},{},{},{:.3f},{},{},{},{},{:.6f},{:.3f},{:.6f},{},{},{}",
                        csv_text(r.name), f.jobs, f.refused, f.started, f.over, f.wait.mean,
                        f.wait.p50.count, f.wait.p95.count, f.wait.p99.count, f.wait.max.count,
                        f.slowdown, f.jct.mean, f.utilisation,
                        f.fragmentation ? fmt::format("{:.6f}", *f.fragmentation) : "",
                        f.makespan.count, credits_text(f.charged.count));
    text += speed ? fmt::format(",{:.0f}\n", speed_of(f)) : "\n";
  }
  context.print(text);
}

Outcome<void> write_starts(const Context& context, const std::string& path, Measure& measure) {
  std::vector<std::pair<std::uint64_t, Instant>> rows;
  for (const JobOutcome& job : measure.jobs()) rows.emplace_back(job.id, job.start);
  std::ranges::sort(rows);
  WholeFile file(path);
  if (auto opened = file.open(context); !opened) return opened;
  file.add("job_id,start\n");
  for (const auto& [id, start] : rows) {
    file.add(start == JobOutcome{}.start ? fmt::format("{},\n", id)
                                         : fmt::format("{},{}\n", id, start.ms));
  }
  return file.keep(context);
}

std::string_view state_of(const JobOutcome& job) {
  if (job.refused) return "refused";
  if (!job.started()) return "waiting";
  if (!job.over()) return "running";
  return job.at_limit ? "time_limit" : name_of(job.how);
}

Outcome<void> write_jobs(const Context& context, const std::string& path,
                         const std::vector<Replayed>& all, const ReplayNames& names) {
  WholeFile file(path);
  if (auto opened = file.open(context); !opened) return opened;
  file.add("policy,job_id,user,owner,gpus,submit,start,end,wait,state,pool,credits\n");
  const auto name = [](const std::vector<std::string>& from, std::size_t i) {
    return i < from.size() ? csv_text(from[i]) : std::string();
  };
  for (const Replayed& r : all) {
    if (!r.good) continue;
    const std::string policy = csv_text(r.name);
    for (const JobOutcome& job : r.measure->jobs()) {
      const std::string start = job.started() ? std::to_string(job.start.ms) : "";
      const std::string end = job.over() ? std::to_string(job.end.ms) : "";
      const std::string wait = job.started() ? std::to_string(job.wait().count) : "";
      file.add(fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}\n", policy, job.id,
                           name(names.users, job.user), name(names.owners, job.owner),
                           static_cast<double>(job.gpus.count) / 1'000, job.submit.ms, start, end,
                           wait, state_of(job), job.pool ? name(names.pools, job.pool - 1u) : "",
                           credits_text(job.charged.count)));
    }
  }
  return file.keep(context);
}

Outcome<void> write_page(const Context& context, const std::string& path, const ReplayPage& page) {
  WholeFile file(path);
  if (auto opened = file.open(context); !opened) return opened;
  file.add(replay_page(page));
  return file.keep(context);
}

/// What was asked for; else the fleet file's own policy; else, where it is `built_in`, some to
/// compare.
enum class Otherwise : std::uint8_t { nothing, built_in };
Outcome<std::vector<GivenPolicy>> policies_of(const Context& context, const Asking& asking,
                                              const std::optional<Policy>& of_fleet,
                                              Otherwise otherwise) {
  std::vector<GivenPolicy> given;
  for (const std::string& text : asking.policies) {
    auto policy = read_policy(context, text);
    if (!policy) return std::unexpected(policy.error());
    given.push_back(*std::move(policy));
  }
  if (given.empty() && of_fleet) given.push_back({"fleet", *of_fleet});
  if (given.empty() && otherwise == Otherwise::built_in) {
    for (const std::string_view name : {"fifo", "sjf", "easy"})
      given.push_back({std::string(name), *policy_named(name)});
  }
  if (!asking.starts.empty() && given.size() > 1)
    return stop(Exit::usage, "usage", context.say(Phrase::replay_one_starts));
  return given;
}

std::vector<std::string> names_of(const std::vector<ReplayTask>& tasks) {
  std::vector<std::string> names;
  for (const ReplayTask& task : tasks) names.push_back(task.name);
  return names;
}

/// Runs the tasks with a line of progress.
std::vector<Replayed> run_shown(const Context& context, const Asking& asking,
                                std::vector<ReplayTask> tasks, const std::vector<ReplayPool>& pools,
                                unsigned threads, std::uint64_t jobs_each) {
  Gpus capacity{0};
  for (const ReplayPool& pool : pools) capacity += pool.gpus();
  const bool html = !asking.html.empty();
  const Measure::Wants wants{.jobs = html || !asking.starts.empty() || !asking.out.empty(),
                             .places = html,
                             .course = html};
  const Interrupt interrupt;
  bool shown = false;
  int ticks = 0;
  const auto each_while = [&](const CompareProgress& p) {
    if (context.around.err_is_terminal && ++ticks > 5) {
      std::string line =
          context.say(Phrase::replay_progress, p.done, p.of, grouped(std::to_string(p.submitted)));
      if (jobs_each > 0) {
        const double part = static_cast<double>(p.submitted + p.ended) /
                            (2.0 * static_cast<double>(jobs_each) * static_cast<double>(p.of));
        const auto filled = static_cast<std::size_t>(std::clamp(part, 0.0, 1.0) * 30);
        line = "[" + std::string(filled, '#') + std::string(30 - filled, '.') + "] " +
               fmt::format("{:3.0f}% ", part * 100) + line;
      }
      context.around.err("\r\x1b[K" + line);
      shown = true;
    }
    return interrupted == 0 && !(context.around.stopped && context.around.stopped());
  };
  auto all = run_all(std::move(tasks), wants, capacity, threads, each_while);
  if (shown) context.around.err("\r\x1b[K");
  return all;
}

void print_json(const Context& context, const Asking& asking, const std::vector<Replayed>& all,
                const std::vector<ReplayPool>& pools) {
  std::string json;
  JsonWriter out(json);
  out.begin_object();
  out.key("fleet").begin_array();
  for (const ReplayPool& pool : pools) {
    out.begin_object()
        .member("pool", pool.name)
        .member("region", pool.region)
        .member("gpu_model", pool.model)
        .member("kind", name_of(pool.kind))
        .member("nodes", pool.nodes.size())
        .member("gpus", pool.gpus().count / 1'000)
        .member("gpu_hour", credits_text(pool.gpu_hour.count))
        .end_object();
  }
  out.end_array().key("replays").begin_array();
  for (const Replayed& r : all) out.raw(figures_json(r, asking.speed));
  out.end_array().end_object();
  context.print_line(json);
}

/// Everything that follows the replays: files, the table, words. `asked_for` are all that were to
/// be; `page` lacks its replays.
Outcome<int> finish(const Context& context, const Asking& asking, std::vector<Replayed>& all,
                    std::span<const std::string> asked_for, const TraceNames& trace,
                    ReplayPage page) {
  for (const Replayed& r : all) {
    if (!r.good)
      return stop(Exit::failed, "replay_failed",
                  context.say(Phrase::replay_failed, r.name, r.good.error().what));
  }
  const std::vector<ReplayPool>& pools = page.pools;
  ReplayNames names{.users = trace.users, .owners = trace.owners, .pools = {}};
  for (const ReplayPool& pool : pools) names.pools.push_back(pool.name);
  if (!asking.html.empty()) {
    page.replays = all;
    if (auto wrote = write_page(context, asking.html, page); !wrote)
      return std::unexpected(wrote.error());
  }
  if (!asking.starts.empty()) {
    if (auto wrote = write_starts(context, asking.starts, *all[0].measure); !wrote)
      return std::unexpected(wrote.error());
  }
  if (!asking.out.empty()) {
    if (auto wrote = write_jobs(context, asking.out, all, names); !wrote)
      return std::unexpected(wrote.error());
  }
  switch (context.format) {
    case Format::json: print_json(context, asking, all, pools); break;
    case Format::csv: print_csv(context, all, asking.speed); break;
    case Format::table:
      print_table(context, all);
      print_advice(context, all);
      break;
  }
  bool stopped = all.size() < asked_for.size();
  if (stopped)
    context.note(context.say(Phrase::replay_not_begun, joined(asked_for.subspan(all.size()))));
  for (const Replayed& r : all) {
    const Figures& f = r.measure->figures();
    stopped = stopped || f.stopped;
    std::string reasons;
    for (const auto& [reason, count] : f.reasons)
      reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", count, text_of(reason).name);
    if (f.refused > 0)
      context.note(context.say(Phrase::replay_refused, r.name, f.refused, reasons));
  }
  for (const std::string& path : {asking.starts, asking.out, asking.html}) {
    if (!path.empty() && context.format == Format::table)
      context.note(context.say(Phrase::replay_wrote, path));
  }
  if (!stopped) return 0;
  context.note(context.say(Phrase::replay_stopped));
  return code(Exit::interrupted);
}

Outcome<TraceOptions> trace_options(const Context& context, const Asking& asking) {
  TraceOptions options{.strict = asking.strict,
                       .japanese = context.look.language == Language::japanese};
  if (asking.format.empty()) return options;
  options.format = value_named<TraceFormat>(asking.format);
  if (options.format) return options;
  return stop(
      Exit::usage, "usage",
      context.say(Phrase::flag_value, "--format", asking.format,
                  context.say(Phrase::replay_bad_format, joined(enum_names(TraceFormat{})))));
}

Outcome<int> replay_trace(Context& context, const Asking& asking, FleetFile fleet,
                          unsigned threads) {
  const auto options = trace_options(context, asking);
  if (!options) return std::unexpected(options.error());
  const auto given = policies_of(context, asking, fleet.policy, Otherwise::built_in);
  if (!given) return std::unexpected(given.error());
  if (auto there = there_is(context, asking.trace); !there) return std::unexpected(there.error());
  // Fragmentation is that of nodes, for the kinds of jobs that the trace has: it is in memory then.
  const bool nodes = std::ranges::any_of(
      fleet.fleet.all(), [](const ReplayPool& pool) { return pool.kind == PoolKind::nodes; });
  auto trace = ReplayTrace::open(asking.trace, *options, held_max, given->size() == 1 && !nodes);
  if (!trace) return stop(Exit::failed, "trace_unreadable", trace.error().what);
  if (!(*trace)->info().times) {
    return stop(Exit::failed, "no_times", context.say(Phrase::replay_no_times, asking.trace),
                context.say(Phrase::hint_replay_no_times));
  }

  std::vector<Target> targets;
  const bool known = nodes && (*trace)->held() && !(*trace)->held()->jobs.empty();
  if (known) targets = replay_targets(fleet.fleet, *(*trace)->held());
  std::vector<ReplayTask> tasks;
  for (const GivenPolicy& policy : *given) {
    tasks.push_back({policy.name, policy.policy,
                     [&, rules = policy.policy](Measure& measure, ReplayControl& control) {
                       auto opened =
                           open_replay_world(fleet.fleet, rules, targets, options->japanese);
                       if (!opened) return Result<ReplayRun>(std::unexpected(opened.error()));
                       World& world = *opened;
                       if (known) measure.follow(world, targets);
                       return (*trace)->run(world, measure, control);
                     }});
  }
  const std::vector<ReplayPool> pools = fleet.fleet.all();
  const std::vector<std::string> asked_for = names_of(tasks);
  auto all = run_shown(context, asking, std::move(tasks), pools, threads, (*trace)->size());
  const TraceInfo& info = (*trace)->info();
  const TraceProblems& problems = (*trace)->problems();
  report_lacks(context, info);
  report(context, info, problems);
  const Figures& first = all[0].measure->figures();
  if (all[0].good && first.jobs == 0 && !first.stopped)
    return stop(Exit::failed, "no_jobs", context.say(Phrase::trace_none_left, asking.trace));
  const TraceNames& names = (*trace)->names();
  return finish(context, asking, all, asked_for, names,
                {.title = asking.trace.substr(asking.trace.find_last_of('/') + 1),
                 .japanese = options->japanese,
                 .dated = info.dated,
                 .limits = info.limits,
                 .left_out = problems.count(),
                 .pools = pools,
                 .owners = names.owners});
}

Outcome<int> replay_journal(Context& context, const Asking& asking,
                            const std::optional<FleetFile>& fleet, unsigned threads) {
  const JournalReader& journal = context.around.journal;
  if (!journal) return stop(Exit::failed, "no_journal", context.say(Phrase::replay_no_journal));
  const auto history = JournalHistory::read(
      [&](const RecordVisit& visit) { return journal(asking.journal, visit); });
  if (!history) return stop(Exit::failed, "journal_unreadable", history.error().what);
  const JournalHistory& was = **history;

  const auto given =
      policies_of(context, asking, fleet ? fleet->policy : std::nullopt, Otherwise::nothing);
  if (!given) return std::unexpected(given.error());
  if (fleet) {
    const auto good = open_replay_world(fleet->fleet, was.policy(), {},
                                        context.look.language == Language::japanese);
    if (!good) return stop(Exit::failed, "replay_failed", good.error().what);
  }
  JournalHistory::Changed changed;
  if (fleet) changed.fleet = fleet->fleet;
  std::vector<ReplayTask> tasks;
  const auto add = [&](const std::string& name, std::optional<Policy> policy) {
    changed.policy = policy;
    tasks.push_back({name, policy.value_or(was.policy()),
                     [&was, changed](Measure& measure, ReplayControl& control) {
                       World world;
                       return was.replay(world, changed, &measure, &control);
                     }});
  };
  if (given->empty()) add(fleet ? "journal" : "as-it-was", {});
  for (const GivenPolicy& policy : *given) add(policy.name, policy.policy);

  const std::vector<ReplayPool> pools = fleet ? fleet->fleet.all() : was.pools();
  const std::vector<std::string> asked_for = names_of(tasks);
  auto all = run_shown(context, asking, std::move(tasks), pools, threads, was.jobs());
  std::uint64_t at_limit = 0;
  for (const Replayed& r : all) at_limit = std::max(at_limit, r.measure->figures().at_limit);
  if (at_limit > 0) context.note(context.say(Phrase::replay_journal_at_limit, at_limit));
  return finish(context, asking, all, asked_for, was.names(),
                {.title = asking.journal,
                 .japanese = context.look.language == Language::japanese,
                 .dated = true,
                 .pools = pools,
                 .node_ids = fleet ? std::vector<NodeId>() : was.node_ids(),
                 .owners = was.names().owners});
}

}  // namespace

Outcome<int> replay(Context& context, const Words& words) {
  Asking asking;
  Options options(*words.command, "TRACE|--journal STATE --fleet FLEET [--policy P]... [FLAGS]");
  options.word("TRACE", asking.trace, Options::Need::optional)
      .value("--fleet", "FILE", asking.fleet, Phrase::opt_replay_fleet)
      .value("--gpus", "N", asking.gpus, Phrase::opt_replay_gpus)
      .values("--policy", "FILE", asking.policies, Phrase::opt_replay_policy,
              joined(named_policies()))
      .value("--html", "FILE", asking.html, Phrase::opt_replay_html)
      .value("--out", "FILE", asking.out, Phrase::opt_replay_out)
      .value("--starts", "FILE", asking.starts, Phrase::opt_replay_starts)
      .value("--journal", "DIR", asking.journal, Phrase::opt_replay_journal)
      .value("--format", "FORMAT", asking.format, Phrase::opt_replay_format)
      .flag("--strict", asking.strict, Phrase::opt_replay_strict)
      .value("--threads", "N", asking.threads, Phrase::opt_replay_threads)
      .flag("--speed", asking.speed, Phrase::opt_replay_speed);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const std::string hint = context.say(Phrase::hint_help, "replay");
  const auto wrong = [&](const std::string& why) { return stop(Exit::usage, "usage", why, hint); };
  const bool journal = !asking.journal.empty();
  if (journal && !asking.trace.empty()) return wrong(context.say(Phrase::replay_both));
  if (!journal && asking.trace.empty()) return wrong(context.say(Phrase::replay_no_trace));
  if (!asking.gpus.empty() && !asking.fleet.empty())
    return wrong(context.say(Phrase::replay_two_fleets));
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  if (!asking.threads.empty()) {
    const auto count = parse_whole(asking.threads, 1, 1'024);
    if (!count) {
      return wrong(context.say(Phrase::flag_value, "--threads", asking.threads,
                               context.say(Phrase::replay_threads_range)));
    }
    threads = static_cast<unsigned>(*count);
  }
  FleetFile fleet;
  if (!asking.gpus.empty()) {
    const auto gpus = parse_whole(asking.gpus, 1, 100'000'000);
    if (!gpus) {
      return wrong(context.say(Phrase::flag_value, "--gpus", asking.gpus,
                               context.say(Phrase::replay_gpus_range)));
    }
    fleet.fleet.gpus = static_cast<std::uint32_t>(*gpus);
  } else if (!asking.fleet.empty()) {
    auto read = read_fleet(context, asking.fleet);
    if (!read) return std::unexpected(read.error());
    fleet = *std::move(read);
  } else if (!journal) {
    return wrong(context.say(Phrase::replay_no_fleet));
  }
  if (journal) {
    const bool given = !asking.gpus.empty() || !asking.fleet.empty();
    return replay_journal(context, asking, given ? std::optional(std::move(fleet)) : std::nullopt,
                          threads);
  }
  return replay_trace(context, asking, std::move(fleet), threads);
}

}  // namespace tenbin::cli
