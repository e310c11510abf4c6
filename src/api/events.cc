#include "api/events.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "api/api.h"
#include "codec/hash.h"
#include "core/jobs/tasks.h"
#include "core/schedule/schedule.h"
#include "live/effects.h"

namespace tenbin {

namespace {

// What streams may fall behind: some minutes of a busy service.
constexpr std::size_t kept_bytes_max = 32 * 1024 * 1024;
// Read from the journal at a time, for one stream.
constexpr std::size_t past_records = 2'000, past_bytes = 256 * 1024;
static_assert(std::variant_size_v<Event> <= 64, "a filter has one bit for each kind of event");

// ---- what an event is about ----

template <class E>
concept OfProject = requires(const E& e) { ProjectId{e.project}; };
template <class E>
concept OfJob = requires(const E& e) { JobId{e.job}; } || requires(const E& e) { JobId{e.array}; };

template <class E, class... Kinds>
constexpr bool one_of = (std::is_same_v<E, Kinds> || ...);

template <class E>
constexpr Audience audience_of() {
  if constexpr (one_of<E, RequestAnswered, RequestsForgotten>) {
    return Audience::nobody;
  } else if constexpr (one_of<E, ProviderDeclared, RegionDeclared, GpuModelSeen, PoolDeclared,
                              NodeDeclared, PriceSet, NodeStateSet>) {
    return Audience::everyone;
  } else if constexpr (one_of<E, TokenCreated, TokenRevoked>) {
    return Audience::person;
  } else if constexpr (one_of<E, MemberDeclared, MemberRemoved>) {
    return Audience::members;
  } else if constexpr (one_of<E, AllocationDeclared, AllocationChanged>) {
    return Audience::allocation;
  } else if constexpr (OfProject<E> || OfJob<E>) {
    return Audience::project;
  } else {
    return Audience::all_seeing;  // also whatever is new and nobody has thought about
  }
}

// ---- an event in words ----

template <class T>
constexpr bool is_span = false;
template <class T>
constexpr bool is_span<std::span<const T>> = true;

template <class IdType, class Row>
void write_name(JsonWriter& out, const Table<IdType, Row>& table, IdType id) {
  if (const Row* row = table.find(id)) {
    out.value(row->name);
  } else {
    out.null();
  }
}

// One overload for each type that the API shows otherwise than as a number.
struct Words {
  JsonWriter& out;
  const World& world;

  void operator()(FunderId id) const { write_name(out, world.funders, id); }
  void operator()(ProgrammeId id) const { write_name(out, world.programmes, id); }
  void operator()(OrganisationId id) const { write_name(out, world.organisations, id); }
  void operator()(GrantId id) const { write_name(out, world.grants, id); }
  void operator()(LotId id) const { write_name(out, world.lots, id); }
  void operator()(ProjectId id) const { write_name(out, world.projects, id); }
  void operator()(AllocationId id) const { write_name(out, world.allocations, id); }
  void operator()(PersonId id) const { write_name(out, world.persons, id); }
  void operator()(ProviderId id) const { write_name(out, world.providers, id); }
  void operator()(RegionId id) const { write_name(out, world.regions, id); }
  void operator()(GpuModelId id) const { write_name(out, world.models, id); }
  void operator()(PoolId id) const { write_name(out, world.pools, id); }
  void operator()(NodeId id) const { write_name(out, world.nodes, id); }
  void operator()(ShareId id) const {
    const Share* share = world.shares.find(id);
    write_name(out, world.lots, share ? share->lot : LotId{});
  }
  void operator()(const Leg& leg) const {
    out.begin_object().key("lot");
    (*this)(leg.share);
    out.member("amount", text_of(leg.amount)).end_object();
  }
  void operator()(const Slice& slice) const { (*this)(slice.node); }
  void operator()(Credits amount) const { out.value(text_of(amount)); }
  void operator()(Gpus gpus) const { out.value(text_of(gpus)); }
  void operator()(Cpus cpus) const { out.value(format_decimal(cpus.count, 3)); }
  void operator()(Rate rate) const { out.value(format_decimal(rate.count, 6)); }
  void operator()(const Money& money) const { write_money(out, money); }
  void operator()(Instant at) const {
    if (at == never || at == Instant{}) {
      out.null();
    } else {
      out.value(text_of(at));
    }
  }
  void operator()(const Hash& hash) const { out.value(to_hex(hash)); }
  void operator()(const RequestId& id) const { out.value(to_uuid(id)); }
  void operator()(const Shape& shape) const { out.value(shape_text(shape)); }
  void operator()(Text text) const { out.value(text); }
  void operator()(const PoolSet& pools) const {
    out.begin_array();
    world.pools.each([&](PoolId id, const Pool& pool) {
      if (pools.has(id)) out.value(pool.name);
    });
    out.end_array();
  }

  template <class T>
  void operator()(const T& value) const {
    if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
      out.value(value);
    } else if constexpr (std::is_enum_v<T>) {
      static constexpr auto names = enum_names(T{});
      out.value(names[static_cast<std::size_t>(value)]);
    } else if constexpr (is_span<T>) {
      out.begin_array();
      for (const auto& item : value) (*this)(item);
      out.end_array();
    } else if constexpr (HasFields<T>) {
      out.begin_object();
      visit_fields(value, [&](std::string_view name, const auto& field) { member(name, field); });
      out.end_object();
    } else if constexpr (requires { value.count; }) {
      out.value(value.count);
    } else if (value) {
      out.value(value.value);  // an id
    } else {
      out.null();
    }
  }

  template <class T>
  void member(std::string_view name, const T& value) const {
    // Of a token's hash nobody needs to know.
    if constexpr (std::is_same_v<T, Hash>) {
      if (name == "hash") return;
    }
    if constexpr (std::is_same_v<T, std::uint64_t>) {
      if (name == "regions") return write_regions(out.key("regions"), world, value);
    }
    if constexpr (std::is_same_v<T, Span>) {
      out.key(std::string(name) + "_ms");
    } else if constexpr (std::is_same_v<T, Rate>) {
      out.key(std::string(name) + "_per_hour");
    } else if constexpr (std::is_same_v<T, Memory>) {
      out.key(std::string(name) + "_mib");
    } else if constexpr (std::is_same_v<T, std::span<const Slice>>) {
      out.key("nodes");
    } else {
      out.key(name);
    }
    (*this)(value);
    if constexpr (std::is_same_v<T, Shape>) {
      out.member("gpus", text_of(value.gpus)).member("members", value.members);
    }
  }
};

void write_id(std::string& out, const Place& place) {
  out.append(std::to_string(place.sequence));
  if (place.index != UINT32_MAX) out.append(".").append(std::to_string(place.index));
}

}  // namespace

Happening happening_of(const World& world, const Event& event, ProjectId project) {
  Happening what{.kind = static_cast<std::uint8_t>(event.index()), .project = project};
  what.job = job_of(event);
  std::visit(
      [&]<class E>(const E& e) {
        what.audience = audience_of<E>();
        if constexpr (OfProject<E>) what.project = e.project;
        if constexpr (std::is_same_v<E, AllocationChanged>)
          what.project = world.allocations.at(e.allocation).project;
        if constexpr (std::is_same_v<E, TokenCreated>) what.person = e.person;
        if constexpr (std::is_same_v<E, TokenRevoked>) {
          if (const Token* token = world.tokens.find(e.token)) what.person = token->person;
        }
      },
      event);
  return what;
}

void write_happening(std::string& out, const World& world, const Happening& what,
                     const Event& event, Instant at, PersonId by) {
  out += "id: ";
  write_id(out, {what.sequence, what.index});
  out.append("\nevent: ").append(event_names[what.kind]).append("\ndata: ");
  JsonWriter json(out);  // JSON has no line breaks, so it is one line of data
  const Words words{json, world};
  json.begin_object().member("sequence", what.sequence).member("index", what.index);
  json.key("at");
  words(at);
  json.key("by");
  words(by);
  std::visit(
      [&]<class E>(const E& e) {
        if constexpr (!OfProject<E> && OfJob<E>) {
          json.key("project");
          words(what.project);
        }
        visit_fields(e,
                     [&](std::string_view name, const auto& field) { words.member(name, field); });
      },
      event);
  json.end_object();
  out += "\n\n";
}

std::optional<Place> parse_place(std::string_view text) {
  Place place;
  const char* const end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, place.sequence);
  if (read.ec != std::errc{}) return std::nullopt;
  if (read.ptr == end) return place;
  if (*read.ptr != '.') return std::nullopt;
  read = std::from_chars(read.ptr + 1, end, place.index);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return place;
}

// ---- the hub ----

struct EventHub::Shared {
  struct Entry {
    Happening what;
    std::string text;
  };
  using EntryPtr = std::shared_ptr<const Entry>;

  /// All streams with one filter. What an event's streams are is found once for each filter and not
  /// once for each stream; what no filter wants is never put into words.
  struct Group {
    EventFilter filter;
    std::size_t readers = 0;
    std::uint64_t complete = 0;  // from this record on `entries` has everything that is wanted
    std::deque<EntryPtr> entries;
    std::uint64_t dropped = 0;  // entries that were in front
  };
  using GroupPtr = std::shared_ptr<Group>;

  explicit Shared(Live& of, Ways with) : live(of), ways(std::move(with)), last(of.sequence()) {}

  /// Where the groups are that may want an event: by its job, by its project, the others.
  std::vector<GroupPtr>& bucket(const EventFilter& filter) {
    if (filter.job) return by_job[filter.job];
    if (filter.project) return by_project[filter.project];
    return others;
  }
  GroupPtr enter(const EventFilter& filter) {
    std::vector<GroupPtr>& near = bucket(filter);
    auto found = std::ranges::find_if(near, [&](const GroupPtr& g) {
      return g->filter.project == filter.project && g->filter.job == filter.job &&
             g->filter.kinds == filter.kinds;
    });
    if (found == near.end()) {
      near.push_back(std::make_shared<Group>(Group{.filter = filter, .complete = chosen + 1}));
      found = near.end() - 1;
    }
    ++(*found)->readers;
    ++readers;
    return *found;
  }
  void leave(const GroupPtr& group) {
    --readers;
    if (--group->readers > 0) return;
    const EventFilter& filter = group->filter;
    std::vector<GroupPtr>& near = bucket(filter);
    std::erase(near, group);
    if (near.empty() && filter.job) {
      by_job.erase(filter.job);
    } else if (near.empty() && filter.project) {
      by_project.erase(filter.project);
    }
    if (readers > 0) return;
    entries.clear();
    bytes = 0;
  }
  template <class Do>
  void each_wanting(const Happening& what, Do&& with) const {
    const auto look = [&](const std::vector<GroupPtr>& near) {
      for (const GroupPtr& group : near) {
        if (group->filter.takes(what)) with(group);
      }
    };
    look(others);
    if (const auto found = by_project.find(what.project); found != by_project.end())
      look(found->second);
    if (const auto found = by_job.find(what.job); found != by_job.end()) look(found->second);
  }

  Live& live;
  const Ways ways;

  mutable std::mutex mutex;
  std::uint64_t last;           // published
  std::uint64_t chosen = last;  // up to here it is known who wants what
  std::vector<GroupPtr> others;
  std::map<ProjectId, std::vector<GroupPtr>> by_project;
  std::map<JobId, std::vector<GroupPtr>> by_job;
  struct Kept {
    EntryPtr entry;
    std::vector<GroupPtr> wanted_by;

    std::size_t bytes() const {
      return entry->text.capacity() + sizeof(Entry) + sizeof(Kept) +
             wanted_by.size() * (sizeof(GroupPtr) + sizeof(EntryPtr));
    }
  };
  std::deque<Kept> entries;  // all of them, the oldest first
  std::size_t bytes = 0;
  std::size_t readers = 0;
};

class EventHub::Subscription final : public net::Stream,
                                     public std::enable_shared_from_this<Subscription> {
 public:
  /// `group` counts this stream already.
  Subscription(std::shared_ptr<Shared> shared, Shared::GroupPtr group, Place from,
               EventFilter filter, Reader reader)
      : shared_(std::move(shared)),
        group_(std::move(group)),
        after_(from),
        filter_(filter),
        reader_(std::move(reader)) {}
  ~Subscription() override {
    const std::lock_guard lock(shared_->mutex);
    shared_->leave(group_);
  }

  Then pull(std::string& out, std::size_t room, Why why) override {
    const Then then = shared_->live.read([&](const World& world) {
      const std::optional<Sees> sees = reader_(world);
      if (!sees) {
        out += "event: signed_out\ndata: {}\n\n";
        return Then::ends;
      }
      return more(out, room, *sees);
    });
    if (then == Then::ends) return then;
    if (why == Why::ending) out += "event: stopping\ndata: {}\n\n";
    if (why == Why::quiet && out.empty()) {
      // Who comes back after a long silence need not be told again what was not for them.
      out += ": alive\nid: ";
      write_id(out, after_);
      out += "\n\n";
    }
    return then;
  }

 private:
  // With the World locked for reading.
  Then more(std::string& out, std::size_t room, const Sees& sees) {
    const std::lock_guard lock(shared_->mutex);
    Shared& hub = *shared_;
    if (!joined_) {
      if (reading_) return Then::goes_on;
      out += std::exchange(past_, {});
      if (failed_) {
        out += "event: broken\ndata: {}\n\n";
        return Then::ends;
      }
      if (!join()) {
        read_past();
        return Then::goes_on;
      }
    }
    const Shared::Group& group = *group_;
    if (at_ < group.dropped) {
      out += "event: lagging\ndata: {\"after\":\"";
      write_id(out, after_);
      out += "\"}\n\n";
      return Then::ends;
    }
    const std::uint64_t end = group.dropped + group.entries.size();
    for (; at_ < end; ++at_) {
      const Shared::Entry& entry = *group.entries[static_cast<std::size_t>(at_ - group.dropped)];
      const Place place{entry.what.sequence, entry.what.index};
      if (place <= after_) continue;
      after_ = place;
      if (!sees(entry.what)) continue;
      out += entry.text;
      if (out.size() >= room) {
        ++at_;
        return Then::goes_on;
      }
    }
    after_ = std::max(after_, Place{.sequence = hub.last});
    return filter_.follow ? Then::goes_on : Then::ends;
  }

  // Goes over to what is kept, if nothing lies between. Under the lock.
  bool join() {
    const Shared::Group& group = *group_;
    const std::uint64_t next = after_.index == UINT32_MAX ? after_.sequence + 1 : after_.sequence;
    if (next < group.complete) return false;
    const auto first = std::ranges::find_if(group.entries, [&](const Shared::EntryPtr& entry) {
      return Place{entry->what.sequence, entry->what.index} > after_;
    });
    at_ = group.dropped + static_cast<std::uint64_t>(first - group.entries.begin());
    joined_ = true;
    return true;
  }

  // Reads a part of the journal on another thread. Under the lock.
  void read_past() {
    reading_ = true;
    const std::uint64_t until = group_->complete;  // what is kept begins there
    shared_->ways.slowly([self = shared_from_this(), until] { self->read_until(until); });
  }

  void read_until(std::uint64_t until) {
    shared_->live.catch_up_history();  // or it would not know whose job has just ended
    std::string text;
    Place after = after_;  // nobody else writes it while reading_ is set
    Facts facts;
    std::size_t records = 0;
    bool good = true;
    const std::uint64_t from = after.index == UINT32_MAX ? after.sequence + 1 : after.sequence;
    const auto done = shared_->live.journal().read(from, [&](const Record& record) {
      if (record.sequence >= until) return false;
      facts.clear();
      const auto decoded = read_record(document_, record.body, facts);
      if (!decoded) return good = false;
      good = add_past(text, record, decoded->asked.by, facts, after);
      after = {.sequence = record.sequence};
      return good && ++records < past_records && text.size() < past_bytes;
    });
    {
      const std::lock_guard lock(shared_->mutex);
      past_ = std::move(text);
      after_ = after;
      failed_ = !done || !good;
      reading_ = false;
    }
    shared_->ways.wake();
  }

  bool add_past(std::string& text, const Record& record, PersonId by, const Facts& facts,
                const Place& after) {
    // The history is asked outside the World's lock: it may be slow.
    std::vector<ProjectId> projects;
    for (const Event& event : facts.events()) {
      if (!past_project(event, projects.emplace_back())) return false;
    }
    return shared_->live.read([&](const World& world) {
      const std::optional<Sees> sees = reader_(world);
      if (!sees) return true;  // the next pull says so
      for (std::uint32_t i = 0; i < projects.size(); ++i) {
        const Event& event = facts.events()[i];
        Happening what = happening_of(world, event, projects[i]);
        what.sequence = record.sequence;
        what.index = i;
        if (Place{what.sequence, what.index} <= after || !filter_.takes(what) || !(*sees)(what))
          continue;
        write_happening(text, world, what, event, record.at, by);
      }
      return true;
    });
  }

  // The project of the job that a past event is about: the job may be over.
  bool past_project(const Event& event, ProjectId& project) {
    const JobId job = job_of(event);
    if (!job) return true;
    Live& live = shared_->live;
    project = live.read([&](const World& world) { return project_of(world, event); });
    if (const auto known = past_projects_.find(job); !project && known != past_projects_.end())
      project = known->second;
    if (!project) {
      const auto settled = live.history().job(job.value);
      if (!settled) return false;
      if (*settled) {
        live.read([&](const World& world) {
          const auto found = world.index.projects.find((*settled)->project);
          if (found != world.index.projects.end()) project = found->second;
        });
      }
    }
    // A job's events are close to each other; what is forgotten is looked up again.
    if (past_projects_.size() > 10'000) past_projects_.clear();
    past_projects_[job] = project;
    return true;
  }

  const std::shared_ptr<Shared> shared_;
  const Shared::GroupPtr group_;
  Place after_;  // everything up to here was seen
  const EventFilter filter_;
  const Reader reader_;

  bool joined_ = false;
  std::uint64_t at_ = 0;  // once joined: the next entry of the group, counted from its first

  // Of the past; under the hub's lock but for what only the reading thread uses.
  bool reading_ = false, failed_ = false;
  std::string past_;
  JsonDocument document_;
  std::map<JobId, ProjectId> past_projects_;
};

EventHub::EventHub(Live& live, Ways ways)
    : shared_(std::make_shared<Shared>(live, std::move(ways))) {}
EventHub::~EventHub() = default;

void EventHub::published(std::span<const Published> records, const World& world) {
  struct Fresh {
    Shared::Kept kept;
    std::shared_ptr<Shared::Entry> entry;
    const Published* record;
  };
  std::vector<Fresh> fresh;
  Shared& hub = *shared_;
  {
    const std::lock_guard lock(hub.mutex);
    hub.chosen = records.back().sequence;
    if (hub.readers == 0) {
      hub.last = hub.chosen;
      return;
    }
    for (const Published& record : records) {
      for (std::uint32_t i = 0; i < record.events.size(); ++i) {
        Happening what = happening_of(world, record.events[i], record.projects[i]);
        if (what.audience == Audience::nobody) continue;
        what.sequence = record.sequence;
        what.index = i;
        std::vector<Shared::GroupPtr> wanted_by;
        hub.each_wanting(what, [&](const Shared::GroupPtr& g) { wanted_by.push_back(g); });
        if (wanted_by.empty()) continue;
        auto entry = std::make_shared<Shared::Entry>(what, std::string());
        fresh.push_back({{entry, std::move(wanted_by)}, entry, &record});
      }
    }
  }
  // Words take longest, and need no lock: nobody has these entries yet.
  std::size_t bytes = 0;
  for (const Fresh& f : fresh) {
    f.entry->text.reserve(512);
    write_happening(f.entry->text, world, f.entry->what, f.record->events[f.entry->what.index],
                    f.record->at, f.record->by);
    bytes += f.kept.bytes();
  }
  {
    const std::lock_guard lock(hub.mutex);
    hub.last = hub.chosen;
    if (hub.readers > 0) {
      for (Fresh& f : fresh) {
        for (const Shared::GroupPtr& group : f.kept.wanted_by) group->entries.push_back(f.entry);
        hub.entries.push_back(std::move(f.kept));
      }
      hub.bytes += bytes;
      while (hub.bytes > kept_bytes_max && !hub.entries.empty()) {
        const Shared::Kept& oldest = hub.entries.front();
        hub.bytes -= oldest.bytes();
        for (const Shared::GroupPtr& group : oldest.wanted_by) {
          // Of this record something is missing now.
          group->complete = oldest.entry->what.sequence + 1;
          group->entries.pop_front();
          ++group->dropped;
        }
        hub.entries.pop_front();
      }
    }
  }
  if (!fresh.empty()) hub.ways.wake();
}

std::shared_ptr<net::Stream> EventHub::open(std::optional<Place> from, EventFilter filter,
                                            Reader reader) {
  const std::lock_guard lock(shared_->mutex);
  if (from && from->sequence > shared_->last) return nullptr;
  // What is being put into words at this moment was decided before who asks could know of it.
  const Place begin = from.value_or(Place{.sequence = shared_->chosen});
  return std::make_shared<Subscription>(shared_, shared_->enter(filter), begin, filter,
                                        std::move(reader));
}

std::uint64_t EventHub::last() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->last;
}

// ---- the door ----

void Api::events(const CallPtr& call) {
  EventFilter filter;
  std::optional<Place> from;
  std::string project;
  for (const auto& [name, value] : call->query) {
    if (name == "since") {
      from = parse_place(value);
      if (!from) {
        return call->deny(invalid_field("since", "expected SEQUENCE or SEQUENCE.INDEX",
                                        "「番号」または「番号.番号」の形で指定してください"));
      }
    } else if (name == "follow") {
      if (value != "true" && value != "false") {
        return call->deny(
            invalid_field("follow", "expected true or false", "true か false を指定してください"));
      }
      filter.follow = value == "true";
    } else if (name == "project") {
      project = value;
    } else if (name == "job") {
      const auto number = parse_decimal(value, 0);
      if (!number || *number <= 0) {
        return call->deny(
            invalid_field("job", "expected a job's id", "ジョブ番号を指定してください"));
      }
      filter.job = JobId{static_cast<std::uint64_t>(*number)};
    } else if (name == "kinds") {
      for (std::size_t at = 0; at <= value.size();) {
        const std::size_t comma = std::min(value.find(',', at), value.size());
        const std::string kind = value.substr(at, comma - at);
        at = comma + 1;
        const auto found = std::ranges::find(event_names, kind);
        if (found == event_names.end()) {
          return call->deny(invalid_field(
              "kinds", "there is no kind of event " + kind + "; docs/api.md lists them",
              "「" + kind + "」というイベントの種類はありません。docs/api.md に一覧があります"));
        }
        filter.kinds |= std::uint64_t{1} << (found - event_names.begin());
      }
    }
  }
  // The header counts: a browser that comes back sends the address as it was, with the header.
  if (const std::string_view last = call->request.header("Last-Event-ID"); !last.empty()) {
    from = parse_place(last);
    if (!from) {
      return call->deny(invalid_field("Last-Event-ID", "expected SEQUENCE or SEQUENCE.INDEX",
                                      "「番号」または「番号.番号」の形で指定してください"));
    }
  }
  if (!project.empty()) {
    filter.project = live_.read([&](const World& world) {
      const auto found = world.index.projects.find(project);
      const bool there =
          found != world.index.projects.end() && may_see(world, call->caller, found->second);
      return there ? found->second : ProjectId{};
    });
    if (!filter.project) return call->deny(refuse(Reason::unknown_project));
  }
  const auto begin = [this, call, filter, from] {
    auto reader = [this, token = token_hash(call->request), language = call->caller.language](
                      const World& world) -> std::optional<EventHub::Sees> {
      auto caller = caller_of(world, token, language);
      if (!caller) return std::nullopt;
      return [this, &world, who = *caller, asked = ProjectId{},
              seen = false](const Happening& what) mutable {
        if (what.audience != Audience::project || !what.project) return may_see(world, who, what);
        // Events of one project come one after another.
        if (what.project != asked) {
          asked = what.project;
          seen = may_see(world, who, what);
        }
        return seen;
      };
    };
    auto stream = hub_.open(from, filter, std::move(reader));
    if (!stream) {
      const std::string last = std::to_string(hub_.last());
      return call->deny(invalid_field("since",
                                      "nothing has happened there yet; the last record is " + last,
                                      "まだ存在しない位置です。最新の記録は " + last + " です"));
    }
    net::Response response{.content_type = "text/event-stream; charset=utf-8",
                           .body = ": tenbin\nretry: 2000\n\n",
                           .headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
                           .stream = std::move(stream)};
    call->reply(std::move(response));
  };
  if (!filter.job) return begin();
  const auto there = live_.read([&](const World& world) -> std::optional<bool> {
    const ProjectId of = project_of(world, filter.job);
    if (!of) return std::nullopt;
    return may_see(world, call->caller, of);
  });
  if (there) return *there ? begin() : call->deny(refuse(Reason::unknown_job));
  slowly([this, call, filter, begin] {
    with_settled(call, filter.job, [&](const SettledJob&) { begin(); });
  });
}

/// Who may see what happens, in one place.
bool Api::may_see(const World& world, const Caller& caller, const Happening& what) const {
  const auto of_project = [&](Question question) {
    return what.project ? may_see(world, caller, question, {.project = what.project})
                        : may_see(world, caller, Question::journal);
  };
  switch (what.audience) {
    case Audience::everyone: return true;
    case Audience::project: return of_project(Question::jobs);
    case Audience::members: return of_project(Question::members);
    case Audience::allocation: return of_project(Question::allocation);
    case Audience::person: return may_see(world, caller, Question::tokens, {.owner = what.person});
    case Audience::all_seeing: return may_see(world, caller, Question::journal);
    case Audience::nobody: return false;
  }
  return false;
}

}  // namespace tenbin
