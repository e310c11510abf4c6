#pragma once

// Files of an attempt's directory: written so that they survive loss of power, read with a bound,
// and one lock that says whether anything of the attempt runs.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace tenbin::exec {

/// Owns one file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { close(); }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  void close();

 private:
  int fd_ = -1;
};

/// "tried: No such file or directory". `error` is an errno.
std::string sentence(std::string_view tried, int error);

/// Replaces the file `name`: after success it is whole and survives loss of power; after an error
/// the old one is still there.
Result<void> write_durable(int directory, const std::string& name, std::string_view bytes);

/// The bytes of `name`, or none if there is no such file. Errors: unreadable, longer than `max`.
Result<std::optional<std::string>> read_bounded(int directory, const std::string& name,
                                                std::size_t max);

/// Makes one directory if it is not there, and makes that durable.
Result<void> make_directory(const std::string& path, unsigned mode);
/// The same, with all directories above it.
Result<void> make_directories(const std::string& path, unsigned mode);

Result<Fd> open_directory(const std::string& path);

/// The exclusive lock on the file `lock`, or none if somebody has it. It belongs to every process
/// that inherits the descriptor; it is free when the last of them is gone.
Result<std::optional<Fd>> try_lock(int directory);
/// Gives the lock up at once, even if a child of another thread inherited the descriptor.
void unlock(Fd lock);

}  // namespace tenbin::exec
