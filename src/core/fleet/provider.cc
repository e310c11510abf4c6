#include "core/declare.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareProvider& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  if (const auto id = find_name(world.index.providers, c.name)) {
    return already(id, world.providers.at(id).title == c.title);
  }
  const auto id = world.providers.next_id();
  facts.add(ProviderDeclared{id, facts.text(c.name), facts.text(c.title)});
  return id.value;
}

void evolve(World& world, const ProviderDeclared& e, Instant) {
  const auto id = world.providers.add({.name = std::string(e.name), .title = std::string(e.title)});
  TENBIN_ASSERT(id == e.provider);
  world.index.providers.emplace(e.name, id);
}

}  // namespace tenbin
