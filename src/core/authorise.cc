#include "core/authorise.h"

#include <algorithm>

#include "core/declare.h"
#include "core/jobs/tasks.h"

namespace tenbin {

namespace {

// ---- the table ----

constexpr std::uint16_t bit(Column column) {
  return static_cast<std::uint16_t>(1u << static_cast<unsigned>(column));
}
constexpr std::uint16_t anyone = bit(Column::anyone), auditor = bit(Column::auditor),
                        operates = bit(Column::operator_), officer = bit(Column::officer),
                        service = bit(Column::service),
                        programme_auditor = bit(Column::programme_auditor),
                        programme_officer = bit(Column::programme_officer),
                        project_auditor = bit(Column::project_auditor),
                        member = bit(Column::project_member), lead = bit(Column::project_lead),
                        own = bit(Column::own);
// Who works in a project, who sees it, and who sees a programme.
constexpr std::uint16_t works = member | lead, in_project = works | project_auditor,
                        in_programme = programme_auditor | programme_officer;

constexpr std::array<Right, operations> table{{
    {"DeclareFunder", officer},
    {"DeclareProgramme", officer},
    {"DeclareOrganisation", officer},
    {"DeclareGrant", officer | programme_officer},
    {"DeclareLot", officer | programme_officer},
    {"DeclareProject", officer},
    {"DeclareAllocation", officer | programme_officer},
    {"ExpireLot", service},
    {"DeclarePerson", officer},
    {"DeclareMember", officer | lead},
    {"CreateToken", officer | own},
    {"RevokeToken", officer | own},
    {"DeclareProvider", officer | operates},
    {"DeclareRegion", officer | operates},
    {"DeclarePool", officer | operates},
    {"DeclareNode", officer | operates},
    {"SetPrice", officer},
    {"DrainNode", officer | operates},
    {"ResumeNode", officer | operates},
    {"EvacuateNode", officer | operates},
    {"SubmitJob", officer | works},
    {"CancelJob", officer | operates | lead | own},
    {"HoldJob", officer | operates | lead | own},
    {"ReleaseJob", officer | operates | lead | own},
    {"ReportEnd", service},
    {"SetPolicy", officer},
    {"OpenEpoch", service},
    {"ForgetRequests", service},
    {"Schedule", service},
    {"RemoveMember", officer | lead},
    {"DisablePerson", officer},
    {"EnablePerson", officer},
    // ---- questions ----
    {"fleet", anyone},
    {"policy", anyone},
    {"project", officer | auditor | operates | in_programme | in_project},
    {"members", officer | auditor | in_project},
    {"credit", officer | auditor | in_programme | in_project},
    {"jobs", officer | auditor | operates | in_project},
    {"work", works | own},
    {"quote", officer | works},
    {"programme", officer | auditor | in_programme},
    {"allocation", officer | auditor | in_programme | in_project},
    {"organisations", officer | auditor | in_programme},
    {"funders", officer | auditor},
    {"spending", officer | auditor | in_programme},
    {"person", officer | auditor | own},
    {"tokens", officer | auditor | own},
    {"journal", officer | auditor},
}};

static_assert(
    [] {
      for (std::size_t i = 0; i < table.size(); ++i) {
        constexpr std::size_t commands = command_names.size();
        const std::string_view name =
            i < commands ? command_names[i] : enum_names(Question{})[i - commands];
        if (table[i].operation != name) return false;
      }
      return true;
    }(),
    "every command and every question has its row, in their order");

const Right& right_to(const Command& command) {
  return table[command.index()];
}
const Right& right_to(Question question) {
  return table[command_names.size() + static_cast<std::size_t>(question)];
}

// ---- what one is ----

std::uint16_t column_of(Role role) {
  switch (role) {
    case Role::member: return 0;
    case Role::auditor: return auditor;
    case Role::operator_: return operates;
    case Role::officer: return officer;
  }
  return 0;
}

std::uint16_t project_column(const Members& members, PersonId person) {
  const auto m = std::ranges::find(members, person, &Membership::person);
  if (m == members.end()) return 0;
  return m->role == ScopedRole::lead     ? lead
         : m->role == ScopedRole::member ? member
                                         : project_auditor;
}
std::uint16_t programme_column(const Members& members, PersonId person) {
  const auto m = std::ranges::find(members, person, &Membership::person);
  if (m == members.end()) return 0;
  return m->role == ScopedRole::officer ? programme_officer : programme_auditor;
}

std::uint16_t programme_columns(const World& world, PersonId by, const Scope& scope) {
  if (scope.programme) return programme_column(world.programmes.at(scope.programme).members, by);
  std::uint16_t held = 0;
  if (scope.project) {
    for (const ShareId share : world.projects.at(scope.project).shares) {
      const Lot& lot = world.lots.at(world.shares.at(share).lot);
      const ProgrammeId programme = world.grants.at(lot.grant).programme;
      held |= programme_column(world.programmes.at(programme).members, by);
    }
  } else {
    world.programmes.each(
        [&](ProgrammeId, const Programme& p) { held |= programme_column(p.members, by); });
  }
  return held;
}

bool has_right(const World& world, PersonId by, const Right& right, const Scope& scope) {
  if (!by) return true;  // the service itself
  const Person* person = world.persons.find(by);
  if (!person || person->disabled) return false;
  std::uint16_t held = anyone | column_of(person->role);
  if (held & right.who) return true;
  if (scope.project && (right.who & (in_project | own)) != 0)
    held |= project_column(world.projects.at(scope.project).members, by);
  if (right.who & in_programme) held |= programme_columns(world, by, scope);
  // What one made in a project is one's own as long as one may still work there.
  if (scope.owner == by && (!scope.project || (held & (works | officer)) != 0)) held |= own;
  return (held & right.who) != 0;
}

/// Whether there is anything at all that this person may do this to.
bool anywhere(const World& world, PersonId by, const Right& right) {
  if ((right.who & own) != 0 && (right.who & works) == 0) return true;
  std::uint16_t held = 0;
  if (right.who & (in_project | own)) {
    world.projects.each(
        [&](ProjectId, const Project& p) { held |= project_column(p.members, by); });
    if (held & works) held |= own;
  }
  if (right.who & in_programme) held |= programme_columns(world, by, {});
  return (held & right.who) != 0;
}

// ---- what a command is about ----

struct About {
  Scope scope;
  Question seen_by = Question::fleet;      // who may ask this knows that it exists
  Reason unknown = Reason::not_permitted;  // what the others are told
  bool gone = false;                       // nothing there to be protected

  bool there() const { return scope.project || scope.programme || scope.owner; }
};

About about_project(const World& world, Text name) {
  return {{.project = find_name(world.index.projects, name)},
          Question::project,
          Reason::unknown_project};
}
About about_programme(const World& world, Text name) {
  return {{.programme = find_name(world.index.programmes, name)},
          Question::programme,
          Reason::unknown_programme};
}
About about_grant(const World& world, Text name) {
  const GrantId grant = find_name(world.index.grants, name);
  return {{.programme = grant ? world.grants.at(grant).programme : ProgrammeId{}},
          Question::programme,
          Reason::unknown_grant};
}
About about_job(const World& world, JobId id) {
  Scope scope;
  if (const JobId row = row_of(world, id)) {
    scope = scope_of(world.jobs.at(row));
  } else if (const JobArray* array = find_array(world, id); array && !array->rows.empty()) {
    scope = scope_of(world.jobs.at(*array->rows.begin()));
  }
  return {scope, Question::jobs, Reason::unknown_job, !scope.project};
}

About about(const World& world, const Command& command) {
  const auto role_in = [&](const auto& c) {
    return c.programme.empty() ? about_project(world, c.project)
                               : about_programme(world, c.programme);
  };
  if (const auto* c = std::get_if<SubmitJob>(&command)) return about_project(world, c->project);
  if (const auto* c = std::get_if<CancelJob>(&command)) return about_job(world, c->job);
  if (const auto* c = std::get_if<HoldJob>(&command)) return about_job(world, c->job);
  if (const auto* c = std::get_if<ReleaseJob>(&command)) return about_job(world, c->job);
  if (const auto* c = std::get_if<DeclareMember>(&command)) return role_in(*c);
  if (const auto* c = std::get_if<RemoveMember>(&command)) return role_in(*c);
  if (const auto* c = std::get_if<DeclareGrant>(&command))
    return about_programme(world, c->programme);
  if (const auto* c = std::get_if<DeclareLot>(&command)) return about_grant(world, c->grant);
  if (const auto* c = std::get_if<DeclareAllocation>(&command)) return about_grant(world, c->grant);
  if (const auto* c = std::get_if<CreateToken>(&command)) {
    return {{.owner = find_name(world.index.persons, c->person)},
            Question::person,
            Reason::unknown_person};
  }
  if (const auto* c = std::get_if<RevokeToken>(&command)) {
    const Token* token = world.tokens.find(c->token);
    return {{.owner = token ? token->person : PersonId{}}, Question::tokens, Reason::unknown_token};
  }
  return {};  // about everything
}

}  // namespace

const std::array<Right, operations>& rights() {
  return table;
}

std::optional<Reason> why_not(const World& world, PersonId by, const Command& command) {
  if (!by) return std::nullopt;
  const Person* person = world.persons.find(by);
  if (!person || person->disabled) return Reason::not_permitted;
  const Right& right = right_to(command);
  // Whoever may do it to everything is told by the command what is not there.
  if (right.who & column_of(person->role)) return std::nullopt;
  if ((right.who & (in_project | in_programme | own)) == 0) return Reason::not_permitted;
  const About what = about(world, command);
  // A job that is over has left the World: the command says so.
  if (what.gone || (what.there() && has_right(world, by, right, what.scope))) return std::nullopt;
  // The same words for what is not there and for what is not for these eyes.
  const bool seen = what.there() && may_see(world, by, what.seen_by, what.scope);
  return seen || !anywhere(world, by, right) ? Reason::not_permitted : what.unknown;
}

bool may_see(const World& world, PersonId by, Question question, const Scope& scope) {
  return has_right(world, by, right_to(question), scope);
}

}  // namespace tenbin
