#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "twin/trace.h"

// Slow, obvious schedules to hold the World against. At one instant: first all ends, then all
// submissions, then one pass over the queue. They share no code with core/.

namespace tenbin::oracle {

enum class Policy { fifo, sjf, easy, sjf_easy };

inline bool shortest_first(Policy policy) {
  return policy == Policy::sjf || policy == Policy::sjf_easy;
}
inline bool backfills(Policy policy) {
  return policy == Policy::easy || policy == Policy::sjf_easy;
}

struct Running {
  std::size_t job = 0;
  Instant end;           // the real one: known to the oracle, not to the policy
  Instant expected_end;  // start + limit
};

/// Calls start(now, waiting, running) at every instant at which something happens; it starts jobs
/// by moving their rows from `waiting` to `running`. `finish(job)` is told what has ended before.
template <class Finish, class Start>
void drive(const std::vector<TraceJob>& jobs, Finish&& finish, Start&& start) {
  std::vector<std::size_t> waiting;  // in order of submission
  std::vector<Running> running;
  std::set<Instant> instants;
  for (const TraceJob& job : jobs) instants.insert(job.submit);
  std::size_t next = 0;
  while (!instants.empty()) {
    const Instant now = *instants.begin();
    instants.erase(instants.begin());
    for (const Running& r : running) {
      if (r.end == now) finish(r.job);
    }
    std::erase_if(running, [&](const Running& r) { return r.end == now; });
    for (; next < jobs.size() && jobs[next].submit == now; ++next) waiting.push_back(next);
    start(now, waiting, running);
    for (const Running& r : running) instants.insert(r.end);
  }
}

/// In order of submission or of limits, with EASY backfill or without, over one pool of `gpus` that
/// are counted. Jobs that never fit never start.
inline std::vector<Instant> counted(const std::vector<TraceJob>& jobs, std::int64_t gpus,
                                    Policy policy, Instant never) {
  std::vector<Instant> starts(jobs.size(), never);
  drive(
      jobs, [](std::size_t) {},
      [&](Instant now, std::vector<std::size_t>& waiting, std::vector<Running>& running) {
        std::erase_if(waiting, [&](std::size_t j) { return jobs[j].gpus() > gpus; });
        if (shortest_first(policy)) {
          std::ranges::sort(waiting, {},
                            [&](std::size_t j) { return std::pair(jobs[j].limit, j); });
        }
        std::int64_t free = gpus;
        for (const Running& r : running) free -= jobs[r.job].gpus();
        const auto begin = [&](std::size_t j) {
          free -= jobs[j].gpus();
          starts[j] = now;
          running.push_back({j, now + jobs[j].runtime, now + jobs[j].limit});
        };
        while (!waiting.empty() && jobs[waiting.front()].gpus() <= free) {
          begin(waiting.front());
          waiting.erase(waiting.begin());
        }
        if (!backfills(policy) || waiting.empty()) return;

        // The head is blocked. When will it fit, if all keep their limits, and what is over then?
        const std::int64_t need = jobs[waiting.front()].gpus();
        std::vector<Running> by_end = running;
        std::ranges::sort(by_end, {}, &Running::expected_end);
        std::int64_t then = free;
        Instant shadow;
        for (const Running& r : by_end) {
          if (then >= need && r.expected_end != shadow) break;
          shadow = r.expected_end;
          then += jobs[r.job].gpus();
        }
        std::int64_t extra = then - need;
        std::vector<std::size_t> still{waiting.front()};
        for (std::size_t i = 1; i < waiting.size(); ++i) {
          const TraceJob& job = jobs[waiting[i]];
          const bool ends_before = now + job.limit <= shadow;
          if (job.gpus() > free || (!ends_before && job.gpus() > extra)) {
            still.push_back(waiting[i]);
            continue;
          }
          if (!ends_before) extra -= job.gpus();
          begin(waiting[i]);
        }
        waiting = still;
      });
  return starts;
}

/// FIFO on `nodes` nodes of `each` GPUs. A job of up to `each` lies on the node with the fewest
/// free GPUs that takes it; a larger one on wholly free nodes and its remainder likewise on one
/// more; always the lowest of equals.
inline std::vector<Instant> on_nodes(const std::vector<TraceJob>& jobs, std::size_t nodes,
                                     std::int64_t each, Instant never) {
  std::vector<Instant> starts(jobs.size(), never);
  std::vector<std::int64_t> free(nodes, each);
  std::vector<std::vector<std::pair<std::size_t, std::int64_t>>> places(jobs.size());
  drive(
      jobs,
      [&](std::size_t j) {
        for (const auto& [node, gpus] : places[j]) free[node] += gpus;
      },
      [&](Instant now, std::vector<std::size_t>& waiting, std::vector<Running>& running) {
        std::erase_if(waiting, [&](std::size_t j) {
          return (jobs[j].gpus() + each - 1) / each > static_cast<std::int64_t>(nodes);
        });
        while (!waiting.empty()) {
          const std::size_t j = waiting.front();
          std::int64_t left = jobs[j].gpus();
          std::vector<std::pair<std::size_t, std::int64_t>> place;
          for (std::size_t n = 0; n < nodes && left > each; ++n) {
            if (free[n] != each) continue;
            place.emplace_back(n, each);
            left -= each;
          }
          // What is left is at most a node's worth, or there were too few wholly free nodes.
          std::optional<std::size_t> best;
          for (std::size_t n = 0; n < nodes; ++n) {
            const bool taken =
                std::ranges::any_of(place, [&](const auto& p) { return p.first == n; });
            if (taken || free[n] < left) continue;
            if (!best || free[n] < free[*best]) best = n;
          }
          if (!best) return;
          place.emplace_back(*best, left);
          for (const auto& [node, gpus] : place) free[node] -= gpus;
          places[j] = place;
          starts[j] = now;
          running.push_back({j, now + jobs[j].runtime, now + jobs[j].limit});
          waiting.erase(waiting.begin());
        }
      });
  return starts;
}

}  // namespace tenbin::oracle
