#include <string>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/width.h"

// The service's stream of events, for people and for pipes.

namespace tenbin::cli {

namespace {

// Two spaces between what has columns of its own; then the event's own fields, "job=12".
std::string line_of(const Context& context, const net::StreamEvent& event, JsonValue data) {
  std::string fields;
  data.each_member([&](std::string_view key, JsonValue value) {
    if (key == "sequence" || key == "index" || key == "at" || key == "by") return true;
    const std::string text = raw_text(value);
    if (!text.empty()) fields += (fields.empty() ? "" : " ") + std::string(key) + "=" + text;
    return true;
  });
  const std::string by = raw_text(data["by"]);
  std::string line = instant_text(raw_text(data["at"]), context.look.zone) + "  " + event.id +
                     "  " + event.event + "  " + (by.empty() ? "-" : by);
  if (!fields.empty()) line += "  " + fields;
  line = printable(line);
  return context.look.columns > 0 ? cut(line, context.look.columns) : line;
}

void print_event(const Context& context, const net::StreamEvent& event) {
  if (context.format == Format::json) {
    // Its data, and what stands beside them in the stream.
    std::string json = event.data;
    while (!json.empty() && json.back() != '}') json.pop_back();
    if (!json.empty()) json.pop_back();
    std::string more;
    JsonWriter(more)
        .begin_object()
        .member("id", event.id)
        .member("event", event.event)
        .end_object();
    context.print_line(json + (json.ends_with('{') ? "" : ",") + more.substr(1));
    return;
  }
  JsonDocument document;
  const JsonValue data = document.parse(event.data).value_or(JsonValue());
  if (context.format == Format::table) return context.print_line(line_of(context, event, data));
  Table row({{"id", Phrase::col_id},
             {"at", Phrase::col_at},
             {"event", Phrase::col_kind},
             {"by", Phrase::col_person},
             {"data", Phrase::col_why}});
  row.add({event.id, raw_text(data["at"]), event.event, raw_text(data["by"]), event.data});
  const std::string text = row.csv();
  context.print(text.substr(text.find('\n') + 1));
}

bool last_word(const net::StreamEvent& event) {
  return event.event == "stopping" || event.event == "lagging" || event.event == "signed_out" ||
         event.event == "broken";
}

}  // namespace

Outcome<int> events(Context& context, const Words& words) {
  std::string since, project, job, kinds, limit;
  bool follow = false;
  Options options(*words.command, "--since PLACE | --follow [FLAGS]");
  options.value("--since", "PLACE", since, Phrase::opt_since)
      .flag("-f,--follow", follow, Phrase::opt_follow_events)
      .value("--project", "NAME", project, Phrase::opt_only_project)
      .value("--job", "ID", job, Phrase::opt_only_job)
      .value("--kinds", "KIND,...", kinds, Phrase::opt_kinds)
      .value("--limit", "N", limit, Phrase::opt_limit_events);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto part = part_of(context, words.command->name, limit, false, 0);
  if (!part) return std::unexpected(part.error());
  if (since.empty() && !follow) {
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, "--since | --follow"),
                context.say(Phrase::hint_help, words.command->name));
  }
  Query query;
  query.add("since", since).add("project", project).add("job", job).add("kinds", kinds);
  if (!follow) query.add("follow", "false");

  constexpr Span patience{30'000}, pause{1'000};
  Service service(context);
  std::string last_id;
  std::int64_t seen = 0;
  Span away;  // how long the service has not been there
  if (context.format == Format::csv) context.print("id,at,event,by,data\n");
  for (;;) {
    auto reader = service.events("/v1/events" + query.text(), last_id);
    if (!reader) {
      const bool again = follow && !last_id.empty() && reader.error().exit == Exit::unreachable &&
                         away < std::max(context.patience, patience);
      if (!again) return std::unexpected(reader.error());
    }
    std::string word;  // the service's last
    while (reader) {
      net::StreamEvent event;
      const auto got = reader->next(event, patience);
      away = Span{0};
      if (got && *got == net::EventReader::Got::ended && !follow) return 0;
      if (!got || *got == net::EventReader::Got::ended) break;
      if (*got == net::EventReader::Got::nothing) continue;
      if (last_word(event)) {
        word = event.event;
        break;
      }
      last_id = event.id;
      print_event(context, event);
      context.around.flush();
      if (++seen == part->limit || (context.around.stopped && context.around.stopped())) return 0;
    }
    if (word == "signed_out") {
      return stop(Exit::auth, word, context.say(Phrase::events_lost, word),
                  context.say(Phrase::hint_token));
    }
    if (!follow) {  // not all of it was printed
      if (word.empty()) word = "stream_lost";
      return stop(Exit::failed, word, context.say(Phrase::events_lost, word));
    }
    context.progress(context.say(Phrase::events_again));
    context.around.sleep(pause);
    away += pause;
  }
}

}  // namespace tenbin::cli
