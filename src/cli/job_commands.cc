#include <utility>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/job_states.h"
#include "cli/options.h"
#include "cli/width.h"

namespace tenbin::cli {

namespace {

constexpr std::int64_t page_max = 1'000;

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

struct LogFlags {
  std::string rank, attempt;
  bool error = false, follow = false;

  Query query(const std::string& of_attempt) const {
    Query which;
    which.add("rank", rank).add("stream", error ? "stderr" : "stdout").add("attempt", of_attempt);
    return which;
  }
};

Outcome<int> follow_output(Context& context, Service& service, const std::string& id,
                           const LogFlags& flags) {
  std::int64_t offset = 0, attempt = 0;
  Span pause{100};
  for (;;) {
    const auto job = service.get(path("/v1/jobs/", id));
    if (!job) return std::unexpected(job.error());
    const bool over = is_over(job->json["state"].text().value_or(""));
    const std::int64_t now = job->json["attempt"].integer().value_or(0);
    if (now != attempt) {
      if (attempt > 0) context.note(context.say(Phrase::new_attempt, id, now));
      attempt = now;
      offset = 0;
    }
    const std::int64_t before = offset;
    if (attempt > 0) {
      const std::string which = flags.attempt.empty() ? std::to_string(attempt) : flags.attempt;
      auto printed = print_output(context, service, id, flags.query(which), offset);
      // Between its start and its first byte a job has no output to be found.
      if (!printed && printed.error().exit != Exit::not_found)
        return std::unexpected(printed.error());
    }
    if (over) return 0;  // seen before the output was read, so this was all of it
    pause = offset > before ? Span{100} : std::min(Span{pause.count * 2}, Span{1'000});
    context.around.sleep(pause);
  }
}

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
  std::string project, state, person, limit;
  bool all = false;
  Options options("jobs", "[FLAGS]", Phrase::jobs_about);
  options.value("--project", "NAME", project, Phrase::opt_only_project)
      .value("--state", "STATE", state, Phrase::opt_only_state)
      .value("--person", "NAME", person, Phrase::opt_only_person)
      .value("--limit", "N", limit, Phrase::opt_limit)
      .flag("--all", all, Phrase::opt_all);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto count = parse_decimal(limit.empty() ? "100" : limit, 0);
  if (!count || *count == 0 || *count > page_max) {
    return stop(Exit::usage, "usage", context.say(Phrase::flag_value, "--limit", limit, "1-1000"),
                context.say(Phrase::hint_help, "jobs"));
  }

  Service service(context);
  Table table(job_columns());
  std::string json = "[";  // the pages' lists, put together
  std::string cursor;
  do {
    Query query;
    query.add("project", project).add("person", person).add("state", state).add("cursor", cursor);
    query.add("limit", std::to_string(all ? page_max : *count));
    const auto answer = service.get("/v1/jobs" + query.text());
    if (!answer) return std::unexpected(answer.error());
    cursor = answer->json["next"].text().value_or("");
    if (context.format == Format::json) {
      std::string_view items = raw_member(answer->body, "items");
      if (answer->json["items"].size() > 0)
        json += (json.size() > 1 ? "," : "") + std::string(items.substr(1, items.size() - 2));
    } else {
      answer->json["items"].each_item([&](JsonValue job) {
        table.add(job);
        return true;
      });
    }
  } while (all && !cursor.empty());

  if (context.format == Format::json)
    print_json(context, json + "]");
  else
    table.print(context);
  if (!cursor.empty()) context.progress(context.say(Phrase::more_jobs));
  return 0;
}

Outcome<int> job_show(Context& context, const Words& words) {
  const auto ids = ids_of(context, words, "job show", Phrase::job_show_about);
  if (!ids) return std::unexpected(ids.error());
  Service service(context);
  Table rows(details());
  for (const std::string& id : *ids) {
    const auto answer = service.get(path("/v1/jobs/", id));
    if (!answer) return std::unexpected(answer.error());
    if (context.format == Format::csv) {
      rows.add(answer->json);
      continue;
    }
    if (context.format == Format::table && id != ids->front()) context.print("\n");
    print_object(context, *answer, details());
  }
  if (context.format == Format::csv) rows.print(context);
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
  if (flags.follow) return follow_output(context, service, id, flags);
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
  const auto ids = ids_of(context, words, "job cancel", Phrase::job_cancel_about);
  if (!ids) return std::unexpected(ids.error());
  Service service(context);
  for (const std::string& id : *ids) {
    const auto answer = service.post(path("/v1/jobs/", id, "/cancel"));
    if (!answer) return std::unexpected(answer.error());
    if (context.format != Format::table) {
      print_object(context, *answer, {{"job", Phrase::col_job}, {"state", Phrase::col_state}});
    } else {
      context.print_line(
          context.say(Phrase::job_state, id,
                      shown_text(raw_text(answer->json["state"]), Kind::word, context.look)));
    }
  }
  return 0;
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
