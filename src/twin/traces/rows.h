#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "twin/trace.h"
#include "twin/traces/bytes.h"

// What every format is read through: one row after the other, in the file's order.

namespace tenbin::traces {

/// Names to indexes. The same text is found again without a search if it came just before.
class Interned {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;
  static constexpr std::uint32_t too_many = none - 1, too_long = none - 2, not_text = none - 3;
  /// The text's index, or one of the above: then it was not taken in.
  std::uint32_t of(std::string_view text, std::vector<std::string>& names);

 private:
  void grow(const std::vector<std::string>& names);

  std::vector<std::uint32_t> slots_;  // index + 1, open addressing
  std::uint32_t last_ = none;
};

/// The outcome of one row.
enum class Step : std::uint8_t { job, fault, end };

class Rows {
 public:
  explicit Rows(const TraceOptions& options) : options_(options) {}
  virtual ~Rows() = default;

  /// Step::fault: `fault`, `line`, `text` say what and where.
  virtual Result<Step> next(TraceJob& job) = 0;

  TraceNames names;
  TraceInfo info;
  TraceFault fault{};
  std::uint64_t line = 0;            // of the row that came last
  std::string_view text;             // what stood there
  std::optional<std::uint64_t> key;  // what may not come twice: a number, or a name's hash

 protected:
  Step wrong(TraceFault why) {
    fault = why;
    return Step::fault;
  }
  /// A user's or owner's name; empty is "-". Sets `fault` and gives false if it is none.
  bool name(std::string_view named, Interned& known, std::vector<std::string>& into,
            std::uint32_t& index);
  bool user(std::string_view named, TraceJob& job) {
    return name(named, users_, names.users, job.user);
  }
  bool owner(std::string_view named, TraceJob& job) {
    return name(named, owners_, names.owners, job.owner);
  }
  /// Where a trace knows no groups, everybody is one.
  void own_owner(TraceJob& job);
  bool model(std::string_view named, TraceJob& job);

  TraceOptions options_;

 private:
  Interned users_, owners_, models_;
};

/// Lines of text without their ends.
class Lines {
 public:
  explicit Lines(Window& window) : window_(window) {}
  /// False at the end. A line above a MiB comes out as its first KiB, with `too_long` set.
  Result<bool> next(std::string_view& line);
  std::uint64_t number = 0;
  bool too_long = false;

 private:
  Window& window_;
  std::size_t shown_ = 0;  // bytes of the line that was given out last
};

/// A hash for names, which need not be the same everywhere.
std::uint64_t hash_of_name(std::string_view text);

/// Takes what "csv", "openb", "philly-csv", "helios", "acme", "muri" have in common: a line that
/// names the columns. Nothing if the first line is none of theirs.
std::unique_ptr<Rows> table_rows(Window& window, const TraceOptions& options,
                                 std::string_view first_line);
std::unique_ptr<Rows> swf_rows(Window& window, const TraceOptions& options);
std::unique_ptr<Rows> philly_rows(Window& window, const TraceOptions& options);
std::unique_ptr<Rows> binary_rows(Window& window, const TraceOptions& options);

/// The columns of a line; quotes are understood.
void split(std::string_view line, std::vector<std::string_view>& fields, std::string& unquoted);

/// What the columns of a first line are missing to be the nearest table that is known.
std::string nearest_table(std::string_view first_line, bool japanese);

}  // namespace tenbin::traces
