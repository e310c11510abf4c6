#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/cli.h"
#include "net/http_server.h"

// For tests of the command line: a service that gives canned answers and remembers what it was
// asked, and a folder that is gone afterwards. To be included behind doctest.

namespace tenbin::cli {

using Env = std::map<std::string, std::string>;
using Args = std::vector<std::string>;

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

inline net::Response json(std::string body, int status = 200) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

inline net::Response problem(int status, const std::string& code, const std::string& en,
                             const std::string& ja) {
  return {.status = status,
          .content_type = "application/problem+json",
          .body = R"({"type":"urn:tenbin:)" + code + R"(","title":"t","status":)" +
                  std::to_string(status) + R"(,"code":")" + code + R"(","detail":")" + en +
                  R"(","texts":{"en":")" + en + R"(","ja":")" + ja + R"("},"figures":[]})"};
}

// A folder that is gone after the test.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/tenbin-cli-XXXXXX";
    REQUIRE(::mkdtemp(name));
    path_ = name;
  }
  ~Folder() {
    for (const std::string& file : files_) ::unlink(file.c_str());
    ::rmdir(path_.c_str());
  }
  std::string put(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string file = path_ + "/" + name;
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, mode);
    REQUIRE(fd >= 0);
    REQUIRE(::fchmod(fd, mode) == 0);
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(fd);
    files_.insert(file);
    return file;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::set<std::string> files_;
};

// What a terminal is, to a test.
struct Terminal {
  int columns = 0, rows = 0;
};

struct Ran {
  int exit = 0;
  std::string out, err;
  std::vector<Span> slept;
};

class Fake {
 public:
  Fake()
      : server_({}, [this](net::Request&& request, net::Reply reply) {
          answer(std::move(request), std::move(reply));
        }) {
    REQUIRE(server_.start());
  }

  // Answers of the same request are given one after the other, the last one for ever.
  void expect(const std::string& request, net::Response response) {
    answers_[request].push_back(std::move(response));
  }

  Ran run(const Args& args, const Env& more = {}, Terminal terminal = {}) {
    Ran ran;
    Env env{{"TENBIN_URL", url()}, {"TENBIN_TOKEN", "secret"}, {"TZ", "Asia/Tokyo"}};
    for (const auto& [name, value] : more) env[name] = value;
    const Surroundings around{
        .variable =
            [&](const char* name) { return env.contains(name) ? env[name] : std::string(); },
        .out = [&](std::string_view text) { ran.out += text; },
        .err = [&](std::string_view text) { ran.err += text; },
        .sleep = [&](Span span) { ran.slept.push_back(span); },
        .out_is_terminal = terminal.columns > 0,
        .out_columns = terminal.columns,
        .out_rows = terminal.rows,
        .flush = [] {},
        .stopped = [&] { return ran.slept.size() >= stop_after; },
    };
    ran.exit = run_cli(around, args);
    return ran;
  }

  // "METHOD /path?query" of all so far.
  std::vector<std::string> asked() {
    std::scoped_lock lock(mutex_);
    std::vector<std::string> all;
    for (const net::Request& r : requests_) all.push_back(r.method + " " + target(r));
    return all;
  }
  net::Request last() {
    std::scoped_lock lock(mutex_);
    REQUIRE_FALSE(requests_.empty());
    return requests_.back();
  }
  net::Request at(std::size_t i) {
    std::scoped_lock lock(mutex_);
    REQUIRE(i < requests_.size());
    return requests_[i];
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }

  std::size_t stop_after = 0;  // how often --watch looks again

 private:
  static std::string target(const net::Request& r) {
    return r.path + (r.query.empty() ? "" : "?" + r.query);
  }

  void answer(net::Request&& request, net::Reply reply) {
    std::scoped_lock lock(mutex_);
    const auto found = answers_.find(request.method + " " + target(request));
    requests_.push_back(std::move(request));
    if (found == answers_.end())
      return reply(problem(404, "not_found", "no such page", "ページがありません"));
    net::Response response = found->second.front();
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    reply(std::move(response));
  }

  std::mutex mutex_;
  std::map<std::string, std::vector<net::Response>> answers_;
  std::vector<net::Request> requests_;
  net::Server server_;
};

}  // namespace tenbin::cli
