#pragma once

#include <cstdint>
#include <string>

namespace tenbin::exec {

/// How long a supervisor waits for a first lease, or for one lease if that is longer, before it
/// goes.
inline constexpr std::int64_t first_lease_patience_ms = 10'000;
inline constexpr const char* open_files_variable = "TENBIN_SUPERVISOR_OPEN_FILES";

/// What `tenbin supervise DIR TOKEN` does: leaves a supervisor behind that outlives the caller,
/// runs the attempt described in DIR, and writes its end to DIR/result. Comes back in the first
/// process only: 0 when the supervisor holds DIR/lock and listens on DIR/socket, else 1 (DIR/log
/// says why). The supervisor starts nothing before the service has promised it time, and nothing at
/// all unless DIR/fence holds TOKEN.
/// Members get the soft limit on open files that the variable `open_files_variable` says.
/// Call it before there are threads. The caller ends with _exit(), so that nothing of the program
/// around it is undone twice.
int supervise(const std::string& attempt_directory, const std::string& token);

}  // namespace tenbin::exec
