// Any bytes may be said to be a World: they are an error, or the only bytes for what they decode
// to. Bytes that mean something are hard to guess, so the input also tells a story whose snapshot
// is then altered in a few places.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "codec/snapshot.h"
#include "property/story.h"

namespace {

using namespace tenbin;

void decode(std::string_view bytes) {
  const Result<World> world = decode_world(bytes);
  if (world) TENBIN_ASSERT(encode(*world) == bytes);
}

std::string told(std::span<const std::uint8_t> bytes) {
  Dice dice(bytes);
  Story story(dice);
  World world;
  Facts facts;
  Instant now{1'700'000'000'000};
  for (int step = 0; step < 150 && (step < 60 || !dice.used_up()); ++step) {
    now = now + story.pause();
    facts.clear();
    static_cast<void>(apply(world, story.next(world, now), now, facts));
  }
  return encode(world);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  decode({reinterpret_cast<const char*>(data), size});

  constexpr std::size_t changes = 4, each = 3;
  if (size < changes * each) return 0;
  std::string bytes = told(std::span{data, size}.subspan(changes * each));
  for (std::size_t i = 0; i < changes; ++i) {
    const std::uint8_t* change = data + i * each;
    bytes[(change[0] * std::size_t{256} + change[1]) % bytes.size()] = static_cast<char>(change[2]);
    decode(bytes);
  }
  bytes.resize(bytes.size() - std::min<std::size_t>(data[0], bytes.size()));
  decode(bytes);
  return 0;
}
