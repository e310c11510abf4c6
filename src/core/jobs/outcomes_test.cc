#include "core/jobs/outcomes.h"

#include <doctest/doctest.h>

namespace tenbin {

namespace {

constexpr Span day{86'400'000};
constexpr ProjectId project{7};

}  // namespace

TEST_CASE("outcomes: what ended is known until its page has been left alone for long enough") {
  Outcomes outcomes;
  const Instant dawn{1'800'000'000'000};
  outcomes.add(JobId{5}, project, true, dawn);
  outcomes.add(JobId{6}, project, false, dawn);
  outcomes.add(JobId{2'000'000}, project, true, dawn + Span{5 * day.count});  // after a large array
  outcomes.add(JobId{3}, project, true, dawn);
  CHECK(outcomes.find(JobId{5})->ok);
  CHECK(!outcomes.find(JobId{6})->ok);
  CHECK(outcomes.find(JobId{6})->project == project);
  CHECK(!outcomes.find(JobId{4}));
  CHECK(!outcomes.find(JobId{1'000'000}));
  CHECK(!outcomes.find(JobId{}));

  CHECK(outcomes.forget(dawn));
  CHECK(outcomes.find(JobId{5})->ok);
  CHECK(!outcomes.forget(dawn + Span{1}));  // not again within the hour
  const Outcomes copy = outcomes;
  CHECK(outcomes.forget(dawn + day));
  CHECK(!outcomes.find(JobId{5}));
  CHECK(outcomes.find(JobId{2'000'000})->ok);
  CHECK(copy.find(JobId{5})->ok);
  outcomes.add(JobId{5'000}, project, true,
               dawn + Span{6 * day.count});  // an old job that lived long
  CHECK(outcomes.find(JobId{5'000})->ok);
  CHECK(outcomes.find(JobId{2'000'000})->ok);
}

}  // namespace tenbin
