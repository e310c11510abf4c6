#include "api/text.h"

#include <fmt/format.h>

#include <array>

namespace tenbin {

namespace {

struct Date {
  std::int64_t year;
  unsigned month, day;
};

// Days since 1970-01-01 and back: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
std::int64_t days_from(Date d) {
  const std::int64_t y = d.year - (d.month <= 2 ? 1 : 0);
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const auto yoe = static_cast<unsigned>(y - era * 400);
  const unsigned doy = (153 * (d.month + (d.month > 2 ? -3u : 9u)) + 2) / 5 + d.day - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146'097 + static_cast<std::int64_t>(doe) - 719'468;
}
Date date_from(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const auto doe = static_cast<unsigned>(days - era * 146'097);
  const unsigned yoe = (doe - doe / 1'460 + doe / 36'524 - doe / 146'096) / 365;
  const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const unsigned mp = (5 * doy + 2) / 153;
  const unsigned month = mp < 10 ? mp + 3 : mp - 9;
  return {static_cast<std::int64_t>(yoe) + era * 400 + (month <= 2 ? 1 : 0), month,
          doy - (153 * mp + 2) / 5 + 1};
}

bool leap(std::int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}
unsigned days_in(std::int64_t year, unsigned month) {
  constexpr std::array<unsigned, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && leap(year) ? 29 : days[month - 1];
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::string japan_time(Instant t) {
  if (t.ms >= INT64_MAX / 2) return "never";
  const std::int64_t local = t.ms + 9 * 3'600'000;
  const Date d = date_from(floor_div(local, 86'400'000));
  const std::int64_t minute = (local - floor_div(local, 86'400'000) * 86'400'000) / 60'000;
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} JST", d.year, d.month, d.day, minute / 60,
                     minute % 60);
}

const Word* word_of(Figure kind, std::int64_t value) {
  const auto at = static_cast<std::size_t>(value);
  if (kind == Figure::thing && at < thing_words.size()) return &thing_words[at];
  if (kind == Figure::property && at < property_words.size()) return &property_words[at];
  return nullptr;
}

std::string for_people(Figure kind, std::int64_t value, Language language) {
  if (const Word* word = word_of(kind, value))
    return std::string(language == Language::japanese ? word->japanese : word->english);
  if (kind == Figure::instant) return japan_time(Instant{value});
  if (kind == Figure::span) {
    if (value % 86'400'000 == 0) return fmt::format("{} d", value / 86'400'000);
    return fmt::format("{} s", format_decimal(value, 3));
  }
  return text_of_figure(kind, value);
}

}  // namespace

std::optional<std::int64_t> parse_decimal(std::string_view text, unsigned decimals) {
  bool negative = false;
  if (!text.empty() && text.front() == '-') {
    negative = true;
    text.remove_prefix(1);
  }
  if (text.empty() || text.front() == '.' || text.back() == '.') return std::nullopt;
  std::int64_t value = 0;
  int seen = -1;  // decimals so far, -1 before the point
  const auto push = [&](int digit) {
    return !__builtin_mul_overflow(value, std::int64_t{10}, &value) &&
           !__builtin_add_overflow(value, std::int64_t{digit}, &value);
  };
  for (const char c : text) {
    if (c == '.') {
      if (seen >= 0) return std::nullopt;
      seen = 0;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    if (seen >= 0 && ++seen > static_cast<int>(decimals)) {
      if (c == '0') {
        --seen;
        continue;  // a zero beyond the last place changes nothing
      }
      return std::nullopt;
    }
    if (!push(c - '0')) return std::nullopt;
  }
  for (int i = seen < 0 ? 0 : seen; i < static_cast<int>(decimals); ++i) {
    if (!push(0)) return std::nullopt;
  }
  return negative ? -value : value;
}

std::string format_decimal(std::int64_t value, unsigned decimals) {
  std::uint64_t rest =
      value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
  std::uint64_t unit = 1;
  for (unsigned i = 0; i < decimals; ++i) unit *= 10;
  std::string text = (value < 0 ? "-" : "") + std::to_string(rest / unit);
  rest %= unit;
  if (rest == 0) return text;
  std::string places = std::to_string(unit + rest).substr(1);
  while (places.back() == '0') places.pop_back();
  return text + "." + places;
}

std::optional<Instant> parse_instant(std::string_view text) {
  // 2027-03-30T17:00:00[.123](Z|+09:00)
  const auto number = [&](std::size_t at, std::size_t digits) -> std::int64_t {
    std::int64_t n = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
      if (i >= text.size() || text[i] < '0' || text[i] > '9') return -1;
      n = n * 10 + (text[i] - '0');
    }
    return n;
  };
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' ') || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const std::int64_t year = number(0, 4), month = number(5, 2), day = number(8, 2);
  const std::int64_t hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (year < 1970 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 || minute < 0 ||
      minute > 59 || second < 0 || second > 59 ||
      day > days_in(year, static_cast<unsigned>(month))) {
    return std::nullopt;
  }
  std::size_t at = 19;
  std::int64_t ms = 0;
  if (text[at] == '.') {
    std::int64_t scale = 100;
    std::size_t digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9';
         ++at, ++digits, scale /= 10) {
      ms += (text[at] - '0') * scale;
    }
    if (digits == 0 || digits > 9) return std::nullopt;
  }
  std::int64_t offset_minutes = 0;
  if (at < text.size() && (text[at] == 'Z' || text[at] == 'z')) {
    if (at + 1 != text.size()) return std::nullopt;
  } else {
    if (at + 6 != text.size() || (text[at] != '+' && text[at] != '-') || text[at + 3] != ':')
      return std::nullopt;
    const std::int64_t h = number(at + 1, 2), m = number(at + 4, 2);
    if (h < 0 || h > 23 || m < 0 || m > 59) return std::nullopt;
    offset_minutes = (text[at] == '-' ? -1 : 1) * (h * 60 + m);
  }
  const std::int64_t days =
      days_from({year, static_cast<unsigned>(month), static_cast<unsigned>(day)});
  return Instant{((days * 24 + hour) * 60 + minute - offset_minutes) * 60'000 + second * 1'000 +
                 ms};
}

std::string text_of(Instant t) {
  const std::int64_t days = floor_div(t.ms, 86'400'000);
  const Date d = date_from(days);
  const std::int64_t rest = t.ms - days * 86'400'000;
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", d.year, d.month, d.day,
                                 rest / 3'600'000, rest / 60'000 % 60, rest / 1'000 % 60);
  if (rest % 1'000) text += fmt::format(".{:03}", rest % 1'000);
  return text + "Z";
}

std::optional<unsigned> currency_decimals(std::string_view currency) {
  if (currency.size() != 3) return std::nullopt;
  for (const char c : currency) {
    if (c < 'A' || c > 'Z') return std::nullopt;
  }
  for (const std::string_view whole : {"JPY", "KRW", "VND", "CLP", "ISK", "XAF", "XOF"}) {
    if (currency == whole) return 0;
  }
  for (const std::string_view three : {"BHD", "KWD", "OMR", "TND", "JOD"}) {
    if (currency == three) return 3;
  }
  return 2;
}

std::string text_of_amount(const Money& money) {
  const std::string_view currency(money.currency.data(), money.currency.size());
  const unsigned decimals = currency_decimals(currency).value_or(0);
  std::string text = format_decimal(money.minor, decimals);
  const std::size_t point = text.find('.');
  if (decimals == 0) return text;
  const std::size_t there = point == std::string::npos ? 0 : text.size() - point - 1;
  if (point == std::string::npos) text += '.';
  return text + std::string(decimals - there, '0');
}

void write_money(JsonWriter& out, const Money& money) {
  out.begin_object().member("amount", text_of_amount(money));
  out.member("currency", std::string_view(money.currency.data(), money.currency.size()))
      .end_object();
}

void write_regions(JsonWriter& out, const World& world, std::uint64_t bits) {
  out.begin_array();
  world.regions.each([&](RegionId id, const Region& region) {
    if (bits & PoolSet::bit(id.value)) out.value(region.name);
  });
  out.end_array();
}

std::string text_of_figure(Figure kind, std::int64_t value) {
  switch (kind) {
    case Figure::credits: return text_of(Credits{value});
    case Figure::gpus: return text_of(Gpus{value});
    case Figure::milli_cpus: return format_decimal(value, 3);
    case Figure::instant: return text_of(Instant{value});
    case Figure::thing:
    case Figure::property:
      if (const Word* word = word_of(kind, value)) return std::string(word->name);
      break;
    case Figure::none:
    case Figure::number:
    case Figure::mebibytes:
    case Figure::span: break;
  }
  return std::to_string(value);
}

std::string text_of(const Refusal& refusal, Language language) {
  const ReasonText& reason = text_of(refusal.reason);
  const std::string_view text = language == Language::japanese ? reason.japanese : reason.english;
  std::string words;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' && i + 2 < text.size() && text[i + 2] == '}' && text[i + 1] >= '0' &&
        text[i + 1] <= '3') {
      const auto figure = static_cast<std::size_t>(text[i + 1] - '0');
      words += for_people(reason.figures[figure], refusal.figures[figure], language);
      i += 2;
    } else {
      words += text[i];
    }
  }
  return words;
}

}  // namespace tenbin
