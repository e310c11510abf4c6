#include "cli/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <optional>
#include <sstream>
#include <system_error>

#include "base/nearest.h"
#include "base/toml.h"
#include "cli/job_flags.h"
#include "cli/nouns.h"
#include "codec/json.h"
#include "codec/spec.h"
#include "twin/policy.h"

namespace tenbin::cli {

namespace {

// One file being read. The first error stays; what comes after it is not looked at.
class Reader {
 public:
  Reader(const Context& context, std::string path) : context_(context), path_(std::move(path)) {}

  std::optional<toml::table> parse(std::string_view text) {
    try {
      return toml::parse(text, path_);
    } catch (const toml::parse_error& e) {
      fail(e.source(), context_.say(Phrase::toml_syntax, e.description()));
      return std::nullopt;
    }
  }

  void fail(const toml::source_region& where, std::string why) {
    if (!error_) error_ = place(where) + ": " + std::move(why);
  }
  bool failed() const { return error_.has_value(); }
  std::unexpected<Stop> error() const {
    return stop(Exit::usage, "malformed_file", error_.value_or(""));
  }

  std::string place(const toml::source_region& where) const {
    return path_ + ":" + std::to_string(where.begin.line);
  }

  void wrong(const toml::node& node, std::string_view field, Phrase expected) {
    fail(node.source(), context_.say(Phrase::field_wrong, field, context_.say(expected)));
  }
  // `allowed` are the names that there are, with blanks between.
  void unknown_field(const toml::key& key, const std::string& allowed) {
    unknown(Phrase::field_unknown, key, allowed);
  }
  void unknown(Phrase phrase, const toml::key& key, const std::string& allowed) {
    std::vector<std::string_view> names;
    for (std::string_view left = allowed; !left.empty();) {
      const std::size_t blank = std::min(left.find(' '), left.size());
      names.push_back(left.substr(0, blank));
      left.remove_prefix(std::min(blank + 1, left.size()));
    }
    std::string why = context_.say(phrase, key.str(), allowed);
    if (const std::string meant = nearest(key.str(), names); !meant.empty())
      why += "; " + context_.say(Phrase::hint_meant, meant);
    fail(key.source(), std::move(why));
  }

  std::optional<std::string> text(const toml::node& node, std::string_view field) {
    const auto* s = node.as_string();
    if (!s) wrong(node, field, Phrase::expected_text);
    return s ? std::optional(s->get()) : std::nullopt;
  }

  std::optional<std::int64_t> integer(const toml::node& node, std::string_view field) {
    const auto* n = node.as_integer();
    if (!n || n->get() < 0) {
      wrong(node, field, Phrase::expected_integer);
      return std::nullopt;
    }
    return n->get();
  }

  std::optional<bool> truth(const toml::node& node, std::string_view field) {
    const auto* value = node.as_boolean();
    if (!value) wrong(node, field, Phrase::expected_boolean);
    return value ? std::optional(value->get()) : std::nullopt;
  }

  // A decimal string, a whole number, or a number with a point as long as it means what it says.
  std::optional<std::string> decimal(const toml::node& node, std::string_view field, int decimals) {
    std::string digits;
    if (const auto* s = node.as_string()) digits = s->get();
    if (const auto* n = node.as_integer()) digits = std::to_string(n->get());
    if (const auto* f = node.as_floating_point(); f && std::abs(f->get()) < 1e9)
      digits = fmt::format("{}", f->get());
    if (!parse_decimal(digits, decimals)) {
      fail(node.source(), context_.say(Phrase::field_wrong, field,
                                       context_.say(Phrase::expected_decimal, decimals)));
      return std::nullopt;
    }
    return digits;
  }

  std::optional<std::string> instant(const toml::node& node, std::string_view field) {
    if (const auto* d = node.as_date_time(); d && d->get().offset) {
      std::ostringstream out;
      out << d->get();
      return out.str();
    }
    if (const auto* s = node.as_string()) return s->get();
    wrong(node, field, Phrase::expected_instant);
    return std::nullopt;
  }

  std::vector<std::string> texts(const toml::node& node, std::string_view field) {
    std::vector<std::string> all;
    const toml::array* list = node.as_array();
    if (!list) wrong(node, field, Phrase::expected_texts);
    for (std::size_t i = 0; list && i < list->size(); ++i) {
      const auto* s = (*list)[i].as_string();
      if (!s) {
        wrong((*list)[i], field, Phrase::expected_texts);
        break;
      }
      all.push_back(s->get());
    }
    return all;
  }

 private:
  const Context& context_;
  std::string path_;
  std::optional<std::string> error_;
};

// toml++ keeps tables in the order of their keys; a person's order is that of the file.
std::vector<std::pair<const toml::key*, const toml::node*>> in_file_order(
    const toml::table& table) {
  std::vector<std::pair<const toml::key*, const toml::node*>> members;
  for (const auto& [key, node] : table) members.emplace_back(&key, &node);
  std::ranges::sort(members, {}, [](const auto& member) {
    const toml::source_position at = member.first->source().begin;
    return std::pair(at.line, at.column);
  });
  return members;
}

template <class Range, class Name>
std::string listed(const Range& range, Name name) {
  std::string all;
  for (const auto& item : range)
    all += (all.empty() ? "" : " ") + std::string(std::invoke(name, item));
  return all;
}

void write_money(Reader& reader, const toml::node& node, std::string_view field, JsonWriter& out) {
  const toml::table* money = node.as_table();
  std::optional<std::string> amount, currency;
  if (!money) return reader.wrong(node, field, Phrase::expected_money);
  for (const auto& [key, value] : *money) {
    if (key == "amount")
      amount = reader.decimal(value, "amount", 2);
    else if (key == "currency")
      currency = reader.text(value, "currency");
    else
      reader.unknown_field(key, "amount currency");
  }
  if (!amount || !currency) return reader.wrong(node, field, Phrase::expected_money);
  out.begin_object().member("amount", *amount).member("currency", *currency).end_object();
}

void write_field(Reader& reader, const toml::node& node, const Field& field, JsonWriter& out) {
  out.key(field.name);
  switch (field.type) {
    case Type::text: out.value(reader.text(node, field.name).value_or("")); break;
    case Type::decimal: out.value(reader.decimal(node, field.name, 6).value_or("")); break;
    case Type::integer: out.value(reader.integer(node, field.name).value_or(0)); break;
    case Type::instant: out.value(reader.instant(node, field.name).value_or("")); break;
    case Type::money: write_money(reader, node, field.name, out); break;
    case Type::truth: out.value(reader.truth(node, field.name).value_or(false)); break;
    case Type::texts:
      out.begin_array();
      for (const std::string& text : reader.texts(node, field.name)) out.value(text);
      out.end_array();
      break;
  }
}

std::string name_in(const toml::table& table, const Noun& kind) {
  if (kind.keys.empty()) return {};  // there is one
  const auto member = [&](std::string_view key) { return table[key].value_or(std::string()); };
  if (table.contains("name")) return member("name");
  if (table.contains("person")) return member("project") + " " + member("person");
  return member("pool");
}

Declaration declaration(const Context& context, Reader& reader, const Noun& kind,
                        const toml::table& table) {
  Declaration made{.kind = kind.name,
                   .name = name_in(table, kind),
                   .place = reader.place(table.source()),
                   .json = {}};
  JsonWriter out(made.json);
  out.begin_object().member("kind", kind.name);
  for (const auto& [key, node] : in_file_order(table)) {
    const auto field = std::ranges::find(kind.fields, std::string_view(key->str()), &Field::name);
    if (field == kind.fields.end())
      reader.unknown_field(*key, listed(kind.fields, &Field::name));
    else
      write_field(reader, *node, *field, out);
  }
  out.end_object();
  for (const Field& field : kind.fields) {
    if (field.required && !table.contains(field.name)) {
      reader.fail(table.source(), context.say(Phrase::field_missing, kind.name, field.name));
    }
  }
  return made;
}

void read_after(Reader& reader, std::string_view key, const toml::node& node, JobRequest& job) {
  const toml::array* list = node.as_array();
  if (!list) return reader.wrong(node, key, Phrase::expected_afters);
  for (const toml::node& item : *list) {
    const auto* number = item.as_integer();
    const auto* text = item.as_string();
    const auto after = parse_after(number ? std::to_string(number->get())
                                   : text ? text->get()
                                          : std::string());
    if (!after) return reader.wrong(item, key, Phrase::expected_afters);
    job.after.push_back(*after);
  }
}

void read_job_key(Reader& reader, std::string_view key, const toml::key& where,
                  const toml::node& node, JobRequest& job) {
  constexpr std::string_view keys =
      "project name gpus members cpus memory memory_mib models regions time_limit time_limit_ms "
      "tasks array tasks_at_once after hold retries labels command script environment directory "
      "output_cap grace grace_ms output error open_mode signal requeue tasks_per_member";
  const auto span = [&](std::string_view name) -> std::optional<Span> {
    const auto text = reader.text(node, name);
    const auto parsed = text ? parse_span(*text) : std::nullopt;
    if (!parsed) reader.wrong(node, name, Phrase::expected_span);
    return parsed;
  };
  const auto milliseconds = [&](std::string_view name) -> std::optional<Span> {
    const auto n = reader.integer(node, name);
    return n ? std::optional(Span{*n}) : std::nullopt;
  };
  if (key == "project")
    job.project = reader.text(node, key);
  else if (key == "name")
    job.name = reader.text(node, key);
  else if (key == "gpus") {
    job.gpus = reader.decimal(node, key, 3);
    if (job.gpus && !parse_gpus(*job.gpus)) reader.wrong(node, key, Phrase::expected_gpus);
  } else if (key == "members")
    job.members = reader.integer(node, key);
  else if (key == "cpus")
    job.cpus = reader.decimal(node, key, 3);
  else if (key == "memory_mib")
    job.memory_mib = reader.integer(node, key);
  else if (key == "memory") {
    const auto text = reader.text(node, key);
    const auto bytes = text ? parse_bytes(*text, BytesAlone::no) : std::nullopt;
    if (!bytes || *bytes % (1 << 20) != 0)
      reader.wrong(node, key, Phrase::expected_memory);
    else
      job.memory_mib = *bytes >> 20;
  } else if (key == "models")
    job.models = reader.texts(node, key);
  else if (key == "regions")
    job.regions = reader.texts(node, key);
  else if (key == "time_limit")
    job.time_limit = span(key);
  else if (key == "time_limit_ms")
    job.time_limit = milliseconds(key);
  else if (key == "tasks")
    job.tasks = reader.integer(node, key);
  else if (key == "tasks_at_once")
    job.tasks_at_once = reader.integer(node, key);
  else if (key == "retries")
    job.retries = reader.integer(node, key);
  else if (key == "tasks_per_member")
    job.tasks_per_member = reader.integer(node, key);
  else if (key == "hold")
    job.hold = reader.truth(node, key);
  else if (key == "requeue")
    job.requeue = reader.truth(node, key);
  else if (key == "array") {
    const auto text = reader.text(node, key);
    if (!text || !take_array(*text, job)) reader.wrong(node, key, Phrase::expected_array);
  } else if (key == "after") {
    read_after(reader, key, node, job);
  } else if (key == "labels") {
    const toml::table* table = node.as_table();
    if (!table) return reader.wrong(node, key, Phrase::expected_environment);
    for (const auto& [label, value] : *table) {
      if (const auto text = reader.text(value, label.str())) job.labels.emplace(label.str(), *text);
    }
  } else if (key == "script") {
    job.script = reader.text(node, key);
    if (job.script && !job.script->starts_with("#!"))
      reader.wrong(node, key, Phrase::expected_script);
  } else if (key == "output" || key == "error") {
    const auto text = reader.text(node, key);
    if (text && !stays_below(*text)) reader.wrong(node, key, Phrase::expected_output);
    (key == "output" ? job.output : job.error) = text;
  } else if (key == "open_mode") {
    const auto text = reader.text(node, key);
    if (text != "append" && text != "truncate") reader.wrong(node, key, Phrase::expected_mode);
    job.append = text == "append";
  } else if (key == "signal") {
    const auto text = reader.text(node, key);
    const auto asked = text ? parse_signal(*text) : std::nullopt;
    if (!asked) return reader.wrong(node, key, Phrase::expected_signal);
    job.signal = asked->name;
    job.signal_before = asked->before;
  } else if (key == "command") {
    job.command = reader.texts(node, key);
    if (job.command.empty()) reader.wrong(node, key, Phrase::expected_texts);
  } else if (key == "environment") {
    const toml::table* table = node.as_table();
    if (!table) return reader.wrong(node, key, Phrase::expected_environment);
    for (const auto& [variable, value] : *table) {
      if (const auto text = reader.text(value, variable.str()))
        job.environment.emplace(variable.str(), *text);
    }
  } else if (key == "directory")
    job.directory = reader.text(node, key);
  else if (key == "output_cap") {
    if (node.is_integer()) {
      job.output_cap = reader.integer(node, key);
    } else {
      const auto text = reader.text(node, key);
      job.output_cap = text ? parse_bytes(*text, BytesAlone::yes) : std::nullopt;
      if (!job.output_cap) reader.wrong(node, key, Phrase::expected_bytes);
    }
  } else if (key == "grace")
    job.grace = span(key);
  else if (key == "grace_ms")
    job.grace = milliseconds(key);
  else
    reader.unknown_field(where, std::string(keys));
}

}  // namespace

Outcome<void> there_is(const Context& context, const std::string& path) {
  struct stat about{};
  if (path == "-") return {};
  const int error = ::stat(path.c_str(), &about) != 0 ? errno : S_ISDIR(about.st_mode) ? EISDIR : 0;
  if (error == 0) return {};
  return stop(Exit::not_found, "no_file",
              context.say(Phrase::file_unreadable, path, std::generic_category().message(error)));
}

Outcome<std::string> read_file(const Context& context, const std::string& path) {
  const auto failed_with = [&](int error) {
    return stop(Exit::failed, "file_unreadable",
                context.say(Phrase::file_unreadable, path, std::generic_category().message(error)));
  };
  if (auto there = there_is(context, path); !there) return std::unexpected(there.error());
  const int fd = path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return failed_with(errno);
  std::string all;
  char buffer[16 * 1024];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0)
    all.append(buffer, static_cast<std::size_t>(n));
  const int error = n < 0 ? errno : 0;
  ::close(fd);
  if (error != 0) return failed_with(error);
  return all;
}

Outcome<std::vector<Declaration>> parse_declarations(const Context& context, std::string_view text,
                                                     const std::string& path) {
  Reader reader(context, path);
  const auto file = reader.parse(text);
  if (!file) return reader.error();
  for (const auto& [key, node] : in_file_order(*file)) {
    const bool known =
        std::ranges::find(nouns(), std::string_view(key->str()), &Noun::name) != nouns().end();
    if (!known) {
      reader.unknown(Phrase::table_unknown, *key, listed(nouns(), &Noun::name));
    } else if (!node->is_array() || !node->as_array()->is_homogeneous<toml::table>()) {
      reader.fail(key->source(), context.say(Phrase::table_not_array, key->str()));
    }
    if (reader.failed()) return reader.error();
  }

  std::vector<Declaration> all;
  for (const Noun& kind : nouns()) {
    const toml::array* tables = (*file)[kind.name].as_array();
    for (std::size_t i = 0; tables && i < tables->size(); ++i) {
      all.push_back(declaration(context, reader, kind, *(*tables)[i].as_table()));
      if (reader.failed()) return reader.error();
    }
  }
  if (all.empty())
    return stop(Exit::usage, "malformed_file", context.say(Phrase::file_empty, path));
  return all;
}

Outcome<std::vector<Declaration>> read_declarations(const Context& context,
                                                    const std::string& path) {
  const auto text = read_file(context, path);
  if (!text) return std::unexpected(text.error());
  return parse_declarations(context, *text, path);
}

Outcome<GivenPolicy> parse_policy(const Context& context, std::string_view text,
                                  const std::string& path) {
  Reader reader(context, path);
  const auto file = reader.parse(text);
  if (!file) return reader.error();
  std::string base = path.substr(path.find_last_of('/') + 1);
  if (base.ends_with(".toml")) base.resize(base.size() - 5);
  GivenPolicy given{std::move(base), {}};
  Policy& policy = given.policy;
  for (const auto& [key, node] : in_file_order(*file)) {
    const std::string_view name = key->str();
    const auto choose = [&]<class Enum>(Enum& to) {
      const auto word = reader.text(*node, name);
      if (!word) return;
      if (const auto value = value_named<Enum>(*word)) {
        to = *value;
      } else {
        reader.fail(node->source(), context.say(Phrase::field_wrong, name, joined(enum_names(to))));
      }
    };
    if (name == "name") {
      given.name = reader.text(*node, name).value_or("");
      if (given.name.empty()) reader.wrong(*node, name, Phrase::expected_text);
    } else if (name == "order") {
      choose(policy.order);
    } else if (name == "backfill") {
      choose(policy.backfill);
    } else if (name == "placement") {
      choose(policy.placement);
    } else if (name == "seed") {
      const std::int64_t seed = reader.integer(*node, name).value_or(0);
      if (seed > seed_max) reader.wrong(*node, name, Phrase::expected_seed);
      policy.seed = static_cast<std::uint64_t>(seed);
    } else if (name == "cpu_jobs") {
      policy.cpu_jobs = reader.truth(*node, name).value_or(false);
    } else {
      reader.unknown_field(*key, "name order backfill placement seed cpu_jobs");
    }
    if (reader.failed()) return reader.error();
  }
  return given;
}

Outcome<JobRequest> parse_job_file(const Context& context, std::string_view text,
                                   const std::string& path) {
  Reader reader(context, path);
  const auto file = reader.parse(text);
  if (!file) return reader.error();
  JobRequest job;
  for (const auto& [key, node] : in_file_order(*file)) {
    read_job_key(reader, key->str(), *key, *node, job);
    if (reader.failed()) return reader.error();
  }
  return job;
}

Outcome<JobRequest> read_job_file(const Context& context, const std::string& path) {
  const auto text = read_file(context, path);
  if (!text) return std::unexpected(text.error());
  return parse_job_file(context, *text, path);
}

}  // namespace tenbin::cli
