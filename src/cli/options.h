#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/context.h"

namespace tenbin::cli {

/// The flags and words of one command: declared, then parsed into the variables they were bound to.
class Options {
 public:
  /// `name` as typed, "job wait"; `usage` what follows it in the help; `about` one line, `object`
  /// what it speaks of.
  Options(std::string_view name, std::string_view usage, Phrase about,
          Phrase object = Phrase::empty);
  Options(const Command& command, std::string_view usage)
      : Options(command.name, usage, command.about, command.object) {}
  ~Options();
  Options(const Options&) = delete;

  Options& flag(std::string names, bool& to, Phrase help);
  /// `shape` is shown in the help for the value: "N", "NAME". Completion knows what to offer from
  /// it and from the flag's name: FILE, DIR, a|b|c, --project, --state ...
  Options& value(const std::string& names, std::string_view shape, std::string& to, Phrase help);
  /// May be given more than once. `there` is what its help has for {0}.
  Options& values(const std::string& names, std::string_view shape, std::vector<std::string>& to,
                  Phrase help, std::string there = {});
  /// Words without a flag, in order.
  enum class Need : std::uint8_t { optional, required };
  Options& word(std::string name, std::string& to, Need need);
  Options& words(std::string name, std::vector<std::string>& to, Need need = Need::required);

  /// Errors: usage; and Exit::ok after --help, which has been printed, and after the command was
  /// described, if that was all that was asked.
  Outcome<void> parse(Context& context, const Words& words);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tenbin::cli
