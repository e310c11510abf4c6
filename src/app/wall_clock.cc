#include "app/wall_clock.h"

#include <time.h>

namespace tenbin {

namespace {

std::int64_t clock_ms(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return t.tv_sec * 1'000 + t.tv_nsec / 1'000'000;
}

}  // namespace

Instant WallClock::now() {
  // CLOCK_BOOTTIME goes on while the machine sleeps, so waking up is no step.
  const std::int64_t steady = clock_ms(CLOCK_BOOTTIME);
  const std::int64_t wall = clock_ms(CLOCK_REALTIME);
  const std::int64_t believed = offset_ms_.load(std::memory_order_relaxed);
  if (believed == INT64_MIN || wall - steady - believed <= far_ahead.count) {
    offset_ms_.store(wall - steady, std::memory_order_relaxed);
    if (doubted_.exchange(false))
      log_(LogLevel::warning, "clock_believed", "the wall clock is near again and is followed");
    return Instant{wall};
  }
  if (!doubted_.exchange(true)) {
    log_(LogLevel::error, "clock_far_ahead",
         "the wall clock was set more than 7 days ahead while the service ran and is not believed; "
         "mend the clock, or start again with --accept-clock if it is right",
         {{"by_ms", wall - steady - believed}});
  }
  return Instant{steady + believed};
}

}  // namespace tenbin
