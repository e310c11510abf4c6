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

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <map>

#include "exec/slurm_commands.h"

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

// What scripts written for Slurm look for, as far as it depends on the member; the service has told
// the rest. In a script each member is the first task of its node.
std::map<std::string, std::string> slurm_variables(const AttemptSpec& attempt, std::size_t rank,
                                                   const std::string& addresses) {
  const MemberPlace& place = attempt.members[rank];
  const std::string nodes = std::to_string(attempt.members.size());
  const auto per_node = static_cast<std::size_t>(std::max(attempt.tasks_per_member, 1));
  const std::string tasks = std::to_string(attempt.members.size() * per_node);
  const std::string id = std::to_string(attempt.id.job);
  std::string names;
  std::size_t gpus = 0;
  for (const MemberPlace& one : attempt.members) {
    names += (names.empty() ? "" : ",") + one.node;
    gpus += one.gpus.size();
  }
  const std::string repeat = attempt.members.size() > 1 ? "(x" + nodes + ")" : "";
  const std::string first = addresses.substr(0, addresses.find(':'));
  std::map<std::string, std::string> all = {
      {"SLURM_JOB_ID", id},
      {"SLURM_JOBID", id},
      {"SLURM_JOB_NODELIST", names},
      {"SLURM_NODELIST", names},
      {"SLURM_JOB_NUM_NODES", nodes},
      {"SLURM_NNODES", nodes},
      {"SLURM_NTASKS", tasks},
      {"SLURM_NPROCS", tasks},
      {"SLURM_NTASKS_PER_NODE", std::to_string(per_node)},
      {"SLURM_TASKS_PER_NODE", std::to_string(per_node) + repeat},
      {"SLURM_NODEID", std::to_string(rank)},
      {"SLURM_PROCID", std::to_string(rank * per_node)},
      {"SLURM_LOCALID", "0"},
      {"SLURMD_NODENAME", place.node},
      {"SLURM_LAUNCH_NODE_IPADDR", first},
  };
  if (gpus > 0) {
    all["SLURM_GPUS"] = std::to_string(gpus);
    all["SLURM_GPUS_ON_NODE"] = std::to_string(place.gpus.size());
    all["SLURM_JOB_GPUS"] = joined(place.gpus);
  }
  if (attempt.started.ms > 0) {
    all["SLURM_JOB_START_TIME"] = std::to_string(attempt.started.ms / 1'000);
    all["SLURM_JOB_END_TIME"] =
        std::to_string((attempt.started.ms + attempt.time_limit.count) / 1'000);
  }
  return all;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::string numbered_account(std::uint32_t first, std::uint64_t project) {
  return '#' + std::to_string(first + project);
}

Result<Account> find_account(const std::string& name) {
  if (name.starts_with('#')) {
    std::uint32_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [at, error] = std::from_chars(name.data() + 1, end, number);
    // -1 as a number means "as it was" to the system calls.
    if (error != std::errc{} || at != end || number == 0 || number >= INT32_MAX)
      return failed("there is no account for jobs with the number " + name.substr(1));
    return Account{.name = "tenbin-" + name.substr(1), .uid = number, .gid = number};
  }
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

// The order matters: groups and group while we still may, then the user, and then we try to get
// back, because a way back would be a way to root for everyone who may submit a job. By the system
// calls: the C library's functions would signal other threads, and there are none.
std::string drop_privileges(const Account& account) {
  if (::syscall(SYS_setgroups, 0, nullptr) != 0) {
    return sentence("cannot leave root's groups", errno);
  }
  if (::syscall(SYS_setresgid, account.gid, account.gid, account.gid) != 0 ||
      ::syscall(SYS_setresuid, account.uid, account.uid, account.uid) != 0) {
    return sentence("cannot become the account " + account.name, errno);
  }
  constexpr uid_t same = ~uid_t{0};
  if (::syscall(SYS_setuid, 0) == 0 || ::syscall(SYS_setresuid, same, 0, same) == 0 ||
      ::syscall(SYS_setgid, 0) == 0 || ::syscall(SYS_setresgid, same, 0, same) == 0 ||
      ::getuid() != account.uid || ::geteuid() != account.uid || ::getgid() != account.gid ||
      ::getegid() != account.gid) {
    return "the account " + account.name + " could become root again";
  }
  return {};
}

std::string script_of(const LaunchSpec& spec) {
  return spec.work_directory + '-' + std::to_string(spec.attempt.id.attempt) + ".script";
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
  for (auto& [name, value] : slurm_variables(attempt, rank, addresses))
    all.insert_or_assign(name, std::move(value));
  // Where the first member is, for torch and the like; a job that has its own idea keeps it.
  const std::string first = addresses.substr(0, addresses.find(','));
  const std::size_t colon = first.rfind(':');
  if (colon != std::string::npos) {
    all.emplace("MASTER_ADDR", first.substr(0, colon));
    all.emplace("MASTER_PORT", first.substr(colon + 1));
  }
  if (!attempt.script.empty()) {
    const std::string folder = spec.work_directory.substr(0, spec.work_directory.rfind('/'));
    all["PATH"] = slurm_commands_in(folder) + ":" + all["PATH"];
  }
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
  if (rlimit files{}; plan.open_files && ::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = std::min<rlim_t>(*plan.open_files, files.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::umask(077);

  if (plan.as) {
    if (const std::string why = drop_privileges(*plan.as); !why.empty()) give_up(plan.trouble, why);
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    give_up(plan.trouble, sentence("cannot renounce new privileges", errno));
  }
  // A change of user clears this, so it comes after. The parent may be gone already.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::getppid() != plan.parent) ::_exit(127);

  if (::chdir(plan.home.c_str()) != 0) {
    const std::string who = plan.as ? " as " + plan.as->name : "";
    give_up(plan.trouble, sentence("cannot enter the folder " + plan.home + who, errno) +
                              (plan.home_chosen ? "; submit with --dir and a folder that it can "
                                                  "enter, or with --dir own"
                                                : ""));
  }
  const std::vector<char*> argv = pointers(plan.argv);
  std::vector<char*> environment = pointers(plan.environment);
  ::environ = environment.data();  // also the PATH in which execvp looks
  ::execvp(argv[0], argv.data());
  const int error = errno;
  give_up(plan.trouble,
          sentence(plan.interpreter.empty()
                       ? "cannot run " + plan.argv[0]
                       : "cannot run the script by its first line, " + plan.interpreter,
                   error));
}

}  // namespace tenbin::exec
