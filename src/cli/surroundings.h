#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/quantity.h"

namespace tenbin::cli {

/// All that a command touches besides files and the service, so that a test can be it.
struct Surroundings {
  std::function<std::string(const char* name)> variable;  // of the environment; empty if not set
  std::function<void(std::string_view)> out, err;         // standard output and error
  std::function<void(Span)> sleep;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
};

}  // namespace tenbin::cli
