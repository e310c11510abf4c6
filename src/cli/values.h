#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/quantity.h"

// What people type and read: lengths of time, sizes, credits, instants. Parsing gives nothing for
// what it does not understand in full.

namespace tenbin::cli {

/// "12.5" with at most `decimals` decimals as a whole number of the smallest unit; no sign, no
/// exponent, no blanks.
std::optional<std::int64_t> parse_decimal(std::string_view text, int decimals);

/// Digits alone, as a number from `least` to `most`.
std::optional<std::uint64_t> parse_whole(std::string_view text, std::uint64_t least,
                                         std::uint64_t most);

/// 90s, 10m, 2h, 1d, 500ms, parts of these in a row (1h30m), HH:MM:SS, D-HH, D-HH:MM, D-HH:MM:SS.
/// More than zero and at most 400 days. A number alone is refused: it means minutes to some and
/// seconds to others.
std::optional<Span> parse_span(std::string_view text);

/// 512M, 4G, 1.5T, with or without iB or B behind, always powers of 1,024; K and bytes alone too
/// if `bytes_alone`. In bytes.
enum class BytesAlone : std::uint8_t { no, yes };
std::optional<std::int64_t> parse_bytes(std::string_view text, BytesAlone bytes_alone);

/// A fraction below 1 or a whole number, with at most 3 decimals, more than zero: in thousandths.
std::optional<Gpus> parse_gpus(std::string_view text);

/// Micro-credits of a decimal string as the API writes it, with a sign if there is one.
std::optional<Wide> parse_credits(std::string_view text);

/// "a, b, c": for people to choose from.
template <class Names>
std::string joined(const Names& names, std::string_view between = ", ") {
  std::string all;
  for (const std::string_view name : names) (all += all.empty() ? "" : between) += name;
  return all;
}

/// "1234567.500000" is "1,234,567.5"; what is not a number is left as it is.
std::string grouped(std::string_view decimal);

std::string credits_text(Wide micro);

/// 1h30m, 2d, 500ms: what parse_span understands.
std::string span_text(std::int64_t ms);

/// How instants are shown to this viewer: "Asia/Tokyo" and "UTC" need no time zone files.
struct Zone {
  enum class Kind : std::uint8_t { utc, tokyo, system } kind = Kind::system;

  /// `tz` is the variable TZ. A zone whose file this machine lacks is UTC, and says so.
  static Zone from(std::string_view tz);
};

/// "2027-03-30T08:00:00Z" is "2027-03-30 17:00:00 JST"; what is not such an instant is left as it
/// is.
std::string instant_text(std::string_view rfc3339, Zone zone);

/// A new UUID of version 7: milliseconds since 1970, then chance.
std::string new_uuid();

/// Milliseconds since 1970 of "2027-03-31T23:59:59+09:00" or "...Z", with or without parts of a
/// second.
std::optional<std::int64_t> parse_instant(std::string_view rfc3339);

}  // namespace tenbin::cli
