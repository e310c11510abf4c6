#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"

// What the commands say about themselves: from this the help, the manual pages and the completion
// of words are made, so that none of them can know a flag that another does not.

namespace tenbin::cli {

struct Described {
  struct Flag {
    std::vector<std::string> names;  // "-o", "--output"
    std::string shape;               // of its value: "NAME", "table|json|csv"; empty: takes none
    bool many = false;               // may be given more than once
    std::string help;
  };
  struct Word {
    std::string name;  // "PROJECT"
    bool required = false;
    bool many = false;
  };
  std::string name, usage, about;
  std::vector<Flag> flags;         // its own
  std::vector<Flag> global_flags;  // those of every command
  std::vector<Word> words;
};

/// Asks a command what it takes; the texts are in the language of `context`.
Described describe(const Context& context, const Command& command);

/// An example of a command: how it is typed and what it does.
struct Example {
  std::string_view command;  // "job wait"
  std::string_view line;     // without the `tenbin` in front
  std::string_view english, japanese;
};
std::span<const Example> examples();

/// Longer texts for `tenbin help TOPIC` and the manual.
struct Topic {
  std::string_view name;  // "start"
  Phrase about;
  std::string (*text)(const Context& context);
};
std::span<const Topic> topics();

}  // namespace tenbin::cli
