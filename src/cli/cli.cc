#include "cli/cli.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/assert.h"
#include "base/nearest.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/context.h"
#include "cli/help.h"
#include "cli/width.h"
#include "codec/json.h"

namespace tenbin::cli {

namespace {

constexpr Command all_commands[] = {
    {"quote", Group::work, Phrase::quote_about, quote},
    {"submit", Group::work, Phrase::submit_about, submit},
    {"jobs", Group::work, Phrase::jobs_about, jobs},
    {"job show", Group::work, Phrase::job_show_about, job_show},
    {"job logs", Group::work, Phrase::job_logs_about, job_logs},
    {"job wait", Group::work, Phrase::job_wait_about, job_wait},
    {"job cancel", Group::work, Phrase::job_cancel_about, job_cancel},
    {"job hold", Group::work, Phrase::job_hold_about, job_hold},
    {"job release", Group::work, Phrase::job_release_about, job_release},
    {"job explain", Group::work, Phrase::job_explain_about, job_explain},
    {"events", Group::work, Phrase::events_about, events},
    {"balance", Group::credit, Phrase::balance_about, balance},
    {"statement", Group::credit, Phrase::statement_about, statement},
    {"fleet", Group::fleet, Phrase::fleet_about, fleet},
    {"provider list", Group::fleet, Phrase::provider_list_about, list_noun},
    {"provider show", Group::fleet, Phrase::show_about, show_noun, Phrase::noun_provider},
    {"provider create", Group::fleet, Phrase::declare_about, declare_noun, Phrase::noun_provider},
    {"region list", Group::fleet, Phrase::region_list_about, list_noun},
    {"region show", Group::fleet, Phrase::show_about, show_noun, Phrase::noun_region},
    {"region create", Group::fleet, Phrase::declare_about, declare_noun, Phrase::noun_region},
    {"pool list", Group::fleet, Phrase::pool_list_about, list_noun},
    {"pool show", Group::fleet, Phrase::show_about, show_noun, Phrase::noun_pool},
    {"pool create", Group::fleet, Phrase::declare_about, declare_noun, Phrase::noun_pool},
    {"node list", Group::fleet, Phrase::node_list_about, list_noun},
    {"node show", Group::fleet, Phrase::show_about, show_noun, Phrase::noun_node},
    {"node create", Group::fleet, Phrase::declare_about, declare_noun, Phrase::noun_node},
    {"node drain", Group::fleet, Phrase::node_drain_about, node_drain},
    {"node resume", Group::fleet, Phrase::node_resume_about, node_resume},
    {"node evacuate", Group::fleet, Phrase::node_evacuate_about, node_evacuate},
    {"price list", Group::fleet, Phrase::price_list_about, list_noun},
    {"price set", Group::fleet, Phrase::price_set_about, declare_noun},
    {"policy list", Group::fleet, Phrase::policy_list_about, list_noun},
    {"policy set", Group::fleet, Phrase::policy_set_about, declare_noun},
    {"apply", Group::setup, Phrase::apply_about, apply_file},
    {"funder list", Group::setup, Phrase::funder_list_about, list_noun},
    {"funder show", Group::setup, Phrase::show_about, show_noun, Phrase::noun_funder},
    {"funder create", Group::setup, Phrase::declare_about, declare_noun, Phrase::noun_funder},
    {"programme list", Group::setup, Phrase::programme_list_about, list_noun},
    {"programme show", Group::setup, Phrase::show_about, show_noun, Phrase::noun_programme},
    {"programme create", Group::setup, Phrase::declare_about, declare_noun, Phrase::noun_programme},
    {"organisation list", Group::setup, Phrase::organisation_list_about, list_noun},
    {"organisation show", Group::setup, Phrase::show_about, show_noun, Phrase::noun_organisation},
    {"organisation create", Group::setup, Phrase::declare_about, declare_noun,
     Phrase::noun_organisation},
    {"grant list", Group::setup, Phrase::grant_list_about, list_noun},
    {"grant show", Group::setup, Phrase::show_about, show_noun, Phrase::noun_grant},
    {"grant create", Group::setup, Phrase::declare_about, declare_noun, Phrase::noun_grant},
    {"lot list", Group::setup, Phrase::lot_list_about, list_noun},
    {"lot show", Group::setup, Phrase::show_about, show_noun, Phrase::noun_lot},
    {"lot create", Group::setup, Phrase::declare_about, declare_noun, Phrase::noun_lot},
    {"project list", Group::setup, Phrase::project_list_about, list_noun},
    {"project show", Group::setup, Phrase::show_about, show_noun, Phrase::noun_project},
    {"project create", Group::setup, Phrase::declare_about, declare_noun, Phrase::noun_project},
    {"allocation list", Group::setup, Phrase::allocation_list_about, list_noun},
    {"allocation show", Group::setup, Phrase::show_about, show_noun, Phrase::noun_allocation},
    {"allocation create", Group::setup, Phrase::declare_about, declare_noun,
     Phrase::noun_allocation},
    {"person list", Group::people, Phrase::person_list_about, list_noun},
    {"person show", Group::people, Phrase::show_about, show_noun, Phrase::noun_person},
    {"person create", Group::people, Phrase::declare_about, declare_noun, Phrase::noun_person},
    {"person disable", Group::people, Phrase::person_disable_about, set_person},
    {"person enable", Group::people, Phrase::person_enable_about, set_person},
    {"member list", Group::people, Phrase::member_list_about, list_noun},
    {"member add", Group::people, Phrase::member_add_about, declare_noun},
    {"member remove", Group::people, Phrase::member_remove_about, member_remove},
    {"token create", Group::people, Phrase::token_create_about, token_create},
    {"token list", Group::people, Phrase::token_list_about, token_list},
    {"token revoke", Group::people, Phrase::token_revoke_about, token_revoke},
    {"whoami", Group::people, Phrase::whoami_about, whoami},
    {"trace info", Group::twin, Phrase::trace_info_about, trace_info},
    {"trace convert", Group::twin, Phrase::trace_convert_about, trace_convert},
    {"trace sample", Group::twin, Phrase::trace_sample_about, trace_sample},
    {"trace filter", Group::twin, Phrase::trace_filter_about, trace_filter},
    {"trace generate", Group::twin, Phrase::trace_generate_about, trace_generate},
    {"replay", Group::twin, Phrase::replay_about, replay},
    {"pack", Group::twin, Phrase::pack_about, pack},
    {"model tiny", Group::tool, Phrase::model_tiny_about, model_tiny},
    {"context list", Group::tool, Phrase::context_list_about, context_list},
    {"context show", Group::tool, Phrase::context_show_about, context_show},
    {"context add", Group::tool, Phrase::context_add_about, context_add},
    {"context use", Group::tool, Phrase::context_use_about, context_use},
    {"context remove", Group::tool, Phrase::context_remove_about, context_remove},
    {"completion", Group::tool, Phrase::completion_about, completion},
    {"man", Group::tool, Phrase::man_about, man},
};

bool takes_value(std::string_view flag) {
  constexpr std::string_view flags[] = {"-o",    "--output",     "--lang",    "--color",
                                        "--url", "--token-file", "--context", "--retry"};
  return std::ranges::find(flags, flag) != std::end(flags);
}

// What was typed, taken apart: flags may stand before the command's name and belong to it.
struct Line {
  std::vector<std::string> flags_before;
  std::vector<std::string> words;  // the command's name and what follows, up to "--"
  std::vector<std::string> after;  // behind "--"
  bool dashes = false;
};

Line take_apart(const std::vector<std::string>& typed) {
  Line line;
  for (std::size_t i = 0; i < typed.size(); ++i) {
    if (typed[i] == "--") {
      line.dashes = true;
      line.after.assign(typed.begin() + static_cast<std::ptrdiff_t>(i) + 1, typed.end());
      break;
    }
    if (!line.words.empty() || !typed[i].starts_with('-')) {
      line.words.push_back(typed[i]);
      continue;
    }
    line.flags_before.push_back(typed[i]);
    if (takes_value(typed[i]) && i + 1 < typed.size()) line.flags_before.push_back(typed[++i]);
  }
  return line;
}

// Before anything else is understood, errors must know their language and form.
void look_ahead(Context& context, const Line& line) {
  std::vector<std::string> all = line.flags_before;
  all.insert(all.end(), line.words.begin(), line.words.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto value_of = [&](std::string_view flag) -> std::string_view {
      if (all[i] == flag && i + 1 < all.size()) return all[i + 1];
      if (all[i].starts_with(std::string(flag) + "="))
        return std::string_view(all[i]).substr(flag.size() + 1);
      return {};
    };
    if (value_of("--lang") == "ja") context.look.language = Language::japanese;
    if (value_of("--lang") == "en") context.look.language = Language::english;
    if (value_of("-o") == "json" || value_of("--output") == "json" || all[i] == "-ojson")
      context.format = Format::json;
  }
}

void print_error(const Context& context, std::string_view command, const Stop& stop) {
  if (context.format == Format::json) {
    if (!stop.problem.empty()) return context.note(stop.problem);
    std::string problem;
    JsonWriter out(problem);
    out.begin_object()
        .member("type", "urn:tenbin:" + stop.code)
        .member("code", stop.code)
        .member("detail", stop.why);
    if (!stop.hint.empty()) out.member("hint", stop.hint);
    out.end_object();
    return context.note(problem);
  }
  context.note("tenbin" + (command.empty() ? "" : " " + std::string(command)) + ": " + stop.why);
  if (!stop.hint.empty()) context.note("  " + context.say(Phrase::label_hint, stop.hint));
  if (!stop.code.empty()) context.note("  " + context.say(Phrase::label_code, stop.code));
}

Stop unknown(const Context& context, const std::vector<std::string>& words, const Extras& extras) {
  std::vector<std::string_view> verbs, names{"help"};
  std::string list;
  for (const Command& command : all_commands) {
    names.push_back(first_word(command.name));
    if (first_word(command.name) != words[0] || command.name == words[0]) continue;
    verbs.push_back(command.name.substr(words[0].size() + 1));
    list += (list.empty() ? "" : " ") + std::string(verbs.back());
  }
  for (const ExtraCommand& extra : extras) names.push_back(extra.name);

  Stop why{
      .exit = Exit::usage, .code = "unknown_command", .hint = context.say(Phrase::hint_help_all)};
  if (verbs.empty()) {
    why.why = context.say(Phrase::unknown_command, printable(words[0]));
    if (const std::string meant = nearest(words[0], names); !meant.empty())
      why.hint = context.say(Phrase::hint_did_you_mean, meant);
    return why;
  }
  why.why = context.say(Phrase::unfinished_command, words[0], list);
  if (words.size() > 1) {
    why.why = context.say(Phrase::unknown_command, printable(words[0] + " " + words[1]));
    why.hint = context.say(Phrase::unfinished_command, words[0], list);
    if (const std::string meant = nearest(words[1], verbs); !meant.empty()) {
      why.hint = context.say(Phrase::hint_did_you_mean, words[0] + " " + meant);
    }
  }
  return why;
}

// Zeroes if standard output is none.
winsize terminal() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return size;
}

const ExtraCommand* find_extra(const Extras& extras, std::string_view name) {
  const auto found = std::ranges::find(extras, name, &ExtraCommand::name);
  return found == extras.end() ? nullptr : &*found;
}

int run_command(Context& context, const Command& command, const Line& line) {
  const std::size_t name_size = command.name.find(' ') == std::string_view::npos ? 1 : 2;
  Words words{
      .before = line.flags_before, .after = line.after, .dashes = line.dashes, .command = &command};
  words.before.insert(words.before.end(),
                      line.words.begin() + static_cast<std::ptrdiff_t>(name_size),
                      line.words.end());
  Outcome<int> outcome = 0;
  if (words.dashes && command.run != submit && command.run != quote) {
    outcome = stop(Exit::usage, "usage", context.say(Phrase::usage_no_command),
                   context.say(Phrase::hint_help, command.name));
  } else {
    outcome = command.run(context, words);
  }
  if (outcome) return *outcome;
  if (outcome.error().exit != Exit::ok) print_error(context, command.name, outcome.error());
  return code(outcome.error().exit);
}

int help(Context& context, Line line, const Extras& extras) {
  line.words.erase(line.words.begin());
  const std::string topic = line.words.empty() ? "" : line.words[0];
  const auto known = std::ranges::find(topics(), topic, &Topic::name);
  const bool alone = line.words.size() == 1 || (line.words.size() > 1 && line.words[1][0] == '-');
  const bool noun = alone && std::ranges::any_of(all_commands, [&](const auto& c) {
                      return c.name.starts_with(topic + " ");
                    });
  if (topic.empty() || topic.starts_with('-')) {
    context.print(help_of_all(context, extras));
  } else if (known != topics().end()) {
    context.print(known->text(context));
  } else if (const ExtraCommand* extra = find_extra(extras, topic)) {
    return extra->run({"--help"});
  } else if (const Command* command = find_command(line.words)) {
    line.words.emplace_back("--help");
    return run_command(context, *command, line);
  } else if (noun) {
    context.print(help_of_noun(context, topic));
  } else {
    const Stop why = unknown(context, line.words, extras);
    print_error(context, "help", why);
    return code(why.exit);
  }
  return 0;
}

}  // namespace

std::span<const Command> commands() {
  return all_commands;
}

const Command* find_command(const std::vector<std::string>& words) {
  const auto* found = std::ranges::find_if(all_commands, [&](const Command& command) {
    return !words.empty() && (command.name == words[0] ||
                              (words.size() > 1 && command.name == words[0] + " " + words[1]));
  });
  return found == std::end(all_commands) ? nullptr : found;
}

std::string about(const Command& command, Language language) {
  return fmt::vformat(text_of(command.about, language),
                      fmt::make_format_args(text_of(command.object, language)));
}

Described describe(const Context& context, const Command& command) {
  Context asked = context;
  Described described;
  asked.describe = &described;
  const Words none{.before = {}, .after = {}, .dashes = false, .command = &command};
  const auto told = command.run(asked, none);
  TENBIN_ASSERT(!told &&
                told.error().exit == Exit::ok);  // its Options spoke before it did anything
  return described;
}

int run_cli(const Surroundings& around, const std::vector<std::string>& typed,
            const Extras& extras) {
  const Line line = take_apart(typed);
  Context context(around);
  context.extras = &extras;
  look_ahead(context, line);

  if (line.words.empty()) {
    const bool asked = std::ranges::any_of(
        line.flags_before, [](const std::string& f) { return f == "-h" || f == "--help"; });
    if (asked) {
      context.print(help_of_all(context, extras));
      return 0;
    }
    around.err(help_of_all(context, extras));
    return code(Exit::usage);
  }
  if (line.words[0] == "help") return help(context, line, extras);
  if (line.words[0] == "complete") return complete(context, line.after, extras);
  if (line.words.size() == 2 && (line.words[1] == "--help" || line.words[1] == "-h") &&
      !find_extra(extras, line.words[0]) && !find_command(line.words)) {
    return help(context, {{}, {"help", line.words[0]}, {}, false}, extras);
  }
  if (const ExtraCommand* extra = find_extra(extras, line.words[0])) {
    // Its words as they were typed: what they mean is its own affair.
    const auto name = std::ranges::find(typed, line.words[0]);
    std::vector<std::string> words = line.flags_before;
    words.insert(words.end(), name + 1, typed.end());
    return extra->run(words);
  }
  if (const Command* command = find_command(line.words))
    return run_command(context, *command, line);
  const Stop why = unknown(context, line.words, extras);
  print_error(context, "", why);
  return code(why.exit);
}

int run_cli(int argc, char** argv, const Extras& extras, const JournalReader& journal) {
  bool broken = false;  // what was printed could not be written
  const Surroundings around{
      .variable =
          [](const char* name) {
            const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
            return std::string(value ? value : "");
          },
      .out =
          [&](std::string_view text) {
            broken = broken || std::fwrite(text.data(), 1, text.size(), stdout) != text.size();
            if (text.size() >= 4'096) broken = std::fflush(stdout) != 0 || broken;
          },
      .err =
          [](std::string_view text) {
            std::fflush(stdout);
            std::fwrite(text.data(), 1, text.size(), stderr);
          },
      .sleep =
          [&](Span span) {
            std::fflush(stdout);
            timespec left{.tv_sec = span.count / 1'000, .tv_nsec = span.count % 1'000 * 1'000'000};
            while (::nanosleep(&left, &left) != 0) {
            }
          },
      .out_is_terminal = ::isatty(STDOUT_FILENO) == 1,
      .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
      .out_columns = terminal().ws_col,
      .out_rows = terminal().ws_row,
      .flush = [&] { broken = std::fflush(stdout) != 0 || broken; },
      .stopped = [&] { return broken; },
      .journal = journal,
  };
  const int exit = run_cli(around, {argv + 1, argv + argc}, extras);
  broken = std::fflush(stdout) != 0 || broken;
  if (broken) std::fputs("tenbin: cannot write the output\n", stderr);
  return broken && exit == 0 ? code(Exit::failed) : exit;
}

}  // namespace tenbin::cli
