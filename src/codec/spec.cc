#include "codec/spec.h"

#include <algorithm>

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

}  // namespace

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
  out.end_object();
  return bytes;
}

Result<JobSpec> read_spec(JsonValue in) {
  JobSpec spec;
  if (!in.is_object()) return failed("run: expected an object with argv");
  std::string trouble;
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
    } else {
      trouble = "run." + std::string(key) +
                ": no such field; there are argv, environment, directory, output_cap, grace_ms";
    }
    return trouble.empty();
  });
  if (!trouble.empty()) return failed(trouble);
  if (spec.argv.empty() || spec.argv.front().empty()) return failed("run.argv: names no command");
  return spec;
}

Result<JobSpec> parse_spec(std::string_view bytes) {
  JsonDocument document;
  const auto root = document.parse(bytes);
  if (!root) return failed("not JSON: " + root.error().what);
  return read_spec(*root);
}

}  // namespace tenbin
