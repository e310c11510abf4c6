#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"

namespace tenbin::cli {

/// What a job waits for. `when`: "ok", "any", "not_ok".
struct AfterJob {
  std::int64_t job = 0;
  std::string when;
};

/// What a script, a job file and the flags of `submit` say, whichever of them said it. What none
/// says is left to the service.
struct JobRequest {
  std::optional<std::string> project, name;
  std::optional<std::string> gpus, cpus;  // decimal, as the API takes them
  std::optional<std::int64_t> members, memory_mib, tasks, tasks_at_once, retries;
  std::vector<std::string> models, regions;
  std::optional<Span> time_limit;
  std::vector<AfterJob> after;
  std::optional<bool> hold;
  std::map<std::string, std::string> labels;

  std::vector<std::string> command;  // with a script, its arguments
  std::optional<std::string> script;
  std::map<std::string, std::string> environment;
  std::optional<std::string> directory;  // absolute; none: one of its own
  std::optional<std::string> submit_directory;
  std::optional<std::int64_t> output_cap;  // bytes
  std::optional<Span> grace;
  std::optional<std::string> output, error;  // patterns of files below the working directory
  std::optional<bool> append, requeue;
  std::optional<std::int64_t> tasks_per_member;
  std::optional<std::string> array;              // indexes, ascending
  std::optional<std::string> signal, signal_to;  // "USR1"; all, shell, steps
  std::optional<Span> signal_before;

  bool runs_something() const { return !command.empty() || script; }

  /// The body of POST /v1/jobs and /v1/quote; without anything to run it has no "run".
  std::string json() const;
};

}  // namespace tenbin::cli
