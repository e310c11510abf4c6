#include "cli/width.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "cli/width_table.h"

namespace tenbin::cli {

namespace {

template <std::size_t n>
bool among(const CharacterRange (&ranges)[n], char32_t c) {
  const auto* after = std::ranges::upper_bound(ranges, c, {}, &CharacterRange::first);
  return after != std::begin(ranges) && c <= std::prev(after)->last;
}

constexpr std::u32string_view not_first =
    U"、。，．・：；？！」』）］｝〉》】ーぁぃぅぇぉっゃゅょァィゥェォッャュョ)]},.:;?!";
constexpr std::u32string_view not_last = U"「『（［｛〈《【([{";

// What a line may be broken around: a word, or one wide character with what must stay beside it.
struct Piece {
  std::string_view text;
  int width = 0;
  bool blank_before = false;
};

std::vector<Piece> pieces_of(std::string_view text) {
  std::vector<Piece> pieces;
  bool blank = false, open = false;  // open: the next character belongs to the last piece
  char32_t before = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    if (c == ' ') {
      blank = true;
      open = false;
      before = 0;
      continue;
    }
    const int width = width_of(c);
    const bool wide = width == 2 || width_of(before) == 2;
    const bool glued = !blank && (width == 0 || not_first.contains(c) || not_last.contains(before));
    if (!pieces.empty() && open && (glued || !wide)) {
      Piece& last = pieces.back();
      last.text = std::string_view(last.text.data(), last.text.size() + at - from);
      last.width += width;
    } else {
      pieces.push_back({text.substr(from, at - from), width, blank});
    }
    blank = false;
    open = true;
    before = c;
  }
  return pieces;
}

void append_wrapped(std::string& out, std::string_view line, int columns, int indent) {
  int at = 0;
  bool first = true;
  for (const Piece& piece : pieces_of(line)) {
    const int room = piece.width + (piece.blank_before && !first ? 1 : 0);
    if (!first && at + room > columns) {
      out += '\n' + std::string(static_cast<std::size_t>(indent), ' ');
      at = indent;
    } else if (piece.blank_before && !first) {
      out += ' ';
      ++at;
    }
    out += piece.text;
    at += piece.width;
    first = false;
  }
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

std::string cut(std::string_view text, int columns) {
  if (width_of(text) <= columns) return std::string(text);
  std::string out;
  int width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const int more = width_of(next_character(text, at));
    if (width + more > columns - 1) break;
    width += more;
    out += text.substr(from, at - from);
  }
  return out += "…";
}

std::string wrapped(std::string_view text, int columns, int indent) {
  if (columns <= 0) return std::string(text);
  std::string out;
  append_wrapped(out, text, columns, indent);
  return out;
}

}  // namespace tenbin::cli
