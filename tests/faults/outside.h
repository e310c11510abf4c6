#pragma once

// The outside of a live driver, made of memory: a clock that is set by hand, machines that run
// attempts and outlive every service, a history. A test tells them what to do and when.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "live/ports.h"

namespace tenbin {

/// Stands still, or runs beside the real one, from where it was set.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant at) : at_(at.ms) {}
  Instant now() override {
    ++asked_;
    const std::int64_t since = flows_ ? real() - flows_since_ : 0;
    return Instant{at_ + since};
  }
  std::uint64_t asked() const { return asked_; }  // how often
  void set(Instant at) { at_ = at.ms; }
  void pass(Span span) { at_ += span.count; }
  void flow() {
    flows_since_ = real();
    flows_ = true;
  }

 private:
  static std::int64_t real() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  }
  std::atomic<std::uint64_t> asked_ = 0;
  std::atomic<std::int64_t> at_;
  std::atomic<std::int64_t> flows_since_ = 0;
  std::atomic<bool> flows_ = false;
};

/// What runs, whoever serves: an attempt that was started stays until it is forgotten.
class Machines {
 public:
  struct Run {
    AttemptSpec spec;
    bool stop_asked = false;
    std::optional<AttemptEnd> end;
  };

  std::vector<AttemptId> running() const {
    const std::lock_guard lock(mutex_);
    std::vector<AttemptId> ids;
    for (const auto& [id, run] : runs_) {
      if (!run.end) ids.push_back(id);
    }
    return ids;
  }
  std::vector<AttemptId> kept() const {
    const std::lock_guard lock(mutex_);
    std::vector<AttemptId> ids;
    for (const auto& [id, run] : runs_) ids.push_back(id);
    return ids;
  }
  bool stop_was_asked(AttemptId id) const {
    const std::lock_guard lock(mutex_);
    const auto run = runs_.find(id);
    return run != runs_.end() && run->second.stop_asked;
  }
  std::set<AttemptId> ever_started() const {
    const std::lock_guard lock(mutex_);
    return ever_;
  }
  std::map<AttemptId, int> starts() const {
    const std::lock_guard lock(mutex_);
    return starts_;
  }

 private:
  friend class FakeExecutor;
  mutable std::mutex mutex_;
  std::map<AttemptId, Run> runs_;
  std::set<AttemptId> ever_;
  std::map<AttemptId, int> starts_;
};

/// One service's way to the machines. After `cut` it does nothing any more, like that of a process
/// that was killed.
class FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(Machines& machines) : machines_(machines) {}

  void listen(std::function<void(AttemptEnd)> listener) override {
    const std::lock_guard lock(listener_mutex_);
    listener_ = std::move(listener);
  }
  void start(AttemptSpec spec) override {
    std::optional<AttemptEnd> over;
    {
      const std::lock_guard lock(machines_.mutex_);
      if (cut_) return;
      const AttemptId id = spec.id;
      machines_.ever_.insert(id);
      ++machines_.starts_[id];
      over =
          machines_.runs_.try_emplace(id, Machines::Run{.spec = std::move(spec)}).first->second.end;
    }
    if (over) tell(*over);
  }
  void stop(AttemptId id) override {
    const std::lock_guard lock(machines_.mutex_);
    if (cut_) return;
    if (const auto run = machines_.runs_.find(id); run != machines_.runs_.end())
      run->second.stop_asked = true;
  }
  void forget(AttemptId id) override {
    const std::lock_guard lock(machines_.mutex_);
    if (!cut_) machines_.runs_.erase(id);
  }
  std::string output_file(AttemptId, int, std::string_view) const override { return "/dev/null"; }

  /// Ends what runs; the end is told now, or only remembered until somebody starts it again.
  void end(AttemptId id, Outcome outcome, std::int32_t code, Instant ended, bool told = true) {
    AttemptEnd how{.id = id, .outcome = outcome, .code = code, .ended = ended, .words = {}};
    {
      const std::lock_guard lock(machines_.mutex_);
      if (const auto run = machines_.runs_.find(id); run != machines_.runs_.end())
        run->second.end = how;
    }
    if (told) tell(how);
  }
  void tell(const AttemptEnd& how) {
    const std::lock_guard lock(listener_mutex_);
    if (listener_ && !cut_) listener_(how);
  }
  void cut() {
    const std::lock_guard lock(machines_.mutex_);
    cut_ = true;
  }

 private:
  Machines& machines_;
  std::atomic<bool> cut_ = false;
  std::mutex listener_mutex_;
  std::function<void(AttemptEnd)> listener_;
};

class MemoryHistory : public History {
 public:
  struct State {
    std::uint64_t watermark = 0;
    std::map<std::uint64_t, SettledJob> jobs;
    std::vector<ChargeRow> charges;
  };
  MemoryHistory() = default;
  explicit MemoryHistory(State state) : state_(std::move(state)) {}

  State state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  int clears() const { return clears_; }

  Result<void> follow(std::uint64_t sequence, std::span<const SettledJob> jobs,
                      std::span<const ChargeRow> charges) override {
    const std::lock_guard lock(mutex_);
    if (sequence <= state_.watermark) return {};
    for (const SettledJob& job : jobs) state_.jobs[job.job] = job;
    for (const ChargeRow& row : charges) {
      if (row.sequence > state_.watermark) state_.charges.push_back(row);
    }
    state_.watermark = sequence;
    return {};
  }
  Result<std::uint64_t> watermark() override {
    const std::lock_guard lock(mutex_);
    return state_.watermark;
  }
  Result<std::optional<SettledJob>> job(std::uint64_t id) override {
    const std::lock_guard lock(mutex_);
    const auto found = state_.jobs.find(id);
    if (found == state_.jobs.end()) return std::nullopt;
    return found->second;
  }
  Result<HistoryPage> jobs(const HistoryQuery&) override { return failed("not asked for here"); }
  Result<std::uint64_t> first_submitted(Instant) override { return failed("not asked for here"); }
  Result<std::vector<ChargeRow>> charges(const ChargeQuery&) override {
    return failed("not asked for here");
  }
  Result<Credits> charged(std::string_view, Instant, Instant) override {
    return failed("not asked for here");
  }
  Result<void> clear() override {
    const std::lock_guard lock(mutex_);
    state_ = {};
    ++clears_;
    return {};
  }

 private:
  mutable std::mutex mutex_;
  State state_;
  std::atomic<int> clears_ = 0;
};

/// A journal whose records a test may alter at will.
class RecordList final : public Journal {
 public:
  std::vector<Record> records;
  std::vector<Snapshot> snapshots;

  Result<void> append(std::span<const Record> more, std::span<const Blob>) override {
    records.insert(records.end(), more.begin(), more.end());
    return {};
  }
  Result<void> read(std::uint64_t from, const std::function<bool(const Record&)>& visit) override {
    for (std::size_t i = from == 0 ? 0 : from - 1; i < records.size(); ++i) {
      if (!visit(records[i])) break;
    }
    return {};
  }
  Result<std::optional<std::string>> blob(const Hash&) override { return std::nullopt; }
  Result<void> save_snapshot(const Snapshot& snapshot) override {
    snapshots.push_back(snapshot);
    return {};
  }
  Result<std::optional<Snapshot>> newest_snapshot() override {
    if (snapshots.empty()) return std::nullopt;
    return snapshots.back();
  }
};

}  // namespace tenbin
