#include "cli/sbatch.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/toml.h"
#include "base/utf8.h"
#include "cli/width.h"
#include "codec/index_list.h"
#include "codec/spec.h"
#include "core/limits.h"

extern char** environ;

namespace tenbin::cli {

namespace {

enum class Value : std::uint8_t { none, required, optional };
// What becomes of an option: taken, refused because something else would run, or passed over with a
// word because the same would run.
enum class Fate : std::uint8_t { taken, refused, no_effect };

struct Option {
  std::string_view name;
  char letter;  // 0: none
  Value value;
  Fate fate;
  Phrase why;  // of what is not taken
};

constexpr Phrase none = Phrase::no;

// Every option of sbatch 22.05, and of later ones those that scripts have.
constexpr Option all_options[] = {
    {"account", 'A', Value::required, Fate::taken, none},
    {"acctg-freq", 0, Value::required, Fate::no_effect, Phrase::no_accounting},
    {"array", 'a', Value::required, Fate::taken, none},
    {"batch", 0, Value::required, Fate::refused, Phrase::no_node_choice},
    {"bb", 0, Value::required, Fate::refused, Phrase::no_burst_buffer},
    {"bbf", 0, Value::required, Fate::refused, Phrase::no_burst_buffer},
    {"begin", 'b', Value::required, Fate::taken, none},
    {"chdir", 'D', Value::required, Fate::taken, none},
    {"cluster-constraint", 0, Value::required, Fate::refused, Phrase::no_cluster},
    {"clusters", 'M', Value::required, Fate::refused, Phrase::no_cluster},
    {"comment", 0, Value::required, Fate::taken, none},
    {"constraint", 'C', Value::required, Fate::taken, none},
    {"container", 0, Value::required, Fate::refused, Phrase::no_container},
    {"contiguous", 0, Value::none, Fate::no_effect, Phrase::no_topology},
    {"core-spec", 'S', Value::required, Fate::no_effect, Phrase::no_binding},
    {"cores-per-socket", 0, Value::required, Fate::refused, Phrase::no_socket_counts},
    {"cpu-freq", 0, Value::required, Fate::no_effect, Phrase::no_frequency},
    {"cpus-per-gpu", 0, Value::required, Fate::taken, none},
    {"cpus-per-task", 'c', Value::required, Fate::taken, none},
    {"deadline", 0, Value::required, Fate::refused, Phrase::no_deadline},
    {"delay-boot", 0, Value::required, Fate::no_effect, Phrase::no_reboot},
    {"dependency", 'd', Value::required, Fate::taken, none},
    {"distribution", 'm', Value::required, Fate::no_effect, Phrase::no_binding},
    {"error", 'e', Value::required, Fate::taken, none},
    {"exclude", 'x', Value::required, Fate::refused, Phrase::no_node_choice},
    {"exclusive", 0, Value::optional, Fate::refused, Phrase::no_whole_nodes},
    {"export", 0, Value::required, Fate::taken, none},
    {"export-file", 0, Value::required, Fate::refused, Phrase::no_export_file},
    {"extra", 0, Value::required, Fate::no_effect, Phrase::no_labels_here},
    {"extra-node-info", 'B', Value::required, Fate::refused, Phrase::no_socket_counts},
    {"get-user-env", 0, Value::optional, Fate::refused, Phrase::no_login_environment},
    {"gid", 0, Value::required, Fate::refused, Phrase::no_other_user},
    {"gpu-bind", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"gpu-freq", 0, Value::required, Fate::no_effect, Phrase::no_frequency},
    {"gpus", 'G', Value::required, Fate::taken, none},
    {"gpus-per-node", 0, Value::required, Fate::taken, none},
    {"gpus-per-socket", 0, Value::required, Fate::refused, Phrase::no_socket_counts},
    {"gpus-per-task", 0, Value::required, Fate::taken, none},
    {"gres", 0, Value::required, Fate::taken, none},
    {"gres-flags", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"help", 'h', Value::none, Fate::refused, Phrase::no_batch_flag},
    {"hint", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"hold", 'H', Value::none, Fate::taken, none},
    {"ignore-pbs", 0, Value::none, Fate::no_effect, Phrase::no_verbosity},
    {"input", 'i', Value::required, Fate::refused, Phrase::no_input_file},
    {"job-name", 'J', Value::required, Fate::taken, none},
    {"kill-on-invalid-dep", 0, Value::required, Fate::no_effect, Phrase::dependency_kept},
    {"licenses", 'L', Value::required, Fate::refused, Phrase::no_licences},
    {"mail-type", 0, Value::required, Fate::no_effect, Phrase::no_mail},
    {"mail-user", 0, Value::required, Fate::no_effect, Phrase::no_mail},
    {"mcs-label", 0, Value::required, Fate::no_effect, Phrase::no_labels_here},
    {"mem", 0, Value::required, Fate::taken, none},
    {"mem-bind", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"mem-per-cpu", 0, Value::required, Fate::taken, none},
    {"mem-per-gpu", 0, Value::required, Fate::taken, none},
    {"mincpus", 0, Value::required, Fate::refused, Phrase::no_socket_counts},
    {"network", 0, Value::required, Fate::refused, Phrase::no_network},
    {"nice", 0, Value::optional, Fate::no_effect, Phrase::no_priority},
    {"no-kill", 'k', Value::optional, Fate::no_effect, Phrase::no_survivors},
    {"no-requeue", 0, Value::none, Fate::taken, none},
    {"nodefile", 'F', Value::required, Fate::refused, Phrase::no_node_choice},
    {"nodelist", 'w', Value::required, Fate::refused, Phrase::no_node_choice},
    {"nodes", 'N', Value::required, Fate::taken, none},
    {"ntasks", 'n', Value::required, Fate::taken, none},
    {"ntasks-per-core", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"ntasks-per-gpu", 0, Value::required, Fate::refused, Phrase::no_socket_counts},
    {"ntasks-per-node", 0, Value::required, Fate::taken, none},
    {"ntasks-per-socket", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"open-mode", 0, Value::required, Fate::taken, none},
    {"output", 'o', Value::required, Fate::taken, none},
    {"overcommit", 'O', Value::none, Fate::no_effect, Phrase::no_binding},
    {"oversubscribe", 's', Value::none, Fate::no_effect, Phrase::no_sharing},
    {"parsable", 0, Value::none, Fate::no_effect, Phrase::no_verbosity},
    {"partition", 'p', Value::required, Fate::taken, none},
    {"power", 0, Value::required, Fate::no_effect, Phrase::no_frequency},
    {"prefer", 0, Value::required, Fate::no_effect, Phrase::no_node_choice},
    {"priority", 0, Value::required, Fate::no_effect, Phrase::no_priority},
    {"profile", 0, Value::required, Fate::no_effect, Phrase::no_profile},
    {"propagate", 0, Value::optional, Fate::no_effect, Phrase::no_limits_taken},
    {"qos", 'q', Value::required, Fate::taken, none},
    {"quiet", 'Q', Value::none, Fate::no_effect, Phrase::no_verbosity},
    {"reboot", 0, Value::none, Fate::refused, Phrase::no_reboot},
    {"requeue", 0, Value::none, Fate::taken, none},
    {"reservation", 0, Value::required, Fate::refused, Phrase::no_reservation},
    {"segment", 0, Value::required, Fate::no_effect, Phrase::no_topology},
    {"signal", 0, Value::required, Fate::taken, none},
    {"sockets-per-node", 0, Value::required, Fate::refused, Phrase::no_socket_counts},
    {"spread-job", 0, Value::none, Fate::no_effect, Phrase::no_topology},
    {"switches", 0, Value::required, Fate::no_effect, Phrase::no_topology},
    {"test-only", 0, Value::none, Fate::refused, Phrase::no_batch_flag},
    {"thread-spec", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"threads-per-core", 0, Value::required, Fate::no_effect, Phrase::no_binding},
    {"time", 't', Value::required, Fate::taken, none},
    {"time-min", 0, Value::required, Fate::no_effect, Phrase::no_shorter},
    {"tmp", 0, Value::required, Fate::refused, Phrase::no_local_disk},
    {"uid", 0, Value::required, Fate::refused, Phrase::no_other_user},
    {"usage", 0, Value::none, Fate::refused, Phrase::no_batch_flag},
    {"use-min-nodes", 0, Value::none, Fate::no_effect, Phrase::no_topology},
    {"verbose", 'v', Value::none, Fate::no_effect, Phrase::no_verbosity},
    {"version", 'V', Value::none, Fate::refused, Phrase::no_batch_flag},
    {"wait", 'W', Value::none, Fate::refused, Phrase::no_batch_flag},
    {"wait-all-nodes", 0, Value::required, Fate::no_effect, Phrase::no_topology},
    {"wckey", 0, Value::required, Fate::no_effect, Phrase::no_accounting},
    {"wrap", 0, Value::required, Fate::refused, Phrase::no_wrap},
};

// The environment's names for options; sbatch takes them over the script and under its own flags.
constexpr std::pair<const char*, std::string_view> variables[] = {
    {"SBATCH_ACCOUNT", "account"},
    {"SBATCH_ACCTG_FREQ", "acctg-freq"},
    {"SBATCH_ARRAY_INX", "array"},
    {"SBATCH_BATCH", "batch"},
    {"SBATCH_CLUSTERS", "clusters"},
    {"SBATCH_CONSTRAINT", "constraint"},
    {"SBATCH_CONTAINER", "container"},
    {"SBATCH_CORE_SPEC", "core-spec"},
    {"SBATCH_CPUS_PER_GPU", "cpus-per-gpu"},
    {"SBATCH_DELAY_BOOT", "delay-boot"},
    {"SBATCH_DISTRIBUTION", "distribution"},
    {"SBATCH_ERROR", "error"},
    {"SBATCH_EXCLUSIVE", "exclusive"},
    {"SBATCH_EXPORT", "export"},
    {"SBATCH_GET_USER_ENV", "get-user-env"},
    {"SBATCH_GPU_BIND", "gpu-bind"},
    {"SBATCH_GPU_FREQ", "gpu-freq"},
    {"SBATCH_GPUS", "gpus"},
    {"SBATCH_GPUS_PER_NODE", "gpus-per-node"},
    {"SBATCH_GPUS_PER_TASK", "gpus-per-task"},
    {"SBATCH_GRES", "gres"},
    {"SBATCH_HINT", "hint"},
    {"SBATCH_INPUT", "input"},
    {"SBATCH_JOB_NAME", "job-name"},
    {"SBATCH_MEM_BIND", "mem-bind"},
    {"SBATCH_MEM_PER_CPU", "mem-per-cpu"},
    {"SBATCH_MEM_PER_GPU", "mem-per-gpu"},
    {"SBATCH_MEM_PER_NODE", "mem"},
    {"SBATCH_NETWORK", "network"},
    {"SBATCH_NO_REQUEUE", "no-requeue"},
    {"SBATCH_OPEN_MODE", "open-mode"},
    {"SBATCH_OUTPUT", "output"},
    {"SBATCH_PARTITION", "partition"},
    {"SBATCH_QOS", "qos"},
    {"SBATCH_REQUEUE", "requeue"},
    {"SBATCH_RESERVATION", "reservation"},
    {"SBATCH_SIGNAL", "signal"},
    {"SBATCH_SPREAD_JOB", "spread-job"},
    {"SBATCH_THREAD_SPEC", "thread-spec"},
    {"SBATCH_TIMELIMIT", "time"},
    {"SBATCH_WAIT_ALL_NODES", "wait-all-nodes"},
    {"SBATCH_WCKEY", "wckey"},
};

// Those whose absence changes nothing but where or when it runs, so that a person may do without.
constexpr std::string_view ignorable_taken[] = {"partition",  "constraint", "qos",   "begin",
                                                "output",     "error",      "chdir", "comment",
                                                "dependency", "signal",     "export"};

void refuse(SbatchOptions& options, std::string_view option, std::string place, std::string text) {
  options.notices.push_back({true, std::string(option), std::move(place), std::move(text)});
}

void warn(SbatchOptions& options, std::string_view option, std::string place, std::string text) {
  options.notices.push_back({false, std::string(option), std::move(place), std::move(text)});
}

bool blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// One line's words as sbatch takes them apart.
std::vector<std::string> words_of(const Context& context, std::string_view line,
                                  const std::string& place, SbatchOptions& options) {
  std::vector<std::string> words;
  for (std::size_t at = 0;;) {
    while (at < line.size() && blank(line[at])) ++at;
    if (at == line.size() || line[at] == '#') return words;
    if (line[at] == ':') {
      refuse(options, "", place, context.say(Phrase::sb_unexpected_colon));
      return words;
    }
    std::string word;
    char quote = 0;
    bool comment = false;
    for (; at < line.size() && (quote != 0 || !blank(line[at])); ++at) {
      const char c = line[at];
      if (c == '\\') {
        // What follows is taken as it is, but a blank ends the word all the same.
        if (at + 1 == line.size() || (quote == 0 && blank(line[at + 1]))) continue;
        word += line[++at];
      } else if (quote != 0 && c == quote) {
        quote = 0;
      } else if (quote == 0 && (c == '\'' || c == '"')) {
        quote = c;
      } else if (quote == 0 && c == '#') {
        comment = true;
        break;
      } else {
        word += c;
      }
    }
    if (quote != 0) {
      refuse(options, "", place, context.say(Phrase::sb_unmatched_quote, std::string(1, quote)));
      return words;
    }
    words.push_back(std::move(word));
    if (comment) return words;
  }
}

const Option* find_letter(char letter) {
  const auto* found = std::ranges::find(all_options, letter, &Option::letter);
  return letter == 0 || found == std::end(all_options) ? nullptr : found;
}

const Option* find_option(std::string_view name) {
  const auto* found = std::ranges::find(all_options, name, &Option::name);
  return found == std::end(all_options) ? nullptr : found;
}

void give(SbatchOptions& options, const Option& option, std::string value,
          const std::string& place) {
  if (option.name == "requeue") options.given.erase("no-requeue");
  if (option.name == "no-requeue") options.given.erase("requeue");
  options.given.insert_or_assign(std::string(option.name), Directive{std::move(value), place});
}

// "NAME" or "NAME=VALUE" behind "--". How many words it took: 1 or 2.
std::size_t read_long(const Context& context, std::string_view word, const std::string* next,
                      const std::string& place, SbatchOptions& options) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const Option* option = find_option(name);
  if (!option) {
    std::string meant;
    std::size_t count = 0;
    for (const Option& one : all_options) {
      if (name.empty() || !one.name.starts_with(name)) continue;
      option = &one;
      ++count;
      meant += (meant.empty() ? "--" : ", --") + std::string(one.name);
    }
    if (count > 1) {
      refuse(options, "", place,
             context.say(Phrase::sb_ambiguous, printable("--" + std::string(name)), meant));
      return 1;
    }
  }
  if (!option) {
    refuse(options, "", place,
           context.say(Phrase::sb_unknown, printable("--" + std::string(name))));
    return 1;
  }
  if (equals != std::string_view::npos) {
    if (option->value == Value::none) {
      refuse(options, "", place, context.say(Phrase::sb_takes_no_value, option->name));
      return 1;
    }
    give(options, *option, std::string(word.substr(equals + 1)), place);
    return 1;
  }
  if (option->value != Value::required) {
    give(options, *option, "", place);
    return 1;
  }
  if (!next) {
    refuse(options, "", place, context.say(Phrase::sb_needs_value, option->name));
    return 1;
  }
  give(options, *option, *next, place);
  return 2;
}

// "Hv" or "N2" behind "-".
std::size_t read_short(const Context& context, std::string_view letters, const std::string* next,
                       const std::string& place, SbatchOptions& options) {
  while (!letters.empty()) {
    const Option* option = find_letter(letters.front());
    if (!option) {
      refuse(options, "", place,
             context.say(Phrase::sb_unknown, printable("-" + std::string(letters.substr(0, 1)))));
      return 1;
    }
    letters.remove_prefix(1);
    if (option->value == Value::none) {
      give(options, *option, "", place);
    } else if (!letters.empty() || option->value == Value::optional) {
      give(options, *option, std::string(letters), place);
      return 1;
    } else if (next) {
      give(options, *option, *next, place);
      return 2;
    } else {
      refuse(options, "", place, context.say(Phrase::sb_needs_value, option->name));
      return 1;
    }
  }
  return 1;
}

// ---- values ----

std::optional<std::int64_t> count_of(std::string_view text) {
  const auto n = text.find('.') == std::string_view::npos ? parse_decimal(text, 0) : std::nullopt;
  return n && *n > 0 && *n <= 1'000'000 ? n : std::nullopt;
}

// In MiB, rounded up, M if there is no unit.
std::optional<std::int64_t> memory_of(std::string_view text) {
  if (text.ends_with('B') || text.ends_with('b')) text.remove_suffix(1);
  std::int64_t kib = 1'024;
  if (!text.empty()) {
    const std::size_t unit = std::string_view("KMGT").find(
        text.back() >= 'a' ? static_cast<char>(text.back() - 'a' + 'A') : text.back());
    if (unit != std::string_view::npos) {
      kib = std::int64_t{1} << (10 * unit);
      text.remove_suffix(1);
    }
  }
  const auto n = text.find('.') == std::string_view::npos ? parse_decimal(text, 0) : std::nullopt;
  if (!n || Wide{*n} * kib > Wide{memory_max.count} * 1'024) return std::nullopt;
  return (*n * kib + 1'023) / 1'024;
}

struct TypedGpus {
  std::string type;
  std::int64_t count = 1;
};

// "8", "h100:8", and behind "gpu" also nothing and "h100".
std::optional<TypedGpus> gpus_of(std::string_view text) {
  TypedGpus gpus;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    gpus.type = text.substr(0, colon);
    text.remove_prefix(colon + 1);
    if (gpus.type.empty() || gpus.type.find(':') != std::string::npos) return std::nullopt;
  }
  const auto n = count_of(text);
  if (!n) return std::nullopt;
  gpus.count = *n;
  return gpus;
}

std::optional<TypedGpus> gres_of(std::string_view text) {
  if (const std::size_t sockets = text.find('('); sockets != std::string_view::npos)
    text = text.substr(0, sockets);
  if (text.starts_with("gres:")) text.remove_prefix(5);
  if (text.starts_with("gres/")) text.remove_prefix(5);
  if (!text.starts_with("gpu")) return std::nullopt;
  text.remove_prefix(3);
  if (text.empty()) return TypedGpus{};
  if (text.front() != ':') return std::nullopt;
  text.remove_prefix(1);
  if (auto gpus = gpus_of(text)) return gpus;
  const bool digits = !text.empty() && text.front() >= '0' && text.front() <= '9';
  if (text.empty() || digits || text.find(':') != std::string_view::npos) return std::nullopt;
  return TypedGpus{.type = std::string(text)};
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Whether one of the words of "NVIDIA H100-SXM 80GB" is "h100".
bool names_model(std::string_view model, std::string_view wanted) {
  const std::string all = lower(model), word = lower(wanted);
  if (all == word) return true;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= all.size(); ++i) {
    const bool letter =
        i < all.size() && ((all[i] >= 'a' && all[i] <= 'z') || (all[i] >= '0' && all[i] <= '9'));
    if (letter) continue;
    if (std::string_view(all).substr(begin, i - begin) == word) return true;
    begin = i + 1;
  }
  return false;
}

void add_once(std::vector<std::string>& list, const std::string& item) {
  if (std::ranges::find(list, item) == list.end()) list.push_back(item);
}

// ---- from options to a request ----

constexpr std::string_view names_file = "~/.config/tenbin/slurm.toml";

class Translator {
 public:
  Translator(const Context& context, SbatchOptions& options, const SlurmNames& names,
             const FleetNames& fleet)
      : context_(context), options_(options), names_(names), fleet_(fleet) {}

  JobRequest request() {
    who();
    shape();
    memory();
    where();
    when();
    files();
    environment();
    signal();
    not_honoured();
    return std::move(job_);
  }

 private:
  const Directive* find(std::string_view name) const {
    const auto found = options_.given.find(std::string(name));
    return found == options_.given.end() ? nullptr : &found->second;
  }

  void bad(std::string_view option, const Directive& given, Phrase expected) {
    refuse(
        options_, option, given.place,
        context_.say(Phrase::sb_bad_value, option, printable(given.value), context_.say(expected)));
  }

  std::optional<std::int64_t> count(std::string_view option) {
    const Directive* given = find(option);
    if (!given) return std::nullopt;
    const auto n = count_of(given->value);
    if (!n) bad(option, *given, Phrase::sb_expect_count);
    return n;
  }

  std::string place_of(std::string_view option) const {
    const Directive* given = find(option);
    return given ? given->place : std::string();
  }

  void who() {
    if (const Directive* given = find("job-name")) job_.name = given->value;
    if (const Directive* given = find("account")) {
      const auto mapped = names_.accounts.find(given->value);
      job_.project = mapped == names_.accounts.end() ? given->value : mapped->second;
    }
    if (const Directive* given = find("comment")) job_.labels["comment"] = given->value;
    if (find("hold")) job_.hold = true;
    if (find("no-requeue")) job_.requeue = false;
    if (find("requeue")) job_.requeue = true;
    if (const Directive* given = find("qos"); given && !names_.qos.contains(given->value)) {
      warn(options_, "qos", given->place,
           context_.say(Phrase::sb_ignored, "qos", context_.say(Phrase::sb_qos)));
    }
    if (const Directive* given = find("array")) {
      std::string_view list = given->value;
      const std::size_t percent = list.find('%');
      if (percent != std::string_view::npos) {
        job_.tasks_at_once = count_of(list.substr(percent + 1));
        list = list.substr(0, percent);
      }
      const auto indexes = IndexList::parse_any_order(list);
      if (!indexes || (percent != std::string_view::npos && !job_.tasks_at_once)) {
        bad("array", *given, Phrase::sb_expect_array);
      } else {
        job_.array = indexes->text();
        job_.tasks = static_cast<std::int64_t>(indexes->count());
      }
    }
  }

  std::optional<TypedGpus> typed(std::string_view option) {
    const Directive* given = find(option);
    if (!given) return std::nullopt;
    auto gpus = gpus_of(given->value);
    if (!gpus)
      bad(option, *given, Phrase::sb_expect_gpus);
    else
      want_type(gpus->type, given->place);
    return gpus;
  }

  void uneven(std::string_view option, std::int64_t many, Phrase what, std::int64_t over) {
    refuse(options_, option, place_of(option),
           context_.say(Phrase::sb_not_divisible, many, context_.say(what), over,
                        context_.say(Phrase::sb_word_nodes)));
  }

  void shape() {
    std::optional<std::int64_t> nodes;
    if (const Directive* given = find("nodes")) {
      const std::size_t dash = given->value.find('-');
      const auto least = count_of(std::string_view(given->value).substr(0, dash));
      const auto most = dash == std::string::npos
                            ? least
                            : count_of(std::string_view(given->value).substr(dash + 1));
      if (!least || !most)
        bad("nodes", *given, Phrase::sb_expect_count);
      else if (*least != *most)
        refuse(options_, "", given->place, context_.say(Phrase::sb_range_of_nodes));
      else
        nodes = least;
    }
    const auto tasks = count("ntasks"), cpus_per_task = count("cpus-per-task"),
               cpus_per_gpu = count("cpus-per-gpu");
    auto per_node = count("ntasks-per-node");
    const auto all = typed("gpus"), on_node = typed("gpus-per-node"),
               per_task = typed("gpus-per-task");
    std::optional<TypedGpus> gres;
    if (const Directive* given = find("gres")) {
      gres = gres_of(given->value);
      if (!gres)
        bad("gres", *given, Phrase::sb_expect_gres);
      else
        want_type(gres->type, given->place);
    }

    // How many nodes, and tasks on each.
    if (!nodes && tasks && per_node) nodes = (*tasks + *per_node - 1) / *per_node;
    if (!nodes && all && (on_node || gres)) {
      const std::int64_t each = on_node ? on_node->count : gres->count;
      if (all->count % each != 0) uneven("gpus", all->count, Phrase::sb_word_gpus, each);
      nodes = std::max<std::int64_t>(all->count / each, 1);
    }
    if (!nodes && !all) nodes = 1;
    if (nodes && tasks) {
      if (*tasks % *nodes != 0) uneven("ntasks", *tasks, Phrase::sb_word_tasks, *nodes);
      const std::int64_t each = std::max<std::int64_t>(*tasks / *nodes, 1);
      if (per_node && *per_node < each) conflict("ntasks", "ntasks-per-node");
      per_node = each;
    } else if (!per_node) {
      per_node = tasks;
    }
    const std::int64_t tasks_here = per_node.value_or(1);
    if (tasks_here > 1) job_.tasks_per_member = tasks_here;

    // How many GPUs on each node.
    std::optional<std::int64_t> gpus;
    if (gres) gpus = gres->count;
    if (on_node) gpus = on_node->count;
    if (per_task) {
      const std::int64_t each = per_task->count * tasks_here;
      if (gpus && *gpus != each) conflict(on_node ? "gpus-per-node" : "gres", "gpus-per-task");
      gpus = each;
      job_.environment["SLURM_GPUS_PER_TASK"] = std::to_string(per_task->count);
    }
    if (all && nodes) {
      if (all->count % *nodes != 0) uneven("gpus", all->count, Phrase::sb_word_gpus, *nodes);
      const std::int64_t each = std::max<std::int64_t>(all->count / *nodes, 1);
      if (gpus && *gpus != each) {
        conflict("gpus", per_task ? "gpus-per-task" : on_node ? "gpus-per-node" : "gres");
      }
      gpus = each;
    } else if (all) {
      if (gpus && *gpus != all->count) conflict("gpus", "gpus-per-task");
      gpus = all->count;
    }
    if (!gpus) {
      const bool tried =
          find("gpus") || find("gpus-per-node") || find("gpus-per-task") || find("gres");
      if (!tried) no_gpus_ = true;
    } else {
      job_.gpus = std::to_string(*gpus);
    }
    if (nodes) {
      job_.members = nodes;
      members_ = *nodes;
    }

    // Slurm's default is a core for each task.
    if (cpus_per_task || tasks || per_node) cpus_ = cpus_per_task.value_or(1) * tasks_here;
    if (cpus_per_gpu && gpus) cpus_ = *cpus_per_gpu * *gpus;
    if (cpus_) job_.cpus = std::to_string(*cpus_);
    gpus_ = gpus.value_or(0);
  }

  void conflict(std::string_view one, std::string_view other) {
    refuse(options_, "", place_of(one),
           context_.say(Phrase::sb_conflict,
                        "--" + std::string(one) + "=" + printable(find(one)->value),
                        "--" + std::string(other) + "=" + printable(find(other)->value)));
  }

  void memory() {
    const auto mib = [&](std::string_view option, std::int64_t times) {
      const Directive* given = find(option);
      if (!given) return;
      const auto value = memory_of(given->value);
      if (!value || Wide{*value} * times > memory_max.count)
        return bad(option, *given, Phrase::sb_expect_memory);
      if (*value == 0)
        return warn(options_, option, given->place,
                    context_.say(Phrase::sb_ignored, option, context_.say(Phrase::sb_memory_all)));
      job_.memory_mib = *value * times;
    };
    mib("mem-per-cpu", cpus_.value_or(1));
    mib("mem-per-gpu", std::max<std::int64_t>(gpus_, 1));
    mib("mem", 1);
  }

  std::string models_there() const {
    std::vector<std::string> models;
    for (const auto& pool : fleet_.pools) add_once(models, pool.model);
    return joined(models);
  }
  static std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : " ") + printable(name);
    return out;
  }

  void want_type(const std::string& type, const std::string& place) {
    if (type.empty()) return;
    if (const auto mapped = names_.gpu_types.find(type); mapped != names_.gpu_types.end())
      return want(mapped->second);
    if (!want_model(type)) {
      refuse(options_, "", place,
             context_.say(Phrase::sb_model_unknown, printable(type), models_there(), names_file));
    }
  }

  bool want_model(const std::string& type) {
    bool found = false;
    for (const auto& pool : fleet_.pools) {
      if (!names_model(pool.model, type)) continue;
      add_once(job_.models, pool.model);
      found = true;
    }
    return found;
  }

  void want(const SlurmNames::Where& where) {
    for (const std::string& region : where.regions) add_once(job_.regions, region);
    for (const std::string& model : where.models) add_once(job_.models, model);
  }

  void where() {
    if (const Directive* given = find("partition")) {
      for (const std::string& name : split(given->value, ',')) {
        if (const auto mapped = names_.partitions.find(name); mapped != names_.partitions.end()) {
          want(mapped->second);
          continue;
        }
        bool found = false;
        std::vector<std::string> there;
        for (const auto& pool : fleet_.pools) {
          add_once(there, pool.region);
          if (pool.region == name) {
            found = true;
            add_once(job_.regions, name);
          } else if (pool.name == name) {
            found = true;
            want({.regions = {pool.region}, .models = {pool.model}});
          }
        }
        if (!found) {
          for (const auto& pool : fleet_.pools) add_once(there, pool.name);
          refuse(options_, "partition", given->place,
                 context_.say(Phrase::sb_partition_unknown, printable(name), joined(there),
                              names_file));
        }
      }
    }
    if (const Directive* given = find("constraint")) {
      if (const auto mapped = names_.constraints.find(given->value);
          mapped != names_.constraints.end()) {
        want(mapped->second);
      } else {
        for (const std::string& name : split(given->value, '|')) {
          if (want_model(name)) continue;
          refuse(options_, "constraint", given->place,
                 context_.say(Phrase::sb_constraint_unknown, printable(name), models_there(),
                              names_file));
        }
      }
    }
  }

  void when() {
    if (const Directive* given = find("time")) {
      job_.time_limit = parse_slurm_time(given->value);
      if (!job_.time_limit) bad("time", *given, Phrase::sb_expect_time);
    }
    if (const Directive* given = find("begin"); given && given->value != "now") {
      refuse(options_, "begin", given->place,
             context_.say(Phrase::sb_not_honoured, "begin", context_.say(Phrase::sb_begin)));
    }
    if (const Directive* given = find("dependency")) {
      for (const std::string& part : split(given->value, ',')) {
        if (!dependency(part)) {
          refuse(options_, "dependency", given->place,
                 context_.say(Phrase::sb_dependency, printable(part)));
        }
      }
    }
  }

  bool dependency(const std::string& part) {
    const std::vector<std::string> words = split(part, ':');
    std::string when;
    if (words[0] == "afterok") when = "ok";
    if (words[0] == "afterany") when = "any";
    if (words[0] == "afternotok") when = "not_ok";
    if (when.empty() || words.size() < 2) return false;
    for (std::size_t i = 1; i < words.size(); ++i) {
      std::int64_t job = 0;
      const char* const end = words[i].data() + words[i].size();
      const auto [at, error] = std::from_chars(words[i].data(), end, job);
      if (error != std::errc{} || at != end || job <= 0) return false;
      job_.after.push_back({job, when});
    }
    return true;
  }

  // A path below the working directory; an absolute one if it lies there.
  std::optional<std::string> output(std::string_view option) {
    const Directive* given = find(option);
    if (!given) return std::nullopt;
    if (given->value == "/dev/null") return "";
    std::string path = given->value;
    if (job_.directory && path.starts_with(*job_.directory + "/"))
      path.erase(0, job_.directory->size() + 1);
    while (path.starts_with("./")) path.erase(0, 2);
    if (stays_below(path)) return path;
    refuse(options_, option, given->place,
           context_.say(Phrase::sb_output_outside,
                        "--" + std::string(option) + "=" + printable(given->value)));
    return std::nullopt;
  }

  void files() {
    if (const Directive* given = find("chdir")) {
      std::string path = given->value;
      while (path.size() > 1 && path.ends_with('/')) path.pop_back();
      if (!path.starts_with('/'))
        bad("chdir", *given, Phrase::sb_expect_path);
      else
        job_.directory = path;
    }
    if (const auto path = output("output"); path && !path->empty()) job_.output = path;
    if (const auto path = output("error")) {
      // What is to go nowhere must not fall into the other's file.
      if (!path->empty()) job_.error = path;
      if (path->empty() && job_.output)
        warn(options_, "error", place_of("error"),
             context_.say(Phrase::sb_ignored, "error", "/dev/null"));
    }
    if (const Directive* given = find("open-mode")) {
      if (given->value != "append" && given->value != "truncate")
        bad("open-mode", *given, Phrase::sb_expect_mode);
      else
        job_.append = given->value == "append";
    }
  }

  void environment() {
    const Directive* given = find("export");
    if (!given || given->value == "NONE" || given->value == "NIL") return;
    std::string_view rest = given->value;
    while (!rest.empty()) {
      // A comma in quotes belongs to a value.
      std::string item;
      char quote = 0;
      std::size_t at = 0;
      for (; at < rest.size() && (quote != 0 || rest[at] != ','); ++at) {
        if (quote == 0 && (rest[at] == '\'' || rest[at] == '"'))
          quote = rest[at];
        else if (quote != 0 && rest[at] == quote)
          quote = 0;
        else
          item += rest[at];
      }
      rest.remove_prefix(std::min(at + 1, rest.size()));
      const std::size_t equals = item.find('=');
      if (item == "ALL") {
        take_all(*given);
      } else if (item.empty() || equals == 0) {
        return bad("export", *given, Phrase::sb_expect_export);
      } else if (equals != std::string::npos) {
        job_.environment[item.substr(0, equals)] = item.substr(equals + 1);
      } else if (const std::string value = context_.around.variable(item.c_str()); !value.empty()) {
        job_.environment[item] = value;
      } else {
        warn(options_, "export", given->place,
             context_.say(Phrase::sb_ignored, "export",
                          context_.say(Phrase::sb_export_missing, printable(item))));
      }
    }
  }

  void take_all(const Directive& given) {
    std::int64_t taken = 0;
    for (char** at = environ; *at; ++at) {
      const std::string_view pair = *at;
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = pair.substr(0, equals), value = pair.substr(equals + 1);
      const auto begins = [&](std::string_view with) { return name.starts_with(with); };
      const auto good = [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '_';
      };
      // Secrets and places of Tenbin's own, what a job is told anyway, and what no job may be
      // given.
      if (begins("TENBIN_") || begins("SLURM_") || begins("SBATCH_") || begins("CUDA_VISIBLE") ||
          name == "HOME" || name == "USER" || name == "LOGNAME" || name == "PWD" ||
          name == "OLDPWD" || name == "SHLVL" || name == "_" || name.empty() ||
          !std::ranges::all_of(name, good) || (name.front() >= '0' && name.front() <= '9') ||
          !valid_utf8(value)) {
        continue;
      }
      job_.environment.emplace(name, value);
      ++taken;
    }
    warn(options_, "export", given.place, context_.say(Phrase::sb_export_all, taken));
  }

  void signal() {
    const Directive* given = find("signal");
    if (!given) return;
    std::string_view rest = given->value;
    bool shell = false;
    if (const std::size_t colon = rest.find(':'); colon != std::string_view::npos) {
      const std::string_view flags = rest.substr(0, colon);
      shell = flags.find('B') != std::string_view::npos;
      if (flags.find_first_not_of("BR") != std::string_view::npos || flags.empty())
        return bad("signal", *given, Phrase::sb_expect_signal);
      if (flags.find('R') != std::string_view::npos) {
        warn(options_, "signal", given->place,
             context_.say(Phrase::sb_ignored, "signal",
                          context_.say(Phrase::sb_signal_reservation)));
      }
      rest.remove_prefix(colon + 1);
    }
    const std::size_t at = rest.find('@');
    std::string name(rest.substr(0, at));
    std::int64_t seconds = 60;
    if (at != std::string_view::npos) {
      const auto n = parse_decimal(rest.substr(at + 1), 0);
      if (!n || *n > 65'535) return bad("signal", *given, Phrase::sb_expect_signal);
      seconds = *n;
    }
    for (const char* known :
         {"HUP", "INT", "QUIT", "USR1", "USR2", "ALRM", "TERM", "CONT", "WINCH", "URG"}) {
      if (name == std::to_string(signal_number(known))) name = known;
    }
    if (name.starts_with("SIG")) name.erase(0, 3);
    if (signal_number(name) == 0) return bad("signal", *given, Phrase::sb_expect_signal);
    job_.signal = name;
    job_.signal_before = Span{seconds * 1'000};
    job_.signal_to = shell ? "shell" : "steps";
  }

  void not_honoured() {
    if (no_gpus_) refuse(options_, "", "", context_.say(Phrase::sb_no_gpu));
    for (const auto& [name, given] : options_.given) {
      const Option* option = find_option(name);
      if (option->fate == Fate::refused) {
        refuse(options_, name, given.place,
               context_.say(Phrase::sb_not_honoured, name, context_.say(option->why)));
      } else if (option->fate == Fate::no_effect) {
        warn(options_, name, given.place,
             context_.say(Phrase::sb_ignored, name, context_.say(option->why)));
      }
    }
  }

  const Context& context_;
  SbatchOptions& options_;
  const SlurmNames& names_;
  const FleetNames& fleet_;
  JobRequest job_;
  std::optional<std::int64_t> cpus_;  // of a member
  std::int64_t gpus_ = 0;             // of a member
  std::int64_t members_ = 1;
  bool no_gpus_ = false;
};

}  // namespace

void read_sbatch_words(const Context& context, const std::vector<std::string>& words,
                       const std::string& place, SbatchOptions& options) {
  for (std::size_t i = 0; i < words.size();) {
    const std::string& word = words[i];
    const std::string* next = i + 1 < words.size() ? &words[i + 1] : nullptr;
    if (word.size() > 2 && word.starts_with("--")) {
      i += read_long(context, std::string_view(word).substr(2), next, place, options);
    } else if (word.size() > 1 && word.front() == '-' && word != "--") {
      i += read_short(context, std::string_view(word).substr(1), next, place, options);
    } else {
      refuse(options, "", place, context.say(Phrase::sb_word, printable(word)));
      ++i;
    }
  }
}

void read_sbatch_script(const Context& context, std::string_view text, const std::string& path,
                        SbatchOptions& options) {
  const std::string name = printable(path);
  if (!text.starts_with("#!"))
    return refuse(options, "", name, context.say(Phrase::sb_no_interpreter, name));
  if (text.find('\0') != std::string_view::npos || !valid_utf8(text))
    return refuse(options, "", name, context.say(Phrase::sb_not_text, name));
  if (text.find("\r\n") != std::string_view::npos)
    return refuse(options, "", name, context.say(Phrase::sb_carriage_return, name));

  std::size_t number = 0, first_command = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::string place = path + ":" + std::to_string(++number);
    constexpr std::string_view word = "#SBATCH";
    if (line.starts_with(word)) {
      if (first_command > 0) {
        warn(options, "", place, context.say(Phrase::sb_late, first_command));
        continue;
      }
      const std::vector<std::string> words =
          words_of(context, line.substr(word.size()), place, options);
      read_sbatch_words(context, words, place, options);
      continue;
    }
    std::size_t at = 0;
    while (at < line.size() && blank(line[at])) ++at;
    if (first_command > 0 || at == line.size()) continue;
    if (line[at] != '#') {
      first_command = number;
      continue;
    }
    // "# SBATCH" and "##SBATCH" are sometimes meant to be comments, and sometimes not.
    std::size_t marks = at;
    while (marks < line.size() && (line[marks] == '#' || blank(line[marks]))) ++marks;
    if (line.substr(marks).starts_with("SBATCH -"))
      warn(options, "", place, context.say(Phrase::sb_comment, printable(line.substr(0, 60))));
  }
}

void read_sbatch_environment(const Context& context, SbatchOptions& options) {
  for (const auto& [variable, name] : variables) {
    const std::string value = context.around.variable(variable);
    if (value.empty()) continue;
    const Option* option = find_option(name);
    give(options, *option, option->value == Value::none ? "" : value, variable);
  }
}

bool ignore_option(SbatchOptions& options, std::string_view name) {
  const Option* option = find_option(name);
  if (!option) return false;
  const bool may = option->fate != Fate::taken ||
                   std::ranges::find(ignorable_taken, name) != std::end(ignorable_taken);
  return may && options.given.erase(std::string(name)) > 0;
}

bool asks_for_fleet(const SbatchOptions& options) {
  if (options.given.contains("partition") || options.given.contains("constraint")) return true;
  for (const char* name : {"gpus", "gpus-per-node", "gpus-per-task"}) {
    const auto found = options.given.find(name);
    if (found != options.given.end() && found->second.value.find(':') != std::string::npos)
      return true;
  }
  const auto gres = options.given.find("gres");
  if (gres == options.given.end()) return false;
  const auto gpus = gres_of(gres->second.value);
  return gpus && !gpus->type.empty();
}

JobRequest request_of(const Context& context, SbatchOptions& options, const SlurmNames& names,
                      const FleetNames& fleet) {
  return Translator(context, options, names, fleet).request();
}

std::optional<Span> parse_slurm_time(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::int64_t days = 0;
  const std::size_t dash = text.find('-');
  const bool with_days = dash != std::string_view::npos;
  if (with_days) {
    const auto d = parse_decimal(text.substr(0, dash), 0);
    if (!d || *d > 100'000 || text.substr(0, dash).find('.') != std::string_view::npos)
      return std::nullopt;
    days = *d;
    text.remove_prefix(dash + 1);
  }
  std::int64_t parts[3] = {0, 0, 0};
  std::size_t count = 0;
  for (const std::string& part : split(text, ':')) {
    if (count == 3) return std::nullopt;
    const auto n = part.find('.') == std::string::npos ? parse_decimal(part, 0) : std::nullopt;
    if (!n || *n > 100'000'000) return std::nullopt;
    parts[count++] = *n;
  }
  // Without days one part is minutes, two are minutes and seconds.
  Wide seconds = 0;
  if (with_days || count == 3)
    seconds = ((Wide{days} * 24 + parts[0]) * 60 + parts[1]) * 60 + parts[2];
  else
    seconds = Wide{parts[0]} * 60 + parts[1];
  if (seconds <= 0 || seconds * 1'000 > time_limit_max.count) return std::nullopt;
  return Span{static_cast<std::int64_t>(seconds * 1'000)};
}

Outcome<SlurmNames> parse_slurm_names(const Context& context, std::string_view text,
                                      const std::string& path) {
  const auto wrong = [&](const toml::source_region& where, std::string why) {
    return stop(Exit::usage, "malformed_file",
                path + ":" + std::to_string(where.begin.line) + ": " + why);
  };
  toml::table file;
  try {
    file = toml::parse(text, path);
  } catch (const toml::parse_error& e) {
    return wrong(e.source(), context.say(Phrase::toml_syntax, e.description()));
  }
  SlurmNames names;
  for (const auto& [key, node] : file) {
    const std::string_view kind = key.str();
    std::map<std::string, SlurmNames::Where>* places = kind == "partition"    ? &names.partitions
                                                       : kind == "constraint" ? &names.constraints
                                                       : kind == "gpu_type"   ? &names.gpu_types
                                                                              : nullptr;
    if (!places && kind != "account" && kind != "qos") {
      return wrong(key.source(), context.say(Phrase::field_unknown, kind,
                                             "account partition constraint gpu_type qos"));
    }
    const toml::table* table = node.as_table();
    if (!table) return wrong(node.source(), context.say(Phrase::toml_bad_map, kind));
    for (const auto& [name, value] : *table) {
      if (kind == "account") {
        const auto* project = value.as_string();
        if (!project)
          return wrong(value.source(), context.say(Phrase::field_wrong, name.str(),
                                                   context.say(Phrase::expected_text)));
        names.accounts[std::string(name.str())] = project->get();
        continue;
      }
      if (kind == "qos") {
        names.qos[std::string(name.str())] = true;
        continue;
      }
      const toml::table* where = value.as_table();
      if (!where) return wrong(value.source(), context.say(Phrase::toml_bad_map, name.str()));
      SlurmNames::Where& to = (*places)[std::string(name.str())];
      for (const auto& [field, list] : *where) {
        const bool regions = field.str() == "regions";
        if (!regions && field.str() != "models") {
          return wrong(field.source(),
                       context.say(Phrase::field_unknown, field.str(), "regions models"));
        }
        const toml::array* items = list.as_array();
        for (std::size_t i = 0; items && i < items->size(); ++i) {
          const auto* item = (*items)[i].as_string();
          if (item) (regions ? to.regions : to.models).push_back(item->get());
          if (!item) items = nullptr;
        }
        if (!items) {
          return wrong(list.source(), context.say(Phrase::field_wrong, field.str(),
                                                  context.say(Phrase::expected_texts)));
        }
      }
    }
  }
  return names;
}

}  // namespace tenbin::cli
