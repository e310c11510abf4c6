#pragma once

#include <optional>

#include "core/world.h"

// Who may do what: one table. Its rows are all commands and all questions, its columns the roles
// and what they are held in. docs/security.md shows it, and a test compares the two.

namespace tenbin {

/// The columns. A cell of the first five is about everything, of the others about what lies in the
/// programme or project of which one has the role; `own` is about oneself and one's own things.
enum class Column : std::uint8_t {
  anyone,  // who is signed in
  auditor,
  operator_,
  officer,
  service,  // the service itself
  programme_auditor,
  programme_officer,
  project_auditor,
  project_member,
  project_lead,
  own,
};
constexpr auto enum_names(Column) {
  return std::array<std::string_view, 11>{"anyone",
                                          "auditor",
                                          "operator",
                                          "officer",
                                          "service",
                                          "programme auditor",
                                          "programme officer",
                                          "project auditor",
                                          "project member",
                                          "project lead",
                                          "own"};
}

/// What can be asked without changing anything.
enum class Question : std::uint8_t {
  fleet,          // providers, regions, pools, nodes, prices, and how much is free
  policy,         // how the queue is worked off
  project,        // that it exists, its title and organisation
  members,        // who has which role in a project
  credit,         // balance and statement; who is in a funding programme sees that programme's part
  jobs,           // jobs of a project, where they run and what they cost; events about them
  work,           // what a job runs, its environment and its output
  quote,          // what a job of the project would cost
  programme,      // that it exists, its roles, grants and lots
  allocation,     // of a programme to a project
  organisations,  //
  funders,        // all that they have promised
  spending,       // the statement over funders, or over the programmes of which one has a role
  person,         // that a person exists, with the role
  tokens,         // of a person, without secrets
  journal,        // everything that ever happened
};
constexpr auto enum_names(Question) {
  return std::array<std::string_view, 16>{"fleet",     "policy",     "project",       "members",
                                          "credit",    "jobs",       "work",          "quote",
                                          "programme", "allocation", "organisations", "funders",
                                          "spending",  "person",     "tokens",        "journal"};
}

/// One row: an operation, and the columns that may.
struct Right {
  std::string_view operation;
  std::uint16_t who = 0;

  constexpr bool has(Column column) const {
    return (who >> static_cast<unsigned>(column) & 1u) != 0;
  }
};
inline constexpr std::size_t operations =
    std::variant_size_v<Command> + enum_names(Question{}).size();
/// The table: the commands in the order of the variant, then the questions.
const std::array<Right, operations>& rights();

/// What an operation is about. With a project but no programme, any programme that funds the
/// project counts; with neither, any programme.
struct Scope {
  ProjectId project = {};
  ProgrammeId programme = {};
  PersonId owner = {};
};

/// Why the person who asks may not ask this; nothing if it is permitted, as all is to the service
/// itself. What one may not see is answered as if it did not exist.
std::optional<Reason> why_not(const World& world, PersonId by, const Command& command);
inline bool may(const World& world, PersonId by, const Command& command) {
  return !why_not(world, by, command);
}

/// Whether a person may have the answer to a question about `scope`.
bool may_see(const World& world, PersonId by, Question question, const Scope& scope = {});
/// The scope of a job, for the questions `jobs` and `work`.
inline Scope scope_of(const Job& job) {
  return {.project = job.project, .owner = job.person};
}

}  // namespace tenbin
