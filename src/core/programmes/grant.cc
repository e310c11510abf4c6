#include "core/authorise.h"
#include "core/declare.h"

// One award of a programme to an organisation. Its money comes in lots.

namespace tenbin {

Decision decide(const World& world, const Asked& asked, const DeclareGrant& c, Instant,
                Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  const ProgrammeId programme = find_name(world.index.programmes, c.programme);
  if (!programme) return std::unexpected(refuse(Reason::unknown_programme));
  const OrganisationId organisation = find_name(world.index.organisations, c.organisation);
  if (!organisation) return std::unexpected(refuse(Reason::unknown_organisation));
  if (const GrantId id = find_name(world.index.grants, c.name)) {
    const Grant& g = world.grants.at(id);
    if (!may_see(world, asked.by, Question::programme, {.programme = g.programme}))
      return std::unexpected(refuse(Reason::name_in_use));
    if (g.programme != programme) return differs(Thing::grant, Property::programme);
    if (g.organisation != organisation) return differs(Thing::grant, Property::organisation);
    return retitle(g, Thing::grant, id, c.title, facts);
  }
  const GrantId id = world.grants.next_id();
  facts.add(GrantDeclared{id, facts.text(c.name), facts.text(c.title), programme, organisation});
  return id.value;
}

void evolve(World& world, const GrantDeclared& e, Instant) {
  const GrantId id = world.grants.add({.name = std::string(e.name),
                                       .title = std::string(e.title),
                                       .programme = e.programme,
                                       .organisation = e.organisation});
  TENBIN_ASSERT(id == e.grant);
  world.index.grants.emplace(e.name, id);
}

}  // namespace tenbin
