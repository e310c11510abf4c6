#include "core/schedule/waiting.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "base/rng.h"

namespace tenbin {
namespace {

using Oracle = std::map<Turn, WaitingJob>;

bool lets_in(std::span<const Window> windows, const WaitingJob& job) {
  for (const Window& w : windows) {
    if (job.gpus_milli > w.free.count) continue;
    if (job.limit <= w.window && job.node_milli <= w.on_node.count) return true;
    if (job.gpus_milli <= w.spare.count && job.node_milli <= w.spare_node.count) return true;
  }
  return false;
}

JobId scan(const Oracle& oracle, Turn after, std::span<const Window> windows) {
  for (auto it = oracle.upper_bound(after); it != oracle.end(); ++it) {
    if (lets_in(windows, it->second)) return it->second.job;
  }
  return {};
}

JobId id_of(const WaitingJob* job) {
  return job ? job->job : JobId{};
}

Window any_window(Rng& rng) {
  const Gpus free{static_cast<std::int64_t>(1 + rng.below(64)) * 500};
  Window window{free, Span{static_cast<std::int64_t>(rng.below(4'000'000) >> rng.below(12))},
                Gpus{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(free.count)) >>
                                               rng.below(8))}};
  if (rng.chance(500'000)) {
    window.on_node = Gpus{static_cast<std::int64_t>(rng.below(8)) * 1'000};
    window.spare_node = Gpus{static_cast<std::int64_t>(rng.below(8)) * 1'000};
  }
  return window;
}

// A job of 300 milli-GPU up to 100,000 GPUs; limits crowd, as people's do, or are all different.
WaitingJob any_job(Rng& rng, JobId id) {
  const auto gpus = rng.chance(100'000) ? 300u : 1'000u << rng.below(17);
  const Span limit = rng.chance(500'000)
                         ? Span{3'600'000}
                         : Span{1 + static_cast<std::int64_t>(rng.below(4'000'000))};
  return {id, limit, static_cast<std::uint32_t>(gpus),
          static_cast<std::uint32_t>(gpus >> rng.below(4))};
}

TEST_CASE("the next job that may pass a blocked one") {
  Waiting queue;
  queue.insert({JobId{1}, Span{7'200'000}, 64'000});  // blocked
  queue.insert(
      {JobId{2}, Span{7'200'000}, 4'000});  // too long for the window, too large for the spare
  queue.insert({JobId{3}, Span{7'200'000}, 1'000});  // long, but fits into what is spare
  queue.insert({JobId{4}, Span{1'800'000}, 4'000});  // ends in time
  const Window window{Gpus{8'000}, Span{3'600'000}, Gpus{2'000}};
  CHECK(id_of(queue.head()) == JobId{1});
  CHECK(id_of(queue.next_match({0, JobId{1}}, {&window, 1})) == JobId{3});
  CHECK(id_of(queue.next_match({0, JobId{3}}, {&window, 1})) == JobId{4});
  CHECK(id_of(queue.next_match({0, JobId{4}}, {&window, 1})) == JobId{});
  CHECK(id_of(queue.after({0, JobId{1}})) == JobId{2});
  const Window crumbs{.free = Gpus{8'000}, .window = Span{3'600'000}, .on_node = Gpus{3'000}};
  queue.insert({JobId{5}, Span{1'800'000}, 4'000, 4'000});  // on one node, and none has so many
  queue.insert({JobId{6}, Span{1'800'000}, 4'000, 2'000});  // on two
  CHECK(id_of(queue.next_match({0, JobId{4}}, {&crumbs, 1})) == JobId{6});
}

// Method: jobs come at the end, go from the head and from the middle, and come back to their old
// places, as when a node is lost; every answer against std::map and a linear scan.
void one_history(QueueOrder order, std::uint64_t seed, int steps, std::size_t crowd) {
  CAPTURE(seed);
  CAPTURE(name_of(order));
  Rng rng{seed};
  Waiting queue(order);
  const auto turn = [&](const WaitingJob& job) { return turn_of(order, job.limit, job.job); };
  Oracle oracle;
  std::vector<WaitingJob> started;
  std::uint64_t next = 0;
  const auto check_all = [&](const Waiting& q) {
    auto expected = oracle.begin();
    q.each([&](const WaitingJob& job) {
      REQUIRE(queue.turn_of(job) == (expected++)->first);
      return true;
    });
    REQUIRE(expected == oracle.end());
  };
  for (int step = 0; step < steps; ++step) {
    const bool grow = oracle.size() < crowd ? rng.chance(600'000) : rng.chance(400'000);
    if (grow || oracle.empty()) {
      WaitingJob job = any_job(rng, JobId{next + 1});
      if (!started.empty() && rng.chance(300'000)) {
        const std::size_t i = rng.below(started.size());
        job = started[i];
        started[i] = started.back();
        started.pop_back();
      } else {
        ++next;
      }
      queue.insert(job);
      oracle.emplace(turn(job), job);
    } else {
      auto gone = oracle.begin();
      if (rng.chance(600'000)) {
        gone = std::next(oracle.begin(), static_cast<std::ptrdiff_t>(rng.below(oracle.size())));
      }
      queue.remove(gone->first);
      if (started.size() < 1'000) started.push_back(gone->second);
      oracle.erase(gone);
    }
    REQUIRE(queue.size() == oracle.size());
    REQUIRE(id_of(queue.head()) == (oracle.empty() ? JobId{} : oracle.begin()->second.job));
    if (step % 16 == 0) {
      const std::array<Window, 2> windows{any_window(rng), any_window(rng)};
      const std::span<const Window> some{windows.data(), 1 + rng.below(2)};
      const Turn after{
          order == QueueOrder::sjf ? static_cast<std::int64_t>(rng.below(4'000'000)) : 0,
          JobId{rng.below(next + 1)}};
      REQUIRE(id_of(queue.next_match(after, some)) == scan(oracle, after, some));
    }
    if (step % 10'000 == 0) {
      check_all(queue);
      const Waiting copy = queue;
      check_all(copy);
      queue = copy;
    }
  }
  check_all(queue);
}

TEST_CASE("the queue is a map in the order of turns, found by size and limit") {
  for (const QueueOrder order : {QueueOrder::fifo, QueueOrder::sjf}) {
    one_history(order, 1, 100'000, 300);
    one_history(order, 2, 60'000, 10'000);
    for (std::uint64_t seed = 3; seed < 30; ++seed) one_history(order, seed, 1'000, seed);
  }
}

TEST_CASE("a queue that is emptied and filled again is as new") {
  Waiting queue;
  const Window window{Gpus{8'000}, Span{1'000}, Gpus{0}};
  for (std::uint64_t id = 1; id <= 10'000; ++id) {
    queue.insert({JobId{id}, Span{16}, 1'000});
    REQUIRE(id_of(queue.next_match(Turn{}, {&window, 1})) == JobId{id});
    queue.remove({0, JobId{id}});
    REQUIRE(queue.head() == nullptr);
    queue.insert({JobId{id}, Span{1'000'000}, 1'000});
    REQUIRE(queue.next_match(Turn{}, {&window, 1}) == nullptr);  // nothing is left of the short one
    queue.remove({0, JobId{id}});
  }
  CHECK(queue.bytes() < 4'096);  // one block stays for the next
}

}  // namespace
}  // namespace tenbin
