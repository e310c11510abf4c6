// The chat page's files: all there, none of them needs what its policy forbids, both languages.
// What they do in a browser is tried by tests/page.

#include <doctest/doctest.h>

#include <string>

#include "gateway/page/chat_page.h"

namespace tenbin::gateway {
namespace {

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

TEST_CASE("chat page: its files are there and nothing else is") {
  for (const char* path :
       {"/chat", "/chat/", "/chat/chat.css", "/chat/chat.js", "/chat/icon.svg"}) {
    CAPTURE(path);
    const PageFile* file = page_file(path);
    REQUIRE(file != nullptr);
    CHECK(file->bytes.size() > 300);
  }
  for (const char* path : {"", "/", "/chat/x", "/chat/../chat", "/chat/chat.js/", "/chats"})
    CHECK(page_file(path) == nullptr);
  CHECK(page_file("/chat")->type == "text/html; charset=utf-8");
}

TEST_CASE("chat page: asks nobody else, and needs nothing that its policy forbids") {
  const std::string_view html = page_file("/chat")->bytes, js = page_file("/chat/chat.js")->bytes,
                         css = page_file("/chat/chat.css")->bytes;
  for (const std::string_view file : {html, js, css}) {
    CHECK_FALSE(has(file, "http:"));
    CHECK_FALSE(has(file, "https:"));
    CHECK_FALSE(has(file, "//cdn"));
  }
  for (const char* word : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                           "eval(", "new Function", "document.cookie"})
    CHECK_FALSE(has(js, word));
  for (const char* word : {"<style", " style=", " onclick", "<script>", "javascript:"})
    CHECK_FALSE(has(html, word));
  CHECK_FALSE(has(css, "url("));
  CHECK_FALSE(has(css, "@import"));
  // What the page loads is what is served.
  for (std::size_t at = 0; (at = html.find("\"/chat/", at)) != std::string_view::npos; ++at) {
    const std::string_view path = html.substr(at + 1, html.find('"', at + 1) - at - 1);
    CHECK_MESSAGE(page_file(path) != nullptr, std::string(path));
  }
  bool strict = false;
  for (const auto& [name, value] : page_headers()) {
    if (name != "Content-Security-Policy") continue;
    strict = value.starts_with("default-src 'none'") && !has(value, "unsafe") && !has(value, "*");
  }
  CHECK(strict);
}

TEST_CASE("chat page: every word that the page shows is there, in both languages") {
  const std::string_view html = page_file("/chat")->bytes, js = page_file("/chat/chat.js")->bytes;
  for (std::size_t at = 0; (at = html.find("data-t=\"", at)) != std::string_view::npos; ++at) {
    const std::size_t from = at + 8;
    const std::string name(html.substr(from, html.find('"', from) - from));
    CHECK_MESSAGE(has(js, "\n  " + name + ": [\""), name);
  }
  // The key never goes where it outlives the tab.
  CHECK(has(js, "sessionStorage.setItem(keyName"));
  CHECK_FALSE(has(js, "localStorage.setItem(keyName"));
}

}  // namespace
}  // namespace tenbin::gateway
