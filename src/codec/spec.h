#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "codec/json.h"

namespace tenbin {

/// What a job runs: kept as one blob under its hash, so that the World and its events stay small.
struct JobSpec {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;
  std::string directory;                       // empty: one of its own
  std::int64_t output_cap = 16 * 1024 * 1024;  // bytes kept for each member and stream
  std::int64_t grace_ms = 5'000;               // between TERM and KILL

  bool operator==(const JobSpec&) const = default;
};

constexpr std::size_t spec_bytes_max = 256 * 1024;

/// The blob's bytes: one JSON object, members in a fixed order.
std::string write_spec(const JobSpec& spec);

/// Reads a spec as a client sends it or a blob holds it. Absent members take their defaults; an
/// unknown one, a wrong type, a NUL in a text, or a value out of range is an error that names it.
Result<JobSpec> read_spec(JsonValue in);
Result<JobSpec> parse_spec(std::string_view bytes);

}  // namespace tenbin
