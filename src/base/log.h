#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// How a folder says something to the operator without knowing who listens: it is given a Log, and
// calls it.

namespace tenbin {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

struct LogField {
  std::string_view name;
  std::string text;
  bool is_number = false;  // `text` is a number in JSON's own notation

  LogField(std::string_view n, std::string_view t) : name(n), text(t) {}
  LogField(std::string_view n, std::int64_t v)
      : name(n), text(std::to_string(v)), is_number(true) {}
  LogField(std::string_view n, std::uint64_t v)
      : name(n), text(std::to_string(v)), is_number(true) {}
};

/// One thing that happened. Secrets (tokens, environments, bodies) never belong in it.
struct LogLine {
  LogLevel level = LogLevel::info;
  std::string_view event;  // a name that stays the same, for who filters: "history_behind"
  std::string words;       // for a person; may be empty if the fields say it all
  std::vector<LogField> fields;
};

/// Where lines go. May be called from any thread and never blocks for long; an empty one drops
/// them, for tests and tools that have nobody to tell.
class Log {
 public:
  using Sink = std::function<void(LogLine&&)>;

  Log() = default;
  explicit Log(Sink sink) : sink_(std::move(sink)) {}

  explicit operator bool() const { return static_cast<bool>(sink_); }
  void operator()(LogLevel level, std::string_view event, std::string words,
                  std::vector<LogField> fields = {}) const {
    if (sink_) sink_({level, event, std::move(words), std::move(fields)});
  }

 private:
  Sink sink_;
};

}  // namespace tenbin
