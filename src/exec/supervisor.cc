#include "exec/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "exec/files.h"
#include "exec/member.h"
#include "exec/message.h"
#include "exec/processes.h"
#include "exec/warden.h"

namespace tenbin::exec {

namespace {

// How long a launch waits for the service to let go of the lock and to grant the first lease.
constexpr std::int64_t lock_patience_ms = 5'000;
// How long after the lease the warden may take to end the work before it is taken to hang.
constexpr std::int64_t warden_patience_ms = 500;
constexpr std::int64_t retry_ms = 200;

void note(const std::string& words) {
  ::dprintf(STDERR_FILENO, "%lld %s\n", static_cast<long long>(wall_ms()), words.c_str());
}

class Supervisor {
 public:
  explicit Supervisor(std::string token) : token_(std::move(token)) {}

  Result<void> open() {
    auto here = open_directory(".");
    if (!here) return std::unexpected(here.error());
    here_ = *std::move(here);
    if (auto locked = wait_for_lock(); !locked) return locked;

    // From here on no other launch of this attempt can come to this point, so what the files say
    // now stays true.
    auto fence = read_bounded(here_.get(), "fence", 256);
    if (!fence) return std::unexpected(fence.error());
    if (!*fence || **fence != token_) return failed("this launch is fenced off");
    for (const char* name : {"started", "result"}) {
      if (::faccessat(here_.get(), name, F_OK, 0) == 0) {
        return failed(std::string("there is a file ") + name + " already");
      }
    }
    auto text = read_bounded(here_.get(), "spec", spec_bytes_max);
    if (!text) return std::unexpected(text.error());
    if (!*text) return failed("there is no spec");
    auto spec = decode_spec(**text);
    if (!spec) return std::unexpected(spec.error());
    spec_ = *std::move(spec);
    epoch_ = spec_.attempt.epoch;
    end_at_ = boot_ms() + std::max(first_lease_patience_ms, spec_.lease.count);
    return listen();
  }

  [[noreturn]] void run() {
    for (;;) {
      wait_for_something();
      accept_clients();
      for (Client& client : clients_) hear(client);
      std::erase_if(clients_, [](const Client& client) { return !client.socket; });
      hear_warden();
      keep_time();
    }
  }

 private:
  struct Client {
    Fd socket;
    std::uint64_t epoch = 0;  // 0: has not said hello
  };

  Result<void> wait_for_lock() {
    for (const std::int64_t over = boot_ms() + lock_patience_ms;;) {
      auto lock = try_lock(here_.get());
      if (!lock) return std::unexpected(lock.error());
      if (*lock) {
        lock_ = **std::move(lock);
        return {};
      }
      if (boot_ms() > over) return failed("somebody else has the lock");
      const timespec moment{.tv_sec = 0, .tv_nsec = 5'000'000};
      ::nanosleep(&moment, nullptr);
    }
  }

  Result<void> listen() {
    ::unlink("socket");
    listener_ = Fd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "socket");  // we are in its directory
    if (!listener_ ||
        ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_.get(), 64) != 0) {
      return failed(sentence("cannot listen", errno));
    }
    return {};
  }

  // ---- the loop ----

  void wait_for_something() {
    std::vector<pollfd> all = {{listener_.get(), POLLIN, 0}};
    if (warden_) all.push_back({warden_.get(), POLLIN, 0});
    for (const Client& client : clients_) all.push_back({client.socket.get(), POLLIN, 0});
    // The warden keeps the time to the millisecond; this one only notices that the warden does not.
    ::poll(all.data(), all.size(), static_cast<int>(retry_ms));
  }

  void accept_clients() {
    for (;;) {
      Fd socket{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
      if (!socket) return;
      ucred peer{};
      socklen_t size = sizeof peer;
      ::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
      if (peer.uid != ::geteuid() && peer.uid != 0) continue;
      clients_.push_back({.socket = std::move(socket)});
    }
  }

  void hear(Client& client) {
    while (client.socket) {
      char packet[message_bytes_max + 1];
      const ssize_t n = ::recv(client.socket.get(), packet, sizeof packet, MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) return;
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return client.socket.close();
      const auto message = decode_message({packet, static_cast<std::size_t>(n)});
      if (!message) {
        note("a client sent what is not a message");
        return client.socket.close();
      }
      obey(client, *message);
    }
  }

  void obey(Client& client, const Message& message) {
    if (message.epoch < epoch_) {
      note("refused epoch " + std::to_string(message.epoch));
      say(client, {.word = Message::Word::refused, .epoch = epoch_});
      return client.socket.close();
    }
    using enum Message::Word;
    switch (message.word) {
      case hello:
        epoch_ = message.epoch;
        client.epoch = epoch_;
        for (Client& other : clients_) {  // there is one service, and this is it
          if (&other != &client && other.epoch != 0) other.socket.close();
        }
        return say(client, {.word = welcome, .epoch = epoch_});
      case renew:
        if (client.epoch != message.epoch) return client.socket.close();
        promise(message);
        return say(client, {.word = renewed, .epoch = epoch_, .until_ms = message.until_ms});
      case stop:
        if (client.epoch != message.epoch) return client.socket.close();
        if (warden_) return tell_warden(message);
        if (!end_) decide_end(Outcome::stopped, "it was stopped before it started");
        return;
      case welcome:
      case refused:
      case renewed:
      case ended: return client.socket.close();
    }
  }

  void say(Client& client, const Message& message) {
    const std::string packet = encode(message);
    ::send(client.socket.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  // ---- the lease ----

  void promise(const Message& message) {
    // Nobody may promise more than a lease, so that a restarted service knows the latest end of any
    // promise made before it.
    const std::int64_t now = boot_ms();
    const std::int64_t until = std::min(message.until_ms, now + spec_.lease.count);
    if (until <= now) return;
    until_ = std::max(until_, until);
    end_at_ = until_;
    if (warden_)
      return tell_warden({.word = Message::Word::renew, .epoch = epoch_, .until_ms = until_});
    if (!end_ && !std::exchange(begun_, true)) begin();
  }

  void tell_warden(const Message& message) {
    const std::string packet = encode(message);
    ::send(warden_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  void begin() {
    auto addresses = reserve_addresses(spec_.attempt.members.size());
    if (!addresses) return decide_end(Outcome::launch_failed, addresses.error().what);
    const Started started{.supervisor = ::getpid(), .addresses = *addresses};
    if (auto written = write_durable(here_.get(), "started", encode(started)); !written) {
      return decide_end(Outcome::launch_failed, written.error().what);
    }
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
      return decide_end(Outcome::launch_failed, sentence("cannot make a socket", errno));
    }
    warden_ = Fd{ends[0]};
    Fd other{ends[1]};
    const pid_t process = ::fork();
    if (process < 0) {
      warden_.close();
      return decide_end(Outcome::launch_failed, sentence("cannot start a process", errno));
    }
    if (process > 0) return;
    // The lock stays open in the warden: it is free only when both are gone.
    warden_.close();
    listener_.close();
    clients_.clear();
    keep_ward(spec_, *addresses, until_, std::move(other));
  }

  // ---- the end ----

  void hear_warden() {
    if (!warden_) return;
    std::string packet(end_bytes_max, '\0');
    const ssize_t n = ::recv(warden_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return lose("the warden is gone");
    packet.resize(static_cast<std::size_t>(n));
    auto end = decode_end(packet);
    if (!end || end->id != spec_.attempt.id) return lose("the warden did not make sense");
    warden_.close();
    end_descendants();  // the warden itself; the members were its children and are gone
    end_ = *std::move(end);
    keep_end();
  }

  void lose(const std::string& why) {
    note(why);
    warden_.close();
    end_descendants();
    decide_end(Outcome::lost, why);
  }

  void decide_end(Outcome outcome, const std::string& words) {
    end_ = AttemptEnd{.id = spec_.attempt.id,
                      .outcome = outcome,
                      .code = 0,
                      .ended = Instant{wall_ms()},
                      .words = words};
    keep_end();
  }

  // Nothing of the attempt runs now. Ends the process unless the disk will not take the result.
  void keep_end() {
    if (auto written = write_durable(here_.get(), "result", encode(*end_)); !written) {
      note(written.error().what);
      return;
    }
    for (Client& client : clients_) {
      if (client.socket) say(client, {.word = Message::Word::ended, .epoch = epoch_});
    }
    ::unlink("socket");
    ::_exit(0);
  }

  void keep_time() {
    const std::int64_t now = boot_ms();
    if (end_) {
      keep_end();
      if (now > end_at_) ::_exit(1);  // the service will find the lock free and no result: lost
    } else if (warden_) {
      if (now > until_ + warden_patience_ms) lose("the warden did not end the work with the lease");
    } else if (now > end_at_) {
      note("the service did not come");
      ::unlink("socket");
      ::_exit(0);
    }
  }

  std::string token_;
  Fd here_, lock_, listener_, warden_;
  LaunchSpec spec_;
  std::vector<Client> clients_;
  std::uint64_t epoch_ = 0;
  bool begun_ = false;
  std::int64_t until_ = 0;   // of the lease
  std::int64_t end_at_ = 0;  // when to give up: no first lease came, or no disk for the result
  std::optional<AttemptEnd> end_;
};

void answer(int signal, sighandler_t how) {
  struct sigaction action{};
  action.sa_handler = how;
  ::sigaction(signal, &action, nullptr);
}

// Cuts every tie with the service but the pipe on which it waits to hear that we are ready.
Result<void> stand_alone(const std::string& directory, int ready) {
  ::setsid();
  if (::chdir(directory.c_str()) != 0) return failed(sentence("cannot enter " + directory, errno));
  ::umask(077);
  const int nothing = ::open("/dev/null", O_RDWR);
  const int log = ::open("log", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0600);
  if (nothing < 0 || ::dup2(nothing, 0) < 0 || ::dup2(nothing, 1) < 0) {
    return failed(sentence("cannot open /dev/null", errno));
  }
  ::dup2(log < 0 ? nothing : log, 2);
  constexpr int kept = 3;
  if (ready != kept && ::dup2(ready, kept) < 0)
    return failed(sentence("cannot keep a pipe", errno));
  ::fcntl(kept, F_SETFD, FD_CLOEXEC);
  ::syscall(SYS_close_range, unsigned{kept} + 1, ~0U, 0);

  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE}) answer(signal, SIG_IGN);
  answer(SIGCHLD, SIG_DFL);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  return {};
}

[[noreturn]] void supervise_apart(const std::string& directory, const std::string& token,
                                  int ready) {
  if (auto alone = stand_alone(directory, ready); !alone) {
    note(alone.error().what);
    ::_exit(1);
  }
  Supervisor supervisor(token);
  if (auto opened = supervisor.open(); !opened) {
    note(opened.error().what);
    ::_exit(1);
  }
  {
    const Fd said{3};
    [[maybe_unused]] const ssize_t n = ::write(said.get(), "r", 1);
  }
  supervisor.run();
}

}  // namespace

int supervise(const std::string& attempt_directory, const std::string& token) {
  int ready[2] = {-1, -1};
  if (::pipe2(ready, O_CLOEXEC) != 0) return 1;
  const pid_t process = ::fork();
  if (process < 0) return 1;
  if (process == 0) {
    ::close(ready[0]);
    supervise_apart(attempt_directory, token, ready[1]);
  }
  ::close(ready[1]);
  char byte = 0;
  ssize_t n = 0;
  do {
    n = ::read(ready[0], &byte, 1);
  } while (n < 0 && errno == EINTR);
  return n == 1 ? 0 : 1;
}

}  // namespace tenbin::exec
