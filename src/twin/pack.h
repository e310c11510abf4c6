#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "core/world.h"
#include "twin/trace.h"

namespace tenbin {

// The packing experiment of FGD (Weng et al., USENIX ATC 2023): jobs only arrive, in an order drawn
// with a seed, until they have asked for more than the fleet has; a job that fits nowhere when it
// arrives is dropped. How much of the fleet is given away then, and how much of the rest is of no
// use, tells placements apart. Times do not matter.
//
// Ties between nodes go to a fixed order, and which one matters: in the order of openb's list,
// which puts like nodes side by side, jobs that score alike everywhere (such as those without GPUs)
// pile up on one kind of node. The published figures come out with an order drawn with the seed,
// once for each run (docs/results.md).

struct PackOptions {
  Placement placement = Placement::fragmentation;
  std::uint64_t seed = 42;              // of the orders, and of random placement
  std::uint64_t until_ppm = 1'300'000;  // of the fleet's GPUs are asked for
  std::uint64_t cover_ppm = 950'000;    // of the jobs are of a kind that is got ready for
  bool japanese = false;                // the language of errors
};

/// The fleet as jobs have arrived that want so many per cent of its GPUs: the mean over the
/// arrivals within half a per cent.
struct PackPoint {
  std::uint32_t arrived = 0;
  double allocated = 0, fragmented = 0;  // per cent of the fleet's GPUs
};

struct PackResult {
  std::vector<PackPoint> points;  // 0, 1, ... per cent; where no job arrived, the one before
  std::uint64_t nodes = 0, nodes_without_gpu = 0;
  Gpus capacity;
  std::uint64_t arrived = 0, placed = 0;  // jobs
  std::uint64_t targets = 0;
  std::uint64_t events = 0, history = 0;  // of the World
};

/// Runs it through a whole World: each job is submitted, holds its credit, is scheduled, and is
/// cancelled if it did not start at once. Nodes without a GPU are left out. Errors: no node with a
/// GPU, more than pools_max kinds of nodes, no job that wants a GPU.
Result<PackResult> pack(const std::vector<FleetNode>& nodes, const std::vector<TraceJob>& jobs,
                        const TraceNames& names, const PackOptions& options);

/// The placement of a name as the papers have it (bestfit, dotprod, fgd, ...) or as Placement has.
std::optional<Placement> packing_policy(std::string_view name);
/// The names to offer.
std::vector<std::string_view> packing_policies();

}  // namespace tenbin
