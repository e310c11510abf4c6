#include "twin/journal.h"

#include <algorithm>
#include <queue>

#include "codec/record.h"
#include "core/jobs/tasks.h"
#include "core/schedule/schedule.h"

namespace tenbin {

namespace {

/// Notes a name under its number.
void note(std::vector<std::string>& names, std::uint64_t at, Text name) {
  if (at >= names.size()) names.resize(at + 1);
  names[at] = name;
}

bool ended_something(const Facts& facts) {
  return std::ranges::any_of(facts.events(), [](const Event& event) {
    return std::holds_alternative<JobSettled>(event) ||
           std::holds_alternative<AttemptLost>(event) ||
           std::holds_alternative<AttemptFailed>(event);
  });
}

/// Declares the fleet or the state of its nodes.
bool is_fleet(const Command& command) {
  return std::holds_alternative<DeclarePool>(command) ||
         std::holds_alternative<DeclareNode>(command) ||
         std::holds_alternative<SetPrice>(command) || std::holds_alternative<DrainNode>(command) ||
         std::holds_alternative<ResumeNode>(command) ||
         std::holds_alternative<EvacuateNode>(command);
}

}  // namespace

Result<std::unique_ptr<JournalHistory>> JournalHistory::read(const RecordReader& reader) {
  auto history = std::make_unique<JournalHistory>();
  JsonDocument document;
  Facts facts;
  World fleet;  // what was declared of providers, regions, pools, nodes and prices
  std::unordered_map<std::uint64_t, std::pair<std::uint32_t, Instant>> started;  // attempt, when
  Result<void> good;
  bool some_job = false;
  const auto read = reader([&](std::uint64_t sequence, Instant at, std::string_view body) {
    facts.clear();
    // Twice: the events are looked at and forgotten, the commands stay.
    const auto decoded = read_record(document, body, facts);
    if (!decoded) {
      good = failed("record " + std::to_string(sequence) + ": " + decoded.error().what);
      return false;
    }
    const auto kept = read_record(document, body, history->texts_);
    history->texts_.shrink(0);
    Entry entry{.sequence = sequence, .at = at, .asked = kept->asked};
    const Command& command = entry.asked.command;
    for (const Event& event : facts.events()) {
      if (const auto* queued = std::get_if<JobQueued>(&event)) {
        entry.first = queued->job.value;
        entry.ids = 1;
        ++history->jobs_;
        some_job = true;
      } else if (const auto* array = std::get_if<ArrayQueued>(&event)) {
        entry.first = array->array.value;
        entry.ids = std::uint64_t{array->tasks} + 1;
        history->jobs_ += array->tasks;
        some_job = true;
      } else if (const auto* start = std::get_if<JobStarted>(&event)) {
        started[start->job.value] = {start->attempt, at};
      } else if (const auto* stop = std::get_if<StopRequested>(&event)) {
        const auto* cancel = std::get_if<CancelJob>(&command);
        const auto begun = started.find(stop->job.value);
        if (cancel && cancel->job == stop->job && begun != started.end()) {
          entry.stopped = true;
          entry.after_start = at - begun->second.second;
        }
      } else if (const auto* project = std::get_if<ProjectDeclared>(&event)) {
        note(history->names_.owners, project->project.value - 1, project->name);
      } else if (const auto* person = std::get_if<PersonDeclared>(&event)) {
        note(history->names_.users, person->person.value, person->name);
      } else if (const auto* policy = std::get_if<PolicySet>(&event)) {
        history->one_policy_ = history->one_policy_ && !some_job;
        history->policy_ = policy->policy;
      }
    }
    if (const auto* end = std::get_if<ReportEnd>(&command); end && ended_something(facts)) {
      const auto begun = started.find(end->job.value);
      if (begun != started.end() && begun->second.first == end->attempt) {
        entry.ends = true;
        const Instant from = begun->second.second;
        history->endings_[end->job.value].push_back(
            {.sequence = sequence,
             .attempt = end->attempt,
             .entry = history->records_.size(),
             .ran = at - from,
             .ended = std::clamp(end->ended, from, at) - from,
             .kind = end->kind,
             .code = end->code});
      }
    }
    if (is_fleet(command) || std::holds_alternative<DeclareProvider>(command) ||
        std::holds_alternative<DeclareRegion>(command)) {
      for (const Event& event : facts.events()) {
        const bool of_fleet = std::holds_alternative<ProviderDeclared>(event) ||
                              std::holds_alternative<RegionDeclared>(event) ||
                              std::holds_alternative<GpuModelSeen>(event) ||
                              std::holds_alternative<PoolDeclared>(event) ||
                              std::holds_alternative<NodeDeclared>(event) ||
                              std::holds_alternative<PriceSet>(event);
        if (of_fleet) record(fleet, event, at);
      }
    }
    history->records_.push_back(std::move(entry));
    return true;
  });
  if (!good) return std::unexpected(good.error());
  if (!read) return std::unexpected(read.error());

  fleet.pools.each([&](PoolId, const Pool& pool) {
    ReplayPool made{.name = pool.name,
                    .provider = fleet.providers.at(pool.provider).name,
                    .region = fleet.regions.at(pool.region).name,
                    .model = fleet.models.at(pool.model).name,
                    .kind = pool.kind,
                    .gpus_per_node = pool.gpus_per_node,
                    .cpus = pool.cpus,
                    .memory = pool.memory,
                    .counted = pool.counted};
    for (const NodeId node : pool.nodes) {
      made.nodes.push_back(fleet.nodes.at(node).name);
      history->node_ids_.push_back(node);
    }
    if (!pool.prices.empty()) {
      const Price& price = fleet.prices.at(pool.prices.back());
      made.gpu_hour = price.gpu_hour;
      made.fraction_ppm = price.fraction_ppm;
    }
    history->pools_.push_back(std::move(made));
  });
  return history;
}

bool JournalHistory::as_it_was(const Changed& changed) const {
  return !changed.fleet && (!changed.policy || (one_policy_ && *changed.policy == policy_));
}

/// One replay: the journal's commands and what falls due, in one order.
class JournalReplay {
 public:
  JournalReplay(const JournalHistory& history, World& world, const JournalHistory::Changed& changed,
                ReplayWatch* watch, ReplayControl* control)
      : history_(history),
        world_(world),
        changed_(changed),
        as_it_was_(history.as_it_was(changed)),
        watch_(watch),
        control_(control) {}

  ReplayRun run() {
    set_up();
    std::uint64_t steps = 0;
    while (next_ < history_.records_.size() || !due_.empty()) {
      if (control_ && (++steps & 63) == 0) {
        control_->submitted = rows_;
        control_->ended = over_;
        if (control_->stop) {
          run_.stopped = true;
          break;
        }
      }
      const Instant now = next_at();
      while (next_at() == now) step(now);
      if (pass_due_) {
        pass_due_ = false;
        give({.command = Schedule{}}, now);
        // What starts and ends at the same instant is another round of it.
      }
      if (watch_) watch_->instant(world_, now);
    }
    run_.jobs = rows_;
    run_.history = world_.history;
    return run_;
  }

 private:
  struct Due {
    Instant at;
    std::uint64_t order = 0;  // the record that it comes from, or after all of them
    JobId job;
    std::uint32_t attempt = 0;
    EndKind kind = EndKind::exited;
    std::int32_t code = 0;
    Instant ended;
    bool cancel = false;      // its owner cancels it
    bool moved = false;       // it did not happen at this instant in the journal
    bool at_limit = false;    // because nothing else is known of it
    std::uint64_t entry = 0;  // of a cancel: its record

    bool operator>(const Due& o) const {
      return std::tie(at, order, job, attempt) > std::tie(o.at, o.order, o.job, o.attempt);
    }
  };
  struct Live {
    TraceJob job;
    std::uint64_t row = 0;
    bool running = false, known = false;
    Instant started;
  };

  void set_up() {
    if (!changed_.fleet && !changed_.policy) return;
    if (as_it_was_ || history_.records_.empty()) return;
    const Instant at = history_.records_.front().at;
    Facts facts;
    const auto declare = [&](Command command) {
      facts.clear();
      static_cast<void>(apply(world_, {.command = std::move(command)}, at, facts));
    };
    declare(SetPolicy{changed_.policy.value_or(history_.policy_)});
    if (!changed_.fleet) return;
    for (const ReplayPool& pool : changed_.fleet->all()) {
      declare(DeclareProvider{pool.provider, ""});
      declare(DeclareRegion{pool.region, ""});
      declare(DeclarePool{.name = pool.name,
                          .provider = pool.provider,
                          .region = pool.region,
                          .gpu_model = pool.model,
                          .kind = pool.kind,
                          .gpus_per_node = pool.kind == PoolKind::nodes ? pool.gpus_per_node : 0,
                          .cpus = pool.cpus,
                          .memory = pool.memory,
                          .counted = pool.counted});
      for (const std::string& node : pool.nodes) declare(DeclareNode{node, pool.name, 0});
      declare(SetPrice{pool.name, pool.gpu_hour, pool.fraction_ppm});
    }
  }

  Instant next_at() const {
    Instant at{INT64_MAX};
    if (next_ < history_.records_.size()) at = history_.records_[next_].at;
    if (!due_.empty()) at = std::min(at, std::max(due_.top().at, world_.now));
    return at;
  }

  /// The next command of this instant, from the journal or because it falls due.
  void step(Instant now) {
    const bool record = next_ < history_.records_.size() && history_.records_[next_].at == now;
    const bool falls = !due_.empty() && due_.top().at <= now;
    if (falls && (!record || due_.top().order < history_.records_[next_].sequence)) {
      const Due due = due_.top();
      due_.pop();
      if (due.moved) pass_due_ = true;
      return due.cancel ? cancel(due, now) : end(due, now);
    }
    repeat(history_.records_[next_++], now);
  }

  void repeat(const JournalHistory::Entry& entry, Instant now) {
    const Command& command = entry.asked.command;
    if (std::holds_alternative<ReportEnd>(command)) {
      if (as_it_was_ && !entry.ends) give(entry.asked, now);  // it was refused
      return;                                                 // the others fall due
    }
    if (as_it_was_ && std::holds_alternative<Schedule>(command)) {
      give(entry.asked, now);
      return;
    }
    if (!as_it_was_) {
      if (std::holds_alternative<Schedule>(command)) {
        pass_due_ = true;
        return;
      }
      if (changed_.policy && std::holds_alternative<SetPolicy>(command)) return;
      if (changed_.fleet && is_fleet(command)) return;
      if (std::holds_alternative<SubmitJob>(command) && entry.ids == 0) return;
      if (entry.stopped) return;  // comes with the job's start
      pass_due_ = true;
    }
    Asked asked = entry.asked;
    std::vector<After> after;
    submitted_from_ = std::holds_alternative<SubmitJob>(command) ? &entry : nullptr;
    if (as_it_was_) {  // ids are what they were
    } else if (auto* submit = std::get_if<SubmitJob>(&asked.command)) {
      for (const After& a : submit->after) {
        if (const JobId job = mapped(a.job)) after.push_back({job, a.when});
      }
      submit->after = after;
    } else if (auto* hold = std::get_if<HoldJob>(&asked.command)) {
      if (!(hold->job = mapped(hold->job))) return;
    } else if (auto* release = std::get_if<ReleaseJob>(&asked.command)) {
      if (!(release->job = mapped(release->job))) return;
    } else if (auto* cancelled = std::get_if<CancelJob>(&asked.command)) {
      if (!(cancelled->job = mapped(cancelled->job))) return;
    }
    give(asked, now);
    submitted_from_ = nullptr;
  }

  void cancel(const Due& due, Instant now) {
    Asked asked = history_.records_[due.entry].asked;
    std::get<CancelJob>(asked.command).job = due.job;
    give(asked, now);
  }

  void end(const Due& due, Instant now) {
    const Job* job = world_.jobs.find(due.job);
    if (!job || !job->active() || job->attempt != due.attempt) return;  // it was lost, or stopped
    if (due.at_limit) {
      const auto live = live_.find(due.job.value);
      if (live != live_.end() && watch_) watch_->given_limit(live->second.row);
    }
    if (!due.moved) return give(history_.records_[due.entry].asked, now);
    give({.command = ReportEnd{due.job, due.attempt, due.kind, due.code, std::min(due.ended, now)}},
         now);
  }

  /// Has a command decided and made true, and sees what became true.
  void give(const Asked& asked, Instant now) {
    Facts facts;
    const Decision decision = apply(world_, asked, now, facts);
    run_.events += facts.size();
    const auto* submit = std::get_if<SubmitJob>(&asked.command);
    if (!decision && submit && submitted_from_ && submitted_from_->ids > 0) {
      // It was accepted in the journal.
      for (std::uint64_t i = 0; i < submit->tasks; ++i) {
        const TraceJob job{.id = submitted_from_->first + (submit->tasks > 1 ? 1 + i : 0),
                           .submit = now,
                           .shape = submit->shape,
                           .limit = submit->time_limit};
        if (watch_) watch_->refused(rows_, job, decision.error());
        ++rows_;
      }
    }
    for (const Event& event : facts.events()) {
      if (watch_) watch_->happened(world_, event);
      see(event, now);
    }
  }

  void see(const Event& event, Instant now) {
    if (const auto* queued = std::get_if<JobQueued>(&event)) {
      if (submitted_from_ && submitted_from_->ids > 0) map(queued->job.value, 1);
      open(queued->job, queued->project, queued->person, queued->shape, queued->time_limit, now);
    } else if (const auto* array = std::get_if<ArrayQueued>(&event)) {
      if (submitted_from_ && submitted_from_->ids > 0)
        map(array->array.value, std::uint64_t{array->tasks} + 1);
      for (std::uint64_t task = 0; task < array->tasks; ++task) {
        open(JobId{array->array.value + 1 + task}, array->project, array->person, array->shape,
             array->time_limit, now);
      }
      arrays_[array->array.value] = array->tasks;
    } else if (const auto* started = std::get_if<JobStarted>(&event)) {
      start(*started, now);
    } else if (const auto* stop = std::get_if<StopRequested>(&event)) {
      stopped(stop->job, now);
    } else if (const auto* lost = std::get_if<AttemptLost>(&event)) {
      waits(lost->job, now);
    } else if (const auto* failure = std::get_if<AttemptFailed>(&event)) {
      waits(failure->job, now);
    } else if (const auto* settled = std::get_if<JobSettled>(&event)) {
      settle(*settled, now);
    } else if (const auto* tasks = std::get_if<TasksCancelled>(&event)) {
      const std::uint64_t first = tasks->array.value;
      for (std::uint64_t id = first + 1; id <= first + arrays_[first]; ++id) {
        const auto live = live_.find(id);
        if (live == live_.end() || row_of(world_, JobId{id})) continue;
        drop(live, now);
      }
    }
  }

  void open(JobId id, ProjectId project, PersonId person, const Shape& shape, Span limit,
            Instant now) {
    Live& live = live_[id.value];
    live.row = rows_++;
    const std::uint64_t original = original_of(id.value);
    live.job = {.id = original, .submit = now, .shape = shape, .runtime = limit, .limit = limit};
    live.job.owner = static_cast<std::uint32_t>(project.value - 1);
    live.job.user = static_cast<std::uint32_t>(person.value);
    if (watch_) watch_->submitted(live.row, live.job);
  }

  void start(const JobStarted& started, Instant now) {
    const auto found = live_.find(started.job.value);
    if (found == live_.end()) return;
    Live& live = found->second;
    live.running = true;
    live.started = now;
    if (watch_) watch_->started(live.row, live.job, started, now);

    // How long this attempt runs. Where nothing is known of its end it was not over, as it was,
    // when the journal ended.
    const Instant limit = now + live.job.limit;
    Due due{.at = as_it_was_ ? std::max(limit, history_.records_.back().at) : limit,
            .order = UINT64_MAX,
            .job = started.job,
            .attempt = started.attempt,
            .kind = EndKind::time_limit,
            .ended = limit,
            .moved = true,
            .at_limit = true};
    const JournalHistory::Ending* ending = ending_of(live.job.id, started.attempt);
    live.known = ending != nullptr;
    if (ending) {
      due = {.at = now + ending->ran,
             .order = ending->sequence,
             .job = started.job,
             .attempt = started.attempt,
             .kind = ending->kind,
             .code = ending->code,
             .ended = now + ending->ended,
             .moved = !as_it_was_ || now + ending->ran != history_.records_[ending->entry].at,
             .entry = ending->entry};
    }
    due_.push(due);
    if (as_it_was_) return;
    const auto asked = cancels().find(live.job.id);
    if (asked == cancels().end()) return;
    const JournalHistory::Entry& entry = history_.records_[asked->second];
    due_.push({.at = now + entry.after_start,
               .order = entry.sequence,
               .job = started.job,
               .attempt = started.attempt,
               .cancel = true,
               .moved = true,
               .entry = asked->second});
  }

  const JournalHistory::Ending* ending_of(std::uint64_t original, std::uint32_t attempt) const {
    const auto found = history_.endings_.find(original);
    if (found == history_.endings_.end()) return nullptr;
    std::uint32_t seen = 0;
    for (const JournalHistory::Ending& ending : found->second) {
      if (as_it_was_) {
        if (ending.attempt == attempt) return &ending;
        continue;
      }
      // Losses do not happen again: the attempt is as long as the next one that was not lost.
      if (ending.kind == EndKind::lost) continue;
      const Job& job = world_.jobs.at(JobId{new_of(original)});
      if (seen++ == job.failures) return &ending;
    }
    return nullptr;
  }

  void stopped(JobId id, Instant now) {
    const auto found = live_.find(id.value);
    if (found == live_.end() || (as_it_was_ && found->second.known)) return;
    // A cancel that moved with the job: its end is known and comes as late after it as it did.
    if (!as_it_was_ && found->second.known && cancels().contains(found->second.job.id)) return;
    const Job& job = world_.jobs.at(id);
    due_.push({.at = as_it_was_ ? std::max(now, history_.records_.back().at) : now,
               .order = UINT64_MAX,
               .job = id,
               .attempt = job.attempt,
               .kind = EndKind::stopped,
               .ended = now,
               .moved = true});
  }

  void waits(JobId id, Instant now) {
    const auto found = live_.find(id.value);
    if (found == live_.end()) return;
    found->second.running = false;
    if (watch_) watch_->waits_again(found->second.row, found->second.job, now);
  }

  void settle(const JobSettled& settled, Instant now) {
    const auto found = live_.find(settled.job.value);
    if (found == live_.end()) return;
    Live& live = found->second;
    if (!live.running) return drop(found, now);
    live.job.runtime = now - live.started;
    live.job.end = settled.state == JobState::completed   ? TraceEnd::completed
                   : settled.state == JobState::cancelled ? TraceEnd::cancelled
                                                          : TraceEnd::failed;
    if (watch_) watch_->ended(live.row, live.job, settled, now);
    ++over_;
    live_.erase(found);
  }

  void drop(std::unordered_map<std::uint64_t, Live>::iterator live, Instant now) {
    if (watch_) watch_->dropped(live->second.row, live->second.job, now);
    ++over_;
    live_.erase(live);
  }

  // ---- ids: a submission that is refused here shifts those after it ----

  void map(std::uint64_t id, std::uint64_t ids) {
    to_new_[submitted_from_->first] = {id, ids};
    to_original_[id] = {submitted_from_->first, ids};
  }
  using Ranges = std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>>;
  static std::uint64_t in(const Ranges& ranges, std::uint64_t id) {
    auto at = ranges.upper_bound(id);
    if (at == ranges.begin()) return 0;
    --at;
    return id - at->first < at->second.second ? at->second.first + (id - at->first) : 0;
  }
  JobId mapped(JobId original) const { return JobId{in(to_new_, original.value)}; }
  std::uint64_t new_of(std::uint64_t original) const { return in(to_new_, original); }
  std::uint64_t original_of(std::uint64_t id) const {
    const std::uint64_t original = in(to_original_, id);
    return original ? original : id;
  }

  /// The cancels that met running jobs, by the job.
  const std::unordered_map<std::uint64_t, std::uint64_t>& cancels() {
    if (!cancels_read_) {
      for (std::uint64_t i = 0; i < history_.records_.size(); ++i) {
        if (!history_.records_[i].stopped) continue;
        cancels_[std::get<CancelJob>(history_.records_[i].asked.command).job.value] = i;
      }
      cancels_read_ = true;
    }
    return cancels_;
  }

  const JournalHistory& history_;
  World& world_;
  const JournalHistory::Changed& changed_;
  const bool as_it_was_;
  ReplayWatch* const watch_;
  ReplayControl* const control_;
  ReplayRun run_;
  std::size_t next_ = 0;  // record
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  bool pass_due_ = false;  // something happened that the journal's passes do not know
  std::unordered_map<std::uint64_t, Live> live_;  // by id here
  std::unordered_map<std::uint64_t, std::uint64_t> arrays_, cancels_;
  bool cancels_read_ = false;
  Ranges to_new_, to_original_;
  const JournalHistory::Entry* submitted_from_ = nullptr;
  std::uint64_t rows_ = 0, over_ = 0;
};

Result<ReplayRun> JournalHistory::replay(World& world, const Changed& changed, ReplayWatch* watch,
                                         ReplayControl* control) const {
  return JournalReplay(*this, world, changed, watch, control).run();
}

}  // namespace tenbin
