#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"

namespace tenbin::faults {

/// One attempt as the journal tells it.
struct AttemptRow {
  std::uint32_t attempt = 0;
  Instant started, ended, stop_asked;  // 0: not told
  bool lost = false;
  Rate rate;
};

struct JobRow {
  std::uint64_t array = 0;  // 0: none
  Instant submitted;
  Span limit;
  std::vector<AttemptRow> attempts;
  bool settled = false;
  std::string state;
  std::string end_kind;  // of the report that settled it; empty if none did
  std::int32_t code = 0;
  Instant ended;
  Credits charged;
  int settlements = 0;
};

struct Ledger {
  std::map<std::uint64_t, JobRow> jobs;
  std::map<std::string, std::vector<std::uint64_t>> by_request;  // jobs by the id of their submit
};

/// Reads the journal of a state folder record by record, beside whatever service is running.
Ledger read_ledger(const std::string& state);

/// What this job must have been charged, worked out again from its times: the hour has 3,600,000
/// milliseconds, and what is left of a micro-credit is dropped.
Credits price_of(const JobRow& job);

}  // namespace tenbin::faults
