#pragma once

#include <string_view>

// The files of src/api/page, as the program carries them (tenbin_embed in cmake/tenbin.cmake).

namespace tenbin::embedded {

extern const std::string_view page_css, page_js, icon_svg;

}  // namespace tenbin::embedded
