#include "core/declare.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareProgramme& c, Instant,
                Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  if (const auto id = find_name(world.index.programmes, c.name)) {
    return already(id, world.programmes.at(id).title == c.title);
  }
  const auto id = world.programmes.next_id();
  facts.add(ProgrammeDeclared{id, facts.text(c.name), facts.text(c.title)});
  return id.value;
}

void evolve(World& world, const ProgrammeDeclared& e, Instant) {
  const auto id =
      world.programmes.add({.name = std::string(e.name), .title = std::string(e.title)});
  TENBIN_ASSERT(id == e.programme);
  world.index.programmes.emplace(e.name, id);
}

}  // namespace tenbin
