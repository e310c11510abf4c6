#include "twin/compare.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace tenbin {

std::vector<Replayed> run_all(std::vector<ReplayTask> tasks, Measure::Wants wants, Gpus capacity,
                              unsigned threads,
                              const std::function<bool(const CompareProgress&)>& each_while) {
  std::vector<Replayed> results;
  for (const ReplayTask& task : tasks) {
    results.push_back({.name = task.name,
                       .policy = task.policy,
                       .measure = std::make_unique<Measure>(wants, capacity),
                       .control = std::make_unique<ReplayControl>()});
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t next = 0, done = 0;
  bool stopping = false;
  const auto all_done = [&] {
    return done == tasks.size() || (stopping && done > 0 && done == next);
  };
  const auto work = [&] {
    std::unique_lock lock(mutex);
    while (next < tasks.size() && (!stopping || next == 0)) {
      const std::size_t i = next++;
      lock.unlock();
      Replayed& result = results[i];
      const auto begin = std::chrono::steady_clock::now();
      const auto run = tasks[i].run(*result.measure, *result.control);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
      if (run) {
        result.measure->finish(*run, took.count());
      } else {
        result.good = std::unexpected(run.error());
      }
      lock.lock();
      ++done;
      changed.notify_one();
    }
  };
  std::vector<std::jthread> workers;
  const std::size_t count =
      std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(1, tasks.size()));
  for (std::size_t i = 0; i < count; ++i) workers.emplace_back(work);

  std::unique_lock lock(mutex);
  while (!all_done()) {
    changed.wait_for(lock, std::chrono::milliseconds(100), all_done);
    if (!each_while) continue;
    CompareProgress progress{.done = done, .of = tasks.size()};
    lock.unlock();
    for (const Replayed& result : results) {
      progress.submitted += result.control->submitted.load(std::memory_order_relaxed);
      progress.ended += result.control->ended.load(std::memory_order_relaxed);
    }
    const bool go_on = each_while(progress);
    lock.lock();
    if (go_on) continue;
    stopping = true;
    for (const Replayed& result : results) result.control->stop = true;
  }
  results.resize(next);
  return results;
}

Result<std::unique_ptr<ReplayTrace>> ReplayTrace::open(std::string path, TraceOptions options,
                                                       std::size_t held_max, bool alone) {
  auto trace = std::make_unique<ReplayTrace>();
  trace->path_ = std::move(path);
  trace->options_ = options;
  auto source = open_trace(trace->path_, options);
  if (!source) return std::unexpected(source.error());
  if (alone) {
    trace->first_ = std::move(*source);
    return trace;
  }
  auto held = std::make_unique<Trace>();
  TraceJob job;
  for (;;) {
    const auto more = (*source)->next(job);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    held->jobs.push_back(job);
    if (held->jobs.size() > held_max) {
      // Too many to hold: everybody reads the file; standard input can be read only once.
      if (trace->path_ == "-")
        return failed("standard input has more than " + std::to_string(held_max) +
                      " jobs; several policies need a file that each can read");
      auto again = open_trace(trace->path_, options);
      if (!again) return std::unexpected(again.error());
      trace->first_ = std::move(*again);
      return trace;
    }
  }
  held->names = (*source)->names();
  held->problems = (*source)->problems();
  held->info = (*source)->info();
  trace->held_ = std::move(held);
  return trace;
}

Result<ReplayRun> ReplayTrace::run(World& world, Measure& measure, ReplayControl& control) {
  if (held_) return replay(world, held_->jobs, held_->names, &measure, &control);
  if (!first_taken_.exchange(true)) return replay(world, *first_, &measure, &control);
  auto source = open_trace(path_, options_);
  if (!source) return std::unexpected(source.error());
  return replay(world, **source, &measure, &control);
}

const TraceNames& ReplayTrace::names() const {
  return held_ ? held_->names : first_->names();
}
const TraceProblems& ReplayTrace::problems() const {
  return held_ ? held_->problems : first_->problems();
}
const TraceInfo& ReplayTrace::info() const {
  return held_ ? held_->info : first_->info();
}

}  // namespace tenbin
