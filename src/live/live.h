#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/histogram.h"
#include "base/log.h"
#include "codec/record.h"
#include "core/world.h"
#include "live/ports.h"

// The live driver: the wall clock turns the crank of one World.
//
//   owner      takes what waits in the mailbox, decides it and schedules once after it
//   committer  writes batch n in one transaction while n+1 is decided
//   publisher  only after the commit: evolves the reader's World, sends answers, starts and stops
//              work
//   follower   writes what is over into the history, and snapshots
//
// Kill it anywhere: what was answered is there, what was not may be and is then found by its
// request id. A failed commit ends the process; nothing uncommitted was visible to anyone.

namespace tenbin {

/// What one asked command came to, once it is durable.
struct Answer {
  Decision decision;
  Instant at;
  bool changed = false;  // something became true that was not before
};

/// A command on its way to the owner, with the memory that its texts lie in.
struct Message {
  Arena texts;
  Asked asked;
  std::optional<Blob> blob;  // written in the same transaction, if the command is accepted
  std::move_only_function<void(const Answer&)> reply;  // from the publisher's thread; may be empty
};

/// One record as it became visible, for who follows what happens. The spans live as long as the
/// call.
struct Published {
  std::uint64_t sequence = 0;
  Instant at;
  PersonId by;  // none: the service itself
  std::span<const Event> events;
  /// For each event, the project of the job that it is about, which may be gone by now; none if it
  /// is about no job.
  std::span<const ProjectId> projects;
};

struct LiveSettings {
  std::uint64_t snapshot_every = 200'000;  // records
  std::string quarantine_file;             // request ids that broke a promise; empty: none is kept
  /// Ends the process after a failed commit. Replaced in tests. Must not return.
  std::function<void(const Error&)> fatal;
  Log log;  // trouble that is nobody's answer; empty: dropped
};

/// What an operator watches, as it is at this moment. Counts are since the process began.
struct LiveFigures {
  std::uint64_t mailbox = 0;      // messages that wait for the owner
  std::uint64_t sequence = 0;     // of the last record that was published
  std::uint64_t history = 0;      // of the last record that the history has
  std::uint64_t snapshot = 0;     // of the last record that a snapshot has; 0: there is none
  Instant snapshot_at;            // when it was written or found; 0: never
  Span committing;                // for how long the present commit has taken; 0: none runs
  std::uint64_t clock_steps = 0;  // the wall clock moved by more than a second by itself
  LatencyFigures commit;          // of one transaction
  SizeFigures batch;              // messages decided together
  std::array<std::uint64_t, reason_table.size()> refused{};  // by Reason
};

class Live {
 public:
  /// Rebuilds the World from the newest snapshot and the records after it, checks the chain, and
  /// brings the history up to date.
  /// Errors: the journal cannot be read or is damaged, with the record's number.
  static Result<std::unique_ptr<Live>> open(Journal& journal, Executor& executor, History& history,
                                            Clock& clock, LiveSettings settings);
  ~Live();

  /// Opens a new epoch, takes up what runs, and begins to take messages.
  void start();
  /// Takes no more messages, answers those it has, writes a snapshot, joins. Work goes on running.
  void stop();

  /// Hands a message to the owner. Any thread. After stop() the reply is never called.
  void ask(Message message);

  /// Calls `use(world)` with the committed World. Any thread; keep it short: the publisher waits.
  template <class Use>
  auto read(Use&& use) const {
    const std::shared_lock lock(reader_mutex_);
    return use(static_cast<const World&>(reader_));
  }
  /// `watch(events, at)` is called from the publisher's thread after each commit. Set before
  /// start().
  void watch(std::function<void(std::span<const Event>, Instant)> watch) {
    watch_ = std::move(watch);
  }

  /// `watch(records, world)` is called from the publisher's thread after each commit, with the
  /// World in which they are true. Set before start().
  void watch_records(std::function<void(std::span<const Published>, const World&)> watch) {
    watch_records_ = std::move(watch);
  }

  std::uint64_t sequence() const;  // of the last record that was published
  /// Waits until the history has all that was published when it was called, so that who was told of
  /// a job's end finds it there. At most two seconds: a history that cannot be written lags behind,
  /// and then this is false.
  bool catch_up_history();
  Instant now() const { return clock_.now(); }
  LiveFigures figures() const;
  struct Recovery {
    std::uint64_t snapshot = 0;  // sequence of the snapshot used, 0 if none
    std::uint64_t records = 0;   // evolved after it
  };
  Recovery recovery() const { return recovery_; }
  Journal& journal() { return journal_; }
  History& history() { return history_; }
  Executor& executor() { return executor_; }

 private:
  struct Entry {
    Message message;
    Decision decision;
    std::size_t first = 0, last = 0;  // events of the batch
    std::uint64_t sequence = 0;       // 0: nothing to write
  };
  struct Batch {
    Instant at;
    Facts facts;
    std::vector<Entry> entries;
    Hash chain;                  // after its last record
    std::uint64_t sequence = 0;  // of its last record
  };
  struct Followed {
    std::uint64_t sequence = 0;
    std::vector<SettledJob> jobs;
    std::vector<ChargeRow> charges;
    std::unique_ptr<World> snapshot;  // to be saved once the history is that far
    Hash chain;
  };

  Live(Journal& journal, Executor& executor, History& history, Clock& clock, LiveSettings settings);
  Result<void> recover();
  void own();
  void commit();
  void publish();
  void follow();
  void decide_one(Batch& batch, Message message);
  Instant tick();
  Instant next_deadline() const;
  void ask_due(Batch& batch);
  void tell_executor(const Event& event, const World& world);
  void start_attempt(JobId id, const Job& job, const World& world);
  static void rows_of(const World& world, const Event& event, std::uint64_t sequence, Instant at,
                      Followed& rows);

  Journal& journal_;
  Executor& executor_;
  History& history_;
  Clock& clock_;
  LiveSettings settings_;
  Recovery recovery_;
  std::function<void(std::span<const Event>, Instant)> watch_;
  std::function<void(std::span<const Published>, const World&)> watch_records_;

  World world_;  // the owner's
  std::set<RequestId> quarantined_;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t asked_due_ = 0;
  Instant requests_forgotten_;
  Instant looked_;  // when it last decided

  mutable std::shared_mutex reader_mutex_;
  World reader_;

  mutable std::mutex mutex_;
  std::condition_variable mail_, committing_, publishing_, following_;
  std::deque<Message> mailbox_;
  std::unique_ptr<Batch> to_commit_;
  std::deque<std::unique_ptr<Batch>> to_publish_;
  std::vector<std::unique_ptr<Batch>> spare_;
  std::deque<Followed> to_follow_;
  bool stopping_ = false, owner_done_ = false, committer_done_ = false, publisher_done_ = false;
  Hash chain_;                        // the committer's
  std::uint64_t snapshot_asked_ = 0;  // the publisher's
  std::uint64_t committed_ = 0;       // published
  std::uint64_t followed_ = 0;        // in the history
  std::condition_variable caught_up_;
  std::vector<std::thread> threads_;

  LatencyHistogram commit_us_;
  SizeHistogram batch_sizes_;
  std::array<std::atomic<std::uint64_t>, reason_table.size()> refused_{};
  std::atomic<std::int64_t> commit_began_us_ = 0;  // steady; 0: none runs
  std::atomic<std::uint64_t> clock_steps_ = 0, snapshot_saved_ = 0;
  std::atomic<std::int64_t> snapshot_saved_ms_ = 0;
  std::int64_t wall_seen_ms_ = 0, steady_seen_ms_ = 0;  // the owner's
};

}  // namespace tenbin
