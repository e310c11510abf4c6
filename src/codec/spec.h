#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "codec/json.h"

namespace tenbin {

/// Whom a warning before the time limit is for.
enum class SignalTo : std::uint8_t {
  all,    // everything the member started, and itself
  shell,  // the member's first process only, as Slurm's "B:"
  steps,  // what srun started, as Slurm without "B:"
};

/// What a job runs: kept as one blob under its hash, so that the World and its events stay small.
struct JobSpec {
  std::vector<std::string> argv;  // with a script, its arguments
  std::map<std::string, std::string> environment;
  std::string directory;                       // empty: one of its own
  std::int64_t output_cap = 16 * 1024 * 1024;  // bytes kept for each member and stream
  std::int64_t grace_ms = 5'000;               // between TERM and KILL

  std::string script;            // run by the interpreter that its first line names
  std::string submit_directory;  // where `submit` was called; only told to the job
  // Files below the working directory that get the output as well, with %j and the like.
  std::string output, error;  // `error` empty: into `output` too
  bool append = false;        // to files that are there, instead of emptying them
  std::int64_t tasks_per_member = 1;
  std::string array;   // indexes of the tasks of an array (index_list.h); empty: 0, 1, 2 ...
  std::string signal;  // "USR1": a warning before the time limit; empty: none
  std::int64_t signal_before_ms = 60'000;
  SignalTo signal_to = SignalTo::all;
  bool requeue = true;  // a lost attempt may be followed by another

  bool operator==(const JobSpec&) const = default;
};

constexpr std::size_t spec_bytes_max = 256 * 1024;

/// The blob's bytes: one JSON object, members in a fixed order. What has its default and was not
/// always there is left out.
std::string write_spec(const JobSpec& spec);

/// Reads a spec as a client sends it or a blob holds it. Absent members take their defaults; an
/// unknown one, a wrong type, a NUL in a text, or a value out of range is an error that names it.
Result<JobSpec> read_spec(JsonValue in);
Result<JobSpec> parse_spec(std::string_view bytes);

/// The number of a signal by its name, "USR1" or "SIGUSR1"; 0 if a job may not be warned by it.
int signal_number(std::string_view name);

/// A path below a working directory, as far as its text says: relative, no "..", no empty part.
bool stays_below(std::string_view path);

}  // namespace tenbin
