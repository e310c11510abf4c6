#pragma once

#include <memory>

#include "core/types.h"

namespace tenbin {

struct Job;
class Scores;

/// What placement has worked out about nodes and need not work out again while they stay as they
/// are. Derived: a copy of a World begins without it, and every answer is the same without it.
/// While the policy places by best fit, or nothing has been placed yet, there is none and every
/// call here is one comparison.
class PlacementMemo {
 public:
  PlacementMemo();
  ~PlacementMemo();
  PlacementMemo(const PlacementMemo&);
  PlacementMemo(PlacementMemo&&) noexcept;
  PlacementMemo& operator=(const PlacementMemo&);
  PlacementMemo& operator=(PlacementMemo&&) noexcept;

  // Upkeep, for evolve.
  void forget() {  // the fleet or the policy has changed
    if (scores_) drop();
  }
  void changed(NodeId node) {
    if (scores_) note(node);
  }
  void came(const Job& job) {  // with its slices
    if (scores_) count(job, +1);
  }
  void went(const Job& job) {
    if (scores_) count(job, -1);
  }

 private:
  friend class Placer;
  void drop();
  void note(NodeId node);
  void count(const Job& job, int by);
  std::unique_ptr<Scores> scores_;
};

}  // namespace tenbin
