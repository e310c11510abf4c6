#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include "base/nearest.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/options.h"

// Manual pages, from what the commands say about themselves: tenbin(1), and tenbin-NOUN(1) for
// every first word.

namespace tenbin::cli {

namespace {

// Text in a roff page: nothing in it may be taken for a request, and dashes stay dashes.
std::string roff(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

class Page {
 public:
  Page(const Context& context, std::string_view name, std::string_view about) : context_(context) {
    std::string title(name);
    std::ranges::transform(title, title.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    });
    text_ = ".TH \"" + roff(title) + "\" \"1\" \"2026-11-23\" \"Tenbin\" \"" +
            context.say(Phrase::man_manual) + "\"\n";
    section(Phrase::man_name);
    text_ += roff(name) + " \\- " + roff(about) + "\n";
  }

  void section(Phrase head) { text_ += ".SH \"" + context_.say(head) + "\"\n"; }
  void part(std::string_view head) { text_ += ".SS \"" + roff(head) + "\"\n"; }
  void paragraph(std::string_view text) {
    break_paragraph();
    text_ += roff(text) + "\n";
  }
  void usage(const Described& command) {
    break_paragraph();
    text_ += "\\fBtenbin " + roff(command.name) + "\\fR";
    if (!command.usage.empty()) text_ += " " + roff(command.usage);
    text_ += "\n";
  }
  void entry(std::string_view bold, std::string_view rest, std::string_view about) {
    text_ += ".TP\n\\fB" + roff(bold) + "\\fR";
    if (!rest.empty()) text_ += " \\fI" + roff(rest) + "\\fR";
    text_ += "\n" + roff(about) + "\n";
  }
  // Lines as they are.
  void literal(std::string_view text) {
    while (text.ends_with('\n')) text.remove_suffix(1);
    break_paragraph();
    text_ += ".nf\n";
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      text_ += (line.empty() ? std::string(".sp") : roff(line)) + "\n";
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    text_ += ".fi\n";
  }
  void flags(const std::vector<Described::Flag>& flags) {
    for (const Described::Flag& flag : flags) {
      std::string names;
      for (const std::string& name : flag.names) names += (names.empty() ? "" : ", ") + name;
      entry(names, flag.shape + (flag.many ? " ..." : ""), flag.help);
    }
  }
  void examples_of(std::string_view command) {
    std::string lines;
    const bool japanese = context_.look.language == Language::japanese;
    for (const Example& example : examples()) {
      if (example.command != command) continue;
      lines += "# " + std::string(japanese ? example.japanese : example.english) + "\ntenbin " +
               std::string(example.line) + "\n";
    }
    if (lines.empty()) return;
    paragraph(context_.say(Phrase::help_examples));
    literal(lines);
  }
  const std::string& text() const { return text_; }

 private:
  // None is needed right behind a head.
  void break_paragraph() {
    const std::size_t line = text_.rfind('\n', text_.size() - 2) + 1;
    const std::string_view last = std::string_view(text_).substr(line);
    if (!last.starts_with(".SH") && !last.starts_with(".SS")) text_ += ".PP\n";
  }

  const Context& context_;
  std::string text_;
};

/// With a page of their own.
std::vector<const ExtraCommand*> extras_of(const Context& context) {
  std::vector<const ExtraCommand*> all;
  if (!context.extras) return all;
  for (const ExtraCommand& extra : *context.extras) {
    if (extra.manual) all.push_back(&extra);
  }
  return all;
}
std::string_view about(const ExtraCommand& extra, Language language) {
  return language == Language::japanese ? extra.help_ja : extra.help_en;
}

std::string main_page(const Context& context) {
  Page page(context, "tenbin", context.say(Phrase::help_intro));
  page.section(Phrase::man_synopsis);
  page.paragraph("tenbin COMMAND ...");
  page.section(Phrase::man_commands);
  std::set<std::string_view> seen;
  for (const Command& command : commands()) {
    page.entry(command.name, "", about(command, context.look.language));
    seen.insert(first_word(command.name));
  }
  for (const ExtraCommand* extra : extras_of(context)) {
    page.entry(extra->name, "", about(*extra, context.look.language));
    seen.insert(extra->name);
  }
  page.section(Phrase::man_global_flags);
  page.flags(describe(context, commands().front()).global_flags);
  for (const Topic& topic : topics()) {
    page.section(topic.about);
    page.literal(topic.text(context));
  }
  page.section(Phrase::man_files);
  page.entry("$XDG_CONFIG_HOME/tenbin/contexts.toml", "", context.say(Phrase::man_contexts_file));
  page.entry("$XDG_STATE_HOME/tenbin/url, admin.token", "", context.say(Phrase::man_state_files));
  page.section(Phrase::man_see_also);
  std::string others;
  for (const std::string_view noun : seen)
    others += (others.empty() ? "tenbin-" : ", tenbin-") + std::string(noun) + "(1)";
  page.paragraph(others);
  return page.text();
}

std::string page_of(const Context& context, std::string_view noun) {
  for (const ExtraCommand* extra : extras_of(context)) {
    if (extra->name != noun) continue;
    Page page(context, "tenbin-" + std::string(noun), about(*extra, context.look.language));
    page.section(Phrase::man_description);
    page.literal(extra->manual());
    page.section(Phrase::man_see_also);
    page.paragraph("tenbin(1)");
    return page.text();
  }
  std::vector<Described> all;
  for (const Command& command : commands()) {
    if (first_word(command.name) == noun) all.push_back(describe(context, command));
  }
  std::string about = all.front().about;
  if (all.size() > 1) about = context.say(Phrase::man_noun_about, noun);
  Page page(context, "tenbin-" + std::string(noun), about);
  page.section(Phrase::man_synopsis);
  for (const Described& command : all) page.usage(command);
  page.section(Phrase::man_description);
  for (const Described& command : all) {
    if (all.size() > 1) page.part("tenbin " + command.name);
    page.paragraph(command.about);
    page.flags(command.flags);
    page.examples_of(command.name);
  }
  page.section(Phrase::man_global_flags);
  page.flags(all.front().global_flags);
  page.section(Phrase::man_see_also);
  page.paragraph("tenbin(1)");
  return page.text();
}

Outcome<void> write(const Context& context, const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const ssize_t n = fd < 0 ? -1 : ::write(fd, text.data(), text.size());
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (n == static_cast<ssize_t>(text.size())) return {};
  return stop(Exit::failed, "file_unwritable",
              context.say(Phrase::file_unwritable, path,
                          std::generic_category().message(n < 0 ? error : ENOSPC)));
}

Outcome<void> folder(const Context& context, const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return stop(Exit::failed, "file_unwritable",
              context.say(Phrase::file_unwritable, path, std::generic_category().message(errno)));
}

std::set<std::string_view> first_words(const Context& context) {
  std::set<std::string_view> all;
  for (const ExtraCommand* extra : extras_of(context)) all.insert(extra->name);
  for (const Command& command : commands()) all.insert(first_word(command.name));
  return all;
}

// DIR/man1 in English, DIR/ja/man1 in Japanese: where man(1) looks for them.
Outcome<int> write_all(const Context& context, const std::string& to) {
  int pages = 0;
  for (const Language language : {Language::english, Language::japanese}) {
    Context speaker = context;
    speaker.look.language = language;
    const std::string above = language == Language::japanese ? to + "/ja" : to;
    for (const std::string& path : {to, above, above + "/man1"}) {
      if (auto made = folder(context, path); !made) return std::unexpected(made.error());
    }
    if (auto done = write(context, above + "/man1/tenbin.1", main_page(speaker)); !done)
      return std::unexpected(done.error());
    ++pages;
    for (const std::string_view noun : first_words(context)) {
      const std::string path = above + "/man1/tenbin-" + std::string(noun) + ".1";
      if (auto done = write(context, path, page_of(speaker, noun)); !done)
        return std::unexpected(done.error());
      ++pages;
    }
  }
  context.progress(context.say(Phrase::man_written, pages, to));
  return 0;
}

}  // namespace

Outcome<int> man(Context& context, const Words& words) {
  std::string to, command;
  Options options(*words.command, "[COMMAND] [--to DIR]");
  options.word("COMMAND", command, Options::Need::optional)
      .value("--to", "DIR", to, Phrase::opt_man_to);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (!to.empty()) return write_all(context, to);
  if (command.empty()) {
    context.print(main_page(context));
    return 0;
  }
  const auto all = first_words(context);
  if (!all.contains(command)) {
    const std::vector<std::string_view> names(all.begin(), all.end());
    const std::string meant = nearest(command, names);
    return stop(Exit::usage, "unknown_command", context.say(Phrase::unknown_command, command),
                meant.empty() ? context.say(Phrase::hint_help_all)
                              : context.say(Phrase::hint_meant, meant));
  }
  context.print(page_of(context, command));
  return 0;
}

}  // namespace tenbin::cli
