#include "core/declare.h"

// Persons and their role in everything. There is always an officer who may sign in, once there was
// one. A person who is disabled may do nothing; the jobs belong to the projects and go on.

namespace tenbin {

namespace {

bool is_last_officer(const World& world, PersonId id) {
  const auto rules = [](const Person& p) { return p.role == Role::officer && !p.disabled; };
  if (!rules(world.persons.at(id))) return false;
  bool last = true;
  world.persons.each(
      [&](PersonId other, const Person& p) { last = last && (other == id || !rules(p)); });
  return last;
}

Decision set_disabled(const World& world, Text name, bool disabled, Facts& facts) {
  const PersonId id = find_name(world.index.persons, name);
  if (!id) return std::unexpected(refuse(Reason::unknown_person));
  const Person& p = world.persons.at(id);
  if (p.disabled == disabled) return id.value;
  if (disabled && is_last_officer(world, id)) return std::unexpected(refuse(Reason::last_officer));
  facts.add(PersonChanged{id, facts.text(p.title), p.role, disabled});
  return id.value;
}

}  // namespace

Decision decide(const World& world, const Asked&, const DeclarePerson& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  if (const PersonId id = find_name(world.index.persons, c.name)) {
    const Person& p = world.persons.at(id);
    if (c.role != Role::officer && is_last_officer(world, id))
      return std::unexpected(refuse(Reason::last_officer));
    if (p.title != c.title || p.role != c.role)
      facts.add(PersonChanged{id, facts.text(c.title), c.role, p.disabled});
    return id.value;
  }
  const PersonId id = world.persons.next_id();
  facts.add(PersonDeclared{id, facts.text(c.name), facts.text(c.title), c.role});
  return id.value;
}

Decision decide(const World& world, const Asked&, const DisablePerson& c, Instant, Facts& facts) {
  return set_disabled(world, c.person, true, facts);
}
Decision decide(const World& world, const Asked&, const EnablePerson& c, Instant, Facts& facts) {
  return set_disabled(world, c.person, false, facts);
}

void evolve(World& world, const PersonDeclared& e, Instant) {
  const PersonId id = world.persons.add(
      {.name = std::string(e.name), .title = std::string(e.title), .role = e.role});
  TENBIN_ASSERT(id == e.person);
  world.index.persons.emplace(e.name, id);
}

void evolve(World& world, const PersonChanged& e, Instant) {
  Person& person = world.persons.at(e.person);
  person.title = e.title;
  person.role = e.role;
  person.disabled = e.disabled;
}

}  // namespace tenbin
