// Any bytes are a file: parse_snapshot refuses them or gives back a snapshot that makes the same
// file again. A hash that matches cannot be guessed, so the input is also wrapped as one.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "store/snapshot_file.h"

namespace {

std::string file_of(const tenbin::Snapshot& snapshot) {
  const auto header = tenbin::snapshot_header(snapshot);
  return std::string(header.data(), header.size()) + snapshot.bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto snapshot = tenbin::parse_snapshot(input)) {
    TENBIN_ASSERT(file_of(*snapshot) == input);
  }

  const tenbin::Snapshot wrapped{.sequence = size, .chain = {}, .bytes = std::string(input)};
  std::string file = file_of(wrapped);
  const auto again = tenbin::parse_snapshot(file);
  TENBIN_ASSERT(again && again->sequence == wrapped.sequence && again->bytes == wrapped.bytes);

  if (size > 0) {  // one altered byte, wherever it is, is found
    file[data[0] * std::size_t{257} % file.size()] ^= 1;
    TENBIN_ASSERT(!tenbin::parse_snapshot(file));
  }
  return 0;
}
