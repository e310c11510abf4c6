#include "cli/replay_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <system_error>
#include <tuple>

#include "base/nearest.h"
#include "base/toml.h"
#include "cli/files.h"
#include "cli/values.h"
#include "codec/json.h"
#include "core/limits.h"
#include "twin/policy.h"

namespace tenbin::cli {

namespace {

constexpr std::uint32_t nodes_given_max = 100'000;

// "64x8".
std::optional<ReplayFleet> parse_grid(std::string_view text) {
  const std::size_t x = text.find('x');
  if (x == std::string_view::npos) return std::nullopt;
  ReplayFleet fleet{.kind = PoolKind::nodes};
  const auto number = [](std::string_view digits, std::uint32_t& to) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    return error == std::errc{} && end == digits.data() + digits.size();
  };
  if (!number(text.substr(0, x), fleet.nodes) || !number(text.substr(x + 1), fleet.gpus_per_node))
    return std::nullopt;
  return fleet;
}

std::string text_in(JsonValue object, std::string_view key) {
  return std::string(object[key].text().value_or(""));
}

std::unexpected<Stop> malformed(const std::string& why) {
  return stop(Exit::usage, "malformed_file", why);
}

Outcome<Policy> policy_of(const Context& context, JsonValue object, const std::string& place) {
  Policy policy;
  const auto take = [&](std::string_view key, auto& to) -> Outcome<void> {
    const std::string name = text_in(object, key);
    if (name.empty()) return {};
    const auto value = value_named<std::remove_reference_t<decltype(to)>>(name);
    if (value) {
      to = *value;
      return {};
    }
    std::string all;
    for (const std::string_view one : enum_names(to))
      all += (all.empty() ? "" : ", ") + std::string(one);
    return malformed(place + ": " + context.say(Phrase::field_wrong, std::string(key), all));
  };
  if (auto good = take("order", policy.order); !good) return std::unexpected(good.error());
  if (auto good = take("backfill", policy.backfill); !good) return std::unexpected(good.error());
  if (auto good = take("placement", policy.placement); !good) return std::unexpected(good.error());
  return policy;
}

Outcome<FleetFile> fleet_of(const Context& context, const std::vector<Declaration>& all,
                            const std::string& path) {
  FleetFile file;
  std::vector<ReplayPool>& pools = file.fleet.pools;
  const auto pool_named = [&](const std::string& name) {
    return std::ranges::find(pools, name, &ReplayPool::name);
  };
  JsonDocument document;
  for (const Declaration& one : all) {  // in the order in which one kind needs another
    const JsonValue object = *document.parse(one.json);
    if (one.kind == "pool") {
      if (pool_named(one.name) != pools.end())
        return malformed(one.place + ": " + context.say(Phrase::replay_twice, "pool", one.name));
      ReplayPool pool{.name = one.name,
                      .provider = text_in(object, "provider"),
                      .region = text_in(object, "region"),
                      .model = text_in(object, "gpu_model")};
      const std::int64_t each = object["gpus_per_node"].integer().value_or(0);
      if (each < 1 || each > gpus_per_node_max) {
        return malformed(one.place + ": " +
                         context.say(Phrase::replay_node_size, std::to_string(gpus_per_node_max)));
      }
      pool.gpus_per_node = static_cast<std::uint32_t>(each);
      pool.cpus = Cpus{parse_decimal(text_in(object, "cpus"), 3).value_or(0)};
      pool.memory = Memory{object["memory_mib"].integer().value_or(0)};
      pools.push_back(std::move(pool));
    } else if (one.kind == "node") {
      const auto pool = pool_named(text_in(object, "pool"));
      if (pool == pools.end()) {
        return malformed(one.place + ": " +
                         context.say(Phrase::replay_no_pool, text_in(object, "pool")));
      }
      pool->nodes.push_back(one.name);
    } else if (one.kind == "price") {
      const auto pool = pool_named(text_in(object, "pool"));
      if (pool == pools.end()) {
        return malformed(one.place + ": " +
                         context.say(Phrase::replay_no_pool, text_in(object, "pool")));
      }
      pool->gpu_hour = Credits{parse_decimal(text_in(object, "gpu_hour"), 6).value_or(1'000'000)};
      const std::string factor = text_in(object, "fraction_factor");
      if (!factor.empty()) {
        pool->fraction_ppm =
            static_cast<std::uint32_t>(parse_decimal(factor, 6).value_or(1'000'000));
      }
    } else if (one.kind == "policy") {
      const auto policy = policy_of(context, object, one.place);
      if (!policy) return std::unexpected(policy.error());
      file.policy = *policy;
    }
  }
  std::erase_if(pools, [](const ReplayPool& pool) { return pool.nodes.empty(); });
  if (pools.empty()) return malformed(path + ": " + context.say(Phrase::replay_no_nodes));
  return file;
}

// One pool for each class of nodes, in the order in which the classes first come.
Outcome<FleetFile> openb_fleet(const Context& context, const std::string& path) {
  const auto nodes = read_openb_nodes(path, context.look.language == Language::japanese);
  if (!nodes) return malformed(nodes.error().what);
  FleetFile file;
  std::map<std::tuple<std::uint32_t, std::int64_t, std::int64_t, std::string>, std::size_t> classes;
  for (const FleetNode& node : *nodes) {
    if (node.gpus == 0) continue;
    const auto [at, fresh] =
        classes.emplace(std::tuple(node.gpus, node.cpus.count, node.memory.count, node.model),
                        file.fleet.pools.size());
    if (fresh) {
      file.fleet.pools.push_back({.name = "class-" + std::to_string(at->second + 1),
                                  .provider = "openb",
                                  .region = "openb",
                                  .model = world_name(node.model),
                                  .gpus_per_node = node.gpus,
                                  .cpus = node.cpus,
                                  .memory = node.memory});
    }
    file.fleet.pools[at->second].nodes.push_back(world_name(node.name));
  }
  if (file.fleet.pools.empty())
    return malformed(path + ": " + context.say(Phrase::replay_no_nodes));
  if (file.fleet.pools.size() > pools_max) {
    return malformed(path + ": " +
                     context.say(Phrase::replay_many_classes, file.fleet.pools.size(), pools_max));
  }
  return file;
}

}  // namespace

Outcome<FleetFile> read_fleet(const Context& context, const std::string& text) {
  if (const auto grid = parse_grid(text)) {
    if (grid->nodes < 1 || grid->nodes > nodes_given_max || grid->gpus_per_node < 1 ||
        grid->gpus_per_node > gpus_per_node_max) {
      return stop(Exit::usage, "usage",
                  context.say(Phrase::replay_grid, text, nodes_given_max, gpus_per_node_max));
    }
    return FleetFile{*grid, {}};
  }
  if (text.find(".csv") != std::string::npos) return openb_fleet(context, text);
  const auto all = read_declarations(context, text);
  if (!all) return std::unexpected(all.error());
  return fleet_of(context, *all, text);
}

Outcome<GivenPolicy> parse_policy(const Context& context, std::string_view text,
                                  const std::string& path) {
  const auto place = [&](const toml::source_region& where) {
    return path + ":" + std::to_string(where.begin.line) + ": ";
  };
  toml::table table;
  try {
    table = toml::parse(text, path);
  } catch (const toml::parse_error& e) {
    return malformed(place(e.source()) + context.say(Phrase::toml_syntax, e.description()));
  }
  constexpr std::string_view keys[] = {"name", "order", "backfill", "placement", "depth", "seed"};
  const auto complain = [&](const toml::node& node, std::string_view key, const std::string& what) {
    return malformed(place(node.source()) +
                     context.say(Phrase::field_wrong, std::string(key), what));
  };
  std::string base = path.substr(path.find_last_of('/') + 1);
  if (base.ends_with(".toml")) base.resize(base.size() - 5);
  GivenPolicy given{base, {}};
  std::string json;
  {
    JsonWriter out(json);
    out.begin_object();
    for (const std::string_view key : {"order", "backfill", "placement"}) {
      const toml::node* node = table.get(key);
      if (!node) continue;
      if (!node->is_string()) return complain(*node, key, context.say(Phrase::expected_text));
      out.member(key, *node->value<std::string>());
    }
    out.end_object();
  }
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (std::ranges::find(keys, name) == std::end(keys)) {
      std::string all;
      for (const std::string_view one : keys) all += (all.empty() ? "" : " ") + std::string(one);
      std::string why = context.say(Phrase::field_unknown, name, all);
      if (const std::string meant =
              nearest(name, std::vector<std::string_view>(std::begin(keys), std::end(keys)));
          !meant.empty()) {
        why += "; " + context.say(Phrase::hint_meant, meant);
      }
      return malformed(place(key.source()) + why);
    }
    if (name == "order" || name == "backfill" || name == "placement") {
      JsonDocument one;
      std::string alone;
      JsonWriter(alone).begin_object().member(name, *node.value<std::string>()).end_object();
      std::string where = place(node.source());
      where.resize(where.size() - 2);
      const auto good = policy_of(context, *one.parse(alone), where);
      if (!good) return std::unexpected(good.error());
    } else if (name == "name") {
      if (!node.is_string() || node.value<std::string>()->empty())
        return complain(node, name, context.say(Phrase::expected_text));
      given.name = *node.value<std::string>();
    } else {  // depth, seed: where this version's policies have them
      const auto* number = node.as_integer();
      if (!number || number->get() < 0 || number->get() > UINT32_MAX)
        return complain(node, name, context.say(Phrase::expected_integer));
    }
  }
  JsonDocument document;
  const auto policy = policy_of(context, *document.parse(json), path);
  if (!policy) return std::unexpected(policy.error());
  given.policy = *policy;
  const auto number = [&]<class To>(std::string_view key, To& to) {
    if (const auto value = table[key].value<std::int64_t>()) to = static_cast<To>(*value);
  };
  const auto there = [&](auto& of) {
    bool depth = false, seed = false;
    if constexpr (requires { of.depth; }) {
      depth = true;
      number("depth", of.depth);
    }
    if constexpr (requires { of.seed; }) {
      seed = true;
      number("seed", of.seed);
    }
    return std::pair(depth, seed);
  };
  const auto [depth, seed] = there(given.policy);
  for (const auto& [key, takes] : {std::pair("depth", depth), std::pair("seed", seed)}) {
    if (const toml::node* node = table.get(key); node && !takes) {
      return malformed(place(node->source()) +
                       context.say(Phrase::field_unknown, key, "name order backfill placement"));
    }
  }
  return given;
}

Outcome<GivenPolicy> read_policy(const Context& context, const std::string& text) {
  if (const auto policy = policy_named(text)) return GivenPolicy{text, *policy};
  if (text.find('/') == std::string::npos && text.find('.') == std::string::npos &&
      ::access(text.c_str(), R_OK) != 0) {
    std::string all;
    for (const std::string_view name : named_policies())
      all += (all.empty() ? "" : " ") + std::string(name);
    std::string hint = context.say(Phrase::replay_policy_hint, all);
    return stop(Exit::usage, "unknown_policy", context.say(Phrase::replay_no_policy, text), hint);
  }
  const auto bytes = read_file(context, text);
  if (!bytes) return std::unexpected(bytes.error());
  return parse_policy(context, *bytes, text);
}

namespace {
JournalReader& the_reader() {
  static JournalReader reader;
  return reader;
}
}  // namespace
void use_journals(JournalReader reader) {
  the_reader() = std::move(reader);
}
const JournalReader& journals() {
  return the_reader();
}

std::string csv_text(std::string_view value) {
  if (value.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(value);
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"') text += c;
    text += c;
  }
  return text + '"';
}

WholeFile::~WholeFile() {
  if (file_ < 0) return;
  ::close(file_);
  if (plain_) ::unlink(name_.c_str());
}

Outcome<void> WholeFile::open(const Context& context) {
  struct stat there{};
  plain_ = ::stat(path_.c_str(), &there) != 0 || S_ISREG(there.st_mode);
  name_ = plain_ ? path_ + ".tmp" + std::to_string(::getpid()) : path_;
  const int create = plain_ ? O_CREAT | O_TRUNC : 0;
  file_ = ::open(name_.c_str(), O_WRONLY | O_CLOEXEC | create, 0666);
  if (file_ >= 0) return {};
  return stop(Exit::failed, "file_unwritable",
              context.say(Phrase::file_unwritable, path_, std::generic_category().message(errno)));
}

void WholeFile::add(std::string_view bytes) {
  bytes_ += bytes;
  if (bytes_.size() >= std::size_t{1} << 20) write();
}

void WholeFile::write() {
  for (std::string_view left = bytes_; !left.empty() && error_ == 0;) {
    const ssize_t wrote = ::write(file_, left.data(), left.size());
    if (wrote > 0) left.remove_prefix(static_cast<std::size_t>(wrote));
    if (wrote < 0 && errno != EINTR) error_ = errno;
  }
  bytes_.clear();
}

Outcome<void> WholeFile::keep(const Context& context) {
  write();
  if (plain_ && error_ == 0 && ::fsync(file_) != 0) error_ = errno;
  if (::close(file_) != 0 && error_ == 0) error_ = errno;
  file_ = -1;
  if (error_ == 0 && plain_ && ::rename(name_.c_str(), path_.c_str()) != 0) error_ = errno;
  if (error_ == 0) return {};
  if (plain_) ::unlink(name_.c_str());
  return stop(Exit::failed, "file_unwritable",
              context.say(Phrase::file_unwritable, path_, std::generic_category().message(error_)));
}

}  // namespace tenbin::cli
