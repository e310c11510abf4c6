#pragma once

// Backups of a state folder, taken while the service runs, and what is made of one again.
// docs/formats/backup.md has the files.

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/hash.h"
#include "base/quantity.h"
#include "live/verify.h"

namespace tenbin::operate {

struct BackupSettings {
  std::string state;
  std::string to;                      // must not exist
  std::string config_file;             // the service's settings; empty: there are none
  bool outputs = false;                // also what jobs wrote
  bool token = false;                  // also the first officer's token, a secret
  std::uint64_t bytes_per_second = 0;  // 0: unlimited
};

struct Backup {
  std::uint64_t sequence = 0;  // of the last record in it
  Hash chain;                  // that record's hash: keep it somewhere else
  std::uint64_t files = 0, bytes = 0;
};

using Progress = std::function<void(std::uint64_t done, std::uint64_t of)>;

/// Copies the journal as it was at one instant, with the settings and what else cannot be made
/// again, into a new folder that appears under its name only when it is whole and synced. The chain
/// of the copy has been checked. May run beside the service; takes no lock that the service waits
/// for. Errors: in words, and the unfinished folder is removed.
Result<Backup> back_up(const BackupSettings& settings, const Progress& progress = {});

struct Restored {
  Verification found;               // what the backup's journal came to
  std::uint64_t sequence = 0;       // of the backup's last record
  Instant at;                       // when that was decided
  std::string made;                 // when the backup was made, as its manifest says
  std::uint64_t attempts_lost = 0;  // ran when the backup was made
  std::uint64_t epoch = 0;          // of the restored journal
  bool has_token = false, has_settings = false, has_outputs = false;
};

/// Makes a state folder of a backup: every file is compared with the manifest, the journal is
/// verified from its first record to the manifest's last, and only then does `state` appear; it
/// must not exist, or be empty.
///
/// The new journal ends with records of its own: every attempt that ran is lost, so its job waits
/// again and its next run is another attempt; and a new epoch is open. So nothing that still runs
/// on the old machine is taken for ours, nor takes us for its service.
Result<Restored> restore(const std::string& backup, const std::string& state,
                         const Progress& progress = {});

}  // namespace tenbin::operate
