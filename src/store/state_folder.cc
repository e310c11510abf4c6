#include "store/state_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tenbin {

namespace {

/// `errno` must still be that of the call which failed.
std::unexpected<Error> failure(const std::string& path, const char* tried) {
  const int code = errno;
  return failed(path + ": could not " + tried + ": " + std::generic_category().message(code));
}

class File {
 public:
  explicit File(int file) : file_(file) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (file_ >= 0) ::close(file_);
  }
  int get() const { return file_; }
  explicit operator bool() const { return file_ >= 0; }

 private:
  int file_;
};

std::string parent_of(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

/// lstat follows a link that ends in a slash, so the slash must go.
std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

}  // namespace

Result<void> prepare_state_folder(const std::string& given, Access access) {
  const std::string folder = without_slash(given);
  if (folder.empty()) return failed("no state folder was named");
  if (access == Access::read_write) {
    if (::mkdir(folder.c_str(), 0700) == 0) {
      if (auto synced = sync_folder(parent_of(folder)); !synced) return synced;
    } else if (errno != EEXIST) {
      return failure(folder, "make the state folder");
    }
  }
  struct stat about{};
  if (::lstat(folder.c_str(), &about) != 0) return failure(folder, "look at the state folder");
  if (S_ISLNK(about.st_mode)) {
    return failed(folder + ": the state folder is a symbolic link; name the folder itself");
  }
  if (!S_ISDIR(about.st_mode)) return failed(folder + ": the state folder is not a folder");
  if (about.st_uid != ::geteuid()) {
    return failed(folder + ": the state folder belongs to user " + std::to_string(about.st_uid) +
                  ", and this process runs as user " + std::to_string(::geteuid()));
  }
  if (about.st_mode & S_IWOTH) {
    return failed(folder + ": everybody may write to the state folder; run chmod o-w on it first");
  }
  return {};
}

Result<void> refuse_link(const std::string& path) {
  struct stat about{};
  if (::lstat(path.c_str(), &about) != 0) {
    if (errno == ENOENT) return {};
    return failure(path, "look at it");
  }
  if (S_ISLNK(about.st_mode)) {
    return failed(path + " is a symbolic link, and what is kept here must lie here");
  }
  if (!S_ISREG(about.st_mode)) return failed(path + " is not a plain file");
  return {};
}

Result<void> make_private_file(const std::string& path) {
  if (auto plain = refuse_link(path); !plain) return plain;
  if (::access(path.c_str(), F_OK) == 0) {
    if (::chmod(path.c_str(), 0600) != 0) return failure(path, "take away the rights of others");
    return {};
  }
  const File file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return failure(path, "make it");
  return sync_folder(parent_of(path));
}

Result<void> sync_folder(const std::string& folder) {
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file) return failure(folder, "open the folder");
  if (::fsync(file.get()) != 0) return failure(folder, "sync the folder");
  return {};
}

Result<void> sync_file(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return failure(path, "open it");
  if (::fsync(file.get()) != 0) return failure(path, "sync it");
  return {};
}

Result<std::vector<std::string>> secure_state_folder(const std::string& given) {
  const std::string folder = without_slash(given);
  std::vector<std::string> mended;
  const auto secure = [&](const std::string& path, bool is_folder) -> Result<void> {
    struct stat about{};
    if (::lstat(path.c_str(), &about) != 0) {
      if (errno == ENOENT) return {};
      return failure(path, "look at it");
    }
    if (S_ISLNK(about.st_mode)) {
      return failed(path + " is a symbolic link, and what is kept here must lie here; to use " +
                    "another disk, mount it there or put the whole state folder on it");
    }
    if (is_folder ? !S_ISDIR(about.st_mode) : !S_ISREG(about.st_mode)) {
      return failed(path + (is_folder ? " is not a folder" : " is not a plain file"));
    }
    if (about.st_uid != ::geteuid()) {
      return failed(path + " belongs to user " + std::to_string(about.st_uid) +
                    ", and this process runs as user " + std::to_string(::geteuid()) +
                    "; give it back with chown");
    }
    if (about.st_mode & (S_IWGRP | S_IWOTH)) {
      return failed(
          path +
          ": others may write to it, so what it says cannot be believed; look at it, then "
          "run chmod go-w on it");
    }
    if ((about.st_mode & 077) == 0) return {};
    if (::chmod(path.c_str(), about.st_mode & 0700) != 0) {
      return failure(path, "take away the rights of others");
    }
    mended.push_back(path);
    return {};
  };
  for (const char* name : {"", "/snapshots", "/attempts", "/output"}) {
    if (auto good = secure(folder + name, true); !good) return std::unexpected(good.error());
  }
  for (const char* name :
       {"/journal.db", "/journal.db-wal", "/journal.db-shm", "/history.db", "/history.db-wal",
        "/history.db-shm", "/lock", "/url", "/admin.token", "/quarantine", "/work-id", "/alive"}) {
    if (auto good = secure(folder + name, false); !good) return std::unexpected(good.error());
  }
  // Members of jobs pass through the work folder, so its rights are not ours alone.
  if (auto plain = ::access((folder + "/work").c_str(), F_OK) == 0
                       ? prepare_state_folder(folder + "/work", Access::read_only)
                       : Result<void>{};
      !plain) {
    return std::unexpected(plain.error());
  }
  return mended;
}

Result<void> write_file_durably(const std::string& folder, const std::string& name,
                                std::initializer_list<std::string_view> parts) {
  const std::string path = folder + "/" + name;
  const std::string draft = path + ".tmp";
  {
    const File file(
        ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failure(draft, "make it");
    for (const std::string_view part : parts) {
      if (!write_all(file.get(), part)) {
        const auto error = failure(draft, "write it");
        ::unlink(draft.c_str());
        return error;
      }
    }
    if (::fsync(file.get()) != 0) {
      const auto error = failure(draft, "sync it");
      ::unlink(draft.c_str());
      return error;
    }
  }
  if (::rename(draft.c_str(), path.c_str()) != 0) return failure(path, "put it in place");
  return sync_folder(folder);
}

Result<std::string> read_file(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file) return failure(path, "open it");
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return failure(path, "look at it");
  if (!S_ISREG(about.st_mode)) return failed(path + " is not a plain file");
  std::string bytes(static_cast<std::size_t>(about.st_size), '\0');
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t count = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure(path, "read it");
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

Result<FolderLock> FolderLock::take(const std::string& folder) {
  const std::string path = folder + "/lock";
  if (auto plain = refuse_link(path); !plain) return std::unexpected(plain.error());
  FolderLock lock;
  lock.file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (lock.file_ < 0) return failure(path, "open the lock");
  if (::flock(lock.file_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failure(path, "lock it");
    std::array<char, 32> text{};
    const ssize_t count = ::pread(lock.file_, text.data(), text.size(), 0);
    std::string holder(text.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return failed(folder + ": the state folder is in use by " +
                  (holder.empty() ? "another process" : "process " + holder) + " (it holds " +
                  path + "); only one process may write there");
  }
  const std::string mine = std::to_string(::getpid()) + "\n";
  if (::ftruncate(lock.file_, 0) != 0 ||
      ::pwrite(lock.file_, mine.data(), mine.size(), 0) != static_cast<ssize_t>(mine.size())) {
    return failure(path, "write our process id into it");
  }
  return lock;
}

FolderLock::FolderLock(FolderLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace tenbin
