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
  if (!array) maybe("tasks", tasks);  // with indexes the service counts them
  maybe("tasks_at_once", tasks_at_once);
  if (!after.empty()) {
    out.key("after").begin_array();
    for (const AfterJob& one : after)
      out.begin_object().member("job", one.job).member("when", one.when).end_object();
    out.end_array();
  }
  maybe("hold", hold);
  maybe("retries", retries);
  if (!labels.empty()) {
    out.key("labels").begin_object();
    for (const auto& [key, value] : labels) out.member(key, value);
    out.end_object();
  }
  if (runs_something()) {
    out.key("run").begin_object();
    list("argv", command);
    maybe("script", script);
    if (!environment.empty()) {
      out.key("environment").begin_object();
      for (const auto& [variable, value] : environment) out.member(variable, value);
      out.end_object();
    }
    maybe("directory", directory);
    maybe("output_cap", output_cap);
    if (grace) out.member("grace_ms", grace->count);
    maybe("submit_directory", submit_directory);
    maybe("output", output);
    maybe("error", error);
    maybe("append", append);
    maybe("tasks_per_member", tasks_per_member);
    maybe("array", array);
    maybe("signal", signal);
    if (signal_before) out.member("signal_before_ms", signal_before->count);
    maybe("signal_to", signal_to);
    maybe("requeue", requeue);
    out.end_object();
  }
  out.end_object();
  return body;
}

}  // namespace tenbin::cli
