#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace tenbin {

/// The indexes of an array's tasks as Slurm writes them: "1,3,5-9:2". Held as ranges, so that an
/// array of a million tasks is a few bytes.
class IndexList {
 public:
  static constexpr std::uint32_t index_max = 100'000'000;
  static constexpr std::uint64_t count_max = 1'000'000;
  static constexpr std::size_t bytes_max = 64 * 1024;

  /// Reads a list in ascending order without repeats. Errors: says what is wrong with it.
  static Result<IndexList> parse(std::string_view text);
  /// Reads a list in any order, where one index may come again; it counts once. Cost: the number of
  /// tasks, sorted.
  static Result<IndexList> parse_any_order(std::string_view text);

  std::uint64_t count() const { return count_; }
  /// The index of the k-th task, counted from 0. Cost: the number of ranges.
  std::uint32_t at(std::uint64_t k) const;
  std::uint32_t least() const { return ranges_.front().first; }
  std::uint32_t most() const { return ranges_.back().last; }
  /// The step of all of it if it is one range, else 1.
  std::uint32_t step() const { return ranges_.size() == 1 ? ranges_.front().step : 1; }
  /// What parse() reads.
  std::string text() const;

 private:
  struct Range {
    std::uint32_t first = 0, last = 0, step = 1;  // `last` is one of them
    std::uint64_t count() const { return (last - first) / step + 1; }
  };
  static Result<std::vector<Range>> ranges_of(std::string_view text);

  std::vector<Range> ranges_;
  std::uint64_t count_ = 0;
};

}  // namespace tenbin
