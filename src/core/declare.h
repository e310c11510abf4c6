#pragma once

#include <optional>

#include "base/utf8.h"
#include "core/handlers.h"

// What all declarations share: names are checked, and declaring the same thing twice is no change.

namespace tenbin {

/// 1 to 64 characters of a-z, 0-9, '-', '_' and '.', beginning with a letter or digit.
bool valid_name(Text name);

inline std::optional<Refusal> check_names(Text name, Text title) {
  if (!valid_name(name)) return refuse(Reason::name_invalid);
  if (title.size() > title_bytes_max) {
    return refuse(Reason::title_too_long, static_cast<std::int64_t>(title_bytes_max));
  }
  if (!valid_utf8(title)) return refuse(Reason::text_invalid);
  return std::nullopt;
}

template <class IdType>
IdType find_name(const World::Index::Names<IdType>& names, Text name) {
  const auto found = names.find(name);
  return found == names.end() ? IdType{} : found->second;
}

/// The answer to a declaration of something that is there already and differs in what cannot be
/// changed.
inline Decision differs(Thing thing, Property property) {
  return std::unexpected(refuse(Reason::name_taken, static_cast<std::int64_t>(thing),
                                static_cast<std::int64_t>(property)));
}

/// Declared again: the title is the only thing that may differ.
template <class IdType, class Row>
Decision retitle(const Row& row, Thing thing, IdType id, Text title, Facts& facts) {
  if (row.title != title) facts.add(TitleSet{thing, id.value, facts.text(title)});
  return id.value;
}

}  // namespace tenbin
