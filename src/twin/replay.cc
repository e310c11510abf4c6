#include "twin/replay.h"

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <unordered_map>

#include "base/table.h"
#include "core/limits.h"
#include "core/schedule/schedule.h"
#include "twin/fragmentation.h"

namespace tenbin {

namespace {

/// Running attempts by their real end: a 4-ary heap of (instant, job) as one number, least on top.
class Due {
 public:
  bool empty() const { return size_ == 0; }
  Instant at() const { return Instant{static_cast<std::int64_t>(heap_[0] >> 64)}; }
  JobId job() const { return JobId{static_cast<std::uint64_t>(heap_[0])}; }
  void push(Instant at, JobId job) {
    const Wide end = Wide{at.ms} << 64 | Wide{job.value};
    if (size_ == heap_.size()) heap_.resize(2 * size_ + 64);
    std::size_t i = size_++;
    while (i > 0) {
      const std::size_t parent = (i - 1) / 4;
      if (heap_[parent] < end) break;
      heap_[i] = heap_[parent];
      i = parent;
    }
    heap_[i] = end;
  }
  void pop() {
    Wide* const heap = heap_.data();
    const Wide last = heap[--size_];
    std::size_t i = 0, child = 1;
    for (; child + 4 <= size_; child = 4 * i + 1) {
      const std::size_t left = heap[child + 1] < heap[child] ? child + 1 : child;
      const std::size_t right = heap[child + 3] < heap[child + 2] ? child + 3 : child + 2;
      const std::size_t least = heap[right] < heap[left] ? right : left;
      if (!(heap[least] < last)) break;
      heap[i] = heap[least];
      i = least;
    }
    if (child + 4 > size_ && child < size_) {  // the last parent may have fewer children
      std::size_t least = child;
      while (++child < size_) {
        if (heap[child] < heap[least]) least = child;
      }
      if (heap[least] < last) {
        heap[i] = heap[least];
        i = least;
      }
    }
    heap[i] = last;
  }

 private:
  std::vector<Wide> heap_;
  std::size_t size_ = 0;
};

/// The names of owners' projects, each made once.
class ProjectNames {
 public:
  const std::string& of(std::uint32_t owner) {
    if (owner < low_owners && owner >= low_.size()) low_.resize(owner + 1);
    std::string& name = owner < low_owners ? low_[owner] : high_[owner];
    if (name.empty()) name = replay_project(owner);
    return name;
  }

 private:
  static constexpr std::uint32_t low_owners = 65'536;  // traces number them from 0 on
  std::vector<std::string> low_;
  std::unordered_map<std::uint32_t, std::string> high_;
};

constexpr Money all_money{money_max, {'J', 'P', 'Y'}};

/// A command that a replay's own World has to take.
void set_up(World& world, Instant at, Command command) {
  Facts facts;
  const Decision decision = apply(world, {.command = std::move(command)}, at, facts);
  TENBIN_ASSERT(decision.has_value());
}

/// One more funder who gives all that a funder can, and what it gave as one lot.
void add_lot(World& world, Instant at) {
  const std::string name = "replay-" + std::to_string(world.lots.size() + 1);
  set_up(world, at, DeclareFunder{name, "", all_money, Credits{1'000'000}});
  set_up(world, at, DeclareLot{name, "replay", name, all_money, Instant{}, instant_max, {}});
}

/// Gives a project `amount` in all.
void allot(World& world, Instant at, const std::string& project, Credits amount) {
  Facts facts;
  const Asked asked{.command = DeclareAllocation{project, "replay", project, amount, ""}};
  while (!apply(world, asked, at, facts)) {
    TENBIN_ASSERT(amount < credits_max && world.lots.size() < 1'000);
    add_lot(world, at);
    facts.clear();
  }
}

// 2^24 credits; doubled when they are not enough.
constexpr Credits first_credits{16'777'216'000'000};

/// After a refusal: the project and its credit if that is what is missing. True: ask again.
bool provide(World& world, Instant at, const std::string& project, const Refusal& why) {
  if (why.reason == Reason::unknown_project) {
    set_up(world, at, DeclareProject{project, "", "replay"});
    allot(world, at, project, first_credits);
    return true;
  }
  if (why.reason != Reason::insufficient_credit && why.reason != Reason::no_credit) return false;
  const auto found = world.index.allocations.find(std::string_view(project));
  if (found == world.index.allocations.end()) return false;  // a World of somebody else's making
  const Credits now = world.allocations.at(found->second).amount;
  if (now > Credits{credits_max.count / 4}) return false;
  allot(world, at, project, Credits{std::max(now.count * 2, why.figures[0] * 2)});
  return true;
}

/// Jobs in memory; a job is known by its row.
class HeldJobs {
 public:
  HeldJobs(const std::vector<TraceJob>& jobs, const World& world)
      : jobs_(jobs), first_(world.jobs.next_id().value) {
    row_of_.reserve(jobs.size());
  }
  Result<bool> ready() { return next_ < jobs_.size(); }
  const TraceJob& head() const { return jobs_[next_]; }
  std::uint64_t head_row() const { return next_; }
  Result<bool> accept(JobId) {
    row_of_.push_back(static_cast<std::uint32_t>(next_));
    return drop();
  }
  Result<bool> drop() { return ++next_ < jobs_.size(); }
  std::uint64_t row(JobId id) const { return row_of_[id.value - first_]; }
  const TraceJob& job(JobId id) const { return jobs_[row(id)]; }
  void over(JobId) {}

 private:
  const std::vector<TraceJob>& jobs_;
  std::size_t next_ = 0;
  std::vector<std::uint32_t> row_of_;  // by job id - first
  std::uint64_t first_;
};

/// Jobs as they are read; those that wait or run are kept.
class ReadJobs {
 public:
  ReadJobs(TraceSource& source, const World&) : source_(source) {}
  Result<bool> ready() {
    rows_ = 0;
    return source_.next(head_);
  }
  const TraceJob& head() const { return head_; }
  std::uint64_t head_row() const { return rows_; }
  Result<bool> accept(JobId id) {
    live_.insert(id, {head_, rows_});
    return drop();
  }
  Result<bool> drop() {
    ++rows_;
    return source_.next(head_);
  }
  std::uint64_t row(JobId id) const { return live_.at(id).row; }
  const TraceJob& job(JobId id) const { return live_.at(id).job; }
  void over(JobId id) { live_.retire(id); }

 private:
  struct Live {
    TraceJob job;
    std::uint64_t row = 0;
  };
  TraceSource& source_;
  TraceJob head_;
  std::uint64_t rows_ = 0;
  Table<JobId, Live> live_;
};

/// The GPU models that a job of the trace permits, by the names of the World: those that the fleet
/// has, or if it has none of them all, so that the refusal is about models. The names may grow
/// while the trace is read.
class ModelNames {
 public:
  ModelNames(const World& world, const TraceNames& names)
      // A fleet of one nameless model runs everything.
      : world_(world),
        names_(names),
        heard_(world.models.size() > 1 || !world.index.models.contains("gpu")) {}

  std::span<const Text> of(std::uint64_t models) {
    if (models == 0 || !heard_) return {};
    while (known_.size() < names_.models.size())
      known_.push_back(world_name(names_.models[known_.size()]));
    permitted_.clear();
    for (const bool there : {true, false}) {
      if (!permitted_.empty()) break;
      for (std::size_t i = 0; i < known_.size() && i < 64; ++i) {
        if ((models >> i & 1) != 0 && (!there || world_.index.models.contains(known_[i])))
          permitted_.push_back(known_[i]);
      }
    }
    return permitted_;
  }

 private:
  const World& world_;
  const TraceNames& names_;
  std::deque<std::string> known_;
  std::vector<Text> permitted_;
  const bool heard_;
};

constexpr EndKind kind_of(TraceEnd end) {
  return end == TraceEnd::cancelled ? EndKind::stopped : EndKind::exited;
}

/// The loop. `Jobs` gives jobs, `Told` is told what happens; both are known when this is compiled,
/// so that a replay which tells nobody costs nothing for it.
template <class Jobs, class Told>
Result<ReplayRun> drive(World& world, Jobs& jobs, const TraceNames& names, Told&& told,
                        ReplayControl* control) {
  ReplayRun run;
  ProjectNames projects;
  ModelNames models(world, names);

  // The commands, filled in anew for each job.
  const Asked schedule{.command = Schedule{}};
  Asked asked_end{.command = ReportEnd{.attempt = 1, .kind = EndKind::exited}};
  ReportEnd& end = std::get<ReportEnd>(asked_end.command);
  Asked asked_stop{.command = CancelJob{}};
  Asked asked_job{.command = SubmitJob{}};
  SubmitJob& submit = std::get<SubmitJob>(asked_job.command);
  Due due;
  Facts facts;
  std::uint64_t instants = 0, ended = 0;
  auto more = jobs.ready();
  while (more && (*more || !due.empty())) {
    if (control && (++instants & 255) == 0) {
      control->submitted.store(run.jobs, std::memory_order_relaxed);
      control->ended.store(ended, std::memory_order_relaxed);
      if (control->stop.load(std::memory_order_relaxed)) {
        run.stopped = true;
        break;
      }
    }
    Instant now = due.empty() ? never : due.at();
    if (*more && jobs.head().submit < now) now = jobs.head().submit;

    while (!due.empty() && due.at() == now) {
      const JobId id = due.job();
      due.pop();
      const TraceJob& job = jobs.job(id);
      facts.clear();
      if (job.end == TraceEnd::cancelled) {
        std::get<CancelJob>(asked_stop.command).job = id;
        TENBIN_ASSERT(apply(world, asked_stop, now, facts).has_value());
      }
      end.job = id;
      end.kind = kind_of(job.end);
      end.code = job.end == TraceEnd::failed ? 1 : 0;
      end.ended = now;
      const Decision decided = apply(world, asked_end, now, facts);
      TENBIN_ASSERT(decided.has_value());
      run.events += facts.size();
      ++ended;
      told.ended(jobs, id, world, facts, now);
      jobs.over(id);
    }
    while (more && *more && jobs.head().submit == now) {
      const TraceJob& job = jobs.head();
      submit.project = projects.of(job.owner);
      submit.shape = job.shape;
      submit.time_limit = job.limit;
      submit.models = models.of(job.models);
      ++run.jobs;
      facts.clear();
      Decision queued = apply(world, asked_job, now, facts);
      while (!queued && provide(world, now, projects.of(job.owner), queued.error())) {
        facts.clear();
        queued = apply(world, asked_job, now, facts);
      }
      run.events += facts.size();
      if (queued) {
        told.submitted(jobs);
        more = jobs.accept(JobId{*queued});
      } else {
        told.refused(jobs, queued.error());
        more = jobs.drop();
      }
    }
    if (!more) break;
    facts.clear();
    static_cast<void>(apply(world, schedule, now, facts));
    run.events += facts.size();
    for (const Event& event : facts.events()) {
      if (const JobStarted* started = std::get_if<JobStarted>(&event)) {
        due.push(now + jobs.job(started->job).runtime, started->job);
        told.started(jobs, world, event, *started, now);
      }
    }
    told.instant(world, now);
  }
  if (!more) return std::unexpected(more.error());
  if (control) {
    control->submitted.store(run.jobs, std::memory_order_relaxed);
    control->ended.store(ended, std::memory_order_relaxed);
  }
  run.history = world.history;
  return run;
}

/// Notes when each job started.
struct TellStarts {
  std::vector<Instant>& starts;
  std::uint64_t& refused_jobs;
  const AfterInstant& after;

  void submitted(HeldJobs&) {}
  void refused(HeldJobs&, const Refusal&) { ++refused_jobs; }
  void started(HeldJobs& jobs, const World&, const Event&, const JobStarted& event, Instant now) {
    starts[jobs.row(event.job)] = now;
  }
  void ended(HeldJobs&, JobId, const World&, const Facts&, Instant) {}
  void instant(World& world, Instant) {
    if (after) after(world);
  }
};

struct TellNobody {
  void submitted(auto&) {}
  void refused(auto&, const Refusal&) {}
  void started(auto&, const World&, const Event&, const JobStarted&, Instant) {}
  void ended(auto&, JobId, const World&, const Facts&, Instant) {}
  void instant(World&, Instant) {}
};

struct TellWatch {
  ReplayWatch& watch;

  void submitted(auto& jobs) { watch.submitted(jobs.head_row(), jobs.head()); }
  void refused(auto& jobs, const Refusal& why) { watch.refused(jobs.head_row(), jobs.head(), why); }
  void started(auto& jobs, const World& world, const Event& any, const JobStarted& event,
               Instant now) {
    watch.happened(world, any);
    watch.started(jobs.row(event.job), jobs.job(event.job), event, now);
  }
  void ended(auto& jobs, JobId id, const World& world, const Facts& facts, Instant now) {
    for (const Event& event : facts.events()) {
      watch.happened(world, event);
      if (const JobSettled* settled = std::get_if<JobSettled>(&event))
        watch.ended(jobs.row(id), jobs.job(id), *settled, now);
    }
  }
  void instant(World& world, Instant now) { watch.instant(world, now); }
};

template <class Jobs>
Result<ReplayRun> drive_watched(World& world, Jobs jobs, const TraceNames& names,
                                ReplayWatch* watch, ReplayControl* control) {
  if (!watch) return drive(world, jobs, names, TellNobody{}, control);
  return drive(world, jobs, names, TellWatch{*watch}, control);
}

}  // namespace

std::string replay_project(std::uint32_t owner) {
  return "owner-" + std::to_string(owner);
}

std::vector<ReplayPool> ReplayFleet::all() const {
  if (!pools.empty()) return pools;
  ReplayPool one{.name = "pool", .kind = kind};
  if (kind == PoolKind::counted) {
    one.counted = Gpus{std::int64_t{gpus} * 1'000};
  } else {
    one.gpus_per_node = gpus_per_node;
    for (std::uint32_t n = 0; n < nodes; ++n) one.nodes.push_back("node-" + std::to_string(n));
  }
  return {one};
}

std::vector<Target> replay_targets(const ReplayFleet& fleet, const Trace& trace) {
  // Models get their ids in the order of the pools.
  std::vector<std::string> models;
  std::uint32_t largest = 1;
  for (const ReplayPool& pool : fleet.all()) {
    if (std::ranges::find(models, pool.model) == models.end()) models.push_back(pool.model);
    largest = std::max(largest, pool.gpus_per_node);
  }
  const bool nameless = models.size() == 1 && models[0] == "gpu";
  std::vector<GpuModelId> ids;
  for (const std::string& model : trace.names.models) {
    const auto at = std::ranges::find(models, world_name(model));
    ids.push_back(nameless ? GpuModelId{1}
                  : at == models.end()
                      ? GpuModelId{}
                      : GpuModelId{static_cast<std::uint64_t>(at - models.begin()) + 1});
  }
  return typical_targets(trace.jobs, ids, largest);
}

std::string world_name(std::string_view text) {
  std::string name;
  for (const char c : text.substr(0, name_bytes_max)) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
    const bool inner = low == '-' || low == '_' || low == '.';
    name += plain || (inner && !name.empty()) ? low : name.empty() ? 'x' : '-';
  }
  return name.empty() ? "x" : name;
}

Result<World> open_replay_world(const ReplayFleet& fleet, const Policy& policy,
                                std::span<const Target> targets, bool japanese) {
  World world;
  const Instant start{};
  std::optional<Error> wrong;
  const auto declare = [&](const std::string& what, Command command) {
    if (wrong) return;
    Facts facts;
    const Decision decision = apply(world, {.command = std::move(command)}, start, facts);
    if (decision) return;
    const ReasonText& reason = text_of(decision.error().reason);
    std::string text(japanese ? reason.japanese : reason.english);
    for (std::size_t i = 0; i < decision.error().figures.size(); ++i) {
      const std::string place = "{" + std::to_string(i) + "}";
      for (auto at = text.find(place); at != std::string::npos; at = text.find(place))
        text.replace(at, place.size(), std::to_string(decision.error().figures[i]));
    }
    wrong = Error{what + ": " + text};
  };
  for (const ReplayPool& pool : fleet.all()) {
    declare("provider " + pool.provider, DeclareProvider{pool.provider, ""});
    declare("region " + pool.region, DeclareRegion{pool.region, ""});
    declare("pool " + pool.name,
            DeclarePool{.name = pool.name,
                        .provider = pool.provider,
                        .region = pool.region,
                        .gpu_model = pool.model,
                        .kind = pool.kind,
                        .gpus_per_node = pool.kind == PoolKind::nodes ? pool.gpus_per_node : 0,
                        .cpus = pool.cpus,
                        .memory = pool.memory,
                        .counted = pool.counted});
    for (const std::string& node : pool.nodes)
      declare("node " + node, DeclareNode{node, pool.name, 0});
    declare("price " + pool.name, SetPrice{pool.name, pool.gpu_hour, pool.fraction_ppm});
  }
  declare("policy", SetPolicy{policy, targets});  // targets name models that there are
  if (wrong) return std::unexpected(*wrong);
  set_up(world, start, DeclareProgramme{"replay", ""});
  set_up(world, start, DeclareOrganisation{"replay", ""});
  set_up(world, start, DeclareGrant{"replay", "", "replay", "replay"});
  add_lot(world, start);
  return world;
}

World replay_world(const ReplayFleet& fleet, const Policy& policy,
                   std::span<const Target> targets) {
  Result<World> world = open_replay_world(fleet, policy, targets);
  TENBIN_ASSERT(world.has_value());
  return *std::move(world);
}

World replay_world(const std::vector<TraceJob>& jobs, const ReplayFleet& fleet,
                   const Policy& policy) {
  World world = replay_world(fleet, policy);
  // All the credit of the first lot, in equal parts.
  std::set<std::uint32_t> owners;
  for (const TraceJob& job : jobs) owners.insert(job.owner);
  const std::int64_t part = money_max / static_cast<std::int64_t>(owners.size() + 1);
  for (const std::uint32_t owner : owners) {
    const std::string project = replay_project(owner);
    set_up(world, Instant{}, DeclareProject{project, "", "replay"});
    allot(world, Instant{}, project, Credits{part * 1'000'000});
  }
  return world;
}

ReplayResult replay(World& world, const std::vector<TraceJob>& jobs, const AfterInstant& after) {
  ReplayResult result;
  result.starts.assign(jobs.size(), never);
  HeldJobs held(jobs, world);
  const auto run =
      drive(world, held, {}, TellStarts{result.starts, result.refused, after}, nullptr);
  TENBIN_ASSERT(run.has_value());  // what is in memory can be read
  result.events = run->events;
  result.history = run->history;
  return result;
}

Result<ReplayRun> replay(World& world, TraceSource& source, ReplayWatch* watch,
                         ReplayControl* control) {
  return drive_watched(world, ReadJobs(source, world), source.names(), watch, control);
}

Result<ReplayRun> replay(World& world, const std::vector<TraceJob>& jobs, const TraceNames& names,
                         ReplayWatch* watch, ReplayControl* control) {
  return drive_watched(world, HeldJobs(jobs, world), names, watch, control);
}

}  // namespace tenbin
