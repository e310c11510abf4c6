#include <algorithm>

#include "core/declare.h"

// The roles of persons in one project or one programme. A role can be given again as another, and
// taken away; jobs of a person who has left go on, they belong to the project.

namespace tenbin {

namespace {

struct Place {
  ProjectId project;
  ProgrammeId programme;
  PersonId person;
};

/// What the three names say, exactly one of the first two given.
std::expected<Place, Reason> place_of(const World& world, Text project, Text programme,
                                      Text person) {
  if (project.empty() == programme.empty()) return std::unexpected(Reason::scope_invalid);
  Place place;
  if (programme.empty()) {
    place.project = find_name(world.index.projects, project);
    if (!place.project) return std::unexpected(Reason::unknown_project);
  } else {
    place.programme = find_name(world.index.programmes, programme);
    if (!place.programme) return std::unexpected(Reason::unknown_programme);
  }
  place.person = find_name(world.index.persons, person);
  if (!place.person) return std::unexpected(Reason::unknown_person);
  return place;
}

template <class SomeWorld>
auto& members_of(SomeWorld& world, ProjectId project, ProgrammeId programme) {
  return project ? world.projects.at(project).members : world.programmes.at(programme).members;
}

bool has_role(ProjectId project, ScopedRole role) {
  return project ? role != ScopedRole::officer
                 : role == ScopedRole::officer || role == ScopedRole::auditor;
}

}  // namespace

Decision decide(const World& world, const Asked&, const DeclareMember& c, Instant, Facts& facts) {
  const auto place = place_of(world, c.project, c.programme, c.person);
  if (!place) return std::unexpected(refuse(place.error()));
  if (!has_role(place->project, c.role)) return std::unexpected(refuse(Reason::role_invalid));
  const Members& members = members_of(world, place->project, place->programme);
  const auto member = std::ranges::find(members, place->person, &Membership::person);
  if (member == members.end() || member->role != c.role)
    facts.add(MemberDeclared{place->project, place->person, c.role, place->programme});
  return place->person.value;
}

Decision decide(const World& world, const Asked&, const RemoveMember& c, Instant, Facts& facts) {
  const auto place = place_of(world, c.project, c.programme, c.person);
  if (!place) return std::unexpected(refuse(place.error()));
  const Members& members = members_of(world, place->project, place->programme);
  if (std::ranges::count(members, place->person, &Membership::person) > 0)
    facts.add(MemberRemoved{place->project, place->person, place->programme});
  return place->person.value;
}

void evolve(World& world, const MemberDeclared& e, Instant) {
  Members& members = members_of(world, e.project, e.programme);
  const auto member = std::ranges::find(members, e.person, &Membership::person);
  if (member == members.end()) {
    members.push_back({e.person, e.role});
  } else {
    member->role = e.role;
  }
}

void evolve(World& world, const MemberRemoved& e, Instant) {
  std::erase_if(members_of(world, e.project, e.programme),
                [&](const Membership& m) { return m.person == e.person; });
}

}  // namespace tenbin
