#include "core/declare.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareRegion& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  if (const auto id = find_name(world.index.regions, c.name)) {
    return already(id, world.regions.at(id).title == c.title);
  }
  if (world.regions.size() >= regions_max) {
    return std::unexpected(refuse(Reason::too_many, static_cast<std::int64_t>(regions_max)));
  }
  const auto id = world.regions.next_id();
  facts.add(RegionDeclared{id, facts.text(c.name), facts.text(c.title)});
  return id.value;
}

void evolve(World& world, const RegionDeclared& e, Instant) {
  const auto id = world.regions.add({.name = std::string(e.name), .title = std::string(e.title)});
  TENBIN_ASSERT(id == e.region);
  world.index.regions.emplace(e.name, id);
}

}  // namespace tenbin
