#pragma once

#include <string>

#include "cli/cli.h"
#include "cli/described.h"

namespace tenbin::cli {

using Extras = std::vector<ExtraCommand>;

/// All commands, by group.
std::string help_of_all(const Context& context, const Extras& extras);

/// The commands of one noun: `tenbin help job`.
std::string help_of_noun(const Context& context, std::string_view noun);

/// One command with its flags and examples.
std::string help_of(const Context& context, const Described& command);

/// The heads of the groups, for the help and the manual.
Phrase title_of(Group group);

}  // namespace tenbin::cli
