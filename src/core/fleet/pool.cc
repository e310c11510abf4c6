#include "core/declare.h"
#include "core/fleet/room.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclarePool& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, {})) return std::unexpected(*refused);
  const ProviderId provider = find_name(world.index.providers, c.provider);
  if (!provider) return std::unexpected(refuse(Reason::unknown_provider));
  const RegionId region = find_name(world.index.regions, c.region);
  if (!region) return std::unexpected(refuse(Reason::unknown_region));
  if (!valid_name(c.gpu_model)) return std::unexpected(refuse(Reason::name_invalid));
  const bool nodes_fit = c.gpus_per_node >= 1 && c.gpus_per_node <= gpus_per_node_max &&
                         c.cpus >= Cpus{0} && c.cpus <= cpus_max && c.memory >= Memory{0} &&
                         c.memory <= memory_max && c.counted == Gpus{0};
  const bool count_fits = c.counted > Gpus{0} && c.counted <= gpus_max && c.gpus_per_node == 0 &&
                          c.cpus == Cpus{0} && c.memory == Memory{0};
  if (!(c.kind == PoolKind::nodes ? nodes_fit : count_fits)) {
    return std::unexpected(refuse(Reason::node_shape_invalid, gpus_per_node_max));
  }
  GpuModelId model = find_name(world.index.models, c.gpu_model);
  if (const PoolId id = find_name(world.index.pools, c.name)) {
    const Pool& p = world.pools.at(id);
    if (p.provider != provider) return differs(Thing::pool, Property::provider);
    if (p.region != region) return differs(Thing::pool, Property::region);
    if (p.model != model) return differs(Thing::pool, Property::gpu_model);
    if (p.kind != c.kind || p.gpus_per_node != c.gpus_per_node || p.cpus != c.cpus ||
        p.memory != c.memory || p.counted != c.counted) {
      return differs(Thing::pool, Property::node_size);
    }
    return id.value;
  }
  if (world.pools.size() >= pools_max || (!model && world.models.size() >= gpu_models_max)) {
    return std::unexpected(refuse(Reason::too_many, static_cast<std::int64_t>(pools_max)));
  }

  if (!model) {
    model = world.models.next_id();
    facts.add(GpuModelSeen{model, facts.text(c.gpu_model)});
  }
  const PoolId id = world.pools.next_id();
  facts.add(PoolDeclared{.pool = id,
                         .name = facts.text(c.name),
                         .provider = provider,
                         .region = region,
                         .model = model,
                         .kind = c.kind,
                         .gpus_per_node = c.gpus_per_node,
                         .cpus = c.cpus,
                         .memory = c.memory,
                         .counted = c.counted});
  return id.value;
}

void evolve(World& world, const GpuModelSeen& e, Instant) {
  const GpuModelId id = world.models.add({.name = std::string(e.name)});
  TENBIN_ASSERT(id == e.model);
  world.index.models.emplace(e.name, id);
}

void evolve(World& world, const PoolDeclared& e, Instant) {
  Pool pool;
  pool.name = e.name;
  pool.provider = e.provider;
  pool.region = e.region;
  pool.model = e.model;
  pool.kind = e.kind;
  pool.gpus_per_node = e.gpus_per_node;
  pool.cpus = e.cpus;
  pool.memory = e.memory;
  pool.counted = e.counted;
  open_pool(pool);
  const PoolId id = world.pools.add(std::move(pool));
  TENBIN_ASSERT(id == e.pool);
  world.index.pools.emplace(e.name, id);
  world.index.placements.forget();
}

}  // namespace tenbin
