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

}  // namespace tenbin::cli
