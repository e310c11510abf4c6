#pragma once

#include <string>
#include <vector>

#include "cli/help.h"

namespace tenbin::cli {

/// `tenbin complete -- WORD...`, which the shells' scripts call: prints what the last word could
/// become, one a line with a tab and an explanation behind, or the line ":files" where the shell
/// should offer files. Names of projects, jobs and the like are asked of the service, for at most a
/// second; if it does not answer there are none. Never an error: the exit code is 0.
int complete(const Context& context, const std::vector<std::string>& words, const Extras& extras);

}  // namespace tenbin::cli
