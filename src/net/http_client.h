#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/quantity.h"
#include "net/http.h"

namespace tenbin::net {

/// A blocking HTTP/1.1 client for the command line and for tests. Nothing is looked up or connected
/// before the first send(). The connection is kept between calls. One thread at a time.
class Client {
 public:
  /// "http://host:port" or "https://host:port", with a path in front of every target if one follows.
  /// With https:// the server's certificate must be for that host and signed by an authority in
  /// `authorities_file` (PEM), or by one of the system's if that is empty. What cannot be used is
  /// reported by send().
  explicit Client(std::string base_url, std::string authorities_file = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  /// Sends one request and waits for the whole answer; any status is an answer. `target` begins
  /// with '/' and is already percent-encoded; Host and Content-Length are added. `timeout` is for
  /// all of it but looking up the name.
  ///
  /// If a kept connection turns out to have been closed before a byte of the answer came, the
  /// request is sent again, once, on a new one, provided that this cannot do it twice: its method
  /// is idempotent or it carries an Idempotency-Key.
  /// Errors: no such host, refused, timeout, closed half-way, not HTTP, an answer over 64 MiB, a
  /// certificate that is not accepted.
  Result<Response> send(std::string_view method, std::string_view target, const Headers& headers,
                        std::string_view body, Span timeout);

 private:
  friend class EventReader;  // uses its way to the server
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tenbin::net
