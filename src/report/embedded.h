#pragma once

#include <string_view>

// Files that the program carries with it.

namespace tenbin {

std::string_view replay_css();
std::string_view replay_js();

}  // namespace tenbin
