#include "cli/completion.h"

#include <algorithm>
#include <map>
#include <set>

#include "cli/answers.h"
#include "cli/contexts.h"
#include "cli/job_states.h"
#include "cli/nouns.h"
#include "cli/options.h"
#include "cli/width.h"

namespace tenbin::cli {

namespace {

struct Candidate {
  std::string word, about;
};

class Completer {
 public:
  Completer(const Context& context, const Extras& extras) : context_(context), extras_(extras) {
    context_.patience = Span{0};
    context_.patience_asked = false;
  }

  int run(std::vector<std::string> words) {
    if (words.empty()) words.emplace_back();
    join_split_flags(words);
    current_ = words.back();
    words.pop_back();
    if (std::ranges::count(words, "--") > 0) return files();  // a job's own command

    // Flags before the command's name are those of every command.
    const Command* command = nullptr;
    std::vector<std::string> name, rest;
    const Described any = describe(context_, commands().front());
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (command || (word.starts_with('-') && word.size() > 1)) {
        rest.push_back(word);
        if (!command && flag_of(any.global_flags, word) && takes_value(any.global_flags, word) &&
            i + 1 < words.size()) {
          rest.push_back(words[++i]);
        }
        continue;
      }
      name.push_back(word);
      command = find_command(name);
    }
    take_globals(any, rest);
    if (command) return of_command(describe(context_, *command), *command, rest);
    if (!rest.empty() && takes_value(any.global_flags, rest.back()))
      return value_of(*flag_of(any.global_flags, rest.back()), any.name);
    if (!name.empty() && name[0] != "help" && is_extra(name[0])) return files();
    if (current_.starts_with('-')) return flags(any.global_flags, rest);
    return names(name);
  }

 private:
  // bash takes --state=run apart into three words.
  static void join_split_flags(std::vector<std::string>& words) {
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i] != "=" || !words[i - 1].starts_with("--")) continue;
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
      if (i == words.size()) words.emplace_back();
    }
  }

  static const Described::Flag* flag_of(const std::vector<Described::Flag>& flags,
                                        std::string_view word) {
    const std::string_view name = word.substr(0, word.find('='));
    const auto found = std::ranges::find_if(flags, [&](const Described::Flag& flag) {
      return std::ranges::count(flag.names, name) > 0;
    });
    return found == flags.end() ? nullptr : &*found;
  }
  static bool takes_value(const std::vector<Described::Flag>& flags, std::string_view word) {
    const Described::Flag* flag = flag_of(flags, word);
    return flag && !flag->shape.empty() && word.find('=') == std::string_view::npos;
  }

  // The service that names are asked of is the one that the line speaks of.
  void take_globals(const Described& any, const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (!flag_of(any.global_flags, words[i])) continue;
      const std::size_t equals = words[i].find('=');
      const std::string name = words[i].substr(0, equals);
      const std::string value = equals != std::string::npos ? words[i].substr(equals + 1)
                                : i + 1 < words.size()      ? words[i + 1]
                                                            : std::string();
      if (name == "--url") context_.flags.url = value;
      if (name == "--context") context_.flags.context = value;
      if (name == "--token-file") context_.flags.token_file = value;
    }
  }

  bool is_extra(std::string_view name) const {
    return std::ranges::find(extras_, name, &ExtraCommand::name) != extras_.end();
  }

  void offer(std::string word, std::string about = {}) {
    if (word.starts_with(current_) && offered_.insert(word).second)
      found_.push_back({std::move(word), std::move(about)});
  }

  int done() const {
    for (const Candidate& one : found_) {
      context_.print_line(one.about.empty() ? prefix_ + one.word
                                            : prefix_ + one.word + "\t" + printable(one.about));
    }
    return 0;
  }
  int files() const {
    context_.print_line(":files");
    return 0;
  }

  int names(const std::vector<std::string>& before) {
    const bool help = !before.empty() && before[0] == "help";
    const std::vector<std::string> typed(before.begin() + (help ? 1 : 0), before.end());
    for (const Command& command : commands()) {
      const std::string_view first = first_word(command.name);
      if (typed.empty()) {
        offer(std::string(first),
              first == command.name ? about(command, context_.look.language) : verbs_of(first));
      } else if (typed.size() == 1 && first == typed[0] && first != command.name) {
        offer(std::string(command.name.substr(first.size() + 1)),
              about(command, context_.look.language));
      }
    }
    if (typed.empty()) {
      for (const ExtraCommand& extra : extras_) {
        offer(std::string(extra.name),
              std::string(context_.look.language == Language::japanese ? extra.help_ja
                                                                       : extra.help_en));
      }
      if (!help) offer("help", context_.say(Phrase::help_about));
      for (const Topic& topic : topics()) {
        if (help) offer(std::string(topic.name), context_.say(topic.about));
      }
    }
    return done();
  }

  static std::string verbs_of(std::string_view noun) {
    std::string verbs;
    for (const Command& command : commands()) {
      if (first_word(command.name) != noun) continue;
      verbs += (verbs.empty() ? "" : " ") + std::string(command.name.substr(noun.size() + 1));
    }
    return verbs;
  }

  int flags(const std::vector<Described::Flag>& flags, const std::vector<std::string>& given) {
    for (const Described::Flag& flag : flags) {
      const bool used = std::ranges::any_of(given, [&](const std::string& word) {
        return std::ranges::count(flag.names, word.substr(0, word.find('='))) > 0;
      });
      if (used && !flag.many) continue;
      for (const std::string& name : flag.names) {
        if (name.size() > 2 || current_.size() == 2) offer(name, flag.help);
      }
    }
    return done();
  }

  int of_command(const Described& described, const Command& command,
                 const std::vector<std::string>& rest) {
    std::vector<Described::Flag> all = described.flags;
    all.insert(all.end(), described.global_flags.begin(), described.global_flags.end());
    if (!rest.empty() && takes_value(all, rest.back()))
      return value_of(*flag_of(all, rest.back()), described.name);
    if (current_.starts_with("--")) {
      const std::size_t equals = current_.find('=');
      const Described::Flag* flag = equals == std::string::npos ? nullptr : flag_of(all, current_);
      if (flag) {
        prefix_ = current_.substr(0, equals + 1);
        current_ = current_.substr(equals + 1);
        return value_of(*flag, described.name);
      }
    }
    if (current_.starts_with('-')) return flags(all, rest);

    std::vector<std::string> words;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      if (takes_value(all, rest[i])) {
        ++i;
      } else if (!rest[i].starts_with('-')) {
        words.push_back(rest[i]);
      }
    }
    if (described.words.empty()) return done();
    const bool past = words.size() >= described.words.size();
    if (past && !described.words.back().many) return done();
    const Described::Word& word = described.words[past ? described.words.size() - 1 : words.size()];
    // What is being made has no name yet.
    if (command.name.ends_with(" create") || command.name == "context add") return done();
    return value(word.name, "", described.name, words);
  }

  int value_of(const Described::Flag& flag, const std::string& command) {
    return value(flag.names.back().substr(flag.names.back().find_first_not_of('-')), flag.shape,
                 command, {});
  }

  // `name` is a flag without its dashes or a word of the usage: "project" and "PROJECT" alike.
  int value(std::string name, const std::string& shape, const std::string& command,
            const std::vector<std::string>& given) {
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    });
    if (shape.find('|') != std::string::npos) {
      for (std::size_t at = 0; at <= shape.size();) {
        const std::size_t end = std::min(shape.find('|', at), shape.size());
        offer(shape.substr(at, end - at));
        at = end + 1;
      }
      return done();
    }
    if (shape == "FILE" || shape == "DIR" || name.starts_with("file") || name == "to" ||
        name == "dir") {
      return files();
    }
    if (name == "state") {
      for (const std::string_view state : job_states()) offer(std::string(state));
      return done();
    }
    if (name == "role") {
      for (const char* role : {"member", "auditor", "operator", "officer"}) {
        if (command.starts_with("person")) offer(role);
      }
      for (const char* role : {"member", "lead", "auditor", "officer"}) {
        if (!command.starts_with("person")) offer(role);
      }
      return done();
    }
    if (name == "shell") {
      for (const char* shell : {"bash", "zsh", "fish"}) offer(shell);
      return done();
    }
    if (name == "context" || (name == "name" && command.starts_with("context "))) return contexts();
    if (name == "id" && command.starts_with("job")) return jobs(given);
    if (name == "id" && command.starts_with("token")) return tokens();
    if (name == "model") return listed("/v1/pools", "gpu_model", "");
    if (const Noun* noun = find_noun(name); noun && !noun->word.empty())
      return listed(noun->target, noun->word, "title");
    return done();
  }

  int contexts() {
    if (const auto all = read_contexts(context_)) {
      for (const SavedContext& one : all->all) offer(one.name, one.url);
    }
    return done();
  }

  int listed(std::string_view target, std::string_view field, std::string_view about_field) {
    each("limit=500", target, [&](JsonValue item) {
      offer(raw_text(item[field]), about_field.empty() ? "" : raw_text(item[about_field]));
    });
    return done();
  }
  int jobs(const std::vector<std::string>& given) {
    each("limit=50", "/v1/jobs", [&](JsonValue job) {
      const std::string id = raw_text(job["id"]);
      if (std::ranges::count(given, id) > 0) return;
      offer(id, shown_text(raw_text(job["state"]), Kind::word, context_.look) + " " +
                    raw_text(job["name"]));
    });
    return done();
  }
  int tokens() {
    each("limit=500", "/v1/tokens", [&](JsonValue token) {
      offer(raw_text(token["id"]), raw_text(token["person"]) + " " + raw_text(token["label"]));
    });
    return done();
  }

  template <class Visit>
  void each(std::string_view query, std::string_view target, Visit visit) {
    Service service(context_);
    const auto answer = service.get(std::string(target) + "?" + std::string(query), Span{1'000});
    if (!answer) return;
    answer->json["items"].each_item([&](JsonValue item) {
      visit(item);
      return true;
    });
  }

  Context context_;
  const Extras& extras_;
  std::string current_;  // the word to complete
  std::string prefix_;   // what stands before it in its word: "--state="
  std::vector<Candidate> found_;
  std::set<std::string> offered_;
};

// Each asks `tenbin complete`, so that a script never knows less than the program.
constexpr std::string_view bash_script =
    R"(# bash completion for tenbin. To use it: source <(tenbin completion bash)
_tenbin() {
  local line IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      COMPREPLY=($(compgen -f -- "$cur"))
      return
    fi
    line=${line%%$'\t'*}
    # bash has taken --flag=value apart and replaces the value only.
    [[ $cur != --*=* && $line == --*=* ]] && line=${line#*=}
    COMPREPLY+=("$line")
  done < <("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _tenbin tenbin
)";

constexpr std::string_view zsh_script = R"(#compdef tenbin
# zsh completion for tenbin. To use it: source <(tenbin completion zsh), after compinit
_tenbin() {
  local line word about
  local -a found
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      _files
      return
    fi
    word=${line%%$'\t'*}
    about=${line#$word}
    about=${about#$'\t'}
    found+=("${word//:/\\:}${about:+:$about}")
  done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#found} )) && _describe -V tenbin found
}
if [[ ${funcstack[1]} == _tenbin ]]; then
  _tenbin "$@"
elif (( $+functions[compdef] )); then
  compdef _tenbin tenbin
fi
)";

constexpr std::string_view fish_script =
    R"(# fish completion for tenbin. To use it: tenbin completion fish | source
function __tenbin_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l found ($words[1] complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$found" = :files
        __fish_complete_path "$current"
        return
    end
    string join \n -- $found
end
complete -c tenbin -f -a '(__tenbin_complete)'
)";

}  // namespace

int complete(const Context& context, const std::vector<std::string>& words, const Extras& extras) {
  Surroundings quiet = context.around;
  quiet.err = [](std::string_view) {};
  Context inner(quiet);
  inner.look = context.look;
  return Completer(inner, extras).run(words);
}

Outcome<int> completion(Context& context, const Words& words) {
  std::string shell;
  Options options(*words.command, "bash|zsh|fish");
  options.word("SHELL", shell, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (shell == "bash") {
    context.print(bash_script);
  } else if (shell == "zsh") {
    context.print(zsh_script);
  } else if (shell == "fish") {
    context.print(fish_script);
  } else {
    return stop(Exit::usage, "usage",
                context.say(Phrase::flag_value, "SHELL", shell, "bash zsh fish"),
                context.say(Phrase::hint_help, "completion"));
  }
  return 0;
}

}  // namespace tenbin::cli
