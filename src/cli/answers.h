#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/context.h"
#include "cli/service.h"
#include "cli/table.h"

// What several commands do with an answer.

namespace tenbin::cli {

/// The value of member `key` of the object `json`, as it is written there; empty if there is none.
/// `json` has been parsed, so it is known to be well formed.
std::string_view raw_member(std::string_view json, std::string_view key);

/// JSON as the service sent it, on lines of its own.
void print_json(const Context& context, std::string_view json);

/// {"items": [...]}: as a table or CSV of these columns, or in JSON the list itself, so that an
/// empty one is [].
void print_items(const Context& context, const Answer& answer, std::vector<Column> columns);

/// One object: for people the lines "name  value", for CSV one row.
void print_object(const Context& context, const Answer& answer, const std::vector<Column>& columns);

/// "/v1/projects/" + name + "/balance", encoded.
std::string path(std::string_view before, std::string_view name, std::string_view after = {});

/// Builds "?a=1&b=2" from what is not empty.
class Query {
 public:
  Query& add(std::string_view key, std::string_view value);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace tenbin::cli
