#include "codec/spec.h"

#include <algorithm>
#include <array>
#include <utility>

#include "codec/index_list.h"

namespace tenbin {

namespace {

constexpr std::int64_t output_cap_max = std::int64_t{1} << 32;
// The grace is not charged, so it must not be a way to run for nothing.
constexpr std::int64_t grace_max_ms = 60'000;

bool holds_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

bool valid_variable(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
  };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

constexpr std::array<std::string_view, 3> signal_to_names = {"all", "shell", "steps"};
constexpr std::int64_t signal_before_max_ms = 65'535'000;  // as Slurm's
constexpr std::int64_t tasks_per_member_max = 4'096;
constexpr std::size_t path_bytes_max = 1'024;

// What may be below the working directory: a plain name is the least that is left of it.
bool valid_output(std::string_view path) {
  return path.size() <= path_bytes_max && (path.empty() || stays_below(path));
}

}  // namespace

int signal_number(std::string_view name) {
  // By Linux's numbers on the machines that we run on; KILL and STOP cannot warn.
  constexpr std::pair<std::string_view, int> signals[] = {
      {"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"USR1", 10},  {"USR2", 12},
      {"ALRM", 14}, {"TERM", 15}, {"CONT", 18}, {"WINCH", 28}, {"URG", 23}};
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (const auto& [known, number] : signals) {
    if (known == name) return number;
  }
  return 0;
}

bool stays_below(std::string_view path) {
  if (path.empty() || path.starts_with('/')) return false;
  for (;;) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "..") return false;
    if (slash == std::string_view::npos) return part != ".";
    path.remove_prefix(slash + 1);
  }
}

std::string write_spec(const JobSpec& spec) {
  std::string bytes;
  JsonWriter out(bytes);
  out.begin_object().key("argv").begin_array();
  for (const std::string& word : spec.argv) out.value(word);
  out.end_array().key("environment").begin_object();
  for (const auto& [name, value] : spec.environment) out.member(name, value);
  out.end_object();
  out.member("directory", spec.directory);
  out.member("output_cap", spec.output_cap);
  out.member("grace_ms", spec.grace_ms);
  const JobSpec otherwise;
  const auto maybe = [&](std::string_view key, const auto& value, const auto& usual) {
    if (value != usual) out.member(key, value);
  };
  maybe("script", spec.script, otherwise.script);
  maybe("submit_directory", spec.submit_directory, otherwise.submit_directory);
  maybe("output", spec.output, otherwise.output);
  maybe("error", spec.error, otherwise.error);
  maybe("append", spec.append, otherwise.append);
  maybe("tasks_per_member", spec.tasks_per_member, otherwise.tasks_per_member);
  maybe("array", spec.array, otherwise.array);
  maybe("signal", spec.signal, otherwise.signal);
  maybe("signal_before_ms", spec.signal_before_ms, otherwise.signal_before_ms);
  if (spec.signal_to != otherwise.signal_to) {
    out.member("signal_to", signal_to_names[static_cast<std::size_t>(spec.signal_to)]);
  }
  maybe("requeue", spec.requeue, otherwise.requeue);
  out.end_object();
  return bytes;
}

Result<JobSpec> read_spec(JsonValue in) {
  JobSpec spec;
  if (!in.is_object()) return failed("run: expected an object with argv");
  std::string trouble;
  const auto take_text = [&](std::string_view key, JsonValue value, std::string& to, auto good,
                             std::string_view expected) {
    const auto text = value.text();
    if (!text || holds_nul(*text) || !good(*text)) {
      trouble = "run." + std::string(key) + ": expected " + std::string(expected);
    } else {
      to = *text;
    }
  };
  const auto take_number = [&](std::string_view key, JsonValue value, std::int64_t& to,
                               std::int64_t least, std::int64_t most) {
    const auto n = value.integer();
    if (!n || *n < least || *n > most) {
      trouble = "run." + std::string(key) + ": expected " + std::to_string(least) + " to " +
                std::to_string(most);
    }
    to = n.value_or(least);
  };
  const auto take_truth = [&](std::string_view key, JsonValue value, bool& to) {
    const auto truth = value.boolean();
    if (!truth) trouble = "run." + std::string(key) + ": expected true or false";
    to = truth.value_or(to);
  };
  in.each_member([&](std::string_view key, JsonValue value) {
    if (key == "argv") {
      const bool words = value.each_item([&](JsonValue item) {
        const auto word = item.text();
        if (!word || holds_nul(*word)) return false;
        spec.argv.emplace_back(*word);
        return true;
      });
      if (!words || spec.argv.size() > 4'096)
        trouble = "run.argv: expected a list of up to 4096 texts without NUL";
    } else if (key == "environment") {
      const bool pairs = value.each_member([&](std::string_view name, JsonValue item) {
        const auto text = item.text();
        if (!text || holds_nul(*text) || !valid_variable(name)) return false;
        spec.environment.emplace(name, *text);
        return true;
      });
      if (!pairs)
        trouble = "run.environment: expected names of letters, digits and _ with texts as values";
    } else if (key == "directory") {
      const auto text = value.text();
      if (!text || holds_nul(*text) || (!text->empty() && text->front() != '/')) {
        trouble = "run.directory: expected an absolute path";
      } else {
        spec.directory = *text;
      }
    } else if (key == "output_cap") {
      const auto n = value.integer();
      if (!n || *n < 0 || *n > output_cap_max)
        trouble = "run.output_cap: expected 0 to 4294967296 bytes";
      spec.output_cap = n.value_or(0);
    } else if (key == "grace_ms") {
      const auto n = value.integer();
      if (!n || *n < 0 || *n > grace_max_ms)
        trouble = "run.grace_ms: expected 0 to 60000 milliseconds";
      spec.grace_ms = n.value_or(0);
    } else if (key == "script") {
      const auto begins = [](std::string_view text) { return text.starts_with("#!"); };
      take_text(key, value, spec.script, begins,
                "a script whose first line is #! and an interpreter");
    } else if (key == "submit_directory") {
      const auto absolute = [](std::string_view text) {
        return text.empty() || (text.front() == '/' && text.size() <= 4'096);
      };
      take_text(key, value, spec.submit_directory, absolute, "an absolute path");
    } else if (key == "output" || key == "error") {
      take_text(key, value, key == "output" ? spec.output : spec.error, valid_output,
                "a path below the working directory: relative, without .. or empty parts");
    } else if (key == "append") {
      take_truth(key, value, spec.append);
    } else if (key == "tasks_per_member") {
      take_number(key, value, spec.tasks_per_member, 1, tasks_per_member_max);
    } else if (key == "array") {
      std::string why;
      const auto good = [&](std::string_view text) {
        const auto list = IndexList::parse(text);
        if (!list) why = list.error().what;
        return list.has_value();
      };
      take_text(key, value, spec.array, good, "ascending indexes such as 1,3,5-9:2");
      if (!why.empty()) trouble = "run.array: " + why;
    } else if (key == "signal") {
      take_text(
          key, value, spec.signal,
          [](std::string_view text) {
            return !text.starts_with("SIG") && signal_number(text) != 0;
          },
          "one of HUP INT QUIT USR1 USR2 ALRM TERM CONT WINCH URG");
    } else if (key == "signal_before_ms") {
      take_number(key, value, spec.signal_before_ms, 0, signal_before_max_ms);
    } else if (key == "signal_to") {
      const auto text = value.text();
      const auto* found = std::ranges::find(signal_to_names, text.value_or(""));
      if (found == signal_to_names.end()) {
        trouble = "run.signal_to: expected all, shell or steps";
      } else {
        spec.signal_to = static_cast<SignalTo>(found - signal_to_names.begin());
      }
    } else if (key == "requeue") {
      take_truth(key, value, spec.requeue);
    } else {
      trouble = "run." + std::string(key) +
                ": no such field; there are argv, environment, directory, output_cap, grace_ms, "
                "script, submit_directory, output, error, append, tasks_per_member, array, signal, "
                "signal_before_ms, signal_to, requeue";
    }
    return trouble.empty();
  });
  if (!trouble.empty()) return failed(trouble);
  if (spec.script.empty() && (spec.argv.empty() || spec.argv.front().empty())) {
    return failed("run.argv: names no command");
  }
  return spec;
}

Result<JobSpec> parse_spec(std::string_view bytes) {
  JsonDocument document;
  const auto root = document.parse(bytes);
  if (!root) return failed("not JSON: " + root.error().what);
  return read_spec(*root);
}

}  // namespace tenbin
