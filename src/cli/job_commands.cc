#include <algorithm>
#include <span>
#include <utility>

#include "base/nearest.h"
#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/follow.h"
#include "cli/job_states.h"
#include "cli/options.h"
#include "cli/watch.h"
#include "cli/width.h"

namespace tenbin::cli {

namespace {

constexpr std::int64_t jobs_otherwise = 100;

// Takes the words of `job VERB ID...`.
Outcome<std::vector<std::string>> ids_of(Context& context, const Words& words,
                                         std::string_view name, Phrase about) {
  std::vector<std::string> ids;
  Options options(name, "ID...", about);
  options.words("ID", ids);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  return job_ids(context, ids, name);
}

// One job's output as it lies there now, from `offset` on, which is moved behind what was printed.
Outcome<void> print_output(Context& context, Service& service, const std::string& id,
                           const Query& which, std::int64_t& offset) {
  for (;;) {
    Query query = which;
    query.add("offset", std::to_string(offset));
    const auto answer = service.get(path("/v1/jobs/", id, "/output") + query.text());
    if (!answer) return std::unexpected(answer.error());
    if (answer->body.empty()) return {};
    context.print(answer->body);
    const std::int64_t next = offset + static_cast<std::int64_t>(answer->body.size());
    offset = parse_decimal(answer->next_offset, 0).value_or(next);
  }
}

// cancel, hold, release: the same request for each job, and the state that it left it in.
Outcome<int> tell_jobs(Context& context, const Words& words, std::string_view verb) {
  const auto ids = ids_of(context, words, words.command->name, words.command->about);
  if (!ids) return std::unexpected(ids.error());
  Service service(context);
  Table rows({{"job", Phrase::col_job}, {"state", Phrase::col_state}});
  for (const std::string& id : *ids) {
    const auto answer = service.post(path("/v1/jobs/", id, "/" + std::string(verb)));
    if (!answer) return std::unexpected(answer.error());
    if (context.format == Format::json) {
      print_json(context, answer->body);
    } else if (context.format == Format::csv) {
      rows.add(answer->json);
    } else {
      context.print_line(
          context.say(Phrase::job_state, id,
                      shown_text(raw_text(answer->json["state"]), Kind::word, context.look)));
    }
  }
  if (context.format == Format::csv) rows.print(context);
  return 0;
}

std::string listed(std::span<const std::string_view> names) {
  std::string all;
  for (const std::string_view name : names) all += (all.empty() ? "" : " ") + std::string(name);
  return all;
}

struct LogFlags {
  std::string rank, attempt;
  bool error = false, follow = false;

  Query query(const std::string& of_attempt) const {
    Query which;
    which.add("rank", rank).add("stream", error ? "stderr" : "stdout").add("attempt", of_attempt);
    return which;
  }
};

std::vector<Column> details() {
  return {{"id", Phrase::col_id},
          {"name", Phrase::col_name},
          {"project", Phrase::col_project},
          {"person", Phrase::col_person},
          {"state", Phrase::col_state, Kind::word},
          {"array", Phrase::col_array},
          {"task", Phrase::col_task},
          {"gpus", Phrase::col_gpus},
          {"members", Phrase::col_members},
          {"region", Phrase::col_region},
          {"pool", Phrase::col_pool},
          {"nodes", Phrase::col_nodes},
          {"attempt", Phrase::col_attempt},
          {"time_limit_ms", Phrase::col_time_limit, Kind::span},
          {"submitted", Phrase::col_submitted, Kind::instant},
          {"expected_start", Phrase::col_expected_start, Kind::instant},
          {"started", Phrase::col_started, Kind::instant},
          {"ended", Phrase::col_ended, Kind::instant},
          {"held", Phrase::col_held, Kind::credits},
          {"charged", Phrase::col_charged, Kind::credits},
          {"code", Phrase::col_code}};
}

}  // namespace

Outcome<int> jobs(Context& context, const Words& words) {
  std::string project, state, person, region, name, label, from, to, sort, limit;
  bool all = false, watch = false;
  Options options("jobs", "[FLAGS]", Phrase::jobs_about);
  options.value("--project", "NAME", project, Phrase::opt_only_project)
      .value("--state", "STATE", state, Phrase::opt_only_state)
      .value("--person", "NAME", person, Phrase::opt_only_person)
      .value("--region", "NAME", region, Phrase::opt_only_region)
      .value("--name", "TEXT", name, Phrase::opt_only_name)
      .value("--label", "KEY=VALUE", label, Phrase::opt_only_label)
      .value("--from", "INSTANT", from, Phrase::opt_only_from)
      .value("--to", "INSTANT", to, Phrase::opt_only_to)
      .value("--sort", "id|-id|submitted|-submitted", sort, Phrase::opt_sort)
      .value("--limit", "N", limit, Phrase::opt_limit)
      .flag("--all", all, Phrase::opt_all)
      .flag("-w,--watch", watch, Phrase::opt_watch);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto part = part_of(context, "jobs", limit, all, jobs_otherwise);
  if (!part) return std::unexpected(part.error());
  if (!state.empty() && !std::ranges::count(job_states(), state)) {
    const std::string meant = nearest(state, job_states());
    return stop(Exit::usage, "usage",
                context.say(Phrase::flag_value, "--state", state, listed(job_states())),
                meant.empty() ? context.say(Phrase::hint_help, "jobs")
                              : context.say(Phrase::hint_meant, meant));
  }
  Query query;
  query.add("project", project).add("person", person).add("state", state).add("region", region);
  query.add("name", name).add("label", label).add("submitted_from", from);
  query.add("submitted_to", to).add("sort", sort);
  const auto show = [&](Context& where, Service& service) -> Outcome<bool> {
    const auto printed = print_list(where, service, "/v1/jobs", query, *part, job_columns());
    if (!printed) return std::unexpected(printed.error());
    return !watch;
  };
  if (watch) return watched(context, {.project = project, .job = {}}, show);
  Service service(context);
  const auto shown = show(context, service);
  if (!shown) return std::unexpected(shown.error());
  return 0;
}

Outcome<int> job_show(Context& context, const Words& words) {
  std::vector<std::string> ids;
  bool watch = false;
  Options options("job show", "ID... [--watch]", Phrase::job_show_about);
  options.words("ID", ids).flag("-w,--watch", watch, Phrase::opt_watch_job);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (const auto good = job_ids(context, ids, "job show"); !good)
    return std::unexpected(good.error());
  const auto show = [&](Context& to, Service& service) -> Outcome<bool> {
    Table rows(details());
    bool over = true;
    for (const std::string& id : ids) {
      const auto answer = service.get(path("/v1/jobs/", id));
      if (!answer) return std::unexpected(answer.error());
      over = over && is_over(answer->json["state"].text().value_or(""));
      if (to.format == Format::csv) {
        rows.add(answer->json);
        continue;
      }
      if (to.format == Format::table && id != ids.front()) to.print("\n");
      print_object(to, *answer, details());
    }
    if (to.format == Format::csv) rows.print(to);
    return over || !watch;
  };
  if (watch) {
    // Of several jobs one cannot wait for the first to move.
    return watched(context, {.project = {}, .job = ids.size() == 1 ? ids.front() : ""}, show);
  }
  Service service(context);
  const auto shown = show(context, service);
  if (!shown) return std::unexpected(shown.error());
  return 0;
}

Outcome<int> job_logs(Context& context, const Words& words) {
  std::string id;
  LogFlags flags;
  Options options("job logs", "ID [FLAGS]", Phrase::job_logs_about);
  options.word("ID", id, Options::Need::required)
      .value("--rank", "N", flags.rank, Phrase::opt_rank)
      .value("--attempt", "N", flags.attempt, Phrase::opt_attempt)
      .flag("--stderr", flags.error, Phrase::opt_stderr)
      .flag("-f,--follow", flags.follow, Phrase::opt_follow);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (const auto ids = job_ids(context, {id}, "job logs"); !ids)
    return std::unexpected(ids.error());

  Service service(context);
  if (flags.follow) {
    const auto followed = follow_output(
        context, service, id,
        {.rank = flags.rank, .stream = flags.error ? "stderr" : "", .attempt = flags.attempt});
    if (!followed) return std::unexpected(followed.error());
    return 0;
  }
  std::int64_t offset = 0;
  const auto printed = print_output(context, service, id, flags.query(flags.attempt), offset);
  if (!printed) return std::unexpected(printed.error());
  return 0;
}

Outcome<int> job_wait(Context& context, const Words& words) {
  std::vector<std::string> ids;
  std::string timeout;
  Options options("job wait", "ID... [--timeout TIME]", Phrase::job_wait_about);
  options.words("ID", ids).value("--timeout", "TIME", timeout, Phrase::opt_timeout);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (const auto good = job_ids(context, ids, "job wait"); !good)
    return std::unexpected(good.error());
  Span patience;
  if (!timeout.empty()) {
    const auto parsed = parse_span(timeout);
    if (!parsed) {
      return stop(
          Exit::usage, "usage",
          context.say(Phrase::flag_value, "--timeout", timeout, context.say(Phrase::expected_span)),
          context.say(Phrase::hint_help, "job wait"));
    }
    patience = *parsed;
  }
  Service service(context);
  return wait_for_jobs(context, service, ids, patience, Show::jobs);
}

Outcome<int> job_cancel(Context& context, const Words& words) {
  return tell_jobs(context, words, "cancel");
}

Outcome<int> job_hold(Context& context, const Words& words) {
  return tell_jobs(context, words, "hold");
}

Outcome<int> job_release(Context& context, const Words& words) {
  return tell_jobs(context, words, "release");
}

Outcome<int> job_explain(Context& context, const Words& words) {
  const auto ids = ids_of(context, words, "job explain", Phrase::job_explain_about);
  if (!ids) return std::unexpected(ids.error());
  Service service(context);
  for (const std::string& id : *ids) {
    const auto answer = service.get(path("/v1/jobs/", id, "/explain"));
    if (!answer) return std::unexpected(answer.error());
    if (context.format == Format::json) {
      print_json(context, answer->body);
      continue;
    }
    const JsonValue json = answer->json;
    const auto text =
        raw_text(json["text"][context.look.language == Language::japanese ? "ja" : "en"]);
    if (context.format == Format::csv) {
      Table row({{"job", Phrase::col_job},
                 {"code", Phrase::col_code},
                 {"text", Phrase::col_why},
                 {"expected_start", Phrase::col_expected_start}});
      row.add({id, raw_text(json["code"]), text, raw_text(json["expected_start"])});
      row.print(context);
      continue;
    }
    context.print_line(context.say(Phrase::explained, id, printable(text), raw_text(json["code"])));
    const std::string start = raw_text(json["expected_start"]);
    if (!start.empty())
      context.print_line(
          context.say(Phrase::explained_start, instant_text(start, context.look.zone)));
  }
  return 0;
}

}  // namespace tenbin::cli
