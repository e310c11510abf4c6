#pragma once

#include <span>
#include <string_view>

#include "cli/context.h"

namespace tenbin::cli {

/// One subcommand. `run` gives the exit code.
struct Command {
  std::string_view name;  // "job wait"
  Phrase about;
  Outcome<int> (*run)(Context& context, const Words& words);
};

/// Every command, in the order in which the help shows them.
std::span<const Command> commands();

// Declaring, and listing what was declared.
Outcome<int> apply_file(Context& context, const Words& words);
Outcome<int> funder_list(Context& context, const Words& words);
Outcome<int> programme_list(Context& context, const Words& words);
Outcome<int> organisation_list(Context& context, const Words& words);
Outcome<int> grant_list(Context& context, const Words& words);
Outcome<int> lot_list(Context& context, const Words& words);
Outcome<int> project_list(Context& context, const Words& words);
Outcome<int> allocation_list(Context& context, const Words& words);
Outcome<int> person_list(Context& context, const Words& words);
Outcome<int> provider_list(Context& context, const Words& words);
Outcome<int> region_list(Context& context, const Words& words);
Outcome<int> pool_list(Context& context, const Words& words);
Outcome<int> price_list(Context& context, const Words& words);

// The fleet.
Outcome<int> fleet(Context& context, const Words& words);
Outcome<int> node_drain(Context& context, const Words& words);
Outcome<int> node_resume(Context& context, const Words& words);
Outcome<int> node_evacuate(Context& context, const Words& words);

// Jobs.
Outcome<int> quote(Context& context, const Words& words);
Outcome<int> submit(Context& context, const Words& words);
Outcome<int> jobs(Context& context, const Words& words);
Outcome<int> job_show(Context& context, const Words& words);
Outcome<int> job_logs(Context& context, const Words& words);
Outcome<int> job_wait(Context& context, const Words& words);
Outcome<int> job_cancel(Context& context, const Words& words);
Outcome<int> job_explain(Context& context, const Words& words);

// Money.
Outcome<int> balance(Context& context, const Words& words);
Outcome<int> statement(Context& context, const Words& words);

// People.
Outcome<int> token_create(Context& context, const Words& words);
Outcome<int> token_list(Context& context, const Words& words);
Outcome<int> token_revoke(Context& context, const Words& words);
Outcome<int> whoami(Context& context, const Words& words);

}  // namespace tenbin::cli
