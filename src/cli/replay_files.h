#pragma once

#include <optional>
#include <string>

#include "cli/cli.h"
#include "cli/context.h"
#include "twin/replay.h"

// What `replay` reads beside traces, and how it writes files.

namespace tenbin::cli {

/// A fleet: "64x8" (64 nodes of 8 GPUs), openb's node list (.csv, .csv.gz), or a TOML file of
/// declarations as `apply` takes it (provider, region, pool, node, price; the rest is passed over).
/// A pool without a price costs a credit for a GPU hour. `policy` is what the file says of it.
struct FleetFile {
  ReplayFleet fleet;
  std::optional<Policy> policy;
};
Outcome<FleetFile> read_fleet(const Context& context, const std::string& text);

/// fifo, sjf, easy, cons, consz; else a TOML file with order, backfill, placement and what they
/// take (docs/twin.md).
struct GivenPolicy {
  std::string name;
  Policy policy;
};
Outcome<GivenPolicy> read_policy(const Context& context, const std::string& text);
Outcome<GivenPolicy> parse_policy(const Context& context, std::string_view text,
                                  const std::string& path);

/// How `replay` reads journals: set once, by the program that knows where they lie.
void use_journals(JournalReader reader);
const JournalReader& journals();

/// What the numbers in a replay's outcomes mean.
struct ReplayNames {
  std::vector<std::string> users, owners, pools;  // pools by id - 1
};

/// A value as CSV has it, in quotes if it needs them.
std::string csv_text(std::string_view value);

/// A file that appears whole or not at all: written under another name first. What is there and no
/// plain file (a pipe, /dev/stdout) is written to directly.
class WholeFile {
 public:
  explicit WholeFile(std::string path) : path_(std::move(path)) {}
  ~WholeFile();
  WholeFile(const WholeFile&) = delete;

  Outcome<void> open(const Context& context);
  void add(std::string_view bytes);
  /// What was added is there now. Errors: of all that was done since `open`.
  Outcome<void> keep(const Context& context);

 private:
  void write();

  std::string path_, name_, bytes_;
  int file_ = -1, error_ = 0;
  bool plain_ = true;
};

}  // namespace tenbin::cli
