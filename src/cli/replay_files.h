#pragma once

#include <optional>
#include <string>

#include "cli/context.h"
#include "cli/files.h"
#include "twin/replay.h"

// What `replay` reads beside traces, and how it writes files.

namespace tenbin::cli {

/// A fleet: "64x8" (64 nodes of 8 GPUs), openb's node list (.csv, .csv.gz, .csv.zst), or a TOML
/// file of declarations as `apply` takes it (provider, region, pool, node, price; the rest is
/// passed over). A pool without a price costs a credit for a GPU hour. `policy` is what the file
/// says of it.
struct FleetFile {
  ReplayFleet fleet;
  std::optional<Policy> policy;
};
Outcome<FleetFile> read_fleet(const Context& context, const std::string& text);

/// One of named_policies(); else a file (docs/twin.md).
Outcome<GivenPolicy> read_policy(const Context& context, const std::string& text);

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
