// Anything may stand in a settings file. What is taken can be printed, and the print says the same.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "operate/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tenbin::operate;
  Settings settings;
  static_cast<void>(
      settings.read_toml({reinterpret_cast<const char*>(data), size}, "settings.toml"));
  Settings again;
  const auto mistakes = again.read_toml(settings.print(), "printed.toml");
  TENBIN_ASSERT(mistakes.empty());
  for (const Setting& one : all_settings())
    TENBIN_ASSERT(again.text(one.name) == settings.text(one.name));
  return 0;
}
