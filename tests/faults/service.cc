#include "faults/service.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "codec/hash.h"

namespace tenbin::faults {

namespace fs = std::filesystem;

void rest(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

std::string own_disk(const char* options) {
  std::string name = "/tmp/tenbin-disk-XXXXXX";
  if (!::mkdtemp(name.data())) return {};
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("tmpfs", name.c_str(), "tmpfs", 0, options) != 0) {
    ::rmdir(name.c_str());
    return {};
  }
  return name;
}

std::int64_t wall_now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  return all.str();
}

std::vector<std::string> lines(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> found;
  for (std::string line; std::getline(file, line);) found.push_back(line);
  return found;
}

// ---- folders ----

TestFolder::TestFolder() {
  std::string name = (fs::temp_directory_path() / "tenbin-faults-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path_ = name;
  REQUIRE(::chmod(path_.c_str(), 0755) == 0);
  for (const std::string& folder : {state(), work(), trace()}) fs::create_directory(folder);
  ::chmod(state().c_str(), 0700);
  ::chmod(work().c_str(), 0711);
  ::chmod(trace().c_str(), 01777);
}

TestFolder::~TestFolder() {
  for (const auto& find : {supervisors, jobs_of}) {
    for (const Seen& one : find(path_)) ::kill(one.process, SIGKILL);
  }
  std::error_code error;
  for (int i = 0; i < 50; ++i) {  // who has just been killed may still have been writing
    fs::remove_all(path_, error);
    if (!fs::exists(path_)) return;
    rest(20);
  }
}

// ---- processes ----

namespace {

std::vector<pid_t> all_processes() {
  std::vector<pid_t> ids;
  std::error_code error;
  for (fs::directory_iterator at("/proc", error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos)
      ids.push_back(std::atoi(name.c_str()));
  }
  return ids;
}

std::string command_of(pid_t process) {
  std::string text = contents("/proc/" + std::to_string(process) + "/cmdline");
  for (char& c : text) {
    if (c == '\0') c = ' ';
  }
  return text;
}

}  // namespace

std::vector<Seen> supervisors(const std::string& state) {
  std::vector<Seen> found;
  for (const pid_t process : all_processes()) {
    const std::string command = command_of(process);
    if (command.find(" supervise " + state) != std::string::npos)
      found.push_back({process, command});
  }
  return found;
}

std::vector<Seen> jobs_of(const std::string& folder) {
  std::vector<Seen> found;
  for (const pid_t process : all_processes()) {
    const std::string environment = contents("/proc/" + std::to_string(process) + "/environ");
    if (environment.find("TENBIN_ATTEMPT=") == std::string::npos ||
        environment.find(folder) == std::string::npos)
      continue;
    found.push_back({process, command_of(process)});
  }
  return found;
}

Daemon::~Daemon() {
  if (runs()) kill9();
}

bool Daemon::start() {
  REQUIRE(!runs());
  fs::remove(settings_.state + "/url");
  const std::string log = settings_.state + "/../log";
  const pid_t parent = ::getpid();
  std::vector<std::string> words = {
      TENBIN_BINARY,  "serve",  "--state", settings_.state, "--work",
      settings_.work, "--port", "0",       "--lease-ms",    std::to_string(settings_.lease_ms)};
  words.insert(words.end(), settings_.more.begin(), settings_.more.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  process_ = ::fork();
  REQUIRE(process_ >= 0);
  if (process_ == 0) {
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(out, 1);
    ::dup2(out, 2);
    for (int fd = 3; fd < 256; ++fd) ::close(fd);
    if (settings_.before_exec) settings_.before_exec();
    if (::getppid() == parent) ::execv(argv[0], argv.data());
    ::_exit(126);
  }
  for (int i = 0; i < 6'000; ++i) {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      process_ = 0;
      return false;
    }
    if (fs::exists(settings_.state + "/url")) return true;
    rest(10);
  }
  return false;
}

void Daemon::signal(int number) const {
  if (runs()) ::kill(process_, number);
}

Ended Daemon::wait(int seconds) {
  Ended ended;
  for (int i = 0; i < seconds * 100; ++i) {
    int status = 0;
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      process_ = 0;
      if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
      if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
      return ended;
    }
    rest(10);
  }
  return ended;
}

Ended Daemon::kill9() {
  signal(SIGKILL);
  return wait();
}

std::string Daemon::url() const {
  return lines(settings_.state + "/url").at(0);
}
std::string Daemon::token() const {
  return lines(settings_.state + "/admin.token").at(0);
}
std::string Daemon::words() const {
  return contents(settings_.state + "/../log");
}

// ---- clients ----

namespace {

JsonValue at_path(JsonValue root, const std::string& path) {
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '.');) root = root[part];
  return root;
}

}  // namespace

std::optional<std::string> Reply::text(const std::string& path) const {
  JsonDocument document;
  const auto root = document.parse(body);
  if (!root) return std::nullopt;
  const auto found = at_path(*root, path).text();
  return found ? std::optional<std::string>(*found) : std::nullopt;
}

std::optional<std::int64_t> Reply::number(const std::string& path) const {
  JsonDocument document;
  const auto root = document.parse(body);
  return root ? at_path(*root, path).integer() : std::nullopt;
}

Reply Caller::post(const std::string& target, const std::string& body, const std::string& key) {
  net::Headers more;
  if (!key.empty()) more.emplace_back("Idempotency-Key", key);
  return send("POST", target, body, std::move(more));
}

Reply Caller::send(const std::string& method, const std::string& target, const std::string& body,
                   net::Headers more, Span timeout) {
  if (!token_.empty()) more.emplace_back("Authorization", "Bearer " + token_);
  if (!body.empty()) more.emplace_back("Content-Type", "application/json");
  const auto response = client_.send(method, target, more, body, timeout);
  if (!response) return {.trouble = response.error().what};
  Reply reply{.status = response->status, .body = response->body, .type = response->content_type};
  for (const auto& [name, value] : response->headers) reply.headers[name] = value;
  return reply;
}

std::string uuid(Rng& rng) {
  return to_uuid({rng.next() | 1, rng.next()});
}

Ran run_tenbin(std::vector<std::string> words) {
  words.insert(words.begin(), TENBIN_BINARY);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int out[2];
  REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
  const pid_t process = ::fork();
  REQUIRE(process >= 0);
  if (process == 0) {
    ::dup2(out[1], 1);
    ::dup2(out[1], 2);
    ::execv(argv[0], argv.data());
    ::_exit(126);
  }
  ::close(out[1]);
  Ran ran;
  char buffer[4096];
  for (ssize_t n; (n = ::read(out[0], buffer, sizeof buffer)) > 0;)
    ran.words.append(buffer, static_cast<std::size_t>(n));
  ::close(out[0]);
  int status = 0;
  ::waitpid(process, &status, 0);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

Ran verified(const std::string& state) {
  return run_tenbin({"verify", state});
}

std::int64_t records(const std::string& state) {
  const Ran v = verified(state);
  REQUIRE_MESSAGE(v.code == 0, v.words);
  const std::size_t at = v.words.find("verified: ");
  REQUIRE(at != std::string::npos);
  return std::atoll(v.words.c_str() + at + 10);
}

void declare_fleet(Caller& officer) {
  const Reply reply = officer.post("/v1/apply", R"({"items": [
    {"kind": "funder", "name": "funder", "commitment": {"amount": "2000000", "currency": "USD"}, "credits_per_unit": "1"},
    {"kind": "programme", "name": "programme"},
    {"kind": "organisation", "name": "organisation"},
    {"kind": "grant", "name": "grant", "programme": "programme", "organisation": "organisation"},
    {"kind": "lot", "name": "lot", "grant": "grant", "funder": "funder", "amount": {"amount": "1500000", "currency": "USD"},
     "valid_from": "2020-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"},
    {"kind": "project", "name": "project", "organisation": "organisation"},
    {"kind": "project", "name": "poor", "organisation": "organisation"},
    {"kind": "allocation", "name": "allocation", "grant": "grant", "project": "project", "amount": "1000000"},
    {"kind": "person", "name": "member", "role": "member"},
    {"kind": "person", "name": "stranger", "role": "member"},
    {"kind": "member", "project": "project", "person": "member"},
    {"kind": "provider", "name": "provider"},
    {"kind": "region", "name": "region"},
    {"kind": "pool", "name": "pool", "provider": "provider", "region": "region", "gpu_model": "model", "gpus_per_node": 4},
    {"kind": "node", "name": "node-0", "pool": "pool", "first_device": 0},
    {"kind": "node", "name": "node-1", "pool": "pool", "first_device": 4},
    {"kind": "price", "pool": "pool", "gpu_hour": "3600", "fraction_factor": "1.1"}]})");
  REQUIRE_MESSAGE(reply.status == 200, (reply.body + reply.trouble));
  REQUIRE_MESSAGE(reply.body.find("\"refused\":null") != std::string::npos, reply.body);
}

}  // namespace tenbin::faults
