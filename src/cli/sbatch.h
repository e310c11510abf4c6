#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/job_request.h"

// Batch scripts as people have them for Slurm: what sbatch would understand of them, and what of it
// Tenbin honours. Nothing is passed over: what is not honoured is a Notice.

namespace tenbin::cli {

/// Something to say about a script. `fatal`: what runs would not be what the script asks for.
struct Notice {
  bool fatal = false;
  std::string option;  // long name; empty if it is about none
  std::string place;   // "train.sbatch:4", "SBATCH_TIMELIMIT", "--sbatch"
  std::string text;    // in the viewer's language
};

/// One option with its value, and where it was given.
struct Directive {
  std::string value;
  std::string place;
};

/// The options of sbatch by their long names. A later one replaces an earlier one.
struct SbatchOptions {
  std::map<std::string, Directive> given;
  std::vector<Notice> notices;
};

/// Takes in the lines `#SBATCH ...` of a script, up to its first command: quotes, escapes,
/// comments, short and long forms and unique beginnings of names as sbatch takes them.
void read_sbatch_script(const Context& context, std::string_view text, const std::string& path,
                        SbatchOptions& options);
/// Takes in what the environment says (SBATCH_TIMELIMIT ...).
void read_sbatch_environment(const Context& context, SbatchOptions& options);
/// Takes in words as sbatch's command line would.
void read_sbatch_words(const Context& context, const std::vector<std::string>& words,
                       const std::string& place, SbatchOptions& options);

/// Does without the option `name`. False if it is not given or is one that cannot be left out.
bool ignore_option(SbatchOptions& options, std::string_view name);

/// What a site's names for things are here: a TOML file of the tables [account], [partition.NAME],
/// [constraint.NAME], [gpu_type.NAME] and [qos] (docs/job-files.md).
struct SlurmNames {
  struct Where {
    std::vector<std::string> regions, models;
  };
  std::map<std::string, std::string> accounts;
  std::map<std::string, Where> partitions, constraints, gpu_types;
  std::map<std::string, bool> qos;
};
Outcome<SlurmNames> parse_slurm_names(const Context& context, std::string_view text,
                                      const std::string& path);

/// Regions, pools and models that the service has, by which names that no file maps are understood.
struct FleetNames {
  struct Pool {
    std::string name, region, model;
  };
  std::vector<Pool> pools;
};

/// Whether understanding these options needs the fleet's names.
bool asks_for_fleet(const SbatchOptions& options);

/// What the options ask for, as a request without its command. What is wrong or not honoured is
/// added to `options.notices`.
JobRequest request_of(const Context& context, SbatchOptions& options, const SlurmNames& names,
                      const FleetNames& fleet);

/// Slurm's forms of a length of time: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S. Nothing for what is none,
/// and for no time at all.
std::optional<Span> parse_slurm_time(std::string_view text);

}  // namespace tenbin::cli
