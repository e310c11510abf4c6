#include "codec/index_list.h"

#include <doctest/doctest.h>

#include "codec/json.h"
#include "codec/spec.h"

// Slurm's lists of indexes, and the members of a spec that came after the first release.

namespace tenbin {
namespace {

TEST_CASE("indexes are counted and mapped from the tasks' numbers") {
  const auto list = IndexList::parse("1,3,5-9:2");
  REQUIRE(list);
  CHECK(list->count() == 5);
  CHECK(list->text() == "1,3,5-9:2");
  std::vector<std::uint32_t> all;
  for (std::uint64_t k = 0; k < list->count(); ++k) all.push_back(list->at(k));
  CHECK(all == std::vector<std::uint32_t>{1, 3, 5, 7, 9});
  CHECK(list->least() == 1);
  CHECK(list->most() == 9);
  CHECK(IndexList::parse("0-9:4")->most() == 8);  // 9 is none of them
  CHECK(IndexList::parse("0-9:4")->text() == "0-8:4");
  CHECK(IndexList::parse("0-999999")->count() == 1'000'000);
  CHECK(IndexList::parse("7")->step() == 1);
}

TEST_CASE("indexes in any order count once each, and are put in order") {
  CHECK(IndexList::parse_any_order("9,7,5,3,1,3")->text() == "1-9:2");
  CHECK(IndexList::parse_any_order("5-7,1-3")->text() == "1-3,5-7");
  CHECK(IndexList::parse_any_order("1-5,3-8")->text() == "1-8");
  CHECK(IndexList::parse_any_order("9,4")->text() == "4,9");
  for (const char* text : {"5-7,1-3", "9,7,1", "1-5,3-8,20-40:5,0"}) {
    const auto list = IndexList::parse_any_order(text);
    REQUIRE(list);
    const auto again = IndexList::parse(list->text());
    REQUIRE(again);
    CHECK(again->count() == list->count());
  }
}

TEST_CASE("what is no list of indexes says so") {
  for (const char* bad : {"", ",", "1,", "-1", "a", "1-", "1-2:0", "1-2:", "3-1", "1--2", "1 2",
                          "1-2-3", "4294967296", "100000001", "0-1000000", "1%2"}) {
    CAPTURE(bad);
    CHECK_FALSE(IndexList::parse(bad));
    CHECK_FALSE(IndexList::parse_any_order(bad));
  }
  CHECK_FALSE(IndexList::parse("3,1"));
  CHECK_FALSE(IndexList::parse("1,1"));
  CHECK_FALSE(IndexList::parse("1-5,5"));
}

TEST_CASE("a spec comes back as it was, and an old one reads as it did") {
  const std::string old =
      R"({"argv":["true"],"environment":{},"directory":"","output_cap":16777216,"grace_ms":5000})";
  const auto plain = parse_spec(old);
  REQUIRE(plain);
  CHECK(write_spec(*plain) == old);

  JobSpec spec = *plain;
  spec.argv = {};
  spec.script = "#!/bin/sh\ntrue\n";
  spec.output = "logs/%j.out";
  spec.append = true;
  spec.array = "1,3";
  spec.signal = "USR1";
  spec.signal_to = SignalTo::shell;
  spec.requeue = false;
  spec.tasks_per_member = 8;
  const auto back = parse_spec(write_spec(spec));
  REQUIRE(back);
  CHECK(*back == spec);
}

TEST_CASE("a spec that leads out of the working directory is refused") {
  for (const char* path : {"/etc/passwd", "..", "../x", "a/../../b", "a//b", "a/", ".", ""}) {
    CAPTURE(path);
    CHECK_FALSE(stays_below(path));
  }
  CHECK(stays_below("logs/%j.out"));
  CHECK(stays_below("a/./b"));
  CHECK(stays_below("..x"));
  CHECK_FALSE(parse_spec(R"({"argv":["a"],"output":"../x"})"));
  CHECK_FALSE(parse_spec(R"({"argv":["a"],"error":"/tmp/x"})"));
  CHECK_FALSE(parse_spec(R"({"script":"echo"})"));
  CHECK_FALSE(parse_spec(R"({"script":"#!/bin/sh","signal":"KILL"})"));
  CHECK_FALSE(parse_spec(R"({"script":"#!/bin/sh","array":"3,1"})"));
  CHECK_FALSE(parse_spec(R"({"environment":{}})"));
}

}  // namespace
}  // namespace tenbin
