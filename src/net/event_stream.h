#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/quantity.h"
#include "net/http.h"

// Server-sent events (text/event-stream): writing one, understanding many, and a blocking reader of
// a stream for the command line and for tests.

namespace tenbin::net {

struct StreamEvent {
  std::string id;     // where to resume after it; that of an earlier event if it carried none
  std::string event;  // its kind; empty: none was said
  std::string data;   // lines joined by '\n'

  bool operator==(const StreamEvent&) const = default;
};

/// Appends one event. `data` may have several lines; CR and LF in `id` and `event` become spaces, so
/// that what came from outside cannot begin another field. Empty `id` and `event` are left out.
void write_event(std::string& out, std::string_view id, std::string_view event,
                 std::string_view data);

/// Understands a stream in whatever pieces it comes.
class EventStreamParser {
 public:
  /// Appends what became complete to `events`. False if a line or an event is longer than 1 MiB: the
  /// stream is not to be read on.
  bool feed(std::string_view bytes, std::vector<StreamEvent>& events);

  /// Of the last event that had one.
  const std::string& last_id() const { return last_id_; }
  /// What the server asked to wait before coming back; 0 if it did not.
  Span retry() const { return retry_; }

 private:
  void line(std::string_view text, std::vector<StreamEvent>& events);

  std::string partial_;  // a line that has not ended
  StreamEvent event_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool begun_ = false;  // the mark of byte order may stand at the very beginning only
  std::string last_id_;
  Span retry_{};
};

/// Reads the events of one answer. To go on after it broke off, open another with the header
/// Last-Event-ID: last_id(). One thread at a time.
class EventReader {
 public:
  /// Asks for `target` (which begins with '/') at `base_url` and waits for the head of the answer.
  /// If the server answers anything but a stream of events, refusal() has its whole answer.
  /// `authorities_file` is for https:// (see Client).
  /// Errors: no such host, refused, timeout, not HTTP, certificate not accepted.
  static Result<EventReader> open(const std::string& base_url, std::string_view target,
                                  const Headers& headers, Span timeout,
                                  const std::string& authorities_file = {});
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;
  ~EventReader();

  /// Null if this is a stream.
  const Response* refusal() const;

  enum class Got { event, nothing, ended };
  /// The next event; `nothing` if none came within `timeout`, `ended` if the server ended the stream
  /// as it should. Errors: it broke off, or is not a stream of events.
  Result<Got> next(StreamEvent& event, Span timeout);

  const std::string& last_id() const;

 private:
  struct Impl;
  explicit EventReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tenbin::net
