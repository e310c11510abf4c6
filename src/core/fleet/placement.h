#pragma once

#include "core/fleet/fragment.h"
#include "core/fleet/room.h"

// Which of the nodes with room a job is given, if not by best fit. Every placement gives each node
// a whole number; the highest wins, and the lowest node among equals (that ties fall to a fixed
// order is part of the definitions: breaking them at random costs placement by fragmentation
// several per cent of the fleet). G and C are the GPUs and CPUs of the largest node of the fleet; g
// and c what one member asks for; G' and C' what the node has free before.
//
//   random         a number drawn for (seed, job, attempt, node)
//   dot_product    100 (1 - (g/G x G'/G + c/C x C'/C) / 2), rounded down
//   clustering     25 (G - G') / G, rounded down; and 75 if jobs of this size alone are there
//                  ("size": a fraction, or so many GPUs), 50 if others are too, 25 if none with
//                  GPUs
//   packing        shared GPUs: 100 less a tenth of their free per cent, at least 50; else a used
//                  node: 50 less the free GPUs taken, at least 33; else 33 less its GPUs, at least
//                  their number
//   fragmentation  100 / (1 + e^-x), rounded down; x: by how many GPUs the node's fragment shrinks
//   tightest       100 (1 - ((G' - g)/G + (C' - c)/C) / 2), rounded down
//
// A job without GPUs scores 0 everywhere under clustering and packing. On the node, whole GPUs are
// the lowest free ones; a fraction goes to the device with the least free that has room, under
// `random` to any, under `fragmentation` to the one with the highest score; the lowest among
// equals.

namespace tenbin {

/// What one member asks of a node.
struct MemberAsk {
  Gpus gpus;
  Cpus cpus;
  Memory memory;
};

/// Whose place is looked for: the random placement draws for it.
struct Draw {
  JobId job;
  std::uint32_t attempt = 0;
};

/// How good the place is; comparable between pools.
struct PlaceScore {
  std::int64_t score = 0;
  NodeId first;  // the lowest node

  bool better_than(const PlaceScore& other) const {
    return score != other.score ? score > other.score : first < other.first;
  }
};

/// find_room under any placement. Members of a gang go to the nodes with the highest scores, each
/// scored as if it came alone; they lie in that order. A bare count above a node's GPUs takes
/// wholly free nodes that way and then a node for the rest. Under best_fit the score is 0 and the
/// node none. Cost: the nodes of the pool, and their scores where a node has changed since one was
/// last worked out for the same GPUs and CPUs.
bool place(const World& world, PlacementMemo& memo, const Pool& pool, const Shape& shape, Draw draw,
           std::span<const NodeId> avoid, Slices& slices, PlaceScore& score);

}  // namespace tenbin
