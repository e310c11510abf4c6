#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "twin/trace.h"

// Tenbin's own trace format, docs/formats/trace.md: a head, blocks of jobs column by column, an
// end.

namespace tenbin::traces {

constexpr std::string_view binary_magic = "TENBINTR";
constexpr std::uint32_t binary_version = 1;
constexpr std::size_t head_bytes = 40, block_head_bytes = 16;
constexpr std::uint32_t block_rows = 16'384;
constexpr std::size_t block_bytes_max = 64 << 20;

/// The columns of a block, in their order.
enum class BinaryColumn : std::uint8_t {
  id,
  submit,
  runtime,
  slack,
  gpus,
  members,
  cpus,
  memory,
  user,
  owner,
  models,
  kinds
};
constexpr std::size_t binary_columns = 12;
std::uint64_t column_of(const TraceJob& job, BinaryColumn column);

/// A block's digest: of its number of rows and its bytes.
std::uint64_t digest_of_block(std::uint32_t rows, std::string_view bytes);

std::string binary_head(const TraceInfo& info);

/// Puts jobs into blocks.
class BinaryBlocks {
 public:
  /// Appends to `out` when a block is full.
  void add(const TraceJob& job, const TraceNames& names, std::string& out);
  void finish(const TraceNames& names, std::string& out);

 private:
  void block(const TraceNames& names, std::string& out);

  std::vector<TraceJob> jobs_;
  std::array<std::size_t, 3> named_{};  // users, owners, models that are written already
  std::uint64_t count_ = 0;
};

}  // namespace tenbin::traces
