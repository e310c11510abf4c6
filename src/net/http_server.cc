#include "net/http_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/status.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <ctime>
#include <list>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "net/request_parser.h"
#include "net/tls.h"

// How it is made. One thread runs everything below. A connection that waits for a request is a
// socket and a place in a list: bytes are read into one buffer that all connections share, a parser
// exists only between the first and the last byte of a request, and deadlines are the order of a
// list, not a timer each. A stream is asked for more when the socket has taken what there was.

namespace tenbin::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t read_buffer_bytes = 16 * 1024;
constexpr int accepts_per_turn = 64;  // then those that are connected have their turn
constexpr std::chrono::milliseconds accept_pause{100};
// How long a client that was refused while it was still sending may take to notice. Closing at once
// would make its kernel throw our answer away.
constexpr Span linger_timeout{2'000};
constexpr int drains_per_turn = 16;
constexpr std::size_t makes_room_for = 16;  // idle connections closed when descriptors are used up
// Who has just come may have sent a request that we have not read yet.
constexpr Span idle_enough{1'000};
constexpr std::size_t drained_bytes_max = 16 * 1024 * 1024;
constexpr std::chrono::seconds log_pause{10};
// News are gathered for a third of a millisecond for each stream that is open.
constexpr std::size_t streams_per_ms = 3;
constexpr std::chrono::milliseconds gather_max{333};
constexpr std::size_t pumps_per_turn = 32;
constexpr int parts_per_turn = 4;

std::chrono::milliseconds duration(Span span) {
  return std::chrono::milliseconds{span.count};
}

std::string errno_text(int error) {
  return std::error_code(error, std::system_category()).message();
}

// Gives the memory back, which assigning an empty string does not.
void release(std::string& text) {
  std::string().swap(text);
}

/// What a connection is busy with. All connections of one stage wait for the same length of time,
/// so the list of each stage is in the order of deadlines.
enum class Stage : std::uint8_t {
  idle,       // no byte of a request yet
  reading,    // some bytes of a header, or of a TLS handshake
  body,       // the header is here
  answering,  // the handler has it; no deadline
  writing,    // the kernel took only a part of the answer
  streaming,  // all that the stream had is sent; the deadline is that of a sign of life
  draining,   // all is said, the client still talks
  closed,
};
constexpr std::size_t stages = 7;

struct Connection {
  Connection(asio::io_context& io, std::uint64_t number) : socket(io), id(number) {}

  tcp::socket socket;
  std::uint64_t id;
  std::string peer;
  std::list<Connection*>::iterator place;
  Clock::time_point deadline;
  Stage stage = Stage::idle;
  bool waits_readable = false;
  bool waits_writable = false;
  bool keep_alive = true;
  bool without_body = false;  // the answer is to HEAD
  bool cut_short = false;     // refused before its request was all here
  bool chunked = false;       // the stream
  bool stream_over = false;   // its last bytes are on their way
  bool takes_chunks = false;
  std::unique_ptr<TlsConnection> tls;  // null: plain
  std::shared_ptr<Stream> stream;
  Clock::time_point writes_since;         // with Stage::writing
  std::uint64_t held = 0;                 // of Loop::held_
  std::unique_ptr<RequestParser> parser;  // while a request comes in
  std::string received;                   // what the parser could not use yet
  std::string head;                       // of the answer
  std::string body;
  std::size_t written = 0;  // of both
  std::size_t drained = 0;
};
using ConnectionPtr = std::shared_ptr<Connection>;

struct Delivery {
  std::uint64_t ticket = 0;
  std::optional<Response> response;
};
using Task = std::move_only_function<void()>;

class Loop;

/// Where other threads leave things for the I/O thread. It outlives the Server for as long as a
/// Reply is left.
class Outbox final : public ReplySink {
 public:
  void deliver(std::uint64_t ticket, std::optional<Response> response) override;
  void post(Task task);
  void lead_to(Loop* loop);  // null: nowhere for now
  void close();
  void wake_streams();
  /// True if streams are to be looked at.
  bool take(std::vector<Delivery>& deliveries, std::vector<Task>& tasks);
  void enter_thread() { io_thread_.store(std::this_thread::get_id()); }
  void leave_thread() { io_thread_.store({}); }
  bool on_io_thread() const { return io_thread_.load() == std::this_thread::get_id(); }

  /// Open connections and streams, as the I/O thread last said.
  std::atomic<std::uint64_t> connections{0}, streams{0};

 private:
  void wake();  // under the lock

  std::mutex lock_;
  std::atomic<std::thread::id> io_thread_;
  Loop* loop_ = nullptr;
  bool closed_ = false;
  bool woken_ = false;
  bool streams_ = false;
  std::vector<Delivery> deliveries_;
  std::vector<Task> tasks_;
};

class Loop {
 public:
  Loop(const ServerSettings& settings, const Handler& handler, std::shared_ptr<Outbox> outbox);

  Result<std::uint16_t> listen();
  void run();
  void wake();  // from any thread
  void begin_stop();
  void use(TlsContext context) { tls_ = std::move(context); }
  /// Takes the answer at once if `ticket` is what the handler was just called with.
  bool answers_at_once(std::uint64_t ticket, std::optional<Response>& response);

 private:
  void wait_accept();
  void accept_some();
  void welcome(int fd, const sockaddr_storage& address);
  void empty_outbox();

  void enter(Connection& c, Stage stage);
  void close(Connection& c);
  Moved read(Connection& c);
  Moved write(Connection& c, std::string_view first, std::string_view second);
  void hold(Connection& c, std::uint64_t bytes);
  std::size_t make_room(std::size_t wanted);
  void tell(std::string line);

  void wait_readable(const ConnectionPtr& c);
  void wait_writable(const ConnectionPtr& c);
  void receive(const ConnectionPtr& c);
  void proceed(const ConnectionPtr& c, std::string_view fresh);
  void dispatch(const ConnectionPtr& c);
  void answer(const ConnectionPtr& c, std::optional<Response> response);
  void refuse(const ConnectionPtr& c, int status, std::string_view code);
  void prepare(Connection& c, Response response);
  void send(const ConnectionPtr& c);
  void sent(const ConnectionPtr& c);
  void pump(const ConnectionPtr& c, Stream::Why why);
  void go_on(const ConnectionPtr& c);
  void end_stream(Connection& c);
  void gather();
  void flush_some();
  void drain(const ConnectionPtr& c);

  Response problem(int status, std::string_view code) const;
  std::string_view date();
  void start_ticking();
  void expire();
  void end_if_empty();

  const ServerSettings& settings_;
  const Handler& handler_;
  const std::shared_ptr<Outbox> outbox_;

  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer pause_{io_};
  asio::steady_timer tick_{io_};
  asio::steady_timer grace_{io_};
  asio::steady_timer gathering_{io_};
  std::optional<TlsContext> tls_;
  std::array<Span, stages> timeouts_;
  std::chrono::milliseconds tick_length_;
  bool ticking_ = false;
  bool stopping_ = false;

  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, ConnectionPtr> connections_;
  std::array<std::list<Connection*>, stages> by_stage_;
  std::unordered_map<std::string, std::size_t> by_peer_;  // empty if nobody counts
  std::uint64_t held_ = 0;  // bytes of requests that come in and of answers that go out
  std::size_t streams_ = 0;
  bool gathers_ = false;
  bool news_meanwhile_ = false;
  std::vector<std::uint64_t> to_flush_;
  std::string part_;  // of a stream; one for all
  Clock::time_point told_{};
  std::uint64_t short_of_descriptors_ = 0;  // times since the last word about it

  std::uint64_t dispatching_ = 0;      // whom the handler is being called for
  std::optional<Delivery> immediate_;  // its answer, if the handler gave it before it returned

  std::vector<Delivery> deliveries_;  // swapped with the outbox, so that both keep their room
  std::vector<Task> tasks_;
  std::time_t date_second_ = -1;
  std::array<char, 40> date_text_{};
  std::array<char, read_buffer_bytes> buffer_;
};

void Outbox::deliver(std::uint64_t ticket, std::optional<Response> response) {
  if (on_io_thread() && loop_->answers_at_once(ticket, response)) return;
  const std::lock_guard guard(lock_);
  if (closed_) return;
  deliveries_.push_back({ticket, std::move(response)});
  wake();
}

void Outbox::post(Task task) {
  const std::lock_guard guard(lock_);
  if (closed_) return;  // `task` dies with the caller's frame, after the lock
  tasks_.push_back(std::move(task));
  wake();
}

void Outbox::lead_to(Loop* loop) {
  const std::lock_guard guard(lock_);
  loop_ = loop;
  woken_ = false;
  if (!tasks_.empty()) wake();
}

void Outbox::close() {
  std::vector<Delivery> deliveries;
  std::vector<Task> tasks;  // may own Replies, which come back here when they are destroyed
  const std::lock_guard guard(lock_);
  closed_ = true;
  loop_ = nullptr;
  deliveries.swap(deliveries_);
  tasks.swap(tasks_);
}

void Outbox::wake_streams() {
  const std::lock_guard guard(lock_);
  if (closed_ || streams_) return;
  streams_ = true;
  wake();
}

bool Outbox::take(std::vector<Delivery>& deliveries, std::vector<Task>& tasks) {
  const std::lock_guard guard(lock_);
  woken_ = false;
  deliveries.swap(deliveries_);
  tasks.swap(tasks_);
  return std::exchange(streams_, false);
}

void Outbox::wake() {
  if (woken_ || !loop_) return;
  woken_ = true;
  loop_->wake();
}

Loop::Loop(const ServerSettings& settings, const Handler& handler, std::shared_ptr<Outbox> outbox)
    : settings_(settings),
      handler_(handler),
      outbox_(std::move(outbox)),
      timeouts_{settings.limits.idle_timeout,
                settings.limits.header_timeout,
                settings.limits.body_timeout,
                Span{},
                settings.limits.write_timeout,
                settings.limits.stream_quiet,
                linger_timeout} {
  const Limits& limits = settings.limits;
  // Late by an eighth at most, and never more than four looks a second.
  const Span shortest =
      std::min({limits.idle_timeout, limits.header_timeout, limits.body_timeout,
                limits.write_timeout, limits.answer_timeout, limits.stream_quiet});
  tick_length_ = duration(Span{std::clamp<std::int64_t>(shortest.count / 8, 2, 250)});
}

Result<std::uint16_t> Loop::listen() {
  if (!settings_.tls_certificate.empty() || !settings_.tls_key.empty()) {
    auto context = TlsContext::for_server(settings_.tls_certificate, settings_.tls_key);
    if (!context) return std::unexpected(context.error());
    tls_ = std::move(*context);
  }
  const std::string where = settings_.address + " port " + std::to_string(settings_.port);
  error_code ec;
  const asio::ip::address address = asio::ip::make_address(settings_.address, ec);
  if (ec) return failed("not a numeric address to listen on: " + settings_.address);
  const tcp::endpoint endpoint(address, settings_.port);

  // Made by hand for the sake of CLOEXEC: a job started by this process must not keep the port.
  const int fd =
      ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return failed("cannot listen on " + where + ": " + errno_text(errno));
  acceptor_.assign(endpoint.protocol(), fd, ec);
  if (ec) {
    ::close(fd);
    return failed("cannot listen on " + where + ": " + ec.message());
  }
  acceptor_.set_option(tcp::acceptor::reuse_address(true), ec);
  // Accepted sockets inherit this one, which saves a system call for each.
  if (!ec) acceptor_.set_option(tcp::no_delay(true), ec);
  if (!ec) acceptor_.bind(endpoint, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  const std::uint16_t port = ec ? std::uint16_t{} : acceptor_.local_endpoint(ec).port();
  if (ec) return failed("cannot listen on " + where + ": " + ec.message());
  wait_accept();
  return port;
}

void Loop::run() {
  outbox_->enter_thread();
  io_.run();
  outbox_->leave_thread();
}

void Loop::wake() {
  asio::post(io_, [this] { empty_outbox(); });
}

void Loop::empty_outbox() {
  const bool news = outbox_->take(deliveries_, tasks_);
  for (Delivery& delivery : deliveries_) {
    const auto found = connections_.find(delivery.ticket);
    if (found == connections_.end()) continue;
    const ConnectionPtr c = found->second;
    if (c->stage != Stage::answering) continue;
    answer(c, std::move(delivery.response));
    go_on(c);
  }
  deliveries_.clear();
  for (Task& task : tasks_) task();
  tasks_.clear();
  if (news) gather();
}

// What comes after an answer, or a part of a stream, is out.
void Loop::go_on(const ConnectionPtr& c) {
  if (c->stage == Stage::idle) proceed(c, {});
  if (c->stage == Stage::streaming) pump(c, Stream::Why::ready);
}

void Loop::begin_stop() {
  stopping_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  gathering_.cancel();
  grace_.expires_after(duration(settings_.limits.stop_grace));
  grace_.async_wait([this](error_code ec) {
    if (ec) return;
    while (!connections_.empty()) close(*ConnectionPtr(connections_.begin()->second));
  });
  std::vector<ConnectionPtr> all;
  for (const auto& [id, c] : connections_) all.push_back(c);
  for (const ConnectionPtr& c : all) {
    // A request may lie in the kernel: take it, or close.
    if (c->stage == Stage::idle) receive(c);
    if (c->stage == Stage::streaming) pump(c, Stream::Why::ending);
    if (c->stage == Stage::draining) close(*c);
  }
  end_if_empty();
}

void Loop::end_if_empty() {
  if (!stopping_ || !connections_.empty()) return;
  grace_.cancel();
  tick_.cancel();
  work_.reset();
}

void Loop::wait_accept() {
  acceptor_.async_wait(tcp::acceptor::wait_read, [this](error_code ec) {
    if (ec || stopping_) return;
    accept_some();
  });
}

void Loop::accept_some() {
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    const int fd = ::accept4(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&address),
                             &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      welcome(fd, address);
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    // A client that gave up while it waited is no trouble of ours.
    if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
    // No descriptors or no memory. Who has been idle for longest makes room; if nobody is, the
    // client stays in the queue and the socket stays readable, so asking again at once would spin.
    const std::string why = errno_text(errno);
    const std::size_t closed = make_room(makes_room_for);
    ++short_of_descriptors_;
    if (Clock::now() - told_ > log_pause) {
      tell("no new connection can be taken (" + why + "), " +
           std::to_string(std::exchange(short_of_descriptors_, 0)) +
           " times since the last such line; " + std::to_string(connections_.size()) +
           " are open; raise the limit on open files (LimitNOFILE)");
      told_ = Clock::now();
    }
    if (closed > 0) continue;
    pause_.expires_after(accept_pause);
    pause_.async_wait([this](error_code ec) {
      if (!ec && !stopping_) accept_some();
    });
    return;
  }
  wait_accept();
}

void Loop::welcome(int fd, const sockaddr_storage& address) {
  const std::size_t most = settings_.limits.connections_max;
  if (connections_.size() >= most) make_room(1);
  // Those who are told that there is no room take room as well, for as long as they linger.
  if (connections_.size() >= most + most / 16 + 1) {
    ::close(fd);
    return;
  }
  const auto c = std::make_shared<Connection>(io_, ++last_id_);
  error_code ec;
  c->socket.assign(address.ss_family == AF_INET6 ? tcp::v6() : tcp::v4(), fd, ec);
  if (ec) {
    ::close(fd);
    return;
  }
  c->socket.non_blocking(true, ec);
  if (ec) return;
  if (address.ss_family == AF_INET6) {
    asio::ip::address_v6::bytes_type bytes;
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr,
                bytes.size());
    c->peer = asio::ip::address_v6(bytes).to_string();
  } else {
    c->peer =
        asio::ip::address_v4(ntohl(reinterpret_cast<const sockaddr_in&>(address).sin_addr.s_addr))
            .to_string();
  }
  if (tls_) {
    auto tls = TlsConnection::accept(*tls_, fd);
    if (!tls) return;  // no memory; the socket closes with `c`
    c->tls = std::move(*tls);
  }

  bool full = connections_.size() >= most;
  if (settings_.limits.connections_per_peer > 0) {
    full = ++by_peer_[c->peer] > settings_.limits.connections_per_peer || full;
  }
  auto& idle = by_stage_[static_cast<std::size_t>(Stage::idle)];
  c->place = idle.insert(idle.end(), c.get());
  connections_.emplace(c->id, c);
  outbox_->connections = connections_.size();
  // A handshake that is not gone on with is not an idle client.
  enter(*c, tls_ ? Stage::reading : Stage::idle);
  start_ticking();
  if (full && tls_) {
    close(*c);  // a handshake only to be told so is what a flood would like
  } else if (full) {
    refuse(c, 503, "too_many_connections");
  } else {
    wait_readable(c);
  }
}

// Closes those that have been idle for longest; says how many.
std::size_t Loop::make_room(std::size_t wanted) {
  auto& idle = by_stage_[static_cast<std::size_t>(Stage::idle)];
  const Clock::time_point latest = Clock::now() - duration(idle_enough) +
                                   duration(timeouts_[static_cast<std::size_t>(Stage::idle)]);
  std::size_t closed = 0;
  for (; closed < wanted && !idle.empty() && idle.front()->deadline <= latest; ++closed) {
    close(*ConnectionPtr(connections_.at(idle.front()->id)));
  }
  return closed;
}

void Loop::tell(std::string line) {
  if (settings_.log) settings_.log(line);
}

Moved Loop::read(Connection& c) {
  if (c.tls) return c.tls->read(buffer_.data(), buffer_.size());
  const ssize_t n = ::recv(c.socket.native_handle(), buffer_.data(), buffer_.size(), 0);
  if (n > 0) return {static_cast<std::size_t>(n), Io::done};
  if (n == 0) return {0, Io::closed};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {0, Io::wants_readable};
  return {0, Io::broken};
}

Moved Loop::write(Connection& c, std::string_view first, std::string_view second) {
  if (c.tls) {
    Moved all;
    for (std::string_view text : {first, second}) {
      while (!text.empty()) {
        const Moved m = c.tls->write(text.data(), text.size());
        if (m.io != Io::done) return all.bytes > 0 && m.io != Io::broken ? all : m;
        all.bytes += m.bytes;
        text.remove_prefix(m.bytes);
      }
    }
    return all;
  }
  std::array<iovec, 2> parts = {{{const_cast<char*>(first.data()), first.size()},
                                 {const_cast<char*>(second.data()), second.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  const ssize_t n = ::sendmsg(c.socket.native_handle(), &message, MSG_NOSIGNAL);
  if (n >= 0) return {static_cast<std::size_t>(n), Io::done};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {0, Io::wants_writable};
  return {0, Io::broken};
}

// `bytes` is what the connection makes us keep from now on.
void Loop::hold(Connection& c, std::uint64_t bytes) {
  held_ += bytes - c.held;
  c.held = bytes;
}

void Loop::enter(Connection& c, Stage stage) {
  auto& from = by_stage_[static_cast<std::size_t>(c.stage)];
  auto& to = by_stage_[static_cast<std::size_t>(stage)];
  to.splice(to.end(), from, c.place);
  c.stage = stage;
  if (stage != Stage::answering) {
    c.deadline = Clock::now() + duration(timeouts_[static_cast<std::size_t>(stage)]);
  }
}

// Whoever still waits for this socket finds it closed. The caller holds a pointer of its own.
void Loop::close(Connection& c) {
  if (c.stage == Stage::closed) return;
  by_stage_[static_cast<std::size_t>(c.stage)].erase(c.place);
  c.stage = Stage::closed;
  hold(c, 0);
  end_stream(c);
  if (settings_.limits.connections_per_peer > 0) {
    const auto peer = by_peer_.find(c.peer);
    if (--peer->second == 0) by_peer_.erase(peer);
  }
  error_code ignored;
  c.socket.close(ignored);
  connections_.erase(c.id);
  outbox_->connections = connections_.size();
  end_if_empty();
}

void Loop::end_stream(Connection& c) {
  if (c.stream) outbox_->streams = --streams_;
  c.stream.reset();
  c.stream_over = false;
}

void Loop::wait_readable(const ConnectionPtr& c) {
  if (c->waits_readable) return;
  c->waits_readable = true;
  const auto look = [this, c](error_code) {
    c->waits_readable = false;
    if (c->stage == Stage::draining) return drain(c);
    if (c->stage == Stage::closed || c->stage == Stage::answering || c->stage == Stage::writing) {
      return;
    }
    receive(c);
  };
  // What the TLS library has taken from the socket already, the socket will not tell us of.
  if (c->tls && c->tls->holds()) return asio::post(io_, [look] { look({}); });
  c->socket.async_wait(tcp::socket::wait_read, look);
}

void Loop::wait_writable(const ConnectionPtr& c) {
  if (c->waits_writable) return;
  c->waits_writable = true;
  c->socket.async_wait(tcp::socket::wait_write, [this, c](error_code) {
    c->waits_writable = false;
    if (c->stage == Stage::idle || c->stage == Stage::reading) return receive(c);  // a handshake
    if (c->stage != Stage::writing) return;
    send(c);
    go_on(c);
  });
}

void Loop::receive(const ConnectionPtr& c) {
  const Moved got = read(*c);
  if (got.io == Io::wants_writable) return wait_writable(c);
  if (got.io == Io::wants_readable) {
    // With TLS a first byte is no request yet: the handshake is over, and now it is idle.
    if (c->stage == Stage::reading && !c->parser && c->tls && c->tls->ready())
      enter(*c, Stage::idle);
    if (stopping_ && c->stage == Stage::idle) return close(*c);
    return wait_readable(c);
  }
  if (got.io != Io::done) return close(*c);  // gone, or half closed: nothing left to answer
  if (c->stage == Stage::streaming) {
    // The next request. It waits until the stream is over, and so does whatever else comes.
    c->received.append(buffer_.data(), got.bytes);
    return;
  }
  proceed(c, {buffer_.data(), got.bytes});
}

// Goes on with a connection as far as it can: requests that came in one piece are answered one
// after the other, in a loop because recursion would let a client choose our stack's depth.
void Loop::proceed(const ConnectionPtr& c, std::string_view fresh) {
  std::string held = std::exchange(c->received, {});
  if (!held.empty()) {
    held += fresh;
    fresh = held;
  }
  const auto takes_requests = [&] {
    return c->stage == Stage::idle || c->stage == Stage::reading || c->stage == Stage::body;
  };
  while (!fresh.empty() && takes_requests()) {
    if (!c->parser) {
      c->parser = std::make_unique<RequestParser>(
          RequestLimits{.header_bytes = settings_.limits.header_max_bytes,
                        .body_bytes = settings_.limits.body_max_bytes});
    }
    const RequestParser::Step step = c->parser->feed(fresh);
    fresh.remove_prefix(step.used);
    switch (step.parsing) {
      case Parsing::unfinished:
        if (c->stage == Stage::idle) enter(*c, Stage::reading);
        if (c->stage == Stage::reading && c->parser->in_body()) enter(*c, Stage::body);
        c->received = fresh;
        hold(*c, c->received.capacity() + c->parser->body_bytes());
        if (held_ > settings_.limits.held_max_bytes) return refuse(c, 503, "too_busy");
        if (c->parser->owes_continue()) {
          constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
          if (write(*c, text, {}).bytes != text.size())
            return close(*c);  // it never reads: not one to wait for
        }
        return wait_readable(c);
      case Parsing::complete: dispatch(c); break;
      case Parsing::malformed: return refuse(c, 400, "malformed_request");
      case Parsing::header_too_large: return refuse(c, 431, "header_too_large");
      case Parsing::body_too_large: return refuse(c, 413, "body_too_large");
    }
  }
  if (c->stage == Stage::idle) {
    wait_readable(c);
  } else if (c->stage == Stage::answering || c->stage == Stage::writing ||
             c->stage == Stage::streaming) {
    c->received = fresh;
  }
}

void Loop::dispatch(const ConnectionPtr& c) {
  Request request = c->parser->take();
  request.peer = c->peer;
  c->keep_alive = c->parser->keep_alive();
  c->takes_chunks = c->parser->takes_chunks();
  c->without_body = request.method == "HEAD";
  c->parser.reset();
  enter(*c, Stage::answering);
  hold(*c, request.body.capacity());

  dispatching_ = c->id;
  handler_(std::move(request), Reply(outbox_, c->id));
  dispatching_ = 0;
  if (!immediate_) return;
  std::optional<Response> response = std::move(immediate_->response);
  immediate_.reset();
  answer(c, std::move(response));
  if (c->stage == Stage::streaming) {
    // Not from here: what lies behind the request is still in the caller's hands.
    asio::post(io_, [this, c] { pump(c, Stream::Why::ready); });
  }
}

bool Loop::answers_at_once(std::uint64_t ticket, std::optional<Response>& response) {
  if (ticket != dispatching_) return false;
  immediate_ = Delivery{ticket, std::move(response)};
  return true;
}

void Loop::answer(const ConnectionPtr& c, std::optional<Response> response) {
  if (!response) response = problem(500, "internal_error");
  if (response->stream && !c->without_body && streams_ >= settings_.limits.streams_max)
    response = problem(503, "too_many_streams");
  prepare(*c, std::move(*response));
  send(c);
}

// The last answer of a connection whose client may still be talking.
void Loop::refuse(const ConnectionPtr& c, int status, std::string_view code) {
  c->parser.reset();
  c->keep_alive = false;
  c->without_body = false;
  c->cut_short = true;
  prepare(*c, problem(status, code));
  send(c);
}

void Loop::prepare(Connection& c, Response response) {
  if (stopping_) c.keep_alive = false;
  const bool has_no_body = response.status == 204 || response.status == 304;

  std::array<char, 24> digits;
  const auto number = [&](std::size_t n) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), n).ptr;
    return std::string_view(digits.data(), end);
  };
  const auto add_clean = [&](std::string_view text) {
    for (const char ch : text) c.head += ch == '\r' || ch == '\n' || ch == '\0' ? ' ' : ch;
  };

  c.head.clear();
  c.head.reserve(256);
  const auto reason = boost::beast::http::obsolete_reason(
      boost::beast::http::int_to_status(static_cast<unsigned>(response.status)));
  c.head += "HTTP/1.1 ";
  c.head += number(static_cast<std::size_t>(response.status));
  c.head += ' ';
  c.head.append(reason.data(), reason.size());
  c.head += "\r\nDate: ";
  c.head += date();
  if (!response.content_type.empty()) {
    c.head += "\r\nContent-Type: ";
    add_clean(response.content_type);
  }
  if (response.stream && !has_no_body && !c.without_body) {
    c.stream = std::move(response.stream);
    outbox_->streams = ++streams_;
    c.chunked = c.takes_chunks;
    if (c.chunked) {
      c.head += "\r\nTransfer-Encoding: chunked";
    } else {
      c.keep_alive = false;  // the end of the connection is the end of the stream
    }
  } else if (!has_no_body && !response.stream) {
    c.head += "\r\nContent-Length: ";
    c.head += number(response.body.size());
  }
  for (const auto& [name, value] : response.headers) {
    c.head += "\r\n";
    add_clean(name);
    c.head += ": ";
    add_clean(value);
  }
  // HTTP/1.0 clients need to be told of either, and it costs the others nothing.
  c.head += c.keep_alive ? "\r\nConnection: keep-alive\r\n\r\n" : "\r\nConnection: close\r\n\r\n";
  if (!has_no_body && !c.without_body) c.body = std::move(response.body);
  if (c.stream && c.chunked && !c.body.empty()) {
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), c.body.size(), 16);
    c.head.append(digits.data(), end.ptr).append("\r\n");
    c.body += "\r\n";
  }
  c.written = 0;
}

void Loop::send(const ConnectionPtr& c) {
  Io last = Io::done;
  for (;;) {
    const std::size_t of_head = std::min(c->written, c->head.size());
    const std::size_t of_body = c->written - of_head;
    const Moved moved = write(*c, std::string_view(c->head).substr(of_head),
                              std::string_view(c->body).substr(of_body));
    c->written += moved.bytes;
    if (c->written == c->head.size() + c->body.size()) return sent(c);
    last = moved.io;
    if (last == Io::wants_readable || last == Io::wants_writable) break;
    if (last != Io::done) return close(*c);
  }
  const bool first = c->stage != Stage::writing;
  if (first) {
    c->writes_since = Clock::now();
    hold(*c, c->head.capacity() + c->body.capacity());
  }
  enter(*c, Stage::writing);
  // Who does not take answers pays first when they are too many: that may be this one.
  while (first && held_ > settings_.limits.held_max_bytes) {
    auto& writing = by_stage_[static_cast<std::size_t>(Stage::writing)];
    if (writing.empty()) break;
    close(*ConnectionPtr(connections_.at(writing.front()->id)));
  }
  if (c->stage == Stage::writing) wait_writable(c);
}

// Leaves the connection idle, draining or closed; the caller goes on if it is idle.
void Loop::sent(const ConnectionPtr& c) {
  release(c->head);
  release(c->body);
  hold(*c, c->received.capacity());
  if (c->stream && !c->stream_over) {
    enter(*c, Stage::streaming);
    if (c->received.empty()) return wait_readable(c);  // or we would not see it go
    return;
  }
  end_stream(*c);
  if (c->keep_alive && !stopping_) return enter(*c, Stage::idle);
  // If a request was cut short or others lie behind it, closing would reset the connection and the
  // client could lose the answer.
  if (!c->cut_short && c->received.empty()) {
    if (c->tls) c->tls->say_goodbye();
    return close(*c);
  }
  release(c->received);
  if (c->tls) c->tls->say_goodbye();
  error_code ec;
  c->socket.shutdown(tcp::socket::shutdown_send, ec);
  if (ec) return close(*c);
  enter(*c, Stage::draining);
  wait_readable(c);
}

void Loop::drain(const ConnectionPtr& c) {
  for (int i = 0; i < drains_per_turn; ++i) {
    // Not through TLS: nobody will read it.
    const ssize_t n = ::recv(c->socket.native_handle(), buffer_.data(), buffer_.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) break;
    if (n <= 0) return close(*c);
    c->drained += static_cast<std::size_t>(n);
    if (c->drained > drained_bytes_max) return close(*c);  // it does not want to hear
  }
  wait_readable(c);
}

// ---- streams ----

// Sends what the stream has, until it has nothing more or the socket takes no more.
void Loop::pump(const ConnectionPtr& c, Stream::Why why) {
  if (c->stage != Stage::streaming) return;
  if (stopping_) why = Stream::Why::ending;
  for (int i = 0; i < parts_per_turn; ++i) {
    part_.clear();
    const std::size_t room = settings_.limits.stream_part_bytes;
    const bool over =
        c->stream->pull(part_, room, why) == Stream::Then::ends || why == Stream::Why::ending;
    if (part_.empty() && !over) return;

    std::array<char, 24> size;
    char* end = size.data();
    const std::size_t bytes = part_.size();
    if (c->chunked && bytes > 0) {
      end = std::to_chars(size.data(), size.data() + size.size(), bytes, 16).ptr;
      *end++ = '\r';
      *end++ = '\n';
      part_ += "\r\n";
    }
    if (c->chunked && over) part_ += "0\r\n\r\n";
    c->stream_over = over;
    const std::string_view head(size.data(), end);
    const Moved moved = write(*c, head, part_);
    if (moved.io == Io::broken || moved.io == Io::closed) return close(*c);
    if (moved.bytes < head.size() + part_.size()) {
      c->head = head;
      c->body = part_;
      c->written = moved.bytes;
      return send(c);  // it waits for the socket
    }
    sent(c);
    if (over) {
      if (c->stage == Stage::idle) proceed(c, {});
      return;
    }
    if (bytes < room) return;
    why = Stream::Why::ready;
  }
  asio::post(io_, [this, c] { pump(c, Stream::Why::ready); });  // others have their turn
}

void Loop::gather() {
  if (stopping_) return;
  if (gathers_) {
    news_meanwhile_ = true;
    return;
  }
  gathers_ = true;
  const std::chrono::milliseconds length(streams_ / streams_per_ms);
  gathering_.expires_after(std::min(length, gather_max));
  gathering_.async_wait([this](error_code ec) {
    if (ec || stopping_) return;
    news_meanwhile_ = false;
    for (const Connection* c : by_stage_[static_cast<std::size_t>(Stage::streaming)])
      to_flush_.push_back(c->id);
    flush_some();
  });
}

void Loop::flush_some() {
  for (std::size_t i = 0; i < pumps_per_turn && !to_flush_.empty(); ++i) {
    const auto found = connections_.find(to_flush_.back());
    to_flush_.pop_back();
    if (found != connections_.end()) pump(ConnectionPtr(found->second), Stream::Why::ready);
  }
  if (!to_flush_.empty()) return asio::post(io_, [this] { flush_some(); });
  gathers_ = false;
  if (news_meanwhile_) {
    news_meanwhile_ = false;
    gather();
  }
}

Response Loop::problem(int status, std::string_view code) const {
  if (settings_.problem) return settings_.problem(status, code);
  return {.status = status, .content_type = "text/plain", .body = std::string(code) + "\n"};
}

std::string_view Loop::date() {
  const std::time_t now = std::time(nullptr);
  if (now != date_second_) {
    date_second_ = now;
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    // Not %a and %b: those follow the locale.
    constexpr std::string_view days = "SunMonTueWedThuFriSat";
    constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    std::string text(days.substr(static_cast<std::size_t>(utc.tm_wday) * 3, 3));
    std::array<char, 40> rest{};
    std::strftime(rest.data(), rest.size(), ", %d ", &utc);
    text += rest.data();
    text += months.substr(static_cast<std::size_t>(utc.tm_mon) * 3, 3);
    std::strftime(rest.data(), rest.size(), " %Y %H:%M:%S GMT", &utc);
    text += rest.data();
    date_text_ = {};
    std::copy_n(text.data(), std::min(text.size(), date_text_.size() - 1), date_text_.data());
  }
  return date_text_.data();
}

void Loop::start_ticking() {
  if (ticking_) return;
  ticking_ = true;
  tick_.expires_after(tick_length_);
  tick_.async_wait([this](error_code) {
    ticking_ = false;
    expire();
    if (!connections_.empty()) start_ticking();
  });
}

void Loop::expire() {
  const Clock::time_point now = Clock::now();
  for (const Stage stage : {Stage::idle, Stage::reading, Stage::body, Stage::writing,
                            Stage::streaming, Stage::draining}) {
    auto& waiting = by_stage_[static_cast<std::size_t>(stage)];
    while (!waiting.empty() && waiting.front()->deadline <= now) {
      const ConnectionPtr c = connections_.at(waiting.front()->id);
      const bool shakes_hands = c->tls && !c->tls->ready();
      if ((stage == Stage::reading || stage == Stage::body) && !shakes_hands) {
        refuse(c, 408, "request_timeout");
      } else if (stage == Stage::streaming) {
        pump(c, Stream::Why::quiet);
        if (c->stage == Stage::streaming) enter(*c, Stage::streaming);
      } else {
        close(*c);
      }
    }
  }
  // A byte now and then is no way to take an answer.
  std::vector<ConnectionPtr> too_slow;
  for (const Connection* c : by_stage_[static_cast<std::size_t>(Stage::writing)]) {
    if (now - c->writes_since > duration(settings_.limits.answer_timeout))
      too_slow.push_back(connections_.at(c->id));
  }
  for (const ConnectionPtr& c : too_slow) close(*c);
}

}  // namespace

Reply::Reply(std::shared_ptr<ReplySink> sink, std::uint64_t ticket)
    : sink_(std::move(sink)), ticket_(ticket) {}

Reply& Reply::operator=(Reply&& other) noexcept {
  Reply old(std::exchange(sink_, std::move(other.sink_)), std::exchange(ticket_, other.ticket_));
  return *this;
}

Reply::~Reply() {
  if (sink_) sink_->deliver(ticket_, std::nullopt);
}

void Reply::operator()(Response response) {
  TENBIN_ASSERT(sink_ != nullptr);
  const std::shared_ptr<ReplySink> sink = std::move(sink_);
  sink->deliver(ticket_, std::move(response));
}

struct Server::Impl {
  ServerSettings settings;
  Handler handler;
  std::shared_ptr<Outbox> outbox = std::make_shared<Outbox>();
  std::unique_ptr<Loop> loop;
  std::thread thread;
  std::uint16_t port = 0;
};

Server::Server(ServerSettings settings, Handler handler) : impl_(std::make_unique<Impl>()) {
  TENBIN_ASSERT(handler != nullptr);
  impl_->settings = std::move(settings);
  impl_->handler = std::move(handler);
}

Server::~Server() {
  stop();
}

Result<void> Server::start() {
  TENBIN_ASSERT(!impl_->loop);
  try {
    auto loop = std::make_unique<Loop>(impl_->settings, impl_->handler, impl_->outbox);
    const Result<std::uint16_t> port = loop->listen();
    if (!port) return std::unexpected(port.error());
    // All of this before the thread, whose first request may want it.
    impl_->port = *port;
    impl_->outbox->lead_to(loop.get());

    // Signals belong to whoever owns the process, so the thread is born with all of them blocked.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      impl_->thread = std::thread([run = loop.get()] { run->run(); });
    } catch (...) {
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      impl_->outbox->lead_to(nullptr);
      throw;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    impl_->loop = std::move(loop);
    return {};
  } catch (const std::exception& e) {
    return failed(std::string("cannot start the HTTP server: ") + e.what());
  }
}

std::uint16_t Server::port() const {
  return impl_->port;
}

Server::Figures Server::figures() const {
  return {.connections = impl_->outbox->connections, .streams = impl_->outbox->streams};
}

void Server::post(std::move_only_function<void()> task) {
  impl_->outbox->post(std::move(task));
}

Result<void> Server::reload_certificate() {
  const ServerSettings& settings = impl_->settings;
  if (settings.tls_certificate.empty()) return {};
  auto context = TlsContext::for_server(settings.tls_certificate, settings.tls_key);
  if (!context) return std::unexpected(context.error());
  // Connections of the old one keep it for as long as they last.
  impl_->outbox->post([loop = impl_->loop.get(), fresh = std::move(*context)]() mutable {
    loop->use(std::move(fresh));
  });
  return {};
}

void Server::wake_streams() {
  impl_->outbox->wake_streams();
}

void Server::stop() {
  if (impl_->thread.joinable()) {
    TENBIN_ASSERT(impl_->thread.get_id() != std::this_thread::get_id());
    impl_->outbox->post([loop = impl_->loop.get()] { loop->begin_stop(); });
    impl_->thread.join();
  }
  impl_->outbox->close();
  impl_->loop.reset();
}

}  // namespace tenbin::net
