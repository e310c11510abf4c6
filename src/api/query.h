#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/problem.h"
#include "core/types.h"
#include "net/http.h"

namespace tenbin {

/// Reads the parameters of an address strictly, as Fields reads a body: the first that is not as it
/// must be is kept as the complaint. Which names there are the table of routes says (routes.h). An
/// empty value counts as not given.
class Query {
 public:
  explicit Query(const net::Parameters& parameters) : parameters_(parameters) {}

  std::string text(std::string_view name) const;
  std::int64_t integer(std::string_view name, std::int64_t least, std::int64_t most,
                       std::int64_t otherwise);
  Instant instant(std::string_view name, Instant otherwise);
  /// One of `words`, or empty if it is not given.
  std::string choice(std::string_view name, std::span<const std::string_view> words);

  void complain(std::string_view name, std::string_view english, std::string_view japanese);
  /// What is wrong, if anything.
  const std::optional<Complaint>& finish() const { return complaint_; }

 private:
  const net::Parameters& parameters_;
  std::optional<Complaint> complaint_;
};

/// Complains about a parameter that is not among `known` (names with blanks between), or is given
/// twice.
std::optional<Complaint> check_names(const net::Parameters& parameters, std::string_view known);

/// How a list is cut into pages: by a place in an order, never by counting, so that a page costs
/// the same wherever it lies and rows that come or go move nothing.
struct Page {
  std::size_t limit = 0;
  std::string sort;   // without its sign
  bool down = false;  // sort=-...
  std::string after;  // the place after which the page begins; empty: at the beginning
};

constexpr std::int64_t page_max = 1'000;

/// Reads limit, sort and cursor. `sorts` are those that there are, the first is meant when none is
/// given. A cursor holds only for the list, filters and order that it came with.
Page read_page(Query& query, const net::Request& request, const net::Parameters& parameters,
               std::span<const std::string_view> sorts, std::int64_t otherwise);
/// The cursor for the page after `place`, which must be safe in an address.
std::string cursor_after(const net::Request& request, const net::Parameters& parameters,
                         std::string_view place);

}  // namespace tenbin
