#pragma once

#include <expected>
#include <string>

namespace tenbin {

/// The outside failed: what was tried, what happened, in words for a person. Shells only; what a
/// person asked and cannot have is a `Refusal`, what we promised and broke is an assertion.
struct Error {
  std::string what;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failed(std::string what) {
  return std::unexpected(Error{std::move(what)});
}

}  // namespace tenbin
