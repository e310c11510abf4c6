#pragma once

#include "twin/trace.h"

namespace tenbin {

/// Clusters whose published figures a generated trace is calibrated to (docs/traces.md).
enum class TracePreset : std::uint8_t {
  philly,      // Microsoft's Philly, 2017: many small jobs, long large ones
  helios,      // SenseTime's Helios, 2020: four research clusters
  llm_dev,     // Shanghai AI Lab's Seren and Kalos, 2023: evaluation beside pretraining
  university,  // half a Philly, half people who let notebooks run; users' limits are poor
};
constexpr auto enum_names(TracePreset) {
  return std::array<std::string_view, 4>{"philly", "helios", "llm-dev", "university"};
}

constexpr std::int64_t generated_jobs_max = 100'000'000;

struct GenerateOptions {
  TracePreset preset = TracePreset::philly;
  std::uint64_t jobs = 10'000;
  std::optional<std::int64_t> days;      // nothing: what `load` leads to
  std::optional<std::int64_t> gpus;      // of the cluster; nothing: the preset's
  std::optional<std::int64_t> load_ppm;  // of the cluster, on average; nothing: 800,000
  std::uint64_t seed = 1;
  bool japanese = false;
};

/// Jobs in the order of their submission, made one by one. The same options give the same jobs on
/// every machine: all arithmetic is on whole numbers.
/// With `days` and `load_ppm` both given, run times are drawn out or shortened to meet both; the
/// shape of their distribution stays. Errors: what asks for more than a job may have.
Result<std::unique_ptr<TraceSource>> generate_trace(const GenerateOptions& options);

}  // namespace tenbin
