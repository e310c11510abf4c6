#include "cli/job_states.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/answers.h"

namespace tenbin::cli {

namespace {

constexpr Span one_wait{30'000};

}  // namespace

std::span<const std::string_view> job_states() {
  static constexpr std::string_view all[] = {"queued",  "on_hold",   "blocked",
                                             "running", "stopping",  "completed",
                                             "failed",  "cancelled", "time_limit"};
  return all;
}

bool is_over(std::string_view state) {
  return state == "completed" || state == "failed" || state == "cancelled" || state == "time_limit";
}

int exit_of_job(JsonValue job) {
  const std::string_view state = job["state"].text().value_or("");
  if (state == "completed") return 0;
  if (state == "time_limit") return code(Exit::timed_out);
  if (state == "cancelled") return code(Exit::interrupted);
  if (state != "failed") return code(Exit::pending);
  const std::int64_t own = job["code"].integer().value_or(1);
  return own >= 1 && own <= 255 ? static_cast<int>(own) : 1;
}

std::vector<Column> job_columns() {
  return {{"id", Phrase::col_id, Kind::number},
          {"name", Phrase::col_name},
          {"project", Phrase::col_project, Kind::text, 1},
          {"person", Phrase::col_person, Kind::text, 6},
          {"state", Phrase::col_state, Kind::word},
          {"gpus", Phrase::col_gpus, Kind::number, 2},
          {"members", Phrase::col_members, Kind::number, 10},
          {"pool", Phrase::col_pool, Kind::text, 4},
          {"time_limit_ms", Phrase::col_time_limit, Kind::span, 5},
          {"submitted", Phrase::col_submitted, Kind::instant, 8},
          {"started", Phrase::col_started, Kind::instant, 7},
          {"held", Phrase::col_held, Kind::credits, 9},
          {"charged", Phrase::col_charged, Kind::credits, 3}};
}

Outcome<std::vector<std::string>> job_ids(const Context& context,
                                          const std::vector<std::string>& words,
                                          std::string_view name) {
  for (const std::string& word : words) {
    if (!parse_decimal(word, 0)) {
      return stop(
          Exit::usage, "usage",
          context.say(Phrase::flag_value, "ID", word, context.say(Phrase::expected_integer)),
          context.say(Phrase::hint_help, name));
    }
  }
  return words;
}

Outcome<int> wait_for_jobs(Context& context, Service& service, const std::vector<std::string>& ids,
                           Span patience, Show show) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  const auto left = [&] {
    const auto gone = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    return std::max(Span{0}, patience - Span{gone.count()});
  };

  Table table(job_columns());
  int result = 0;
  for (const std::string& id : ids) {
    bool told = false;
    for (;;) {
      const Span wait = patience > Span{0} ? std::min(one_wait, left()) : one_wait;
      const auto job =
          service.get(path("/v1/jobs/", id, "/wait?timeout_ms=" + std::to_string(wait.count)),
                      wait + Span{15'000});
      if (!job) return std::unexpected(job.error());
      const bool over = is_over(job->json["state"].text().value_or(""));
      if (!over && (patience <= Span{0} || left() > Span{0})) {
        if (!std::exchange(told, true)) context.progress(context.say(Phrase::waiting, id));
        context.around.sleep(
            Span{100});  // a service that will not wait must not be asked all the time
        continue;
      }
      const int own = exit_of_job(job->json);
      if (ids.size() == 1)
        result = own;
      else if (own == code(Exit::pending))
        result = own;
      else if (own != 0 && result == 0)
        result = code(Exit::failed);
      if (context.format == Format::json && show == Show::jobs)
        print_json(context, job->body);
      else
        table.add(job->json);
      break;
    }
  }
  if (context.format != Format::json && show == Show::jobs) table.print(context);
  return result;
}

}  // namespace tenbin::cli
