// An array is exactly what its tasks would be if they had been submitted one after the other: the
// same starts at the same instants in the same places, the same promises, the same money.
//
// Method: two Worlds hear the same story, one with arrays, the other with the tasks as jobs of
// their own. The ids differ by the arrays' own ids, so a map leads from each task to its job. After
// every command the events are compared through the map, and then each task's state, hold and legs,
// and every account.

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "codec/snapshot.h"
#include "core/jobs/tasks.h"
#include "core/world.h"

namespace tenbin {

namespace {

constexpr std::int64_t minute = 60'000;
constexpr std::array<char, 3> yen{'J', 'P', 'Y'};

class Twins {
 public:
  explicit Twins(std::uint64_t seed) : rng_(seed) { found(); }

  void step() {
    if (rng_.below(3) > 0) now_ = now_ + Span{static_cast<std::int64_t>(rng_.below(20)) * minute};
    switch (rng_.below(12)) {
      case 0:
      case 1:
      case 2: submit(); break;
      case 3:
      case 4:
      case 5: end(); break;
      case 6: change<CancelJob>(); break;
      case 7: rng_.below(2) == 0 ? change<HoldJob>() : change<ReleaseJob>(); break;
      case 8: node(); break;
      case 9: both(ExpireLot{LotId{1 + rng_.below(6)}}); break;
      default: break;
    }
    both(Schedule{});
    compare();
    if (rng_.below(20) == 0) {
      Result<World> copy = decode_world(encode(many_));
      REQUIRE(copy.has_value());
      many_ = std::move(*copy);
    }
  }

  std::uint64_t started() const { return started_; }

 private:
  struct Heard {
    bool good = false;
    std::uint64_t id = 0;
    std::vector<Event> events;
    Facts facts;  // what the events point into
  };

  static Heard tell(World& world, Command command, Instant now) {
    Heard heard;
    const Decision decision = apply(world, {.command = std::move(command)}, now, heard.facts);
    heard.good = decision.has_value();
    heard.id = decision.value_or(0);
    heard.events = heard.facts.events();
    return heard;
  }

  JobId mapped(JobId task) const { return task ? job_of_.at(task) : JobId{}; }

  // What the twins have to agree about, of one command's events; the ends of tasks that never
  // started come in one event or in many and are compared by the state that they lead to.
  std::vector<std::string> told(const Heard& heard, bool map) const {
    std::vector<std::string> lines;
    const auto id = [&](JobId job) { return std::to_string((map ? mapped(job) : job).value); };
    const auto legs_text = [](std::span<const Leg> legs) {
      std::string text;
      for (const Leg& leg : legs) {
        text += " " + std::to_string(leg.share.value) + ":" + std::to_string(leg.amount.count);
      }
      return text;
    };
    for (const Event& event : heard.events) {
      std::string line;
      if (const auto* e = std::get_if<JobStarted>(&event)) {
        line = "start " + id(e->job) + " attempt " + std::to_string(e->attempt) + " pool " +
               std::to_string(e->pool.value) + " held " + std::to_string(e->held.count) +
               legs_text(e->legs);
        for (const Slice& s : e->slices) {
          line += " node " + std::to_string(s.node.value) + " " + std::to_string(s.mask) + " " +
                  std::to_string(s.milli);
        }
      } else if (const auto* p = std::get_if<PromiseMoved>(&event)) {
        line = "promise " + id(p->job) + " pool " + std::to_string(p->pool.value) + " at " +
               std::to_string(p->at.ms) + " spare " + std::to_string(p->spare.count);
        for (const NodeId n : p->nodes) line += " " + std::to_string(n.value);
      } else if (const auto* s = std::get_if<JobSettled>(&event); s && s->attempt > 0) {
        line = "settled " + id(s->job) + " " + std::to_string(static_cast<int>(s->state)) + " " +
               std::to_string(s->charged.count) + " " + std::to_string(s->released.count) +
               legs_text(s->captures);
      } else if (const auto* l = std::get_if<AttemptLost>(&event)) {
        line = "lost " + id(l->job);
      } else if (const auto* f = std::get_if<AttemptFailed>(&event)) {
        line = "failed " + id(f->job) + " " + std::to_string(f->charged.count) +
               legs_text(f->captures) + " then" + legs_text(f->legs);
      }
      if (!line.empty()) lines.push_back(line);
    }
    return lines;
  }

  void both(Command command) {
    const Heard a = tell(many_, command, now_), b = tell(single_, command, now_);
    REQUIRE(a.good == b.good);
    agree(a, b);
  }

  void agree(const Heard& a, const Heard& b) {
    const auto left = told(a, true), right = told(b, false);
    for (const std::string& line : left) started_ += line.starts_with("start") ? 1 : 0;
    REQUIRE(left == right);
  }

  void found() {
    const auto say = [&](Command command) { both(std::move(command)); };
    say(SetPolicy{{.order = rng_.below(3) == 0 ? QueueOrder::sjf : QueueOrder::fifo,
                   .backfill = rng_.below(4) == 0 ? Backfill::none : Backfill::easy}});
    say(DeclareProvider{"p", ""});
    constexpr std::array<Text, 2> regions{"east", "west"};
    for (const Text region : regions) say(DeclareRegion{region, ""});
    constexpr std::array<Text, 4> pools{"a", "b", "c", "d"};
    for (std::size_t p = 0; p < pools.size(); ++p) {
      DeclarePool pool{
          .name = pools[p], .provider = "p", .region = regions[rng_.below(2)], .gpu_model = "m"};
      if (p == 0) {
        pool.kind = PoolKind::counted;
        pool.counted = Gpus{static_cast<std::int64_t>(1 + rng_.below(6)) * 1'000};
      } else {
        pool.gpus_per_node = 1u << rng_.below(3);
      }
      say(pool);
      for (std::uint64_t n = 0; p > 0 && n < 1 + rng_.below(3); ++n)
        say(DeclareNode{name("node-", p * 10 + n), pools[p], 0});
      say(SetPrice{pools[p], Credits{static_cast<std::int64_t>(rng_.below(5)) * 700'001},
                   1'100'000});
    }
    say(DeclareFunder{"f", "", {1'000'000, yen}, Credits{1'000'000}});
    say(DeclareProgramme{"p", ""});
    say(DeclareOrganisation{"o", ""});
    say(DeclareGrant{"g", "", "p", "o"});
    say(DeclareProject{"project", "", "o"});
    for (std::uint64_t l = 0; l < 5; ++l) {
      std::vector<Text> where;
      if (rng_.below(2) == 0) where.push_back(regions[rng_.below(2)]);
      const auto credits = static_cast<std::int64_t>(1 + rng_.below(40));
      say(DeclareLot{name("lot-", l),
                     "g",
                     "f",
                     {credits, yen},
                     Instant{},
                     now_ + Span{static_cast<std::int64_t>(1 + rng_.below(3'000)) * minute},
                     where});
      say(DeclareAllocation{name("lot-", l), "g", "project", Credits{credits * 1'000'000},
                            name("lot-", l)});
    }
  }

  // The names' texts live as long as the twins.
  Text name(const char* kind, std::uint64_t n) { return arena_.text(kind + std::to_string(n)); }

  // A task or job that is known, or an array.
  JobId any_known() {
    if (!arrays_.empty() && rng_.below(3) == 0) {
      auto array = arrays_.begin();
      std::advance(array, rng_.below(arrays_.size()));
      return array->first;
    }
    if (job_of_.empty()) return JobId{1};
    // Mostly a late one: it is alive.
    const std::uint64_t back = rng_.below(std::min<std::uint64_t>(job_of_.size(), 30));
    return std::prev(job_of_.end(), static_cast<std::ptrdiff_t>(back) + 1)->first;
  }

  // The jobs that an id of the World with arrays stands for in the other.
  std::vector<JobId> jobs_of(JobId id) const {
    std::vector<JobId> jobs;
    if (const auto array = arrays_.find(id); array != arrays_.end()) {
      for (std::uint32_t t = 0; t < array->second; ++t)
        jobs.push_back(mapped(JobId{id.value + 1 + t}));
    } else if (job_of_.contains(id)) {
      jobs.push_back(mapped(id));
    }
    return jobs;
  }

  void submit() {
    SubmitJob job{.project = "project",
                  .time_limit = Span{static_cast<std::int64_t>(1 + rng_.below(10)) * 10 * minute}};
    if (rng_.below(2) == 0) {
      job.shape.packing = Packing::count;
      job.shape.gpus = Gpus{static_cast<std::int64_t>(1 + rng_.below(4)) * 1'000};
    } else {
      job.shape.members = static_cast<std::uint32_t>(1 + rng_.below(2));
      job.shape.gpus =
          rng_.below(3) == 0 ? Gpus{static_cast<std::int64_t>(1 + rng_.below(999))} : Gpus{1'000};
    }
    constexpr std::array<Text, 1> east{"east"};
    if (rng_.below(5) == 0) job.regions = east;
    if (rng_.below(8) == 0) job.hold = true;
    if (rng_.below(4) == 0) job.retries = 2;
    const std::uint32_t tasks =
        rng_.below(2) == 0 ? 1u : static_cast<std::uint32_t>(2 + rng_.below(12));
    std::vector<After> after, after_single;
    if (rng_.below(5) == 0 && !job_of_.empty()) {
      // `ok` of an array is known when all of it is over, of single jobs when the first fails.
      const JobId target = any_known();
      const bool ok = rng_.below(2) == 0 && !arrays_.contains(target);
      const After a{target, ok ? When::ok : When::any};
      after.push_back(a);
      for (const JobId other : jobs_of(a.job)) after_single.push_back({other, a.when});
    }
    SubmitJob one = job;
    job.tasks = tasks;
    job.after = after;
    one.after = after_single;
    const Heard whole = tell(many_, job, now_);
    World tried = single_;
    std::vector<JobId> ids;
    for (std::uint32_t t = 0; t < tasks; ++t) {
      const Heard task = tell(tried, one, now_);
      if (!task.good) break;
      ids.push_back(JobId{task.id});
    }
    // All or none.
    REQUIRE(whole.good == (ids.size() == tasks));
    if (!whole.good) return;
    single_ = std::move(tried);
    const std::uint64_t first = tasks > 1 ? whole.id + 1 : whole.id;
    for (std::uint32_t t = 0; t < tasks; ++t) job_of_[JobId{first + t}] = ids[t];
    if (tasks > 1) arrays_[JobId{whole.id}] = tasks;
  }

  void end() {
    std::vector<JobId> active;
    many_.jobs.each([&](JobId id, const Job& job) {
      if (job.active()) active.push_back(id);
    });
    if (active.empty()) return;
    const JobId id = active[rng_.below(active.size())];
    const Job& job = many_.jobs.at(id);
    constexpr std::array kinds{EndKind::exited, EndKind::exited,     EndKind::exited,
                               EndKind::lost,   EndKind::time_limit, EndKind::launch_failed};
    ReportEnd report{id, job.attempt, kinds[rng_.below(kinds.size())], rng_.below(2) == 0 ? 0 : 1,
                     now_};
    const Heard a = tell(many_, report, now_);
    report.job = mapped(id);
    const Heard b = tell(single_, report, now_);
    REQUIRE(a.good);
    REQUIRE(b.good);
    agree(a, b);
  }

  template <class C>
  void change() {
    const JobId id = any_known();
    static_cast<void>(tell(many_, C{id}, now_));
    for (const JobId job : jobs_of(id)) static_cast<void>(tell(single_, C{job}, now_));
  }

  void node() {
    const Text node = name("node-", (1 + rng_.below(3)) * 10 + rng_.below(3));
    switch (rng_.below(4)) {
      case 0: both(DrainNode{node}); break;
      case 1: both(EvacuateNode{node}); break;
      default: both(ResumeNode{node}); break;
    }
  }

  void compare() {
    REQUIRE(broken_promise(many_) == "");
    REQUIRE(broken_promise(single_) == "");
    std::uint64_t live = 0;
    for (const auto& [task, id] : job_of_) {
      const JobId row = row_of(many_, task);
      const Job* other = single_.jobs.find(id);
      REQUIRE(bool(row) == (other != nullptr));
      if (!other) continue;
      ++live;
      const Job& job = many_.jobs.at(row);
      REQUIRE(job.state == other->state);
      REQUIRE(job.held == other->held);
      REQUIRE(job.legs == other->legs);
      REQUIRE(job.attempt == other->attempt);
      REQUIRE((row == task ? job.promised : PoolId{}) == other->promised);
    }
    REQUIRE(live == single_.jobs.size());
    many_.accounts.each([&](AccountId id, const Account& a) {
      const Account& b = single_.accounts.at(id);
      REQUIRE(a.free() == b.free());
      REQUIRE(a.debits_pending == b.debits_pending);
      REQUIRE(a.debits_posted == b.debits_posted);
      REQUIRE(a.credits_posted == b.credits_posted);
    });
  }

  Rng rng_;
  Arena arena_;
  World many_, single_;
  Instant now_{1'700'000'000'000};
  std::map<JobId, JobId> job_of_;
  std::map<JobId, std::uint32_t> arrays_;
  std::uint64_t started_ = 0;
};

}  // namespace

TEST_CASE("an array is what its tasks would be one by one") {
  const char* text = std::getenv("TENBIN_SEEDS");  // NOLINT(concurrency-mt-unsafe): one thread
  const std::uint64_t seeds = text ? std::strtoull(text, nullptr, 10) : 300;
  std::uint64_t started = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    Twins twins(seed);
    for (int step = 0; step < 150; ++step) {
      CAPTURE(step);
      twins.step();
    }
    started += twins.started();
  }
  CHECK(started > seeds * 10);  // something happens in these stories
}

}  // namespace tenbin
