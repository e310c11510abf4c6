#include "exec/message.h"

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace tenbin::exec {

namespace {

constexpr std::array<std::string_view, 6> outcome_names = {"exited",  "signalled",     "time_limit",
                                                           "stopped", "launch_failed", "lost"};
constexpr std::array<std::string_view, 3> warned_names = {"all", "shell", "steps"};
constexpr std::array<std::string_view, 7> word_names = {"hello",   "welcome", "refused", "renew",
                                                        "renewed", "stop",    "ended"};

template <std::size_t n>
std::optional<std::size_t> place_of(const std::array<std::string_view, n>& names,
                                    std::string_view name) {
  for (std::size_t i = 0; i < n; ++i) {
    if (names[i] == name) return i;
  }
  return std::nullopt;
}

bool plain(unsigned char c) {
  return c > 0x20 && c < 0x7F && c != '%';
}

constexpr std::string_view hex_digits = "0123456789ABCDEF";

void put_escaped(std::string& out, std::string_view value) {
  for (const char raw : value) {
    const auto c = static_cast<unsigned char>(raw);
    if (plain(c)) {
      out += raw;
    } else {
      out += '%';
      out += hex_digits[c >> 4];
      out += hex_digits[c & 15];
    }
  }
}

// One line is a key, a space and a value whose bytes outside printable ASCII are written %XX.
class Writer {
 public:
  explicit Writer(std::string_view kind) { out_.append(kind).append(" 1\n"); }

  void put(std::string_view key, std::string_view value) {
    out_.append(key) += ' ';
    put_escaped(out_, value);
    out_ += '\n';
  }
  void put(std::string_view key, std::int64_t value) { put(key, std::to_string(value)); }
  void put(std::string_view key, std::uint64_t value) { put(key, std::to_string(value)); }
  std::string done() && { return std::move(out_ += "end\n"); }

 private:
  std::string out_;
};

template <class Int>
bool read_int(std::string_view text, Int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && std::to_string(value) == text;
}

// Takes lines in the order in which the writer put them. The first surprise is remembered and
// everything after it reads as empty, so that a caller asks once, at the end.
class Reader {
 public:
  Reader(std::string_view kind, std::string_view text, std::size_t max) : kind_(kind), rest_(text) {
    if (text.size() > max) wrong("it is too long");
    if (line() != std::string(kind) + " 1") wrong("it does not begin as one");
  }

  std::string text(std::string_view key) {
    const std::string_view value = raw(key);
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] != '%') {
        if (!plain(static_cast<unsigned char>(value[i]))) wrong("a byte is not escaped");
        out += value[i];
        continue;
      }
      if (value.size() - i < 3) {
        wrong("an escape is cut short");
        break;
      }
      const std::size_t high = hex_digits.find(value[i + 1]);
      const std::size_t low = hex_digits.find(value[i + 2]);
      if (high == std::string_view::npos || low == std::string_view::npos) {
        wrong("an escape is not hexadecimal");
        break;
      }
      const auto c = static_cast<unsigned char>(high * 16 + low);
      if (c == 0) wrong("a text holds a NUL");
      if (plain(c)) wrong("an escape is not needed");
      out += static_cast<char>(c);
      i += 2;
    }
    return out;
  }

  template <class Int>
  Int number(std::string_view key, Int least = 0, Int most = std::numeric_limits<Int>::max()) {
    Int value = 0;
    if (!read_int(raw(key), value) || value < least || value > most) {
      wrong("a number is not one that fits");
      return least;
    }
    return value;
  }

  // How many lines follow. Each takes at least two bytes, so that no number makes us reserve more
  // than the text is long.
  std::size_t count(std::string_view key) { return number<std::size_t>(key, 0, rest_.size() / 2); }

  void wrong(std::string_view why) {
    if (error_.empty()) error_ = "not a " + std::string(kind_) + ": " + std::string(why);
    rest_ = {};
  }

  template <class T>
  Result<T> done(T value) {
    if (error_.empty() && line() != "end") wrong("it has no end");
    if (error_.empty() && !rest_.empty()) wrong("something follows its end");
    if (!error_.empty()) return failed(std::move(error_));
    return value;
  }

  bool good() const { return error_.empty(); }

 private:
  std::string_view line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) {
      wrong("it is cut short");
      return {};
    }
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return found;
  }

  std::string_view raw(std::string_view key) {
    if (!good()) return {};
    std::string_view found = line();
    if (!found.starts_with(key) || found.size() <= key.size() || found[key.size()] != ' ') {
      wrong("it lacks " + std::string(key));
      return {};
    }
    return found.substr(key.size() + 1);
  }

  std::string_view kind_, rest_;
  std::string error_;
};

}  // namespace

std::string encode(const LaunchSpec& spec) {
  const AttemptSpec& attempt = spec.attempt;
  Writer out("tenbin-spec");
  out.put("job", attempt.id.job);
  out.put("attempt", std::uint64_t{attempt.id.attempt});
  out.put("epoch", attempt.epoch);
  out.put("lease_ms", spec.lease.count);
  out.put("account", spec.account);
  out.put("work", spec.work_directory);
  out.put("output", spec.output_directory);
  out.put("directory", attempt.directory);
  out.put("started_ms", attempt.started.ms);
  out.put("time_limit_ms", attempt.time_limit.count);
  out.put("grace_ms", attempt.grace.count);
  out.put("output_cap", attempt.output_cap);
  out.put("script", attempt.script);
  out.put("output_file", attempt.output);
  out.put("error_file", attempt.error);
  out.put("append", std::int64_t{attempt.append});
  out.put("tasks_per_member", std::int64_t{attempt.tasks_per_member});
  out.put("signal", std::int64_t{attempt.signal});
  out.put("signal_before_ms", attempt.signal_before.count);
  out.put("signal_to", warned_names[static_cast<std::size_t>(attempt.signal_to)]);
  out.put("arguments", std::uint64_t{attempt.argv.size()});
  for (const std::string& argument : attempt.argv) out.put("argument", argument);
  out.put("variables", std::uint64_t{attempt.environment.size()});
  for (const auto& [name, value] : attempt.environment) {
    out.put("name", name);
    out.put("value", value);
  }
  out.put("members", std::uint64_t{attempt.members.size()});
  for (const MemberPlace& place : attempt.members) {
    out.put("node", place.node);
    out.put("gpu_milli", place.gpu_milli);
    out.put("gpus", std::uint64_t{place.gpus.size()});
    for (const int gpu : place.gpus) out.put("gpu", std::int64_t{gpu});
  }
  return std::move(out).done();
}

Result<LaunchSpec> decode_spec(std::string_view text) {
  Reader in("tenbin-spec", text, spec_bytes_max);
  LaunchSpec spec;
  AttemptSpec& attempt = spec.attempt;
  attempt.id.job = in.number<std::uint64_t>("job");
  attempt.id.attempt = in.number<std::uint32_t>("attempt");
  attempt.epoch = in.number<std::uint64_t>("epoch");
  spec.lease = Span{in.number<std::int64_t>("lease_ms", 1)};
  spec.account = in.text("account");
  spec.work_directory = in.text("work");
  spec.output_directory = in.text("output");
  attempt.directory = in.text("directory");
  attempt.started = Instant{in.number<std::int64_t>("started_ms")};
  attempt.time_limit = Span{in.number<std::int64_t>("time_limit_ms")};
  attempt.grace = Span{in.number<std::int64_t>("grace_ms")};
  attempt.output_cap = in.number<std::int64_t>("output_cap");
  attempt.script = in.text("script");
  attempt.output = in.text("output_file");
  attempt.error = in.text("error_file");
  attempt.append = in.number<int>("append", 0, 1) == 1;
  attempt.tasks_per_member = in.number<std::int32_t>("tasks_per_member", 1);
  attempt.signal = in.number<std::int32_t>("signal", 0, 64);
  attempt.signal_before = Span{in.number<std::int64_t>("signal_before_ms")};
  const auto warned = place_of(warned_names, in.text("signal_to"));
  if (!warned) in.wrong("whom the signal is for is unknown");
  attempt.signal_to = static_cast<Warned>(warned.value_or(0));
  const std::size_t arguments = in.count("arguments");
  for (std::size_t i = 0; i < arguments && in.good(); ++i) {
    attempt.argv.push_back(in.text("argument"));
  }
  const std::size_t variables = in.count("variables");
  for (std::size_t i = 0; i < variables && in.good(); ++i) {
    std::string name = in.text("name");
    if (in.good() && (name.empty() || name.contains('='))) in.wrong("a name is not a variable's");
    if (!attempt.environment.empty() && name <= attempt.environment.rbegin()->first) {
      in.wrong("names are not in order");
    }
    attempt.environment[std::move(name)] = in.text("value");
  }
  const std::size_t members = in.count("members");
  for (std::size_t i = 0; i < members && in.good(); ++i) {
    MemberPlace& place = attempt.members.emplace_back();
    place.node = in.text("node");
    place.gpu_milli = in.number<std::int64_t>("gpu_milli");
    const std::size_t gpus = in.count("gpus");
    for (std::size_t g = 0; g < gpus && in.good(); ++g) {
      place.gpus.push_back(in.number<int>("gpu"));
    }
  }
  return in.done(std::move(spec));
}

std::string encode(const Started& started) {
  Writer out("tenbin-started");
  out.put("supervisor", std::int64_t{started.supervisor});
  out.put("addresses", started.addresses);
  return std::move(out).done();
}

Result<Started> decode_started(std::string_view text) {
  Reader in("tenbin-started", text, started_bytes_max);
  Started started;
  started.supervisor = in.number<std::int32_t>("supervisor");
  started.addresses = in.text("addresses");
  return in.done(std::move(started));
}

std::string encode(const AttemptEnd& end) {
  Writer out("tenbin-end");
  out.put("job", end.id.job);
  out.put("attempt", std::uint64_t{end.id.attempt});
  out.put("outcome", outcome_names[static_cast<std::size_t>(end.outcome)]);
  out.put("code", std::int64_t{end.code});
  out.put("ended_ms", end.ended.ms);
  out.put("words", std::string_view(end.words).substr(0, words_bytes_max));
  return std::move(out).done();
}

Result<AttemptEnd> decode_end(std::string_view text) {
  Reader in("tenbin-end", text, end_bytes_max);
  AttemptEnd end;
  end.id.job = in.number<std::uint64_t>("job");
  end.id.attempt = in.number<std::uint32_t>("attempt");
  const auto outcome = place_of(outcome_names, in.text("outcome"));
  if (!outcome) in.wrong("its outcome is unknown");
  end.outcome = static_cast<Outcome>(outcome.value_or(0));
  end.code = in.number<std::int32_t>("code", std::numeric_limits<std::int32_t>::min());
  end.ended = Instant{in.number<std::int64_t>("ended_ms")};
  end.words = in.text("words");
  if (end.words.size() > words_bytes_max) in.wrong("its words are too long");
  return in.done(std::move(end));
}

std::string encode(const Message& message) {
  return std::string(word_names[static_cast<std::size_t>(message.word)]) + ' ' +
         std::to_string(message.epoch) + ' ' + std::to_string(message.until_ms);
}

Result<Message> decode_message(std::string_view text) {
  const std::size_t first = text.find(' ');
  const std::size_t second = text.rfind(' ');
  if (text.size() > message_bytes_max || first == std::string_view::npos || first == second) {
    return failed("not a message");
  }
  Message message;
  const auto word = place_of(word_names, text.substr(0, first));
  if (!word || !read_int(text.substr(first + 1, second - first - 1), message.epoch) ||
      !read_int(text.substr(second + 1), message.until_ms) || message.until_ms < 0) {
    return failed("not a message");
  }
  message.word = static_cast<Message::Word>(*word);
  return message;
}

}  // namespace tenbin::exec
