#include "cli/values.h"

#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <vector>

#include "codec/hash.h"
#include "core/limits.h"
#include "core/types.h"

namespace tenbin::cli {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<std::int64_t> whole(std::string_view digits) {
  return parse_decimal(digits, 0);
}

std::optional<Span> in_range(Wide ms) {
  if (ms <= 0 || ms > time_limit_max.count) return std::nullopt;
  return Span{static_cast<std::int64_t>(ms)};
}

// [D-]HH[:MM[:SS]]: with days the smaller parts may be left out, without them all three must be
// there.
std::optional<Span> parse_clock(std::string_view text) {
  std::int64_t days = 0;
  const std::size_t dash = text.find('-');
  const bool with_days = dash != std::string_view::npos;
  if (with_days) {
    const auto d = whole(text.substr(0, dash));
    if (!d || *d > 400) return std::nullopt;
    days = *d;
    text.remove_prefix(dash + 1);
  }
  std::int64_t parts[3] = {0, 0, 0};
  std::size_t count = 0;
  for (;; ++count) {
    if (count == 3) return std::nullopt;
    const std::size_t colon = text.find(':');
    const auto n = whole(text.substr(0, colon));
    if (!n || *n > 9'999 || (count > 0 && *n > 59) || (with_days && count == 0 && *n > 23))
      return std::nullopt;
    parts[count] = *n;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
  }
  if (!with_days && count != 2) return std::nullopt;
  return in_range((((Wide{days} * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2]) * 1'000);
}

struct Unit {
  std::string_view name;
  std::int64_t size;
};
constexpr Unit time_units[] = {
    {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

const Unit* find_unit(std::string_view name) {
  const auto* unit = std::ranges::find(time_units, name, &Unit::name);
  return unit == std::end(time_units) ? nullptr : unit;
}

}  // namespace

std::optional<std::int64_t> parse_decimal(std::string_view text, int decimals) {
  const std::size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  if (digits.empty()) return std::nullopt;
  if (point != std::string_view::npos) {
    const std::string_view fraction = text.substr(point + 1);
    if (fraction.empty() || fraction.size() > static_cast<std::size_t>(decimals))
      return std::nullopt;
    digits += fraction;
    decimals -= static_cast<int>(fraction.size());
  }
  digits.append(static_cast<std::size_t>(decimals), '0');
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!std::ranges::all_of(digits, is_digit) || error != std::errc{} ||
      end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::uint64_t> parse_whole(std::string_view text, std::uint64_t least,
                                         std::uint64_t most) {
  std::uint64_t value = 0;
  const char* const behind = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), behind, value);
  if (error != std::errc{} || end != behind || value < least || value > most) return std::nullopt;
  return value;
}

std::optional<Span> parse_span(std::string_view text) {
  if (text.find_first_of(":-") != std::string_view::npos) return parse_clock(text);
  Wide total = 0;
  std::int64_t above = INT64_MAX;  // each unit must be smaller than the one before it
  while (!text.empty()) {
    const std::size_t number_end = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto number = parse_decimal(text.substr(0, number_end), 3);
    text.remove_prefix(number_end);
    const std::size_t unit_end = std::min(text.find_first_of("0123456789."), text.size());
    const Unit* unit = find_unit(text.substr(0, unit_end));
    text.remove_prefix(unit_end);
    if (!number || !unit || unit->size >= above) return std::nullopt;
    const Wide thousandths = Wide{*number} * unit->size;
    if (thousandths % 1'000 != 0) return std::nullopt;
    total += thousandths / 1'000;
    above = unit->size;
  }
  return in_range(total);
}

std::optional<std::int64_t> parse_bytes(std::string_view text, BytesAlone bytes_alone) {
  const std::size_t number_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const auto number = parse_decimal(text.substr(0, number_end), 3);
  std::string_view unit = text.substr(number_end);
  if (!number) return std::nullopt;

  int shift = 0;
  if (!unit.empty()) {
    constexpr std::string_view letters = "KMGT";
    const char letter =
        unit.front() >= 'a' ? static_cast<char>(unit.front() - 'a' + 'A') : unit.front();
    const std::size_t power = letters.find(letter);
    if (power == std::string_view::npos) return std::nullopt;
    shift = 10 * static_cast<int>(power + 1);
    unit.remove_prefix(1);
    if (!unit.empty() && unit != "B" && unit != "iB") return std::nullopt;
  }
  if (shift < 20 && bytes_alone == BytesAlone::no) return std::nullopt;
  const Wide thousandths = Wide{*number} << shift;
  if (thousandths % 1'000 != 0 || thousandths / 1'000 > INT64_MAX) return std::nullopt;
  return static_cast<std::int64_t>(thousandths / 1'000);
}

std::optional<Gpus> parse_gpus(std::string_view text) {
  const auto milli = parse_decimal(text, 3);
  if (!milli || *milli <= 0 || *milli > gpus_max.count) return std::nullopt;
  if (*milli > 1'000 && *milli % 1'000 != 0) return std::nullopt;
  return Gpus{*milli};
}

std::optional<Wide> parse_credits(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto micro = parse_decimal(text, 6);
  if (!micro) return std::nullopt;
  return negative ? -Wide{*micro} : Wide{*micro};
}

std::string grouped(std::string_view decimal) {
  std::string_view digits = decimal;
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  const std::string_view integer = digits.substr(0, digits.find('.'));
  std::string_view fraction = digits.substr(integer.size());
  const auto all_digits = [](std::string_view s) { return std::ranges::all_of(s, is_digit); };
  if (integer.empty() || !all_digits(integer) || fraction.size() == 1 ||
      (!fraction.empty() && !all_digits(fraction.substr(1)))) {
    return std::string(decimal);
  }
  while (fraction.ends_with('0')) fraction.remove_suffix(1);
  if (fraction == ".") fraction = {};

  std::string out = negative ? "-" : "";
  for (std::size_t i = 0; i < integer.size(); ++i) {
    if (i > 0 && (integer.size() - i) % 3 == 0) out += ',';
    out += integer[i];
  }
  return out += fraction;
}

std::string credits_text(Wide micro) {
  const bool negative = micro < 0;
  if (negative) micro = -micro;
  std::string digits;
  for (int i = 0; i < 7 || micro > 0; ++i) {
    digits += static_cast<char>('0' + static_cast<int>(micro % 10));
    micro /= 10;
    if (i == 5) digits += '.';
  }
  if (negative) digits += '-';
  std::ranges::reverse(digits);
  while (digits.ends_with('0')) digits.pop_back();
  if (digits.ends_with('.')) digits.pop_back();
  return digits;
}

std::string span_text(std::int64_t ms) {
  if (ms <= 0) return std::to_string(ms) + (ms == 0 ? "s" : "ms");
  std::string out;
  for (std::size_t i = std::size(time_units); i-- > 0;) {
    const Unit& unit = time_units[i];
    if (ms < unit.size) continue;
    out += std::to_string(ms / unit.size);
    out += unit.name;
    ms %= unit.size;
  }
  return out;
}

Zone Zone::from(std::string_view tz) {
  if (tz.starts_with(':')) tz.remove_prefix(1);
  if (tz == "Asia/Tokyo" || tz == "Japan" || tz == "JST-9") return {Kind::tokyo};
  if (tz == "UTC" || tz == "UTC0" || tz == "Etc/UTC") return {Kind::utc};
  // The C library takes a zone that it does not know for UTC, but calls it by the name's beginning.
  if (tz.find('/') != std::string_view::npos && !tz.starts_with('/') &&
      ::access(("/usr/share/zoneinfo/" + std::string(tz)).c_str(), R_OK) != 0) {
    return {Kind::utc};
  }
  return {Kind::system};
}

std::string instant_text(std::string_view rfc3339, Zone zone) {
  namespace chrono = std::chrono;
  const auto part = [&](std::size_t at, std::size_t size) {
    return rfc3339.size() >= at + size ? whole(rfc3339.substr(at, size)) : std::nullopt;
  };
  const auto y = part(0, 4), mo = part(5, 2), d = part(8, 2), h = part(11, 2), mi = part(14, 2),
             s = part(17, 2);
  if (!y || !mo || !d || !h || !mi || !s || !rfc3339.ends_with('Z') || rfc3339[10] != 'T') {
    return std::string(rfc3339);
  }
  const chrono::year_month_day date{chrono::year{static_cast<int>(*y)},
                                    chrono::month{static_cast<unsigned>(*mo)},
                                    chrono::day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::string(rfc3339);
  const std::int64_t days = chrono::sys_days{date}.time_since_epoch().count();
  time_t at = days * 86'400 + *h * 3'600 + *mi * 60 + *s;

  tm local{};
  std::string_view name = "UTC";
  switch (zone.kind) {
    case Zone::Kind::utc: ::gmtime_r(&at, &local); break;
    case Zone::Kind::tokyo:
      at += 9L * 3'600;
      ::gmtime_r(&at, &local);
      name = "JST";
      break;
    case Zone::Kind::system:
      ::localtime_r(&at, &local);
      name = local.tm_zone ? local.tm_zone : "";
      break;
  }
  char buffer[64];
  const std::size_t size = ::strftime(buffer, sizeof buffer, "%Y-%m-%d %H:%M:%S ", &local);
  return std::string(buffer, size) + std::string(name);
}

std::optional<std::int64_t> parse_instant(std::string_view text) {
  namespace chrono = std::chrono;
  const auto part = [&](std::size_t at, std::size_t size) {
    return text.size() >= at + size ? whole(text.substr(at, size)) : std::nullopt;
  };
  const auto y = part(0, 4), mo = part(5, 2), d = part(8, 2), h = part(11, 2), mi = part(14, 2),
             s = part(17, 2);
  if (!y || !mo || !d || !h || !mi || !s || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const chrono::year_month_day date{chrono::year{static_cast<int>(*y)},
                                    chrono::month{static_cast<unsigned>(*mo)},
                                    chrono::day{static_cast<unsigned>(*d)}};
  if (!date.ok() || *h > 23 || *mi > 59 || *s > 59) return std::nullopt;
  text.remove_prefix(19);
  std::int64_t ms = 0;
  if (text.starts_with('.')) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", 1), text.size());
    std::string digits(text.substr(1, end - 1));
    if (digits.empty()) return std::nullopt;
    digits.resize(3, '0');
    ms = *whole(digits);
    text.remove_prefix(end);
  }
  std::int64_t minutes = 0;
  if (text != "Z" && text != "z") {
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
      return std::nullopt;
    const auto oh = whole(text.substr(1, 2)), om = whole(text.substr(4, 2));
    if (!oh || !om || *oh > 23 || *om > 59) return std::nullopt;
    minutes = (*oh * 60 + *om) * (text[0] == '-' ? -1 : 1);
  }
  const std::int64_t days = chrono::sys_days{date}.time_since_epoch().count();
  return (days * 86'400 + *h * 3'600 + *mi * 60 + *s - minutes * 60) * 1'000 + ms;
}

std::string new_uuid() {
  RequestId id;
  ::getrandom(&id, sizeof id, 0);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  id.high = ms << 16 | 0x7000 | (id.high & 0x0FFF);
  id.low = (id.low & 0x3FFF'FFFF'FFFF'FFFF) | 0x8000'0000'0000'0000;
  return to_uuid(id);
}

}  // namespace tenbin::cli
