#pragma once

#include <string_view>

// The files that the program carries with it (tenbin_embed in CMakeLists.txt).

namespace tenbin {

std::string_view openapi_yaml();
std::string_view page_css();
std::string_view page_js();
std::string_view icon_svg();

}  // namespace tenbin
