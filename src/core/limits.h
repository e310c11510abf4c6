#pragma once

#include "core/types.h"

// The largest legal values, so that no legal product or sum overflows. What is above is refused.

namespace tenbin {

constexpr Gpus gpus_max{100'000'000};               // a hundred thousand GPUs for one job
constexpr Span time_limit_max{400LL * 86'400'000};  // 400 days
constexpr Rate rate_max{100'000'000'000'000};       // 100 million credits an hour for one job
constexpr Credits price_max{100'000'000'000};       // 100,000 credits for a GPU hour
constexpr std::int64_t money_max =
    4'000'000'000'000;  // minor units of one promise: 40 billion dollars
constexpr Credits credits_max{4'000'000'000'000'000'000};  // all that one funder may promise
constexpr Instant instant_min{0};
constexpr Instant instant_max{4'102'444'800'000};  // 2100-01-01
constexpr std::uint32_t members_max = 4'096;
constexpr std::uint32_t tasks_max = 1'000'000;       // of one array
constexpr std::uint64_t live_jobs_max = 10'000'000;  // of one project, each task counted
constexpr std::uint32_t retries_max = 100;
constexpr std::size_t after_max = 64;   // jobs that one job may come after
constexpr std::size_t labels_max = 16;  // of one job
constexpr std::size_t label_key_bytes_max = 64, label_value_bytes_max = 256;
constexpr Span outcome_memory{7LL * 86'400'000};  // how long it is known how a job ended
constexpr std::uint32_t attempts_max =
    20;  // a job that is lost so often takes its node down itself
constexpr std::uint32_t gpus_per_node_max = 32;
constexpr std::uint64_t pools_max = 64, regions_max = 64, gpu_models_max = 64;
constexpr std::size_t targets_max = 256;  // kinds of jobs to be ready for
constexpr std::uint32_t target_weight_max = 1'000'000;
constexpr Cpus cpus_max{1'000'000'000};
constexpr Memory memory_max{1'000'000'000};
constexpr std::size_t name_bytes_max = 64, title_bytes_max = 400;
constexpr std::size_t hint_bytes_max = 8;         // of a token's secret
constexpr Span request_memory{7LL * 86'400'000};  // how long a request id is remembered

// The dearest legal job fits: 100 million credits an hour for 400 days is below 2^63 micro-credits.
static_assert(Wide{rate_max.count} * time_limit_max.count / 3'600'000 < INT64_MAX);
// The largest legal job's GPU time fits in 64 bits.
static_assert(Wide{gpus_max.count} * time_limit_max.count < INT64_MAX);
// A GPU at the highest price, times the most GPUs, times any factor up to 16, is below 2^63.
static_assert(Wide{price_max.count} * (gpus_max.count / 1'000) / 1'000 < INT64_MAX);
// A promise at the fixed rate of exchange fits.
static_assert(Wide{credits_max.count} < INT64_MAX);

}  // namespace tenbin
