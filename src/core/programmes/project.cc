#include "core/declare.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareProject& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  const OrganisationId organisation = find_name(world.index.organisations, c.organisation);
  if (!organisation) return std::unexpected(refuse(Reason::unknown_organisation));
  if (const ProjectId id = find_name(world.index.projects, c.name)) {
    const Project& p = world.projects.at(id);
    if (p.organisation != organisation) return differs(Thing::project, Property::organisation);
    return retitle(p, Thing::project, id, c.title, facts);
  }
  const ProjectId id = world.projects.next_id();
  facts.add(ProjectDeclared{id, facts.text(c.name), facts.text(c.title), organisation});
  return id.value;
}

void evolve(World& world, const ProjectDeclared& e, Instant) {
  Project project;
  project.name = e.name;
  project.title = e.title;
  project.organisation = e.organisation;
  const ProjectId id = world.projects.add(std::move(project));
  TENBIN_ASSERT(id == e.project);
  world.index.projects.emplace(e.name, id);
}

}  // namespace tenbin
