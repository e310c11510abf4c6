#include "exec/local_executor.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "exec/files.h"
#include "exec/member.h"
#include "exec/message.h"
#include "exec/processes.h"
#include "exec/slurm_commands.h"
#include "exec/supervisor.h"

namespace tenbin::exec {

namespace {

constexpr std::int64_t look_again_ms = 20;  // first delay, doubled up to
constexpr std::int64_t look_again_max_ms = 500;
constexpr int launches_max = 8;

std::string name_of(AttemptId id) {
  return std::to_string(id.job) + '-' + std::to_string(id.attempt);
}

std::string random_token() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != std::ssize(bytes)) return {};
  std::string token;
  for (const unsigned char byte : bytes) {
    token += "0123456789abcdef"[byte >> 4];
    token += "0123456789abcdef"[byte & 15];
  }
  return token;
}

bool is_there(const Fd& directory, const char* name) {
  return ::faccessat(directory.get(), name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

// A launch whose token is not in `fence` starts nothing. Needs no room on the disk.
void fence_off(const Fd& directory) {
  ::unlinkat(directory.get(), "fence", 0);
  ::fsync(directory.get());
}

}  // namespace

// The executor's thread. Every attempt goes the same way after a start and after a restart: look at
// what its folder says, then talk to its supervisor, or launch one, or conclude that it is lost.
class LocalExecutor::Loop {
 public:
  explicit Loop(LocalSettings settings) : settings_(std::move(settings)), opened_ms_(boot_ms()) {}

  ~Loop() {
    leave({Quit{}});
    if (thread_.joinable()) thread_.join();
  }

  Result<void> begin() {
    epoll_ = Fd{::epoll_create1(EPOLL_CLOEXEC)};
    mail_ = Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!epoll_ || !mail_) return failed(sentence("cannot make an executor", errno));
    watch(mail_.get());
    thread_ = std::thread([this] { run(); });
    return {};
  }

  struct Stop {
    AttemptId id;
  };
  struct Forget {
    AttemptId id;
  };
  struct Quit {};
  using Note = std::variant<AttemptSpec, Stop, Forget, Quit>;

  void leave(Note note) {
    {
      const std::lock_guard hold(mutex_);
      notes_.push_back(std::move(note));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(mail_.get(), &one, sizeof one);
  }

  void listen(std::function<void(AttemptEnd)> listener) {
    const std::lock_guard hold(listener_mutex_);
    listener_ = std::move(listener);
  }

  const LocalSettings& settings() const { return settings_; }

  LocalExecutor::Figures figures() const {
    return {.attempts = attempts_seen_,
            .supervisors = supervisors_seen_,
            .launches = launches_,
            .renewals_failed = renewals_failed_};
  }

  std::string directory_of(AttemptId id) const {
    return settings_.attempt_directory + '/' + name_of(id);
  }
  std::string output_of(AttemptId id) const {
    return settings_.output_directory + '/' + std::to_string(id.job) + '/' +
           std::to_string(id.attempt);
  }

 private:
  struct Attempt {
    LaunchSpec spec;
    Fd directory;
    Fd socket;    // to its supervisor
    Fd launcher;  // the first process of a launch, until it has ended
    pid_t launcher_id = 0;
    int launches = 0;
    std::string trouble;        // why the last launch came to nothing
    bool welcomed = false;      // the supervisor took our hello
    bool answered = true;       // it took our last renewal
    std::int64_t hello_at = 0;  // when we said hello on this socket
    bool refused = false;       // a later service has it: it is no longer ours to speak of
    bool stop_wanted = false;
    bool forgotten = false;      // nobody wants to hear its end
    std::int64_t lease_end = 0;  // latest time until which anyone may have been promised
    std::int64_t look_at = 0;    // when to do something next
    std::int64_t delay = look_again_ms;
    std::optional<AttemptEnd> end;  // has been told
  };

  // ---- the thread ----

  void run() {
    for (;;) {
      std::array<epoll_event, 64> events{};
      const int n = ::epoll_wait(epoll_.get(), events.data(), std::ssize(events), patience());
      for (int i = 0; i < n; ++i) on_event(events[static_cast<std::size_t>(i)].data.fd);
      on_time();
      attempts_seen_ = attempts_.size();
      // One note a round: a start waits for the disk, and renewals must not wait for many starts.
      if (auto note = take_note()) {
        if (std::holds_alternative<Quit>(*note)) return;
        read_note(*std::move(note));
      }
    }
  }

  int patience() {
    {
      const std::lock_guard hold(mutex_);
      if (!notes_.empty()) return 0;
    }
    std::int64_t first = INT64_MAX;
    for (const auto& [id, attempt] : attempts_) first = std::min(first, attempt.look_at);
    for (const auto& [id, at] : leaving_) first = std::min(first, at);
    if (first == INT64_MAX) return -1;
    return static_cast<int>(std::clamp<std::int64_t>(first - boot_ms(), 0, 60'000));
  }

  std::optional<Note> take_note() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(mail_.get(), &count, sizeof count);
    const std::lock_guard hold(mutex_);
    if (notes_.empty()) return std::nullopt;
    std::optional<Note> note(std::move(notes_.front()));
    notes_.pop_front();
    return note;
  }

  void read_note(Note note) {
    if (auto* spec = std::get_if<AttemptSpec>(&note)) on_start(std::move(*spec));
    if (const auto* stop = std::get_if<Stop>(&note)) on_stop(stop->id);
    if (const auto* forget = std::get_if<Forget>(&note)) on_forget(forget->id);
  }

  void on_event(int fd) {
    const auto owner = owners_.find(fd);
    if (owner == owners_.end()) return;
    const AttemptId id = owner->second;
    Attempt& attempt = attempts_.at(id);
    if (fd == attempt.launcher.get()) return on_launched(attempt);
    if (fd == attempt.socket.get()) hear(attempt);
  }

  void on_time() {
    const std::int64_t now = boot_ms();
    std::vector<AttemptId> over;
    for (auto& [id, attempt] : attempts_) {
      if (attempt.look_at <= now) {
        if (attempt.welcomed) {
          promise(attempt);
        } else {
          examine(attempt);
        }
      }
      if (attempt.forgotten && attempt.end) over.push_back(id);
    }
    for (const AttemptId id : over) drop(id);
    for (auto at = leaving_.begin(); at != leaving_.end();) {
      const bool due = at->second <= now;
      if (due) at->second = now + look_again_max_ms;
      at = due && remove_folder(at->first) ? leaving_.erase(at) : std::next(at);
    }
  }

  // ---- notes ----

  // With no account at all it is root's, which is refused in words where it would be used.
  std::string account_of(std::uint64_t project) const {
    if (settings_.project_accounts != 0)
      return numbered_account(settings_.project_accounts, project);
    return settings_.job_account.empty() ? "root" : settings_.job_account;
  }

  void on_start(AttemptSpec spec) {
    const AttemptId id = spec.id;
    leaving_.erase(id);
    if (const auto known = attempts_.find(id); known != attempts_.end()) {
      Attempt& attempt = known->second;
      if (attempt.end) return tell(*attempt.end);
      if (spec.epoch > attempt.spec.attempt.epoch) {
        attempt.spec.attempt.epoch = spec.epoch;
        hang_up(attempt);
        attempt.look_at = 0;
      }
      return;
    }
    Attempt attempt;
    const std::string account = ::geteuid() == 0 ? account_of(spec.project) : "";
    attempt.spec = {.attempt = std::move(spec),
                    .account = account,
                    .work_directory = settings_.work_directory + '/' + std::to_string(id.job),
                    .output_directory = output_of(id),
                    .lease = settings_.lease};
    examine(attempts_.emplace(id, std::move(attempt)).first->second);
  }

  // Errors: try again. What cannot be tried again has been told as an end.
  Result<void> open_folder(Attempt& attempt) {
    const std::string path = directory_of(attempt.spec.attempt.id);
    struct stat status{};
    const bool known = ::stat(path.c_str(), &status) == 0;
    const bool unknown = !known && errno == ENOENT;
    if (auto made = make_directory(path, 0700); !made) {
      if (!unknown) return made;  // perhaps it is there and runs
      end(attempt, Outcome::launch_failed, made.error().what);
      return made;
    }
    auto directory = open_directory(path);
    if (!directory) return std::unexpected(directory.error());
    attempt.directory = *std::move(directory);
    if (unknown) return {};

    // Somebody before us may have promised a lease that still runs, of a length that may not be
    // ours. The supervisor knows that length, so neither do we promise more than it will take.
    Span before = settings_.lease;
    auto text = read_bounded(attempt.directory.get(), "spec", spec_bytes_max);
    if (text && *text) {
      if (auto old = decode_spec(**text)) before = old->lease;
    }
    attempt.lease_end = opened_ms_ + std::max(before, settings_.lease).count;
    attempt.spec.lease = std::min(before, settings_.lease);
    return {};
  }

  void on_stop(AttemptId id) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return;
    found->second.stop_wanted = true;
    if (found->second.welcomed) say(found->second, Message::Word::stop);
  }

  void on_forget(AttemptId id) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return forget_folder(id);
    if (found->second.end || found->second.refused) return drop(id);
    log("attempt " + name_of(id) + " is to be forgotten but has not ended; it is stopped");
    found->second.forgotten = true;
    on_stop(id);
  }

  // ---- what the folder says ----

  void examine(Attempt& attempt) {
    if (attempt.end || attempt.refused) {
      attempt.look_at = INT64_MAX;
      return;
    }
    wait_a_little(attempt);
    if (!attempt.directory) {
      if (auto opened = open_folder(attempt); !opened) return log(opened.error().what);
    }
    if (take_result(attempt, Lock::unknown)) return;
    if (attempt.launcher) return;  // it says when it is ready

    auto lock = try_lock(attempt.directory.get());
    if (!lock) return log(lock.error().what);
    if (!*lock) return connect(attempt);

    // Nothing of this attempt runs, and while we hold the lock nothing can begin to.
    hang_up(attempt);
    std::optional<std::string> token;
    if (!take_result(attempt, Lock::ours)) {
      if (is_there(attempt.directory, "started")) {
        conclude_lost(attempt);
      } else if (attempt.stop_wanted) {
        fence_off(attempt.directory);
        end(attempt, Outcome::stopped, "it was stopped before it started");
      } else {
        token = prepare_launch(attempt);
      }
    }
    unlock(*std::move(*lock));
    if (token) launch(attempt, *token);
  }

  enum class Lock : std::uint8_t { unknown, ours };

  // True if there is a result, even if it is not yet time to tell it.
  bool take_result(Attempt& attempt, Lock lock) {
    const auto text = read_bounded(attempt.directory.get(), "result", end_bytes_max);
    if (!text) log(text.error().what);
    if (!text || !*text) return false;
    auto result = decode_end(**text);
    if (!result || result->id != attempt.spec.attempt.id) {
      log("attempt " + name_of(attempt.spec.attempt.id) + " has a result that makes no sense");
      return false;
    }
    if (result->outcome == Outcome::lost) {
      if (lock == Lock::unknown) return false;
      if (boot_ms() < attempt.lease_end) {
        attempt.look_at = attempt.lease_end;
        return true;
      }
    }
    settle(attempt, *std::move(result));
    return true;
  }

  // Under the lock. The supervisor and the warden are gone, each of which kills what runs when the
  // other dies. Should both have died at one blow, what is left is known by its environment.
  void conclude_lost(Attempt& attempt) {
    const AttemptId id = attempt.spec.attempt.id;
    if (boot_ms() < attempt.lease_end) {
      attempt.look_at = attempt.lease_end;
      return;
    }
    const auto text = read_bounded(attempt.directory.get(), "started", started_bytes_max);
    if (text && *text) {
      if (const auto started = decode_started(**text)) {
        const auto left = processes_with({"TENBIN_JOB_ID=" + std::to_string(id.job),
                                          "TENBIN_ATTEMPT=" + std::to_string(id.attempt),
                                          "TENBIN_ADDRESSES=" + started->addresses});
        for (const Process& process : left) send_signal(process, SIGKILL);
        if (!left.empty()) return;  // until they are seen to be gone
      }
    }
    AttemptEnd lost{.id = id,
                    .outcome = Outcome::lost,
                    .code = 0,
                    .ended = Instant{wall_ms()},
                    .words = "its supervisor was gone"};
    if (auto kept = write_durable(attempt.directory.get(), "result", encode(lost)); !kept) {
      log(kept.error().what);  // the same will be concluded again
    }
    settle(attempt, std::move(lost));
  }

  // ---- launching ----

  // Under the lock: makes any earlier launch harmless and writes what the next one needs.
  std::optional<std::string> prepare_launch(Attempt& attempt) {
    const int directory = attempt.directory.get();
    auto text = read_bounded(directory, "spec", spec_bytes_max);
    if (text && *text) {
      const auto old = decode_spec(**text);
      if (old && old->attempt.epoch > attempt.spec.attempt.epoch) {
        refuse(attempt);
        return std::nullopt;
      }
    }
    fence_off(attempt.directory);
    if (attempt.launches == launches_max) {
      end(attempt, Outcome::launch_failed,
          attempt.trouble.empty() ? "its supervisor did not start" : attempt.trouble);
      return std::nullopt;
    }
    ++attempt.launches;
    ++launches_;

    std::string token = random_token();
    const std::string spec = encode(attempt.spec);
    if (!decode_spec(spec)) {
      end(attempt, Outcome::launch_failed,
          "its command or environment is not one a process can have");
      return std::nullopt;
    }
    auto written = write_durable(directory, "spec", spec);
    if (written) written = write_durable(directory, "fence", token);
    if (!written || token.empty()) {
      attempt.trouble = written ? "no random numbers" : written.error().what;
      return std::nullopt;
    }
    return token;
  }

  void launch(Attempt& attempt, const std::string& token) {
    std::vector<std::string> texts = settings_.supervisor;
    texts.push_back(directory_of(attempt.spec.attempt.id));
    texts.push_back(token);
    std::vector<char*> argv;
    argv.reserve(texts.size() + 1);
    for (std::string& text : texts) argv.push_back(text.data());
    argv.push_back(nullptr);
    std::string open_files = std::string(open_files_variable) + "=";
    std::vector<char*> environment;
    for (char** entry = ::environ; *entry; ++entry) {
      if (!std::string_view(*entry).starts_with(open_files)) environment.push_back(*entry);
    }
    if (settings_.open_files) {
      open_files += std::to_string(*settings_.open_files);
      environment.push_back(open_files.data());
    }
    environment.push_back(nullptr);

    sigset_t all, none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    pid_t process = 0;
    const int error =
        ::posix_spawn(&process, argv[0], nullptr, &attributes, argv.data(), environment.data());
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) {
      attempt.trouble = sentence("cannot run the supervisor " + texts[0], error);
      return;
    }
    attempt.launcher_id = process;
    attempt.launcher = Fd{static_cast<int>(::syscall(SYS_pidfd_open, process, 0))};
    if (!attempt.launcher) {  // out of descriptors: then wait for it here, it does not take long
      on_launched(attempt);
      return;
    }
    watch(attempt.launcher.get(), attempt.spec.attempt.id);
  }

  void on_launched(Attempt& attempt) {
    int status = 0;
    while (::waitpid(attempt.launcher_id, &status, 0) < 0 && errno == EINTR) {
    }
    unwatch(attempt.launcher);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      attempt.look_at = 0;
    } else {
      attempt.trouble = "its supervisor did not start; " + directory_of(attempt.spec.attempt.id) +
                        "/log may say why";
    }
  }

  // ---- talking to a supervisor ----

  void connect(Attempt& attempt) {
    if (attempt.socket) return end_if_silent(attempt);  // it has our hello; if it goes we hear it
    Fd socket{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_un address{};  // through the descriptor, because a path may be too long for it
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/socket",
                  attempt.directory.get());
    if (!socket ||
        ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      return;
    }
    attempt.socket = std::move(socket);
    attempt.hello_at = boot_ms();
    watch(attempt.socket.get(), attempt.spec.attempt.id);
    say(attempt, Message::Word::hello);
  }

  // One that is stopped or hangs would hold the lock for ever, and its job would never run again.
  // All leases are over, so nothing that it is to look after may run any more; after so long
  // without a lease it would have gone by itself. Whoever listens at the other end lives as long
  // as the connection does, so the process id is nobody else's.
  void end_if_silent(Attempt& attempt) {
    const std::int64_t patience = std::max(first_lease_patience_ms, attempt.spec.lease.count);
    const std::int64_t now = boot_ms();
    if (attempt.welcomed || now < attempt.hello_at + patience || now < attempt.lease_end) return;
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(attempt.socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
    const Fd supervisor{static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0))};
    pollfd connection{attempt.socket.get(), POLLIN, 0};
    ::poll(&connection, 1, 0);
    if (!supervisor || connection.revents != 0) return;  // it has gone, or answers after all
    log("attempt " + name_of(attempt.spec.attempt.id) + ": its supervisor, process " +
        std::to_string(peer.pid) + ", has said nothing for " + std::to_string(patience) +
        " ms and is ended");
    for (const Process& warden : descendants(peer.pid)) {
      // It may be stopped too; it clears up when it finds itself alone.
      if (warden.parent == peer.pid) send_signal(warden, SIGCONT);
    }
    ::syscall(SYS_pidfd_send_signal, supervisor.get(), SIGKILL, nullptr, 0);
  }

  void say(Attempt& attempt, Message::Word word, std::int64_t until_ms = 0) {
    const std::string packet =
        encode(Message{.word = word, .epoch = attempt.spec.attempt.epoch, .until_ms = until_ms});
    ::send(attempt.socket.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  void hear(Attempt& attempt) {
    while (attempt.socket) {
      char packet[message_bytes_max + 1];
      const ssize_t n = ::recv(attempt.socket.get(), packet, sizeof packet, MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0 && errno == EINTR) continue;
      const auto message =
          n > 0 ? decode_message({packet, static_cast<std::size_t>(n)}) : failed("it hung up");
      if (!message) {
        hang_up(attempt);
        attempt.delay = look_again_ms;
        return examine(attempt);
      }
      obey(attempt, *message);
    }
  }

  void obey(Attempt& attempt, const Message& message) {
    using enum Message::Word;
    switch (message.word) {
      case welcome:
        attempt.welcomed = true;
        ++supervisors_seen_;
        attempt.delay = look_again_ms;
        if (attempt.stop_wanted) say(attempt, stop);  // first: what has not begun need not
        return promise(attempt);
      case renewed: attempt.answered = true; return;
      case refused: return refuse(attempt);
      case ended: hang_up(attempt); return examine(attempt);
      case hello:
      case renew:
      case stop: hang_up(attempt); return;
    }
  }

  // What is promised counts from before it is sent: whether it arrives or not, work may run so
  // long.
  void promise(Attempt& attempt) {
    if (!attempt.answered) {  // it hangs; promise nothing until it says welcome again
      ++renewals_failed_;
      hang_up(attempt);
      return examine(attempt);
    }
    const std::int64_t now = boot_ms();
    const std::int64_t until = now + attempt.spec.lease.count;
    attempt.lease_end = std::max(attempt.lease_end, until);
    attempt.answered = false;
    attempt.look_at = now + attempt.spec.lease.count / 3;
    say(attempt, Message::Word::renew, until);
  }

  void refuse(Attempt& attempt) {
    log("attempt " + name_of(attempt.spec.attempt.id) + " belongs to a later service");
    attempt.refused = true;
    hang_up(attempt);
    attempt.look_at = INT64_MAX;
  }

  void hang_up(Attempt& attempt) {
    if (attempt.welcomed) --supervisors_seen_;
    unwatch(attempt.socket);
    attempt.welcomed = false;
    attempt.answered = true;
  }

  void wait_a_little(Attempt& attempt) {
    attempt.look_at = boot_ms() + attempt.delay;
    attempt.delay = std::min(attempt.delay * 2, look_again_max_ms);
  }

  // ---- the end ----

  void end(Attempt& attempt, Outcome outcome, const std::string& words) {
    settle(attempt, {.id = attempt.spec.attempt.id,
                     .outcome = outcome,
                     .code = 0,
                     .ended = Instant{wall_ms()},
                     .words = words});
  }

  // Who submitted it looks there, and nowhere else are the words kept.
  void leave_word(const AttemptEnd& how) {
    if (how.outcome != Outcome::launch_failed || how.words.empty()) return;
    const std::string folder = output_of(how.id);
    if (!make_directories(folder, 0700)) return;
    const Fd file{::open((folder + "/0.stderr").c_str(),
                         O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600)};
    struct stat there{};
    // An end may be told more than once.
    if (!file || ::fstat(file.get(), &there) != 0 || there.st_size > 0) return;
    ::dprintf(file.get(), "tenbin: %s\n", how.words.c_str());
  }

  void settle(Attempt& attempt, AttemptEnd how) {
    leave_word(how);
    hang_up(attempt);
    attempt.look_at = attempt.forgotten ? 0 : INT64_MAX;
    attempt.end = std::move(how);
    if (!attempt.forgotten) tell(*attempt.end);
  }

  void tell(const AttemptEnd& how) {
    const std::lock_guard hold(
        listener_mutex_);  // while it is called, so that listen() can wait for it
    if (listener_) listener_(how);
  }

  void drop(AttemptId id) {
    Attempt& attempt = attempts_.at(id);
    hang_up(attempt);
    unwatch(attempt.launcher);
    const bool ours = !attempt.refused;
    attempts_.erase(id);
    if (ours) forget_folder(id);
  }

  // A folder goes when nobody is at work in it, be it a supervisor that writes its last line.
  void forget_folder(AttemptId id) {
    if (!remove_folder(id)) leaving_[id] = boot_ms() + look_again_ms;
  }

  bool remove_folder(AttemptId id) {
    const std::string path = directory_of(id);
    const auto directory = open_directory(path);
    if (!directory) return ::access(path.c_str(), F_OK) != 0;
    auto lock = try_lock(directory->get());
    if (!lock || !*lock) return false;
    fence_off(*directory);
    // Its warden has removed it, unless it was killed.
    ::unlink((settings_.work_directory + '/' + name_of(id) + ".script").c_str());
    std::error_code error;
    std::filesystem::remove_all(path, error);
    return !error;
  }

  void log(const std::string& words) const {
    if (settings_.log) settings_.log(words);
  }

  // ---- descriptors ----

  void watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
  }
  void watch(int fd, AttemptId id) {
    watch(fd);
    owners_.insert_or_assign(fd, id);
  }
  void unwatch(Fd& fd) {
    if (!fd) return;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
    owners_.erase(fd.get());
    fd.close();
  }

  LocalSettings settings_;
  std::int64_t opened_ms_;
  Fd epoll_, mail_;
  std::mutex mutex_;
  std::deque<Note> notes_;  // under mutex_
  std::mutex listener_mutex_;
  std::function<void(AttemptEnd)> listener_;  // under listener_mutex_
  std::map<AttemptId, Attempt> attempts_;
  std::map<AttemptId, std::int64_t> leaving_;  // folders to be removed, and when to try
  std::map<int, AttemptId> owners_;            // of descriptors
  std::atomic<std::uint64_t> attempts_seen_ = 0, supervisors_seen_ = 0, launches_ = 0,
                             renewals_failed_ = 0;
  std::thread thread_;
};

LocalExecutor::LocalExecutor(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
LocalExecutor::~LocalExecutor() = default;

Result<std::unique_ptr<LocalExecutor>> LocalExecutor::open(LocalSettings settings) {
  if (settings.lease < Span{100}) return failed("a lease shorter than 100 ms cannot be kept");
  if (settings.supervisor.empty()) return failed("no program is named that supervises");
  for (std::string* path :
       {&settings.attempt_directory, &settings.work_directory, &settings.output_directory}) {
    std::error_code error;
    const auto whole = std::filesystem::absolute(*path, error);  // supervisors have another place
    if (path->empty() || error) return failed("a folder of the executor is not named");
    *path = whole.lexically_normal().string();
    if (path->size() > 1 && path->ends_with('/')) path->pop_back();
  }
  if (auto made = make_directories(settings.attempt_directory, 0700); !made) {
    return std::unexpected(made.error());
  }
  if (auto made = make_directories(settings.output_directory, 0700); !made) {
    return std::unexpected(made.error());
  }
  if (auto made = make_directories(settings.work_directory, 0711); !made) {
    return std::unexpected(made.error());
  }
  if (auto written = write_slurm_commands(settings.work_directory); !written) {
    return std::unexpected(written.error());
  }
  if (::geteuid() == 0) {
    // Without a usable account every attempt says so itself; here only its way is checked.
    const auto account =
        find_account(settings.project_accounts != 0 ? numbered_account(settings.project_accounts, 0)
                                                    : settings.job_account);
    if (account) {
      if (const auto closed = closed_to(*account, settings.work_directory)) {
        return failed("jobs run as " + account->name + ", who cannot enter " + *closed +
                      " on the way to the work folder " + settings.work_directory +
                      "; allow it with chmod o+x, or set another work folder");
      }
    }
  }
  auto loop = std::make_unique<Loop>(std::move(settings));
  if (auto begun = loop->begin(); !begun) return std::unexpected(begun.error());
  return std::unique_ptr<LocalExecutor>(new LocalExecutor(std::move(loop)));
}

bool accounts_can_have(std::uint32_t first) {
  const auto mapped = [&](const char* path) {
    std::ifstream file(path);
    for (std::uint64_t inside = 0, outside = 0, count = 0; file >> inside >> outside >> count;) {
      if (inside <= first && std::uint64_t{first} + 65'536 <= inside + count) return true;
    }
    return false;
  };
  return mapped("/proc/self/uid_map") && mapped("/proc/self/gid_map");
}

void LocalExecutor::listen(std::function<void(AttemptEnd)> listener) {
  loop_->listen(std::move(listener));
}
void LocalExecutor::start(AttemptSpec spec) {
  loop_->leave(std::move(spec));
}
void LocalExecutor::stop(AttemptId id) {
  loop_->leave(Loop::Stop{id});
}
void LocalExecutor::forget(AttemptId id) {
  loop_->leave(Loop::Forget{id});
}

std::string LocalExecutor::output_file(AttemptId id, int rank, std::string_view stream) const {
  return loop_->output_of(id) + '/' + std::to_string(rank) + '.' + std::string(stream);
}

LocalExecutor::Figures LocalExecutor::figures() const {
  return loop_->figures();
}

std::vector<AttemptId> LocalExecutor::kept() const {
  std::vector<AttemptId> found;
  std::error_code error;
  std::filesystem::directory_iterator at(loop_->settings().attempt_directory, error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().string();
    const char* const end = name.data() + name.size();
    AttemptId id;
    const auto job = std::from_chars(name.data(), end, id.job);
    if (job.ec != std::errc{} || job.ptr == end || *job.ptr != '-') continue;
    const auto attempt = std::from_chars(job.ptr + 1, end, id.attempt);
    if (attempt.ec == std::errc{} && attempt.ptr == end) found.push_back(id);
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace tenbin::exec
