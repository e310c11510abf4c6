#pragma once

// The real program on a state folder of its own, and what a test needs to be a client of it.

#include <doctest/doctest.h>
#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "base/rng.h"
#include "codec/json.h"
#include "net/http_client.h"

namespace tenbin::faults {

/// A folder for one test, removed with everything in it when the test ends.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string state() const { return path_ + "/state"; }
  std::string work() const { return path_ + "/work"; }
  std::string trace() const { return path_ + "/trace"; }  // anybody may write here
 private:
  std::string path_;
};

struct Ended {
  std::optional<int> code;    // of its exit
  std::optional<int> signal;  // that ended it
};

/// A service in a process of its own.
class Daemon {
 public:
  struct Settings {
    std::string state, work;
    int lease_ms = 1'000;
    std::vector<std::string> more = {};      // options
    std::function<void()> before_exec = {};  // in the child; only what is safe after a fork
  };
  explicit Daemon(Settings settings) : settings_(std::move(settings)) {}
  ~Daemon();  // kill -9, if it runs

  /// Starts it and waits until it serves; false if it ended instead.
  bool start();
  void signal(int number) const;
  Ended wait(int seconds = 60);
  Ended kill9();
  bool runs() const { return process_ > 0; }
  pid_t process() const { return process_; }

  std::string url() const;    // of the latest start
  std::string token() const;  // the first officer's
  std::string words() const;  // all that its lives said on stdout and stderr
 private:
  Settings settings_;
  pid_t process_ = 0;
};

struct Reply {
  int status = 0;  // 0: no answer came
  std::string body, type;
  std::map<std::string, std::string> headers;
  std::string trouble;

  /// The value under "a.b.c", for example "texts.ja"; nothing if it is not there.
  std::optional<std::string> text(const std::string& path) const;
  std::optional<std::int64_t> number(const std::string& path) const;
};

/// A client with a token.
class Caller {
 public:
  Caller(std::string url, std::string token) : client_(std::move(url)), token_(std::move(token)) {}

  Reply get(const std::string& target) { return send("GET", target, ""); }
  Reply post(const std::string& target, const std::string& body, const std::string& key = {});
  Reply send(const std::string& method, const std::string& target, const std::string& body,
             net::Headers more = {}, Span timeout = Span{20'000});

 private:
  net::Client client_;
  std::string token_;
};

std::string uuid(Rng& rng);

/// The program run to its end: its exit code, and what it said on both streams.
struct Ran {
  int code = -1;
  std::string words;
};
Ran run_tenbin(std::vector<std::string> words);
/// `tenbin verify STATE`.
Ran verified(const std::string& state);
/// How many records the journal has, as verify counts them.
std::int64_t records(const std::string& state);

/// Two nodes of four GPUs in one pool at 3600 credits an hour (a micro-credit each micro-second and
/// GPU), fractions at 1.1 times that; one project with a million credits, and one with nothing.
void declare_fleet(Caller& officer);

struct Seen {
  pid_t process = 0;
  std::string command;  // argv, with spaces
};
/// Supervisors and wardens of the attempts of a state folder.
std::vector<Seen> supervisors(const std::string& state);
/// Processes whose environment names this folder: jobs of the test.
std::vector<Seen> jobs_of(const std::string& folder);

std::string contents(const std::string& path);
std::vector<std::string> lines(const std::string& path);

template <class Check>
bool within(int seconds, Check&& check);
void rest(int ms);
std::int64_t wall_now_ms();

/// In a child process: a folder on a small disk (tmpfs with these options) that no other process
/// sees. Empty if that is not permitted here. The caller unmounts and removes it.
std::string own_disk(const char* options);

}  // namespace tenbin::faults

#include <chrono>
template <class Check>
bool tenbin::faults::within(int seconds, Check&& check) {
  for (const auto over = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);;) {
    if (check()) return true;
    if (std::chrono::steady_clock::now() > over) return false;
    rest(10);
  }
}
