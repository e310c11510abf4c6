#include "codec/snapshot.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>

namespace tenbin {

namespace {

constexpr std::string_view magic = "TNBWORLD";

// ---- out: whole numbers as little-endian base 128, signed ones zigzag ----

class Out {
 public:
  explicit Out(std::string& bytes) : bytes_(bytes) {}

  void number(std::uint64_t n) {
    while (n >= 0x80) {
      bytes_ += static_cast<char>(n | 0x80);
      n >>= 7;
    }
    bytes_ += static_cast<char>(n);
  }
  void raw(std::string_view b) { bytes_ += b; }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, bool> || std::is_unsigned_v<T>) {
      number(value);
    } else if constexpr (std::is_enum_v<T>) {
      number(static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_integral_v<T>) {
      const auto n = static_cast<std::int64_t>(value);
      number(static_cast<std::uint64_t>(n) << 1 ^ static_cast<std::uint64_t>(n >> 63));
    } else if constexpr (std::is_same_v<T, Hash>) {
      raw({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
    } else if constexpr (std::is_same_v<T, std::array<char, 3>>) {
      raw({value.data(), value.size()});
    } else if constexpr (std::is_same_v<T, RequestId>) {
      number(value.high);
      number(value.low);
    } else if constexpr (std::is_same_v<T, PoolSet>) {
      number(value.bits);
    } else if constexpr (std::is_same_v<T, Instant>) {
      put(value.ms);
    } else if constexpr (std::is_same_v<T, std::string>) {
      number(value.size());
      raw(value);
    } else if constexpr (HasFields<T>) {
      visit_fields(value, [&](const char*, const auto& field) { put(field); });
    } else if constexpr (requires { value.begin(); }) {
      number(value.size());
      for (const auto& item : value) put(item);
    } else if constexpr (requires { value.count; }) {
      put(value.count);
    } else {
      put(value.value);
    }
  }

  template <class IdType, class Row>
  void put(const Table<IdType, Row>& table) {
    number(table.next_id().value);
    number(table.size());
    std::uint64_t last = 0;
    table.each([&](IdType id, const Row& row) {
      number(id.value - last);
      last = id.value;
      put(row);
    });
  }

 private:
  std::string& bytes_;
};

// ---- in ----

class In {
 public:
  explicit In(std::string_view bytes) : bytes_(bytes) {}

  bool good() const { return !bad_; }
  bool done() const { return bytes_.empty(); }
  void fail() { bad_ = true; }

  std::uint64_t number() {
    std::uint64_t n = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto b = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift == 63 && b > 1) break;
      n |= std::uint64_t{b & 0x7Fu} << shift;
      if (b < 0x80) return n;
    }
    fail();
    return 0;
  }
  std::string_view raw(std::size_t size) {
    if (size > bytes_.size()) {
      fail();
      return {};
    }
    const std::string_view part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return part;
  }
  /// A length of things that take at least one byte each.
  std::size_t length() {
    const std::uint64_t n = number();
    if (n > bytes_.size()) fail();
    return bad_ ? 0 : n;
  }

  template <class T>
  void get(T& value) {
    if (bad_) return;
    if constexpr (std::is_same_v<T, bool>) {
      const std::uint64_t n = number();
      if (n > 1) fail();
      value = n == 1;
    } else if constexpr (std::is_enum_v<T>) {
      const std::uint64_t n = number();
      if (n >= enum_names(T{}).size()) return fail();
      value = static_cast<T>(n);
    } else if constexpr (std::is_unsigned_v<T>) {
      const std::uint64_t n = number();
      if (n > std::numeric_limits<T>::max()) return fail();
      value = static_cast<T>(n);
    } else if constexpr (std::is_integral_v<T>) {
      const std::uint64_t z = number();
      const auto n = static_cast<std::int64_t>(z >> 1 ^ (~(z & 1) + 1));
      if (n < std::numeric_limits<T>::min() || n > std::numeric_limits<T>::max()) return fail();
      value = static_cast<T>(n);
    } else if constexpr (std::is_same_v<T, Hash>) {
      const std::string_view part = raw(value.bytes.size());
      if (good()) std::memcpy(value.bytes.data(), part.data(), part.size());
    } else if constexpr (std::is_same_v<T, std::array<char, 3>>) {
      const std::string_view part = raw(value.size());
      if (good()) std::memcpy(value.data(), part.data(), part.size());
    } else if constexpr (std::is_same_v<T, RequestId>) {
      value.high = number();
      value.low = number();
    } else if constexpr (std::is_same_v<T, PoolSet>) {
      value.bits = number();
    } else if constexpr (std::is_same_v<T, Instant>) {
      get(value.ms);
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = raw(length());
    } else if constexpr (HasFields<T>) {
      visit_fields(value, [&](const char*, auto& field) { get(field); });
    } else if constexpr (requires { value.begin(); }) {
      const std::size_t size = length();
      for (std::size_t i = 0; i < size && good(); ++i) {
        typename T::value_type item{};
        get(item);
        value.push_back(item);
      }
    } else if constexpr (requires { value.count; }) {
      get(value.count);
    } else {
      get(value.value);
    }
  }

  template <class IdType, class Row>
  void get(Table<IdType, Row>& table) {
    const std::uint64_t next = number();
    const std::size_t size = length();
    // Ids far above what the bytes could hold would make the table's directory huge.
    constexpr std::uint64_t id_max = std::uint64_t{1} << 40, span_max = std::uint64_t{1} << 34;
    if (next == 0 || next > id_max) fail();
    std::uint64_t id = 0, first = 0;
    for (std::size_t i = 0; i < size && good(); ++i) {
      const std::uint64_t step = number();
      if (step == 0 || step > id_max || id + step >= next) return fail();
      id += step;
      if (i == 0) first = id;
      if (id - first > span_max) return fail();
      Row row{};
      get(row);
      if (good()) table.insert(IdType{id}, std::move(row));
    }
    if (good()) table.skip_to(IdType{next});
  }

 private:
  std::string_view bytes_;
  bool bad_ = false;
};

/// All that is in the World's state, in the order of the format.
template <class W, class Visit>
void each_part(W& world, Visit&& visit) {
  visit(world.now);
  visit(world.history);
  visit(world.epoch);
  visit(world.backfill);
  visit(world.accounts);
  visit(world.funders);
  visit(world.programmes);
  visit(world.organisations);
  visit(world.grants);
  visit(world.lots);
  visit(world.projects);
  visit(world.allocations);
  visit(world.shares);
  visit(world.persons);
  visit(world.tokens);
  visit(world.providers);
  visit(world.regions);
  visit(world.models);
  visit(world.pools);
  visit(world.nodes);
  visit(world.prices);
  visit(world.jobs);
}

/// Checks that every id in a row leads to a row.
class References {
 public:
  explicit References(const World& world) : world_(world) {}

  template <class T>
  bool hold(const T& value) const {
    if constexpr (std::is_same_v<T, Funder>) {
      return there(world_.accounts, value.account);
    } else if constexpr (std::is_same_v<T, Grant>) {
      return there(world_.programmes, value.programme) && there(world_.organisations, value.organisation);
    } else if constexpr (std::is_same_v<T, Lot>) {
      return there(world_.grants, value.grant) && there(world_.funders, value.funder) &&
             there(world_.accounts, value.unallocated) && there(world_.accounts, value.gone);
    } else if constexpr (std::is_same_v<T, Project>) {
      return there(world_.organisations, value.organisation) &&
             std::ranges::all_of(value.members, [&](PersonId p) { return there(world_.persons, p); });
    } else if constexpr (std::is_same_v<T, Allocation>) {
      return there(world_.grants, value.grant) && there(world_.projects, value.project);
    } else if constexpr (std::is_same_v<T, Share>) {
      return there(world_.allocations, value.allocation) && there(world_.lots, value.lot) &&
             there(world_.projects, value.project) && there(world_.accounts, value.free) &&
             there(world_.accounts, value.used);
    } else if constexpr (std::is_same_v<T, Token>) {
      return there(world_.persons, value.person);
    } else if constexpr (std::is_same_v<T, Pool>) {
      return there(world_.providers, value.provider) && there(world_.regions, value.region) &&
             there(world_.models, value.model) && value.gpus_per_node <= gpus_per_node_max &&
             std::ranges::all_of(value.prices, [&](PriceId p) { return there(world_.prices, p); }) &&
             (!value.promise.job || there(world_.jobs, value.promise.job)) &&
             std::ranges::all_of(value.promise.nodes, [&](NodeId n) { return there(world_.nodes, n); });
    } else if constexpr (std::is_same_v<T, Node>) {
      return there(world_.pools, value.pool) && world_.pools.at(value.pool).kind == PoolKind::nodes;
    } else if constexpr (std::is_same_v<T, Price>) {
      return there(world_.pools, value.pool);
    } else if constexpr (std::is_same_v<T, Job>) {
      return job(value);
    } else {
      return true;
    }
  }

 private:
  template <class IdType, class Row>
  static bool there(const Table<IdType, Row>& table, IdType id) {
    return table.find(id) != nullptr;
  }
  bool job(const Job& job) const {
    if (!there(world_.projects, job.project) || job.state > JobState::stopping) return false;
    if (job.shape.members < 1 || job.shape.members > members_max || job.shape.gpus <= Gpus{0} ||
        job.shape.gpus.count > gpus_max.count / job.shape.members || job.limit <= Span{0} ||
        job.limit > time_limit_max || job.started < instant_min || job.started > instant_max) {
      return false;
    }
    if (job.pools.empty() || world_.pools.next_id().value > 64) return false;
    for (std::uint64_t id = 1; id <= 64; ++id) {
      if (job.pools.has(PoolId{id}) && !there(world_.pools, PoolId{id})) return false;
    }
    for (const Leg& leg : job.legs) {
      if (!there(world_.shares, leg.share) || leg.amount < Credits{0}) return false;
    }
    for (const Slice& slice : job.slices) {
      if (!there(world_.nodes, slice.node) || slice.mask == 0 || slice.milli >= 1'000) return false;
    }
    return !job.active() || there(world_.pools, job.pool);
  }
  const World& world_;
};

}  // namespace

std::string encode(const World& world) {
  std::string bytes;
  bytes.reserve(4096 + world.jobs.size() * 128 + world.requests.size() * 48);
  Out out(bytes);
  out.raw(magic);
  out.number(snapshot_version);
  each_part(world, [&](const auto& part) { out.put(part); });

  std::vector<Answered> answered;
  answered.reserve(world.requests.size());
  world.requests.each([&](const Answered& row) { answered.push_back(row); });
  std::ranges::sort(answered, {}, &Answered::request);
  out.number(answered.size());
  for (const Answered& row : answered) {
    out.put(row);
    if (!row.refused) continue;
    const Refusal& refusal = world.requests.refusal(row.request);
    out.put(refusal.reason);
    for (const std::int64_t figure : refusal.figures) out.put(figure);
  }
  return bytes;
}

Result<World> decode_world(std::string_view bytes) {
  In in(bytes);
  if (in.raw(magic.size()) != magic) return failed("not a snapshot of a World");
  const std::uint64_t version = in.number();
  if (version != snapshot_version) {
    return failed("snapshot version " + std::to_string(version) + ", this tenbin reads version " +
                  std::to_string(snapshot_version));
  }
  World world;
  each_part(world, [&](auto& part) { in.get(part); });
  const std::size_t answers = in.length();
  for (std::size_t i = 0; i < answers && in.good(); ++i) {
    Answered row;
    Refusal refusal;
    in.get(row);
    if (row.refused) {
      in.get(refusal.reason);
      for (std::int64_t& figure : refusal.figures) in.get(figure);
    }
    if (!row.request || world.requests.find(row.request)) in.fail();
    if (in.good()) world.requests.add(row, refusal);
  }
  if (!in.good() || !in.done()) return failed("the snapshot is cut off or damaged");

  const References references(world);
  bool hold = true;
  each_part(world, [&](const auto& part) {
    if constexpr (requires { part.each([](auto, const auto&) {}); }) {
      part.each([&](auto, const auto& row) { hold = hold && references.hold(row); });
    }
  });
  if (!hold) return failed("the snapshot refers to rows that are not there");
  reindex(world);
  return world;
}

}  // namespace tenbin
