#include "codec/snapshot.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>

#include "core/fleet/fragment.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"

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
    } else if constexpr (std::is_same_v<T, std::pair<std::string, std::string>>) {
      put(value.first);
      put(value.second);
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

  void put(const std::map<JobId, JobArray>& arrays) {
    number(arrays.size());
    std::uint64_t last = 0;
    for (const auto& [id, array] : arrays) {
      number(id.value - last);
      last = id.value;
      put(array);
    }
  }

  void put(const Outcomes& outcomes) {
    put(outcomes.swept());
    std::uint64_t pages = 0, next = 0;
    outcomes.each([&](std::uint64_t, const Outcomes::Page&) { ++pages; });
    number(pages);
    outcomes.each([&](std::uint64_t page_number, const Outcomes::Page& page) {
      number(page_number - next);
      next = page_number + 1;
      put(page.last);
      for (const std::uint32_t ended : page.ended) number(ended);
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
      if (b == 0 && shift > 0) break;  // longer than it need be
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
    } else if constexpr (std::is_same_v<T, std::pair<std::string, std::string>>) {
      get(value.first);
      get(value.second);
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
    // Only jobs leave the World; all other rows stay. Ids of jobs far above what the bytes could
    // hold would make the table's directory huge.
    constexpr std::uint64_t span_max = std::uint64_t{1} << 34;
    if (next == 0 || next > id_max) fail();
    if (!std::is_same_v<Row, Job> && next != size + 1) fail();
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

  void get(std::map<JobId, JobArray>& arrays) {
    const std::size_t size = length();
    std::uint64_t id = 0;
    for (std::size_t i = 0; i < size && good(); ++i) {
      const std::uint64_t step = number();
      if (step == 0 || step > id_max || id + step > id_max) return fail();
      id += step;
      get(arrays[JobId{id}]);
    }
  }

  void get(Outcomes& outcomes) {
    Instant swept;
    get(swept);
    outcomes.set_swept(swept);
    const std::size_t pages = length();
    constexpr std::uint64_t pages_max = (std::uint64_t{1} << 34) / Outcomes::ids_per_page;
    std::uint64_t next = 0, first = 0;
    for (std::size_t i = 0; i < pages && good(); ++i) {
      const std::uint64_t step = number();
      if (i == 0) first = step;
      if (step > id_max / Outcomes::ids_per_page ||
          (i > 0 && (step > pages_max || next + step - first > pages_max)))
        return fail();
      Outcomes::Page& page = outcomes.open(next + step);
      next += step + 1;
      get(page.last);
      for (std::uint32_t& ended : page.ended) get(ended);
    }
  }

 private:
  static constexpr std::uint64_t id_max = std::uint64_t{1} << 48;
  std::string_view bytes_;
  bool bad_ = false;
};

/// All that is in the World's state, in the order of the format.
template <class W, class Visit>
void each_part(W& world, Visit&& visit) {
  visit(world.now);
  visit(world.history);
  visit(world.epoch);
  visit(world.policy);
  visit(world.targets);
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
  visit(world.arrays);
  visit(world.outcomes);
}

bool between(auto low, auto value, auto high) {
  return low <= value && value <= high;
}

/// Checks that every id in a row leads to a row, and that every number is one that the World may
/// hold.
class References {
 public:
  explicit References(const World& world) : world_(world) {}

  template <class T>
  bool hold(const T& value) const {
    if constexpr (std::is_same_v<T, Account>) {
      const auto sane = [](Credits c) { return between(Credits{0}, c, credits_max); };
      return sane(value.debits_pending) && sane(value.debits_posted) &&
             sane(value.credits_pending) && sane(value.credits_posted) && sane(value.overdraft);
    } else if constexpr (std::is_same_v<T, Funder>) {
      return there(world_.accounts, value.account);
    } else if constexpr (std::is_same_v<T, Grant>) {
      return there(world_.programmes, value.programme) &&
             there(world_.organisations, value.organisation);
    } else if constexpr (std::is_same_v<T, Lot>) {
      return there(world_.grants, value.grant) && there(world_.funders, value.funder) &&
             there(world_.accounts, value.unallocated) && there(world_.accounts, value.gone);
    } else if constexpr (std::is_same_v<T, Project>) {
      return there(world_.organisations, value.organisation) &&
             std::ranges::all_of(value.members, [&](const Membership& m) { return member(m); });
    } else if constexpr (std::is_same_v<T, Programme>) {
      return std::ranges::all_of(value.members, [&](const Membership& m) { return member(m); });
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
             there(world_.models, value.model) && size(value) &&
             std::ranges::all_of(value.prices,
                                 [&](PriceId p) { return there(world_.prices, p); }) &&
             promise(value.promise);
    } else if constexpr (std::is_same_v<T, Node>) {
      return there(world_.pools, value.pool) && world_.pools.at(value.pool).kind == PoolKind::nodes;
    } else if constexpr (std::is_same_v<T, Price>) {
      return there(world_.pools, value.pool) && between(Credits{0}, value.gpu_hour, price_max) &&
             between(1'000'000u, value.fraction_ppm, 10'000'000u);
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
  bool member(const Membership& m) const { return there(world_.persons, m.person); }
  static bool size(const Pool& pool) {
    if (!between(Cpus{0}, pool.cpus, cpus_max) || !between(Memory{0}, pool.memory, memory_max))
      return false;
    return pool.kind == PoolKind::nodes
               ? between(1u, pool.gpus_per_node, gpus_per_node_max) && pool.counted == Gpus{0}
               : pool.gpus_per_node == 0 && between(Gpus{1}, pool.counted, gpus_max);
  }
  bool promise(const Promise& promise) const {
    if (!promise.job) return true;
    return there(world_.jobs, promise.job) && promise.at >= instant_min &&
           between(-Gpus{gpus_max.count * 1'000}, promise.spare, Gpus{gpus_max.count * 1'000}) &&
           std::ranges::is_sorted(promise.nodes) &&
           std::ranges::all_of(promise.nodes, [&](NodeId n) { return there(world_.nodes, n); });
  }
  bool job(const Job& job) const {
    if (!there(world_.projects, job.project) || job.state > JobState::stopping) return false;
    if (job.retries > retries_max || job.failures > job.attempt || job.after.size() > after_max ||
        job.labels.size() > labels_max || !between(Credits{0}, job.charged, credits_max)) {
      return false;
    }
    if (job.shape.members < 1 || job.shape.members > members_max || job.shape.gpus < Gpus{0} ||
        (job.shape.gpus == Gpus{0} && job.shape.cpus <= Cpus{0}) ||
        job.shape.gpus.count > gpus_max.count / job.shape.members || job.limit <= Span{0} ||
        job.limit > time_limit_max || job.started < instant_min || job.started > instant_max) {
      return false;
    }
    if (!between(Cpus{0}, job.shape.cpus, cpus_max) ||
        !between(Memory{0}, job.shape.memory, memory_max) ||
        !between(Rate{0}, job.rate, rate_max) ||
        (job.shape.packing == Packing::count && job.shape.members != 1)) {
      return false;
    }
    if (job.pools.empty()) return false;
    for (std::uint64_t id = 1; id <= 64; ++id) {
      if (job.pools.has(PoolId{id}) && !there(world_.pools, PoolId{id})) return false;
    }
    Wide held = 0;
    for (const Leg& leg : job.legs) {
      if (!there(world_.shares, leg.share) || leg.amount < Credits{0} ||
          Wide{leg.amount.count} * job.tasks() > credits_max.count) {
        return false;
      }
      held += leg.amount.count;
    }
    if (held != job.held.count) return false;
    if (job.promised && (!there(world_.pools, job.promised) || job.state != JobState::queued))
      return false;
    if (!job.active()) return !job.pool && job.slices.empty();
    if (!there(world_.pools, job.pool) || !job.pools.has(job.pool)) return false;
    const Pool& pool = world_.pools.at(job.pool);
    if (pool.kind == PoolKind::counted) return job.slices.empty();
    return !job.slices.empty() && std::ranges::all_of(job.slices, [&](const Slice& slice) {
      return there(world_.nodes, slice.node) && world_.nodes.at(slice.node).pool == job.pool &&
             (slice.mask != 0 || job.shape.gpus == Gpus{0}) &&
             std::uint64_t{slice.mask} >> pool.gpus_per_node == 0 && slice.milli < 1'000 &&
             (slice.milli == 0 || std::has_single_bit(slice.mask));
    });
  }
  const World& world_;
};

/// Whether what runs has room where it is said to run. The rows' references hold.
bool all_have_room(const World& world) {
  std::map<std::pair<NodeId, int>, std::uint32_t> given;  // milli of each device
  std::map<NodeId, std::pair<Cpus, Memory>> used;
  std::map<PoolId, Gpus> counted;
  bool room = true;
  world.jobs.each([&](JobId, const Job& job) {
    if (!job.active()) return;
    const Pool& pool = world.pools.at(job.pool);
    if (pool.kind == PoolKind::counted) {
      room = room && (counted[job.pool] += job.shape.all_gpus()) <= pool.counted;
      return;
    }
    for (const Slice& slice : job.slices) {
      for (std::uint32_t mask = slice.mask; mask; mask &= mask - 1) {
        std::uint32_t& milli = given[{slice.node, std::countr_zero(mask)}];
        room = room && (milli += slice.milli == 0 ? 1'000 : slice.milli) <= 1'000;
      }
      auto& [cpus, memory] = used[slice.node];
      cpus += job.shape.cpus;
      memory += job.shape.memory;
      room = room && (pool.cpus == Cpus{0} || cpus <= pool.cpus) &&
             (pool.memory == Memory{0} || memory <= pool.memory);
    }
  });
  return room;
}

/// Whether the rows of tasks fit their arrays, and what waits is known as waiting for what it waits
/// for.
bool tasks_agree(const World& world) {
  std::map<JobId, std::uint64_t> live, active;
  std::uint64_t last = 0;
  bool agree = true;
  for (const auto& [id, array] : world.arrays) {
    agree = agree && id.value > last && array.tasks >= 2 && array.tasks <= tasks_max &&
            id.value + array.tasks < world.jobs.next_id().value &&
            world.projects.find(array.project) != nullptr && array.ended >= instant_min &&
            array.started >= instant_min && between(Credits{0}, array.held, credits_max) &&
            between(Credits{0}, array.charged, credits_max);
    last = id.value + array.tasks;
  }
  world.outcomes.each([&](std::uint64_t, const Outcomes::Page& page) {
    for (const std::uint32_t ended : page.ended)
      agree = agree && (ended == 0 || world.projects.find(ProjectId{ended >> 1}));
  });
  last = 0;
  world.jobs.each([&](JobId id, const Job& job) {
    JobId around;
    const JobArray* array = array_of_task(world, id, around);
    agree = agree && id.value > last && (job.array ? array && around == job.array : !array) &&
            !world.arrays.contains(id) &&
            (!job.array || (id.value == job.array.value + 1 + job.task &&
                            id.value + job.more <= job.array.value + array->tasks &&
                            array->project == job.project)) &&
            (job.more == 0 || (job.array && job.attempt == 0 && !job.active()));
    last = id.value + job.more;
    if (!agree || !job.array) return;
    live[job.array] += job.tasks();
    active[job.array] += job.active() ? 1 : 0;
  });
  if (!agree) return false;
  for (const auto& [id, array] : world.arrays) {
    const Wide over = Wide{array.completed} + array.failed + array.cancelled + array.time_limit;
    agree = agree && over + live[id] == array.tasks &&
            (array.ended != Instant{}) == (live[id] == 0) &&
            (array.at_once == 0 || active[id] <= array.at_once);
  }
  return agree;
}

/// Whether what waits is known as waiting for what it waits for. The World is indexed.
bool waits_agree(const World& world) {
  bool agree = true;
  world.jobs.each([&](JobId, const Job& job) {
    agree = agree && (job.active() || job.state == waiting_state(world, job));
    for (const After& after : job.after) {
      const JobArray* array = find_array(world, after.job);
      agree = agree && (array ? array->ended == Instant{} : bool(row_of(world, after.job)));
    }
  });
  return agree;
}

/// Whether each promise has one owner, who knows of it.
bool promises_agree(const World& world) {
  bool agree = true;
  world.pools.each([&](PoolId id, const Pool& pool) {
    agree = agree && (!pool.promise.job || world.jobs.at(pool.promise.job).promised == id);
  });
  world.jobs.each([&](JobId id, const Job& job) {
    agree = agree && (!job.promised || world.pools.at(job.promised).promise.job == id);
  });
  return agree;
}

/// Whether no two rows of a kind have one name.
bool names_differ(const World& w) {
  const World::Index& i = w.index;
  return i.funders.size() == w.funders.size() && i.programmes.size() == w.programmes.size() &&
         i.organisations.size() == w.organisations.size() && i.grants.size() == w.grants.size() &&
         i.lots.size() == w.lots.size() && i.projects.size() == w.projects.size() &&
         i.allocations.size() == w.allocations.size() && i.persons.size() == w.persons.size() &&
         i.providers.size() == w.providers.size() && i.regions.size() == w.regions.size() &&
         i.models.size() == w.models.size() && i.pools.size() == w.pools.size() &&
         i.nodes.size() == w.nodes.size() && i.tokens.size() == w.tokens.size();
}

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
    out.put(std::string(text_of(refusal.reason).name));  // by name: the list of reasons grows
    for (const std::int64_t figure : refusal.figures) out.put(figure);
  }
  return bytes;
}

bool is_older_snapshot(std::string_view bytes) {
  In in(bytes);
  const bool ours = in.raw(magic.size()) == magic;
  const std::uint64_t version = in.number();
  return ours && in.good() && version < snapshot_version;
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
  RequestId last;
  for (std::size_t i = 0; i < answers && in.good(); ++i) {
    Answered row;
    Refusal refusal;
    in.get(row);
    if (row.refused) {
      std::string name;
      in.get(name);
      const auto reason = std::ranges::find(reason_table, name, &ReasonText::name);
      if (reason == reason_table.end()) in.fail();
      refusal.reason = static_cast<Reason>(reason - reason_table.begin());
      for (std::int64_t& figure : refusal.figures) in.get(figure);
    }
    if (row.request <= last) in.fail();
    last = row.request;
    if (in.good()) world.requests.add(row, refusal);
  }
  if (!in.good() || !in.done()) return failed("the snapshot is cut off or damaged");

  const References references(world);
  bool hold = world.now >= instant_min && world.pools.size() <= pools_max &&
              world.regions.size() <= regions_max && world.models.size() <= gpu_models_max &&
              valid_targets(world.targets, UINT64_MAX);
  each_part(world, [&](const auto& part) {
    if constexpr (requires { part.each([](auto, const auto&) {}); }) {
      part.each([&](auto, const auto& row) { hold = hold && references.hold(row); });
    }
  });
  if (!hold)
    return failed("the snapshot refers to rows that are not there, or a number is out of range");
  if (!balanced(world.accounts)) return failed("the snapshot's books do not balance");
  if (!all_have_room(world)) return failed("the snapshot gives a GPU, a CPU or memory twice");
  if (!promises_agree(world)) return failed("the snapshot's promises contradict each other");
  if (!tasks_agree(world)) return failed("the snapshot's arrays contradict their tasks");
  reindex(world);
  if (!waits_agree(world)) return failed("the snapshot's waiting jobs contradict each other");
  if (!names_differ(world)) return failed("the snapshot has two rows of one name");
  return world;
}

}  // namespace tenbin
