#include "base/table.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

#include "base/id.h"
#include "base/rng.h"

namespace tenbin {
namespace {

using RowId = Id<struct RowTag>;
using Rows = Table<RowId, std::string>;

std::map<RowId, std::string> content(const Rows& rows) {
  std::map<RowId, std::string> all;
  RowId last;
  rows.each([&](RowId id, const std::string& row) {
    CHECK(last < id);  // in id order
    last = id;
    all.emplace(id, row);
  });
  return all;
}

TEST_CASE("ids are dense, ascend from 1 and are not given twice") {
  Rows rows;
  CHECK(rows.next_id() == RowId{1});
  CHECK(rows.add("a") == RowId{1});
  CHECK(rows.add("b") == RowId{2});
  rows.retire(RowId{2});
  CHECK(rows.add("c") == RowId{3});
  CHECK(rows.size() == 2);
  CHECK(rows.at(RowId{3}) == "c");
  CHECK(rows.find(RowId{2}) == nullptr);  // retired
  CHECK(rows.find(RowId{4}) == nullptr);  // not yet given
  CHECK(rows.find(RowId{}) == nullptr);   // none
  CHECK(rows.find(RowId{UINT64_MAX}) == nullptr);
}

TEST_CASE("a row that is opened is blank, also where one has retired") {
  Rows rows;
  for (int i = 0; i < 2'000; ++i) {
    const RowId id = rows.next_id();
    std::string& row = rows.open(id);
    REQUIRE(row.empty());
    row = "a text that does not fit into the string itself";
    rows.retire(id);
  }
  CHECK(rows.size() == 0);
}

TEST_CASE("a table can be rebuilt with its gaps") {
  Rows rows;
  rows.insert(RowId{1'000'000}, "far");
  rows.insert(RowId{1'000'600}, "farther");
  rows.skip_to(RowId{2'000'000});
  CHECK(rows.find(RowId{999'999}) == nullptr);
  CHECK(rows.find(RowId{1'000'300}) == nullptr);
  CHECK(rows.add("next") == RowId{2'000'000});
  CHECK(rows.at(RowId{1'000'600}) == "farther");
  CHECK(content(rows).size() == 3);
}

TEST_CASE("memory follows the rows that live") {
  Rows rows;
  for (int i = 0; i < 100'000; ++i) {
    const RowId id = rows.add("x");
    if (id.value > 100) rows.retire(RowId{id.value - 100});
  }
  CHECK(rows.size() == 100);
  CHECK(rows.bytes() < 10 * 256 * sizeof(std::string) + 100 * sizeof(void*));
}

// Method: random adds, retirements and copies against std::map.
TEST_CASE("a table is a map from ids") {
  Rng rng{7};
  Rows rows;
  std::map<RowId, std::string> oracle;
  for (int step = 0; step < 50'000; ++step) {
    const bool grow = rng.chance(step % 20'000 < 10'000 ? 700'000 : 300'000);
    if (grow || oracle.empty()) {
      const std::string text = std::to_string(rng.next());
      oracle.emplace(rows.add(text), text);
    } else {
      const RowId some{1 + rng.below(rows.next_id().value)};
      const auto found = oracle.lower_bound(some);
      const RowId id = found == oracle.end() ? oracle.begin()->first : found->first;
      REQUIRE(rows.at(id) == oracle[id]);
      rows.retire(id);
      oracle.erase(id);
    }
    REQUIRE(rows.size() == oracle.size());
    if (step % 5'000 == 0) {
      const Rows copy = rows;
      CHECK(content(copy) == oracle);
      CHECK(copy.next_id() == rows.next_id());
      rows = copy;
    }
  }
  CHECK(content(rows) == oracle);
}

TEST_CASE("a walk up or down from any id gives what is there, until it is told to stop") {
  Rng rng{7};
  for (int round = 0; round < 30; ++round) {
    Rows rows;
    const std::uint64_t first = rng.below(3'000) + 1;
    for (std::uint64_t id = first; id < first + 3'000; ++id) {
      if (rng.below(round % 3 ? 4 : 300) == 0) rows.insert(RowId{id}, std::to_string(id));
    }
    for (std::uint64_t id = first; id < first + 1'500; ++id) {
      if (round % 2 && rows.find(RowId{id})) rows.retire(RowId{id});
    }
    const auto all = content(rows);
    for (int i = 0; i < 40; ++i) {
      const RowId edge{rng.below(first + 4'000)};
      const std::size_t most = rng.below(50) + 1;
      std::vector<RowId> up, down, expected_up, expected_down;
      const auto into = [most](std::vector<RowId>& list) {
        return [&list, most](RowId id, const std::string& row) {
          CHECK(row == std::to_string(id.value));
          list.push_back(id);
          return list.size() < most;
        };
      };
      rows.walk_up(edge, into(up));
      rows.walk_down(edge, into(down));
      for (auto row = all.lower_bound(edge); row != all.end() && expected_up.size() < most; ++row)
        expected_up.push_back(row->first);
      for (auto row = all.lower_bound(edge); row != all.begin() && expected_down.size() < most;)
        expected_down.push_back((--row)->first);
      CHECK(up == expected_up);
      CHECK(down == expected_down);
    }
  }
}

}  // namespace
}  // namespace tenbin
