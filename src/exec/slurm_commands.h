#pragma once

// Stand-ins for the two Slurm commands that batch scripts call, found first in a script's PATH.

#include <string>

#include "base/error.h"

namespace tenbin::exec {

/// The folder of the stand-ins for jobs whose folders lie in `work_directory`.
std::string slurm_commands_in(const std::string& work_directory);

/// Writes them; what is there is replaced. Everybody may run them.
Result<void> write_slurm_commands(const std::string& work_directory);

}  // namespace tenbin::exec
