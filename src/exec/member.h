#pragma once

// One member of a gang: whose account it runs as, what it finds around it, and how it begins.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "exec/files.h"
#include "exec/message.h"

namespace tenbin::exec {

struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// The account of a project that has no name in the machine's list of accounts: "#1879048193". Its
/// user and its group have that number. Project 0: of no project.
std::string numbered_account(std::uint32_t first, std::uint64_t project);

/// The unprivileged account `name`, or that of a number. Errors: unknown; may not be asked just
/// now; is root; no number of an account.
Result<Account> find_account(const std::string& name);

/// Which directory on the way to `path` the account cannot enter, if any. Looks at owner, group and
/// mode only.
std::optional<std::string> closed_to(const Account& account, const std::string& path);

/// Free ports of this machine's own network, one per member: "127.0.0.1:4001,127.0.0.1:4002". They
/// were free and distinct when asked for; nothing holds them until the members do.
Result<std::string> reserve_addresses(std::size_t members);

/// Makes the calling process, which has one thread, `account` for good. Words in why it could not
/// be, or none. By the system calls alone, so it may be called after a fork.
std::string drop_privileges(const Account& account);

/// Where the script of an attempt lies while it runs: beside its work folder, not in it.
std::string script_of(const LaunchSpec& spec);

/// The directory in which the members of an attempt run.
std::string home_of(const LaunchSpec& spec);

/// "NAME=value" in the order of the names: a clean environment, the attempt's own on top of it, and
/// on top of that what Tenbin tells.
std::vector<std::string> member_environment(const LaunchSpec& spec, std::size_t rank,
                                            const std::string& addresses,
                                            const std::string& account);

/// What a new process becomes. `as` is none if members run as the service itself.
struct MemberPlan {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string home;
  bool home_chosen = false;  // by the job
  std::string interpreter;   // of a script: its first line
  std::optional<Account> as;
  int out = -1, err = -1;  // where its output goes
  int trouble = -1;        // closed at exec; before that, words in why it could not be
  pid_t parent = 0;        // it dies with this one
  std::optional<std::uint64_t> open_files;  // the soft limit; none: as it is
};

/// Makes the calling process, a fresh child with one thread, the member. Does not come back.
[[noreturn]] void become(const MemberPlan& plan);

}  // namespace tenbin::exec
