#pragma once

#include <span>
#include <string>
#include <vector>

#include "twin/compare.h"

namespace tenbin {

/// What a page is made of.
struct ReplayPage {
  std::string title;  // the trace's name
  bool japanese = false;
  bool dated = false;          // instants are dates
  bool limits = true;          // the trace has time limits of its own
  std::uint64_t left_out = 0;  // lines that could not be used
  std::vector<ReplayPool> pools;
  std::vector<NodeId> node_ids;  // of the nodes in `pools`, in their order; none: 1, 2, 3 ...
  const std::vector<std::string>& owners;
  std::span<const Replayed> replays = {};  // measured with jobs, places and course
};

/// One HTML page with charts in both languages, which needs nothing from elsewhere. What is drawn
/// is added up here, so that the page's size does not follow the trace's: some 1 MB, and at most
/// some 8 MB for 24 policies. Cost: n log n over the jobs, for each policy.
std::string replay_page(const ReplayPage& page);

}  // namespace tenbin
