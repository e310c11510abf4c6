#include <algorithm>

#include "core/declare.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclarePerson& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  if (const PersonId id = find_name(world.index.persons, c.name)) {
    const Person& p = world.persons.at(id);
    return already(id, p.title == c.title && p.role == c.role);
  }
  const PersonId id = world.persons.next_id();
  facts.add(PersonDeclared{id, facts.text(c.name), facts.text(c.title), c.role});
  return id.value;
}

Decision decide(const World& world, const Asked&, const DeclareMember& c, Instant, Facts& facts) {
  const ProjectId project = find_name(world.index.projects, c.project);
  if (!project) return std::unexpected(refuse(Reason::unknown_project));
  const PersonId person = find_name(world.index.persons, c.person);
  if (!person) return std::unexpected(refuse(Reason::unknown_person));
  if (std::ranges::count(world.projects.at(project).members, person) > 0) return person.value;
  facts.add(MemberDeclared{project, person});
  return person.value;
}

void evolve(World& world, const PersonDeclared& e, Instant) {
  const PersonId id = world.persons.add(
      {.name = std::string(e.name), .title = std::string(e.title), .role = e.role});
  TENBIN_ASSERT(id == e.person);
  world.index.persons.emplace(e.name, id);
}

void evolve(World& world, const MemberDeclared& e, Instant) {
  world.projects.at(e.project).members.push_back(e.person);
}

}  // namespace tenbin
