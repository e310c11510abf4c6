#pragma once

#include "core/world.h"

// What the commands that start, stop and end attempts share.

namespace tenbin {

/// Adds the events of an attempt that was lost: back to the queue, or settled if it was to stop.
void lose_attempt(const World& world, JobId id, const Job& job, Instant ended, Instant now,
                  Facts& facts);

/// How a job ends.
struct Ending {
  JobState state = JobState::completed;
  Why why = Why::ended;
  std::int32_t code = 0;
  Instant ended;
  Credits charged;
};

/// Adds the events that settle `job`: what it is charged, what goes back, what has expired
/// meanwhile.
void settle(const World& world, JobId id, const Job& job, const Ending& ending, Facts& facts);

/// Adds the events that cancel all tasks of an array that never started, if there are any; returns
/// how many.
std::uint64_t cancel_unstarted(const World& world, JobId array, Why why, Instant now, Facts& facts);

}  // namespace tenbin
