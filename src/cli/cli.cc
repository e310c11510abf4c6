#include "cli/cli.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/width.h"
#include "codec/json.h"

namespace tenbin::cli {

namespace {

constexpr Command all_commands[] = {
    {"quote", Phrase::quote_about, quote},
    {"submit", Phrase::submit_about, submit},
    {"jobs", Phrase::jobs_about, jobs},
    {"job show", Phrase::job_show_about, job_show},
    {"job logs", Phrase::job_logs_about, job_logs},
    {"job wait", Phrase::job_wait_about, job_wait},
    {"job cancel", Phrase::job_cancel_about, job_cancel},
    {"job explain", Phrase::job_explain_about, job_explain},
    {"balance", Phrase::balance_about, balance},
    {"statement", Phrase::statement_about, statement},
    {"fleet", Phrase::fleet_about, fleet},
    {"node drain", Phrase::node_drain_about, node_drain},
    {"node resume", Phrase::node_resume_about, node_resume},
    {"node evacuate", Phrase::node_evacuate_about, node_evacuate},
    {"apply", Phrase::apply_about, apply_file},
    {"funder list", Phrase::funder_list_about, funder_list},
    {"programme list", Phrase::programme_list_about, programme_list},
    {"organisation list", Phrase::organisation_list_about, organisation_list},
    {"grant list", Phrase::grant_list_about, grant_list},
    {"lot list", Phrase::lot_list_about, lot_list},
    {"project list", Phrase::project_list_about, project_list},
    {"allocation list", Phrase::allocation_list_about, allocation_list},
    {"person list", Phrase::person_list_about, person_list},
    {"provider list", Phrase::provider_list_about, provider_list},
    {"region list", Phrase::region_list_about, region_list},
    {"pool list", Phrase::pool_list_about, pool_list},
    {"price list", Phrase::price_list_about, price_list},
    {"token create", Phrase::token_create_about, token_create},
    {"token list", Phrase::token_list_about, token_list},
    {"token revoke", Phrase::token_revoke_about, token_revoke},
    {"whoami", Phrase::whoami_about, whoami},
};

constexpr int distance_max = 2;  // of a word from what it may have been meant to be

using Extras = std::vector<ExtraCommand>;

std::string_view first_word(std::string_view name) {
  return name.substr(0, name.find(' '));
}

bool takes_value(std::string_view flag) {
  constexpr std::string_view flags[] = {"-o",    "--output",     "--lang", "--color",
                                        "--url", "--token-file", "--retry"};
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

std::string help_text(const Context& context, const Extras& extras) {
  struct Entry {
    std::string_view name, about;
  };
  std::vector<Entry> entries;
  for (const ExtraCommand& extra : extras) {
    entries.push_back(
        {extra.name, context.look.language == Language::japanese ? extra.help_ja : extra.help_en});
  }
  for (const Command& command : all_commands)
    entries.push_back({command.name, text_of(command.about, context.look.language)});
  entries.push_back({"help", text_of(Phrase::help_about, context.look.language)});

  std::size_t left = 0;
  for (const Entry& entry : entries) left = std::max(left, entry.name.size());
  std::string out = context.say(Phrase::help_intro) + "\n\n" + context.say(Phrase::usage) +
                    " tenbin COMMAND ...\n\n" + context.say(Phrase::help_commands) + "\n";
  for (const Entry& entry : entries) {
    out += "  " + std::string(entry.name) + std::string(left - entry.name.size() + 2, ' ') +
           std::string(entry.about) + "\n";
  }
  return out + "\n" + context.say(Phrase::help_more) + "\n";
}

// What a person may have meant: the nearest of `names` to `word`, if it is near.
std::string nearest(std::string_view word, const std::vector<std::string_view>& names) {
  std::string_view best;
  int best_distance = distance_max + 1;
  for (const std::string_view name : names) {
    // Half of a short word is another word.
    const int distance = edit_distance(word, name);
    if (distance < best_distance && distance < static_cast<int>(word.size())) {
      best = name;
      best_distance = distance;
    }
  }
  return std::string(best);
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

const Command* find_command(const std::vector<std::string>& words) {
  const auto* found = std::ranges::find_if(all_commands, [&](const Command& command) {
    return command.name == words[0] ||
           (words.size() > 1 && command.name == words[0] + " " + words[1]);
  });
  return found == std::end(all_commands) ? nullptr : found;
}

const ExtraCommand* find_extra(const Extras& extras, std::string_view name) {
  const auto found = std::ranges::find(extras, name, &ExtraCommand::name);
  return found == extras.end() ? nullptr : &*found;
}

int run_command(Context& context, const Command& command, const Line& line) {
  const std::size_t name_size = command.name.find(' ') == std::string_view::npos ? 1 : 2;
  Words words{.before = line.flags_before, .after = line.after, .dashes = line.dashes};
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
  if (topic.empty() || topic.starts_with('-')) {
    context.print(help_text(context, extras));
  } else if (topic == "exit-codes") {
    context.print(context.say(Phrase::help_exit_codes));
  } else if (topic == "environment") {
    context.print(context.say(Phrase::help_environment));
  } else if (const ExtraCommand* extra = find_extra(extras, topic)) {
    return extra->run({"--help"});
  } else if (const Command* command = find_command(line.words)) {
    line.words.emplace_back("--help");
    return run_command(context, *command, line);
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

int run_cli(const Surroundings& around, const std::vector<std::string>& typed,
            const Extras& extras) {
  const Line line = take_apart(typed);
  Context context(around);
  look_ahead(context, line);

  if (line.words.empty()) {
    const bool asked = std::ranges::any_of(
        line.flags_before, [](const std::string& f) { return f == "-h" || f == "--help"; });
    if (asked) {
      context.print(help_text(context, extras));
      return 0;
    }
    around.err(help_text(context, extras));
    return code(Exit::usage);
  }
  if (line.words[0] == "help") return help(context, line, extras);
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

int run_cli(int argc, char** argv, const Extras& extras) {
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
  };
  const int exit = run_cli(around, {argv + 1, argv + argc}, extras);
  broken = std::fflush(stdout) != 0 || broken;
  if (broken) std::fputs("tenbin: cannot write the output\n", stderr);
  return broken && exit == 0 ? code(Exit::failed) : exit;
}

}  // namespace tenbin::cli
