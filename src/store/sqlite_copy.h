#pragma once

// A consistent copy of an SQLite database that another process keeps writing.

#include <cstdint>
#include <functional>
#include <string>

#include "base/error.h"
#include "base/quantity.h"

namespace tenbin {

struct CopyPace {
  /// Bytes a second at most; 0: as fast as it goes. A copy reads and writes beside a service that
  /// syncs its journal on the same disk, so it should leave that disk most of its time.
  std::uint64_t bytes_per_second = 0;
};

/// Copies `from` to `to`, which must not exist and is synced when this returns. What was committed
/// when it began is in the copy, and nothing of what came later: one read transaction is held all
/// the while, so the source's write-ahead log grows by what is written meanwhile. The source is
/// opened for reading only. `progress(done, pages)` may be empty.
/// Errors: either file cannot be read or written; what was written of `to` is left there.
Result<void> copy_database(const std::string& from, const std::string& to, CopyPace pace,
                           const std::function<void(std::uint64_t, std::uint64_t)>& progress = {});

}  // namespace tenbin
