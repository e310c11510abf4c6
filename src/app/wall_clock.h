#pragma once

#include <atomic>

#include "base/log.h"
#include "live/ports.h"

namespace tenbin {

/// The wall clock, guarded: a clock that is set far ahead while we run would expire every lot for
/// good, so such a step is not believed. Time then goes on at the pace of a clock that does not
/// step, until the wall clock is near again. A step back is passed on; the driver never lets
/// ledger time go back.
class WallClock final : public Clock {
 public:
  explicit WallClock(Log log) : log_(std::move(log)) {}
  Instant now() override;

  static constexpr Span far_ahead{7LL * 86'400'000};

 private:
  Log log_;
  std::atomic<std::int64_t> offset_ms_{INT64_MIN};  // wall less steady, as believed
  std::atomic<bool> doubted_{false};
};

}  // namespace tenbin
