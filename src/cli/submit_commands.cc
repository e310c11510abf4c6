#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/job_flags.h"
#include "cli/job_states.h"
#include "cli/options.h"

namespace tenbin::cli {

namespace {

constexpr std::string_view usage = "[FLAGS] [FILE.toml] [-- COMMAND ARGS...]";

}  // namespace

Outcome<int> quote(Context& context, const Words& words) {
  JobFlags flags;
  Options options("quote", usage, Phrase::quote_about);
  flags.declare(options);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto job = flags.request(context, words, "quote", JobFlags::Command::optional);
  if (!job) return std::unexpected(job.error());

  const auto answer = Service(context).post("/v1/quote", job->json());
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json) {
    print_json(context, answer->body);
    return 0;
  }
  Table table({{"region", Phrase::col_region},
               {"pool", Phrase::col_pool},
               {"rate_per_hour", Phrase::col_rate, Kind::credits},
               {"cost", Phrase::col_cost, Kind::credits},
               {"starts", Phrase::col_starts, Kind::word},
               {"at", Phrase::col_at, Kind::instant}});
  answer->json["options"].each_item([&](JsonValue option) {
    table.add(option);
    return true;
  });
  table.print(context);
  if (context.format == Format::table) {
    context.print_line("\n" +
                       context.say(Phrase::quote_held, grouped(raw_text(answer->json["held"]))));
  }
  return 0;
}

Outcome<int> submit(Context& context, const Words& words) {
  JobFlags flags;
  bool wait = false, quiet = false;
  Options options("submit", usage, Phrase::submit_about);
  flags.declare(options);
  options.flag("--wait", wait, Phrase::opt_wait).flag("-q,--quiet", quiet, Phrase::opt_quiet);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto job = flags.request(context, words, "submit", JobFlags::Command::required);
  if (!job) return std::unexpected(job.error());

  Service service(context);
  const auto answer = service.post("/v1/jobs", job->json());
  if (!answer) return std::unexpected(answer.error());
  const std::string id = raw_text(answer->json["job"]);
  const std::int64_t tasks = answer->json["tasks"].integer().value_or(1);

  if (quiet) {
    context.print_line(id);
  } else if (context.format == Format::table) {
    const std::string held = grouped(raw_text(answer->json["held"]));
    context.print_line(tasks > 1 ? context.say(Phrase::submitted_array, id, tasks, held)
                                 : context.say(Phrase::submitted, id, held));
  } else if (!wait) {
    print_object(
        context, *answer,
        {{"job", Phrase::col_job}, {"tasks", Phrase::col_tasks}, {"held", Phrase::col_held}});
  }
  if (!wait) return 0;

  // An array is over with the last of its tasks.
  return wait_for_jobs(context, service, {id}, Span{0}, quiet ? Show::nothing : Show::jobs);
}

}  // namespace tenbin::cli
