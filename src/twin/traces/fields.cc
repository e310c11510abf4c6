#include "twin/traces/fields.h"

#include <charconv>
#include <chrono>

namespace tenbin::traces {

namespace {

bool digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::int64_t> whole(std::string_view text) {
  text = trimmed(text);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> thousandths(std::string_view text) {
  text = trimmed(text);
  const bool negative = text.starts_with('-');
  const std::size_t point = text.find('.');
  std::int64_t value = 0;
  if (const std::string_view before = text.substr(0, point); before != "" && before != "-") {
    const auto parsed = whole(before);
    if (!parsed || !digit(before.back())) return std::nullopt;
    value = *parsed;
  } else if (point == std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t part = 0;
  if (point != std::string_view::npos) {
    const std::string_view after = text.substr(point + 1);
    if (after.empty() && point == (negative ? 1u : 0u)) return std::nullopt;
    std::int64_t unit = 100;
    for (const char c : after) {
      if (!digit(c)) return std::nullopt;
      part += unit * (c - '0');
      unit /= 10;
    }
  }
  if (__builtin_mul_overflow(value, 1'000, &value) ||
      __builtin_add_overflow(value, negative ? -part : part, &value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<Instant> date(std::string_view text) {
  text = trimmed(text);
  // yyyy-mm-dd hh:mm:ss
  constexpr std::string_view form = "0000-00-00 00:00:00";
  if (text.size() < form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool fits = form[i] == '0'   ? digit(text[i])
                      : form[i] == ' ' ? text[i] == ' ' || text[i] == 'T'
                                       : text[i] == form[i];
    if (!fits) return std::nullopt;
  }
  const auto two = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  using namespace std::chrono;
  const year_month_day day{year{two(0) * 100 + two(2)}, month{static_cast<unsigned>(two(5))},
                           std::chrono::day{static_cast<unsigned>(two(8))}};
  if (!day.ok() || two(11) > 23 || two(14) > 59 || two(17) > 60) return std::nullopt;
  std::int64_t ms = sys_days{day}.time_since_epoch().count() * 86'400'000LL +
                    (two(11) * 3'600 + two(14) * 60 + two(17)) * 1'000LL;
  text.remove_prefix(form.size());
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    for (std::int64_t unit = 100; !text.empty() && digit(text[0]); unit /= 10) {
      ms += unit * (text[0] - '0');
      text.remove_prefix(1);
    }
  }
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (text.empty() || text == "Z" || text == "UTC") return Instant{ms};
  // +hh:mm, +hhmm, +hh
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  const std::int64_t sign = text[0] == '+' ? 1 : -1;
  std::int64_t zone = 0, digits = 0;
  for (const char c : text.substr(1)) {
    if (c == ':' && digits == 2) continue;
    if (!digit(c) || ++digits > 4) return std::nullopt;
    zone = zone * 10 + (c - '0');
  }
  if (digits != 2 && digits != 4) return std::nullopt;
  if (digits == 2) zone *= 100;
  if (zone / 100 > 14 || zone % 100 > 59) return std::nullopt;
  return Instant{ms - sign * (zone / 100 * 60 + zone % 100) * 60'000};
}

}  // namespace tenbin::traces
