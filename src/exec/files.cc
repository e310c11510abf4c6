#include "exec/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace tenbin::exec {

void Fd::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::string sentence(std::string_view tried, int error) {
  const char* why = strerrordesc_np(error);
  return std::string(tried) + ": " + (why ? why : "error " + std::to_string(error));
}

Result<void> write_durable(int directory, const std::string& name, std::string_view bytes) {
  const std::string fresh = name + ".new";
  const auto give_up = [&](const char* what) {
    const int error = errno;
    ::unlinkat(directory, fresh.c_str(), 0);
    return failed(sentence(std::string("cannot ") + what + " " + name, error));
  };
  Fd file{::openat(directory, fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                   0600)};
  if (!file) return failed(sentence("cannot create " + name, errno));
  while (!bytes.empty()) {
    const ssize_t n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return give_up("write");
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(file.get()) != 0) return give_up("sync");
  if (::renameat(directory, fresh.c_str(), directory, name.c_str()) != 0) return give_up("rename");
  if (::fsync(directory) != 0) return failed(sentence("cannot sync the folder of " + name, errno));
  return {};
}

Result<std::optional<std::string>> read_bounded(int directory, const std::string& name,
                                                std::size_t max) {
  const Fd file{::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    return failed(sentence("cannot open " + name, errno));
  }
  std::string bytes;
  char part[4096];
  for (;;) {
    const ssize_t n = ::read(file.get(), part, sizeof part);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(sentence("cannot read " + name, errno));
    if (n == 0) return bytes;
    bytes.append(part, static_cast<std::size_t>(n));
    if (bytes.size() > max) return failed(name + " is too long");
  }
}

Result<void> make_directory(const std::string& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    if (errno == EEXIST) return {};
    return failed(sentence("cannot make the folder " + path, errno));
  }
  ::chmod(path.c_str(), mode);  // whatever the umask says
  const std::size_t slash = path.find_last_of('/');
  const std::string above = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd parent{::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!parent || ::fsync(parent.get()) != 0) return failed(sentence("cannot sync " + above, errno));
  return {};
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (auto made = make_directory(path.substr(0, slash), mode); !made) return made;
  }
  return make_directory(path, mode);
}

Result<Fd> open_directory(const std::string& path) {
  Fd fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!fd) return failed(sentence("cannot open the folder " + path, errno));
  return fd;
}

Result<std::optional<Fd>> try_lock(int directory) {
  Fd file{::openat(directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return failed(sentence("cannot open the lock", errno));
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::nullopt;
    if (errno != EINTR) return failed(sentence("cannot lock", errno));
  }
  return file;
}

void unlock(Fd lock) {
  ::flock(lock.get(), LOCK_UN);
}

}  // namespace tenbin::exec
