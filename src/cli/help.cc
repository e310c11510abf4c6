#include "cli/help.h"

#include <algorithm>
#include <utility>

#include "cli/nouns.h"
#include "cli/width.h"

namespace tenbin::cli {

namespace {

constexpr int text_columns_max = 100;  // longer lines are hard to read
constexpr int narrow = 30;  // with less room, what explains stands under what it explains

int columns_of(const Context& context) {
  return std::min(context.look.columns, text_columns_max);
}

struct Entry {
  std::string left, right;
};

// `text` behind `indent` blanks, the first line's being there already.
std::string hanging(const Context& context, std::string_view text, int indent) {
  const int columns = columns_of(context);
  std::string out;
  for (const char c : wrapped(text, columns > 0 ? std::max(columns - indent, 20) : 0, 0)) {
    out += c;
    if (c == '\n') out += std::string(static_cast<std::size_t>(indent), ' ');
  }
  return out;
}

// Two columns, or on a narrow terminal one.
std::string columns_text(const Context& context, const std::vector<Entry>& entries) {
  int left = 0;
  for (const Entry& entry : entries) left = std::max(left, width_of(entry.left));
  const bool below = context.look.columns > 0 && context.look.columns < left + narrow;
  std::string out;
  for (const Entry& entry : entries) {
    const std::string blank(static_cast<std::size_t>(left - width_of(entry.left) + 2), ' ');
    out += "  " + entry.left + (below ? "\n      " : blank) +
           hanging(context, entry.right, below ? 6 : left + 4) + "\n";
  }
  return out;
}

std::string left_of(const Described::Flag& flag) {
  std::string left;
  for (const std::string& name : flag.names) left += (left.empty() ? "" : ", ") + name;
  if (!flag.shape.empty()) left += " " + flag.shape;
  if (flag.many) left += " ...";
  return left;
}

std::vector<Entry> entries_of(const std::vector<Described::Flag>& flags) {
  std::vector<Entry> entries;
  entries.reserve(flags.size());
  for (const Described::Flag& flag : flags) entries.push_back({left_of(flag), flag.help});
  return entries;
}

constexpr Group all_groups[] = {Group::work,   Group::credit, Group::fleet,   Group::setup,
                                Group::people, Group::twin,   Group::service, Group::tool};

}  // namespace

Phrase title_of(Group group) {
  switch (group) {
    case Group::work: return Phrase::group_work;
    case Group::credit: return Phrase::group_credit;
    case Group::fleet: return Phrase::group_fleet;
    case Group::setup: return Phrase::group_setup;
    case Group::people: return Phrase::group_people;
    case Group::twin: return Phrase::group_twin;
    case Group::service: return Phrase::group_service;
    case Group::tool: return Phrase::group_tool;
  }
  return Phrase::empty;
}

std::string help_of_all(const Context& context, const Extras& extras) {
  const Language language = context.look.language;
  std::string out = wrapped(context.say(Phrase::help_intro), columns_of(context), 0) + "\n\n" +
                    context.say(Phrase::usage) + " tenbin COMMAND ...\n";
  for (const Group group : all_groups) {
    std::vector<Entry> entries;
    for (const Command& command : commands()) {
      if (command.group != group) continue;
      const std::string_view noun = first_word(command.name);
      const Noun* declared = noun == command.name ? nullptr : find_noun(noun);
      const std::string_view after =
          command.name.substr(std::min(noun.size() + 1, command.name.size()));
      const bool usual = after == "list" || after == "show" || after == "remove" ||
                         (declared && after == declared->verb);
      if (!declared || !usual) {
        entries.push_back({std::string(command.name), about(command, language)});
        continue;
      }
      // What is declared has the same verbs everywhere: one line for each noun.
      const std::string verb(after);
      if (!entries.empty() && first_word(entries.back().left) == noun) {
        entries.back().left += "|" + verb;
      } else {
        entries.push_back({std::string(noun) + " " + verb, context.say(declared->line)});
      }
    }
    if (group == Group::service) {
      for (const ExtraCommand& extra : extras) {
        entries.push_back(
            {std::string(extra.name),
             std::string(language == Language::japanese ? extra.help_ja : extra.help_en)});
      }
    }
    if (group == Group::tool) entries.push_back({"help", context.say(Phrase::help_about)});
    if (!entries.empty())
      out += "\n" + context.say(title_of(group)) + "\n" + columns_text(context, entries);
  }
  std::vector<Entry> entries;
  for (const Topic& topic : topics())
    entries.push_back({"help " + std::string(topic.name), context.say(topic.about)});
  out += "\n" + context.say(Phrase::help_topics) + "\n" + columns_text(context, entries);
  return out + "\n" + wrapped(context.say(Phrase::help_more), columns_of(context), 0) + "\n";
}

std::string help_of_noun(const Context& context, std::string_view noun) {
  std::vector<Entry> entries;
  for (const Command& command : commands()) {
    if (first_word(command.name) == noun && command.name != noun)
      entries.push_back({std::string(command.name), about(command, context.look.language)});
  }
  return context.say(Phrase::usage) + " tenbin " + std::string(noun) + " VERB ...\n\n" +
         context.say(Phrase::help_commands) + "\n" + columns_text(context, entries) + "\n" +
         context.say(Phrase::help_noun_more, noun) + "\n";
}

std::string help_of(const Context& context, const Described& command) {
  const int columns = columns_of(context);
  std::string out = wrapped(command.about, columns, 0) + "\n\n" + context.say(Phrase::usage) +
                    " tenbin " + command.name;
  if (!command.usage.empty()) out += " " + command.usage;
  out += "\n";

  const bool japanese = context.look.language == Language::japanese;
  bool any = false;
  for (const Example& example : examples()) {
    if (example.command != command.name) continue;
    if (!std::exchange(any, true)) out += "\n" + context.say(Phrase::help_examples) + "\n";
    out += "  # " + std::string(japanese ? example.japanese : example.english) + "\n  tenbin " +
           std::string(example.line) + "\n";
  }
  if (!command.flags.empty()) {
    out += "\n" + context.say(Phrase::help_flags) + "\n" +
           columns_text(context, entries_of(command.flags));
  }
  return out + "\n" + context.say(Phrase::help_global_flags) + "\n" +
         columns_text(context, entries_of(command.global_flags));
}

}  // namespace tenbin::cli
