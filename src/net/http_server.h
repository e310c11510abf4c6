#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/quantity.h"
#include "net/http.h"

namespace tenbin::net {

/// Where the answer to a request goes. The server is one; a test of a handler may be another.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  /// `response` is absent if the Reply was dropped unanswered. Called on the thread that answers.
  virtual void deliver(std::uint64_t ticket, std::optional<Response> response) = 0;
};

/// The duty to answer one request. It is moved to whoever will know the answer and called once,
/// from any thread; calling it twice, or after it was moved from, is a broken promise. Dropped
/// uncalled, it answers 500. If the client or the server is gone it does nothing.
/// Cost: on the I/O thread inside the handler nothing; elsewhere one lock, and one wake-up for all
/// replies that arrive before the I/O thread has looked.
class Reply {
 public:
  Reply(std::shared_ptr<ReplySink> sink, std::uint64_t ticket);
  Reply(Reply&& other) noexcept = default;
  Reply& operator=(Reply&& other) noexcept;
  ~Reply();

  void operator()(Response response);

 private:
  std::shared_ptr<ReplySink> sink_;  // null once the duty is done or moved away
  std::uint64_t ticket_ = 0;
};

/// Runs on the I/O thread, so it must not block and must not throw: slow work takes the Reply
/// elsewhere. HEAD and OPTIONS come here too; the body of an answer to HEAD is not sent, its length
/// is told.
using Handler = std::function<void(Request&&, Reply)>;

/// Shapes the answers that the server gives by itself. Called on the I/O thread; must not throw.
/// (400, malformed_request), (408, request_timeout), (413, body_too_large),
/// (431, header_too_large), (500, internal_error), (503, too_many_connections), (503, too_busy),
/// (503, too_many_streams).
using Problem = std::function<Response(int status, std::string_view code)>;

/// What one client, and all of them together, may take.
struct Limits {
  std::uint64_t body_max_bytes = 1024 * 1024;
  std::uint32_t header_max_bytes = 16 * 1024;  // request line and fields together
  Span idle_timeout{60'000};                   // between requests
  Span header_timeout{10'000};   // from the first byte of a request to the end of its header
  Span body_timeout{30'000};     // from there to its last byte, however it drips
  Span write_timeout{30'000};    // without the client taking a byte of its answer
  Span answer_timeout{300'000};  // for all of one answer, or one part of a stream
  Span stop_grace{5'000};        // for requests under way when stop() is called
  std::size_t connections_max = 20'000;
  std::size_t connections_per_peer = 0;  // from one address; 0: as many as in all
  /// Bytes of unfinished requests and of answers not yet taken, of all connections together.
  std::uint64_t held_max_bytes = 256 * 1024 * 1024;
  std::size_t streams_max = 4'000;
  Span stream_quiet{15'000};                   // then a stream is asked for a sign of life
  std::size_t stream_part_bytes = 128 * 1024;  // asked of a stream at a time
};

struct ServerSettings {
  std::string address = "127.0.0.1";  // numeric, IPv4 or IPv6
  std::uint16_t port = 0;             // 0: any free one
  /// PEM files; both or neither. With them the server speaks TLS and nothing else.
  std::string tls_certificate = {};
  std::string tls_key = {};
  Limits limits = {};
  Problem problem = {};  // empty: a line of plain text
  /// What an operator should know, one line each and not often. Called on the I/O thread; empty:
  /// nobody is told.
  std::function<void(const std::string&)> log = {};
};

/// An HTTP/1.1 server on one thread of its own. Connections are kept alive; the requests of one are
/// answered in order, one at a time. How long the handler takes to answer is its own affair: no
/// timeout runs meanwhile.
///
/// Memory: under 1 KiB per idle connection besides the kernel's (with TLS about 20 KiB more); while
/// a request comes in, what has come, and for all of them together no more than `held_max_bytes`.
/// When the limit on connections or the process's file descriptors is reached, the connection that
/// has been idle for longest makes room. If none is idle, new clients are refused, or wait in the
/// kernel's queue if there is no descriptor to refuse them with; those that are connected are
/// served on.
class Server {
 public:
  Server(ServerSettings settings, Handler handler);
  ~Server();  // stop()

  /// Binds, listens and starts the thread; once per Server. Errors: a bad address, a port that is
  /// taken or forbidden, no more threads or descriptors.
  Result<void> start();

  /// The port that is listened on, the real one if 0 was asked for. After start().
  std::uint16_t port() const;

  struct Figures {
    std::uint64_t connections = 0, streams = 0;  // open
  };
  Figures figures() const;  // from any thread

  /// Reads the certificate and key again, from the same files; connections made from now on are
  /// shown the new ones. If they cannot be used it says why, and the old ones stay. After start(),
  /// from any thread. Without TLS it does nothing.
  Result<void> reload_certificate();

  /// Says that streams may have something new. From any thread and as often as one likes: the more
  /// streams there are, the longer news are gathered first (a third of a second at most), so that
  /// a thousand readers cost a few thousand writes a second whatever happens.
  void wake_streams();

  /// Runs `task` on the I/O thread, soon. From any thread; before start() it waits for it, after
  /// stop() it is dropped without being run. Must not throw.
  void post(std::move_only_function<void()> task);

  /// Accepts no more, asks streams for their last words, lets requests under way finish for at most
  /// `stop_grace`, ends the thread. Replies called later do nothing. From the thread that owns the
  /// Server, never from its I/O thread; a second call does nothing.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tenbin::net
