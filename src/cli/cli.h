#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/surroundings.h"

namespace tenbin::cli {

/// A subcommand that lives elsewhere: listed in the help and called with the words behind its name.
struct ExtraCommand {
  std::string_view name;
  std::string_view help_en, help_ja;  // one line each
  std::function<int(const std::vector<std::string>& words)> run;
  std::function<std::string()> manual = {};  // what its --help prints; empty: it has no page
};

/// The `tenbin` command: everything that talks to a service through its REST API, and the help.
/// Gives the exit code; `tenbin help exit-codes` is their table.
int run_cli(int argc, char** argv, const std::vector<ExtraCommand>& extra = {},
            const JournalReader& journal = {});

/// The same for a test; `words` are without the program's name.
int run_cli(const Surroundings& around, const std::vector<std::string>& words,
            const std::vector<ExtraCommand>& extra = {});

}  // namespace tenbin::cli
