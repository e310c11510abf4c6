#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"

namespace tenbin::cli {

/// What a job file and the flags of `submit` say. What neither says is left to the service.
struct JobRequest {
  std::optional<std::string> project, name;
  std::optional<std::string> gpus, cpus;  // decimal, as the API takes them
  std::optional<std::int64_t> members, memory_mib, tasks;
  std::vector<std::string> models, regions;
  std::optional<Span> time_limit;

  std::vector<std::string> command;
  std::map<std::string, std::string> environment;
  std::optional<std::string> directory;
  std::optional<std::int64_t> output_cap;  // bytes
  std::optional<Span> grace;

  /// The body of POST /v1/jobs and /v1/quote; without a command it has no "run".
  std::string json() const;
};

}  // namespace tenbin::cli
