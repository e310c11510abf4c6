#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/quantity.h"

namespace tenbin {

/// `tenbin serve`: opens the state folder, recovers, serves until TERM or INT. Gives the exit code.
int serve(const std::vector<std::string>& words);

/// `tenbin verify`: replays a state folder's journal and says whether all promises hold.
int verify_state(const std::vector<std::string>& words);

/// `tenbin backup DEST`: copies what cannot be made again, while the service runs.
int backup_state(const std::vector<std::string>& words);

/// `tenbin restore BACKUP --state DIR`: a state folder of a backup, verified before use.
int restore_state(const std::vector<std::string>& words);

// What each of them prints for --help.
std::string serve_manual();
std::string verify_manual();
std::string backup_manual();
std::string restore_manual();

/// `$TENBIN_STATE`, else the user's XDG state folder.
std::string default_state_folder();

/// The settings file that counts when `asked` is given (may be empty); empty: there is none.
std::string config_path(const std::string& asked);
/// Its text; refused if everybody may write it: it decides as whom jobs run.
Result<std::string> read_config(const std::string& path);
/// The state folder that `serve` would take without a flag: of the settings file, else the default.
std::string configured_state_folder(const std::string& config);

/// Gives the records of a state folder's journal (empty: that of the settings) to `visit`, while a
/// service may be writing it.
Result<void> read_journal(
    const std::string& state,
    const std::function<bool(std::uint64_t sequence, Instant at, std::string_view body)>& visit);

}  // namespace tenbin
