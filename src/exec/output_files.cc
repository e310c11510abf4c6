#include "exec/output_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace tenbin::exec {

namespace {

constexpr std::size_t words_max = 1'024;

Fd open_below(int directory, const std::string& name, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC | O_NOFOLLOW);
  how.mode = (flags & O_CREAT) != 0 ? 0600 : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return Fd{static_cast<int>(::syscall(SYS_openat2, directory, name.c_str(), &how, sizeof how))};
}

Result<Fd> open_output(const std::string& home, const std::string& path, bool append) {
  const auto refused = [&](int error) {
    const std::string why = error == ELOOP || error == EXDEV
                                ? ": a symbolic link on the way is not followed"
                                : ": " + std::string(::strerrordesc_np(error));
    return failed("cannot write the output file " + path + " in " + home + why);
  };
  Fd here{::open(home.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!here) return refused(errno);
  std::string_view rest = path;
  for (std::size_t slash = 0; (slash = rest.find('/')) != std::string_view::npos;) {
    const std::string part(rest.substr(0, slash));
    if (::mkdirat(here.get(), part.c_str(), 0700) != 0 && errno != EEXIST) return refused(errno);
    here = open_below(here.get(), part, O_RDONLY | O_DIRECTORY);
    if (!here) return refused(errno);
    rest.remove_prefix(slash + 1);
  }
  // Without O_NONBLOCK a pipe that nobody reads would hold us for ever.
  Fd file = open_below(here.get(), std::string(rest),
                       O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY);
  if (!file) return refused(errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return refused(errno);
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid != ::geteuid()) {
    return failed("cannot write the output file " + path + " in " + home +
                  ": it must be a plain file of the job's own with one name");
  }
  if (!append && ::ftruncate(file.get(), 0) != 0) return refused(errno);
  return file;
}

// One packet for each path: the words of an error, or none and the descriptor.
void hand_over(int channel, const Result<Fd>& file) {
  char byte = 'f';
  const std::string words = file ? std::string() : file.error().what.substr(0, words_max);
  iovec part{.iov_base = words.empty() ? &byte : const_cast<char*>(words.data()),
             .iov_len = words.empty() ? 1 : words.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (file) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = file->get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  [[maybe_unused]] const ssize_t sent = ::sendmsg(channel, &message, MSG_NOSIGNAL);
}

Result<Fd> take_over(int channel) {
  char words[words_max];
  iovec part{.iov_base = words, .iov_len = sizeof words};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t n = 0;
  do {
    n = ::recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  if (n <= 0) return failed("cannot open the output files: who was to do it has ended");
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS)
    return failed(std::string(words, static_cast<std::size_t>(n)));
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return Fd{fd};
}

}  // namespace

Result<std::vector<Fd>> open_outputs(const std::optional<Account>& as, const std::string& home,
                                     const std::vector<std::string>& paths, bool append) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return failed(sentence("cannot make a socket", errno));
  const Fd ours{ends[0]};
  Fd theirs{ends[1]};
  const pid_t process = ::fork();
  if (process < 0) return failed(sentence("cannot start a process", errno));
  if (process == 0) {
    ::umask(077);
    std::string trouble = as ? drop_privileges(*as) : std::string();
    for (const std::string& path : paths) {
      hand_over(theirs.get(),
                trouble.empty() ? open_output(home, path, append) : Result<Fd>(failed(trouble)));
    }
    ::_exit(0);
  }
  theirs.close();
  std::vector<Fd> files;
  Result<void> done;
  for (std::size_t i = 0; i < paths.size() && done; ++i) {
    auto file = take_over(ours.get());
    if (file)
      files.push_back(*std::move(file));
    else
      done = std::unexpected(file.error());
  }
  while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!done) return std::unexpected(done.error());
  return files;
}

}  // namespace tenbin::exec
