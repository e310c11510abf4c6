#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/quantity.h"

// Numbers and dates as traces write them.

namespace tenbin::traces {

std::string_view trimmed(std::string_view text);

/// "-12", "12"; blanks around it are let through.
std::optional<std::int64_t> whole(std::string_view text);

/// A decimal number in thousandths, what is finer cut off: "1.5" is 1500. Also "1e3"-like forms are
/// refused: no trace here has them.
std::optional<std::int64_t> thousandths(std::string_view text);

/// "2017-10-07 02:21:00", with T for the blank, fractions of a second, and Z or +08:00 behind it.
/// Without a zone it is taken as UTC.
std::optional<Instant> date(std::string_view text);

}  // namespace tenbin::traces
