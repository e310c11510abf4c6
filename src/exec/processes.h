#pragma once

// What runs on this machine, and how to make sure that something no longer does.

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tenbin::exec {

std::int64_t boot_ms();  // CLOCK_BOOTTIME: never steps, counts while the machine sleeps
std::int64_t wall_ms();  // UTC

/// One process. Its id may be used again, its id and start together are not.
struct Process {
  pid_t id = 0;
  pid_t parent = 0;
  std::uint64_t start = 0;
  bool zombie = false;
};

/// Children of `root`, their children and so on, without `root`. Cost: one look at all processes.
std::vector<Process> descendants(pid_t root);

/// Sends `signal` if that very process is still there.
void send_signal(const Process& process, int signal);

/// Kills every descendant of the caller and comes back when none is left. The caller must be a
/// child subreaper, so that nothing escapes by forking twice; all are stopped before any is killed,
/// so that nothing escapes by forking fast. The caller must have one thread. Their exit statuses
/// are thrown away. Cost: a few looks at all processes; a process in an uninterruptible wait is
/// waited for.
void end_descendants();

/// Processes whose environment at exec held all of `variables` ("NAME=value").
std::vector<Process> processes_with(const std::vector<std::string>& variables);

}  // namespace tenbin::exec
