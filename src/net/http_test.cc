#include "net/http.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/request_parser.h"

// The server is tried over real sockets: by our own client where it should behave, and by a raw
// one, which sends what it likes, where it should not.

namespace tenbin::net {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr Span patience{10'000};

Response text(std::string body, int status = 200) {
  return {.status = status, .content_type = "text/plain", .body = std::move(body)};
}

// Answers with what it was asked.
void echo(Request&& request, Reply reply) {
  reply(text(request.method + " " + request.path + " " + request.query + " " + request.body));
}

std::string url(const Server& server) {
  return "http://127.0.0.1:" + std::to_string(server.port());
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int plain_socket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  const timeval limit{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return fd;
}

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(plain_socket()) {
    const sockaddr_in address = loopback(port);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  RawClient(RawClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~RawClient() {
    if (fd_ >= 0) ::close(fd_);
  }

  // False if the other end does not take it.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void end_sending() { ::shutdown(fd_, SHUT_WR); }

  // Until `end` was seen, or the other end closed.
  std::string read_until(std::string_view end) {
    std::string all;
    char buffer[4096];
    while (end.empty() || all.find(end) == std::string::npos) {
      const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) {
        if (n < 0) all += "<broken>";
        break;
      }
      all.append(buffer, static_cast<std::size_t>(n));
    }
    return all;
  }
  std::string read_all() { return read_until(""); }

 private:
  int fd_;
};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

struct Running {
  Server server;
  explicit Running(Handler handler, ServerSettings settings = {})
      : server(std::move(settings), std::move(handler)) {
    const Result<void> started = server.start();
    REQUIRE_MESSAGE(started, (started ? "" : started.error().what));
  }
};

TEST_CASE("percent-encoding: the worked examples") {
  CHECK(percent_decoded("a%2Fb+c") == "a/b+c");
  CHECK(percent_decoded("a%2fb+c", Plus::is_space) == "a/b c");
  CHECK(percent_decoded("%E5%A4%A9") == "天");
  CHECK(percent_decoded("%00") == std::string(1, '\0'));
  CHECK_FALSE(percent_decoded("%"));
  CHECK_FALSE(percent_decoded("a%4"));
  CHECK_FALSE(percent_decoded("%zz"));
  CHECK_FALSE(percent_decoded("%+1"));
  CHECK(percent_encoded("a b/天~") == "a%20b%2F%E5%A4%A9~");

  CHECK(path_segments("/v1/jobs/a%2Fb") == std::vector<std::string>{"v1", "jobs", "a/b"});
  CHECK(path_segments("/")->empty());
  CHECK(path_segments("/a/") == std::vector<std::string>{"a", ""});
  CHECK(path_segments("//a") == std::vector<std::string>{"", "a"});
  CHECK_FALSE(path_segments("a"));
  CHECK_FALSE(path_segments(""));
  CHECK_FALSE(path_segments("/a/%g0"));

  CHECK(query_parameters("a=1&b=x+y&c&&d=%26=") ==
        Parameters{{"a", "1"}, {"b", "x y"}, {"c", ""}, {"d", "&="}});
  CHECK(query_parameters("")->empty());
  CHECK_FALSE(query_parameters("a=1&b=%"));
  const Parameters twice = *query_parameters("a=1&a=2");
  REQUIRE(find_parameter(twice, "a"));
  CHECK(*find_parameter(twice, "a") == "1");
  CHECK_FALSE(find_parameter(twice, "A"));
}

TEST_CASE("percent-encoding: what was encoded decodes to itself") {
  Rng rng{7};
  for (int i = 0; i < 1'000; ++i) {
    std::string bytes(rng.below(20), ' ');
    for (char& c : bytes) c = static_cast<char>(rng.below(256));
    CHECK(percent_decoded(percent_encoded(bytes)) == bytes);
    CHECK(path_segments("/" + percent_encoded(bytes) + "/x") ==
          std::vector<std::string>{bytes, "x"});
    CHECK(query_parameters("k=" + percent_encoded(bytes)) == Parameters{{"k", bytes}});
  }
}

TEST_CASE("the parser takes what is right and refuses what servers disagree about") {
  const auto parse = [](std::string_view bytes) { return parse_request_bytes(bytes, {}, 0); };
  const auto refused = [&](std::string_view bytes) {
    const ParsedBytes parsed = parse(bytes);
    return parsed.requests.empty() && parsed.end == Parsing::malformed;
  };

  const ParsedBytes one = parse(
      "\r\nPOST http://h:1/a/b?c=d HTTP/1.1\r\nHost: h\r\nX-y:  z \r\n"
      "Transfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nHost: trailer\r\n\r\n");
  REQUIRE(one.requests.size() == 1);
  CHECK(one.requests[0].method == "POST");
  CHECK(one.requests[0].path == "/a/b");
  CHECK(one.requests[0].query == "c=d");
  CHECK(one.requests[0].body == "abcde");
  CHECK(one.requests[0].header("x-Y") == "z");
  CHECK(one.requests[0].header("host") == "h");
  CHECK(one.requests[0].header("absent").empty());
  CHECK(one.requests[0].headers.size() == 3);
  CHECK(one.end == Parsing::unfinished);

  CHECK(parse("GET / HTTP/1.0\r\n\r\n").requests.size() == 1);
  CHECK(parse("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").requests.size() == 1);
  CHECK(parse("BREW /pot HTTP/1.1\r\nHost: h\r\n\r\n").requests.size() == 1);
  CHECK(refused("GET / HTTP/1.1\r\n\r\n"));                        // no Host
  CHECK(refused("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"));  // two
  CHECK(refused("GET * HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(refused("GET a HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(refused("GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(refused("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(refused("GET / HTTP/2.0\r\nHost: h\r\n\r\n"));
  CHECK(refused("GET / HTTP/1.1\r\nHost : h\r\n\r\n"));
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  CHECK(refused(post + "Transfer-Encoding: gzip\r\n\r\n"));
  CHECK(refused(post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"));
  CHECK(refused(post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"));
  CHECK(refused(post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
  CHECK(refused(post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"));
  CHECK(refused(post + "Content-Length: +3\r\n\r\nabc"));
  CHECK(refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));

  // However much of the body came along with the header.
  for (const std::size_t sent : {0u, 5u, 100'000u}) {
    CHECK(parse_request_bytes(post + "Content-Length: 5\r\n\r\n" + std::string(sent, 'x'),
                              {.body_bytes = 4}, 0)
              .end == Parsing::body_too_large);
  }
  CHECK(parse_request_bytes(post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n",
                            {.body_bytes = 4}, 0)
            .end == Parsing::body_too_large);
}

TEST_CASE("the header limit counts everything, in whatever pieces it comes") {
  // In pieces of 17 each ends one byte behind a line: then the library beneath forgets, line by
  // line, what it has seen, and by its own count never reaches a limit.
  std::string bytes = "GET / HTTP/1.1\r\nHost: hhhhhhhhh\r\n";
  while (bytes.size() < 3'000) bytes += "A: bbbbbbbbbbbb\r\n";
  for (const std::size_t piece : {0u, 1u, 3u, 17u, 100u}) {
    CAPTURE(piece);
    CHECK(parse_request_bytes(bytes, {.header_bytes = 2'000}, piece).end ==
          Parsing::header_too_large);
    CHECK(parse_request_bytes(bytes + "\r\n", {.header_bytes = 3'020}, piece).requests.size() == 1);
  }
}

TEST_CASE("requests come out the same however they are cut into pieces") {
  const std::string bytes =
      "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\nPOST /c HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"
      "bodyPUT /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n"
      "GET /e HTTP/1.1\r\nHo";
  for (std::size_t piece = 0; piece <= bytes.size(); ++piece) {
    CAPTURE(piece);
    const ParsedBytes parsed = parse_request_bytes(bytes, {}, piece);
    REQUIRE(parsed.requests.size() == 3);
    CHECK(parsed.requests[1].body == "body");
    CHECK(parsed.requests[2].body == "xy");
    CHECK(parsed.end == Parsing::unfinished);
  }
}

TEST_CASE("a round trip of every kind") {
  Running running([](Request&& request, Reply reply) {
    CHECK(request.peer == "127.0.0.1");
    if (request.path == "/nothing") return reply({.status = 204, .headers = {{"X-A", "1"}}});
    if (request.path == "/split") return reply({.headers = {{"X-B", "a\r\nX-C: b"}}});
    echo(std::move(request), std::move(reply));
  });
  Client client(url(running.server) + "/");

  Result<Response> got = client.send("GET", "/a?b=c", {}, "", patience);
  REQUIRE(got);
  CHECK(got->status == 200);
  CHECK(got->content_type == "text/plain");
  CHECK(got->body == "GET /a b=c ");
  CHECK(got->header("date").ends_with(" GMT"));

  const std::string large(900'000, 'x');
  got = client.send("POST", "/up", {{"X-Any", "thing"}}, large, patience);
  REQUIRE(got);
  CHECK(got->body == "POST /up  " + large);

  got = client.send("HEAD", "/h", {}, "", patience);
  REQUIRE(got);
  CHECK(got->body.empty());
  CHECK(got->header("content-length") == "9");

  got = client.send("GET", "/nothing", {}, "", patience);
  REQUIRE(got);
  CHECK(got->status == 204);
  CHECK(got->header("x-a") == "1");
  CHECK(got->header("content-length").empty());

  got = client.send("GET", "/split", {}, "", patience);
  REQUIRE(got);
  CHECK(got->header("x-b") == "a  X-C: b");
  CHECK(got->header("x-c").empty());

  got = client.send("OPTIONS", "/o", {}, "", patience);
  REQUIRE(got);
  CHECK(got->body == "OPTIONS /o  ");
}

TEST_CASE("an answer larger than the socket's buffers arrives whole") {
  const std::string large(20'000'000, 'y');
  Running running([&](Request&&, Reply reply) { reply(text(large)); });
  Client client(url(running.server));
  for (int i = 0; i < 2; ++i) {
    const Result<Response> got = client.send("GET", "/", {}, "", patience);
    REQUIRE(got);
    CHECK(got->body == large);
  }
}

TEST_CASE("replies from other threads reach whom they are for") {
  std::vector<std::thread> threads;  // grows on the I/O thread only, until stop()
  Running running([&](Request&& request, Reply reply) {
    threads.emplace_back([path = request.path, r = std::move(reply)]() mutable {
      std::this_thread::sleep_for(2ms);
      r(text(path));
    });
  });
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] {
      Client client(url(running.server));
      for (int k = 0; k < 20; ++k) {
        const std::string path = "/" + std::to_string(i * 100 + k);
        const Result<Response> got = client.send("GET", path, {}, "", patience);
        right += got && got->body == path;
      }
    });
  }
  for (std::thread& t : clients) t.join();
  running.server.stop();
  for (std::thread& t : threads) t.join();
  CHECK(right == 80);
}

TEST_CASE("a Reply that is dropped answers 500, at once or later") {
  Reply* kept = nullptr;
  Running running([&](Request&& request, Reply reply) {
    if (request.path == "/later") kept = new Reply(std::move(reply));
  });
  Client client(url(running.server));
  Result<Response> got = client.send("GET", "/now", {}, "", patience);
  REQUIRE(got);
  CHECK(got->status == 500);
  CHECK(got->body == "internal_error\n");

  std::thread dropper([&] {
    while (true) {
      std::promise<Reply*> look;
      running.server.post([&] { look.set_value(kept); });
      if (Reply* reply = look.get_future().get()) {
        delete reply;
        return;
      }
    }
  });
  got = client.send("GET", "/later", {}, "", patience);
  dropper.join();
  REQUIRE(got);
  CHECK(got->status == 500);
}

TEST_CASE("a Reply whose client or server is gone does nothing") {
  std::promise<Reply> taken;
  {
    Running running([&](Request&&, Reply reply) { taken.set_value(std::move(reply)); },
                    {.limits = {.stop_grace = Span{50}}});
    RawClient client(running.server.port());
    REQUIRE(client.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    Reply reply = taken.get_future().get();
    taken = {};
    taken.set_value(std::move(reply));
  }
  Reply reply = taken.get_future().get();
  reply(text("too late"));
}

TEST_CASE("what the server refuses by itself is shaped by the settings, and the connection ends") {
  std::atomic<int> handled = 0;
  Running running(
      [&](Request&& request, Reply reply) {
        ++handled;
        echo(std::move(request), std::move(reply));
      },
      {.limits = {.body_max_bytes = 1'000,
                  .header_max_bytes = 2'000,
                  .header_timeout = Span{200},
                  .body_timeout = Span{200}},
       .problem = [](int status, std::string_view code) {
         return Response{.status = status,
                         .content_type = "application/problem+json",
                         .body = "{\"code\":\"" + std::string(code) + "\"}"};
       }});
  const auto answer_to = [&](std::string_view bytes) {
    RawClient client(running.server.port());
    CHECK(client.send(bytes));  // to the last byte: the server must not reset who is talking
    return client.read_all();
  };
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";

  std::string got = answer_to("nonsense\r\n\r\n");
  CHECK(got.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(has(got, "Content-Type: application/problem+json\r\n"));
  CHECK(has(got, "Connection: close\r\n"));
  CHECK(got.ends_with("{\"code\":\"malformed_request\"}"));

  // Five megabytes that nobody will read: the answer must arrive all the same.
  got = answer_to(post + "Content-Length: 5000000\r\n\r\n" + std::string(5'000'000, 'x'));
  CHECK(got.starts_with("HTTP/1.1 413 "));
  CHECK(got.ends_with("{\"code\":\"body_too_large\"}"));
  got = answer_to(post + "Transfer-Encoding: chunked\r\n\r\n300\r\n" + std::string(0x300, 'x') +
                  "\r\n300\r\n");
  CHECK(got.starts_with("HTTP/1.1 413 "));

  got = answer_to("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
  CHECK(got.starts_with("HTTP/1.1 431 "));
  std::string flood = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 1'000; ++i) flood += "A: b\r\n";
  got = answer_to(flood);
  CHECK(got.starts_with("HTTP/1.1 431 "));

  const auto began = Clock::now();
  got = answer_to(post + "Content-Length: 10\r\n\r\nslow");
  const auto took = Clock::now() - began;
  CHECK(got.starts_with("HTTP/1.1 408 "));
  CHECK(got.ends_with("{\"code\":\"request_timeout\"}"));
  CHECK(took >= 200ms);
  CHECK(took < 5s);
  CHECK(handled == 0);
}

TEST_CASE("a request that drips byte by byte does not buy time") {
  Running running(echo, {.limits = {.header_timeout = Span{300}, .body_timeout = Span{300}}});
  RawClient client(running.server.port());
  const std::string request = "GET /a HTTP/1.1\r\nHost: h\r\nX: " + std::string(1'000, 'x');
  const auto began = Clock::now();
  std::thread dripper([&] {
    for (const char c : request) {
      if (!client.send({&c, 1}) || Clock::now() - began > 5s) return;
      std::this_thread::sleep_for(20ms);
    }
  });
  const std::string got = client.read_all();
  const auto took = Clock::now() - began;
  dripper.join();
  CHECK(got.starts_with("HTTP/1.1 408 "));
  CHECK(took < 4s);
}

TEST_CASE("an idle connection is closed without a word") {
  Running running(echo, {.limits = {.idle_timeout = Span{100}}});
  RawClient client(running.server.port());
  REQUIRE(client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n"));
  CHECK(client.read_until("GET /a").starts_with("HTTP/1.1 200 "));
  const auto began = Clock::now();
  CHECK(has(client.read_all(), "200") == false);
  CHECK(Clock::now() - began < 5s);
}

TEST_CASE("a client that does not read its answer is not waited for") {
  std::atomic<int> handled = 0;
  Running running(
      [&](Request&&, Reply reply) {
        ++handled;
        reply(text(std::string(30'000'000, 'x')));
      },
      {.limits = {.write_timeout = Span{200}}});
  RawClient deaf(running.server.port());
  REQUIRE(deaf.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  while (handled == 0) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(800ms);
  CHECK(deaf.read_all().size() < 30'000'000);
}

TEST_CASE("many idle connections leave the others served; one too many is told so") {
  Running running(echo, {.limits = {.connections_max = 301}});
  std::vector<RawClient> idle;
  for (int i = 0; i < 300; ++i) idle.emplace_back(running.server.port());
  idle[0].send("GET /half HTTP/1.1\r\n");
  Client client(url(running.server));
  for (int i = 0; i < 20; ++i) {
    const auto began = Clock::now();
    REQUIRE(client.send("GET", "/", {}, "", patience));
    CHECK(Clock::now() - began < 1s);
  }
  // Who has been idle for longest makes room, but not who has just come.
  std::this_thread::sleep_for(1100ms);
  RawClient late(running.server.port());
  late.send("GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(has(late.read_until("GET /late"), "GET /late"));
  CHECK(idle[1].read_all().empty());
  REQUIRE(client.send("GET", "/", {}, "", patience));
}

TEST_CASE("who comes when all are busy is told so, and so is who has too many from one address") {
  Running busy(echo, {.limits = {.connections_max = 20}});
  Running few(echo, {.limits = {.connections_per_peer = 20}});
  for (Running* running : {&busy, &few}) {
    std::vector<RawClient> half;
    for (int i = 0; i < 20; ++i) {
      half.emplace_back(running->server.port());
      half.back().send("GET / HTTP/1.1\r\n");
    }
    std::this_thread::sleep_for(50ms);  // or they would count as idle
    RawClient late(running->server.port());
    const std::string got = late.read_until("too_many_connections\n");
    CHECK(got.starts_with("HTTP/1.1 503 "));
    half[3].send("Host: h\r\n\r\n");
    CHECK(has(half[3].read_until("GET / "), "200 OK"));
  }
}

TEST_CASE("out of descriptors: new clients wait, old ones are served, nothing spins") {
  Running running(echo);
  RawClient old(running.server.port());
  old.send("GET /old HTTP/1.1\r\n");
  std::this_thread::sleep_for(50ms);

  const int waiting = plain_socket();
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  rlimit low = limit;
  low.rlim_cur = 200;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  std::vector<int> fillers;
  for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) fillers.push_back(fd);
  const int reason = errno;

  const sockaddr_in address = loopback(running.server.port());
  const int connected =
      ::connect(waiting, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const std::clock_t cpu_before = std::clock();
  std::this_thread::sleep_for(400ms);
  old.send("Host: h\r\nConnection: keep-alive\r\n\r\nGET /more HTTP/1.1\r\n");
  const bool served = has(old.read_until("GET /old"), "200 OK");
  const double cpu_seconds = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;

  const std::string request = "GET /late HTTP/1.1\r\nHost: h\r\n\r\n";
  ::send(waiting, request.data(), request.size(), MSG_NOSIGNAL);
  char buffer[1'000];
  const ssize_t too_early = ::recv(waiting, buffer, sizeof buffer, MSG_DONTWAIT);
  for (const int fd : fillers) ::close(fd);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const ssize_t n = ::recv(waiting, buffer, sizeof buffer, 0);
  ::close(waiting);

  CHECK(reason == EMFILE);
  CHECK(connected == 0);
  CHECK(served);
  CHECK(cpu_seconds < 0.2);
  CHECK(too_early < 0);
  REQUIRE(n > 0);
  CHECK(has({buffer, static_cast<std::size_t>(n)}, "GET /late"));
}

TEST_CASE("pipelined requests are answered in order, whoever answers and whenever") {
  std::vector<std::thread> threads;
  Running running([&](Request&& request, Reply reply) {
    const std::string path = request.path;
    if (path.size() % 2 == 0) return reply(text("<" + path + ">"));
    threads.emplace_back([path, r = std::move(reply)]() mutable {
      std::this_thread::sleep_for(1ms);
      r(text("<" + path + ">"));
    });
  });
  RawClient client(running.server.port());
  std::string requests;
  std::string expected;
  for (std::size_t i = 1; i <= 60; ++i) {
    const std::string path = "/" + std::string(i, 'p');
    requests += "GET " + path + " HTTP/1.1\r\nHost: h\r\n";
    requests += i == 60 ? "Connection: close\r\n\r\n" : "\r\n";
    expected += "<" + path + ">";
  }
  REQUIRE(client.send(requests));
  const std::string got = client.read_all();
  std::string bodies;
  for (std::size_t at = 0; (at = got.find('<', at)) != std::string::npos; ++at) {
    bodies += got.substr(at, got.find('>', at) - at + 1);
  }
  CHECK(bodies == expected);
  running.server.stop();
  for (std::thread& t : threads) t.join();
}

TEST_CASE("a client that has said all and listens still gets its answers") {
  Running running(echo);
  RawClient client(running.server.port());
  REQUIRE(client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"));
  client.end_sending();
  const std::string got = client.read_all();
  CHECK(has(got, "GET /1"));
  CHECK(has(got, "GET /2"));
  CHECK_FALSE(has(got, "<broken>"));
}

TEST_CASE("100 Continue is said to who waits for it, once, and only if the body is welcome") {
  Running running(echo, {.limits = {.body_max_bytes = 10}});
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ";
  RawClient client(running.server.port());
  REQUIRE(client.send(post + "4\r\n\r\n"));
  CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  REQUIRE(client.send("bo"));
  REQUIRE(client.send("dy"));
  const std::string got = client.read_until("body");
  CHECK(got.starts_with("HTTP/1.1 200 "));
  CHECK_FALSE(has(got, "100 Continue"));

  REQUIRE(client.send(post + "11\r\n\r\n"));
  CHECK(client.read_all().starts_with("HTTP/1.1 413 "));
}

TEST_CASE("the client passes over 100 Continue") {
  Running running(echo);
  Client client(url(running.server));
  const Result<Response> got =
      client.send("POST", "/", {{"Expect", "100-continue"}}, std::string(600'000, 'b'), patience);
  REQUIRE(got);
  CHECK(got->status == 200);
}

TEST_CASE("HTTP/1.0 and Connection: close end the connection, keep-alive keeps it") {
  Running running(echo);
  const auto answers = [&](std::string_view request) {
    RawClient client(running.server.port());
    REQUIRE(client.send(request));
    client.end_sending();
    return client.read_all();
  };
  CHECK(has(answers("GET / HTTP/1.0\r\n\r\n"), "Connection: close\r\n"));
  CHECK(has(answers("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            "Connection: keep-alive\r\n"));
  CHECK(has(answers("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
            "Connection: close\r\n"));
}

TEST_CASE("stop() lets requests under way finish, and what is idle does not hold it up") {
  std::promise<Reply> taken;
  Running running([&](Request&&, Reply reply) { taken.set_value(std::move(reply)); });
  RawClient idle(running.server.port());
  RawClient busy(running.server.port());
  REQUIRE(busy.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  Reply reply = taken.get_future().get();
  std::thread later([&] {
    std::this_thread::sleep_for(100ms);
    reply(text("finished"));
  });
  const auto began = Clock::now();
  running.server.stop();
  const auto took = Clock::now() - began;
  later.join();
  const std::string got = busy.read_all();
  CHECK(got.starts_with("HTTP/1.1 200 "));
  CHECK(got.ends_with("finished"));
  CHECK(has(got, "Connection: close\r\n"));
  CHECK(idle.read_all().empty());
  CHECK(took >= 90ms);
  CHECK(took < 3s);
}

TEST_CASE("stop() does not wait for ever") {
  std::promise<Reply> taken;
  Running running([&](Request&&, Reply reply) { taken.set_value(std::move(reply)); },
                  {.limits = {.stop_grace = Span{100}}});
  RawClient busy(running.server.port());
  REQUIRE(busy.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
  Reply reply = taken.get_future().get();
  const auto began = Clock::now();
  running.server.stop();
  CHECK(Clock::now() - began < 3s);
}

TEST_CASE(
    "post: before the start it waits, then it runs on the I/O thread, after the end it is "
    "dropped") {
  Server server({}, echo);
  std::promise<std::thread::id> early;
  server.post([&] { early.set_value(std::this_thread::get_id()); });
  REQUIRE(server.start());
  const std::thread::id io = early.get_future().get();
  CHECK(io != std::this_thread::get_id());
  std::promise<std::thread::id> second;
  server.post([&] { second.set_value(std::this_thread::get_id()); });
  CHECK(second.get_future().get() == io);
  server.stop();
  bool ran = false;
  server.post([&] { ran = true; });
  server.stop();
  CHECK_FALSE(ran);
}

TEST_CASE("start() says what is wrong") {
  Server first({}, echo);
  REQUIRE(first.start());
  Server second({.port = first.port()}, echo);
  const Result<void> taken = second.start();
  REQUIRE_FALSE(taken);
  CHECK(has(taken.error().what, std::to_string(first.port())));
  Server third({.address = "nowhere.example"}, echo);
  CHECK_FALSE(third.start());
}

// A server that does what a script says, one step for each request that it has read: answers, or
// closes without a word.
class Scripted {
 public:
  explicit Scripted(std::vector<std::string> answers) : listener_(plain_socket()) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, script = std::move(answers)] {
      int fd = -1;
      for (const std::string& answer : script) {
        if (fd < 0) fd = ::accept(listener_, nullptr, nullptr);
        char buffer[4'096];
        std::string request;
        while (!has(request, "\r\n\r\n")) {
          const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
          if (n <= 0) break;
          request.append(buffer, static_cast<std::size_t>(n));
        }
        ++requests;
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (answer.empty() || has(answer, "close")) ::close(std::exchange(fd, -1));
      }
      if (fd >= 0) ::close(fd);
    });
  }
  ~Scripted() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://localhost:" + std::to_string(port_); }

  std::atomic<int> requests = 0;

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST_CASE("the client sends again what may be sent again, once") {
  {
    Scripted server({ok, "", ok});
    Client client(server.url());
    REQUIRE(client.send("GET", "/", {}, "", patience));
    CHECK(client.send("GET", "/", {}, "", patience));
    CHECK(server.requests == 3);
  }
  {
    Scripted server({ok, "", ok});
    Client client(server.url());
    REQUIRE(client.send("GET", "/", {}, "", patience));
    CHECK_FALSE(client.send("POST", "/", {}, "", patience));
    CHECK(server.requests == 2);
    CHECK(client.send("POST", "/", {}, "", patience));
  }
  {
    Scripted server({ok, "", ok});
    Client client(server.url());
    REQUIRE(client.send("GET", "/", {}, "", patience));
    CHECK(client.send("POST", "/", {{"idempotency-key", "k"}}, "", patience));
    CHECK(server.requests == 3);
  }
  {
    Scripted server({ok, "", "", ok});
    Client client(server.url());
    REQUIRE(client.send("GET", "/", {}, "", patience));
    CHECK_FALSE(client.send("GET", "/", {}, "", patience));
    CHECK(server.requests == 3);
    CHECK(client.send("GET", "/", {}, "", patience));
  }
  {
    // An answer that began is never asked for again.
    Scripted server(
        {ok, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhal", ok});
    Client client(server.url());
    REQUIRE(client.send("GET", "/", {}, "", patience));
    CHECK_FALSE(client.send("GET", "/", {}, "", patience));
    CHECK(server.requests == 2);
    CHECK(client.send("GET", "/", {}, "", patience));
  }
}

TEST_CASE("a connection that the server closed meanwhile is replaced, whatever the method") {
  Running running(echo, {.limits = {.idle_timeout = Span{50}}});
  Client client(url(running.server));
  REQUIRE(client.send("POST", "/", {}, "a", patience));
  std::this_thread::sleep_for(400ms);
  CHECK(client.send("POST", "/", {}, "b", patience));
}

TEST_CASE("the client says what is wrong") {
  const auto error = [](std::string base, std::string_view target = "/") {
    const Result<Response> got = Client(std::move(base)).send("GET", target, {}, "", Span{300});
    return got ? std::string("none") : got.error().what;
  };
  CHECK(has(error("ftp://h"), "must begin with http:// or https://"));
  CHECK(has(error("ftp://h"), "must begin with http://"));
  CHECK(has(error("http://"), "needs a host"));
  CHECK(has(error("http://h:0"), "not a port"));
  CHECK(has(error("http://h:80x"), "not a port"));
  CHECK(has(error("http://h:70000"), "not a port"));
  CHECK(has(error("http://u@h"), "not a URL"));
  CHECK(has(error("http://[::1"), "bracket"));
  CHECK(has(error("http://h", "no-slash"), "not a target"));
  CHECK(has(error("http://h", "/a b"), "not a target"));
  CHECK(has(error("http://127.0.0.1:1"), "cannot connect to 127.0.0.1:1"));
  CHECK_FALSE(Client("http://h").send("GET", "/", {{"A", "b\r\nC: d"}}, "", patience));

  {
    Scripted server({"SSH-2.0 hello\r\nclose\r\n\r\n"});
    CHECK(has(error(server.url()), "not HTTP"));
  }
  Running silent([](Request&&, Reply reply) {
    std::thread([r = std::move(reply)]() mutable {
      std::this_thread::sleep_for(600ms);
      r({});
    }).detach();
  });
  const auto began = Clock::now();
  CHECK(has(error(url(silent.server)), "no answer in time"));
  CHECK(Clock::now() - began >= 300ms);
}

TEST_CASE("the client understands answers that end with the connection, and chunked ones") {
  Scripted server({"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
                   "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nTransfer-Encoding: chunked"
                   "\r\nContent-Type: a/b\r\n\r\n3\r\nabc\r\n0\r\n\r\n"});
  Client client(server.url());
  Result<Response> got = client.send("GET", "/", {}, "", patience);
  REQUIRE(got);
  CHECK(got->body == "to the end");
  got = client.send("GET", "/", {}, "", patience);
  REQUIRE(got);
  CHECK(got->status == 201);
  CHECK(got->content_type == "a/b");
  CHECK(got->body == "abc");
}

}  // namespace
}  // namespace tenbin::net
