#pragma once

#include <string>
#include <vector>

namespace tenbin {

/// `tenbin serve`: opens the state folder, recovers, serves until TERM or INT. Gives the exit code.
int serve(const std::vector<std::string>& words);

/// `tenbin verify`: replays a state folder's journal and says whether all promises hold.
int verify_state(const std::vector<std::string>& words);

/// `tenbin backup DEST`: copies what cannot be made again, while the service runs.
int backup_state(const std::vector<std::string>& words);

/// `tenbin restore BACKUP --state DIR`: a state folder of a backup, verified before use.
int restore_state(const std::vector<std::string>& words);

/// `$TENBIN_STATE`, else the user's XDG state folder.
std::string default_state_folder();

}  // namespace tenbin
