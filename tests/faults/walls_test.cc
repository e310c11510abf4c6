// Slow and hostile clients against the real program: others are served meanwhile, and memory stays
// bounded.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <sstream>

#include "faults/service.h"

namespace tenbin::faults {
namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point began) {
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

class Raw {
 public:
  explicit Raw(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_ >= 0);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  Raw(const Raw&) = delete;
  ~Raw() { ::close(fd_); }
  /// False if the other end took no more.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  std::string read_until(std::string_view end) const {
    std::string all;
    char part[16 * 1024];
    while (end.empty() || all.find(end) == std::string::npos) {
      const ssize_t n = ::recv(fd_, part, sizeof part, 0);
      if (n <= 0) break;
      all.append(part, static_cast<std::size_t>(n));
    }
    return all;
  }
  /// The status of the answer, once all of it is there or the connection has ended; 0 if none.
  int status() const {
    const std::string text = read_until("}");
    return text.starts_with("HTTP/1.1 ") ? std::atoi(text.c_str() + 9) : 0;
  }

 private:
  int fd_;
};
using Raws = std::vector<std::unique_ptr<Raw>>;

struct Walls {
  TestFolder folder;
  Daemon daemon;
  explicit Walls(std::vector<std::string> options, std::function<void()> before = {})
      : daemon({.state = folder.state(),
                .work = folder.work(),
                .more = std::move(options),
                .before_exec = std::move(before)}) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    REQUIRE_MESSAGE(daemon.start(), daemon.words());
  }
  std::uint16_t port() const {
    const std::string url = daemon.url();
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  Raws connect(std::size_t n) const {
    Raws all;
    for (std::size_t i = 0; i < n; ++i) all.push_back(std::make_unique<Raw>(port()));
    return all;
  }
  std::int64_t rss_kib() const {
    std::istringstream words(contents("/proc/" + std::to_string(daemon.process()) + "/status"));
    for (std::string word; words >> word;) {
      std::int64_t kib = 0;
      if (word == "VmRSS:" && words >> kib) return kib;
    }
    return 0;
  }
  /// How long the slowest of some requests of a well-behaved client took.
  double others_ms(int requests = 20) const {
    Caller good(daemon.url(), daemon.token());
    double slowest = 0;
    for (int i = 0; i < requests; ++i) {
      const auto began = Clock::now();
      const Reply reply = good.get("/v1/whoami");
      REQUIRE_MESSAGE(reply.status == 200, reply.trouble);
      slowest = std::max(slowest, ms_since(began));
    }
    return slowest;
  }
};

// Far above what is normal, far below what a client would notice as an outage.
constexpr double served_ms = 500;

TEST_CASE("a byte now and then, and bodies that never come: told so in time, others are served") {
  Walls walls({"--header-timeout-ms", "1000", "--body-timeout-ms", "1500"});
  const Raws headers = walls.connect(200), bodies = walls.connect(200);
  for (const auto& raw : bodies)
    raw->send("POST /v1/jobs HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n");
  const auto began = Clock::now();
  const std::string drip = "GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + std::string(1'000, 'x');
  for (std::size_t i = 0; ms_since(began) < 2'500; ++i) {
    for (const auto& raw : headers) raw->send(drip.substr(i, 1));
    for (const auto& raw : bodies) raw->send("x");
    CHECK(walls.others_ms(2) < served_ms);
    rest(50);
  }
  for (const auto& raw : headers) CHECK(raw->status() == 408);
  for (const auto& raw : bodies) CHECK(raw->status() == 408);
}

TEST_CASE("bodies without an end and headers without an end are cut off") {
  Walls walls({});
  const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
  const auto endless = [&](const std::string& head, const std::string& more) {
    {
      const Raw raw(walls.port());
      raw.send(head);
      std::size_t sent = 0;
      while (sent < 256 * 1024 * 1024 && raw.send(more)) sent += more.size();
      CHECK(sent < 64 * 1024 * 1024);
    }
    const Raw raw(walls.port());
    raw.send(head);
    for (std::size_t sent = 0; sent < 2 * 1024 * 1024 && raw.send(more);) sent += more.size();
    return raw.status();
  };
  const std::string post = "POST /v1/jobs HTTP/1.1\r\nHost: h\r\n";
  CHECK(endless(post + "Transfer-Encoding: chunked\r\n\r\n", chunk) == 413);
  CHECK(endless("GET / HTTP/1.1\r\nHost: h\r\n", "X-Header: " + std::string(500, 'y') + "\r\n") ==
        431);
  CHECK(endless("GET /" + std::string(1'000, 'a'), std::string(10'000, 'a')) == 431);
  CHECK(endless(post + "Content-Length: 99999999\r\n\r\n", chunk) == 413);
  CHECK(endless(post + "Transfer-Encoding: chunked\r\n\r\n", "1;" + std::string(50'000, 'e')) ==
        400);
  CHECK(walls.others_ms() < served_ms);
  CHECK(walls.rss_kib() < 200'000);
}

TEST_CASE("what two servers could understand in two ways is refused") {
  Walls walls({});
  const std::string post = "POST /v1/quote HTTP/1.1\r\nHost: h\r\n";
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: h\r\n";
  for (const std::string& text : std::vector<std::string>{
           post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
           post + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\nx",
           post + "Transfer-Encoding: chunked\r\n\r\n-1\r\nx",
           post + "Transfer-Encoding: chunked\r\n\r\n0x4\r\nbody\r\n0\r\n\r\n",
           post + "Transfer-Encoding: chunked\r\n\r\n4\r\nbodyX\r\n0\r\n\r\n",
           post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
           post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           post + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
           post + "Content-Length: +4\r\n\r\nbody", post + "Content-Length: 4,4\r\n\r\nbody",
           post + "Content-Length : 4\r\n\r\nbody", get + "X: a\rb: c\r\n\r\n",
           get + "X: a\0b\r\n\r\n" + std::string(1, '\0') + "\r\n\r\n", get + "X\r\n\r\n",
           get + "Host: i\r\n\r\n", "GET /healthz HTTP/1.1\r\n\r\n",
           "GET  /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "GET /healthz HTTP/1.9\r\nHost: h\r\n\r\n",
           "GET healthz HTTP/1.1\r\nHost: h\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                                                      "aaaaaaaa\r\n\r\n"}) {
    CAPTURE(text);
    const Raw raw(walls.port());
    raw.send(text);
    const int status = raw.status();
    CHECK((status == 400 || status == 413));
  }
  // What is sent back is never taken for a header.
  const Raw raw(walls.port());
  raw.send("GET /v1/whoami%0d%0aSet-Cookie:%20a=b?%0d%0aX: 1 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(raw.read_until("}").find("\nSet-Cookie") == std::string::npos);
  CHECK(walls.others_ms() < served_ms);
}

TEST_CASE("a thousand requests in one piece are answered in order, beside others") {
  Walls walls({});
  const Raw raw(walls.port());
  std::string many;
  for (int i = 0; i < 1'000; ++i) {
    many += i % 2 ? "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
                  : "GET /v1/nothing HTTP/1.1\r\nHost: h\r\n\r\n";
  }
  many += "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  raw.send(many);
  CHECK(walls.others_ms() < served_ms);
  const std::string all = raw.read_until("");
  std::string order;
  for (std::size_t at = 0; (at = all.find("HTTP/1.1 ", at)) != std::string::npos; ++at)
    order += all[at + 9];
  std::string expected;
  for (int i = 0; i < 1'000; ++i) expected += i % 2 ? '2' : '4';
  CHECK(order == expected + "2");
}

TEST_CASE("unfinished requests of all clients together have a bound") {
  Walls walls({"--body-timeout-ms", "20000"});
  Raws all = walls.connect(600);
  const std::string half =
      "POST /v1/jobs HTTP/1.1\r\nHost: h\r\nContent-Length: 1048576\r\n\r\n" +
      std::string(1'000'000, 'x');
  for (const auto& raw : all) raw->send(half);
  CHECK(walls.others_ms() < served_ms);
  CHECK(walls.rss_kib() < 450'000);
  CHECK(all.back()->status() == 503);
  all.clear();
  CHECK(within(10, [&] {
    const Raw raw(walls.port());
    raw.send(half);
    raw.send(std::string(48'576, 'x'));
    return raw.status() == 401;  // taken, and looked at
  }));
}

TEST_CASE("ten thousand idle connections: little memory each, and the next request at once") {
  Walls walls({"--idle-timeout-ms", "600000"});
  rlimit files{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &files) == 0);
  const auto wanted = std::min<std::size_t>(10'000, files.rlim_cur / 2);
  CHECK(walls.others_ms() < served_ms);
  const std::int64_t before = walls.rss_kib();
  const Raws all = walls.connect(wanted);
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const auto& raw : all) {
    raw->send(get);
    CHECK(raw->status() == 200);
  }
  const double each_kib =
      static_cast<double>(walls.rss_kib() - before) / static_cast<double>(wanted);
  MESSAGE(wanted, " idle connections, ", each_kib, " KiB each");
  CHECK(each_kib < 32);
  double slowest = 0;
  for (std::size_t i = 0; i < wanted; i += wanted / 50) {
    const auto began = Clock::now();
    all[i]->send(get);
    CHECK(all[i]->status() == 200);
    slowest = std::max(slowest, ms_since(began));
  }
  CHECK(slowest < served_ms);
  CHECK(walls.others_ms() < served_ms);
}

TEST_CASE("idle and half-open clients are let go in time") {
  Walls walls({"--idle-timeout-ms", "500"});
  const Raws silent = walls.connect(50);
  const Raw used(walls.port());
  used.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(used.status() == 200);
  const auto began = Clock::now();
  for (const auto& raw : silent) CHECK(raw->read_until("").empty());
  CHECK(used.read_until("").empty());
  CHECK(ms_since(began) < 3'000);
}

TEST_CASE("no descriptors left: it says so, serves those it has, and the others once there are") {
  Walls walls({}, [] {
    const rlimit few{.rlim_cur = 90, .rlim_max = 90};
    ::setrlimit(RLIMIT_NOFILE, &few);
  });
  Caller officer(walls.daemon.url(), walls.daemon.token());
  REQUIRE(officer.get("/v1/whoami").status == 200);
  Raws busy = walls.connect(150);
  for (const auto& raw : busy) raw->send("GET /healthz HTTP/1.1\r\n");
  rest(300);
  CHECK(walls.daemon.words().find("no new connection can be taken") != std::string::npos);
  busy.front()->send("Host: h\r\n\r\n");
  CHECK(busy.front()->status() == 200);
  const std::string words = walls.daemon.words();
  CHECK(std::count(words.begin(), words.end(), '\n') < 50);
  busy.clear();
  CHECK(walls.others_ms() < 3'000);

  // Idle ones make room by themselves.
  Raws idle = walls.connect(150);
  CHECK(walls.others_ms() < 5'000);
}

TEST_CASE("TERM: what is under way is finished, and then it is over; who takes too long is cut off") {
  Walls walls({"--drain-ms", "1500"});
  Caller officer(walls.daemon.url(), walls.daemon.token());
  const Raw slow(walls.port()), stuck(walls.port()), idle(walls.port());
  slow.send("GET /healthz HTTP/1.1\r\n");
  stuck.send("GET /healthz HTTP/1.1\r\n");
  rest(100);
  const auto began = Clock::now();
  walls.daemon.signal(SIGTERM);
  rest(300);
  CHECK(idle.read_until("").empty());
  slow.send("Host: h\r\n\r\n");
  CHECK(slow.read_until("").find("Connection: close") != std::string::npos);
  CHECK(walls.daemon.wait().code == 0);
  CHECK(ms_since(began) > 1'300);
  CHECK(ms_since(began) < 6'000);
}

}  // namespace
}  // namespace tenbin::faults
