// Generated traces against what is known of the clusters that they are like (docs/traces.md), each
// figure with the tolerance that it is held to.

#include "twin/generate.h"

#include <doctest/doctest.h>

#include "base/digest.h"
#include "twin/trace_figures.h"
#include "twin/trace_write.h"

namespace tenbin {
namespace {

struct Known {
  TracePreset preset;
  std::vector<std::pair<std::uint64_t, double>> jobs_upto, time_upto;  // GPUs, per cent
  std::array<double, 7> runtime_s;  // p10 p25 p50 p75 p90 p95 p99
  double mean_s;
  std::array<double, 3> ends, ends_time;  // completed, failed, cancelled
};

const std::vector<Known>& known() {
  static const std::vector<Known> all{
      {TracePreset::philly,
       {{1, 82.4}, {2, 84.5}, {4, 92.0}, {8, 98.9}, {16, 99.8}},
       {{1, 16.4}, {4, 38.2}, {8, 88.0}, {16, 97.2}},
       {36, 108, 853, 3'186, 15'815, 68'651, 413'038},
       18'006,
       {60.4, 30.5, 9.0},
       {32.1, 38.6, 29.4}},
      {TracePreset::helios,
       {{1, 72.2}, {2, 74.7}, {4, 80.5}, {8, 94.7}, {16, 97.7}, {32, 99.3}, {64, 99.7}},
       {{1, 5.4}, {4, 12.1}, {8, 41.3}, {16, 61.5}, {32, 86.6}, {64, 94.4}},
       {14, 64, 201, 1'001, 6'971, 20'693, 145'822},
       6'652,
       {62.4, 15.5, 22.1},
       {51.3, 9.3, 39.4}},
      {TracePreset::llm_dev,
       {{1, 54.0}, {2, 65.4}, {4, 67.9}, {8, 96.7}, {16, 97.9}, {32, 98.8}, {64, 99.3}},
       {{1, 1.3},
        {4, 2.4},
        {8, 11.9},
        {16, 13.2},
        {32, 19.1},
        {64, 27.6},
        {128, 41.7},
        {256, 56.3}},
       {7, 18, 134, 413, 1'352, 3'271, 27'491},
       1'414,
       {49.7, 42.9, 7.5},
       {21.2, 12.4, 66.4}},
      {TracePreset::university,
       {{1, 66.3}, {2, 69.4}, {4, 73.7}, {8, 92.3}, {16, 97.9}, {32, 99.6}},
       {{1, 3.3}, {4, 8.4}, {8, 39.8}, {16, 64.6}, {32, 91.9}},
       {21, 72, 286, 1'305, 10'887, 38'996, 195'871},
       9'164,
       {60.7, 19.2, 20.1},
       {50.9, 10.4, 38.7}},
  };
  return all;
}

TraceFigures figures_of(const GenerateOptions& options, TraceNames* names = nullptr) {
  const auto source = generate_trace(options);
  REQUIRE(source.has_value());
  TraceFigures figures;
  TraceJob job, before;
  while (*(*source)->next(job)) {
    REQUIRE(job.submit >= before.submit);
    REQUIRE(job.id == before.id + 1);
    REQUIRE(job.runtime <= job.limit);
    REQUIRE(job.runtime.count > 0);
    figures.add(job);
    before = job;
  }
  if (names) *names = (*source)->names();
  return figures;
}

double percent(Wide part, Wide whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

TEST_CASE("generated traces agree with what is known of the clusters") {
  constexpr std::uint64_t jobs = 300'000;
  for (const Known& cluster : known()) {
    const std::string name(enum_names(TracePreset{})[static_cast<std::size_t>(cluster.preset)]);
    CAPTURE(name);
    const TraceFigures figures = figures_of({.preset = cluster.preset, .jobs = jobs, .seed = 5});
    CHECK(figures.jobs == jobs);

    // Sizes: within 0.5 points of jobs and, as few jobs hold much, 5 points of GPU time.
    std::uint64_t count = 0;
    Wide time = 0;
    for (std::size_t s = 0; s < TraceFigures::sizes; ++s) {
      const std::uint64_t gpus = std::uint64_t{1} << s;
      CAPTURE(gpus);
      count += figures.jobs_upto[s];
      time += figures.gpu_ms_upto[s];
      for (const auto& [n, part] : cluster.jobs_upto) {
        if (n == gpus) CHECK(std::abs(percent(count, jobs) - part) < 0.5);
      }
      for (const auto& [n, part] : cluster.time_upto) {
        if (n == gpus) CHECK(std::abs(percent(time, figures.gpu_ms) - part) < 5);
      }
    }

    // Run times: percentiles within 8 %, the 99th within 15 %, the mean within 5 %.
    constexpr std::array<std::uint64_t, 7> ranks{100'000, 250'000, 500'000, 750'000,
                                                 900'000, 950'000, 990'000};
    for (std::size_t i = 0; i < ranks.size(); ++i) {
      const double got = static_cast<double>(figures.runtime_ms.percentile(ranks[i])) / 1'000;
      CAPTURE(ranks[i]);
      CHECK(got / cluster.runtime_s[i] == doctest::Approx(1).epsilon(i == 6 ? 0.15 : 0.08));
    }
    CHECK(static_cast<double>(figures.runtime_sum) / 1'000 / static_cast<double>(jobs) ==
          doctest::Approx(cluster.mean_s).epsilon(0.05));

    // Ends: within 0.7 points of jobs, 6 of GPU time.
    for (std::size_t e = 0; e < 3; ++e) {
      CAPTURE(e);
      CHECK(std::abs(percent(figures.ends[e], jobs) - cluster.ends[e]) < 0.7);
      CHECK(std::abs(percent(figures.gpu_ms_by_end[e], figures.gpu_ms) - cluster.ends_time[e]) < 6);
    }

    // Skew (Helios): the top 1, 5, 10, 20 % of users hold 20-31, 46-61, 63-76, 82-89 % of GPU time;
    // 8 points more or less, as Seren's largest jobs are few.
    constexpr std::array<std::array<double, 3>, 4> top{
        {{1, 20, 31}, {5, 46, 61}, {10, 63, 76}, {20, 82, 89}}};
    for (const auto& [users, low, high] : top) {
      CAPTURE(users);
      const double got = static_cast<double>(TraceFigures::share_of_top(
                             figures.gpu_ms_by_user, static_cast<std::uint64_t>(users * 10'000))) /
                         10'000;
      CHECK(got > low - 8);
      CHECK(got < high + 8);
    }

    // Not Poisson: gaps vary at least twice as much as their mean, and some are zero.
    CHECK(figures.gap_variation() > 2'000);
    CHECK(percent(figures.gaps_of_zero, jobs) > 3);
  }
}

TEST_CASE("submissions follow the hours of the day and of the week") {
  // Over ten weeks chance evens out: Saturn's peak over trough is 2.8, Uranus's 8.2.
  const auto ratio = [](TracePreset preset) {
    std::array<std::uint64_t, 24> hours{};
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
      const auto one =
          figures_of({.preset = preset, .jobs = 30'000, .days = 140, .seed = seed}).by_hour();
      for (std::size_t h = 0; h < 24; ++h) hours[h] += one[h];
    }
    // Six hours of night and of day, so that one burst does not decide.
    double night = 0, day = 0;
    for (std::size_t h = 3; h < 9; ++h) night += static_cast<double>(hours[h]);
    for (std::size_t h = 12; h < 18; ++h) day += static_cast<double>(hours[h]);
    return day / night;
  };
  CHECK(ratio(TracePreset::helios) == doctest::Approx(7'830.0 / 3'380).epsilon(0.25));
  CHECK(ratio(TracePreset::university) == doctest::Approx(9'224.0 / 1'764).epsilon(0.25));
}

TEST_CASE("submissions come in bursts as Philly's do") {
  // Hourly counts of the real trace: 38.2 on average, dispersion 196. Here as many an hour, within
  // a factor of two.
  TraceFigures philly =
      figures_of({.preset = TracePreset::philly, .jobs = 64'000, .days = 70, .seed = 3});
  CHECK(philly.hourly_dispersion() > 98'000);
  CHECK(philly.hourly_dispersion() < 392'000);
}

TEST_CASE("the load is met, and days too if both are asked for") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    const TraceFigures some =
        figures_of({.jobs = 20'000, .gpus = 512, .load_ppm = 900'000, .seed = seed});
    CHECK(static_cast<double>(some.mean_gpus()) / 1'000 ==
          doctest::Approx(0.9 * 512).epsilon(0.05));
    const TraceFigures both = figures_of({.preset = TracePreset::helios,
                                          .jobs = 20'000,
                                          .days = 14,
                                          .gpus = 256,
                                          .load_ppm = 1'100'000,
                                          .seed = seed});
    CHECK(static_cast<double>(both.mean_gpus()) / 1'000 ==
          doctest::Approx(1.1 * 256).epsilon(0.05));
    CHECK((both.last - both.first).count > 13 * 86'400'000LL);
    CHECK((both.last - both.first).count <= 14 * 86'400'000LL);
  }
  const auto never =
      generate_trace({.jobs = 10, .days = 3'000, .gpus = 100'000, .load_ppm = 900'000});
  CHECK_FALSE(never.has_value());
}

TEST_CASE("users ask for more time than they need, as in KTH's log") {
  // Median of requested over actual: KTH 2.4, Curie 24.7.
  const TraceFigures helios = figures_of({.preset = TracePreset::helios, .jobs = 50'000});
  const double median = static_cast<double>(helios.limit_over_runtime.percentile(500'000)) / 1'000;
  CHECK(median > 1.8);
  CHECK(median < 4);
  const TraceFigures university = figures_of({.preset = TracePreset::university, .jobs = 50'000});
  CHECK(university.limit_over_runtime.percentile(500'000) > 8'000);
}

TEST_CASE("kinds of work: few pretraining jobs hold most of the GPU time") {
  TraceNames names;
  const TraceFigures figures =
      figures_of({.preset = TracePreset::llm_dev, .jobs = 300'000, .seed = 2}, &names);
  REQUIRE(names.owners.size() == 6);
  CHECK(names.owners[5] == "Pretrain");
  CHECK(std::abs(percent(figures.gpu_ms_by_owner[5], figures.gpu_ms) - 69.5) < 6);
  CHECK(std::abs(percent(figures.gpu_ms_by_owner[0], figures.gpu_ms) - 7.6) < 4);
}

TEST_CASE("the same seed gives the same bytes, on every machine") {
  const auto digest_of = [](const GenerateOptions& options) {
    const auto source = generate_trace(options);
    REQUIRE(source.has_value());
    const auto text = trace_text(**source, TraceOutput::binary);
    REQUIRE(text.has_value());
    Digest digest;
    digest.add(*text);
    return digest.value();
  };
  CHECK(digest_of({.jobs = 5'000, .seed = 9}) == digest_of({.jobs = 5'000, .seed = 9}));
  CHECK(digest_of({.jobs = 5'000, .seed = 9}) != digest_of({.jobs = 5'000, .seed = 10}));
  // These change only when the generator is meant to change.
  CHECK(digest_of({.jobs = 1'000}) == 16'575'356'994'568'115'298u);
  CHECK(
      digest_of({.preset = TracePreset::llm_dev, .jobs = 1'000, .days = 3, .load_ppm = 700'000}) ==
      4'933'968'307'889'611'364u);
}

}  // namespace tenbin
