#pragma once

#include "core/world.h"

// The tasks of arrays. An array of a million is one row: the row of a job stands for `more` tasks
// after it as well, all of which hold the same. When the first of them starts, or is to be told
// apart for another reason, the others get a row of their own right behind it.

namespace tenbin {

/// The array of that id, live or over lately, or null.
const JobArray* find_array(const World& world, JobId array);
/// The array that has this id among its tasks, and its id, or null.
const JobArray* array_of_task(const World& world, JobId task, JobId& array);
/// The row that stands for a job or task that is not over, or none. Cost: a look-up, for a task
/// that has not started a search among its array's rows.
JobId row_of(const World& world, JobId job);
/// The project of a job, task or array that is not over (arrays: or was lately), or none.
ProjectId project_of(const World& world, JobId job);

/// What all tasks for which `job` stands hold together.
Credits held_by(const Job& job);
/// What an array holds now.
Credits held_by(const World& world, const JobArray& array);

/// Where an array as a whole is: what its tasks that live are doing, or how it ended.
JobState state_of(const World& world, const JobArray& array);

/// Counts one task of `array` that ended in `state`.
void count_end(JobArray& array, JobState state);

// ---- for evolve ----

/// The tasks from `at` on, for which the row `row` has stood so far, get a row of their own.
void part(World& world, JobId row, JobId at);
/// A task of `array` is over, and its row is gone.
void leave_array(World& world, JobId array, JobId row, Instant at);
/// How `job` ended is remembered, and told to what comes after it.
void remember_end(World& world, JobId job, ProjectId project, bool ok, Instant at);

}  // namespace tenbin
