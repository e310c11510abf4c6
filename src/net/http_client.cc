#include "net/http_client.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

#include "net/event_stream.h"
#include "net/tls.h"

namespace tenbin::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

constexpr std::uint64_t body_max_bytes = 64ULL * 1024 * 1024;
constexpr std::uint32_t header_max_bytes = 256 * 1024;
constexpr std::size_t read_buffer_bytes = 16 * 1024;

std::string errno_text(int error) {
  return std::error_code(error, std::system_category()).message();
}

// Waits until `fd` can do one of `events`; 0 if the deadline came first.
short wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return 0;
    pollfd one{.fd = fd, .events = events, .revents = 0};
    const int n = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000'000)));
    if (n > 0) return one.revents;
    if (n < 0 && errno != EINTR) return POLLERR;
  }
}

bool idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> methods = {"GET",    "HEAD",    "PUT",
                                                       "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(methods, method) != methods.end();
}

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
}

bool one_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

// Why an exchange brought no answer.
struct Failure {
  std::string what;
  bool closed_unanswered = false;  // by the other end, before the first byte of the answer
};

}  // namespace

struct Client::Impl {
  std::string base_url;
  std::string host;
  std::string port = "80";
  std::string authority;  // for the Host header
  std::string prefix;     // path in front of every target
  std::string unusable;   // why the URL is, or empty
  std::string authorities_file;
  bool secure = false;
  std::optional<TlsContext> tls_context;
  std::unique_ptr<TlsConnection> tls;
  int fd = -1;

  Impl(std::string url, std::string authorities)
      : base_url(std::move(url)), authorities_file(std::move(authorities)) {
    unusable = understand();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { disconnect(); }

  std::string understand();
  void disconnect();
  Result<void> connect(Deadline deadline);
  bool closed_meanwhile() const;
  Moved read(char* to, std::size_t size);
  Moved write(std::string_view bytes);
  Result<std::string> compose(std::string_view method, std::string_view target,
                              const Headers& headers, std::string_view body) const;
  std::expected<Response, Failure> exchange(std::string_view request, bool head, Deadline deadline);
};

std::string Client::Impl::understand() {
  std::string_view rest = base_url;
  secure = rest.starts_with("https://");
  if (!secure && !rest.starts_with("http://")) {
    return "a URL must begin with http:// or https://: " + base_url;
  }
  rest.remove_prefix(secure ? 8 : 7);
  if (secure) port = "443";
  const std::string_view where = rest.substr(0, rest.find('/'));
  rest.remove_prefix(where.size());
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (!printable(base_url) || where.find_first_of("@?#") != std::string_view::npos ||
      rest.find_first_of("?#") != std::string_view::npos) {
    return "not a URL of the form http://host:port: " + base_url;
  }
  prefix = rest;
  authority = where;

  std::string_view after_host;
  if (where.starts_with('[')) {
    const std::size_t end = where.find(']');
    if (end == std::string_view::npos) return "the bracket is not closed: " + base_url;
    host = where.substr(1, end - 1);
    after_host = where.substr(end + 1);
  } else {
    host = where.substr(0, where.find(':'));
    after_host = where.substr(host.size());
  }
  if (host.empty()) return "a URL needs a host: " + base_url;
  if (after_host.empty()) return {};
  const std::string_view digits = after_host.substr(1);
  unsigned number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (!after_host.starts_with(':') || error != std::errc{} ||
      end != digits.data() + digits.size() || number == 0 || number > 65'535) {
    return "not a port: " + base_url;
  }
  port = digits;
  return {};
}

void Client::Impl::disconnect() {
  tls.reset();
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

Result<void> Client::Impl::connect(Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return failed("cannot find " + host + ": " + ::gai_strerror(error));
  }
  std::string last = "no address";
  for (const addrinfo* a = found; a && fd < 0; a = a->ai_next) {
    const int s = ::socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0) {
      last = errno_text(errno);
      continue;
    }
    int error = ::connect(s, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      error = ETIMEDOUT;
      if (wait_for(s, POLLOUT, deadline) != 0) {
        socklen_t size = sizeof error;
        if (::getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
      }
    }
    if (error != 0) {
      last = errno_text(error);
      ::close(s);
      continue;
    }
    const int on = 1;
    ::setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fd = s;
  }
  ::freeaddrinfo(found);
  if (fd < 0) return failed("cannot connect to " + authority + ": " + last);
  if (!secure) return {};
  if (!tls_context) {
    auto made = TlsContext::for_client(authorities_file);
    if (!made) {
      disconnect();
      return std::unexpected(made.error());
    }
    tls_context = std::move(*made);
  }
  auto begun = TlsConnection::connect(*tls_context, fd, host);
  if (!begun) {
    disconnect();
    return std::unexpected(begun.error());
  }
  tls = std::move(*begun);
  return {};
}

Moved Client::Impl::read(char* to, std::size_t size) {
  if (tls) return tls->read(to, size);
  const ssize_t n = ::recv(fd, to, size, 0);
  if (n > 0) return {static_cast<std::size_t>(n), Io::done};
  if (n == 0) return {0, Io::closed};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {0, Io::wants_readable};
  return {0, Io::broken};
}

Moved Client::Impl::write(std::string_view bytes) {
  if (tls) return tls->write(bytes.data(), bytes.size());
  const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (n >= 0) return {static_cast<std::size_t>(n), Io::done};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {0, Io::wants_writable};
  return {0, Io::broken};
}

// A server closes what is idle for too long. Found out before anything is sent, it costs nothing
// to connect again, whatever the request. Bytes that nobody asked for are as bad.
bool Client::Impl::closed_meanwhile() const {
  char byte = 0;
  const ssize_t n = ::recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

std::expected<Response, Failure> Client::Impl::exchange(std::string_view request, bool head,
                                                        Deadline deadline) {
  const auto failure = [&](std::string what, bool closed = false) {
    disconnect();
    return std::unexpected(Failure{authority + ": " + std::move(what), closed});
  };
  std::string received;  // and not yet used by the parser
  bool any_byte = false;
  bool cut_short = false;  // the server stopped listening before the request was out
  std::optional<http::response_parser<http::string_body>> parser;
  const auto fresh_parser = [&] {
    parser.emplace();
    parser->body_limit(body_max_bytes);
    parser->header_limit(header_max_bytes);
    parser->eager(true);
    parser->skip(head);
  };
  fresh_parser();

  while (!parser->is_done()) {
    short events = 0;
    if (!request.empty()) {
      const Moved moved = write(request);
      request.remove_prefix(moved.bytes);
      if (moved.io == Io::done) continue;
      if (moved.io == Io::wants_readable) events |= POLLIN;
      if (moved.io == Io::wants_writable) events |= POLLOUT;
      if (moved.io == Io::broken || moved.io == Io::closed) {
        if (tls && !tls->trouble().empty()) return failure(tls->trouble());
        // The server may have said why before it closed, so go on and read; but it is over.
        request = {};
        cut_short = true;
        ::shutdown(fd, SHUT_WR);
      }
    }

    std::array<char, read_buffer_bytes> buffer;
    errno = 0;
    const Moved got = read(buffer.data(), buffer.size());
    if (got.io == Io::wants_readable) events |= POLLIN;
    if (got.io == Io::wants_writable) events |= POLLOUT;
    if (got.io == Io::wants_readable || got.io == Io::wants_writable) {
      if (wait_for(fd, events, deadline) == 0) return failure("no answer in time");
      continue;
    }
    if (got.io != Io::done) {
      const int error = got.io == Io::broken ? errno : 0;
      if (tls && !tls->trouble().empty()) return failure(tls->trouble());
      if (!any_byte) {
        return failure(error ? errno_text(error) : "the connection was closed without an answer",
                       true);
      }
      error_code ec;
      if (got.io == Io::closed && parser->got_some()) parser->put_eof(ec);
      if (got.io != Io::closed || ec || !parser->is_done()) {
        return failure("the connection was closed in the middle of the answer");
      }
      break;
    }
    any_byte = true;
    received.append(buffer.data(), got.bytes);
    std::size_t used = 0;
    while (used < received.size() && !parser->is_done()) {
      error_code ec;
      used += parser->put(boost::asio::buffer(received.data() + used, received.size() - used), ec);
      if (ec == http::error::need_more) break;
      if (ec == http::error::body_limit) return failure("the answer is larger than 64 MiB");
      if (ec) return failure("the answer is not HTTP: " + ec.message());
      // 100 Continue and its like come before the answer.
      const unsigned status = parser->is_header_done() ? parser->get().result_int() : 0;
      if (status / 100 == 1 && status != 101) fresh_parser();
    }
    received.erase(0, used);
    if (received.size() > header_max_bytes) return failure("the answer's header is too large");
  }

  // Whatever lies behind the answer, or was not sent of the request, belongs to nobody.
  const bool reusable = parser->keep_alive() && received.empty() && request.empty() && !cut_short;
  auto message = parser->release();
  Response response{.status = static_cast<int>(message.result_int()),
                    .body = std::move(message.body())};
  for (const auto& field : message) {
    const std::string_view name(field.name_string().data(), field.name_string().size());
    const std::string_view value(field.value().data(), field.value().size());
    if (field.name() == http::field::content_type) {
      response.content_type = value;
    } else {
      response.headers.emplace_back(name, value);
    }
  }
  if (!reusable) disconnect();
  return response;
}

Client::Client(std::string base_url, std::string authorities_file)
    : impl_(std::make_unique<Impl>(std::move(base_url), std::move(authorities_file))) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<std::string> Client::Impl::compose(std::string_view method, std::string_view target,
                                          const Headers& headers, std::string_view body) const {
  if (!unusable.empty()) return failed(unusable);
  if (method.empty() || !printable(method)) return failed("not a method");
  if (!target.starts_with('/') || !printable(target)) {
    return failed("not a target: it begins with '/' and is percent-encoded");
  }

  std::string request;
  request.reserve(256 + body.size());
  request.append(method).append(" ").append(prefix).append(target).append(" HTTP/1.1\r\n");
  request.append("Host: ").append(authority).append("\r\n");
  for (const auto& [name, value] : headers) {
    if (name.empty() || !printable(name) || !one_line(value)) {
      return failed("a header must be one line: " + name);
    }
    request.append(name).append(": ").append(value).append("\r\n");
  }
  if (!body.empty() || method == "POST" || method == "PUT" || method == "PATCH") {
    request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  }
  request.append("\r\n").append(body);
  return request;
}

Result<Response> Client::send(std::string_view method, std::string_view target,
                              const Headers& headers, std::string_view body, Span timeout) {
  Impl& impl = *impl_;
  const Result<std::string> composed = impl.compose(method, target, headers, body);
  if (!composed) return std::unexpected(composed.error());
  const std::string& request = *composed;

  try {
    const Deadline deadline = Clock::now() + std::chrono::milliseconds{timeout.count};
    if (impl.fd >= 0 && impl.closed_meanwhile()) impl.disconnect();
    const bool kept = impl.fd >= 0;
    if (!kept) {
      if (const Result<void> connected = impl.connect(deadline); !connected) {
        return std::unexpected(connected.error());
      }
    }
    const bool head = method == "HEAD";
    std::expected<Response, Failure> outcome = impl.exchange(request, head, deadline);
    const bool harmless = idempotent(method) || !header_value(headers, "Idempotency-Key").empty();
    if (!outcome && outcome.error().closed_unanswered && kept && harmless) {
      if (const Result<void> connected = impl.connect(deadline); !connected) {
        return std::unexpected(connected.error());
      }
      outcome = impl.exchange(request, head, deadline);
    }
    if (!outcome) return failed(std::move(outcome.error().what));
    return std::move(*outcome);
  } catch (const std::exception& e) {  // from the parser's containers
    impl.disconnect();
    return failed(std::string("the answer could not be kept: ") + e.what());
  }
}

// ---- streams of events ----

namespace {

// The head of an answer, and its body as it comes.
struct StreamParser final : http::basic_parser<false> {
  Response head;
  std::string body;  // not yet used
  bool any_header = false;

  void on_request_impl(http::verb, boost::beast::string_view, boost::beast::string_view, int,
                       error_code&) override {}
  void on_response_impl(int status, boost::beast::string_view, int, error_code&) override {
    head.status = status;
  }
  void on_field_impl(http::field field, boost::beast::string_view name,
                     boost::beast::string_view value, error_code&) override {
    if (any_header) return;  // a trailer
    if (field == http::field::content_type) {
      head.content_type.assign(value.data(), value.size());
    } else {
      head.headers.emplace_back(std::string(name.data(), name.size()),
                                std::string(value.data(), value.size()));
    }
  }
  void on_header_impl(error_code&) override { any_header = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(boost::beast::string_view bytes, error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view bytes,
                                 error_code&) override {
    body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}
};

}  // namespace

struct EventReader::Impl {
  Client::Impl connection;
  StreamParser parser;
  EventStreamParser events;
  std::string received;  // and not yet used by the parser
  std::vector<StreamEvent> ready;
  std::size_t taken = 0;  // of those
  std::string last_id;    // of what was taken
  bool is_stream = false;
  bool ended = false;

  Impl(std::string url, std::string authorities)
      : connection(std::move(url), std::move(authorities)) {
    parser.eager(true);
    parser.body_limit(boost::none);
    parser.header_limit(header_max_bytes);
  }

  // Whether something came before the deadline.
  Result<bool> read_more(Deadline deadline) {
    const auto broken = [&](const std::string& what) {
      ended = true;
      return failed(connection.authority + ": " + what);
    };
    std::array<char, read_buffer_bytes> buffer;
    for (;;) {
      const Moved got = connection.read(buffer.data(), buffer.size());
      if (got.io == Io::wants_readable || got.io == Io::wants_writable) {
        const short event = got.io == Io::wants_readable ? POLLIN : POLLOUT;
        if (wait_for(connection.fd, event, deadline) == 0) return false;
        continue;
      }
      if (got.io == Io::closed && parser.got_some()) {
        error_code ec;
        parser.put_eof(ec);
        if (!ec && parser.is_done()) {
          ended = true;
          return true;
        }
      }
      if (got.io != Io::done) {
        if (connection.tls && !connection.tls->trouble().empty())
          return broken(connection.tls->trouble());
        return broken("the stream broke off");
      }
      received.append(buffer.data(), got.bytes);
      std::size_t used = 0;
      while (used < received.size() && !parser.is_done()) {
        error_code ec;
        used += parser.put(boost::asio::buffer(received.data() + used, received.size() - used), ec);
        if (ec == http::error::need_more) break;
        if (ec) return broken("the answer is not HTTP: " + ec.message());
      }
      received.erase(0, used);
      if (received.size() > header_max_bytes) return broken("the answer's header is too large");
      if (parser.is_done()) ended = true;
      return true;
    }
  }
};

EventReader::EventReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;
EventReader::~EventReader() = default;

Result<EventReader> EventReader::open(const std::string& base_url, std::string_view target,
                                      const Headers& headers, Span timeout,
                                      const std::string& authorities_file) {
  auto impl = std::make_unique<Impl>(base_url, authorities_file);
  Headers all = headers;
  all.emplace_back("Accept", "text/event-stream");
  const Result<std::string> request = impl->connection.compose("GET", target, all, "");
  if (!request) return std::unexpected(request.error());
  const Deadline deadline = Clock::now() + std::chrono::milliseconds{timeout.count};
  if (const auto connected = impl->connection.connect(deadline); !connected)
    return std::unexpected(connected.error());

  const auto trouble = [&](const std::string& what) {
    return failed(impl->connection.authority + ": " + what);
  };
  std::string_view rest = *request;
  while (!rest.empty()) {
    const Moved moved = impl->connection.write(rest);
    rest.remove_prefix(moved.bytes);
    if (moved.io == Io::done) continue;
    if (moved.io == Io::broken || moved.io == Io::closed) {
      const bool told = impl->connection.tls && !impl->connection.tls->trouble().empty();
      return trouble(told ? impl->connection.tls->trouble() : "the connection was closed");
    }
    const short event = moved.io == Io::wants_readable ? POLLIN : POLLOUT;
    if (wait_for(impl->connection.fd, event, deadline) == 0) return trouble("no answer in time");
  }
  const auto wait_until = [&](auto&& done) -> Result<void> {
    while (!done()) {
      const Result<bool> more = impl->read_more(deadline);
      if (!more) return std::unexpected(more.error());
      if (!*more) return trouble("no answer in time");
      if (impl->parser.body.size() > body_max_bytes) return trouble("the answer is too large");
    }
    return {};
  };
  StreamParser& parser = impl->parser;
  if (auto head = wait_until([&] { return parser.is_header_done(); }); !head)
    return std::unexpected(head.error());
  impl->is_stream =
      parser.head.status == 200 && parser.head.content_type.starts_with("text/event-stream");
  if (!impl->is_stream) {
    if (auto whole = wait_until([&] { return impl->ended; }); !whole)
      return std::unexpected(whole.error());
    parser.head.body = std::move(parser.body);
  }
  return EventReader(std::move(impl));
}

const Response* EventReader::refusal() const {
  return impl_->is_stream ? nullptr : &impl_->parser.head;
}

const std::string& EventReader::last_id() const {
  // An id may come without an event: what lies before it is then known to concern others.
  return impl_->taken == impl_->ready.size() && impl_->parser.body.empty()
             ? impl_->events.last_id()
             : impl_->last_id;
}

Result<EventReader::Got> EventReader::next(StreamEvent& event, Span timeout) {
  Impl& impl = *impl_;
  if (!impl.is_stream) return failed("the answer is not a stream of events");
  const Deadline deadline = Clock::now() + std::chrono::milliseconds{timeout.count};
  for (;;) {
    if (impl.taken < impl.ready.size()) {
      event = std::move(impl.ready[impl.taken++]);
      impl.last_id = event.id;
      return Got::event;
    }
    if (!impl.parser.body.empty()) {
      impl.ready.clear();
      impl.taken = 0;
      const bool good = impl.events.feed(impl.parser.body, impl.ready);
      impl.parser.body.clear();
      if (!good) return failed(impl.connection.authority + ": an event is larger than 1 MiB");
      continue;
    }
    if (impl.ended) return Got::ended;
    const Result<bool> more = impl.read_more(deadline);
    if (!more) return std::unexpected(more.error());
    if (!*more) return Got::nothing;
  }
}

}  // namespace tenbin::net
