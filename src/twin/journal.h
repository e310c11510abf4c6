#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/facts.h"
#include "twin/replay.h"

// A live service's journal as a trace: what came from outside is taken out of it and played again,
// under its own policy and fleet or under others.

namespace tenbin {

/// Gives every record of a journal, from the first on, until `visit` returns false.
using RecordVisit = std::function<bool(std::uint64_t sequence, Instant at, std::string_view body)>;
using RecordReader = std::function<Result<void>(const RecordVisit& visit)>;

/// What a journal says about how things went, ready to be replayed by any number of threads.
class JournalHistory {
 public:
  /// Cost: every record is decoded once; the commands stay in memory.
  static Result<std::unique_ptr<JournalHistory>> read(const RecordReader& reader);

  struct Changed {
    std::optional<Policy> policy;      // instead of every policy that was set
    std::optional<ReplayFleet> fleet;  // instead of pools, nodes, prices and what became of nodes
  };
  /// Whether a replay under `changed` is one of what really was.
  bool as_it_was(const Changed& changed) const;

  /// Replays it in `world`, which must be new. As it was: all commands keep their journal order and
  /// its `Schedule` records their places, so that the same is decided. Else: there is one
  /// `Schedule` at the end of every instant at which something happened; submissions that were
  /// refused are left out, losses that only an executor told of do not happen again, and a cancel
  /// which met a running job comes after as long a run as it did.
  /// An attempt runs as long as it really did; one that never ended gets its time limit.
  Result<ReplayRun> replay(World& world, const Changed& changed, ReplayWatch* watch,
                           ReplayControl* control) const;

  /// Names as jobs in the watch have them: owners are projects, users people.
  const TraceNames& names() const { return names_; }
  /// The fleet that the journal declares, as it was in the end, in the order of the pools' ids.
  const std::vector<ReplayPool>& pools() const { return pools_; }
  /// The ids of the nodes in `pools`, in their order.
  const std::vector<NodeId>& node_ids() const { return node_ids_; }
  Policy policy() const { return policy_; }  // the last one
  std::uint64_t records() const { return records_.size(); }
  std::uint64_t jobs() const { return jobs_; }

 private:
  friend class JournalReplay;

  /// A record and what its command really came to.
  struct Entry {
    std::uint64_t sequence = 0;
    Instant at;
    Asked asked;
    std::uint64_t first = 0;  // of a submission that was accepted: the first id, and how many
    std::uint64_t ids = 0;
    bool ends = false;     // it ended an attempt
    bool stopped = false;  // of a cancel: it met a running job
    Span after_start;      // and so long after that had started
  };
  /// How an attempt really ended.
  struct Ending {
    std::uint64_t sequence = 0;
    std::uint32_t attempt = 0;
    std::uint64_t entry = 0;  // its record
    Span ran;                 // from the record of its start to that of its end
    Span ended;               // from the record of its start to when the executor says it ended
    EndKind kind = EndKind::lost;
    std::int32_t code = 0;
  };

  std::vector<Entry> records_;
  Facts texts_;                                                     // what the commands point into
  std::unordered_map<std::uint64_t, std::vector<Ending>> endings_;  // by job, in order of attempts
  TraceNames names_;
  std::vector<ReplayPool> pools_;
  std::vector<NodeId> node_ids_;
  Policy policy_;
  bool one_policy_ = true;  // it never changed after the first job
  std::uint64_t jobs_ = 0;
};

}  // namespace tenbin
