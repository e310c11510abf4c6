#include <unistd.h>

#include <algorithm>

#include "base/nearest.h"
#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/contexts.h"
#include "cli/files.h"
#include "cli/options.h"

// Several services, each with a name, a place and a token.

namespace tenbin::cli {

namespace {

// What is shown of a context; never its token.
std::string json_of(const SavedContext& one, bool current) {
  std::string json;
  JsonWriter(json)
      .begin_object()
      .member("name", one.name)
      .member("url", one.url)
      .member("token", !one.token.empty())
      .member("current", current)
      .end_object();
  return json;
}

std::vector<Column> columns() {
  return {{"name", Phrase::col_name},
          {"url", Phrase::col_url},
          {"token", Phrase::col_token, Kind::yes_no},
          {"current", Phrase::col_current, Kind::yes_no}};
}

Outcome<Answer> answer_of(std::string json) {
  Answer answer{.body = std::move(json), .next_offset = {}, .document = {}, .json = {}};
  answer.json = *answer.document.parse(answer.body);
  return answer;
}

std::unexpected<Stop> unknown(const Context& context, const Contexts& contexts,
                              const std::string& name) {
  std::vector<std::string_view> names;
  for (const SavedContext& one : contexts.all) names.emplace_back(one.name);
  const std::string meant = nearest(name, names);
  return stop(
      Exit::not_found, "unknown_context", context.say(Phrase::unknown_context, name),
      meant.empty() ? context.say(Phrase::hint_contexts) : context.say(Phrase::hint_meant, meant));
}

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

// The first line of a file, or of standard input for "-".
Outcome<std::string> token_in(const Context& context, const std::string& path) {
  auto text = read_file(context, path);
  if (!text) return std::unexpected(text.error());
  std::string token = text->substr(0, text->find('\n'));
  while (!token.empty() && (token.back() == ' ' || token.back() == '\r')) token.pop_back();
  const bool good =
      !token.empty() && std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7F; });
  if (good) return token;
  return stop(Exit::auth, "no_token", context.say(Phrase::token_file_unreadable, path),
              context.say(Phrase::hint_token));
}

/// The contexts that there are; `name` is the one that the command names, and it is among them.
Outcome<Contexts> named(Context& context, const Words& words, std::string& name) {
  Options options(*words.command, "NAME");
  options.word("NAME", name, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  auto contexts = read_contexts(context);
  if (!contexts) return std::unexpected(contexts.error());
  if (!contexts->find(name)) return unknown(context, *contexts, name);
  return std::move(*contexts);
}

}  // namespace

Outcome<int> context_list(Context& context, const Words& words) {
  Options options(*words.command, "");
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto contexts = read_contexts(context);
  if (!contexts) return std::unexpected(contexts.error());
  std::string json = R"({"items":[)";
  for (const SavedContext& one : contexts->all) {
    if (!json.ends_with('[')) json += ',';
    json += json_of(one, one.name == contexts->current);
  }
  const auto answer = answer_of(json + "]}");
  print_items(context, *answer, columns());
  return 0;
}

Outcome<int> context_show(Context& context, const Words& words) {
  std::string name;
  Options options(*words.command, "[NAME]");
  options.word("NAME", name, Options::Need::optional);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (!name.empty()) {
    const auto contexts = read_contexts(context);
    if (!contexts) return std::unexpected(contexts.error());
    const SavedContext* found = contexts->find(name);
    if (!found) return unknown(context, *contexts, name);
    print_object(context, *answer_of(json_of(*found, name == contexts->current)), columns());
    return 0;
  }
  // Where a command would go now, and why there.
  const auto place = find_service(context);
  if (!place) return std::unexpected(place.error());
  std::string json;
  JsonWriter(json)
      .begin_object()
      .member("url", place->url)
      .member("url_from", place->url_from)
      .member("token", !place->token.empty())
      .member("token_from", place->token_from)
      .end_object();
  print_object(context, *answer_of(json),
               {{"url", Phrase::col_url},
                {"url_from", Phrase::col_url_from},
                {"token", Phrase::col_token, Kind::yes_no},
                {"token_from", Phrase::col_token_from}});
  return 0;
}

Outcome<int> context_add(Context& context, const Words& words) {
  std::string name;
  Options options(*words.command, "NAME --url URL [--token-file FILE]");
  options.word("NAME", name, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const std::string hint = context.say(Phrase::hint_help, "context add");
  const std::string& url = context.flags.url;
  if (!good_name(name)) {
    return stop(Exit::usage, "usage",
                context.say(Phrase::flag_value, "NAME", name, context.say(Phrase::expected_name)),
                hint);
  }
  if (url.empty())
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, "--url"), hint);
  if ((!url.starts_with("http://") && !url.starts_with("https://")) ||
      std::ranges::any_of(url, [](char c) { return c <= ' ' || c == 0x7F; })) {
    return stop(Exit::usage, "usage",
                context.say(Phrase::flag_value, "--url", url, context.say(Phrase::expected_url)),
                hint);
  }
  auto contexts = read_contexts(context);
  if (!contexts) return std::unexpected(contexts.error());
  SavedContext made{.name = name, .url = url, .token = {}};
  if (!context.flags.token_file.empty()) {
    auto token = token_in(context, context.flags.token_file);
    if (!token) return std::unexpected(token.error());
    made.token = *std::move(token);
  }
  const auto old = std::ranges::find(contexts->all, name, &SavedContext::name);
  if (old == contexts->all.end()) {
    contexts->all.push_back(std::move(made));
  } else {
    // A token is for the place it was given for: another place does not inherit it.
    if (made.token.empty() && old->url == made.url) made.token = old->token;
    *old = std::move(made);
  }
  if (contexts->current.empty()) contexts->current = name;
  if (auto written = write_contexts(context, *contexts); !written)
    return std::unexpected(written.error());
  context.print_line(context.say(Phrase::context_added, name, url));
  if (contexts->current != name) context.note(context.say(Phrase::hint_context_use, name));
  return 0;
}

Outcome<int> context_use(Context& context, const Words& words) {
  std::string name;
  auto contexts = named(context, words, name);
  if (!contexts) return std::unexpected(contexts.error());
  contexts->current = name;
  if (auto written = write_contexts(context, *contexts); !written)
    return std::unexpected(written.error());
  context.print_line(context.say(Phrase::context_used, name, contexts->find(name)->url));
  return 0;
}

Outcome<int> context_remove(Context& context, const Words& words) {
  std::string name;
  auto contexts = named(context, words, name);
  if (!contexts) return std::unexpected(contexts.error());
  std::erase_if(contexts->all, [&](const SavedContext& one) { return one.name == name; });
  if (contexts->current == name) contexts->current.clear();
  if (auto written = write_contexts(context, *contexts); !written)
    return std::unexpected(written.error());
  context.print_line(context.say(Phrase::context_removed, name));
  return 0;
}

}  // namespace tenbin::cli
