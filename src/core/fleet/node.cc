#include "core/declare.h"
#include "core/fleet/room.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareNode& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, {})) return std::unexpected(*refused);
  const PoolId pool = find_name(world.index.pools, c.pool);
  if (!pool) return std::unexpected(refuse(Reason::unknown_pool));
  if (world.pools.at(pool).kind == PoolKind::counted)
    return std::unexpected(refuse(Reason::pool_is_counted));
  if (const NodeId id = find_name(world.index.nodes, c.name)) {
    const Node& n = world.nodes.at(id);
    if (n.pool != pool) return differs(Thing::node, Property::pool);
    if (n.first_device != c.first_device) return differs(Thing::node, Property::first_device);
    return id.value;
  }
  const NodeId id = world.nodes.next_id();
  facts.add(NodeDeclared{id, facts.text(c.name), pool, c.first_device});
  return id.value;
}

void evolve(World& world, const NodeDeclared& e, Instant) {
  Node node;
  node.name = e.name;
  node.pool = e.pool;
  node.first_device = e.first_device;
  const NodeId id = world.nodes.add(std::move(node));
  TENBIN_ASSERT(id == e.node);
  world.index.nodes.emplace(e.name, id);
  join_pool(world, id);
  ++world.pools.at(e.pool).releases;
}

}  // namespace tenbin
