#include "exec/member.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <map>

namespace tenbin::exec {

namespace {

std::string joined(const std::vector<int>& numbers) {
  std::string out;
  for (const int number : numbers) {
    if (!out.empty()) out += ',';
    out += std::to_string(number);
  }
  return out;
}

[[noreturn]] void give_up(int trouble, const std::string& words) {
  [[maybe_unused]] const ssize_t told = ::write(trouble, words.data(), words.size());
  ::_exit(127);
}

// By the system call, because the C library keeps two signals from its own, and leaves them ignored
// in what it spawns. A TERM that came since the fork was blocked and is delivered at the end.
void forget_signals() {
  struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)();
    std::uint64_t mask;
  } standard{};
  for (int signal = 1; signal <= 64; ++signal) {
    ::syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof standard.mask);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// The order matters: groups and group while we still may, then the user, and then we try to get
// back, because a way back would be a way to root for everyone who may submit a job. By the system
// calls: the C library's functions would signal other threads, and there are none.
void drop_privileges(const Account& account, int trouble) {
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) {
    give_up(trouble, sentence("cannot leave root's groups", errno));
  }
  if (::syscall(SYS_setresgid, account.gid, account.gid, account.gid) != 0 ||
      ::syscall(SYS_setresuid, account.uid, account.uid, account.uid) != 0) {
    give_up(trouble, sentence("cannot become the account " + account.name, errno));
  }
  constexpr uid_t same = ~uid_t{0};
  if (::syscall(SYS_setuid, 0) == 0 || ::syscall(SYS_setresuid, same, 0, same) == 0 ||
      ::syscall(SYS_setgid, 0) == 0 || ::syscall(SYS_setresgid, same, 0, same) == 0 ||
      ::getuid() != account.uid || ::geteuid() != account.uid || ::getgid() != account.gid ||
      ::getegid() != account.gid) {
    give_up(trouble, "the account " + account.name + " could become root again");
  }
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

Result<Account> find_account(const std::string& name) {
  std::vector<char> buffer(1 << 16);
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (!found) {
    if (error == 0) return failed("the account " + name + " for jobs does not exist");
    return failed(sentence("cannot look up the account " + name + " for jobs", error));
  }
  if (found->pw_uid == 0 || found->pw_gid == 0) {
    return failed("the account " + name + " for jobs is root, and jobs never run as root");
  }
  return Account{.name = found->pw_name, .uid = found->pw_uid, .gid = found->pw_gid};
}

std::optional<std::string> closed_to(const Account& account, const std::string& path) {
  for (std::size_t slash = 0; slash != std::string::npos;) {
    slash = path.find('/', slash + 1);
    std::string part = path.substr(0, slash);
    struct stat status{};
    if (part.empty() || ::stat(part.c_str(), &status) != 0) continue;
    const mode_t bit = status.st_uid == account.uid   ? S_IXUSR
                       : status.st_gid == account.gid ? S_IXGRP
                                                      : S_IXOTH;
    if (!(status.st_mode & bit)) return part;
  }
  return std::nullopt;
}

Result<std::string> reserve_addresses(std::size_t members) {
  std::vector<Fd> held;  // all at once, so that they are distinct
  std::string addresses;
  for (std::size_t i = 0; i < members; ++i) {
    held.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(held.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::getsockname(held.back().get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      return failed(sentence("cannot find a free port for every member", errno));
    }
    if (i > 0) addresses += ',';
    addresses += "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  return addresses;
}

std::string home_of(const LaunchSpec& spec) {
  return spec.attempt.directory.empty() ? spec.work_directory : spec.attempt.directory;
}

std::vector<std::string> member_environment(const LaunchSpec& spec, std::size_t rank,
                                            const std::string& addresses,
                                            const std::string& account) {
  const AttemptSpec& attempt = spec.attempt;
  const MemberPlace& place = attempt.members[rank];
  std::map<std::string, std::string> all = {
      {"PATH", "/usr/local/bin:/usr/bin:/bin"},
      {"HOME", home_of(spec)},
      {"LANG", "C.UTF-8"},
      {"USER", account},
      {"LOGNAME", account},
      {"TMPDIR", "/tmp"},
  };
  for (const auto& [name, value] : attempt.environment) all[name] = value;
  all["TENBIN_JOB_ID"] = std::to_string(attempt.id.job);
  all["TENBIN_ATTEMPT"] = std::to_string(attempt.id.attempt);
  all["TENBIN_RANK"] = std::to_string(rank);
  all["TENBIN_SIZE"] = std::to_string(attempt.members.size());
  all["TENBIN_ADDRESSES"] = addresses;
  all["TENBIN_NODE"] = place.node;
  all["TENBIN_GPU_MILLI"] = std::to_string(place.gpu_milli);
  all["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";  // the order in which NVIDIA's library counts devices
  all["CUDA_VISIBLE_DEVICES"] = joined(place.gpus);

  std::vector<std::string> out;
  out.reserve(all.size());
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

void become(const MemberPlan& plan) {
  ::setsid();
  const Fd nothing{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  if (!nothing || ::dup2(nothing.get(), 0) < 0 || ::dup2(plan.out, 1) < 0 ||
      ::dup2(plan.err, 2) < 0) {
    give_up(plan.trouble, sentence("cannot connect its input and output", errno));
  }
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  forget_signals();
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::umask(077);

  if (plan.as) drop_privileges(*plan.as, plan.trouble);
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    give_up(plan.trouble, sentence("cannot renounce new privileges", errno));
  }
  // A change of user clears this, so it comes after. The parent may be gone already.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != plan.parent) ::_exit(127);

  if (::chdir(plan.home.c_str()) != 0) {
    const std::string who = plan.as ? " as " + plan.as->name : "";
    give_up(plan.trouble, sentence("cannot enter the folder " + plan.home + who, errno));
  }
  const std::vector<char*> argv = pointers(plan.argv);
  std::vector<char*> environment = pointers(plan.environment);
  ::environ = environment.data();  // also the PATH in which execvp looks
  ::execvp(argv[0], argv.data());
  give_up(plan.trouble, sentence("cannot run " + plan.argv[0], errno));
}

}  // namespace tenbin::exec
