#include "live/live.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "codec/hash.h"
#include "codec/snapshot.h"
#include "codec/spec.h"
#include "core/fleet/room.h"
#include "live/effects.h"
#include "live/run.h"

namespace tenbin {

namespace {

constexpr std::size_t batch_messages_max = 512, batch_events_max = 20'000;
constexpr Span forget_every{3'600'000};

// The request in the owner's hands, for the quarantine.
thread_local RequestId current_request;
std::string* quarantine_file = nullptr;

void set_aside(const char*) {
  if (!quarantine_file || quarantine_file->empty() || !current_request) return;
  const int file =
      ::open(quarantine_file->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return;
  const std::string line = to_uuid(current_request) + "\n";
  if (::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size())) ::fsync(file);
  ::close(file);
}

std::set<RequestId> read_quarantine(const std::string& path) {
  std::set<RequestId> ids;
  if (std::FILE* file = std::fopen(path.c_str(), "re")) {
    char line[64];
    while (std::fgets(line, sizeof line, file)) {
      std::string_view text(line);
      while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
      if (const auto id = uuid_from(text)) ids.insert(*id);
    }
    std::fclose(file);
  }
  return ids;
}

std::int64_t steady_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void end_process(const Error& error) {
  std::fprintf(stderr,
               "tenbin: the journal could not be written: %s\n"
               "tenbin: stopping now; what was acknowledged is safe. Make room or mend the disk, "
               "then start again.\n"
               "tenbin: ジャーナルを書き込めないため停止します。受理済みの記録は失われません。"
               "空き容量とディスクを確認して再起動してください。\n",
               error.what.c_str());
  std::fflush(stderr);
  ::_exit(70);
}

}  // namespace

Live::Live(Journal& journal, Executor& executor, History& history, Clock& clock,
           LiveSettings settings)
    : journal_(journal),
      executor_(executor),
      history_(history),
      clock_(clock),
      settings_(std::move(settings)) {
  if (!settings_.fatal) settings_.fatal = end_process;
}

Result<std::unique_ptr<Live>> Live::open(Journal& journal, Executor& executor, History& history,
                                         Clock& clock, LiveSettings settings) {
  std::unique_ptr<Live> live(new Live(journal, executor, history, clock, std::move(settings)));
  if (auto recovered = live->recover(); !recovered) return std::unexpected(recovered.error());
  return live;
}

Live::~Live() {
  stop();
}

// ---- recovery ----

Result<void> Live::recover() {
  const auto watermark = history_.watermark();
  if (!watermark) return std::unexpected(watermark.error());
  auto snapshot = journal_.newest_snapshot();
  if (!snapshot) return std::unexpected(snapshot.error());
  // History rows of records before the snapshot can only be made by evolving them.
  if (*snapshot && *watermark >= (*snapshot)->sequence) {
    // It must be of this journal: an older or another one may have been put in its place.
    bool ours = false;
    const auto looked = journal_.read((*snapshot)->sequence, [&](const Record& record) {
      ours = record.sequence == (*snapshot)->sequence && record.hash == (*snapshot)->chain;
      return false;
    });
    if (!looked) return looked;
    auto world = ours ? decode_world((*snapshot)->bytes) : failed("it is not of this journal");
    if (world) {
      world_ = std::move(*world);
      chain_ = (*snapshot)->chain;
      next_sequence_ = (*snapshot)->sequence + 1;
      recovery_.snapshot = (*snapshot)->sequence;
    } else {
      settings_.log(LogLevel::warning, "snapshot_passed_over",
                    "snapshot " + std::to_string((*snapshot)->sequence) +
                        " passed over: " + world.error().what);
    }
  }
  if (recovery_.snapshot == 0 && *watermark > 0) {
    if (auto cleared = history_.clear(); !cleared) return cleared;
  }
  if (recovery_.snapshot == 0) {
    if (auto begun = history_.begin_rebuild(); !begun) return begun;
  }

  const std::uint64_t followed = recovery_.snapshot == 0 ? 0 : *watermark;
  JsonDocument document;
  Facts facts;
  Followed rows;
  Result<void> good;
  const auto flush = [&]() -> Result<void> {
    auto result = history_.follow(next_sequence_ - 1, rows.jobs, rows.charges);
    rows = {};
    return result;
  };
  const auto read = journal_.read(next_sequence_, [&](const Record& record) {
    const auto damaged = [&](const std::string& what) {
      good = failed("the journal is damaged at record " + std::to_string(record.sequence) + ": " +
                    what + "; restore a backup, or keep the state folder and report this");
      return false;
    };
    if (record.sequence != next_sequence_) return damaged("the record before it is missing");
    const Hash hash = chain(chain_, record.sequence, record.at, record.body);
    if (hash != record.hash) return damaged("its hash does not continue the chain");
    facts.clear();
    const auto decoded = read_record(document, record.body, facts);
    if (!decoded) return damaged(decoded.error().what);
    for (const Event& event : facts.events()) {
      if (record.sequence > followed) rows_of(world_, event, record.sequence, record.at, rows);
      tenbin::record(world_, event, record.at);
    }
    chain_ = hash;
    ++next_sequence_;
    ++recovery_.records;
    if (rows.jobs.size() > 10'000) {
      good = flush();
      return good.has_value();
    }
    return true;
  });
  if (!read) return read;
  if (!good) return good;
  if (*watermark >= next_sequence_) {
    // The history knows more than the journal: an older journal was put in its place. Begin anew.
    if (auto cleared = history_.clear(); !cleared) return cleared;
    world_ = World{};
    chain_ = {};
    next_sequence_ = 1;
    recovery_ = {};
    return recover();
  }
  if (auto flushed = flush(); !flushed) return flushed;
  if (recovery_.snapshot == 0) {
    if (auto ended = history_.end_rebuild(); !ended) return ended;
  }

  reader_ = world_;
  committed_ = followed_ = next_sequence_ - 1;
  snapshot_asked_ = recovery_.snapshot;
  snapshot_saved_ = recovery_.snapshot;
  if (recovery_.snapshot > 0) snapshot_saved_ms_ = clock_.now().ms;
  quarantined_ = read_quarantine(settings_.quarantine_file);
  quarantine_file = &settings_.quarantine_file;
  on_breach(set_aside);
  return {};
}

void Live::start() {
  executor_.listen([this](AttemptEnd end) {
    Message message;
    message.asked.command =
        ReportEnd{JobId{end.id.job}, end.id.attempt, to_end_kind(end.outcome), end.code, end.ended};
    // A refusal means that this end is known already: the executor may drop it then too.
    message.reply = [this, id = end.id](const Answer& answer) {
      if (!answer.decision) executor_.forget(id);
    };
    ask(std::move(message));
  });
  threads_.emplace_back([this] { own(); });
  threads_.emplace_back([this] { commit(); });
  threads_.emplace_back([this] { publish(); });
  threads_.emplace_back([this] { follow(); });

  Message epoch;
  epoch.asked.command = OpenEpoch{};
  std::mutex mutex;
  std::condition_variable opened;
  bool done = false;
  epoch.reply = [&](const Answer&) {
    const std::lock_guard lock(mutex);
    done = true;
    opened.notify_one();
  };
  ask(std::move(epoch));
  std::unique_lock lock(mutex);
  opened.wait(lock, [&] { return done; });
}

void Live::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
    mail_.notify_all();
  }
  executor_.listen({});  // it outlives us
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  on_breach(nullptr);
  quarantine_file = nullptr;
}

void Live::ask(Message message) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  mailbox_.push_back(std::move(message));
  if (mailbox_.size() == 1) mail_.notify_one();
}

std::uint64_t Live::sequence() const {
  const std::lock_guard lock(mutex_);
  return committed_;
}

LiveFigures Live::figures() const {
  LiveFigures figures;
  {
    const std::lock_guard lock(mutex_);
    figures.mailbox = mailbox_.size();
    figures.sequence = committed_;
    figures.history = followed_;
  }
  figures.snapshot = snapshot_saved_;
  figures.snapshot_at = Instant{snapshot_saved_ms_};
  if (const std::int64_t began = commit_began_us_; began != 0)
    figures.committing = Span{(steady_us() - began) / 1'000};
  figures.clock_steps = clock_steps_;
  figures.commit = commit_us_.read();
  figures.batch = batch_sizes_.read();
  for (std::size_t i = 0; i < refused_.size(); ++i)
    figures.refused[i] = refused_[i].load(std::memory_order_relaxed);
  return figures;
}

bool Live::catch_up_history() {
  std::unique_lock lock(mutex_);
  const std::uint64_t wanted = committed_;
  return caught_up_.wait_for(lock, std::chrono::seconds(2), [&] { return followed_ >= wanted; });
}

// ---- owner ----

Instant Live::tick() {
  const std::int64_t wall = clock_.now().ms, steady = steady_us() / 1'000;
  const std::int64_t stepped = (wall - wall_seen_ms_) - (steady - steady_seen_ms_);
  if (wall_seen_ms_ != 0 && std::abs(stepped) > 1'000) {
    clock_steps_.fetch_add(1, std::memory_order_relaxed);
    settings_.log(LogLevel::warning, "clock_stepped",
                  "the wall clock was set " + std::to_string(std::abs(stepped)) + " ms " +
                      (stepped > 0 ? "forward" : "back; ledger time waits until it has caught up"),
                  {{"by_ms", stepped}});
  }
  wall_seen_ms_ = wall;
  steady_seen_ms_ = steady;
  return std::max(world_.now, clock_.now());  // ledger time never goes back
}

Instant Live::next_deadline() const {
  Instant next = requests_forgotten_ + forget_every;
  world_.lots.each([&](LotId, const Lot& lot) {
    if (!lot.expired) next = std::min(next, lot.expires);
    if (lot.valid_from > looked_) next = std::min(next, lot.valid_from);
  });
  return next;
}

void Live::own() {
  std::unique_lock lock(mutex_);
  for (;;) {
    // While a batch is on its way to the disk the next ones gather: that is the group commit.
    const auto ready = [&] { return (stopping_ || !mailbox_.empty()) && !to_commit_; };
    while (!ready()) {
      const Span wait = next_deadline() - clock_.now();
      if (wait <= Span{0} && !to_commit_) break;
      const auto ms = std::clamp<std::int64_t>(wait.count, 1, 60'000);
      mail_.wait_for(lock, std::chrono::milliseconds(ms));
    }
    if (stopping_ && mailbox_.empty()) break;

    std::unique_ptr<Batch> batch;
    if (spare_.empty()) {
      batch = std::make_unique<Batch>();
    } else {
      batch = std::move(spare_.back());
      spare_.pop_back();
    }
    std::vector<Message> messages;
    while (!mailbox_.empty() && messages.size() < batch_messages_max) {
      messages.push_back(std::move(mailbox_.front()));
      mailbox_.pop_front();
    }
    lock.unlock();

    looked_ = batch->at = tick();
    ask_due(*batch);
    std::size_t decided = 0;
    while (decided < messages.size() && batch->facts.size() < batch_events_max) {
      decide_one(*batch, std::move(messages[decided++]));
    }
    Message schedule;
    schedule.asked.command = Schedule{};
    decide_one(*batch, std::move(schedule));
    batch->sequence = next_sequence_ - 1;
    if (decided > 0) batch_sizes_.add(static_cast<std::int64_t>(decided));

    lock.lock();
    while (messages.size() >
           decided) {  // arrays filled the batch: the rest goes first in the next one
      mailbox_.push_front(std::move(messages.back()));
      messages.pop_back();
    }
    to_commit_ = std::move(batch);
    committing_.notify_one();
  }
  owner_done_ = true;
  committing_.notify_all();
}

// What the clock alone makes due.
void Live::ask_due(Batch& batch) {
  std::vector<LotId> expired;
  world_.lots.each([&](LotId id, const Lot& lot) {
    if (!lot.expired && lot.expires <= batch.at) expired.push_back(id);
  });
  for (const LotId id : expired) {
    Message message;
    message.asked.command = ExpireLot{id};
    decide_one(batch, std::move(message));
  }
  if (batch.at - requests_forgotten_ >= forget_every) {
    requests_forgotten_ = batch.at;
    Message message;
    message.asked.command = ForgetRequests{};
    decide_one(batch, std::move(message));
  }
}

void Live::decide_one(Batch& batch, Message message) {
  Entry entry{.message = std::move(message), .decision = 0, .first = batch.facts.size()};
  const Asked& asked = entry.message.asked;
  current_request = asked.request;
  entry.decision = asked.request && quarantined_.contains(asked.request)
                       ? Decision{std::unexpected(refuse(Reason::quarantined))}
                       : apply(world_, asked, batch.at, batch.facts);
  current_request = {};
  if (!entry.decision) {
    refused_[static_cast<std::size_t>(entry.decision.error().reason)].fetch_add(
        1, std::memory_order_relaxed);
  }
  entry.last = batch.facts.size();
  if (entry.last > entry.first) entry.sequence = next_sequence_++;
  batch.entries.push_back(std::move(entry));
}

// ---- committer ----

void Live::commit() {
  std::unique_lock lock(mutex_);
  for (;;) {
    committing_.wait(lock, [&] { return to_commit_ || owner_done_; });
    if (!to_commit_) break;
    // Take it, but leave the place occupied until the disk has it: the owner waits for that.
    Batch& batch = *to_commit_;
    lock.unlock();

    std::vector<Record> records;
    std::vector<Blob> blobs;
    for (Entry& entry : batch.entries) {
      if (entry.sequence == 0) continue;
      Record record{.sequence = entry.sequence, .at = batch.at};
      const std::span<const Event> events(batch.facts.events().data() + entry.first,
                                          entry.last - entry.first);
      write_record(record.body, entry.message.asked, events);
      record.hash = chain_ = chain(chain_, record.sequence, record.at, record.body);
      records.push_back(std::move(record));
      if (entry.message.blob && entry.decision) blobs.push_back(std::move(*entry.message.blob));
    }
    batch.chain = chain_;
    if (!records.empty()) {
      const std::int64_t began = steady_us();
      commit_began_us_ = began;
      if (auto written = journal_.append(records, blobs); !written) {
        settings_.fatal(written.error());
        std::abort();
      }
      commit_began_us_ = 0;
      commit_us_.add(steady_us() - began);
    }

    lock.lock();
    to_publish_.push_back(std::move(to_commit_));
    mail_.notify_one();
    publishing_.notify_one();
  }
  committer_done_ = true;
  publishing_.notify_all();
}

// ---- publisher ----

void Live::publish() {
  std::unique_lock lock(mutex_);
  for (;;) {
    publishing_.wait(lock, [&] { return !to_publish_.empty() || committer_done_; });
    if (to_publish_.empty()) break;
    std::unique_ptr<Batch> batch = std::move(to_publish_.front());
    to_publish_.pop_front();
    lock.unlock();

    Followed followed{.sequence = batch->sequence, .chain = batch->chain};
    std::vector<ProjectId> projects;
    if (watch_records_) projects.resize(batch->facts.size());
    {
      // Before anyone can see it: who finds a job gone may at once ask the history for it.
      const std::lock_guard locked(mutex_);
      committed_ = std::max(committed_, batch->sequence);
    }
    {
      const std::unique_lock writing(reader_mutex_);
      for (const Entry& entry : batch->entries) {
        for (std::size_t i = entry.first; i < entry.last; ++i) {
          rows_of(reader_, batch->facts[i], entry.sequence, batch->at, followed);
          if (watch_records_) projects[i] = project_of(reader_, batch->facts[i]);
          record(reader_, batch->facts[i], batch->at);
        }
      }
    }
    // The World that is followed now is only ever changed by this thread: reading it needs no lock.
    for (const Event& event : batch->facts.events()) tell_executor(event, reader_);
    if (watch_records_) {
      std::vector<Published> records;
      for (const Entry& entry : batch->entries) {
        if (entry.sequence == 0) continue;
        const std::size_t count = entry.last - entry.first;
        records.push_back(
            {.sequence = entry.sequence,
             .at = batch->at,
             .by = entry.message.asked.by,
             .events = std::span<const Event>(batch->facts.events()).subspan(entry.first, count),
             .projects = std::span<const ProjectId>(projects).subspan(entry.first, count)});
      }
      if (!records.empty()) watch_records_(records, reader_);
    }
    if (watch_ && batch->facts.size() > 0) watch_(batch->facts.events(), batch->at);
    for (Entry& entry : batch->entries) {
      if (!entry.message.reply) continue;
      // The memory of the request itself is an event too, the last one.
      const std::size_t own = entry.message.asked.request ? 1 : 0;
      entry.message.reply({entry.decision, batch->at, entry.last - entry.first > own});
    }
    if (batch->sequence >= snapshot_asked_ + settings_.snapshot_every) {
      snapshot_asked_ = batch->sequence;
      followed.snapshot = std::make_unique<World>(reader_);
    }
    const bool news = batch->facts.size() > 0;
    batch->entries.clear();
    batch->facts.clear();

    lock.lock();
    if (news) {
      to_follow_.push_back(std::move(followed));
      following_.notify_one();
    }
    if (spare_.size() < 4) spare_.push_back(std::move(batch));
  }
  publisher_done_ = true;
  following_.notify_all();
}

void Live::start_attempt(JobId id, const Job& job, const World& world) {
  AttemptSpec attempt = attempt_of(world, id, job);
  const auto bytes = journal_.blob(job.spec);
  auto spec =
      bytes && *bytes ? parse_spec(**bytes) : Result<JobSpec>{failed("the job names no command")};
  if (!bytes) {
    // The attempt may be running: only the journal knows, and it does not answer.
    settings_.fatal(bytes.error());
    std::abort();
  }
  if (!spec) {
    Message message;
    message.asked.command = ReportEnd{id, job.attempt, EndKind::launch_failed, 0, clock_.now()};
    ask(std::move(message));
    return;
  }
  // Every attempt before this one failed or was lost.
  if (!spec->requeue && attempt.id.attempt > job.failures + 1) {
    // It was asked not to run again after a lost attempt.
    Message message;
    message.asked.command = ReportEnd{id, job.attempt, EndKind::launch_failed, 0, clock_.now()};
    ask(std::move(message));
    return;
  }
  describe_run(attempt, *std::move(spec), world, job);
  executor_.start(std::move(attempt));
}

void Live::tell_executor(const Event& event, const World& world) {
  if (const auto* started = std::get_if<JobStarted>(&event)) {
    // It may be over again within the same batch (a cancel): then there is nothing to start.
    const Job* job = world.jobs.find(started->job);
    if (job && job->active() && job->attempt == started->attempt)
      start_attempt(started->job, *job, world);
  } else if (const auto* stop = std::get_if<StopRequested>(&event)) {
    if (const Job* job = world.jobs.find(stop->job))
      executor_.stop({stop->job.value, job->attempt});
  } else if (const auto* lost = std::get_if<AttemptLost>(&event)) {
    executor_.forget({lost->job.value, lost->attempt});
  } else if (const auto* failed = std::get_if<AttemptFailed>(&event)) {
    executor_.forget({failed->job.value, failed->attempt});
  } else if (const auto* settled = std::get_if<JobSettled>(&event)) {
    if (settled->attempt > 0) executor_.forget({settled->job.value, settled->attempt});
  } else if (const auto* set = std::get_if<NodeStateSet>(&event);
             set && set->state == NodeState::evacuating) {
    for (const JobId id : running_on(world, set->node))
      executor_.stop({id.value, world.jobs.at(id).attempt});
  } else if (std::holds_alternative<EpochOpened>(event)) {
    // A new epoch begins: take up what the World says is running. Starting what runs is adopting
    // it.
    world.jobs.each([&](JobId id, const Job& job) {
      if (!job.active()) return;
      start_attempt(id, job, world);
      const bool leaves = std::ranges::any_of(job.slices, [&](const Slice& slice) {
        return slice.node && world.nodes.at(slice.node).state == NodeState::evacuating;
      });
      if (job.state == JobState::stopping || leaves) executor_.stop({id.value, job.attempt});
    });
  }
}

void Live::rows_of(const World& world, const Event& event, std::uint64_t sequence, Instant at,
                   Followed& rows) {
  const auto charge = [&](JobId job, std::span<const Leg> captures) {
    for (const Leg& leg : captures)
      rows.charges.push_back(charge_row(world, job, leg, sequence, at));
  };
  if (const auto* settled = std::get_if<JobSettled>(&event)) {
    rows.jobs.push_back(settled_row(world, *settled));
    charge(settled->job, settled->captures);
  } else if (const auto* failed = std::get_if<AttemptFailed>(&event)) {
    charge(failed->job, failed->captures);
  }
  if (auto array = ended_array_row(world, event)) rows.jobs.push_back(std::move(*array));
}

// ---- follower ----

void Live::follow() {
  std::unique_lock lock(mutex_);
  const auto complain = [this](const char* event, const char* what, const Error& error) {
    settings_.log(LogLevel::error, event, std::string(what) + ": " + error.what);
  };
  const auto note_snapshot = [this](std::uint64_t sequence) {
    snapshot_saved_ = sequence;
    snapshot_saved_ms_ = clock_.now().ms;
  };
  for (;;) {
    following_.wait(lock, [&] { return !to_follow_.empty() || publisher_done_; });
    if (to_follow_.empty()) break;
    // Several batches in one transaction: the history only has to be right, not quick.
    Followed all = std::move(to_follow_.front());
    to_follow_.pop_front();
    while (!all.snapshot && !to_follow_.empty()) {
      Followed& next = to_follow_.front();
      std::ranges::move(next.jobs, std::back_inserter(all.jobs));
      std::ranges::move(next.charges, std::back_inserter(all.charges));
      all.sequence = next.sequence;
      all.chain = next.chain;
      all.snapshot = std::move(next.snapshot);
      to_follow_.pop_front();
    }
    lock.unlock();
    if (auto followed = history_.follow(all.sequence, all.jobs, all.charges); !followed) {
      // Lists fall behind; the journal has everything, and the next start catches up.
      // Nothing of it may be skipped: the watermark would move past these rows for ever.
      complain("history_not_written",
               "the history could not be written; lists of past jobs fall behind until it can",
               followed.error());
      lock.lock();
      if (publisher_done_) break;  // the next start takes these rows from the journal
      to_follow_.push_front(std::move(all));
      following_.wait_for(lock, std::chrono::seconds(1), [&] { return publisher_done_; });
      continue;
    } else if (all.snapshot) {
      if (auto saved = journal_.save_snapshot({all.sequence, all.chain, encode(*all.snapshot)});
          !saved) {
        complain("snapshot_not_written",
                 "a snapshot could not be written; the next start takes longer", saved.error());
      } else {
        note_snapshot(all.sequence);
      }
    }
    lock.lock();
    followed_ = all.sequence;
    caught_up_.notify_all();
  }
  lock.unlock();
  // A clean stop leaves a snapshot, so that the next start is quick.
  const auto watermark = history_.watermark();
  if (committed_ > recovery_.snapshot && watermark && *watermark == committed_) {
    if (auto saved = journal_.save_snapshot({committed_, chain_, encode(reader_)}); !saved) {
      complain("snapshot_not_written",
               "a snapshot could not be written; the next start takes longer", saved.error());
    }
  }
}

}  // namespace tenbin
