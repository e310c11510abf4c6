#include "operate/door.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <chrono>
#include <tuple>

namespace tenbin::operate {

namespace {

using Clock = std::chrono::steady_clock;

// Routes that are counted by themselves. Whoever asks for what there is not cannot make more: an
// unknown address is counted as "other".
constexpr std::size_t series_max = 512;
constexpr std::string_view methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

bool is_word(std::string_view segment) {
  return !segment.empty() && segment.size() <= 24 && std::ranges::all_of(segment, [](char c) {
    return (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  });
}

std::string random_prefix() {
  std::uint64_t random = 0;
  static_cast<void>(::getrandom(&random, sizeof random, 0));
  return fmt::format("{:012x}", random & 0xffff'ffff'ffff);
}

struct Key {
  std::string method, route;
  int status;
  auto operator<=>(const Key&) const = default;
};

}  // namespace

std::string route_of(std::string_view path) {
  std::string route;
  for (int depth = 0; !path.empty() && depth < 6; ++depth) {
    if (path.front() != '/') return "other";
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    // /v1/<noun>/<its name>/<verb>/<a name>/...
    const bool name = route.starts_with("/v1") && (depth == 2 || depth == 4);
    if (name) {
      route += segment == "remove" || segment == "apply" ? "/" + std::string(segment) : "/{id}";
    } else if (is_word(segment) || segment == "v1") {
      route += "/" + std::string(segment);
    } else if (segment.empty() && depth == 0) {
      route += "/";
    } else {
      return "other";
    }
  }
  return path.empty() ? route : "other";
}

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  });
}

struct Door::State {
  Settings settings;
  const std::string prefix = random_prefix();
  std::atomic<std::uint64_t> next{0}, open{0};
  mutable std::mutex mutex;
  std::map<Key, LatencyHistogram> routes;  // under mutex; rows never go

  void count(const std::string& method, std::string route, int status, std::int64_t us) {
    const std::lock_guard lock(mutex);
    // A route that nobody has been served on is not known to exist.
    const bool exists = status < 400 || status == 402 || status == 403 || status == 409;
    auto found = routes.find(Key{method, route, status});
    if (found == routes.end()) {
      const bool known = exists || std::ranges::any_of(routes, [&](const auto& one) {
                           return one.first.route == route && one.first.method == method;
                         });
      if (!known || routes.size() >= series_max) route = "other";
      found = routes.try_emplace(Key{method, route, status}).first;
    }
    found->second.add(us);
  }
};

/// Stands between who answers and the server: counts, logs and names the request.
class Door::Sink final : public net::ReplySink {
 public:
  Sink(std::shared_ptr<State> state, net::Reply reply, std::shared_ptr<net::RequestTrace> trace,
       const net::Request& request)
      : state_(std::move(state)),
        reply_(std::move(reply)),
        trace_(std::move(trace)),
        method_(request.method),
        path_(request.path),
        peer_(request.peer),
        began_(Clock::now()) {
    ++state_->open;
  }
  ~Sink() override { --state_->open; }

  void deliver(std::uint64_t, std::optional<net::Response> response) override {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began_);
    const int status = response ? response->status : 500;
    const bool usual = std::ranges::count(methods, method_) > 0;
    state_->count(usual ? method_ : "other", route_of(path_), status, us.count());
    const bool question = method_ == "GET" || method_ == "HEAD";
    const AccessLog access = state_->settings.access;
    if (access == AccessLog::all ||
        (access == AccessLog::changes && (!question || status >= 400)) ||
        (access == AccessLog::errors && status >= 400)) {
      state_->settings.log(status >= 500 ? LogLevel::error : LogLevel::info, "request", {},
                           {{"request", trace_->id},
                            {"person", trace_->person},
                            {"method", std::string_view(method_).substr(0, 16)},
                            {"path", std::string_view(path_).substr(0, 256)},  // without its query
                            {"status", std::int64_t{status}},
                            {"duration_us", std::int64_t{us.count()}},
                            {"peer", peer_}});
    }
    if (!response) return;  // dropped: so is ours, and the server answers for it
    response->headers.emplace_back("X-Request-Id", trace_->id);
    reply_(std::move(*response));
  }

 private:
  std::shared_ptr<State> state_;
  net::Reply reply_;
  std::shared_ptr<net::RequestTrace> trace_;
  std::string method_, path_, peer_;
  Clock::time_point began_;
};

Door::Door(Settings settings) : state_(std::make_shared<State>()) {
  state_->settings = std::move(settings);
}

void Door::handle(net::Request&& request, net::Reply reply) {
  auto trace = std::make_shared<net::RequestTrace>();
  const std::string_view given = request.header("X-Request-Id");
  trace->id = is_request_id(given)
                  ? std::string(given)
                  : fmt::format("{}-{}", state_->prefix, state_->next.fetch_add(1) + 1);
  request.trace = trace;
  net::Reply watched(std::make_shared<Sink>(state_, std::move(reply), std::move(trace), request),
                     0);

  const bool get = request.method == "GET" || request.method == "HEAD";
  const Settings& settings = state_->settings;
  if (get && request.path == "/healthz") {
    return watched({.content_type = "application/json", .body = "{\"status\":\"ok\"}"});
  }
  if (get && request.path == "/readyz" && settings.ready) return watched(settings.ready(request));
  if (get && request.path == "/metrics" && settings.metrics) return watched(settings.metrics());
  settings.inner(std::move(request), std::move(watched));
}

std::vector<Door::Route> Door::routes() const {
  std::vector<Route> all;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [key, latency] : state_->routes)
    all.push_back({key.method, key.route, key.status, latency.read()});
  return all;
}

std::uint64_t Door::open_requests() const {
  return state_->open;
}

}  // namespace tenbin::operate
