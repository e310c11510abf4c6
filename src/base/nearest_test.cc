#include "base/nearest.h"

#include <doctest/doctest.h>

#include <array>

namespace tenbin {

TEST_CASE("edit distance counts a swap once") {
  CHECK(edit_distance("jobs", "jobs") == 0);
  CHECK(edit_distance("jbos", "jobs") == 1);
  CHECK(edit_distance("submti", "submit") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest name is meant, if it is near") {
  constexpr std::array<std::string_view, 3> names{"submit", "fleet", "job"};
  CHECK(nearest("submti", names) == "submit");
  CHECK(nearest("fleets", names) == "fleet");
  CHECK(nearest("statement", names).empty());
  CHECK(nearest("a", names).empty());
  CHECK(nearest(std::string(10'000, 'x'), names).empty());
}

}  // namespace tenbin
