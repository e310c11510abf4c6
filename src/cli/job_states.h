#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/service.h"
#include "cli/table.h"

// Waiting for jobs, and what their ends mean to a shell.

namespace tenbin::cli {

/// Every state that a job can be in, as the API says it.
std::span<const std::string_view> job_states();

/// Whether a job in this state has ended for good.
bool is_over(std::string_view state);

/// 0 for completed; the job's own for failed (1 if it has none that a process could end with); 124
/// at its time limit; 130 if cancelled; 8 if it is not over.
int exit_of_job(JsonValue job);

std::vector<Column> job_columns();

/// Whole numbers only. Errors: usage.
Outcome<std::vector<std::string>> job_ids(const Context& context,
                                          const std::vector<std::string>& words,
                                          std::string_view name);

/// Waits until all are over, or, if it is more than zero, for `patience`; prints them and gives the
/// exit code: that of the only job, or 0 if all completed, 8 if one is not over, else 1.
enum class Show : std::uint8_t { jobs, nothing };
Outcome<int> wait_for_jobs(Context& context, Service& service, const std::vector<std::string>& ids,
                           Span patience, Show show);

}  // namespace tenbin::cli
