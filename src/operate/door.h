#pragma once

// What stands in front of the API: request ids, the access log, figures of every route, and the
// three addresses that a machine asks without a token.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/log.h"
#include "net/http_server.h"

namespace tenbin::operate {

enum class AccessLog : std::uint8_t { off, errors, changes, all };

/// "/v1/jobs/7/wait" is "/v1/jobs/{id}/wait": what stands where a name or a number belongs is no
/// part of a route. Pure.
std::string route_of(std::string_view path);

/// An id that a client may choose for its request: 1 to 64 of letters, digits, '-', '_', '.', ':'.
bool is_request_id(std::string_view text);

class Door {
 public:
  struct Settings {
    net::Handler inner;
    AccessLog access = AccessLog::changes;
    Log log;
    std::function<net::Response(const net::Request&)> ready;  // answers /readyz
    // Answers /metrics; empty where a token is needed, which the inner handler sees to.
    std::function<net::Response()> metrics;
  };
  explicit Door(Settings settings);

  /// The server's handler. What answers, and when, is the inner handler's affair.
  void handle(net::Request&& request, net::Reply reply);

  struct Route {
    std::string method, route;
    int status = 0;
    LatencyFigures latency;
  };
  std::vector<Route> routes() const;
  std::uint64_t open_requests() const;

 private:
  struct State;
  class Sink;
  std::shared_ptr<State> state_;  // replies may come when we are gone
};

}  // namespace tenbin::operate
