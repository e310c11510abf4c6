#pragma once

#include <string>
#include <string_view>

// How much room text takes on a terminal, where a character of Japanese is two columns wide.

namespace tenbin::cli {

constexpr char32_t replacement_character = 0xFFFD;

/// The character that begins at `at`, which is moved behind it. Bytes that are not UTF-8 are one
/// replacement character each.
char32_t next_character(std::string_view text, std::size_t& at);

/// Columns: 0 for what is drawn over the character before it, 2 for East Asian wide and full-width,
/// else 1, ambiguous ones included. Pictures joined from several characters count as several.
int width_of(char32_t c);
int width_of(std::string_view text);

/// `text` with a replacement character for everything that could move the cursor, turn the writing
/// direction or change a terminal: names and titles are other people's words.
std::string printable(std::string_view text);

/// `text` in at most `columns`, with an ellipsis where it was cut.
std::string cut(std::string_view text, int columns);

/// `text` on lines of at most `columns`, every one after the first behind `indent` blanks. Breaks
/// at blanks and between characters of Japanese, but not before what may not begin a line (、。）」
/// and the like) nor after what may not end one. What cannot be broken stays whole. Columns of zero
/// or less: no breaks.
std::string wrapped(std::string_view text, int columns, int indent);

}  // namespace tenbin::cli
