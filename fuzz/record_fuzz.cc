// Any bytes may lie in a journal: they are an error, or a record that says the same when it is
// written and read again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "codec/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tenbin;
  JsonDocument document;
  Facts facts, again_facts;
  const auto record = read_record(document, {reinterpret_cast<const char*>(data), size}, facts);
  if (!record) return 0;

  std::string text, again_text;
  write_record(text, record->asked, facts.events());
  const auto again = read_record(document, text, again_facts);
  TENBIN_ASSERT(again && again->rules == rules_version);
  write_record(again_text, again->asked, again_facts.events());
  TENBIN_ASSERT(again_text == text);
  return 0;
}
