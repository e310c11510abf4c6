#pragma once

// Files below a job's working directory that get its output. The job may have put anything there
// before, so they are opened with its rights and nothing that leads away is followed.

#include <optional>
#include <string>
#include <vector>

#include "exec/files.h"
#include "exec/member.h"

namespace tenbin::exec {

/// Opens `paths`, relative to `home`, for writing at their end, and makes folders on the way that
/// are not there. All of it is done by a process that is `as` for good, so it can do no more than
/// the job itself. Without `append` what they hold is thrown away.
///
/// Errors: names the path. A symbolic link anywhere below `home`, "..", an absolute path, a file
/// that is not a plain one, belongs to somebody else or has a second name (a hard link) is refused,
/// and is not changed. The caller must have one thread.
Result<std::vector<Fd>> open_outputs(const std::optional<Account>& as, const std::string& home,
                                     const std::vector<std::string>& paths, bool append);

}  // namespace tenbin::exec
