#include "twin/replay.h"

#include <algorithm>
#include <set>
#include <string>
#include <unordered_map>

#include "core/limits.h"
#include "core/schedule/schedule.h"

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

std::string project_name(std::uint32_t user) {
  return "user-" + std::to_string(user);
}

/// The names of users' projects, each made once.
class ProjectNames {
 public:
  const std::string& of(std::uint32_t user) {
    if (user < low_users && user >= low_.size()) low_.resize(user + 1);
    std::string& name = user < low_users ? low_[user] : high_[user];
    if (name.empty()) name = project_name(user);
    return name;
  }

 private:
  static constexpr std::uint32_t low_users = 65'536;  // traces mostly number them from 0 on
  std::vector<std::string> low_;
  std::unordered_map<std::uint32_t, std::string> high_;
};

}  // namespace

World replay_world(const std::vector<TraceJob>& jobs, const ReplayFleet& fleet,
                   const Policy& policy) {
  World world;
  Facts facts;
  const Instant start{};
  const auto setup = [&](Command command) {
    facts.clear();
    const Decision decision = apply(world, {.command = std::move(command)}, start, facts);
    TENBIN_ASSERT(decision.has_value());
  };
  std::set<std::uint32_t> users;
  for (const TraceJob& job : jobs) users.insert(job.user);

  setup(SetPolicy{policy});
  setup(DeclareProvider{"replay", ""});
  setup(DeclareRegion{"replay", ""});
  if (fleet.kind == PoolKind::counted) {
    setup(DeclarePool{.name = "pool",
                      .provider = "replay",
                      .region = "replay",
                      .gpu_model = "gpu",
                      .kind = PoolKind::counted,
                      .counted = Gpus{std::int64_t{fleet.gpus} * 1'000}});
  } else {
    setup(DeclarePool{.name = "pool",
                      .provider = "replay",
                      .region = "replay",
                      .gpu_model = "gpu",
                      .kind = PoolKind::nodes,
                      .gpus_per_node = fleet.gpus_per_node});
    for (std::uint32_t n = 0; n < fleet.nodes; ++n) {
      setup(DeclareNode{"node-" + std::to_string(n), "pool", 0});
    }
  }
  setup(SetPrice{"pool", Credits{1'000'000}, 1'000'000});

  // All the credit that the ledger can hold, in equal parts.
  const std::int64_t yen = money_max / static_cast<std::int64_t>(users.size() + 1);
  setup(DeclareFunder{"replay", "", {money_max, {'J', 'P', 'Y'}}, Credits{1'000'000}});
  setup(DeclareProgramme{"replay", ""});
  setup(DeclareOrganisation{"replay", ""});
  setup(DeclareGrant{"replay", "", "replay", "replay"});
  setup(DeclareLot{
      "replay", "replay", "replay", {money_max, {'J', 'P', 'Y'}}, start, instant_max, {}});
  for (const std::uint32_t user : users) {
    const std::string name = project_name(user);
    setup(DeclareProject{name, "", "replay"});
    setup(DeclareAllocation{name, "replay", name, Credits{yen * 1'000'000}, ""});
  }
  return world;
}

ReplayResult replay(World& world, const std::vector<TraceJob>& jobs, const AfterInstant& after) {
  ReplayResult result;
  result.starts.assign(jobs.size(), never);
  std::vector<std::uint32_t> trace_row;  // of job id - first
  trace_row.reserve(jobs.size());
  const std::uint64_t first = world.jobs.next_id().value;
  ProjectNames projects;

  // The three commands, filled in anew for each job.
  const Asked schedule{.command = Schedule{}};
  Asked asked_end{.command = ReportEnd{.attempt = 1, .kind = EndKind::exited}};
  ReportEnd& end = std::get<ReportEnd>(asked_end.command);
  Asked asked_job{.command = SubmitJob{}};
  SubmitJob& submit = std::get<SubmitJob>(asked_job.command);
  Due due;
  Facts facts;
  std::size_t next = 0;
  while (next < jobs.size() || !due.empty()) {
    Instant now = due.empty() ? never : due.at();
    if (next < jobs.size() && jobs[next].submit < now) now = jobs[next].submit;

    while (!due.empty() && due.at() == now) {
      end.job = due.job();
      end.ended = now;
      due.pop();
      facts.clear();
      const Decision ended = apply(world, asked_end, now, facts);
      TENBIN_ASSERT(ended.has_value());
      result.events += facts.size();
    }
    while (next < jobs.size() && jobs[next].submit == now) {
      const TraceJob& job = jobs[next];
      submit.project = projects.of(job.user);
      submit.shape = job.shape;
      submit.time_limit = job.limit;
      facts.clear();
      const Decision queued = apply(world, asked_job, now, facts);
      if (queued) {
        trace_row.push_back(static_cast<std::uint32_t>(next));
      } else {
        ++result.refused;
      }
      result.events += facts.size();
      ++next;
    }
    facts.clear();
    static_cast<void>(apply(world, schedule, now, facts));
    result.events += facts.size();
    for (const Event& event : facts.events()) {
      if (const JobStarted* started = std::get_if<JobStarted>(&event)) {
        const std::uint32_t row = trace_row[started->job.value - first];
        result.starts[row] = now;
        due.push(now + jobs[row].runtime, started->job);
      }
    }
    if (after) after(world);
  }
  result.history = world.history;
  return result;
}

}  // namespace tenbin
