#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/width.h"

namespace tenbin::cli {

struct Options::Impl {
  std::string name, usage;
  Phrase about;
  CLI::App app;
  bool help = false;
  struct Line {
    std::string left;
    Phrase help;
  };
  std::vector<Line> lines;
  std::size_t own_lines = 0;
  std::vector<std::pair<std::string, CLI::Option*>> required;

  std::string help_text(const Context& context) const;
};

Options::Options(std::string_view name, std::string_view usage, Phrase about)
    : impl_(std::make_unique<Impl>()) {
  impl_->name = name;
  impl_->usage = usage;
  impl_->about = about;
  impl_->app.set_help_flag();
}

Options::~Options() = default;

Options& Options::flag(std::string names, bool& to, Phrase help) {
  impl_->app.add_flag(names, to);
  impl_->lines.push_back({std::move(names), help});
  return *this;
}

Options& Options::value(const std::string& names, std::string_view shape, std::string& to,
                        Phrase help) {
  impl_->app.add_option(names, to);
  impl_->lines.push_back({names + " " + std::string(shape), help});
  return *this;
}

Options& Options::values(const std::string& names, std::string_view shape,
                         std::vector<std::string>& to, Phrase help) {
  impl_->app.add_option(names, to)->allow_extra_args(false);
  impl_->lines.push_back({names + " " + std::string(shape) + " ...", help});
  return *this;
}

Options& Options::word(std::string name, std::string& to, Need need) {
  CLI::Option* option = impl_->app.add_option(name, to);
  if (need == Need::required) impl_->required.emplace_back(std::move(name), option);
  return *this;
}

Options& Options::words(std::string name, std::vector<std::string>& to) {
  CLI::Option* option = impl_->app.add_option(name, to);
  impl_->required.emplace_back(std::move(name), option);
  return *this;
}

std::string Options::Impl::help_text(const Context& context) const {
  std::string out = context.say(about) + "\n\n" + context.say(Phrase::usage) + " tenbin " + name;
  if (!usage.empty()) out += " " + usage;
  out += "\n";
  int left = 0;
  std::vector<std::string> lefts;
  for (const Line& line : lines) {
    std::string shown = line.left;
    if (const std::size_t comma = shown.find(','); comma != std::string::npos)
      shown.insert(comma + 1, " ");
    left = std::max(left, width_of(shown));
    lefts.push_back(std::move(shown));
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == 0 && own_lines > 0) out += "\n" + context.say(Phrase::help_flags) + "\n";
    if (i == own_lines) out += "\n" + context.say(Phrase::help_global_flags) + "\n";
    out += "  " + lefts[i] +
           std::string(static_cast<std::size_t>(left - width_of(lefts[i]) + 2), ' ') +
           context.say(lines[i].help) + "\n";
  }
  return out;
}

Outcome<void> Options::parse(Context& context, const Words& words) {
  Impl& impl = *impl_;
  impl.own_lines = impl.lines.size();
  value("-o,--output", "table|json|csv", context.flags.output, Phrase::opt_output);
  value("--lang", "ja|en", context.flags.language, Phrase::opt_lang);
  value("--color", "auto|always|never", context.flags.colour, Phrase::opt_color);
  value("--url", "URL", context.flags.url, Phrase::opt_url);
  value("--token-file", "FILE", context.flags.token_file, Phrase::opt_token_file);
  value("--retry", "SECONDS", context.flags.retry, Phrase::opt_retry);
  flag("-h,--help", impl.help, Phrase::opt_help);

  const std::string hint = context.say(Phrase::hint_help, impl.name);
  const auto usage = [&](std::string why) {
    return stop(Exit::usage, "usage", std::move(why), hint);
  };
  try {
    std::vector<std::string> reversed(words.before.rbegin(), words.before.rend());
    impl.app.parse(reversed);
  } catch (const CLI::ExtrasError&) {
    std::string extra;
    for (const std::string& word : impl.app.remaining()) extra += (extra.empty() ? "" : " ") + word;
    return usage(context.say(Phrase::usage_extra, extra));
  } catch (const CLI::ParseError& e) {
    return usage(context.say(Phrase::usage_bad, e.what()));
  }

  if (auto settled = context.settle(); !settled) {
    settled.error().hint = hint;
    return settled;
  }
  if (impl.help) {
    context.print(impl.help_text(context));
    return std::unexpected(Stop{.exit = Exit::ok});
  }
  for (const auto& [name, option] : impl.required) {
    if (option->count() == 0) return usage(context.say(Phrase::usage_missing, name));
  }
  return {};
}

}  // namespace tenbin::cli
