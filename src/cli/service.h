#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cli/context.h"
#include "codec/json.h"
#include "net/event_stream.h"
#include "net/http_client.h"

namespace tenbin::cli {

struct Answer {
  std::string body;
  std::string next_offset;  // of an output, else empty
  JsonDocument document;    // of `json`
  JsonValue json;           // the body, if it is JSON
};

/// Where a command speaks to and as whom, and what said so.
struct Place {
  std::string url, token;
  std::string url_from, token_from;  // "--url", "TENBIN_URL", "context prod", a file's path
};

/// Where: --url, --context, TENBIN_URL, TENBIN_CONTEXT, the context in use (`tenbin context use`),
/// or what `tenbin serve` wrote into its state folder (TENBIN_STATE, XDG_STATE_HOME/tenbin,
/// ~/.local/state/tenbin), files `url` and `admin.token`. Who: --token-file, the token of a context
/// named by --context, TENBIN_TOKEN, or the token that belongs to that place: a context's, or that
/// `admin.token`, which are sent to no other URL than the one beside them.
Outcome<Place> find_service(const Context& context);

/// What one waits to hear of. Empty: anything.
struct Interest {
  std::string project, job;
};

/// The service that the command speaks to.
///
/// A connection that is lost and a 503 are tried again, with the same Idempotency-Key, after 0.5,
/// 1.5, 3, 3 ... seconds until `patience` is used up: three times in the 5 seconds one gets without
/// asking. If nobody listens at the first try it is so only if patience was asked for.
class Service {
 public:
  explicit Service(Context& context) : context_(context) {}

  Outcome<Answer> get(const std::string& target, Span timeout = Span{30'000});
  Outcome<Answer> post(const std::string& target, const std::string& body = "{}");

  /// Opens the stream of events at `target`, after the event `last_id` if that is not empty.
  Outcome<net::EventReader> events(const std::string& target, const std::string& last_id);

 private:
  Outcome<void> locate();
  Outcome<Answer> send(std::string_view method, const std::string& target, const std::string& body,
                       Span timeout);
  Stop refusal(const net::Response& response) const;

  Context& context_;
  friend Outcome<void> watch_events(const Context&, Service&, const Interest&, Span);

  std::optional<net::Client> client_;
  std::optional<net::EventReader> news_;  // of watch_events
  bool no_news_ = false;                  // the service has no stream for this
  std::string url_, token_, authorities_;
};

/// Comes back when something may have happened that `interest` is about, and after `at_most` in any
/// case. It listens to the service's stream of events, which it opens at the first call, and comes
/// back at once from that one; a service without such a stream is asked again every second.
Outcome<void> watch_events(const Context& context, Service& service, const Interest& interest,
                           Span at_most);

/// Exit code of an HTTP status.
Exit exit_of(int status);

/// The Stop of a problem (RFC 9457), in the viewer's language, with what to do about it.
Stop stop_of_problem(const Context& context, JsonValue problem, std::string text);

}  // namespace tenbin::cli
