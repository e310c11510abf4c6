#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/nearest.h"
#include "cli/described.h"
#include "cli/help.h"
#include "cli/width.h"

namespace tenbin::cli {

struct Options::Impl {
  std::string name, usage;
  Phrase about, object;
  CLI::App app;
  bool help = false;
  struct Line {
    std::string names, shape;
    bool many = false;
    Phrase help;
    std::string there = {};
  };
  std::vector<Line> lines;
  std::size_t own_lines = 0;
  std::vector<Described::Word> words;
  std::vector<std::pair<std::string, CLI::Option*>> required;

  Described described(const Context& context) const;
  std::string hint_for(const Context& context, std::string_view flag) const;
};

namespace {

// "-o,--output" as its names.
std::vector<std::string> split(std::string_view names) {
  std::vector<std::string> all;
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    all.emplace_back(names.substr(0, comma));
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
  return all;
}

}  // namespace

Options::Options(std::string_view name, std::string_view usage, Phrase about, Phrase object)
    : impl_(std::make_unique<Impl>()) {
  impl_->name = name;
  impl_->usage = usage;
  impl_->about = about;
  impl_->object = object;
  impl_->app.set_help_flag();
}

Options::~Options() = default;

Options& Options::flag(std::string names, bool& to, Phrase help) {
  impl_->app.add_flag(names, to);
  impl_->lines.push_back({std::move(names), {}, false, help});
  return *this;
}

Options& Options::value(const std::string& names, std::string_view shape, std::string& to,
                        Phrase help) {
  impl_->app.add_option(names, to);
  impl_->lines.push_back({names, std::string(shape), false, help});
  return *this;
}

Options& Options::values(const std::string& names, std::string_view shape,
                         std::vector<std::string>& to, Phrase help, std::string there) {
  impl_->app.add_option(names, to)->allow_extra_args(false);
  impl_->lines.push_back({names, std::string(shape), true, help, std::move(there)});
  return *this;
}

Options& Options::word(std::string name, std::string& to, Need need) {
  CLI::Option* option = impl_->app.add_option(name, to);
  impl_->words.push_back({name, need == Need::required, false});
  if (need == Need::required) impl_->required.emplace_back(std::move(name), option);
  return *this;
}

Options& Options::words(std::string name, std::vector<std::string>& to, Need need) {
  CLI::Option* option = impl_->app.add_option(name, to);
  impl_->words.push_back({name, need == Need::required, true});
  if (need == Need::required) impl_->required.emplace_back(std::move(name), option);
  return *this;
}

Described Options::Impl::described(const Context& context) const {
  Described all{.name = name,
                .usage = usage,
                .about = context.say(about, text_of(object, context.look.language)),
                .flags = {},
                .global_flags = {},
                .words = words};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Line& line = lines[i];
    (i < own_lines ? all.flags : all.global_flags)
        .push_back({split(line.names), line.shape, line.many, context.say(line.help, line.there)});
  }
  return all;
}

std::string Options::Impl::hint_for(const Context& context, std::string_view flag) const {
  std::vector<std::string> names;
  for (const Line& line : lines) {
    for (std::string& one : split(line.names)) names.push_back(std::move(one));
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string meant = nearest(flag.substr(0, flag.find('=')), views);
  return meant.empty() ? context.say(Phrase::hint_help, name)
                       : context.say(Phrase::hint_meant_flag, meant, name);
}

Outcome<void> Options::parse(Context& context, const Words& words) {
  Impl& impl = *impl_;
  impl.own_lines = impl.lines.size();
  value("-o,--output", "table|json|csv", context.flags.output, Phrase::opt_output);
  value("--lang", "ja|en", context.flags.language, Phrase::opt_lang);
  value("--color", "auto|always|never", context.flags.colour, Phrase::opt_color);
  flag("--wide", context.flags.wide, Phrase::opt_wide);
  value("--context", "NAME", context.flags.context, Phrase::opt_context);
  value("--url", "URL", context.flags.url, Phrase::opt_url);
  value("--token-file", "FILE", context.flags.token_file, Phrase::opt_token_file);
  value("--retry", "SECONDS", context.flags.retry, Phrase::opt_retry);
  flag("-h,--help", impl.help, Phrase::opt_help);

  if (context.describe) {
    *context.describe = impl.described(context);
    return std::unexpected(Stop{.exit = Exit::ok});
  }

  const std::string hint = context.say(Phrase::hint_help, impl.name);
  const auto usage = [&](std::string why) {
    return stop(Exit::usage, "usage", std::move(why), hint);
  };
  try {
    std::vector<std::string> reversed(words.before.rbegin(), words.before.rend());
    impl.app.parse(reversed);
  } catch (const CLI::ExtrasError&) {
    std::string extra, first;
    for (const std::string& word : impl.app.remaining()) {
      if (first.empty() && word.starts_with('-')) first = word;
      extra += (extra.empty() ? "" : " ") + printable(word);
    }
    return stop(Exit::usage, "usage", context.say(Phrase::usage_extra, extra),
                first.empty() ? hint : impl.hint_for(context, first));
  } catch (const CLI::ArgumentMismatch& e) {
    // "--limit: 1 required TEXT missing"
    const std::string_view what = e.what();
    return usage(context.say(Phrase::usage_value, what.substr(0, what.find(':'))));
  } catch (const CLI::ParseError& e) {
    return usage(context.say(Phrase::usage_bad, e.what()));
  }

  if (auto settled = context.settle(); !settled) {
    settled.error().hint = hint;
    return settled;
  }
  if (impl.help) {
    context.print(help_of(context, impl.described(context)));
    return std::unexpected(Stop{.exit = Exit::ok});
  }
  for (const auto& [name, option] : impl.required) {
    if (option->count() == 0) return usage(context.say(Phrase::usage_missing, name));
  }
  return {};
}

}  // namespace tenbin::cli
