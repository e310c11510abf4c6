// The service's door: reading one job, a thousand readers of what happens, ten thousand idle
// connections. The client is on the same cores.

#include <sys/epoll.h>
#include <sys/resource.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <cstring>
#include <ctime>
#include <sstream>
#include <thread>

#include "codec/hash.h"
#include "nginx.h"
#include "served.h"

namespace tenbin::bench {

namespace {

// ---- the HTTP library's own hello ----

namespace beast = boost::beast;
namespace http = beast::http;
using boost::asio::ip::tcp;

class HelloSession : public std::enable_shared_from_this<HelloSession> {
 public:
  explicit HelloSession(tcp::socket socket) : stream_(std::move(socket)) {}
  void read() {
    request_ = {};
    http::async_read(stream_, buffer_, request_,
                     [self = shared_from_this()](beast::error_code ec, std::size_t) {
                       if (!ec) self->answer();
                     });
  }

 private:
  void answer() {
    response_ = {http::status::ok, request_.version()};
    response_.set(http::field::content_type, "application/json");
    response_.keep_alive(request_.keep_alive());
    response_.body() = "{\"hello\":\"world\"}\n}";
    response_.prepare_payload();
    http::async_write(stream_, response_,
                      [self = shared_from_this()](beast::error_code ec, std::size_t) {
                        if (!ec) self->read();
                      });
  }
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  http::request<http::string_body> request_;
  http::response<http::string_body> response_;
};

/// In a process of its own, as the service is.
class Hello {
 public:
  Hello() {
    boost::asio::io_context io(1);
    tcp::acceptor acceptor(io, {boost::asio::ip::address_v4::loopback(), 0});
    port_ = acceptor.local_endpoint().port();
    io.notify_fork(boost::asio::io_context::fork_prepare);
    child_ = ::fork();
    if (child_ != 0) {
      io.notify_fork(boost::asio::io_context::fork_parent);
      return;
    }
    io.notify_fork(boost::asio::io_context::fork_child);
    std::function<void()> accept = [&] {
      acceptor.async_accept([&](beast::error_code ec, tcp::socket socket) {
        if (!ec) {
          socket.set_option(tcp::no_delay(true), ec);
          std::make_shared<HelloSession>(std::move(socket))->read();
        }
        accept();
      });
    };
    accept();
    io.run();
    ::_exit(0);
  }
  ~Hello() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  std::uint16_t port() const { return port_; }

 private:
  pid_t child_ = 0;
  std::uint16_t port_ = 0;
};

// ---- a client of many connections ----

int connected(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    give_up(std::string("cannot connect: ") + std::strerror(errno));
  return fd;
}

void send_all(int fd, std::string_view text) {
  if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
    give_up("a connection was closed");
}

struct Rate {
  double per_second = 0, p99_ms = 0;
};

/// Connections that each ask again as soon as they are answered, until `over` says so. An answer
/// ends with '}'.
template <class Over>
Rate ask_on(std::uint16_t port, std::size_t connections,
            const std::function<std::string()>& request, std::string_view good, Over&& over) {
  struct Connection {
    int fd = -1;
    double asked = 0;
    std::string got;
  };
  std::vector<Connection> all(connections);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  for (std::size_t i = 0; i < connections; ++i) {
    all[i].fd = connected(port);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
    all[i].asked = now_s();
    send_all(all[i].fd, request());
  }
  std::vector<double> latencies;
  const double began = now_s();
  std::array<epoll_event, 64> events;
  std::array<char, 8192> part;
  while (!over()) {
    const int n = ::epoll_wait(poll, events.data(), events.size(), 5'000);
    if (n <= 0) give_up("no answer within five seconds");
    for (int e = 0; e < n; ++e) {
      Connection& c = all[events[static_cast<std::size_t>(e)].data.u64];
      const ssize_t got = ::recv(c.fd, part.data(), part.size(), 0);
      if (got <= 0) give_up("a connection was closed");
      c.got.append(part.data(), static_cast<std::size_t>(got));
      if (c.got.back() != '}') continue;
      if (!c.got.starts_with(good)) give_up("refused: " + c.got);
      const double now = now_s();
      latencies.push_back(now - c.asked);
      c.asked = now;
      c.got.clear();
      send_all(c.fd, request());
    }
  }
  const double seconds = now_s() - began;
  for (const Connection& c : all) ::close(c.fd);
  ::close(poll);
  if (latencies.empty()) give_up("nothing was answered");
  std::ranges::sort(latencies);
  return {static_cast<double>(latencies.size()) / seconds,
          latencies[latencies.size() * 99 / 100] * 1e3};
}

auto for_seconds(double seconds) {
  return [until = now_s() + seconds] { return now_s() >= until; };
}

std::string get(const Service& service, const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " +
         service.token() + "\r\n\r\n";
}

std::string submission(const Service& service, const std::string& project) {
  static std::atomic<std::uint64_t> number{static_cast<std::uint64_t>(now_s() * 1e6)};
  std::string body = job_body;
  body.replace(body.find("bench"), 5, project);
  return "POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " + service.token() +
         "\r\nContent-Type: application/json\r\nIdempotency-Key: " +
         to_uuid({0x0190000000007000u, 0x8000000000000000u | ++number}) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void raise_files() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

// ---- reading one job ----

std::vector<Measurement> http_read(const Options& options) {
  constexpr std::size_t connections = 32;
  constexpr std::uint64_t jobs = 100'000;
  const TemporaryFolder folder;
  Service service(folder / "state");
  set_up(service);
  std::uint64_t made = 0;
  const auto submit = [&] {
    ++made;
    return submission(service, "bench");
  };
  // The last ones may not have been answered.
  ask_on(service.port(), 64, submit, "HTTP/1.1 201", [&] { return made > jobs + 200; });
  const Hello hello;
  const std::string asked_hello = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  std::uint64_t n = 0;
  std::vector<double> tails;
  Measurement read = in_turn(
      {.name = "http_read",
       .unit = "requests/s",
       .limit_name = "requests/s of the HTTP library's own hello",
       .note = "GET /v1/jobs/{id}, 100,000 live jobs, 32 connections, client on the same cores; "
               "asked: 20000"},
      options,
      [&] {
        const Rate rate = ask_on(
            service.port(), connections,
            [&] { return get(service, "/v1/jobs/" + std::to_string(1 + (n += 7'919) % jobs)); },
            "HTTP/1.1 200", for_seconds(1));
        tails.push_back(rate.p99_ms);
        return rate.per_second;
      },
      [&] {
        return ask_on(
                   hello.port(), connections, [&] { return asked_hello; }, "HTTP/1.1 200",
                   for_seconds(1))
            .per_second;
      });
  return {read, {"http_read_p99", median(tails), "ms", options.rounds, "asked", 25, ""}};
}
const Registered reading{"http_read", http_read};

// ---- a thousand readers ----

std::int64_t ms_of_day(std::string_view text) {  // "...T12:34:56.789Z"
  const auto two = [&](std::size_t at) { return (text[at] - '0') * 10 + (text[at + 1] - '0'); };
  std::int64_t ms = ((two(11) * 60 + two(14)) * 60 + two(17)) * 1'000;
  if (text[19] == '.') {
    std::int64_t scale = 100;
    for (std::size_t i = 20; scale > 0 && text[i] >= '0' && text[i] <= '9'; ++i, scale /= 10)
      ms += (text[i] - '0') * scale;
  }
  return ms;
}
std::int64_t ms_of_day() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return (now.tv_sec % 86'400) * 1'000 + now.tv_nsec / 1'000'000;
}

/// Streams of one project's events. The delay is taken of the oldest event of each part that comes.
class Readers {
 public:
  Readers(const Service& service, std::size_t count) : poll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < count; ++i) {
      fds_.push_back(connected(service.port()));
      send_all(fds_.back(), get(service, "/v1/events?project=bench&kinds=JobQueued"));
      epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
      ::epoll_ctl(poll_, EPOLL_CTL_ADD, fds_.back(), &event);
    }
    thread_ = std::thread([this] { read(); });
  }
  ~Readers() {
    over_ = true;
    thread_.join();
    for (const int fd : fds_) ::close(fd);
    ::close(poll_);
  }
  void begin() { measures_ = true; }
  /// The delays in ms, and events that the last stream was told of.
  std::vector<double> end() {
    measures_ = false;
    ::usleep(50'000);
    return delays_;
  }
  std::uint64_t events() const { return events_; }

 private:
  void read() {
    std::vector<char> part(256 * 1024);
    std::array<epoll_event, 128> events;
    while (!over_) {
      const int n = ::epoll_wait(poll_, events.data(), events.size(), 100);
      for (int e = 0; e < n; ++e) {
        const std::size_t i = events[static_cast<std::size_t>(e)].data.u64;
        const ssize_t got = ::recv(fds_[i], part.data(), part.size(), 0);
        if (got <= 0) give_up("a stream was ended");
        const std::string_view text(part.data(), static_cast<std::size_t>(got));
        const std::size_t at = text.find("\"at\":\"");
        if (measures_ && at != std::string_view::npos && at + 40 < text.size())
          delays_.push_back(static_cast<double>(ms_of_day() - ms_of_day(text.substr(at + 6))));
        if (i + 1 != fds_.size()) continue;
        for (std::size_t p = 0; (p = text.find("\"at\":\"", p)) != std::string_view::npos; ++p)
          ++events_;
      }
    }
  }

  int poll_;
  std::vector<int> fds_;
  std::atomic<bool> over_ = false, measures_ = false;
  std::vector<double> delays_;
  std::atomic<std::uint64_t> events_ = 0;
  std::thread thread_;
};

std::vector<Measurement> sse_fanout(const Options& options) {
  constexpr std::size_t readers = 1'000;
  constexpr double events_per_second = 500, seconds = 3;
  raise_files();
  const TemporaryFolder folder;
  Service service(folder / "state");
  set_up(service);
  service.post("/v1/projects", R"({"name":"other","organisation":"o"})");
  service.post("/v1/allocations",
               R"({"name":"b","grant":"g","project":"other","amount":"900000000000"})");
  // The rate of submissions that nobody follows, while 500 a second are submitted that all follow.
  const auto rate = [&] {
    std::atomic<bool> over = false;
    std::thread paced([&] {
      const int fd = connected(service.port());
      std::array<char, 8192> part;
      const double began = now_s();
      for (int i = 0; !over; ++i) {
        const double wait = began + i / events_per_second - now_s();
        if (wait > 0) ::usleep(static_cast<useconds_t>(wait * 1e6));
        send_all(fd, submission(service, "bench"));
        if (::recv(fd, part.data(), part.size(), 0) <= 0) give_up("a connection was closed");
      }
      ::close(fd);
    });
    const Rate all = ask_on(
        service.port(), 32, [&] { return submission(service, "other"); }, "HTTP/1.1 201",
        for_seconds(seconds));
    over = true;
    paced.join();
    return all.per_second;
  };
  // The delay when nothing else is asked of the service.
  const auto pace = [&] {
    const int fd = connected(service.port());
    std::array<char, 8192> part;
    const double began = now_s();
    int i = 0;
    for (; now_s() < began + seconds; ++i) {
      const double wait = began + i / events_per_second - now_s();
      if (wait > 0) ::usleep(static_cast<useconds_t>(wait * 1e6));
      send_all(fd, submission(service, "bench"));
      if (::recv(fd, part.data(), part.size(), 0) <= 0) give_up("a connection was closed");
    }
    ::close(fd);
    return i / (now_s() - began);
  };
  std::vector<double> alone, beside, delays, paced;
  const int rounds = std::min(options.rounds, 3);
  rate();
  for (int round = 0; round < rounds; ++round) {
    alone.push_back(rate());
    Readers all(service, readers);
    ::usleep(500'000);
    all.begin();
    const std::uint64_t before = all.events();
    const double sent = pace();
    paced.push_back(sent);
    ::usleep(500'000);
    std::vector<double> round_delays = all.end();
    if (static_cast<double>(all.events() - before) < sent * seconds * 0.98)
      give_up("events were lost on the way");
    if (round_delays.empty()) give_up("nothing came");
    std::ranges::sort(round_delays);
    delays.push_back(round_delays[round_delays.size() * 99 / 100]);
    beside.push_back(rate());
  }
  const double loss = 100 * (1 - median(beside) / median(alone));
  return {{"sse_fanout_delay_p99", median(delays), "ms", rounds, "asked", 1'000,
           "1,000 streams, " + std::to_string(static_cast<int>(median(paced))) +
               " events/s, from the record's instant to the reader; readers on the same cores"},
          {"sse_fanout_submit_loss", loss, "%", rounds, "asked", 20,
           "submissions/s of 32 connections beside 500 events/s: " +
               std::to_string(static_cast<int>(median(alone))) + " without readers, " +
               std::to_string(static_cast<int>(median(beside))) + " with 1,000"}};
}
const Registered fanout{"sse_fanout", sse_fanout};

// ---- idle connections ----

struct Idle {
  double kib_each = 0, p99_ms = 0;
};

/// Opens `wanted` connections, each used once, and then asks on some of them.
template <class Memory>
Idle idle_on(std::uint16_t port, std::size_t wanted, int rounds, const std::string& request,
             Memory&& rss) {
  std::array<char, 4096> part;
  const auto ask = [&](int fd) {
    const double began = now_s();
    send_all(fd, request);
    if (::recv(fd, part.data(), part.size(), 0) <= 0) give_up("a connection was closed");
    return (now_s() - began) * 1e3;
  };
  const int first = connected(port);
  for (int i = 0; i < 100; ++i) ask(first);
  const double before = rss();
  std::vector<int> fds;
  for (std::size_t i = 0; i < wanted; ++i) {
    fds.push_back(connected(port));
    ask(fds.back());
  }
  Idle found{.kib_each = (rss() - before) / static_cast<double>(wanted)};
  std::vector<double> tails;
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> delays;
    for (std::size_t i = 0; i < 1'000; ++i) delays.push_back(ask(fds[i * 7'919 % fds.size()]));
    std::ranges::sort(delays);
    tails.push_back(delays[990]);
  }
  found.p99_ms = median(tails);
  for (const int fd : fds) ::close(fd);
  ::close(first);
  return found;
}

std::vector<Measurement> idle_connections(const Options& options) {
  raise_files();
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const std::size_t wanted = std::min<std::size_t>(10'000, files.rlim_cur - 100);
  const TemporaryFolder folder;
  Service service(folder / "state");
  const Idle ours = idle_on(service.port(), wanted, options.rounds, get(service, "/v1/whoami"),
                            [&] { return rss_kib(service.process()); });
  service.end(SIGTERM);
  std::string beside = "asked: 32 KiB, 10 ms; no peer: ";
  Idle peer{32, 10};
  const auto nginx = Nginx::start("location / { return 200 '{\"hello\":\"world\"}'; }", wanted + 1);
  if (nginx) {
    peer = idle_on(nginx->port(), wanted, options.rounds, get(service, "/v1/whoami"),
                   [&] { return nginx->rss_kib(); });
    beside = "asked: 32 KiB, 10 ms";
  } else {
    beside += Nginx::why_not();
  }
  const std::string note =
      std::to_string(wanted) + " keep-alive connections, each used once; " + beside;
  const char* const limit = nginx ? "nginx, the same" : "asked";
  return {{"idle_connections_memory", ours.kib_each, "KiB each", 1, limit, peer.kib_each, note},
          {"idle_connections_p99", ours.p99_ms, "ms", options.rounds, limit, peer.p99_ms,
           "the next request on one of them"}};
}
const Registered idle{"idle_connections", idle_connections};

}  // namespace

}  // namespace tenbin::bench
