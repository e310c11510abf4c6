#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace tenbin::cli {

/// A service that one works with: where it is, and who one is there.
struct SavedContext {
  std::string name, url, token;
};

/// $XDG_CONFIG_HOME/tenbin/contexts.toml, else under ~/.config. It holds tokens, so it is written
/// with mode 0600, as a whole or not at all.
struct Contexts {
  std::string current;  // empty: none was chosen
  std::vector<SavedContext> all;

  const SavedContext* find(std::string_view name) const;
};

std::string contexts_path(const Surroundings& around);

/// No file: no contexts. Errors: unreadable or malformed, with the line. Says so if others may read
/// it.
Outcome<Contexts> read_contexts(const Context& context);
Outcome<void> write_contexts(const Context& context, const Contexts& contexts);

}  // namespace tenbin::cli
