#include "cli/job_request.h"

#include "codec/json.h"

namespace tenbin::cli {

std::string JobRequest::json() const {
  std::string body;
  JsonWriter out(body);
  const auto maybe = [&](std::string_view key, const auto& value) {
    if (value) out.member(key, *value);
  };
  const auto list = [&](std::string_view key, const std::vector<std::string>& items) {
    if (items.empty()) return;
    out.key(key).begin_array();
    for (const std::string& item : items) out.value(item);
    out.end_array();
  };

  out.begin_object();
  maybe("project", project);
  maybe("name", name);
  maybe("gpus", gpus);
  maybe("members", members);
  maybe("cpus", cpus);
  maybe("memory_mib", memory_mib);
  list("models", models);
  list("regions", regions);
  if (time_limit) out.member("time_limit_ms", time_limit->count);
  maybe("tasks", tasks);
  if (!command.empty()) {
    out.key("run").begin_object();
    list("argv", command);
    if (!environment.empty()) {
      out.key("environment").begin_object();
      for (const auto& [variable, value] : environment) out.member(variable, value);
      out.end_object();
    }
    maybe("directory", directory);
    maybe("output_cap", output_cap);
    if (grace) out.member("grace_ms", grace->count);
    out.end_object();
  }
  out.end_object();
  return body;
}

}  // namespace tenbin::cli
