#pragma once

// `tenbin serve` on a folder of its own, for benchmarks that ask it from outside.

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "bench.h"
#include "net/http_client.h"

extern char** environ;

namespace tenbin::bench {

using Seconds = std::chrono::duration<double>;
inline double now_s() {
  return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[noreturn]] inline void give_up(const std::string& what) {
  std::fprintf(stderr, "bench: %s\n", what.c_str());
  std::exit(1);
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tenbin-bench-XXXXXX").string();
    if (!::mkdtemp(pattern.data())) give_up("no temporary folder");
    path_ = pattern;
    ::chmod(pattern.c_str(),
            0711);  // as root, jobs run as another account, which must pass through
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline pid_t spawn(const std::vector<std::string>& words,
                   const std::vector<std::string>& more_environment, bool quiet) {
  std::vector<char*> argv, environment;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  for (const std::string& entry : more_environment)
    environment.push_back(const_cast<char*>(entry.c_str()));
  for (char** entry = environ; *entry; ++entry) environment.push_back(*entry);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (quiet) posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  if (quiet) posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  if (::posix_spawn(&child, TENBIN_BINARY, &actions, nullptr, argv.data(), environment.data()) !=
      0) {
    give_up("tenbin cannot be started");
  }
  posix_spawn_file_actions_destroy(&actions);
  return child;
}

/// Resident memory of a process.
inline double rss_kib(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/status");
  for (std::string word; file >> word;) {
    double kib = 0;
    if (word == "VmRSS:" && file >> kib) return kib;
  }
  return 0;
}

/// A service on a state folder, until this goes.
class Service {
 public:
  explicit Service(const std::string& state) : state_(state) {
    std::filesystem::remove(state + "/url");
    const double began = now_s();
    child_ = spawn({"tenbin", "serve", "--state", state, "--work", state + "-work", "--port", "0",
                    "--accept-clock"},
                   {}, true);
    for (;;) {
      std::ifstream file(state + "/url");
      if (std::getline(file, url_) && !url_.empty()) break;
      int status = 0;
      if (::waitpid(child_, &status, WNOHANG) == child_)
        give_up("tenbin serve ended; run it by hand to see why");
      ::usleep(1'000);
    }
    ready_s_ = now_s() - began;
    std::ifstream token(state + "/admin.token");
    std::getline(token, token_);
  }
  ~Service() { end(SIGTERM); }
  void end(int signal) {
    if (child_ == 0) return;
    ::kill(child_, signal);
    ::waitpid(child_, nullptr, 0);
    child_ = 0;
  }
  double ready_s() const { return ready_s_; }
  pid_t process() const { return child_; }
  const std::string& url() const { return url_; }
  const std::string& token() const { return token_; }
  std::uint16_t port() const {
    return static_cast<std::uint16_t>(std::stoi(url_.substr(url_.rfind(':') + 1)));
  }
  net::Headers headers() const {
    return {{"Authorization", "Bearer " + token_}, {"Content-Type", "application/json"}};
  }
  void post(const std::string& path, const std::string& body) {
    net::Client client(url_);
    const auto response = client.send("POST", path, headers(), body, Span{30'000});
    if (!response || response->status >= 300)
      give_up(path + ": " + (response ? response->body : response.error().what));
  }

 private:
  std::string state_, url_, token_;
  pid_t child_ = 0;
  double ready_s_ = 0;
};

// Rooms for jobs that never start: what is measured is submitting, not launching.
inline constexpr const char* programme = R"({"items":[
 {"kind":"funder","name":"f","commitment":{"amount":"4000000000000","currency":"JPY"},"credits_per_unit":"1"},
 {"kind":"programme","name":"p"},{"kind":"organisation","name":"o"},{"kind":"grant","name":"g","programme":"p","organisation":"o"},
 {"kind":"lot","name":"l","grant":"g","funder":"f","amount":{"amount":"4000000000000","currency":"JPY"},"valid_from":"2020-01-01T00:00:00Z","expires":"2099-01-01T00:00:00Z"},
 {"kind":"project","name":"bench","organisation":"o"},{"kind":"allocation","name":"a","grant":"g","project":"bench","amount":"3000000000000"},
 {"kind":"provider","name":"v"},{"kind":"region","name":"r"},{"kind":"pool","name":"q","provider":"v","region":"r","gpu_model":"gpu","gpus_per_node":8},
 {"kind":"node","name":"n","pool":"q"},{"kind":"price","pool":"q","gpu_hour":"600","fraction_factor":"1.1"}]})";

inline constexpr const char* job_body =
    R"({"project":"bench","name":"train","gpus":4,"time_limit_ms":3600000,"run":{"argv":["python3","train.py","--epochs","10"],"environment":{"SEED":"42"}}})";

inline void set_up(Service& service) {
  service.post("/v1/apply", programme);
  service.post("/v1/nodes/n/drain", "");
}

}  // namespace tenbin::bench
