#include "cli/job_flags.h"

#include "cli/files.h"
#include "cli/values.h"

namespace tenbin::cli {

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
      .values("--env", "K=V", environment_, Phrase::opt_env)
      .value("--dir", "PATH", directory_, Phrase::opt_dir)
      .value("--output-cap", "SIZE", output_cap_, Phrase::opt_output_cap)
      .value("--grace", "TIME", grace_, Phrase::opt_grace);
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
  take("--tasks", tasks_, Phrase::expected_integer, count, [&](auto v) { job.tasks = v; });
  take(
      "--dir", directory_, Phrase::expected_directory,
      [](const std::string& value) {
        return value.starts_with('/') ? std::optional(value) : std::nullopt;
      },
      [&](auto v) { job.directory = v; });
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
  if (wrong) return std::unexpected(*wrong);
  if (!models_.empty()) job.models = models_;
  if (!regions_.empty()) job.regions = regions_;
  return {};
}

Outcome<JobRequest> JobFlags::request(const Context& context, const Words& words,
                                      std::string_view name, Command command) const {
  JobRequest job;
  if (!file_.empty()) {
    auto read = read_job_file(context, file_);
    if (!read) return read;
    job = std::move(*read);
  }
  if (auto done = lay_over(context, job, name); !done) return std::unexpected(done.error());
  if (!words.after.empty()) job.command = words.after;

  const auto missing = [&](std::string_view what) {
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, what),
                context.say(Phrase::hint_help, name));
  };
  if (!job.project) return missing("--project NAME");
  if (!job.gpus) return missing("--gpus N");
  if (!job.time_limit) return missing("--time-limit TIME");
  if (command == Command::required && job.command.empty()) return missing("-- COMMAND ARGS...");
  return job;
}

}  // namespace tenbin::cli
