#pragma once

#include <type_traits>

#include "base/digest.h"
#include "base/fields.h"
#include "base/hash.h"
#include "core/types.h"

namespace tenbin {

/// Adds a row to a digest by its fields: a validator for conditional requests that costs less than
/// writing the row. It need not stay the same from one start of the service to the next.
template <class T>
void add_row(Digest& digest, const T& value) {
  if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
    digest.add(static_cast<std::uint64_t>(value));
  } else if constexpr (std::is_convertible_v<T, std::string_view>) {
    digest.add(std::string_view(value));
  } else if constexpr (std::is_same_v<T, Hash>) {
    digest.add(
        std::string_view{reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
  } else if constexpr (requires { value.ms; }) {
    digest.add(static_cast<std::uint64_t>(value.ms));
  } else if constexpr (requires { value.bits; }) {
    digest.add(value.bits);
  } else if constexpr (requires { value.count; }) {
    digest.add(static_cast<std::uint64_t>(value.count));
  } else if constexpr (requires { value.value; }) {
    digest.add(value.value);
  } else if constexpr (HasFields<T>) {
    visit_fields(value, [&](const char*, const auto& field) { add_row(digest, field); });
  } else if constexpr (requires { value.first; }) {
    add_row(digest, value.first);
    add_row(digest, value.second);
  } else {  // a list
    digest.add(value.size());
    for (const auto& item : value) add_row(digest, item);
  }
}

}  // namespace tenbin
