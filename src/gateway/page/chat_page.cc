#include "gateway/page/chat_page.h"

#include <array>

namespace tenbin {

// Made by tenbin_embed (CMakeLists.txt).
std::string_view chat_html();
std::string_view chat_css();
std::string_view chat_js();
std::string_view chat_icon();

namespace gateway {

const PageFile* page_file(std::string_view path) {
  static const std::array<PageFile, 4> files{{
      {"/chat", "text/html; charset=utf-8", chat_html()},
      {"/chat/chat.css", "text/css; charset=utf-8", chat_css()},
      {"/chat/chat.js", "text/javascript; charset=utf-8", chat_js()},
      {"/chat/icon.svg", "image/svg+xml", chat_icon()},
  }};
  if (path == "/chat/") path = "/chat";
  for (const PageFile& file : files) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

std::span<const std::pair<std::string_view, std::string_view>> page_headers() {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> headers{{
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
       "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cache-Control", "no-cache"},
  }};
  return headers;
}

}  // namespace gateway
}  // namespace tenbin
