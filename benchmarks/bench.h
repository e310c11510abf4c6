#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a file of benchmarks needs. A benchmark is a function that returns measurements; a file puts
// its own into the list with one line each:
//
//   const Registered core_fifo{"core_fifo", measure_core_fifo};

namespace tenbin::bench {

/// A figure beside its limit, both measured in the same run; or beside the figure that was asked
/// for.
struct Measurement {
  std::string name;
  double value = 0;  // median of the rounds
  std::string unit;
  int rounds = 0;
  std::string limit_name;  // what the limit is
  double limit = 0;        // median of its rounds
  std::string note;        // what a reader must know, for example that input was generated
};

struct Options {
  int rounds = 5;
};
using Benchmark = std::vector<Measurement> (*)(const Options&);

struct Registered {
  Registered(std::string_view name, Benchmark run);
};

inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Fills the medians of `rounds` rounds of `value()` and `limit()`, taken in turn, so that what
/// else the machine does meets both.
template <class Value, class Limit>
Measurement in_turn(Measurement m, const Options& options, Value&& value, Limit&& limit) {
  std::vector<double> values, limits;
  for (int round = 0; round < options.rounds; ++round) {
    values.push_back(value());
    limits.push_back(limit());
  }
  m.rounds = options.rounds;
  m.value = median(std::move(values));
  m.limit = median(std::move(limits));
  return m;
}

/// How many of `count` things a second, if `work()` does all of them.
template <class Work>
double per_second(std::size_t count, Work&& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(count) / took.count();
}

/// Keeps the compiler from leaving out work whose result nobody reads.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace tenbin::bench
