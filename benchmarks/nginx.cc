#include "nginx.h"

#include <sys/prctl.h>

#include <fstream>
#include <utility>

namespace tenbin::bench {

namespace {

std::string reason;

std::string program() {
  for (const char* path : {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return {};
}

// Free now; somebody may take it before nginx does, and then nginx does not start.
std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    give_up("no free port");
  }
  ::close(fd);
  return ntohs(address.sin_port);
}

bool answers(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool good =
      fd >= 0 && ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (fd >= 0) ::close(fd);
  return good;
}

}  // namespace

const std::string& Nginx::why_not() {
  return reason;
}

std::optional<Nginx> Nginx::start(const std::string& locations, std::size_t connections) {
  const std::string nginx = program();
  if (nginx.empty()) {
    reason = "nginx is not installed (apt-get install nginx-light)";
    return std::nullopt;
  }
  Nginx started;
  started.folder_ = std::make_unique<TemporaryFolder>();
  const TemporaryFolder& folder = *started.folder_;
  started.port_ = free_port();
  // When fewer than a sixteenth of its places are left it closes idle clients.
  const std::size_t places = connections + connections / 8 + 1'000;
  {
    std::ofstream out(folder / "nginx.conf");
    out << "daemon off; master_process on; worker_processes 1;\npid " << folder / "pid"
        << ";\nerror_log " << folder / "error.log" << ";\nworker_rlimit_nofile " << places + 200
        << ";\nevents { worker_connections " << places
        << "; }\nhttp {\n  access_log off; keepalive_timeout 3600; keepalive_requests 100000000;\n"
           "  tcp_nodelay on; default_type application/json;\n";
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      out << "  " << kind << "_temp_path " << folder / kind << ";\n";
    out << "  server { listen 127.0.0.1:" << started.port_ << " backlog=4096;\n"
        << locations << "\n  }\n}\n";
  }
  started.master_ = ::fork();
  if (started.master_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, 1);
    ::dup2(nothing, 2);
    const std::string config = folder / "nginx.conf", prefix = folder / "";
    ::execl(nginx.c_str(), "nginx", "-p", prefix.c_str(), "-c", config.c_str(), nullptr);
    ::_exit(127);
  }
  for (int i = 0; i < 5'000 && started.master_ > 0; ++i) {
    if (::waitpid(started.master_, nullptr, WNOHANG) == started.master_) break;
    if (answers(started.port_)) return started;
    ::usleep(1'000);
  }
  std::ifstream log(folder / "error.log");
  std::getline(log, reason);
  reason = "nginx did not start: " + reason;
  return std::nullopt;
}

Nginx::Nginx(Nginx&& other) noexcept
    : folder_(std::move(other.folder_)),
      master_(std::exchange(other.master_, 0)),
      port_(other.port_) {}

Nginx::~Nginx() {
  if (master_ <= 0) return;
  ::kill(master_, SIGTERM);
  ::waitpid(master_, nullptr, 0);
}

double Nginx::rss_kib() const {
  double all = bench::rss_kib(master_);
  std::ifstream children("/proc/" + std::to_string(master_) + "/task/" + std::to_string(master_) +
                         "/children");
  for (pid_t child = 0; children >> child;) all += bench::rss_kib(child);
  return all;
}

}  // namespace tenbin::bench
