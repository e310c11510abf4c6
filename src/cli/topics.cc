#include <algorithm>

#include "cli/described.h"
#include "cli/nouns.h"

// The longer texts of `tenbin help TOPIC`, which are sections of the manual too.

namespace tenbin::cli {

namespace {

template <Phrase phrase>
std::string text(const Context& context) {
  return context.say(phrase);
}

Phrase type_name(Type type) {
  switch (type) {
    case Type::text: return Phrase::expected_text;
    case Type::decimal: return Phrase::type_decimal;
    case Type::integer: return Phrase::expected_integer;
    case Type::money: return Phrase::expected_money;
    case Type::instant: return Phrase::expected_instant;
    case Type::texts: return Phrase::expected_texts;
    case Type::truth: return Phrase::expected_boolean;
  }
  return Phrase::expected_text;
}

// The form of an apply file, from the same table that reads it.
std::string files_text(const Context& context) {
  std::string out = context.say(Phrase::help_files) + "\n";
  for (const Noun& noun : nouns()) {
    out += "[[" + std::string(noun.name) + "]]";
    out += "\n";
    std::size_t left = 0;
    for (const Field& field : noun.fields) left = std::max(left, field.name.size());
    for (const Field& field : noun.fields) {
      out += "  " + std::string(field.name) + (field.required ? " " : "?") +
             std::string(left - field.name.size() + 1, ' ') + context.say(field.help);
      const std::string type = context.say(type_name(field.type));
      if (field.type != Type::text) out += "  (" + type + ")";
      if (!field.fixed) out += "  *";
      out += "\n";
    }
    out += "\n";
  }
  out.pop_back();
  return out;
}

constexpr Topic all[] = {
    {"start", Phrase::topic_start, text<Phrase::help_start>},
    {"files", Phrase::topic_files, files_text},
    {"output", Phrase::topic_output, text<Phrase::help_output>},
    {"contexts", Phrase::topic_contexts, text<Phrase::help_contexts>},
    {"environment", Phrase::topic_environment, text<Phrase::help_environment>},
    {"exit-codes", Phrase::topic_exit_codes, text<Phrase::help_exit_codes>},
};

}  // namespace

std::span<const Topic> topics() {
  return all;
}

}  // namespace tenbin::cli
