#include <algorithm>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/job_flags.h"
#include "cli/job_states.h"
#include "cli/options.h"
#include "cli/width.h"

namespace tenbin::cli {

namespace {

constexpr std::string_view usage = "[FLAGS] [FILE.toml | SCRIPT] [-- COMMAND ARGS... | -- ARGS...]";

void print_quote(const Context& context, const Answer& answer) {
  Table table({{"region", Phrase::col_region},
               {"pool", Phrase::col_pool},
               {"rate_per_hour", Phrase::col_rate, Kind::credits},
               {"cost", Phrase::col_cost, Kind::credits},
               {"starts", Phrase::col_starts, Kind::word},
               {"at", Phrase::col_at, Kind::instant}});
  answer.json["options"].each_item([&](JsonValue option) {
    table.add(option);
    return true;
  });
  table.print(context);
  if (context.format == Format::table) {
    context.print_line("\n" +
                       context.say(Phrase::quote_held, grouped(raw_text(answer.json["held"]))));
  }
}

template <class Range, class Text>
std::string listed(const Range& range, Text text) {
  std::string all;
  for (const auto& item : range) all += (all.empty() ? "" : " ") + text(item);
  return printable(all);
}

// What was understood, for people: a name and a value on each line.
void print_request(const Context& context, const JobRequest& job) {
  std::vector<std::pair<Phrase, std::string>> rows;
  const auto row = [&](Phrase name, std::string value) {
    if (!value.empty()) rows.emplace_back(name, std::move(value));
  };
  const auto itself = [](const std::string& text) { return text; };
  const auto number = [](const auto& n) { return n ? std::to_string(*n) : std::string(); };
  const auto yes_no = [&](bool truth) { return context.say(truth ? Phrase::yes : Phrase::no); };

  row(Phrase::row_project, printable(job.project.value_or("")));
  row(Phrase::row_name, printable(job.name.value_or("")));
  const std::string gpus = job.gpus.value_or("");
  row(Phrase::row_shape, job.members ? context.say(Phrase::dry_shape_members, *job.members, gpus)
                                     : context.say(Phrase::dry_shape_count, gpus));
  row(Phrase::row_tasks_per_member, number(job.tasks_per_member));
  row(Phrase::row_cpus, job.cpus.value_or(""));
  row(Phrase::row_memory, number(job.memory_mib));
  row(Phrase::row_models, listed(job.models, itself));
  row(Phrase::row_regions, listed(job.regions, itself));
  row(Phrase::row_limit, span_text(job.time_limit->count));
  if (job.tasks.value_or(1) > 1 || job.array) {
    row(Phrase::row_array,
        context.say(Phrase::dry_array, job.tasks.value_or(1),
                    job.array.value_or("0-" + std::to_string(job.tasks.value_or(1) - 1))));
  }
  row(Phrase::row_at_once, number(job.tasks_at_once));
  row(Phrase::row_after, listed(job.after, [](const AfterJob& after) {
        return std::to_string(after.job) + ":" + after.when;
      }));
  if (job.hold) row(Phrase::row_hold, yes_no(*job.hold));
  row(Phrase::row_retries, number(job.retries));
  row(Phrase::row_labels,
      listed(job.labels, [](const auto& label) { return label.first + "=" + label.second; }));
  if (job.script) {
    const std::string_view text = *job.script;
    row(Phrase::row_runs,
        context.say(Phrase::dry_script, std::ranges::count(text, '\n') + !text.ends_with('\n'),
                    printable(text.substr(2, text.find('\n') - 2))));
    row(Phrase::row_arguments, listed(job.command, itself));
  } else {
    row(Phrase::row_runs, listed(job.command, itself));
  }
  if (job.runs_something()) {
    row(Phrase::row_directory,
        job.directory ? printable(*job.directory) : context.say(Phrase::dry_own_directory));
    row(Phrase::row_environment,
        job.environment.empty()
            ? context.say(Phrase::dry_clean)
            : context.say(Phrase::dry_variables, job.environment.size(),
                          listed(job.environment, [](const auto& pair) { return pair.first; })));
    row(Phrase::row_output,
        job.output ? printable(*job.output) : context.say(Phrase::dry_logs_only));
    row(Phrase::row_error, printable(job.error.value_or("")));
    if (job.signal) {
      row(Phrase::row_signal, *job.signal + "@" + span_text(job.signal_before->count) + " (" +
                                  job.signal_to.value_or("all") + ")");
    }
    if (job.requeue) row(Phrase::row_requeue, yes_no(*job.requeue));
  }

  int left = 0;
  for (const auto& [name, value] : rows) left = std::max(left, width_of(context.say(name)));
  context.print_line(context.say(Phrase::dry_heading));
  for (const auto& [name, value] : rows) {
    const std::string shown = context.say(name);
    context.print_line("  " + shown +
                       std::string(static_cast<std::size_t>(left - width_of(shown) + 2), ' ') +
                       value);
  }
  context.print_line("");
}

Outcome<int> dry_run(Context& context, Service& service, const JobRequest& job) {
  // First what was understood, so that it is there if the service refuses it.
  if (context.format == Format::table) print_request(context, job);
  const auto answer = service.post("/v1/quote", job.json());
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json) {
    print_json(context, R"({"request":)" + job.json() + R"(,"quote":)" + answer->body + "}");
    return 0;
  }
  print_quote(context, *answer);
  return 0;
}

}  // namespace

Outcome<int> quote(Context& context, const Words& words) {
  JobFlags flags;
  Options options("quote", usage, Phrase::quote_about);
  flags.declare(options);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  Service service(context);
  const auto job = flags.request(context, service, words, "quote", JobFlags::Command::optional);
  if (!job) return std::unexpected(job.error());

  const auto answer = service.post("/v1/quote", job->json());
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json)
    print_json(context, answer->body);
  else
    print_quote(context, *answer);
  return 0;
}

Outcome<int> submit(Context& context, const Words& words) {
  JobFlags flags;
  bool wait = false, follow = false, quiet = false, dry = false;
  Options options("submit", usage, Phrase::submit_about);
  flags.declare(options);
  options.flag("--dry-run", dry, Phrase::opt_submit_dry_run)
      .flag("--wait", wait, Phrase::opt_wait)
      .flag("-f,--follow", follow, Phrase::opt_follow_job)
      .flag("-q,--quiet", quiet, Phrase::opt_quiet);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  Service service(context);
  const auto job = flags.request(context, service, words, "submit", JobFlags::Command::required);
  if (!job) return std::unexpected(job.error());
  if (dry) return dry_run(context, service, *job);

  const auto answer = service.post("/v1/jobs", job->json());
  if (!answer) return std::unexpected(answer.error());
  const std::string id = raw_text(answer->json["job"]);
  const std::int64_t tasks = answer->json["tasks"].integer().value_or(1);

  const std::string held = grouped(raw_text(answer->json["held"]));
  const std::string told = tasks > 1 ? context.say(Phrase::submitted_array, id, tasks, held)
                                     : context.say(Phrase::submitted, id, held);
  if (follow) {
    // The job's own output has the standard output to itself.
    if (!quiet) context.note(told);
  } else if (quiet) {
    context.print_line(id);
  } else if (context.format == Format::table) {
    context.print_line(told);
  } else if (!wait) {
    print_object(
        context, *answer,
        {{"job", Phrase::col_job}, {"tasks", Phrase::col_tasks}, {"held", Phrase::col_held}});
  }
  if (!wait && !follow) return 0;

  if (follow) {
    // The tasks of an array are numbered on from the first.
    const std::int64_t first = answer->json[tasks > 1 ? "first_task" : "job"].integer().value_or(0);
    for (std::int64_t task = 0; task < tasks; ++task) {
      if (auto followed = follow_output(context, service, std::to_string(first + task), {});
          !followed)
        return std::unexpected(followed.error());
    }
  }
  // An array is over with the last of its tasks.
  return wait_for_jobs(context, service, {id}, Span{0},
                       quiet || follow ? Show::nothing : Show::jobs);
}

}  // namespace tenbin::cli
