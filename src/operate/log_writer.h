#pragma once

// Log lines to a file descriptor: one JSON object a line for machines, or text for a terminal.

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/log.h"
#include "base/quantity.h"

namespace tenbin::operate {

enum class LogFormat : std::uint8_t { json, text };

/// One line with its end. Pure. Control characters are escaped in both forms, so that what came
/// from outside can neither begin a line of its own nor mislead a terminal.
std::string format_line(LogFormat format, Instant at, const LogLine& line);

/// Writes lines from a thread of its own, so that a terminal or a pipe that nobody reads holds up
/// nobody. What does not fit into the queue meanwhile is dropped and counted, and that is said.
class LogWriter {
 public:
  LogWriter(int fd, LogFormat format, LogLevel least);
  ~LogWriter();  // flush()

  Log log();  // must not be used after the writer is gone
  /// Waits until what was said is written, at most a second. For the last words of a process.
  void flush();
  std::uint64_t dropped() const;

 private:
  void say(LogLine&& line);
  void write();

  const int fd_;
  const LogFormat format_;
  const LogLevel least_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::string waiting_;
  bool writing_ = false, closing_ = false;
  std::uint64_t dropped_ = 0, told_ = 0;
  std::thread thread_;
};

}  // namespace tenbin::operate
