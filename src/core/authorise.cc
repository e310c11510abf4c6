#include "core/authorise.h"

#include <algorithm>

#include "core/declare.h"
#include "core/jobs/tasks.h"

// Who may do what, in one place.

namespace tenbin {

namespace {

bool is_member(const World& world, ProjectId project, PersonId person) {
  const Project* p = world.projects.find(project);
  return p && std::ranges::count(p->members, person) > 0;
}

}  // namespace

bool may(const World& world, PersonId by, const Command& command) {
  if (!by) return true;
  const Person* person = world.persons.find(by);
  if (!person) return false;
  const bool officer = person->role == Role::officer;
  const bool operates = officer || person->role == Role::operator_;

  struct Rule {
    const World& world;
    PersonId by;
    const Person& person;
    bool officer, operates;

    // The programme officer's.
    bool operator()(const DeclareFunder&) const { return officer; }
    bool operator()(const DeclareProgramme&) const { return officer; }
    bool operator()(const DeclareOrganisation&) const { return officer; }
    bool operator()(const DeclareGrant&) const { return officer; }
    bool operator()(const DeclareLot&) const { return officer; }
    bool operator()(const DeclareProject&) const { return officer; }
    bool operator()(const DeclareAllocation&) const { return officer; }
    bool operator()(const DeclarePerson&) const { return officer; }
    bool operator()(const DeclareMember&) const { return officer; }
    bool operator()(const SetPrice&) const { return officer; }
    bool operator()(const SetPolicy&) const { return officer; }
    // Tokens: the officer's, and one's own.
    bool operator()(const CreateToken& c) const { return officer || c.person == person.name; }
    bool operator()(const RevokeToken& c) const {
      const Token* token = world.tokens.find(c.token);
      return officer || (token && token->person == by);
    }
    // The fleet operator's.
    bool operator()(const DeclareProvider&) const { return operates; }
    bool operator()(const DeclareRegion&) const { return operates; }
    bool operator()(const DeclarePool&) const { return operates; }
    bool operator()(const DeclareNode&) const { return operates; }
    bool operator()(const DrainNode&) const { return operates; }
    bool operator()(const ResumeNode&) const { return operates; }
    bool operator()(const LoseNode&) const { return operates; }
    // Jobs: of members of the project; the operator may stop any.
    bool operator()(const SubmitJob& c) const {
      return officer || is_member(world, find_name(world.index.projects, c.project), by);
    }
    bool operator()(const CancelJob& c) const { return may_change(c.job); }
    bool operator()(const HoldJob& c) const { return may_change(c.job); }
    bool operator()(const ReleaseJob& c) const { return may_change(c.job); }
    bool may_change(JobId job) const {
      const ProjectId project = project_of(world, job);
      return operates || !project || is_member(world, project, by);
    }
    // The service's own.
    bool operator()(const ExpireLot&) const { return false; }
    bool operator()(const ReportEnd&) const { return false; }
    bool operator()(const OpenEpoch&) const { return false; }
    bool operator()(const ForgetRequests&) const { return false; }
    bool operator()(const Schedule&) const { return false; }
  };
  return std::visit(Rule{world, by, *person, officer, operates}, command);
}

}  // namespace tenbin
