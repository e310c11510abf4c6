#pragma once

#include <span>
#include <string_view>
#include <utility>

// The chat page's files, as the program carries them. They are the same for everybody: what a key
// may see is asked for by the page's script.

namespace tenbin::gateway {

struct PageFile {
  std::string_view path;  // "/chat"
  std::string_view type;
  std::string_view bytes;
};

/// nullptr if the page has no such file. "/chat/" is "/chat".
const PageFile* page_file(std::string_view path);

/// To be sent with each of them: what keeps a browser from running, framing, keeping or asking for
/// anything that is not ours.
std::span<const std::pair<std::string_view, std::string_view>> page_headers();

}  // namespace tenbin::gateway
