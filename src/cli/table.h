#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "codec/json.h"

namespace tenbin::cli {

/// What a column's values are, which decides how they are shown and on which side they stand.
enum class Kind : std::uint8_t { text, number, credits, money, span, instant, word, yes_no };

struct Column {
  std::string_view field;  // of the API, and the head of a CSV column
  Phrase header;
  Kind kind = Kind::text;
  int spare = 0;  // above zero: left out where there is no room, the highest first
};

/// A value as the API has it, on one line: lists with commas, money with its currency behind.
std::string raw_text(JsonValue value);

/// The same for a person.
std::string shown_text(std::string_view raw, Kind kind, const Look& look);

/// Rows and columns: for people with aligned columns, for programs as CSV with the API's own
/// values.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  bool empty() const { return rows_.empty(); }

  /// The members of `object` that the columns name.
  void add(JsonValue object);
  /// `repeats` cells at the beginning say what the row above says: people see them blank.
  void add(std::vector<std::string> raw_cells, std::size_t repeats = 0);

  /// Fitted into look.columns: the longest words are cut, then columns that can be spared are left
  /// out, and if even that does not fit, every row becomes lines of its own, "NAME  value".
  std::string text(const Look& look) const;
  /// RFC 4180 with \n as the end of a line.
  std::string csv() const;

  /// As the context's format has it, with something to say if there is no row; not for JSON.
  void print(const Context& context) const;

 private:
  std::string records(const Look& look) const;

  struct Row {
    std::vector<std::string> cells;
    std::size_t repeats = 0;
  };
  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace tenbin::cli
