#pragma once

#include <functional>

#include "core/world.h"
#include "live/ports.h"

namespace tenbin {

/// What `tenbin verify` found out.
struct Verification {
  std::uint64_t records = 0;
  std::uint64_t events = 0;
  std::uint64_t redecided = 0;  // records of this binary's rules, decided again with equal events
  std::uint64_t history = 0;    // digest of all events
  Credits promised, in_lots, unallocated, free, held, spent, expired;
  std::uint64_t live_jobs = 0;
  Hash chain;  // of the last record
};

/// Replays a journal from its first record: the chain of hashes is whole, every record can be read,
/// what was decided would be decided again, the World is sound on the way and at the end, and
/// credits add up. Errors: the first record at which something is not so, and what. Cost: about 10
/// us a record. `end`, if given, is the World as it is after the last record.
Result<Verification> verify(Journal& journal,
                            const std::function<void(std::uint64_t)>& progress = {},
                            World* end = nullptr);

}  // namespace tenbin
