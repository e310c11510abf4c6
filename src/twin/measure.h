#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/small_vector.h"
#include "twin/fragmentation.h"
#include "twin/replay.h"

// What came of a replay: the figures of its table, the course of time, every job.

namespace tenbin {

/// One job of a replay, in the order of the trace.
struct JobOutcome {
  std::uint64_t id = 0;
  Instant submit;
  Instant start{INT64_MAX};  // never: it did not start
  Instant end{INT64_MAX};    // never: it was not over when the replay ended
  Gpus gpus;                 // all that it held at once
  Credits charged;
  std::uint32_t user = 0, owner = 0;
  std::uint32_t place = 0, places = 0;  // in Outcomes of places: where its parts lay
  std::uint16_t pool = 0;               // id of the pool, 0 if it did not start
  TraceEnd how = TraceEnd::completed;
  bool refused = false;
  bool at_limit = false;  // it never ended in the journal and was given its limit

  bool started() const { return start != Instant{INT64_MAX}; }
  bool over() const { return end != Instant{INT64_MAX}; }
  Span wait() const { return start - submit; }
};

/// A mean, exactly until it is divided, and points of a distribution: the p-th is the value with
/// p per cent of all below it.
struct Spread {
  std::uint64_t count = 0;
  double mean = 0;  // milliseconds, like the rest
  Span p5, p25, p50, p75, p90, p95, p99, max;
};
/// Sorts `values`.
Spread spread_of(std::vector<std::int64_t>& values);

/// The course of a replay in equal parts of time.
struct Course {
  struct Part {
    Wide used = 0;        // milli-GPU x ms
    Wide waiting = 0;     // jobs x ms
    Wide asked = 0;       // milli-GPU x ms asked for by waiting jobs
    Wide fragmented = 0;  // milli-GPU x ms, where it is measured
  };
  Instant begin;
  Span each;  // length of a part
  std::vector<Part> parts;
};

struct Figures {
  std::uint64_t jobs = 0;  // submitted, the refused ones too
  std::uint64_t refused = 0;
  std::map<Reason, std::uint64_t> reasons;
  std::uint64_t started = 0, over = 0;
  std::uint64_t at_limit = 0;  // ran for their limit, because their real run time is not known
  Spread wait, jct;            // of jobs that started; of jobs that are over: from submit to end
  double slowdown = 0;         // mean bounded slowdown (10 s) of jobs that are over
  Instant first_submit, last_end;
  Span makespan;  // from the one to the other
  Gpus capacity;
  double utilisation = 0;               // of the capacity over the makespan
  std::optional<double> fragmentation;  // of the capacity, mean over the makespan; see docs/twin.md
  Credits charged;
  std::uint64_t events = 0;
  std::uint64_t history = 0;
  double seconds = 0;  // of the replay on this machine; the only figure that is not the same twice
  bool stopped = false;
};

/// Watches a replay and says what came of it.
class Measure final : public ReplayWatch {
 public:
  struct Wants {
    bool jobs = false;    // a JobOutcome for each
    bool places = false;  // and where it lay
    bool course = false;
  };
  Measure(Wants wants, Gpus capacity) : wants_(wants) { figures_.capacity = capacity; }

  /// From now on fragmentation is measured, for these kinds of jobs.
  void follow(const World& world, std::vector<Target> targets) {
    fragmentation_.emplace(world, std::move(targets));
    level_.fragmented = static_cast<Wide>(fragmentation_->gpus() * 1'000);
  }

  void submitted(std::uint64_t row, const TraceJob& job) override;
  void refused(std::uint64_t row, const TraceJob& job, const Refusal& why) override;
  void started(std::uint64_t row, const TraceJob& job, const JobStarted& event,
               Instant now) override;
  void ended(std::uint64_t row, const TraceJob& job, const JobSettled& event, Instant now) override;
  void waits_again(std::uint64_t row, const TraceJob& job, Instant now) override;
  void dropped(std::uint64_t row, const TraceJob& job, Instant now) override;
  void given_limit(std::uint64_t row) override;
  void happened(const World& world, const Event& event) override;
  void instant(const World& world, Instant now) override;

  /// After the last instant. What runs or waits still is left as it is.
  void finish(const ReplayRun& run, double seconds);

  const Figures& figures() const { return figures_; }
  const Course& course() const { return course_; }
  const std::vector<JobOutcome>& jobs() const { return jobs_; }
  const std::vector<Slice>& places() const { return places_; }
  std::vector<JobOutcome>& jobs() { return jobs_; }

 private:
  void pass_time(Instant now);
  void open_row(std::uint64_t row, const TraceJob& job);

  Wants wants_;
  Figures figures_;
  Course course_;
  std::vector<JobOutcome> jobs_;
  std::vector<Slice> places_;
  std::vector<std::int64_t> waits_, jcts_;
  double slowdowns_ = 0;
  Wide used_ = 0;
  std::optional<Instant> first_;
  Instant last_;        // up to when the areas below are counted
  Course::Part level_;  // what is used and waits now
  std::optional<Fragmentation> fragmentation_;
  Wide fragmented_ = 0;  // area
};

}  // namespace tenbin
