#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "twin/measure.h"

// Several replays at once: Worlds are values, so each runs on a thread of its own.

namespace tenbin {

/// What one thread does: drives a World and tells `measure`.
struct ReplayTask {
  std::string name;  // of the policy, as people gave it
  Policy policy;
  std::function<Result<ReplayRun>(Measure& measure, ReplayControl& control)> run;
};

struct Replayed {
  std::string name;
  Policy policy;
  std::unique_ptr<Measure> measure;
  std::unique_ptr<ReplayControl> control;  // how far it is
  Result<void> good;                       // else what went wrong
};

/// How all of it stands, for whoever waits.
struct CompareProgress {
  std::uint64_t submitted = 0, ended = 0;  // jobs, over all replays
  std::size_t done = 0, of = 0;            // replays
};

/// Runs the tasks on `threads` threads. `each_while` is called about ten times a second on the
/// caller's thread until all are done; when it returns false all are asked to stop, and what there
/// is by then is what they give; those that have not begun are left out, but for the first. In the
/// order of the tasks.
std::vector<Replayed> run_all(std::vector<ReplayTask> tasks, Measure::Wants wants, Gpus capacity,
                              unsigned threads,
                              const std::function<bool(const CompareProgress&)>& each_while);

/// A trace that several replays read: in memory once, or opened anew by each.
class ReplayTrace {
 public:
  /// Reads up to `held_max` jobs; if there are more, every replay reads the file for itself, so
  /// that memory follows the jobs that wait and run. `alone`: there is only one replay, which can
  /// read while it runs.
  static Result<std::unique_ptr<ReplayTrace>> open(std::string path, TraceOptions options,
                                                   std::size_t held_max, bool alone);

  /// The jobs in memory, or none if each replay reads the file.
  const Trace* held() const { return held_.get(); }
  /// 0 if it is not known before the end.
  std::uint64_t size() const { return held_ ? held_->jobs.size() : 0; }
  Result<ReplayRun> run(World& world, Measure& measure, ReplayControl& control);

  /// After a replay: what the trace said about itself.
  const TraceNames& names() const;
  const TraceProblems& problems() const;
  const TraceInfo& info() const;

 private:
  std::string path_;
  TraceOptions options_;
  std::unique_ptr<Trace> held_;
  std::unique_ptr<TraceSource> first_;  // of the first replay, if it is not held
  std::atomic<bool> first_taken_{false};
};

}  // namespace tenbin
