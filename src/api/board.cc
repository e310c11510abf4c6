#include "api/board.h"

#include <algorithm>
#include <queue>

#include "api/api.h"
#include "core/authorise.h"
#include "core/schedule/schedule.h"
#include "live/effects.h"

namespace tenbin {

namespace {

constexpr std::uint32_t names_max = 8;  // of nodes or pools beside one job

Board::Pool pool_row(const World& world, const Pool& pool) {
  Board::Pool row{.name = pool.name,
                  .provider = world.providers.at(pool.provider).name,
                  .model = world.models.at(pool.model).name,
                  .all = pool.counted,
                  .free = pool.free};
  if (pool.kind == PoolKind::counted) row.busy = pool.counted - pool.free;
  const Gpus on_node{std::int64_t{pool.gpus_per_node} * 1'000};
  for (const NodeId id : pool.nodes) {
    const Node& node = world.nodes.at(id);
    row.all += on_node;
    row.busy += on_node - node.free();
    ++(node.state == NodeState::up         ? row.up
       : node.state == NodeState::draining ? row.draining
                                           : row.evacuating);
  }
  return row;
}

/// Whose jobs are seen: asked once for each project.
class Seen {
 public:
  Seen(const World& world, PersonId by)
      : all_(may_see(world, by, Question::jobs)), projects_(world.projects.next_id().value) {
    world.projects.each([&](ProjectId id, const Project& project) {
      const bool seen = all_ || may_see(world, by, Question::jobs, {.project = id});
      projects_[id.value] = seen;
      if (seen) live_ += project.live_jobs;
    });
  }
  bool all() const { return all_; }
  bool operator()(const Job& job) const { return projects_[job.project.value]; }
  std::uint64_t live() const { return live_; }  // jobs and tasks that are not over

 private:
  bool all_;
  std::vector<bool> projects_;
  std::uint64_t live_ = 0;
};

Board::Job job_row(const World& world, JobId id, const Job& job) {
  const Person* person = world.persons.find(job.person);
  Board::Job row{.id = id,
                 .name = job.name,
                 .project = world.projects.at(job.project).name,
                 .person = person ? person->name : std::string(),
                 .shape = shape_text(job.shape),
                 .tasks = job.tasks(),
                 .state = job.state,
                 .submitted = job.submitted};
  if (job.active()) {
    row.started = job.started;
    row.ends = job.expected_end();
    row.region = world.regions.at(world.pools.at(job.pool).region).name;
    for (std::uint32_t i = 0; i < std::min(job.slices.size(), names_max); ++i)
      row.nodes.push_back(world.nodes.at(job.slices[i].node).name);
    if (job.slices.size() > names_max)
      row.nodes.push_back("+" + std::to_string(job.slices.size() - names_max));
    return row;
  }
  row.asked = job.shape.packing == Packing::count ? job.shape.gpus : job.shape.all_gpus();
  world.pools.each([&](PoolId p, const Pool& pool) {
    if (!job.pools.has(p)) return;
    row.free += pool.free;
    if (row.pools.size() < names_max) row.pools.push_back(pool.name);
  });
  for (const After& after : job.after) {
    if (row.after.size() < names_max) row.after.push_back(after.job);
  }
  if (job.state == JobState::blocked && job.after.empty() && job.array)
    row.at_once = world.arrays.at(job.array).at_once;
  if (job.promised) {
    const Promise& promise = world.pools.at(job.promised).promise;
    if (promise.job == id && promise.at != never) row.promised = promise.at;
  }
  return row;
}

void look_at_running(const World& world, const Seen& seen, const BoardLimits& limits,
                     Board& board) {
  std::vector<std::pair<Instant, JobId>> rows;
  std::size_t read = 0;
  world.pools.each([&](PoolId, const Pool& pool) {
    if (seen.all()) board.running += pool.running.size();
    for (const JobId id : pool.running) {
      if (++read > limits.jobs_read) {
        board.running_exact = seen.all();
        return;
      }
      const Job& job = world.jobs.at(id);
      if (!seen(job)) continue;
      if (!seen.all()) ++board.running;
      rows.emplace_back(job.expected_end(), id);
    }
  });
  const std::size_t shown = std::min(rows.size(), limits.rows);
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(shown), rows.end());
  for (std::size_t i = 0; i < shown; ++i)
    board.runs.push_back(job_row(world, rows[i].second, world.jobs.at(rows[i].second)));
}

void look_at_queue(const World& world, const Seen& seen, const BoardLimits& limits, Board& board) {
  // The lanes, merged: the order in which jobs are tried.
  using Place = std::pair<Turn, const Waiting*>;
  std::priority_queue<Place, std::vector<Place>, std::greater<>> heads;
  for (const auto& [pools, lane] : world.index.lanes) {
    if (const WaitingJob* head = lane.head()) heads.emplace(lane.turn_of(*head), &lane);
  }
  for (std::size_t read = 0;
       !heads.empty() && board.next.size() < limits.rows && read < limits.jobs_read; ++read) {
    const auto [turn, lane] = heads.top();
    heads.pop();
    if (const WaitingJob* next = lane->after(turn)) heads.emplace(lane->turn_of(*next), lane);
    const JobId id = turn.job;
    const Job& job = world.jobs.at(id);
    if (!seen(job)) continue;
    if (board.oldest.ms == 0) board.oldest = job.submitted;
    board.next.push_back(job_row(world, id, job));
  }
  // What waits for other jobs, behind those that wait for room.
  std::size_t read = 0;
  const std::size_t most = board.next.size() + limits.rows / 5;
  for (const auto& [first, rows] : world.index.awaited) {
    for (const JobId id : rows) {
      if (board.next.size() >= std::min(most, limits.rows) || ++read > limits.jobs_read / 10)
        return;
      const Job& job = world.jobs.at(id);
      const bool there =
          std::ranges::any_of(board.next, [id](const Board::Job& other) { return other.id == id; });
      if (job.state != JobState::blocked || !seen(job) || there) continue;
      if (board.oldest.ms == 0) board.oldest = job.submitted;
      board.oldest = std::min(board.oldest, job.submitted);
      board.next.push_back(job_row(world, id, job));
    }
  }
}

void look_at_credit(const World& world, PersonId by, const BoardLimits& limits, Board& board) {
  world.projects.each([&](ProjectId id, const Project& project) {
    if (!may_see(world, by, Question::credit, {.project = id})) return;
    ++board.projects;
    Board::Project row{.name = project.name, .title = project.title};
    Sums sums;
    for (const ShareId s : seen_shares(world, by, id)) {
      const Share& share = world.shares.at(s);
      sums.add(world, share);
      row.allocated += world.accounts.at(share.free).credits_posted;
    }
    row.held = sums.held;
    row.spent = sums.spent;
    row.expired = sums.expired;
    row.free = sums.free;
    board.sum.allocated += row.allocated;
    board.sum.held += row.held;
    board.sum.spent += row.spent;
    board.sum.expired += row.expired;
    board.sum.free += row.free;
    if (board.balances.size() < limits.rows) board.balances.push_back(std::move(row));
  });
}

}  // namespace

Board look(const World& world, PersonId by, const BoardLimits& limits) {
  Board board;
  const Person& person = world.persons.at(by);
  board.person = person.name;
  board.person_title = person.title;
  world.regions.each([&](RegionId id, const Region& region) {
    Board::Region row{.name = region.name, .title = region.title, .pools = {}};
    world.pools.each([&](PoolId, const Pool& pool) {
      if (pool.region == id) row.pools.push_back(pool_row(world, pool));
    });
    board.regions.push_back(std::move(row));
  });
  const Seen seen(world, by);
  board.all_jobs = seen.all();
  look_at_running(world, seen, limits, board);
  board.waiting = seen.live() - std::min(seen.live(), board.running);
  look_at_queue(world, seen, limits, board);
  look_at_credit(world, by, limits, board);
  return board;
}

}  // namespace tenbin
