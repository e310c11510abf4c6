#pragma once

#include "core/world.h"
#include "live/ports.h"

// From the World's words to the ports': what an executor needs to know of an attempt, and what the
// history keeps of a job.

namespace tenbin {

EndKind to_end_kind(Outcome outcome);

/// Identity, places and times of a running attempt; what it runs comes from its spec.
AttemptSpec attempt_of(const World& world, JobId id, const Job& job);

/// Rows for an event about to be recorded in `world`.
SettledJob settled_row(const World& world, const JobSettled& event);
ChargeRow charge_row(const World& world, JobId job, const Leg& leg, std::uint64_t sequence,
                     Instant at);

/// Which job an event is about, and which project that job belongs to as long as it is in `world`;
/// none if it is about no job, or one that is not there.
JobId job_of(const Event& event);
ProjectId project_of(const World& world, const Event& event);

/// "2 x 1 GPU", "0.25 GPU", "12 GPU": the same in both languages.
std::string shape_text(const Shape& shape);

}  // namespace tenbin
