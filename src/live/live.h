#pragma once

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

#include "codec/record.h"
#include "core/world.h"
#include "live/ports.h"

// The live driver: the wall clock turns the crank of one World.
//
//   owner      takes what waits in the mailbox, decides it and schedules once after it
//   committer  writes batch n in one transaction while n+1 is decided
//   publisher  only after the commit: evolves the reader's World, sends answers, starts and stops
//   work follower   writes what is over into the history, and snapshots
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

struct LiveSettings {
  std::uint64_t snapshot_every = 200'000;  // records
  std::string quarantine_file;             // request ids that broke a promise; empty: none is kept
  /// Ends the process after a failed commit. Replaced in tests. Must not return.
  std::function<void(const Error&)> fatal;
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

  std::uint64_t sequence() const;  // of the last record that was published
  /// Waits until the history has all that was published when it was called, so that who was told of
  /// a job's end finds it there. At most two seconds: a history that cannot be written lags behind,
  /// and then this is false.
  bool catch_up_history();
  Instant now() const { return clock_.now(); }
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

  World world_;  // the owner's
  std::set<RequestId> quarantined_;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t asked_due_ = 0;
  Instant requests_forgotten_;

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
};

}  // namespace tenbin
