// Any bytes are a legal history. They choose commands, mostly sensible ones; after each the World
// keeps its promises, and at the end its snapshot is the same World.

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "codec/snapshot.h"
#include "property/auditor.h"
#include "property/story.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tenbin;
  Dice dice(std::span{data, size});
  Story story(dice);
  World world;
  Auditor auditor;
  Facts facts;
  Instant now{1'700'000'000'000};
  for (int step = 0; step < 400 && (step < 60 || !dice.used_up()); ++step) {
    now = now + story.pause();
    const Asked asked = story.next(world, now);
    facts.clear();
    static_cast<void>(apply(world, asked, now, facts));
    TENBIN_ASSERT(sound(world));
    auditor.hear(asked, now, facts.events());
    auditor.compare(world);
    TENBIN_ASSERT(auditor.complaint().empty());
  }
  const std::string bytes = encode(world);
  const Result<World> copy = decode_world(bytes);
  TENBIN_ASSERT(copy && sound(*copy) && encode(*copy) == bytes);
  return 0;
}
