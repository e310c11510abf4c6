#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/types.h"

namespace tenbin {

/// The policies that have a name of their own: fifo, sjf, easy, cons, consz.
std::span<const std::string_view> named_policies();
std::optional<Policy> policy_named(std::string_view name);

/// The value of an enumeration that has this name.
template <class Enum>
constexpr std::optional<Enum> value_named(std::string_view name) {
  constexpr auto names = enum_names(Enum{});
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

/// "fifo, easy, best_fit": all that a policy is made of.
std::string words_of(const Policy& policy);

}  // namespace tenbin
