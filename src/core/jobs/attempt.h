#pragma once

#include "core/world.h"

// What the commands that start, stop and end attempts share.

namespace tenbin {

/// Adds the events of an attempt that was lost: back to the queue, or settled if it was to stop.
void lose_attempt(const World& world, JobId id, const Job& job, Instant ended, Instant now,
                  Facts& facts);

/// Adds the events that settle `job`: what it is charged, what goes back, what has expired
/// meanwhile.
void settle(const World& world, JobId id, const Job& job, JobState state, std::int32_t code,
            Instant ended, Credits charged, Facts& facts);

/// Puts a job into the queue, at its place by id.
void enqueue(World& world, JobId id, const Job& job);
/// Takes a queued job out.
void dequeue(World& world, JobId id, const Job& job);

}  // namespace tenbin
