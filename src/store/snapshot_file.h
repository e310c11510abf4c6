#pragma once

// Snapshots as files: `<folder>/<sequence in 20 digits>.snapshot`. docs/formats/journal.md has the
// bytes.

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/log.h"
#include "live/ports.h"

namespace tenbin {

/// Magic, sequence, chain, length and the hash over all of those and the bytes.
constexpr std::size_t snapshot_header_bytes = 8 + 8 + 32 + 8 + 32;

std::array<char, snapshot_header_bytes> snapshot_header(const Snapshot& snapshot);

/// The snapshot in a whole file. Errors: anything short, long, foreign or altered; never trusts the
/// length it finds. Cost: one pass for the hash and one copy. Pure.
Result<Snapshot> parse_snapshot(std::string_view file);

/// Writes the file durably and drops all but the newest two. One caller at a time.
Result<void> save_snapshot_file(const std::string& folder, const Snapshot& snapshot);

/// The newest whole one, or none. Tells `log` which ones it passed over, and why.
Result<std::optional<Snapshot>> newest_snapshot_file(const std::string& folder,
                                                     const Log& log = {});

/// Removes what a crash left half written.
Result<void> sweep_snapshot_drafts(const std::string& folder);

}  // namespace tenbin
