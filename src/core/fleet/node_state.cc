#include "core/declare.h"
#include "core/fleet/room.h"

// A drained node takes nothing new; what runs there goes on. An evacuated one is drained, and what
// runs there is stopped by whoever drives the World, for as long as the node is evacuating: an
// attempt that ends without a cancel waits again at its old place and is not charged.

namespace tenbin {

namespace {

NodeId node_named(const World& world, Text name) {
  return find_name(world.index.nodes, name);
}

}  // namespace

Decision decide(const World& world, const Asked&, const DrainNode& c, Instant, Facts& facts) {
  const NodeId id = node_named(world, c.node);
  if (!id) return std::unexpected(refuse(Reason::unknown_node));
  if (world.nodes.at(id).state == NodeState::up) facts.add(NodeStateSet{id, NodeState::draining});
  return id.value;
}

Decision decide(const World& world, const Asked&, const ResumeNode& c, Instant, Facts& facts) {
  const NodeId id = node_named(world, c.node);
  if (!id) return std::unexpected(refuse(Reason::unknown_node));
  if (world.nodes.at(id).state != NodeState::up) facts.add(NodeStateSet{id, NodeState::up});
  return id.value;
}

Decision decide(const World& world, const Asked&, const EvacuateNode& c, Instant, Facts& facts) {
  const NodeId id = node_named(world, c.node);
  if (!id) return std::unexpected(refuse(Reason::unknown_node));
  if (world.nodes.at(id).state != NodeState::evacuating)
    facts.add(NodeStateSet{id, NodeState::evacuating});
  return id.value;
}

void evolve(World& world, const NodeStateSet& e, Instant) {
  set_state(world, e.node, e.state);
  // Room came or went: what was promised in this pool is worked out again.
  ++world.pools.at(world.nodes.at(e.node).pool).releases;
}

}  // namespace tenbin
