#pragma once

#include <cstdint>
#include <functional>
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

/// Builds "?a=1&b=2" from what is not empty.
class Query {
 public:
  Query& add(std::string_view key, std::string_view value);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// The items of a list's raw JSON, as they are written there.
std::vector<std::string_view> raw_items(std::string_view array);

/// Which part of a list is wanted; `limit` 0 is all of it.
struct Part {
  std::int64_t limit = 0;
};

/// --limit N and --all of every list, read. Errors: usage.
Outcome<Part> part_of(const Context& context, std::string_view name, const std::string& limit,
                      bool all, std::int64_t otherwise);

/// Asks for a list page by page until it ends or `part` is full; visit(item, raw) for every item.
/// Gives whether there is more.
Outcome<bool> each_item(Service& service, std::string_view target, Query query, Part part,
                        const std::function<void(JsonValue, std::string_view)>& visit);

/// The same, printed as print_items does; says so if there is more.
Outcome<void> print_list(const Context& context, Service& service, std::string_view target,
                         const Query& query, Part part, std::vector<Column> columns);

/// "/v1/projects/" + name + "/balance", encoded.
std::string path(std::string_view before, std::string_view name, std::string_view after = {});

}  // namespace tenbin::cli
