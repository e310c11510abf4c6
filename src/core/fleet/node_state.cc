#include "core/declare.h"
#include "core/fleet/room.h"
#include "core/jobs/attempt.h"

// A drained node takes nothing new; what runs there goes on. A lost node ends what ran there: those
// jobs wait again at their old places and are not charged.

namespace tenbin {

namespace {

NodeId node_named(const World& world, Text name) {
  return find_name(world.index.nodes, name);
}

}  // namespace

Decision decide(const World& world, const Asked&, const DrainNode& c, Instant, Facts& facts) {
  const NodeId id = node_named(world, c.node);
  if (!id) return std::unexpected(refuse(Reason::unknown_node));
  const NodeState state = world.nodes.at(id).state;
  if (state == NodeState::lost) return std::unexpected(refuse(Reason::node_not_up));
  if (state == NodeState::up) facts.add(NodeStateSet{id, NodeState::draining});
  return id.value;
}

Decision decide(const World& world, const Asked&, const ResumeNode& c, Instant, Facts& facts) {
  const NodeId id = node_named(world, c.node);
  if (!id) return std::unexpected(refuse(Reason::unknown_node));
  if (world.nodes.at(id).state != NodeState::up) facts.add(NodeStateSet{id, NodeState::up});
  return id.value;
}

Decision decide(const World& world, const Asked&, const LoseNode& c, Instant now, Facts& facts) {
  const NodeId id = node_named(world, c.node);
  if (!id) return std::unexpected(refuse(Reason::unknown_node));
  const Node& node = world.nodes.at(id);
  if (node.state == NodeState::lost) return id.value;
  facts.add(NodeStateSet{id, NodeState::lost});
  for (const JobId job : running_on(world, id)) {
    lose_attempt(world, job, world.jobs.at(job), now, now, facts);
  }
  return id.value;
}

void evolve(World& world, const NodeStateSet& e, Instant) {
  set_state(world, e.node, e.state);
  // Room came or went: what was promised in this pool is worked out again.
  ++world.pools.at(world.nodes.at(e.node).pool).releases;
}

}  // namespace tenbin
