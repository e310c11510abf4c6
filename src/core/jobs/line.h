#pragma once

#include "core/world.h"

// Who waits where: in the queue, for other jobs to end, or for the owner. What may be started is in
// a lane of the queue; everything else that waits is not, and costs scheduling nothing.

namespace tenbin {

/// Puts a job into the queue, at its place by id.
void enqueue(World& world, JobId id, const Job& job);
/// Takes a queued job out.
void dequeue(World& world, JobId id, const Job& job);

/// What a job that does not run is waiting for.
JobState waiting_state(const World& world, const Job& job);
/// A job that waits from now on takes its place.
void line_up(World& world, JobId id, Job& job);
/// Something changed for a job that waits: it moves to where it belongs now.
void review(World& world, JobId id, Job& job);
/// A job that waits does so no longer: it is taken from wherever it is known as waiting.
void step_out(World& world, JobId id, Job& job);
/// The same for all that wait of an array, when a place among those that run came free or went.
void review(World& world, const JobArray& array);

/// Has `job` told when what it comes after has ended.
void await(World& world, JobId id, const Job& job);
/// `ended` is over: those that come after it may wait for less, or must be cancelled.
void resolve(World& world, JobId ended, bool ok);

/// The promise that a job holds is given back.
void drop_promise(World& world, JobId id, Job& job);

}  // namespace tenbin
