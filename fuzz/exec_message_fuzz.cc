// Any bytes may lie in an attempt's folder or arrive on its socket. Of what is taken, the text is
// the only one for its value: encoding it again gives the same bytes.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "exec/message.h"

namespace {

template <class Decode>
void same_again(Decode decode, std::string_view text) {
  const auto value = decode(text);
  if (value) TENBIN_ASSERT(tenbin::exec::encode(*value) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  same_again(tenbin::exec::decode_spec, text);
  same_again(tenbin::exec::decode_started, text);
  same_again(tenbin::exec::decode_end, text);
  same_again(tenbin::exec::decode_message, text);
  return 0;
}
