#include "cli/job_flags.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <optional>

#include "cli/answers.h"
#include "cli/files.h"
#include "cli/sbatch.h"
#include "cli/values.h"
#include "cli/width.h"
#include "codec/index_list.h"
#include "codec/spec.h"

namespace tenbin::cli {

namespace {

// Where a script is submitted, as its SLURM_SUBMIT_DIR says, and where it runs unless it says more.
std::string here() {
  char path[PATH_MAX];
  return ::getcwd(path, sizeof path) ? path : "";
}

// The file that maps a site's names: --slurm-names, TENBIN_SLURM_NAMES, or one in the usual place.
Outcome<SlurmNames> site_names(const Context& context, const std::string& flag) {
  std::string path = flag.empty() ? context.around.variable("TENBIN_SLURM_NAMES") : flag;
  if (path.empty()) {
    std::string config = context.around.variable("XDG_CONFIG_HOME");
    if (config.empty()) config = context.around.variable("HOME") + "/.config";
    path = config + "/tenbin/slurm.toml";
    if (::access(path.c_str(), F_OK) != 0) return SlurmNames{};
  }
  const auto text = read_file(context, path);
  if (!text) return std::unexpected(text.error());
  return parse_slurm_names(context, *text, path);
}

Outcome<FleetNames> fleet_names(Service& service) {
  const auto answer = service.get("/v1/fleet");
  if (!answer) return std::unexpected(answer.error());
  FleetNames fleet;
  answer->json["regions"].each_item([&](JsonValue region) {
    region["pools"].each_item([&](JsonValue pool) {
      fleet.pools.push_back({.name = std::string(pool["name"].text().value_or("")),
                             .region = std::string(region["name"].text().value_or("")),
                             .model = std::string(pool["gpu_model"].text().value_or(""))});
      return true;
    });
    return true;
  });
  return fleet;
}

bool calls_srun(std::string_view script) {
  for (std::size_t at = 0; (at = script.find("srun", at)) != std::string_view::npos; at += 4) {
    const auto edge = [](char c) {
      return !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
               c == '.');
    };
    if ((at == 0 || edge(script[at - 1])) && (at + 4 == script.size() || edge(script[at + 4])))
      return true;
  }
  return false;
}

std::string line_of(const Notice& notice) {
  return (notice.place.empty() ? "" : printable(notice.place) + ": ") + notice.text;
}

}  // namespace

std::optional<AfterJob> parse_after(std::string_view text) {
  const std::size_t colon = text.find(':');
  AfterJob after{.when = "ok"};
  const std::string_view id = text.substr(0, colon);
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), after.job);
  if (error != std::errc{} || end != id.data() + id.size() || after.job <= 0) return std::nullopt;
  if (colon != std::string_view::npos) after.when = text.substr(colon + 1);
  if (after.when != "ok" && after.when != "any" && after.when != "not_ok") return std::nullopt;
  return after;
}

std::optional<SignalAsked> parse_signal(std::string_view text) {
  const std::size_t at = text.find('@');
  std::string_view name = text.substr(0, at);
  if (name.starts_with("SIG")) name.remove_prefix(3);
  if (signal_number(name) == 0) return std::nullopt;
  SignalAsked asked{.name = std::string(name), .before = Span{60'000}};
  if (at == std::string_view::npos) return asked;
  const std::string_view time = text.substr(at + 1);
  const auto seconds = parse_decimal(time, 0);
  const auto span = seconds ? std::optional(Span{*seconds * 1'000}) : parse_span(time);
  if (!span || *span > Span{65'535'000}) return std::nullopt;
  asked.before = *span;
  return asked;
}

bool take_array(std::string_view text, JobRequest& job) {
  const std::size_t percent = text.find('%');
  std::optional<std::int64_t> at_once;
  if (percent != std::string_view::npos) {
    at_once = parse_decimal(text.substr(percent + 1), 0);
    if (!at_once || *at_once <= 0) return false;
  }
  const auto list = IndexList::parse_any_order(text.substr(0, percent));
  if (!list) return false;
  job.array = list->text();
  job.tasks = static_cast<std::int64_t>(list->count());
  if (at_once) job.tasks_at_once = at_once;
  return true;
}

void JobFlags::declare(Options& options) {
  options.word("FILE", file_, Options::Need::optional)
      .value("--project", "NAME", project_, Phrase::opt_project)
      .value("--name", "TEXT", name_, Phrase::opt_name)
      .value("--gpus", "N", gpus_, Phrase::opt_gpus)
      .value("--members", "N", members_, Phrase::opt_members)
      .value("--cpus", "N", cpus_, Phrase::opt_cpus)
      .value("--memory", "SIZE", memory_, Phrase::opt_memory)
      .values("--model", "NAME", models_, Phrase::opt_model)
      .values("--region", "NAME", regions_, Phrase::opt_region)
      .value("--time-limit", "TIME", time_limit_, Phrase::opt_time_limit)
      .value("--tasks", "N", tasks_, Phrase::opt_tasks)
      .value("--array", "LIST", array_, Phrase::opt_array)
      .values("--after", "ID[:WHEN]", after_, Phrase::opt_after)
      .flag("--hold", hold_, Phrase::opt_hold)
      .value("--retries", "N", retries_, Phrase::opt_retries)
      .values("--label", "K=V", labels_, Phrase::opt_label)
      .values("--env", "K=V", environment_, Phrase::opt_env)
      .value("--dir", "PATH", directory_, Phrase::opt_dir)
      .value("--output-cap", "SIZE", output_cap_, Phrase::opt_output_cap)
      .value("--grace", "TIME", grace_, Phrase::opt_grace)
      .value("--output-file", "NAME", output_, Phrase::opt_output_file)
      .value("--error-file", "NAME", error_, Phrase::opt_error_file)
      .value("--signal", "SIGNAL[@SECONDS]", signal_, Phrase::opt_signal)
      .flag("--no-requeue", no_requeue_, Phrase::opt_no_requeue)
      .values("--sbatch", "OPTION", sbatch_, Phrase::opt_sbatch)
      .values("--ignore", "OPTION", ignore_, Phrase::opt_ignore)
      .value("--slurm-names", "FILE", names_file_, Phrase::opt_slurm_names);
}

Outcome<void> JobFlags::lay_over(const Context& context, JobRequest& job,
                                 std::string_view name) const {
  std::optional<Stop> wrong;
  // Parses a flag's value if it was given; `to` takes it.
  const auto take = [&](std::string_view flag, const std::string& value, Phrase expected,
                        auto parse, auto to) {
    if (value.empty() || wrong) return;
    if (const auto parsed = parse(value)) return to(*parsed);
    wrong = Stop{Exit::usage, "usage",
                 context.say(Phrase::flag_value, flag, value, context.say(expected)),
                 context.say(Phrase::hint_help, name)};
  };
  const auto text = [](const std::string& value) { return std::optional(value); };
  const auto count = [](const std::string& value) { return parse_decimal(value, 0); };
  const auto decimal = [](const std::string& value) {
    return parse_decimal(value, 3) ? std::optional(value) : std::nullopt;
  };

  take("--project", project_, Phrase::expected_text, text, [&](auto v) { job.project = v; });
  take("--name", name_, Phrase::expected_text, text, [&](auto v) { job.name = v; });
  take("--gpus", gpus_, Phrase::expected_gpus, parse_gpus, [&](Gpus) { job.gpus = gpus_; });
  take("--members", members_, Phrase::expected_integer, count, [&](auto v) { job.members = v; });
  take("--cpus", cpus_, Phrase::expected_cpus, decimal, [&](auto v) { job.cpus = v; });
  take(
      "--memory", memory_, Phrase::expected_memory,
      [](const std::string& value) {
        const auto bytes = parse_bytes(value, BytesAlone::no);
        return bytes && *bytes % (1 << 20) == 0 ? std::optional(*bytes >> 20) : std::nullopt;
      },
      [&](auto v) { job.memory_mib = v; });
  take("--time-limit", time_limit_, Phrase::expected_span, parse_span,
       [&](auto v) { job.time_limit = v; });
  take("--tasks", tasks_, Phrase::expected_integer, count, [&](auto v) {
    job.tasks = v;
    job.array.reset();
  });
  take(
      "--array", array_, Phrase::expected_array,
      [&](const std::string& value) {
        return take_array(value, job) ? std::optional(true) : std::nullopt;
      },
      [](bool) {});
  if (!after_.empty()) job.after.clear();
  for (const std::string& one : after_)
    take("--after", one, Phrase::expected_after, parse_after,
         [&](const AfterJob& v) { job.after.push_back(v); });
  take("--retries", retries_, Phrase::expected_integer, count, [&](auto v) { job.retries = v; });
  take(
      "--output-file", output_, Phrase::expected_output,
      [](const std::string& value) {
        return stays_below(value) ? std::optional(value) : std::nullopt;
      },
      [&](auto v) { job.output = v; });
  take(
      "--error-file", error_, Phrase::expected_output,
      [](const std::string& value) {
        return stays_below(value) ? std::optional(value) : std::nullopt;
      },
      [&](auto v) { job.error = v; });
  take("--signal", signal_, Phrase::expected_signal, parse_signal, [&](const SignalAsked& v) {
    job.signal = v.name;
    job.signal_before = v.before;
    job.signal_to = "all";
  });
  take(
      "--dir", directory_, Phrase::expected_directory_own,
      [](const std::string& value) {
        return value.starts_with('/') || value == "own" ? std::optional(value) : std::nullopt;
      },
      [&](auto v) {
        if (v == "own")
          job.directory.reset();
        else
          job.directory = v;
      });
  take(
      "--output-cap", output_cap_, Phrase::expected_bytes,
      [](const std::string& value) { return parse_bytes(value, BytesAlone::yes); },
      [&](auto v) { job.output_cap = v; });
  take("--grace", grace_, Phrase::expected_span, parse_span, [&](auto v) { job.grace = v; });
  for (const std::string& pair : environment_) {
    take(
        "--env", pair, Phrase::expected_pair,
        [](const std::string& value) {
          const std::size_t equals = value.find('=');
          return equals == 0 || equals == std::string::npos ? std::nullopt : std::optional(equals);
        },
        [&](std::size_t equals) {
          job.environment[pair.substr(0, equals)] = pair.substr(equals + 1);
        });
  }
  for (const std::string& pair : labels_) {
    take(
        "--label", pair, Phrase::expected_label,
        [](const std::string& value) {
          const std::size_t equals = value.find('=');
          return equals == 0 || equals == std::string::npos ? std::nullopt : std::optional(equals);
        },
        [&](std::size_t equals) { job.labels[pair.substr(0, equals)] = pair.substr(equals + 1); });
  }
  if (wrong) return std::unexpected(*wrong);
  if (hold_) job.hold = true;
  if (no_requeue_) job.requeue = false;
  if (!models_.empty()) job.models = models_;
  if (!regions_.empty()) job.regions = regions_;
  return {};
}

Outcome<JobRequest> JobFlags::from_script(const Context& context, Service& service,
                                          const std::string& text) const {
  SbatchOptions options;
  read_sbatch_script(context, text, file_, options);
  read_sbatch_environment(context, options);
  read_sbatch_words(context, sbatch_, "--sbatch", options);
  for (const std::string& name : ignore_) {
    const std::size_t dashes = std::min(name.find_first_not_of('-'), name.size());
    if (!ignore_option(options, std::string_view(name).substr(dashes))) {
      return stop(Exit::usage, "usage", context.say(Phrase::sb_ignore_unknown, printable(name)));
    }
  }
  // What a flag says settles the matter before the names of the script are looked up.
  if (!regions_.empty()) options.given.erase("partition");
  const auto names = site_names(context, names_file_);
  if (!names) return std::unexpected(names.error());
  FleetNames fleet;
  if (asks_for_fleet(options)) {
    auto found = fleet_names(service);
    if (!found) return std::unexpected(found.error());
    fleet = *std::move(found);
  }
  JobRequest job = request_of(context, options, *names, fleet);
  const std::string_view file = file_;
  if (!job.name) job.name = file == "-" ? "sbatch" : file.substr(file.rfind('/') + 1);
  job.submit_directory = here();
  if (!job.directory) job.directory = job.submit_directory;
  if (job.members.value_or(1) > 1) {
    options.notices.push_back({false, "nodes", file_, context.say(Phrase::sb_spmd, *job.members)});
  }
  if (job.signal_to == "steps" && !calls_srun(text)) {
    const Directive& given = options.given.at("signal");
    options.notices.push_back({true, "signal", given.place,
                               context.say(Phrase::sb_signal_steps, printable(given.value))});
  }
  std::string refused;
  for (const Notice& notice : options.notices) {
    // A flag of ours may have said what the script does not.
    if (notice.fatal && notice.option.empty() && notice.place.empty() && !gpus_.empty()) continue;
    if (notice.fatal)
      refused += "\n  " + line_of(notice);
    else
      context.note(context.say(Phrase::sb_warning, printable(notice.place), notice.text));
  }
  if (!refused.empty())
    return stop(Exit::usage, "not_honoured", context.say(Phrase::sb_refused) + ":" + refused);
  job.script = text;
  return job;
}

Outcome<JobRequest> JobFlags::request(const Context& context, Service& service, const Words& words,
                                      std::string_view name, Command command) const {
  JobRequest job;
  bool script = false;
  if (!file_.empty()) {
    const auto text = read_file(context, file_);
    if (!text) return std::unexpected(text.error());
    const std::string_view file = file_;
    script = text->starts_with("#!") || file.ends_with(".sbatch") || file.ends_with(".slurm") ||
             file.ends_with(".sh");
    auto read =
        script ? from_script(context, service, *text) : parse_job_file(context, *text, file_);
    if (!read) return read;
    job = *std::move(read);
  }
  if (!script && (!sbatch_.empty() || !ignore_.empty())) {
    return stop(Exit::usage, "usage",
                context.say(Phrase::usage_extra, sbatch_.empty() ? "--ignore" : "--sbatch"),
                context.say(Phrase::hint_help, name));
  }
  if (auto done = lay_over(context, job, name); !done) return std::unexpected(done.error());
  if (!words.after.empty()) job.command = words.after;

  const auto missing = [&](std::string_view what) {
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, what),
                context.say(Phrase::hint_help, name));
  };
  if (!job.project)
    return missing(script ? "--project NAME, #SBATCH --account=NAME" : "--project NAME");
  if (!job.gpus) return missing("--gpus N");
  if (!job.time_limit)
    return missing(script ? "--time-limit TIME, #SBATCH --time=TIME" : "--time-limit TIME");
  if (command == Command::required && !job.runs_something()) return missing("-- COMMAND ARGS...");
  return job;
}

}  // namespace tenbin::cli
