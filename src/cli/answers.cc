#include "cli/answers.h"

#include <algorithm>

#include "cli/width.h"
#include "net/http.h"

namespace tenbin::cli {

namespace {

// The end of the text that begins with the quote at `at`.
std::size_t end_of_text(std::string_view json, std::size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  return at + 1;
}

}  // namespace

std::string_view raw_member(std::string_view json, std::string_view key) {
  const std::string quoted = "\"" + std::string(key) + "\"";
  int depth = 0;
  bool after_key = false;    // the member's value is next
  std::size_t value_at = 0;  // where it began
  const auto value_ends = [&](std::size_t at) {
    std::string_view value = json.substr(value_at, at - value_at);
    while (!value.empty() && static_cast<unsigned char>(value.back()) <= ' ')
      value.remove_suffix(1);
    while (!value.empty() && static_cast<unsigned char>(value.front()) <= ' ')
      value.remove_prefix(1);
    return value;
  };
  for (std::size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      const std::size_t end = end_of_text(json, at);
      if (depth == 1 && !after_key && json.substr(at, end - at) == quoted) {
        std::size_t colon = end;
        while (colon < json.size() && static_cast<unsigned char>(json[colon]) <= ' ') ++colon;
        if (colon < json.size() && json[colon] == ':') {
          after_key = true;
          value_at = colon + 1;
          at = value_at;
          continue;
        }
      }
      at = end;
      continue;
    }
    if (after_key && depth == 1 && (c == ',' || c == '}')) return value_ends(at);
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  }
  return {};
}

void print_json(const Context& context, std::string_view json) {
  while (json.ends_with('\n')) json.remove_suffix(1);
  context.print_line(json);
}

void print_items(const Context& context, const Answer& answer, std::vector<Column> columns) {
  if (context.format == Format::json) return print_json(context, raw_member(answer.body, "items"));
  Table table(std::move(columns));
  answer.json["items"].each_item([&](JsonValue item) {
    table.add(item);
    return true;
  });
  table.print(context);
}

void print_object(const Context& context, const Answer& answer,
                  const std::vector<Column>& columns) {
  if (context.format == Format::json) return print_json(context, answer.body);
  if (context.format == Format::csv) {
    Table table(columns);
    table.add(answer.json);
    return table.print(context);
  }
  int left = 0;
  for (const Column& column : columns)
    left = std::max(left, width_of(text_of(column.header, context.look.language)));
  for (const Column& column : columns) {
    const std::string_view header = text_of(column.header, context.look.language);
    context.print_line(std::string(header) +
                       std::string(static_cast<std::size_t>(left - width_of(header) + 2), ' ') +
                       shown_text(raw_text(answer.json[column.field]), column.kind, context.look));
  }
}

std::string path(std::string_view before, std::string_view name, std::string_view after) {
  return std::string(before) + net::percent_encoded(name) + std::string(after);
}

Query& Query::add(std::string_view key, std::string_view value) {
  if (value.empty()) return *this;
  text_ += text_.empty() ? '?' : '&';
  text_ += std::string(key) + "=" + net::percent_encoded(value);
  return *this;
}

std::vector<std::string_view> raw_items(std::string_view array) {
  std::vector<std::string_view> items;
  const std::size_t open = array.find('[');
  if (open == std::string_view::npos) return items;
  const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  int depth = 0;
  std::size_t begin = open + 1;
  const auto ends = [&](std::size_t at) {
    std::string_view item = array.substr(begin, at - begin);
    while (!item.empty() && blank(item.front())) item.remove_prefix(1);
    while (!item.empty() && blank(item.back())) item.remove_suffix(1);
    if (!item.empty()) items.push_back(item);
    begin = at + 1;
  };
  for (std::size_t at = open + 1; at < array.size();) {
    const char c = array[at];
    if (c == '"') {
      at = end_of_text(array, at);
      continue;
    }
    if (depth == 0 && (c == ',' || c == ']')) ends(at);
    if (depth == 0 && c == ']') break;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    ++at;
  }
  return items;
}

Outcome<Part> part_of(const Context& context, std::string_view name, const std::string& limit,
                      bool all, std::int64_t otherwise) {
  constexpr std::int64_t limit_max = 100'000'000;
  if (all) return Part{0};
  if (limit.empty()) return Part{otherwise};
  const auto count = parse_decimal(limit, 0);
  if (count && *count > 0 && *count <= limit_max) return Part{*count};
  return stop(
      Exit::usage, "usage",
      context.say(Phrase::flag_value, "--limit", limit, context.say(Phrase::expected_positive)),
      context.say(Phrase::hint_help, name));
}

Outcome<bool> each_item(Service& service, std::string_view target, Query query, Part part,
                        const std::function<void(JsonValue, std::string_view)>& visit) {
  constexpr std::int64_t page_max = 1'000;
  std::int64_t seen = 0;
  std::string next;
  for (;;) {
    Query page = query;
    page.add("cursor", next);
    page.add("limit",
             std::to_string(part.limit == 0 ? page_max : std::min(page_max, part.limit - seen)));
    const auto answer = service.get(std::string(target) + page.text());
    if (!answer) return std::unexpected(answer.error());
    const auto raw = raw_items(raw_member(answer->body, "items"));
    std::size_t i = 0;
    answer->json["items"].each_item([&](JsonValue item) {
      if (part.limit > 0 && seen == part.limit) return false;
      visit(item, i < raw.size() ? raw[i] : std::string_view{});
      ++i;
      ++seen;
      return true;
    });
    next = raw_text(answer->json["next"]);
    const bool cut_off = i < raw.size();
    if (next.empty() || raw.empty()) return cut_off;
    if (part.limit > 0 && seen >= part.limit) return true;
  }
}

Outcome<void> print_list(const Context& context, Service& service, std::string_view target,
                         const Query& query, Part part, std::vector<Column> columns) {
  Table table(std::move(columns));
  std::string json = "[";
  const auto more =
      each_item(service, target, query, part, [&](JsonValue item, std::string_view raw) {
        if (context.format != Format::json) return table.add(item);
        if (json.size() > 1) json += ',';
        json += raw;
      });
  if (!more) return std::unexpected(more.error());
  if (context.format == Format::json)
    print_json(context, json + "]");
  else
    table.print(context);
  if (*more) context.progress(context.say(Phrase::more_items));
  return {};
}

}  // namespace tenbin::cli
