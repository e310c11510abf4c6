#include "operate/metrics.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "codec/json.h"

namespace tenbin::operate {

namespace {

Instant wall_now() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return Instant{t.tv_sec * 1'000 + t.tv_nsec / 1'000'000};
}

std::uint64_t size_of(const std::string& path) {
  struct stat about{};
  return ::stat(path.c_str(), &about) == 0 ? static_cast<std::uint64_t>(about.st_size) : 0;
}

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

std::string seconds(std::int64_t microseconds) {
  return fmt::format("{}", static_cast<double>(microseconds) / 1e6);
}

/// Appends metrics in the text format; a family's lines stand together under its help.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", name, help, name,
                   type);
  }
  template <class Number>
  void sample(Number value, const std::string& labels = {}) {
    line("", labels, fmt::format("{}", value));
  }
  template <class Number>
  void one(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample(value);
  }
  template <const auto& limits, std::size_t n>
  void histogram(const HistogramFigures<n>& figures, bool is_time, const std::string& labels = {}) {
    std::uint64_t below = 0;
    const std::string more = labels.empty() ? "" : labels + ",";
    const auto unit = [&](std::int64_t v) { return is_time ? seconds(v) : std::to_string(v); };
    for (std::size_t i = 0; i < n; ++i) {
      below += figures.counts[i];
      line("_bucket", more + "le=\"" + unit(limits[i]) + "\"", std::to_string(below));
    }
    line("_bucket", more + "le=\"+Inf\"", std::to_string(figures.count));
    line("_sum", labels, unit(figures.sum));
    line("_count", labels, std::to_string(figures.count));
  }

 private:
  void line(std::string_view suffix, const std::string& labels, std::string_view value) {
    out_ += name_;
    out_ += suffix;
    if (!labels.empty()) out_ += "{" + labels + "}";
    out_ += ' ';
    out_ += value;
    out_ += '\n';
  }
  std::string& out_;
  std::string name_;
};

std::string label(std::string_view name, std::string_view value) {
  return fmt::format("{}=\"{}\"", name, escaped(value));
}

double gpus(std::int64_t milli) {
  return static_cast<double>(milli) / 1'000;
}

}  // namespace

WorldFigures world_figures(const World& world) {
  WorldFigures figures{.epoch = world.epoch, .now = world.now};
  world.regions.each(
      [&](RegionId, const Region& region) { figures.regions.try_emplace(region.name); });
  // By pool, so that a job costs an index and not a look-up by name.
  std::vector<WorldFigures::Region*> region_of(65, nullptr);
  std::vector<std::uint64_t> pools_of_region;  // a bit for each pool, by region
  std::vector<WorldFigures::Region*> regions;
  world.pools.each([&](PoolId id, const Pool& pool) {
    auto* const region = &figures.regions.at(world.regions.at(pool.region).name);
    region_of.at(id.value) = region;
    auto known = std::ranges::find(regions, region);
    if (known == regions.end()) {
      regions.push_back(region);
      pools_of_region.push_back(0);
      known = regions.end() - 1;
    }
    pools_of_region[static_cast<std::size_t>(known - regions.begin())] |= PoolSet::bit(id.value);
    region->gpus_free += pool.free.count;
    if (pool.kind != PoolKind::nodes) region->gpus_used += pool.counted.count - pool.free.count;
  });
  world.nodes.each([&](NodeId, const Node& node) {
    const Pool& pool = world.pools.at(node.pool);
    if (pool.kind != PoolKind::nodes) return;
    WorldFigures::Region& region = *region_of.at(node.pool.value);
    const std::int64_t all = std::int64_t{pool.gpus_per_node} * 1'000;
    const std::int64_t free = node.free().count;
    region.gpus_used += all - free;
    if (node.state != NodeState::up) region.gpus_drained += free;
  });
  std::array<std::uint64_t, enum_names(JobState{}).size()> by_state{};
  world.jobs.each([&](JobId, const Job& job) {
    ++by_state.at(static_cast<std::size_t>(job.state));
    if (job.active()) {
      ++region_of.at(job.pool.value)->running;
    } else if (job.state == JobState::queued) {
      for (std::size_t i = 0; i < regions.size(); ++i) {
        if ((job.pools.bits & pools_of_region[i]) == 0) continue;
        ++regions[i]->waiting;
        if (regions[i]->oldest == Instant{} || job.submitted < regions[i]->oldest)
          regions[i]->oldest = job.submitted;
      }
    }
  });
  for (std::size_t i = 0; i < by_state.size(); ++i)
    figures.jobs.emplace(enum_names(JobState{})[i], by_state[i]);
  world.tokens.each([&](TokenId, const Token& token) {
    if (!token.revoked && token.expires > world.now) ++figures.live_tokens;
  });
  return figures;
}

ProcessFigures process_figures(const std::string& state_folder) {
  static const Instant started = wall_now();
  ProcessFigures figures{.started = started, .now = wall_now()};
  if (std::ifstream statm("/proc/self/statm"); statm) {
    std::uint64_t size = 0, resident = 0;
    statm >> size >> resident;
    figures.resident_bytes = resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  }
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error))
    ++figures.descriptors;
  if (figures.descriptors > 0) --figures.descriptors;  // the one that looks
  for (std::filesystem::directory_iterator at("/proc/self/task", error), end; !error && at != end;
       at.increment(error))
    ++figures.threads;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.descriptors_max = limit.rlim_cur;
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto s = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    figures.cpu_seconds = s(usage.ru_utime) + s(usage.ru_stime);
  }
  struct statvfs disk{};
  if (::statvfs(state_folder.c_str(), &disk) == 0) {
    figures.disk_free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    figures.disk_bytes = std::uint64_t{disk.f_blocks} * disk.f_frsize;
  }
  figures.journal_bytes = size_of(state_folder + "/journal.db");
  figures.log_bytes = size_of(state_folder + "/journal.db-wal");
  return figures;
}

std::string metrics_text(const Figures& f) {
  std::string text;
  Writer out(text);
  out.family("tenbin_info", "gauge", "Version of the program.");
  out.sample(1, label("version", f.version));

  out.one("tenbin_journal_sequence", "counter", "Sequence of the last published record.",
          f.live.sequence);
  out.one("tenbin_epoch", "counter", "Epoch of the service.", f.world.epoch);
  out.family("tenbin_commit_seconds", "histogram", "How long one transaction of the journal took.");
  out.histogram<latency_limits>(f.live.commit, true);
  out.one("tenbin_commit_pending_seconds", "gauge",
          "For how long the present transaction has been under way; 0: none is.",
          static_cast<double>(f.live.committing.count) / 1e3);
  out.family("tenbin_batch_messages", "histogram", "Messages decided in one batch.");
  out.histogram<size_limits>(f.live.batch, false);
  out.one("tenbin_mailbox_messages", "gauge", "Messages that wait to be decided.", f.live.mailbox);
  out.family("tenbin_refused_total", "counter", "Commands that were refused, by reason.");
  for (std::size_t i = 0; i < f.live.refused.size(); ++i) {
    if (f.live.refused[i] > 0) out.sample(f.live.refused[i], label("reason", reason_table[i].name));
  }
  out.one("tenbin_history_lag_records", "gauge",
          "Records that the history of settled jobs is behind the journal.",
          f.live.sequence - std::min(f.live.history, f.live.sequence));
  out.one("tenbin_snapshot_sequence", "gauge", "Record of the newest snapshot; 0: none.",
          f.live.snapshot);
  out.one("tenbin_snapshot_age_seconds", "gauge",
          "Since the newest snapshot was written or found; -1: there is none.",
          f.live.snapshot_at == Instant{}
              ? -1.0
              : static_cast<double>((f.process.now - f.live.snapshot_at).count) / 1e3);
  out.one("tenbin_clock_steps_total", "counter",
          "How often the wall clock moved by more than a second by itself.", f.live.clock_steps);
  out.one("tenbin_ledger_behind_clock_seconds", "gauge",
          "Wall clock less the instant of the last record; negative: ledger time stands still.",
          static_cast<double>((f.process.now - f.world.now).count) / 1e3);

  out.family("tenbin_jobs", "gauge", "Living jobs by state.");
  for (const auto& [state, count] : f.world.jobs) out.sample(count, label("state", state));
  out.family("tenbin_queue_jobs", "gauge",
             "Queued jobs that could start in the region; one that may go to several counts in "
             "each.");
  for (const auto& [name, region] : f.world.regions)
    out.sample(region.waiting, label("region", name));
  out.family("tenbin_queue_oldest_seconds", "gauge",
             "Since the oldest queued job of the region was submitted.");
  for (const auto& [name, region] : f.world.regions) {
    out.sample(region.oldest == Instant{}
                   ? 0.0
                   : static_cast<double>((f.process.now - region.oldest).count) / 1e3,
               label("region", name));
  }
  out.family("tenbin_running_jobs", "gauge", "Running jobs by region.");
  for (const auto& [name, region] : f.world.regions)
    out.sample(region.running, label("region", name));
  out.family("tenbin_gpus", "gauge",
             "GPUs by region and state: used, free, and drained (free on nodes out of service).");
  for (const auto& [name, region] : f.world.regions) {
    const std::string here = label("region", name) + ",";
    out.sample(gpus(region.gpus_used), here + label("state", "used"));
    out.sample(gpus(region.gpus_free), here + label("state", "free"));
    out.sample(gpus(region.gpus_drained), here + label("state", "drained"));
  }

  out.one("tenbin_attempts", "gauge", "Attempts that the executor looks after.",
          f.executor.attempts);
  out.one("tenbin_supervisors", "gauge", "Supervisors that answer.", f.executor.supervisors);
  out.one("tenbin_launches_total", "counter", "Launches of supervisors.", f.executor.launches);
  out.one("tenbin_lease_renewals_failed_total", "counter",
          "Renewals of a lease that a supervisor did not answer.", f.executor.renewals_failed);

  out.family("tenbin_http_requests_total", "counter", "Requests by method, route and status.");
  for (const Door::Route& route : f.routes) {
    out.sample(route.latency.count, label("method", route.method) + "," +
                                        label("route", route.route) + "," +
                                        label("status", std::to_string(route.status)));
  }
  // Latency by route over all statuses: a histogram for each status would be fifteen times that.
  std::map<std::pair<std::string, std::string>, LatencyFigures> latency;
  for (const Door::Route& route : f.routes) {
    LatencyFigures& all = latency[{route.method, route.route}];
    for (std::size_t i = 0; i < all.counts.size(); ++i) all.counts[i] += route.latency.counts[i];
    all.count += route.latency.count;
    all.sum += route.latency.sum;
  }
  out.family("tenbin_http_request_seconds", "histogram",
             "From the whole request to its answer, by method and route.");
  for (const auto& [key, figures] : latency) {
    out.histogram<latency_limits>(figures, true,
                                  label("method", key.first) + "," + label("route", key.second));
  }
  out.one("tenbin_http_requests_open", "gauge", "Requests that are being answered.",
          f.open_requests);
  if (f.server) {
    out.one("tenbin_http_connections", "gauge", "Open connections.", f.server->connections);
    out.one("tenbin_http_streams", "gauge", "Open event streams.", f.server->streams);
  }
  out.one("tenbin_log_lines_dropped_total", "counter", "Log lines that nobody read fast enough.",
          f.log_lines_dropped);

  out.one("tenbin_state_disk_free_bytes", "gauge", "Free room under the state folder.",
          f.process.disk_free_bytes);
  out.one("tenbin_state_disk_bytes", "gauge", "Size of the disk under the state folder.",
          f.process.disk_bytes);
  out.one("tenbin_journal_bytes", "gauge", "Size of journal.db.", f.process.journal_bytes);
  out.one("tenbin_journal_log_bytes", "gauge", "Size of the journal's write-ahead log.",
          f.process.log_bytes);
  out.one("process_resident_memory_bytes", "gauge", "Resident memory.", f.process.resident_bytes);
  out.one("process_open_fds", "gauge", "Open file descriptors.", f.process.descriptors);
  out.one("process_max_fds", "gauge", "Most file descriptors that may be open.",
          f.process.descriptors_max);
  out.one("process_threads", "gauge", "Threads.", f.process.threads);
  out.one("process_cpu_seconds_total", "counter", "Processor time.", f.process.cpu_seconds);
  out.one("process_start_time_seconds", "gauge", "When the process began.",
          fmt::format("{:.3f}", static_cast<double>(f.process.started.ms) / 1e3));
  return text;
}

net::Response metrics_response(const Figures& figures) {
  return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
          .body = metrics_text(figures)};
}

std::vector<Unready> why_unready(bool recovered, bool stopping, const LiveFigures& live,
                                 const ProcessFigures& process, const ReadyLimits& limits) {
  std::vector<Unready> reasons;
  if (!recovered)
    reasons.push_back({"recovering", "the journal is being read", "ジャーナルを読み込んでいます"});
  if (stopping)
    reasons.push_back({"stopping", "the service is stopping", "サービスを停止しています"});
  if (live.committing > limits.committing_max) {
    reasons.push_back(
        {"commit_hangs",
         fmt::format("the journal has not been written for {} s", live.committing.count / 1'000),
         fmt::format("ジャーナルへの書き込みが {} 秒間終わっていません",
                     live.committing.count / 1'000)});
  }
  if (process.disk_free_bytes < limits.disk_free_min_bytes) {
    reasons.push_back({"disk_nearly_full",
                       fmt::format("{} MiB are free under the state folder",
                                   process.disk_free_bytes / (1024 * 1024)),
                       fmt::format("状態フォルダーの空き容量は {} MiB です",
                                   process.disk_free_bytes / (1024 * 1024))});
  }
  if (live.sequence > live.history + limits.history_behind_max) {
    reasons.push_back(
        {"history_behind",
         fmt::format("the history is {} records behind", live.sequence - live.history),
         fmt::format("履歴が {} 件遅れています", live.sequence - live.history)});
  }
  return reasons;
}

net::Response ready_response(const std::vector<Unready>& reasons) {
  std::string body;
  JsonWriter out(body);
  out.begin_object().member("status", reasons.empty() ? "ready" : "unready");
  out.key("reasons").begin_array();
  for (const Unready& reason : reasons) {
    out.begin_object().member("code", reason.code);
    out.key("texts").begin_object().member("en", reason.english).member("ja", reason.japanese);
    out.end_object().end_object();
  }
  out.end_array().end_object();
  return {.status = reasons.empty() ? 200 : 503,
          .content_type = "application/json",
          .body = std::move(body)};
}

}  // namespace tenbin::operate
