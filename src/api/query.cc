#include "api/query.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"

namespace tenbin {

namespace {

/// "a b c" as "a, b, c".
std::string listed(std::string_view words, std::string_view between) {
  std::string text;
  for (const char c : words) text += c == ' ' ? std::string(between) : std::string(1, c);
  return text;
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::string_view one = words.substr(0, words.find(' '));
    if (one == word) return true;
    words.remove_prefix(std::min(words.size(), one.size() + 1));
  }
  return false;
}

/// What a list is, whichever page of it is asked for.
std::string list_mark(const net::Request& request, net::Parameters parameters) {
  std::ranges::sort(parameters);
  Digest digest;
  digest.add(request.path);
  for (const auto& [name, value] : parameters) {
    if (name == "limit" || name == "cursor" || value.empty()) continue;
    digest.add(name);
    digest.add(value);
  }
  return fmt::format("{:08x}", digest.value() >> 32);
}

}  // namespace

std::string Query::text(std::string_view name) const {
  const std::string* value = net::find_parameter(parameters_, name);
  return value ? *value : std::string();
}

void Query::complain(std::string_view name, std::string_view english, std::string_view japanese) {
  if (!complaint_) complaint_ = invalid_field(name, english, japanese);
}

std::int64_t Query::integer(std::string_view name, std::int64_t least, std::int64_t most,
                            std::int64_t otherwise) {
  const std::string given = text(name);
  if (given.empty()) return otherwise;
  const auto number = parse_decimal(given, 0);
  if (number && *number >= least && *number <= most && given.find('.') == std::string::npos)
    return *number;
  const bool open = most == INT64_MAX;
  complain(name,
           open ? fmt::format("expected a whole number, at least {}", least)
                : fmt::format("expected a whole number from {} to {}", least, most),
           open ? fmt::format("{} 以上の整数を指定してください", least)
                : fmt::format("{}～{} の整数を指定してください", least, most));
  return otherwise;
}

Instant Query::instant(std::string_view name, Instant otherwise) {
  const std::string given = text(name);
  if (given.empty()) return otherwise;
  const auto instant = parse_instant(given);
  if (!instant) {
    complain(name,
             "expected an instant such as 2027-03-30T08:00:00Z (a + of an offset is %2B in an "
             "address)",
             "2027-03-30T08:00:00Z のような日時を指定してください（時差の + はアドレスでは %2B）");
  }
  return instant.value_or(otherwise);
}

std::string Query::choice(std::string_view name, std::span<const std::string_view> words) {
  std::string given = text(name);
  if (given.empty() || std::ranges::count(words, given) > 0) return given;
  std::string list;
  for (const std::string_view word : words) list += (list.empty() ? "" : ", ") + std::string(word);
  complain(name, "expected one of " + list, list + " のいずれかを指定してください");
  return {};
}

std::optional<Complaint> check_names(const net::Parameters& parameters, std::string_view known) {
  for (auto p = parameters.begin(); p != parameters.end(); ++p) {
    if (!has_word(known, p->first)) {
      if (known.empty())
        return invalid_field(p->first, "this address takes no parameters",
                             "このアドレスに使えるパラメーターはありません");
      return invalid_field(
          p->first, "no such parameter; there are " + listed(known, ", "),
          "そのようなパラメーターはありません。" + listed(known, "、") + " が使えます");
    }
    if (std::ranges::count(parameters.begin(), p, p->first, &net::Parameters::value_type::first))
      return invalid_field(p->first, "is given twice", "2 回指定されています");
  }
  return std::nullopt;
}

Page read_page(Query& query, const net::Request& request, const net::Parameters& parameters,
               std::span<const std::string_view> sorts, std::int64_t otherwise) {
  Page page;
  page.limit = static_cast<std::size_t>(query.integer("limit", 1, page_max, otherwise));
  std::string sort = query.choice("sort", sorts);
  if (sort.empty()) sort = sorts.front();
  page.down = sort.front() == '-';
  page.sort = page.down ? sort.substr(1) : sort;
  if (const std::string cursor = query.text("cursor"); !cursor.empty()) {
    const std::size_t dot = cursor.find('~');
    if (dot == std::string::npos || dot + 1 == cursor.size() ||
        cursor.substr(0, dot) != list_mark(request, parameters)) {
      query.complain("cursor",
                     "it does not belong to this list with these filters and this order; begin "
                     "without a cursor",
                     "この一覧・条件・順序のカーソルではありません。cursor "
                     "を付けずに最初から取得してください");
    } else {
      page.after = cursor.substr(dot + 1);
    }
  }
  return page;
}

std::string cursor_after(const net::Request& request, const net::Parameters& parameters,
                         std::string_view place) {
  return list_mark(request, parameters) + "~" + std::string(place);
}

}  // namespace tenbin
