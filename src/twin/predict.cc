#include "twin/predict.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/jobs/tasks.h"

namespace tenbin {

std::optional<Prediction> predict_start(World world, JobId wanted, Instant now,
                                        std::size_t instants_max) {
  now = std::max(now, world.now);
  std::set<std::pair<Instant, JobId>> ends;
  world.jobs.each([&](JobId id, const Job& job) {
    if (job.active()) ends.emplace(std::max(now, job.expected_end()), id);
  });
  Facts facts;
  for (std::size_t instant = 0; instant < instants_max; ++instant) {
    facts.clear();
    static_cast<void>(apply(world, {.command = Schedule{}}, now, facts));
    for (const Event& event : facts.events()) {
      const auto* started = std::get_if<JobStarted>(&event);
      if (!started) continue;
      if (started->job == wanted) return Prediction{now, started->pool};
      ends.emplace(world.jobs.at(started->job).expected_end(), started->job);
    }
    if (ends.empty() || !row_of(world, wanted)) return std::nullopt;
    now = ends.begin()->first;
    while (!ends.empty() && ends.begin()->first == now) {
      const JobId id = ends.begin()->second;
      ends.erase(ends.begin());
      facts.clear();
      const Job& job = world.jobs.at(id);
      static_cast<void>(apply(
          world, {.command = ReportEnd{id, job.attempt, EndKind::exited, 0, now}}, now, facts));
    }
  }
  return std::nullopt;
}

}  // namespace tenbin
