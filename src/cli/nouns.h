#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/phrases.h"
#include "cli/table.h"

namespace tenbin::cli {

enum class Type : std::uint8_t { text, decimal, integer, money, instant, texts, truth };

struct Field {
  std::string_view name;
  Type type = Type::text;
  bool required = true;
  Phrase header{}, help{};
  std::string_view otherwise = {};  // what the service takes if it is left out
  bool fixed = false;               // declaring it again with another value is refused
};

/// Lists that say more about one thing: of a project its members, of a grant its lots.
struct Related {
  std::string_view kind;   // "member"
  std::string_view field;  // whose value is the thing's name
};

/// One kind of declaration: docs/api.md's table, from which files are read, flags made, lists shown
/// and differences found.
struct Noun {
  std::string_view name;               // "funder"
  std::string_view target;             // "/v1/funders"
  Phrase said;                         // "a funder"
  Phrase line;                         // all of its commands in one line of the help
  std::string_view verb;               // of the command that declares one: create, add, set
  std::string_view word;               // the field that the command takes without a flag, if any
  std::vector<std::string_view> keys;  // the fields that say which one it is
  std::vector<Field> fields;
  std::vector<Column> more_columns;  // what only answers have
  std::vector<Related> related;

  const Field* find(std::string_view field) const;
  bool is_key(std::string_view field) const;
  std::vector<Column> columns() const;
};

/// In the order in which one thing needs another.
const std::vector<Noun>& nouns();

/// "pool east"; of a noun without keys, of which there is one, "policy".
std::string said_of(std::string_view noun, std::string_view name);

/// nullptr if there is none.
const Noun* find_noun(std::string_view name);

}  // namespace tenbin::cli
