// Any bytes may be said to be JSON: they are an error, or a value that is the same when it is
// written and parsed again. Any bytes may stand in a text that is written: it can always be parsed
// again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "base/utf8.h"
#include "codec/json.h"

namespace {

using namespace tenbin;

void copy(JsonWriter& out, JsonValue value) {
  if (value.is_object()) {
    out.begin_object();
    value.each_member([&](std::string_view key, JsonValue member) {
      out.key(key);
      copy(out, member);
      return true;
    });
    out.end_object();
  } else if (value.is_array()) {
    out.begin_array();
    value.each_item([&](JsonValue item) {
      copy(out, item);
      return true;
    });
    out.end_array();
  } else if (const auto text = value.text()) {
    out.value(*text);
  } else if (const auto number = value.integer()) {
    out.value(*number);
  } else if (const auto large = value.unsigned_integer()) {
    out.value(*large);
  } else if (const auto b = value.boolean()) {
    out.value(*b);
  } else {
    TENBIN_ASSERT(value.is_null() || value.number());
    out.null();
  }
}

std::string copied(JsonValue value) {
  std::string text;
  JsonWriter out(text);
  copy(out, value);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  JsonDocument document;
  if (const auto value = document.parse(input)) {
    const std::string once = copied(*value);
    const auto again = document.parse(once);
    TENBIN_ASSERT(again && copied(*again) == once);
  }

  std::string quoted;
  JsonWriter(quoted).value(input);
  const auto text = document.parse(quoted);
  TENBIN_ASSERT(text && text->is_string());
  if (valid_utf8(input)) TENBIN_ASSERT(*text->text() == input);
  return 0;
}
