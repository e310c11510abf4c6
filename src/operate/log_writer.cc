#include "operate/log_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "codec/json.h"

namespace tenbin::operate {

namespace {

constexpr std::size_t queue_max_bytes = 4 * 1024 * 1024;

constexpr std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warning: return "warning";
    case LogLevel::error: return "error";
  }
  return "info";
}

std::string time_text(Instant at) {
  const time_t seconds = at.ms / 1'000;
  tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     at.ms % 1'000);
}

Instant wall_now() {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return Instant{t.tv_sec * 1'000 + t.tv_nsec / 1'000'000};
}

// Text lines keep what a person wrote (Japanese among it) and escape what a terminal would obey.
void append_plain(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string format_line(LogFormat format, Instant at, const LogLine& line) {
  std::string out;
  if (format == LogFormat::json) {
    JsonWriter json(out);
    json.begin_object().member("time", time_text(at)).member("level", name_of(line.level));
    json.member("event", line.event);
    if (!line.words.empty()) json.member("message", line.words);
    for (const LogField& field : line.fields) {
      json.key(field.name);
      if (field.is_number) {
        json.raw(field.text);
      } else {
        json.value(field.text);
      }
    }
    json.end_object();
  } else {
    out = "tenbin: ";
    if (line.level >= LogLevel::warning) out += fmt::format("{}: ", name_of(line.level));
    append_plain(out, line.words.empty() ? line.event : std::string_view(line.words));
    for (const LogField& field : line.fields) {
      out += fmt::format(" {}=", field.name);
      append_plain(out, field.text);
    }
  }
  return out + "\n";
}

LogWriter::LogWriter(int fd, LogFormat format, LogLevel least)
    : fd_(fd), format_(format), least_(least), thread_([this] { write(); }) {}

LogWriter::~LogWriter() {
  flush();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    wake_.notify_one();
  }
  thread_.join();
}

Log LogWriter::log() {
  return Log([this](LogLine&& line) { say(std::move(line)); });
}

void LogWriter::say(LogLine&& line) {
  if (line.level < least_) return;
  const std::string text = format_line(format_, wall_now(), line);
  const std::lock_guard lock(mutex_);
  if (waiting_.size() + text.size() > queue_max_bytes) {
    ++dropped_;
    return;
  }
  if (dropped_ > told_) {
    waiting_ += format_line(format_, wall_now(),
                            {LogLevel::warning,
                             "log_lines_dropped",
                             "nobody read the log fast enough; lines are missing before this one",
                             {{"lines", dropped_ - told_}}});
    told_ = dropped_;
  }
  waiting_ += text;
  wake_.notify_one();
}

void LogWriter::flush() {
  std::unique_lock lock(mutex_);
  written_.wait_for(lock, std::chrono::seconds(1), [&] { return waiting_.empty() && !writing_; });
}

std::uint64_t LogWriter::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void LogWriter::write() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::string now = std::move(waiting_);
    waiting_.clear();
    writing_ = true;
    lock.unlock();
    for (std::size_t done = 0; done < now.size();) {
      // A pipe that nobody reads must not keep the process from ending.
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 100) == 0) {
        lock.lock();
        const bool give_up = closing_;
        lock.unlock();
        if (give_up) break;
        continue;
      }
      const ssize_t n =
          ::write(fd_, now.data() + done, std::min<std::size_t>(now.size() - done, 4096));
      if (n < 0 && errno != EINTR && errno != EAGAIN) break;  // nobody is there any more
      if (n > 0) done += static_cast<std::size_t>(n);
    }
    lock.lock();
    writing_ = false;
    written_.notify_all();
  }
}

}  // namespace tenbin::operate
