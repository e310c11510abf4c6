#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/rng.h"
#include "net/event_stream.h"
#include "net/http_client.h"
#include "net/http_server.h"

// Answers without an end, and TLS: by our own client, and by a raw one that does not read.

namespace tenbin::net {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr Span patience{10'000};

/// A line of text that several readers follow.
class Lines : public std::enable_shared_from_this<Lines> {
 public:
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    all_ += text;
  }
  void end() { over_ = true; }
  std::size_t largest_part() const { return largest_; }
  int signs() const { return signs_; }

  std::shared_ptr<Stream> reader() {
    class Reader final : public Stream {
     public:
      explicit Reader(std::shared_ptr<Lines> lines) : lines_(std::move(lines)) {}
      ~Reader() override { ++lines_->gone; }
      Then pull(std::string& out, std::size_t room, Why why) override {
        const std::lock_guard lock(lines_->mutex_);
        const std::string_view rest = std::string_view(lines_->all_).substr(at_);
        out.append(rest.substr(0, room));
        at_ += std::min(room, rest.size());
        lines_->largest_ = std::max(lines_->largest_.load(), out.size());
        if (why == Why::quiet && out.empty()) {
          ++lines_->signs_;
          out += ": alive\n";
        }
        if (why == Why::ending) out += "goodbye\n";
        return lines_->over_ && at_ == lines_->all_.size() ? Then::ends : Then::goes_on;
      }

     private:
      std::shared_ptr<Lines> lines_;
      std::size_t at_ = 0;
    };
    return std::make_shared<Reader>(shared_from_this());
  }

  std::atomic<int> gone = 0;

 private:
  std::mutex mutex_;
  std::string all_;
  std::atomic<bool> over_ = false;
  std::atomic<std::size_t> largest_ = 0;
  std::atomic<int> signs_ = 0;
};

struct Running {
  std::shared_ptr<Lines> lines = std::make_shared<Lines>();
  Server server;
  explicit Running(ServerSettings settings = {})
      : server(std::move(settings), [this](Request&& request, Reply reply) {
          if (request.path == "/plain") return reply({.body = "plain\n"});
          reply({.content_type = "text/event-stream",
                 .body = ": hello\n",
                 .stream = lines->reader()});
        }) {
    const Result<void> started = server.start();
    REQUIRE_MESSAGE(started, (started ? "" : started.error().what));
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server.port()); }
  void say(std::string text) {
    lines->add(std::move(text));
    server.wake_streams();
  }
};

class Raw {
 public:
  explicit Raw(std::uint16_t port, int receive_buffer = 0) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (receive_buffer > 0)
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Raw() { ::close(fd_); }
  void send(std::string_view text) const {
    REQUIRE(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  std::string read_until(std::string_view end) const {
    std::string all;
    char part[4096];
    while (end.empty() || all.find(end) == std::string::npos) {
      const ssize_t n = ::recv(fd_, part, sizeof part, 0);
      if (n <= 0) break;
      all.append(part, static_cast<std::size_t>(n));
    }
    return all;
  }

 private:
  int fd_ = -1;
};

constexpr std::string_view get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <class Check>
bool soon(Check&& check) {
  for (int i = 0; i < 1'000; ++i) {
    if (check()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

TEST_CASE("a stream: chunks as they come, its end, and then the next request") {
  Running running;
  Raw client(running.server.port());
  client.send(std::string(get) + "GET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string head = client.read_until(": hello\n\r\n");
  CHECK(has(head, "Transfer-Encoding: chunked\r\n"));
  CHECK(!has(head, "Content-Length"));
  CHECK(has(head, "\r\n\r\n8\r\n: hello\n\r\n"));
  running.say("one\n");
  CHECK(client.read_until("one\n\r\n") == "4\r\none\n\r\n");
  running.lines->end();
  running.say("two\n");
  const std::string rest = client.read_until("plain\n");
  CHECK(rest.starts_with("4\r\ntwo\n\r\n0\r\n\r\nHTTP/1.1 200 OK"));
  CHECK(running.lines->gone == 1);
}

TEST_CASE("a stream for HTTP/1.0 ends with the connection; HEAD gets none") {
  Running running;
  Raw old(running.server.port());
  old.send("GET / HTTP/1.0\r\n\r\n");
  const std::string head = old.read_until(": hello\n");
  CHECK(has(head, "Connection: close\r\n"));
  CHECK(!has(head, "chunked"));
  Raw asker(running.server.port());
  asker.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nGET /plain HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(has(asker.read_until("plain\n"), "plain\n"));
  running.lines->end();
  running.say("one\n");
  CHECK(old.read_until("") == "one\n");
}

TEST_CASE("who does not read holds up nobody, is given no more than one part, and then is let go") {
  Running running({.limits = {.write_timeout = Span{2'000}, .stream_part_bytes = 10'000}});
  Raw deaf(running.server.port(), 4'096);
  deaf.send(get);
  deaf.read_until(": hello\n");
  Raw good(running.server.port());
  good.send(get);
  good.read_until(": hello\n");
  running.say(std::string(20'000'000, 'x'));
  running.say("end\n");
  std::size_t bytes = 0;
  for (std::string part; !has(part, "end\n"); bytes += part.size()) {
    part = good.read_until("\n");
    REQUIRE(!part.empty());
  }
  CHECK(bytes > 20'000'000);
  CHECK(running.lines->largest_part() <= 10'000);
  CHECK(soon([&] { return running.lines->gone == 1; }));
}

TEST_CASE("a quiet stream is asked for a sign of life; a client that goes is noticed") {
  Running running({.limits = {.stream_quiet = Span{50}}});
  {
    Raw client(running.server.port());
    client.send(get);
    const std::string text = client.read_until(": alive\n");
    CHECK(has(text, ": alive\n"));
  }
  CHECK(soon([&] { return running.lines->gone == 1; }));
}

TEST_CASE("more streams than allowed are refused; stop() lets the others say goodbye") {
  Running running({.limits = {.streams_max = 2}});
  std::vector<std::unique_ptr<Raw>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<Raw>(running.server.port()));
    clients.back()->send(get);
    clients.back()->read_until(": hello\n");
  }
  Raw late(running.server.port());
  late.send(get);
  const std::string refused = late.read_until("too_many_streams\n");
  CHECK(refused.starts_with("HTTP/1.1 503 "));
  const auto began = Clock::now();
  running.server.stop();
  CHECK(Clock::now() - began < 2s);
  for (const auto& client : clients) CHECK(has(client->read_until(""), "goodbye\n\r\n0\r\n\r\n"));
  CHECK(running.lines->gone == 3);
}

TEST_CASE("events: what is written is what is read, in whatever pieces it comes") {
  std::string text = "\xEF\xBB\xBF: a comment\r\nretry: 250\r\n\r\n";
  write_event(text, "7.1", "JobStarted", "{\"a\":1}");
  write_event(text, "", "two\nlines", "first\nsecond\r\nthird");
  text += "id: 9\revent: nothing\r\rdata\n\ndata:x\n\n";
  const std::vector<StreamEvent> expected = {{"7.1", "JobStarted", "{\"a\":1}"},
                                             {"7.1", "two lines", "first\nsecond\nthird"},
                                             {"9", "", ""},
                                             {"9", "", "x"}};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    EventStreamParser parser;
    std::vector<StreamEvent> events;
    for (std::size_t at = 0; at < text.size(); at += piece)
      REQUIRE(parser.feed(std::string_view(text).substr(at, piece), events));
    REQUIRE(events == expected);
    CHECK(parser.retry() == Span{250});
    CHECK(parser.last_id() == "9");
  }
  EventStreamParser parser;
  std::vector<StreamEvent> events;
  bool good = true;
  for (int i = 0; i < 200 && good; ++i) good = parser.feed(std::string(10'000, 'x'), events);
  CHECK_FALSE(good);
}

TEST_CASE("EventReader: events one by one, the end, and what is not a stream") {
  Running running;
  auto reader = EventReader::open(running.url(), "/", {}, patience);
  REQUIRE_MESSAGE(reader, (reader ? "" : reader.error().what));
  REQUIRE(reader->refusal() == nullptr);
  StreamEvent event;
  CHECK(reader->next(event, Span{50}) == EventReader::Got::nothing);
  std::string two;
  write_event(two, "1.0", "A", "one");
  write_event(two, "1.1", "B", "two");
  running.say(two);
  CHECK(reader->next(event, patience) == EventReader::Got::event);
  CHECK(event == StreamEvent{"1.0", "A", "one"});
  CHECK(reader->last_id() == "1.0");
  CHECK(reader->next(event, patience) == EventReader::Got::event);
  CHECK(event.data == "two");
  running.lines->end();
  running.server.wake_streams();
  CHECK(reader->next(event, patience) == EventReader::Got::ended);

  auto plain = EventReader::open(running.url(), "/plain", {}, patience);
  REQUIRE(plain);
  REQUIRE(plain->refusal() != nullptr);
  CHECK(plain->refusal()->body == "plain\n");
  CHECK_FALSE(EventReader::open("http://127.0.0.1:1", "/", {}, patience));
}

// ---- TLS ----

/// A certificate for localhost and 127.0.0.1, signed by itself.
struct Certificate {
  std::string folder, certificate, key;
  Certificate() {
    std::string name = (std::filesystem::temp_directory_path() / "tenbin-tls-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    certificate = folder + "/certificate.pem";
    key = folder + "/key.pem";
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
        "/CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " +
        key + " -out " + certificate + " >/dev/null 2>&1";
    REQUIRE(std::system(command.c_str()) == 0);
  }
  ~Certificate() { std::filesystem::remove_all(folder); }
};

TEST_CASE("TLS: requests, large answers and streams; only for who trusts the authority") {
  const Certificate own;
  const Certificate other;
  Server server(
      {.tls_certificate = own.certificate, .tls_key = own.key},
      [lines = std::make_shared<Lines>()](Request&& request, Reply reply) {
        if (request.path == "/stream") {
          lines->add("data: one\n\n");
          return reply({.content_type = "text/event-stream", .stream = lines->reader()});
        }
        reply({.body = std::to_string(request.body.size()) + std::string(3'000'000, 'y')});
      });
  REQUIRE(server.start());
  const std::string port = std::to_string(server.port());
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    Client client("https://" + host + ":" + port, own.certificate);
    for (int i = 0; i < 3; ++i) {
      const auto answer = client.send("POST", "/", {}, std::string(700'000, 'x'), patience);
      REQUIRE_MESSAGE(answer, (answer ? "" : answer.error().what));
      CHECK(answer->body.size() == 3'000'006);
      CHECK(answer->body.starts_with("700000y"));
    }
  }
  auto reader =
      EventReader::open("https://localhost:" + port, "/stream", {}, patience, own.certificate);
  REQUIRE_MESSAGE(reader, (reader ? "" : reader.error().what));
  StreamEvent event;
  CHECK(reader->next(event, patience) == EventReader::Got::event);
  CHECK(event.data == "one");

  Client stranger("https://localhost:" + port, other.certificate);
  const auto refused = stranger.send("GET", "/", {}, "", patience);
  REQUIRE_FALSE(refused);
  CHECK(has(refused.error().what, "certificate"));
  Client plain("http://127.0.0.1:" + port);
  CHECK_FALSE(plain.send("GET", "/", {}, "", patience));
  Client missing("https://localhost:" + port, own.folder + "/none.pem");
  CHECK_FALSE(missing.send("GET", "/", {}, "", patience));
}

TEST_CASE("TLS: a renewed certificate is taken up by new connections; a bad one changes nothing") {
  const Certificate own;
  const Certificate renewed;
  Server server({.tls_certificate = own.certificate, .tls_key = own.key},
                [](Request&&, Reply reply) { reply({.body = "x"}); });
  REQUIRE(server.start());
  const std::string url = "https://localhost:" + std::to_string(server.port());
  Client old(url, own.certificate);
  REQUIRE(old.send("GET", "/", {}, "", patience));
  const std::string authority = own.folder + "/old.pem";
  std::filesystem::copy_file(own.certificate, authority);
  const auto overwrite = std::filesystem::copy_options::overwrite_existing;

  std::filesystem::copy_file(renewed.certificate, own.certificate, overwrite);
  const auto half_done = server.reload_certificate();  // the key is still the old one's
  REQUIRE_FALSE(half_done);
  CHECK(has(half_done.error().what, "key"));
  Client meanwhile(url, authority);
  CHECK(meanwhile.send("GET", "/", {}, "", patience));

  std::filesystem::copy_file(renewed.key, own.key, overwrite);
  REQUIRE(server.reload_certificate());
  Client fresh(url, renewed.certificate);
  CHECK(fresh.send("GET", "/", {}, "", patience));
  Client late(url, authority);
  CHECK_FALSE(late.send("GET", "/", {}, "", patience));
  CHECK(old.send("GET", "/", {}, "", patience));  // what is connected stays so
}

TEST_CASE("TLS: a handshake that is not gone on with is ended; bad files are named at the start") {
  const Certificate own;
  const Certificate other;
  Server server({.tls_certificate = own.certificate,
                 .tls_key = own.key,
                 .limits = {.header_timeout = Span{200}}},
                [](Request&&, Reply reply) { reply({.body = "x"}); });
  REQUIRE(server.start());
  Raw silent(server.port());
  Raw half(server.port());
  half.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));
  const auto began = Clock::now();
  CHECK(silent.read_until("").empty());
  CHECK(half.read_until("").empty());
  CHECK(Clock::now() - began < 3s);

  for (const auto& [certificate, key] :
       {std::pair{own.certificate, other.key}, std::pair{own.certificate, own.folder + "/none"},
        std::pair{own.key, own.key}, std::pair{own.certificate, std::string()}}) {
    Server bad({.tls_certificate = certificate, .tls_key = key},
               [](Request&&, Reply reply) { reply({.body = "x"}); });
    const auto started = bad.start();
    REQUIRE_FALSE(started);
    CHECK(has(started.error().what, "cannot be used") != has(started.error().what, "is not that"));
  }
}

}  // namespace
}  // namespace tenbin::net
