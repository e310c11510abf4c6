#include "exec/processes.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "exec/files.h"

namespace tenbin::exec {

namespace {

std::int64_t clock_ms(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
}

std::optional<std::string> read_process_file(pid_t id, const char* name, std::size_t max) {
  auto bytes = read_bounded(AT_FDCWD, "/proc/" + std::to_string(id) + "/" + name, max);
  if (!bytes) return std::nullopt;
  return *std::move(bytes);
}

// "7 (a name) S 1 7 7 ...": the name may hold anything, so what counts begins at the last ')'.
std::optional<Process> look_at(pid_t id) {
  const auto stat = read_process_file(id, "stat", 4096);
  if (!stat) return std::nullopt;
  std::string_view rest = *stat;
  const std::size_t name_end = rest.rfind(')');
  if (name_end == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(name_end + 1);

  std::vector<std::string_view> fields;  // [0] state, [1] parent, [19] start
  while (!rest.empty() && fields.size() < 20) {
    const std::size_t from = rest.find_first_not_of(' ');
    if (from == std::string_view::npos) break;
    const std::size_t to = std::min(rest.find(' ', from), rest.size());
    fields.push_back(rest.substr(from, to - from));
    rest.remove_prefix(to);
  }
  if (fields.size() < 20) return std::nullopt;
  Process process{.id = id};
  std::from_chars(fields[1].data(), fields[1].data() + fields[1].size(), process.parent);
  std::from_chars(fields[19].data(), fields[19].data() + fields[19].size(), process.start);
  process.zombie = fields[0] == "Z" || fields[0] == "X";
  return process;
}

std::vector<pid_t> all_ids() {
  std::vector<pid_t> ids;
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return ids;
  while (const dirent* entry = ::readdir(proc.get())) {  // NOLINT(concurrency-mt-unsafe): own DIR
    const std::string_view name = entry->d_name;
    pid_t id = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error == std::errc{} && end == name.data() + name.size()) ids.push_back(id);
  }
  return ids;
}

}  // namespace

std::int64_t boot_ms() {
  return clock_ms(CLOCK_BOOTTIME);
}
std::int64_t wall_ms() {
  return clock_ms(CLOCK_REALTIME);
}

std::vector<Process> descendants(pid_t root) {
  std::multimap<pid_t, Process> by_parent;
  for (const pid_t id : all_ids()) {
    if (const auto process = look_at(id)) by_parent.emplace(process->parent, *process);
  }
  std::vector<Process> found;
  std::set<pid_t> seen{root};  // processes come and go while we look, so parents may form a ring
  std::vector<pid_t> open{root};
  while (!open.empty()) {
    const auto [from, to] = by_parent.equal_range(open.back());
    open.pop_back();
    for (auto at = from; at != to; ++at) {
      if (!seen.insert(at->second.id).second) continue;
      found.push_back(at->second);
      open.push_back(at->second.id);
    }
  }
  return found;
}

void send_signal(const Process& process, int signal) {
  const Fd handle{static_cast<int>(::syscall(SYS_pidfd_open, process.id, 0))};
  if (!handle) return;
  const auto now = look_at(process.id);  // the handle was opened before: what we see is what we hit
  if (!now || now->start != process.start) return;
  ::syscall(SYS_pidfd_send_signal, handle.get(), signal, nullptr, 0);
}

void end_descendants() {
  for (;;) {
    std::map<std::pair<pid_t, std::uint64_t>, Process> stopped;
    for (bool grew = true; grew;) {
      grew = false;
      for (const Process& process : descendants(::getpid())) {
        if (process.zombie) continue;
        if (!stopped.emplace(std::pair(process.id, process.start), process).second) continue;
        send_signal(process, SIGSTOP);
        grew = true;
      }
    }
    for (const auto& [key, process] : stopped) send_signal(process, SIGKILL);

    pid_t reaped = 0;
    do {
      reaped = ::waitpid(-1, nullptr, WNOHANG);
    } while (reaped > 0 || (reaped < 0 && errno == EINTR));
    if (reaped < 0) return;  // ECHILD: a subreaper without children has no descendants
    const timespec moment{.tv_sec = 0, .tv_nsec = 2'000'000};
    ::nanosleep(&moment, nullptr);
  }
}

std::vector<Process> processes_with(const std::vector<std::string>& variables) {
  std::vector<Process> found;
  for (const pid_t id : all_ids()) {
    const auto process = look_at(id);
    if (!process || process->zombie) continue;
    auto environment = read_process_file(id, "environ", 4 << 20);
    if (!environment) continue;
    environment->insert(environment->begin(), '\0');
    *environment += '\0';
    const bool all = std::ranges::all_of(variables, [&](const std::string& variable) {
      return environment->contains('\0' + variable + '\0');
    });
    if (all) found.push_back(*process);
  }
  return found;
}

}  // namespace tenbin::exec
