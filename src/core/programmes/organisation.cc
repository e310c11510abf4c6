#include "core/declare.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareOrganisation& c, Instant,
                Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  if (const auto id = find_name(world.index.organisations, c.name)) {
    return already(id, world.organisations.at(id).title == c.title);
  }
  const auto id = world.organisations.next_id();
  facts.add(OrganisationDeclared{id, facts.text(c.name), facts.text(c.title)});
  return id.value;
}

void evolve(World& world, const OrganisationDeclared& e, Instant) {
  const auto id =
      world.organisations.add({.name = std::string(e.name), .title = std::string(e.title)});
  TENBIN_ASSERT(id == e.organisation);
  world.index.organisations.emplace(e.name, id);
}

}  // namespace tenbin
