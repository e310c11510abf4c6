#pragma once

#include <span>
#include <string>
#include <string_view>

// For words that were mistyped: "did you mean ...?".

namespace tenbin {

/// Insertions, deletions, changes and swaps of neighbours that lead from one to the other.
/// Cost: the product of their lengths.
int edit_distance(std::string_view a, std::string_view b);

/// What a person may have meant by `word`: the nearest of `names` if it is near, else nothing.
std::string nearest(std::string_view word, std::span<const std::string_view> names);

}  // namespace tenbin
