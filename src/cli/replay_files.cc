#include "cli/replay_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <system_error>
#include <tuple>

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
  const auto nodes = parse_whole(text.substr(0, x), 0, UINT32_MAX);
  const auto each = parse_whole(text.substr(x + 1), 0, UINT32_MAX);
  if (!nodes || !each) return std::nullopt;
  return ReplayFleet{.kind = PoolKind::nodes,
                     .nodes = static_cast<std::uint32_t>(*nodes),
                     .gpus_per_node = static_cast<std::uint32_t>(*each)};
}

std::string text_in(JsonValue object, std::string_view key) {
  return std::string(object[key].text().value_or(""));
}

std::unexpected<Stop> malformed(const std::string& why) {
  return stop(Exit::usage, "malformed_file", why);
}

Outcome<Policy> policy_of(const Context& context, JsonValue object, const std::string& place) {
  Policy policy;
  std::string wrong;
  const auto complain = [&](std::string_view key, const std::string& expected) {
    if (wrong.empty()) wrong = context.say(Phrase::field_wrong, key, expected);
  };
  const auto choose = [&]<class Enum>(std::string_view key, Enum& to) {
    const std::string name = text_in(object, key);
    if (name.empty()) return;  // as the service takes it
    if (const auto value = value_named<Enum>(name)) {
      to = *value;
    } else {
      complain(key, joined(enum_names(to)));
    }
  };
  choose("order", policy.order);
  choose("backfill", policy.backfill);
  choose("placement", policy.placement);
  const std::int64_t seed = object["seed"].integer().value_or(0);
  if (seed < 0 || seed > seed_max) complain("seed", context.say(Phrase::expected_seed));
  policy.seed = static_cast<std::uint64_t>(seed);
  policy.cpu_jobs = object["cpu_jobs"].boolean().value_or(false);
  if (!wrong.empty()) return malformed(place + ": " + wrong);
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
  if (auto there = there_is(context, text); !there) return std::unexpected(there.error());
  for (const std::string_view list : {".csv", ".csv.gz", ".csv.zst"}) {
    if (text.ends_with(list)) return openb_fleet(context, text);
  }
  const auto all = read_declarations(context, text);
  if (!all) return std::unexpected(all.error());
  return fleet_of(context, *all, text);
}

Outcome<GivenPolicy> read_policy(const Context& context, const std::string& text) {
  if (const auto policy = policy_named(text)) return GivenPolicy{text, *policy};
  if (text.find('/') == std::string::npos && text.find('.') == std::string::npos &&
      ::access(text.c_str(), R_OK) != 0) {
    return stop(Exit::usage, "unknown_policy", context.say(Phrase::replay_no_policy, text),
                context.say(Phrase::replay_policy_hint, joined(named_policies(), " ")));
  }
  const auto bytes = read_file(context, text);
  if (!bytes) return std::unexpected(bytes.error());
  return parse_policy(context, *bytes, text);
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
