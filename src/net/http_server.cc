#include "net/http_server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
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

// How it is made. One thread runs everything below. A connection that waits for a request is a
// socket and a place in a list: bytes are read into one buffer that all connections share, a parser
// exists only between the first and the last byte of a request, and deadlines are the order of a
// list, not a timer each.

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

std::chrono::milliseconds duration(Span span) {
  return std::chrono::milliseconds{span.count};
}

bool would_block(const error_code& ec) {
  return ec == asio::error::would_block || ec == asio::error::try_again;
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
  reading,    // some bytes of a request
  answering,  // the handler has it; no deadline
  writing,    // the kernel took only a part of the answer
  draining,   // all is said, the client still talks
  closed,
};
constexpr std::size_t stages = 5;

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
  bool without_body = false;              // the answer is to HEAD
  bool cut_short = false;                 // refused before its request was all here
  std::unique_ptr<RequestParser> parser;  // while a request comes in
  std::string received;                   // what the parser could not use yet
  std::string head;                       // of the answer
  std::string body;
  std::size_t written = 0;  // of both
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
  void take(std::vector<Delivery>& deliveries, std::vector<Task>& tasks);
  void enter_thread() { io_thread_.store(std::this_thread::get_id()); }
  void leave_thread() { io_thread_.store({}); }
  bool on_io_thread() const { return io_thread_.load() == std::this_thread::get_id(); }

 private:
  void wake();  // under the lock

  std::mutex lock_;
  std::atomic<std::thread::id> io_thread_;
  Loop* loop_ = nullptr;
  bool closed_ = false;
  bool woken_ = false;
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
  /// Takes the answer at once if `ticket` is what the handler was just called with.
  bool answers_at_once(std::uint64_t ticket, std::optional<Response>& response);

 private:
  void wait_accept();
  void accept_some();
  void welcome(int fd, const sockaddr_storage& address);
  void empty_outbox();

  void enter(Connection& c, Stage stage);
  void close(Connection& c);
  void wait_readable(const ConnectionPtr& c);
  void receive(const ConnectionPtr& c);
  void proceed(const ConnectionPtr& c, std::string_view fresh);
  void dispatch(const ConnectionPtr& c);
  void answer(const ConnectionPtr& c, std::optional<Response> response);
  void refuse(const ConnectionPtr& c, int status, std::string_view code);
  void prepare(Connection& c, Response response);
  void send(const ConnectionPtr& c);
  void sent(const ConnectionPtr& c);
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
  std::array<Span, stages> timeouts_;
  std::chrono::milliseconds tick_length_;
  bool ticking_ = false;
  bool stopping_ = false;

  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, ConnectionPtr> connections_;
  std::array<std::list<Connection*>, stages> by_stage_;

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

void Outbox::take(std::vector<Delivery>& deliveries, std::vector<Task>& tasks) {
  const std::lock_guard guard(lock_);
  woken_ = false;
  deliveries.swap(deliveries_);
  tasks.swap(tasks_);
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
      timeouts_{settings.idle_timeout, settings.request_timeout, Span{}, settings.write_timeout,
                linger_timeout} {
  // Late by an eighth at most, and never more than four looks a second.
  const Span shortest =
      std::min({settings.idle_timeout, settings.request_timeout, settings.write_timeout});
  tick_length_ = duration(Span{std::clamp<std::int64_t>(shortest.count / 8, 2, 250)});
}

Result<std::uint16_t> Loop::listen() {
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
  outbox_->take(deliveries_, tasks_);
  for (Delivery& delivery : deliveries_) {
    const auto found = connections_.find(delivery.ticket);
    if (found == connections_.end()) continue;
    const ConnectionPtr c = found->second;
    if (c->stage != Stage::answering) continue;
    answer(c, std::move(delivery.response));
    if (c->stage == Stage::idle) proceed(c, {});
  }
  deliveries_.clear();
  for (Task& task : tasks_) task();
  tasks_.clear();
}

void Loop::begin_stop() {
  stopping_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  grace_.expires_after(duration(settings_.stop_grace));
  grace_.async_wait([this](error_code ec) {
    if (ec) return;
    while (!connections_.empty()) close(*ConnectionPtr(connections_.begin()->second));
  });
  std::vector<ConnectionPtr> all;
  for (const auto& [id, c] : connections_) all.push_back(c);
  for (const ConnectionPtr& c : all) {
    // A request may lie in the kernel: take it, or close.
    if (c->stage == Stage::idle) receive(c);
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
    // No descriptors or no memory. The client stays in the queue and the socket stays readable, so
    // asking again at once would spin.
    pause_.expires_after(accept_pause);
    pause_.async_wait([this](error_code ec) {
      if (!ec && !stopping_) accept_some();
    });
    return;
  }
  wait_accept();
}

void Loop::welcome(int fd, const sockaddr_storage& address) {
  // Those who are told that there is no room take room as well, for as long as they linger.
  if (connections_.size() >= settings_.connections_max + settings_.connections_max / 16 + 1) {
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

  const bool full = connections_.size() >= settings_.connections_max;
  auto& idle = by_stage_[static_cast<std::size_t>(Stage::idle)];
  c->place = idle.insert(idle.end(), c.get());
  connections_.emplace(c->id, c);
  enter(*c, Stage::idle);
  start_ticking();
  if (full) {
    refuse(c, 503, "too_many_connections");
  } else {
    wait_readable(c);
  }
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
  error_code ignored;
  c.socket.close(ignored);
  connections_.erase(c.id);
  end_if_empty();
}

void Loop::wait_readable(const ConnectionPtr& c) {
  if (c->waits_readable) return;
  c->waits_readable = true;
  c->socket.async_wait(tcp::socket::wait_read, [this, c](error_code) {
    c->waits_readable = false;
    if (c->stage == Stage::idle || c->stage == Stage::reading) receive(c);
    if (c->stage == Stage::draining) drain(c);
  });
}

void Loop::receive(const ConnectionPtr& c) {
  error_code ec;
  const std::size_t n = c->socket.read_some(asio::buffer(buffer_), ec);
  if (would_block(ec)) {
    if (stopping_ && c->stage == Stage::idle) return close(*c);
    return wait_readable(c);
  }
  if (ec) return close(*c);  // gone, or half closed between requests: nothing left to answer
  proceed(c, {buffer_.data(), n});
}

// Goes on with a connection as far as it can: requests that came in one piece are answered one
// after the other, in a loop because recursion would let a client choose our stack's depth.
void Loop::proceed(const ConnectionPtr& c, std::string_view fresh) {
  std::string held = std::exchange(c->received, {});
  if (!held.empty()) {
    held += fresh;
    fresh = held;
  }
  while (!fresh.empty() && (c->stage == Stage::idle || c->stage == Stage::reading)) {
    if (!c->parser) {
      c->parser = std::make_unique<RequestParser>(RequestLimits{
          .header_bytes = settings_.header_max_bytes, .body_bytes = settings_.body_max_bytes});
    }
    const RequestParser::Step step = c->parser->feed(fresh);
    fresh.remove_prefix(step.used);
    switch (step.parsing) {
      case Parsing::unfinished:
        if (c->stage == Stage::idle) enter(*c, Stage::reading);
        c->received = fresh;
        if (c->parser->owes_continue()) {
          constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
          error_code ec;
          const std::size_t n = c->socket.write_some(asio::buffer(text.data(), text.size()), ec);
          if (ec || n != text.size()) return close(*c);  // it never reads: not one to wait for
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
  } else if (c->stage == Stage::answering || c->stage == Stage::writing) {
    c->received = fresh;
  }
}

void Loop::dispatch(const ConnectionPtr& c) {
  Request request = c->parser->take();
  request.peer = c->peer;
  c->keep_alive = c->parser->keep_alive();
  c->without_body = request.method == "HEAD";
  c->parser.reset();
  enter(*c, Stage::answering);

  dispatching_ = c->id;
  handler_(std::move(request), Reply(outbox_, c->id));
  dispatching_ = 0;
  if (!immediate_) return;
  std::optional<Response> response = std::move(immediate_->response);
  immediate_.reset();
  answer(c, std::move(response));
}

bool Loop::answers_at_once(std::uint64_t ticket, std::optional<Response>& response) {
  if (ticket != dispatching_) return false;
  immediate_ = Delivery{ticket, std::move(response)};
  return true;
}

void Loop::answer(const ConnectionPtr& c, std::optional<Response> response) {
  prepare(*c, response ? std::move(*response) : problem(500, "internal_error"));
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
  if (!has_no_body) {
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
  c.written = 0;
}

void Loop::send(const ConnectionPtr& c) {
  for (;;) {
    const std::size_t of_head = std::min(c->written, c->head.size());
    const std::size_t of_body = c->written - of_head;
    const std::array<asio::const_buffer, 2> rest = {
        asio::buffer(c->head.data() + of_head, c->head.size() - of_head),
        asio::buffer(c->body.data() + of_body, c->body.size() - of_body)};
    error_code ec;
    c->written += c->socket.write_some(rest, ec);
    if (c->written == c->head.size() + c->body.size()) return sent(c);
    if (would_block(ec)) break;
    if (ec) return close(*c);
  }
  enter(*c, Stage::writing);
  if (c->waits_writable) return;
  c->waits_writable = true;
  c->socket.async_wait(tcp::socket::wait_write, [this, c](error_code) {
    c->waits_writable = false;
    if (c->stage != Stage::writing) return;
    send(c);
    if (c->stage == Stage::idle) proceed(c, {});
  });
}

// Leaves the connection idle, draining or closed; the caller goes on if it is idle.
void Loop::sent(const ConnectionPtr& c) {
  release(c->head);
  release(c->body);
  if (c->keep_alive && !stopping_) return enter(*c, Stage::idle);
  // If a request was cut short or others lie behind it, closing would reset the connection and the
  // client could lose the answer.
  if (!c->cut_short && c->received.empty()) return close(*c);
  release(c->received);
  error_code ec;
  c->socket.shutdown(tcp::socket::shutdown_send, ec);
  if (ec) return close(*c);
  enter(*c, Stage::draining);
  wait_readable(c);
}

void Loop::drain(const ConnectionPtr& c) {
  for (int i = 0; i < drains_per_turn; ++i) {
    error_code ec;
    c->socket.read_some(asio::buffer(buffer_), ec);
    if (would_block(ec)) break;
    if (ec) return close(*c);
  }
  wait_readable(c);
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
  for (const Stage stage : {Stage::idle, Stage::reading, Stage::writing, Stage::draining}) {
    auto& waiting = by_stage_[static_cast<std::size_t>(stage)];
    while (!waiting.empty() && waiting.front()->deadline <= now) {
      const ConnectionPtr c = connections_.at(waiting.front()->id);
      if (stage == Stage::reading) {
        refuse(c, 408, "request_timeout");
      } else {
        close(*c);
      }
    }
  }
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

void Server::post(std::move_only_function<void()> task) {
  impl_->outbox->post(std::move(task));
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
