#pragma once

// The warden is the supervisor's child and the members' parent. It keeps the time limit and the
// lease by its own timers, so that a supervisor that hangs cannot let the work run on.

#include <cstdint>
#include <string>

#include "exec/files.h"
#include "exec/message.h"

namespace tenbin::exec {

/// Runs the members to their end, tells it over `channel` (one packet, an encoded AttemptEnd) and
/// ends the process when the other side of the channel is closed. Renewals and stops arrive on the
/// channel; when it closes before the end, everything is killed at once. Call it in a fresh child
/// of the supervisor, inside the attempt's directory.
[[noreturn]] void keep_ward(const LaunchSpec& spec, const std::string& addresses,
                            std::int64_t until_ms, Fd channel);

}  // namespace tenbin::exec
