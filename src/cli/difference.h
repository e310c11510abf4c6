#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/files.h"
#include "cli/service.h"

// What an apply would do, found by comparing files with what the service lists.

namespace tenbin::cli {

struct Change {
  std::string field, before, after;
  bool allowed = true;
};

enum class Fate : std::uint8_t {
  created,
  changed,
  unchanged,
  refused,  // it is there already, says something else, and cannot be changed
};
std::string_view word_of(Fate fate);  // as the API says it

struct Planned {
  const Declaration* declaration = nullptr;
  Fate fate = Fate::created;
  std::vector<Change> changes;
};

/// Asks for a list of every kind that is declared.
Outcome<std::vector<Planned>> differences(Service& service,
                                          const std::vector<Declaration>& declarations);

}  // namespace tenbin::cli
