#include "base/arena.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace tenbin {
namespace {

TEST_CASE("what is put into an arena stays where it is until it is cleared") {
  Arena arena;
  std::vector<std::string> texts;
  std::vector<std::string_view> kept;
  for (int i = 0; i < 5'000; ++i) texts.push_back("text " + std::to_string(i));
  for (const std::string& text : texts) kept.push_back(arena.text(text));
  for (std::size_t i = 0; i < texts.size(); ++i) REQUIRE(kept[i] == texts[i]);
}

TEST_CASE("lists are aligned, also behind an odd text") {
  Arena arena;
  for (const std::size_t size : {1U, 2U, 100U}) {
    CHECK(arena.text("odd").size() == 3);
    const std::vector<std::uint64_t> items(size, 42);
    const std::span<const std::uint64_t> list = arena.list(std::span{items});
    CHECK(reinterpret_cast<std::uintptr_t>(list.data()) % alignof(std::uint64_t) == 0);
    CHECK(std::vector(list.begin(), list.end()) == items);
  }
}

TEST_CASE("empty things take no room and large ones a chunk of their own") {
  Arena arena;
  CHECK(arena.text("").empty());
  CHECK(arena.list(std::span<const int>{}).empty());
  CHECK(arena.make<int>(0).empty());
  const std::span<std::uint64_t> large = arena.make<std::uint64_t>(100'000);
  CHECK(large.size() == 100'000);
  CHECK((large.front() == 0 && large.back() == 0));
}

TEST_CASE("a cleared arena gives the same place again") {
  Arena arena;
  const char* first = arena.text("one").data();
  arena.clear();
  CHECK(arena.text("two").data() == first);
}

}  // namespace
}  // namespace tenbin
