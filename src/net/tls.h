#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

// Internal to net/: TLS over a socket that does not block, as the server and the client use it. The
// library beneath is seen by tls.cc alone.

namespace tenbin::net {

/// What one attempt to read or write came to.
enum class Io {
  done,            // `bytes` went through
  wants_readable,  // nothing went through; try again when the socket can be read
  wants_writable,  // the same, when it can be written
  closed,          // the other end has said all
  broken,
};
struct Moved {
  std::size_t bytes = 0;
  Io io = Io::done;
};

/// Certificates and rules, shared by all connections of a server or a client.
class TlsContext {
 public:
  /// Shows the chain in `certificate_file` (PEM, the own certificate first) with the key in
  /// `key_file`. TLS 1.2 or later. Errors: a file cannot be read or is not PEM, or the two do not
  /// belong together.
  static Result<TlsContext> for_server(const std::string& certificate_file,
                                       const std::string& key_file);
  /// Trusts the authorities in `authorities_file` (PEM), or the system's if it is empty.
  static Result<TlsContext> for_client(const std::string& authorities_file);

  struct Impl;
  std::shared_ptr<Impl> impl;
};

/// One connection. It does not own the socket.
class TlsConnection {
 public:
  /// The server's end.
  static Result<std::unique_ptr<TlsConnection>> accept(const TlsContext& context, int socket);
  /// The client's end; the certificate must be for `host`, a name or a numeric address.
  static Result<std::unique_ptr<TlsConnection>> connect(const TlsContext& context, int socket,
                                                        const std::string& host);
  ~TlsConnection();

  // The handshake happens by itself in the first calls of these.
  Moved read(char* to, std::size_t size);
  Moved write(const char* from, std::size_t size);

  bool ready() const;    // the handshake is over
  bool holds() const;    // bytes were taken from the socket and not yet read
  void say_goodbye();    // no more will be written
  std::string trouble() const;  // why the last call was broken

 private:
  struct Impl;
  explicit TlsConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tenbin::net
