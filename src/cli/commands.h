#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"

namespace tenbin::cli {

/// Under which head the help shows a command.
enum class Group : std::uint8_t { work, credit, fleet, setup, people, twin, service, tool };

/// One subcommand. `run` gives the exit code.
struct Command {
  std::string_view name;  // "job wait"
  Group group;
  Phrase about;
  Outcome<int> (*run)(Context& context, const Words& words);
  Phrase object = Phrase::empty;  // what `about` speaks of
};

/// Every command, in the order in which the help shows them.
std::span<const Command> commands();

/// The command whose name these words begin with; nullptr if there is none.
const Command* find_command(const std::vector<std::string>& words);

inline std::string_view first_word(std::string_view name) {
  return name.substr(0, name.find(' '));
}

std::string about(const Command& command, Language language);

// Declaring, and listing what was declared.
Outcome<int> apply_file(Context& context, const Words& words);
Outcome<int> list_noun(Context& context, const Words& words);     // "funder list"
Outcome<int> show_noun(Context& context, const Words& words);     // "funder show"
Outcome<int> declare_noun(Context& context, const Words& words);  // "funder create", "price set"
Outcome<int> member_remove(Context& context, const Words& words);
Outcome<int> set_person(Context& context, const Words& words);  // "person disable"

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
Outcome<int> job_hold(Context& context, const Words& words);
Outcome<int> job_release(Context& context, const Words& words);
Outcome<int> job_explain(Context& context, const Words& words);

// What happens.
Outcome<int> events(Context& context, const Words& words);

// Money.
Outcome<int> balance(Context& context, const Words& words);
Outcome<int> statement(Context& context, const Words& words);

// People.
Outcome<int> token_create(Context& context, const Words& words);
Outcome<int> token_list(Context& context, const Words& words);
Outcome<int> token_revoke(Context& context, const Words& words);
Outcome<int> whoami(Context& context, const Words& words);

// What would have happened if.
Outcome<int> replay(Context& context, const Words& words);
Outcome<int> pack(Context& context, const Words& words);

// Which service.
Outcome<int> context_list(Context& context, const Words& words);
Outcome<int> context_show(Context& context, const Words& words);
Outcome<int> context_add(Context& context, const Words& words);
Outcome<int> context_use(Context& context, const Words& words);
Outcome<int> context_remove(Context& context, const Words& words);

// Traces.
Outcome<int> trace_info(Context& context, const Words& words);
Outcome<int> trace_convert(Context& context, const Words& words);
Outcome<int> trace_sample(Context& context, const Words& words);
Outcome<int> trace_filter(Context& context, const Words& words);
Outcome<int> trace_generate(Context& context, const Words& words);

// Models for tests.
Outcome<int> model_tiny(Context& context, const Words& words);

// This tool itself.
Outcome<int> completion(Context& context, const Words& words);
Outcome<int> man(Context& context, const Words& words);

}  // namespace tenbin::cli
