#pragma once

// What ought to be, read from the table in docs/security.md: the test holds the program to what
// people are told.

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/authorise.h"

namespace tenbin::roles {

using Expected = std::map<std::string, std::set<Column>, std::less<>>;  // operation: who may

inline std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> cells;
  std::size_t at = line.find('|');
  while (at != std::string::npos) {
    const std::size_t next = line.find('|', at + 1);
    if (next == std::string::npos) break;
    std::string cell = line.substr(at + 1, next - at - 1);
    std::erase(cell, '`');
    cell.erase(0, std::min(cell.find_first_not_of(' '), cell.size()));
    cell.erase(cell.find_last_not_of(' ') + 1);
    cells.push_back(std::move(cell));
    at = next;
  }
  return cells;
}

inline Expected documented() {
  std::ifstream file(TENBIN_SECURITY_DOC);
  Expected expected;
  std::vector<Column> columns;
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> cells = cells_of(line);
    if (cells.empty()) continue;
    if (cells[0] == "Operation") {
      for (std::size_t i = 1; i < cells.size(); ++i) {
        const auto names = enum_names(Column{});
        const auto name = std::find(names.begin(), names.end(), cells[i]);
        REQUIRE_MESSAGE(name != names.end(), cells[i]);
        columns.push_back(static_cast<Column>(name - names.begin()));
      }
    } else if (!columns.empty() && cells.size() == columns.size() + 1 &&
               cells[0].find_first_not_of("-:") != std::string::npos) {
      std::set<Column>& who = expected[cells[0]];
      for (std::size_t i = 1; i < cells.size(); ++i) {
        if (cells[i] == "yes") who.insert(columns[i - 1]);
      }
    }
  }
  return expected;
}

/// The persons of the test. Each has one role; those of a programme or project have it in "a".
struct Actor {
  std::string name;
  Column column;
  Role role = Role::member;
  std::string project_role, programme_role;  // in project-a, programme-a
  bool works() const { return project_role == "member" || project_role == "lead"; }
};
inline const std::vector<Actor>& actors() {
  static const std::vector<Actor> all{
      {"nobody", Column::anyone},
      {"auditor", Column::auditor, Role::auditor},
      {"operator", Column::operator_, Role::operator_},
      {"officer", Column::officer, Role::officer},
      {"a-auditor", Column::programme_auditor, Role::member, "", "auditor"},
      {"a-officer", Column::programme_officer, Role::member, "", "officer"},
      {"p-auditor", Column::project_auditor, Role::member, "auditor"},
      {"p-member", Column::project_member, Role::member, "member"},
      {"p-lead", Column::project_lead, Role::member, "lead"},
  };
  return all;
}

/// Which thing an operation is tried on: in programme-a and project-a, in -b, or the actor's own
/// (in a, if it lies in a project).
enum class Where : std::uint8_t { a, b, own };

/// Operations of which `own` means a job of one's own in the project.
inline bool about_a_job(std::string_view operation) {
  return operation == "CancelJob" || operation == "HoldJob" || operation == "ReleaseJob" ||
         operation == "work";
}

/// Whether this actor may do this operation there.
inline bool expected_to(const std::set<Column>& who, const Actor& actor, Where where,
                        bool in_project) {
  if (who.contains(Column::anyone)) return true;
  if (who.contains(actor.column)) {
    const bool scoped = actor.column >= Column::programme_auditor;
    if (!scoped || where != Where::b) return true;
  }
  // What one made in a project is one's own as long as one may work there.
  return where == Where::own && who.contains(Column::own) &&
         (!in_project || actor.works() || actor.role == Role::officer);
}

}  // namespace tenbin::roles
