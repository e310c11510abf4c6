#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "codec/json.h"
#include "core/reasons.h"
#include "core/types.h"
#include "core/world.h"

// How quantities are written for people and clients, and read back exactly.

namespace tenbin {

/// "12.5" with at most `decimals` decimals into units of 10^-decimals. No sign but '-', no
/// exponent, no blanks; nothing if it does not fit.
std::optional<std::int64_t> parse_decimal(std::string_view text, unsigned decimals);
/// The shortest text that reads back the same.
std::string format_decimal(std::int64_t value, unsigned decimals);

inline std::string text_of(Credits amount) {
  return format_decimal(amount.count, 6);
}
inline std::string text_of(Gpus gpus) {
  return format_decimal(gpus.count, 3);
}

/// RFC 3339, with Z or an offset; milliseconds are kept.
std::optional<Instant> parse_instant(std::string_view text);
std::string text_of(Instant t);  // UTC, "2027-03-30T08:00:00Z"

/// Digits after the point of a currency: 0 for yen, 2 for dollars; nothing for what is not three
/// capitals.
std::optional<unsigned> currency_decimals(std::string_view currency);
std::string text_of_amount(const Money& money);
void write_money(JsonWriter& out, const Money& money);
/// The names of the regions whose bits are set.
void write_regions(JsonWriter& out, const World& world, std::uint64_t bits);

/// A refusal's figure as clients see it.
std::string text_of_figure(Figure kind, std::int64_t value);

enum class Language : std::uint8_t { english, japanese };
/// The refusal in words, its figures put in; instants in Japan's time, which is what grants use.
std::string text_of(const Refusal& refusal, Language language);

}  // namespace tenbin
