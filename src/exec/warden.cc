#include "exec/warden.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "exec/member.h"
#include "exec/output_files.h"
#include "exec/processes.h"
#include "exec/supervisor.h"

namespace tenbin::exec {

namespace {

constexpr std::int64_t never = INT64_MAX;

// How long after the lease a supervisor that does not take the end is left alone. Then it hangs,
// and it holds the lock.
constexpr std::int64_t patience_ms = 1'000;

std::optional<std::uint64_t> open_files_asked() {
  const char* const text = ::getenv(open_files_variable);
  if (!text) return std::nullopt;
  const std::string_view digits(text);
  std::uint64_t n = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return n;
}

// Copies one output of one member into its file, up to a cap.
class Stream {
 public:
  /// `also` gets all of it, if it is not -1, and belongs to somebody else.
  Stream(Fd pipe, Fd file, int also, std::int64_t cap)
      : pipe_(std::move(pipe)), file_(std::move(file)), also_(also), left_(cap), cap_(cap) {}

  int fd() const { return pipe_.get(); }

  /// Moves what is there, at most one buffer full. False when there is nothing now.
  bool pump() {
    if (!pipe_) return false;
    char buffer[1 << 16];
    const ssize_t n = ::read(pipe_.get(), buffer, sizeof buffer);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) pipe_.close();
      return errno == EINTR;
    }
    if (n == 0) {
      pipe_.close();
      return false;
    }
    keep(std::string_view(buffer, static_cast<std::size_t>(n)));
    return true;
  }

 private:
  // What a full disk does not take is thrown away like what is beyond the cap: the member must not
  // hang because we cannot write.
  void keep(std::string_view bytes) {
    const auto fits = static_cast<std::size_t>(std::min<std::int64_t>(left_, std::ssize(bytes)));
    write_all(also_, bytes);
    write_all(file_.get(), bytes.substr(0, fits));
    left_ -= static_cast<std::int64_t>(fits);
    if (fits < bytes.size() && !std::exchange(told_, true)) {
      write_all(file_.get(),
                "\n[tenbin: output beyond " + std::to_string(cap_) + " bytes was thrown away]\n");
    }
  }

  static void write_all(int file, std::string_view bytes) {
    while (file >= 0 && !bytes.empty()) {
      const ssize_t n = ::write(file, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  Fd pipe_, file_;
  int also_;
  std::int64_t left_, cap_;
  bool told_ = false;
};

constexpr std::size_t no_file = SIZE_MAX;

struct Member {
  pid_t process = 0;
  bool ended = false;
  Fd trouble;  // open until exec
  std::string words;
};

class Warden {
 public:
  Warden(const LaunchSpec& spec, const std::string& addresses, std::int64_t until_ms, Fd channel)
      : spec_(spec),
        addresses_(addresses),
        until_(until_ms),
        channel_(std::move(channel)),
        supervisor_(::getppid()) {
    end_.id = spec.attempt.id;
  }

  [[noreturn]] void run() {
    ::setsid();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    sigset_t all, child;
    ::sigfillset(&all);  // all, so that a TERM for a member just forked waits until it can be heard
    ::sigprocmask(SIG_BLOCK, &all, nullptr);
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    children_ = Fd{::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)};
    timer_ = Fd{::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)};

    if (auto begun = begin(); !begun) {
      end_descendants();
      finish(Outcome::launch_failed, 0, begun.error().what);
    }
    for (;;) {
      wait_for_something();
      if (hear() == Heard::silence_for_ever) end_at_once();
      look_after_members();
      if (std::ranges::all_of(members_, &Member::ended) && !still_saving()) {
        end_descendants();  // what they left behind
        drain();
        if (!cause_) blame(Outcome::exited, 0, "");
        finish(cause_->outcome, cause_->code, cause_->words);
      }
      keep_time();
    }
  }

 private:
  enum class Heard : std::uint8_t { something, silence_for_ever };

  struct Cause {
    Outcome outcome = Outcome::exited;
    std::int32_t code = 0;
    std::string words;
  };

  // ---- beginning ----

  Result<void> begin() {
    const AttemptSpec& attempt = spec_.attempt;
    if (attempt.argv.empty() && attempt.script.empty()) return failed("there is no command");
    if (attempt.members.empty()) return failed("there is no place to run");

    std::string user = std::to_string(::geteuid());
    if (!spec_.account.empty()) {
      auto account = find_account(spec_.account);
      if (!account) return std::unexpected(account.error());
      user = account->name;
      as_ = *std::move(account);
    } else if (::geteuid() == 0) {
      return failed("no account for jobs is set, and jobs never run as root");
    } else {
      std::vector<char> buffer(1 << 16);
      passwd entry{};
      passwd* found = nullptr;
      ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
      if (found) user = found->pw_name;
    }
    if (attempt.directory.empty()) {
      if (auto made = make_work_directory(); !made) return made;
    }
    if (auto made = make_directories(spec_.output_directory, 0700); !made) return made;

    // The limit counts from the record that started the attempt, because its price does; should the
    // wall clock have stepped back since, from now.
    std::int64_t limit = attempt.time_limit.count;
    if (attempt.started.ms > 0) {
      std::int64_t over = 0;
      if (__builtin_add_overflow(attempt.started.ms, limit, &over)) over = never;
      limit = std::clamp<std::int64_t>(over - wall_ms(), 0, limit);
    }
    if (__builtin_add_overflow(boot_ms(), limit, &limit_at_)) limit_at_ = never;
    if (attempt.signal != 0 && limit_at_ != never)
      warn_at_ = limit_at_ - std::min(attempt.signal_before.count, limit);
    if (limit == 0) {
      blame(Outcome::time_limit, 0, "the time limit had passed before it could start");
      return {};  // no members: all of them have ended
    }

    if (auto written = write_script(); !written) return written;
    if (auto opened = open_files(); !opened) return opened;
    for (std::size_t rank = 0; rank < attempt.members.size(); ++rank) {
      if (auto spawned = spawn(rank, user); !spawned) return spawned;
    }
    return {};
  }

  // One per job, so that a later attempt finds what an earlier one left.
  Result<void> make_work_directory() {
    const std::string& path = spec_.work_directory;
    if (auto made = make_directory(path, 0700); !made) return made;
    const Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    struct stat status{};
    if (!fd || ::fstat(fd.get(), &status) != 0) {
      return failed(sentence("cannot use the work folder " + path, errno));
    }
    const uid_t owner = as_ ? as_->uid : ::geteuid();
    if (status.st_uid == owner) return {};
    if (status.st_uid != ::geteuid())
      return failed("the work folder " + path + " belongs to account " +
                    std::to_string(status.st_uid) + ", and the job runs as " +
                    std::to_string(owner) + " now; if that is meant, chown -R " +
                    std::to_string(owner) + " it and what lies in it");
    if (as_ && ::fchown(fd.get(), as_->uid, as_->gid) != 0) {
      return failed(sentence("cannot give the work folder " + path + " to the job", errno));
    }
    return {};
  }

  // Beside the work folder, where the job cannot change it, readable by the job and not by others.
  Result<void> write_script() {
    const std::string& text = spec_.attempt.script;
    if (text.empty()) return {};
    const std::string path = script_of(spec_);
    ::unlink(path.c_str());
    const Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    std::string_view rest = text;
    while (file && !rest.empty()) {
      const ssize_t n = ::write(file.get(), rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    if (!file || !rest.empty() || (as_ && ::fchown(file.get(), 0, as_->gid) != 0) ||
        ::fchmod(file.get(), as_ ? 0550 : 0500) != 0) {
      return failed(sentence("cannot write the script " + path, errno));
    }
    return {};
  }

  // The files below the working directory that get the output too: for each rank which one.
  Result<void> open_files() {
    const AttemptSpec& attempt = spec_.attempt;
    std::vector<std::string> paths;
    const auto place = [&](const std::string& pattern, std::size_t rank) {
      if (pattern.empty()) return no_file;
      std::string path = output_of(pattern, rank);
      const auto known = std::ranges::find(paths, path);
      if (known == paths.end()) {
        paths.push_back(std::move(path));
        return paths.size() - 1;
      }
      return static_cast<std::size_t>(known - paths.begin());
    };
    for (std::size_t rank = 0; rank < attempt.members.size(); ++rank) {
      const std::size_t out = place(attempt.output, rank);
      files_of_.push_back({out, attempt.error.empty() ? out : place(attempt.error, rank)});
    }
    if (paths.empty()) return {};
    auto files = open_outputs(as_, home_of(spec_), paths, attempt.append || attempt.id.attempt > 1);
    if (!files) return std::unexpected(files.error());
    files_ = *std::move(files);
    return {};
  }

  static std::string output_of(std::string_view pattern, std::size_t rank) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      const bool mark = pattern[i] == '%' && i + 1 < pattern.size();
      if (mark && pattern[i + 1] == 't')
        out += std::to_string(rank);
      else if (mark && pattern[i + 1] == '%')
        out += '%';
      else {
        out += pattern[i];
        continue;
      }
      ++i;
    }
    return out;
  }

  int file_at(std::size_t place) const { return place == no_file ? -1 : files_[place].get(); }

  Result<int> add_stream(const std::string& name, int also) {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return failed(sentence("cannot make a pipe", errno));
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const std::string path = spec_.output_directory + "/" + name;
    Fd pipe{ends[0]};
    Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) {
      const int error = errno;
      ::close(ends[1]);
      return failed(sentence("cannot create the output file " + path, error));
    }
    streams_.emplace_back(std::move(pipe), std::move(file), also, spec_.attempt.output_cap);
    return ends[1];
  }

  Result<void> spawn(std::size_t rank, const std::string& user) {
    auto out = add_stream(std::to_string(rank) + ".stdout", file_at(files_of_[rank].out));
    if (!out) return std::unexpected(out.error());
    const Fd out_end{*out};
    auto err = add_stream(std::to_string(rank) + ".stderr", file_at(files_of_[rank].error));
    if (!err) return std::unexpected(err.error());
    const Fd err_end{*err};
    int trouble[2] = {-1, -1};
    if (::pipe2(trouble, O_CLOEXEC | O_NONBLOCK) != 0) {
      return failed(sentence("cannot make a pipe", errno));
    }
    Fd trouble_in{trouble[0]};
    const Fd trouble_out{trouble[1]};

    const std::string& script = spec_.attempt.script;
    std::vector<std::string> argv = spec_.attempt.argv;
    if (!script.empty()) argv.insert(argv.begin(), script_of(spec_));
    const MemberPlan plan{
        .argv = std::move(argv),
        .environment = member_environment(spec_, rank, addresses_, user),
        .home = home_of(spec_),
        .home_chosen = !spec_.attempt.directory.empty(),
        .interpreter = script.substr(0, std::min<std::size_t>(script.find('\n'), 200)),
        .as = as_,
        .out = out_end.get(),
        .err = err_end.get(),
        .trouble = trouble_out.get(),
        .parent = ::getpid(),
        .open_files = open_files_asked(),
    };
    const pid_t process = ::fork();
    if (process < 0) return failed(sentence("cannot start a process", errno));
    if (process == 0) become(plan);
    members_.push_back({.process = process, .trouble = std::move(trouble_in), .words = {}});
    return {};
  }

  // ---- the loop ----

  void wait_for_something() {
    // A timer, because poll's own patience does not count while the machine sleeps.
    const std::int64_t at =
        std::max<std::int64_t>(std::min({until_, limit_at_, kill_at_, warn_at_}), 1);
    itimerspec when{};
    when.it_value.tv_sec = at / 1000;
    when.it_value.tv_nsec = at % 1000 * 1'000'000;
    ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
    if (members_.empty()) return;

    std::vector<pollfd> all = {
        {channel_.get(), POLLIN, 0}, {children_.get(), POLLIN, 0}, {timer_.get(), POLLIN, 0}};
    for (const Member& member : members_) {
      if (member.trouble) all.push_back({member.trouble.get(), POLLIN, 0});
    }
    for (const Stream& stream : streams_) {
      if (stream.fd() >= 0) all.push_back({stream.fd(), POLLIN, 0});
    }
    ::poll(all.data(), all.size(), -1);
    signalfd_siginfo ignored{};
    while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
    }
  }

  Heard hear() {
    for (;;) {
      char packet[message_bytes_max + 1];
      const ssize_t n = ::recv(channel_.get(), packet, sizeof packet, MSG_DONTWAIT);
      if (n == 0) return Heard::silence_for_ever;
      if (n < 0) {
        if (errno == EINTR) continue;
        return errno == EAGAIN ? Heard::something : Heard::silence_for_ever;
      }
      const auto message = decode_message({packet, static_cast<std::size_t>(n)});
      if (!message) continue;
      if (message->word == Message::Word::renew) until_ = std::max(until_, message->until_ms);
      if (message->word == Message::Word::stop) stop(Outcome::stopped, 0, "");
    }
  }

  void look_after_members() {
    for (Stream& stream : streams_) stream.pump();
    for (Member& member : members_) hear_trouble(member);
    for (;;) {
      int status = 0;
      const pid_t process = ::waitpid(-1, &status, WNOHANG);
      if (process < 0 && errno == EINTR) continue;
      if (process <= 0) return;
      const auto member = std::ranges::find(members_, process, &Member::process);
      if (member != members_.end() && !member->ended) on_end(*member, status);
    }
  }

  void hear_trouble(Member& member) {
    if (!member.trouble) return;
    char words[1024];
    const ssize_t n = ::read(member.trouble.get(), words, sizeof words);
    if (n > 0) member.words.append(words, static_cast<std::size_t>(n));
    if (n == 0) member.trouble.close();
  }

  void on_end(Member& member, int status) {
    member.ended = true;
    hear_trouble(member);
    const std::string who =
        members_.size() > 1 ? "member " + std::to_string(&member - members_.data()) : "";
    if (!member.words.empty()) {
      stop(Outcome::launch_failed, 0, member.words);
    } else if (WIFSIGNALED(status)) {
      stop(Outcome::signalled, WTERMSIG(status), who);
    } else if (WEXITSTATUS(status) != 0) {
      stop(Outcome::exited, WEXITSTATUS(status), who);
    }
  }

  void keep_time() {
    const std::int64_t now = boot_ms();
    if (now >= until_) {
      end_descendants();
      drain();
      finish(Outcome::lost, 0, "the service was not heard of until the lease ended");
    }
    if (now >= warn_at_) {
      warn_at_ = never;
      if (!cause_) warn();
    }
    if (now >= limit_at_) {
      limit_at_ = never;
      stop(Outcome::time_limit, 0, "");
    }
    if (now >= kill_at_) {
      kill_at_ = never;
      end_descendants();
      for (Member& member : members_) member.ended = true;
      drain();
      finish(cause_->outcome, cause_->code, cause_->words);
    }
  }

  // The time limit is near, and the job asked to be told.
  void warn() {
    const AttemptSpec& attempt = spec_.attempt;
    switch (attempt.signal_to) {
      case Warned::shell:
        for (const Member& member : members_) {
          if (!member.ended) ::kill(member.process, attempt.signal);
        }
        return;
      case Warned::all:
        for (const Process& process : descendants(::getpid())) send_signal(process, attempt.signal);
        return;
      case Warned::steps:
        for (const Process& process :
             processes_with({"TENBIN_JOB_ID=" + std::to_string(attempt.id.job),
                             "TENBIN_ATTEMPT=" + std::to_string(attempt.id.attempt),
                             "TENBIN_ADDRESSES=" + addresses_, "TENBIN_STEP=1"})) {
          send_signal(process, attempt.signal);
        }
        return;
    }
  }

  // ---- ending ----

  // The first cause is the attempt's; what happens to the others afterwards is our doing.
  void blame(Outcome outcome, std::int32_t code, const std::string& words) {
    if (!cause_) cause_ = Cause{.outcome = outcome, .code = code, .words = words};
  }

  void stop(Outcome outcome, std::int32_t code, const std::string& words) {
    if (cause_) return;
    blame(outcome, code, words);
    if (__builtin_add_overflow(boot_ms(), spec_.attempt.grace.count, &kill_at_)) {
      kill_at_ = never - 1;
    }
    for (const Member& member : members_) {
      if (member.ended) continue;
      // Its group too; the group is not there yet if the member has only just been forked.
      if (::kill(-member.process, SIGTERM) != 0) ::kill(member.process, SIGTERM);
      ::kill(-member.process, SIGCONT);  // one that is stopped could not hear
    }
  }

  // A shell dies of the TERM at once, what it had started may still be writing a checkpoint: it has
  // the grace too.
  bool still_saving() const { return kill_at_ != never && !descendants(::getpid()).empty(); }

  void drain() {
    for (Stream& stream : streams_) {
      while (stream.pump()) {
      }
    }
  }

  [[noreturn]] void end_at_once() {
    end_descendants();
    drain();
    ::_exit(0);
  }

  // Nothing of the attempt runs now.
  [[noreturn]] void finish(Outcome outcome, std::int32_t code, const std::string& words) {
    if (!spec_.attempt.script.empty()) ::unlink(script_of(spec_).c_str());
    end_.outcome = outcome;
    end_.code = code;
    end_.words = words;
    end_.ended = Instant{wall_ms()};
    const std::string packet = encode(end_);
    ::send(channel_.get(), packet.data(), packet.size(), MSG_NOSIGNAL);
    for (;;) {
      if (hear() == Heard::silence_for_ever) ::_exit(0);
      // Asked every round: as long as the supervisor is our parent its id is nobody else's.
      if (boot_ms() > until_ + patience_ms && ::getppid() == supervisor_) {
        ::kill(supervisor_, SIGKILL);
      }
      pollfd one{channel_.get(), POLLIN, 0};
      ::poll(&one, 1, 100);
    }
  }

  const LaunchSpec& spec_;
  const std::string& addresses_;
  std::int64_t until_;
  Fd channel_, children_, timer_;
  pid_t supervisor_;
  std::optional<Account> as_;
  std::vector<Member> members_;
  std::vector<Stream> streams_;
  struct Files {
    std::size_t out, error;  // places in files_, or no_file
  };
  std::vector<Files> files_of_;  // by rank
  std::vector<Fd> files_;        // below the working directory
  std::optional<Cause> cause_;
  std::int64_t limit_at_ = never, kill_at_ = never, warn_at_ = never;
  AttemptEnd end_;
};

}  // namespace

void keep_ward(const LaunchSpec& spec, const std::string& addresses, std::int64_t until_ms,
               Fd channel) {
  Warden(spec, addresses, until_ms, std::move(channel)).run();
}

}  // namespace tenbin::exec
