#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/quantity.h"

namespace tenbin::cli {

/// Gives every record of the journal in a state folder to `visit`, until it returns false.
using JournalReader = std::function<Result<void>(
    const std::string& state,
    const std::function<bool(std::uint64_t sequence, Instant at, std::string_view body)>& visit)>;

/// All that a command touches besides files and the service, so that a test can be it.
struct Surroundings {
  std::function<std::string(const char* name)> variable;  // of the environment; empty if not set
  std::function<void(std::string_view)> out, err;         // standard output and error
  std::function<void(Span)> sleep;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  int out_columns = 0, out_rows = 0;    // of the terminal; 0 if there is none, and nothing is cut
  std::function<void()> flush = [] {};  // what was printed must be seen now
  std::function<bool()> stopped;        // asked by what would go on for ever; none: it does
  JournalReader journal = {};           // of whoever knows where journals lie; none: nobody does
};

}  // namespace tenbin::cli
