#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/phrases.h"
#include "cli/surroundings.h"
#include "cli/values.h"

namespace tenbin::cli {

enum class Exit : std::uint8_t {
  ok = 0,
  failed = 1,
  usage = 2,
  not_found = 3,
  auth = 4,
  conflict = 5,
  credit = 6,
  pending = 8,
  unreachable = 9,
  timed_out = 124,
  interrupted = 130,
};

constexpr int code(Exit exit) {
  return static_cast<int>(exit);
}

enum class Format : std::uint8_t { table, json, csv };

/// Why a command ends before it is done. With Exit::ok all has been said already (--help).
struct Stop {
  Exit exit = Exit::failed;
  std::string code;  // stable, for programs and for searching
  std::string why;
  std::string hint;     // what to do
  std::string problem;  // as the service sent it
};

template <class T>
using Outcome = std::expected<T, Stop>;

inline std::unexpected<Stop> stop(Exit exit, std::string_view code, std::string why,
                                  std::string hint = {}) {
  return std::unexpected(Stop{exit, std::string(code), std::move(why), std::move(hint)});
}

/// How things are shown to this viewer.
struct Look {
  Language language = Language::english;
  Zone zone;
  bool colour = false;
  int columns = 0;  // tables and texts are fitted into as many; 0: as wide as they are
};

/// The flags that every command has, as typed.
struct GlobalFlags {
  std::string url, token_file, context, output, language, colour, retry;
  bool wide = false;
};

struct Command;
struct Described;

/// What a command works with: where it speaks to and how.
struct ExtraCommand;

class Context {
 public:
  explicit Context(const Surroundings& surroundings);

  const Surroundings& around;
  GlobalFlags flags;
  Look look;
  Format format = Format::table;
  Span patience{5'000};  // how long a service that fell silent is tried again
  bool patience_asked = false;
  const std::vector<ExtraCommand>* extras = nullptr;  // subcommands that live elsewhere
  Described* describe = nullptr;  // if set, a command says what it takes and does nothing

  /// Takes in `flags` once they are parsed. Errors: a value that none of them has.
  Outcome<void> settle();

  template <class... Args>
  std::string say(Phrase phrase, const Args&... args) const {
    return fmt::vformat(text_of(phrase, look.language), fmt::make_format_args(args...));
  }
  void print(std::string_view text) const { around.out(text); }
  void print_line(std::string_view text) const;
  /// For people only: on standard error, if that is a terminal.
  void progress(std::string_view line) const;
  /// For people, wherever standard error goes.
  void note(std::string_view line) const;
};

/// ja if the first that is set of LC_ALL, LC_MESSAGES and LANG begins with it.
Language language_of(const Surroundings& around);

/// The words behind a command's name, and what follows "--".
struct Words {
  std::vector<std::string> before;
  std::vector<std::string> after;
  bool dashes = false;
  const Command* command = nullptr;  // the one that they belong to
};

}  // namespace tenbin::cli
