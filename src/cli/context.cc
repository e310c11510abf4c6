#include "cli/context.h"

#include "codec/json.h"

namespace tenbin::cli {

namespace {

bool wants_colour(const Surroundings& around, std::string_view flag) {
  if (flag == "always") return true;
  if (flag == "never") return false;
  if (!around.variable("NO_COLOR").empty()) return false;
  const std::string force = around.variable("CLICOLOR_FORCE");
  if (!force.empty() && force != "0") return true;
  return around.out_is_terminal && around.variable("TERM") != "dumb";
}

}  // namespace

Language language_of(const Surroundings& around) {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const std::string value = around.variable(name);
    if (!value.empty()) return value.starts_with("ja") ? Language::japanese : Language::english;
  }
  return Language::english;
}

Context::Context(const Surroundings& surroundings) : around(surroundings) {
  look.language = language_of(around);
  look.zone = Zone::from(around.variable("TZ"));
  look.columns = around.out_columns;
}

Outcome<void> Context::settle() {
  const auto wrong = [&](std::string_view flag, const std::string& value,
                         std::string_view choices) {
    return stop(Exit::usage, "usage", say(Phrase::flag_value, flag, value, choices));
  };
  if (flags.language == "ja")
    look.language = Language::japanese;
  else if (flags.language == "en")
    look.language = Language::english;
  else if (!flags.language.empty())
    return wrong("--lang", flags.language, "ja|en");

  if (flags.output.empty() || flags.output == "table")
    format = Format::table;
  else if (flags.output == "json")
    format = Format::json;
  else if (flags.output == "csv")
    format = Format::csv;
  else
    return wrong("--output", flags.output, "table|json|csv");

  if (!flags.colour.empty() && flags.colour != "auto" && flags.colour != "always" &&
      flags.colour != "never") {
    return wrong("--color", flags.colour, "auto|always|never");
  }
  look.colour = wants_colour(around, flags.colour);
  if (flags.wide) look.columns = 0;

  const std::string seconds =
      flags.retry.empty() ? around.variable("TENBIN_RETRY_SECONDS") : flags.retry;
  if (!seconds.empty()) {
    const auto ms = parse_decimal(seconds, 3);
    if (!ms || *ms > 3'600'000) {
      return wrong(flags.retry.empty() ? "TENBIN_RETRY_SECONDS" : "--retry", seconds, "0-3600");
    }
    patience = Span{*ms};
    patience_asked = true;
  }
  return {};
}

void Context::print_line(std::string_view text) const {
  around.out(std::string(text) + "\n");
}

void Context::progress(std::string_view line) const {
  if (around.err_is_terminal) note(line);
}

void Context::note(std::string_view line) const {
  around.err(std::string(line) + "\n");
}

}  // namespace tenbin::cli
