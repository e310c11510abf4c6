#include "cli/width.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "cli/width_table.h"

namespace tenbin::cli {

namespace {

template <std::size_t n>
bool among(const CharacterRange (&ranges)[n], char32_t c) {
  const auto* after = std::ranges::upper_bound(ranges, c, {}, &CharacterRange::first);
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}

}  // namespace

char32_t next_character(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at++);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC2 ? 1 : 0;
  if (more == 0 || lead > 0xF4) return replacement_character;
  char32_t c = lead & (0x3FU >> more);
  for (int i = 0; i < more; ++i) {
    if (at >= text.size() || (byte(at) & 0xC0) != 0x80) return replacement_character;
    c = c << 6 | (byte(at++) & 0x3FU);
  }
  return c;
}

int width_of(char32_t c) {
  if (c < 0x80) return 1;
  if (among(zero_width, c)) return 0;
  return among(double_width, c) ? 2 : 1;
}

int width_of(std::string_view text) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) width += width_of(next_character(text, at));
  return width;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) ||
                         (c >= 0x2066 && c <= 0x2069) || c == replacement_character;
    if (control) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(from, at - from);
    }
  }
  return out;
}

}  // namespace tenbin::cli
