#pragma once

// What an operator alarms on, as Prometheus reads it, and whether the service is ready.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/world.h"
#include "live/live.h"
#include "net/http_server.h"
#include "operate/door.h"

namespace tenbin::operate {

/// The World in numbers. GPUs are thousandths, as everywhere.
struct WorldFigures {
  struct Region {
    std::uint64_t waiting = 0;  // jobs that could start here; one that may go to two regions counts
                                // in both
    Instant oldest;             // submitted; 0 if none waits
    std::uint64_t running = 0;
    std::int64_t gpus_used = 0, gpus_free = 0, gpus_drained = 0;
  };
  std::map<std::string, Region> regions;
  std::map<std::string, std::uint64_t> jobs;  // by state
  std::uint64_t live_tokens = 0, remembered_requests = 0, epoch = 0;
  Instant now;
};
/// Cost: all living jobs and all nodes, some nanoseconds each.
WorldFigures world_figures(const World& world);

/// What the process and its surroundings look like from inside.
struct ProcessFigures {
  std::uint64_t resident_bytes = 0, descriptors = 0, descriptors_max = 0, threads = 0;
  double cpu_seconds = 0;
  std::uint64_t disk_free_bytes = 0, disk_bytes = 0;  // under the state folder
  std::uint64_t journal_bytes = 0, log_bytes = 0;     // journal.db and its write-ahead log
  Instant started, now;
};
ProcessFigures process_figures(const std::string& state_folder);

/// What the executor does, told by who knows it.
struct ExecutorFigures {
  std::uint64_t attempts = 0, supervisors = 0, launches = 0, renewals_failed = 0;
};
struct ServerFigures {
  std::uint64_t connections = 0, streams = 0;
};

struct Figures {
  LiveFigures live;
  WorldFigures world;
  ProcessFigures process;
  ExecutorFigures executor;
  std::optional<ServerFigures> server;
  std::vector<Door::Route> routes;
  std::uint64_t open_requests = 0, log_lines_dropped = 0;
  std::string version;
};

/// Prometheus text exposition, version 0.0.4. Pure.
std::string metrics_text(const Figures& figures);
net::Response metrics_response(const Figures& figures);

/// Why the service should get no new requests; nothing if it should.
struct Unready {
  std::string code, english, japanese;
};
struct ReadyLimits {
  Span committing_max{10'000};
  std::uint64_t history_behind_max = 100'000;  // records
  std::uint64_t disk_free_min_bytes = 256ull * 1024 * 1024;
};
std::vector<Unready> why_unready(bool recovered, bool stopping, const LiveFigures& live,
                                 const ProcessFigures& process, const ReadyLimits& limits);
/// 200, or 503 with the reasons.
net::Response ready_response(const std::vector<Unready>& reasons);

}  // namespace tenbin::operate
