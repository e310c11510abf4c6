#include <algorithm>

#include "codec/json.h"
#include "twin/traces/fields.h"
#include "twin/traces/rows.h"

// Microsoft's cluster_job_log: one JSON array of jobs, each with its attempts. They are taken out
// one by one, so that the file may be of any size.

namespace tenbin::traces {

namespace {

constexpr std::size_t job_max = 8 << 20;  // bytes of one job

class PhillyRows final : public Rows {
 public:
  PhillyRows(Window& window, const TraceOptions& options) : Rows(options), window_(window) {
    info.format = TraceFormat::philly;
    info.owners = info.ends = info.dated = true;
  }

  Result<Step> next(TraceJob& job) override {
    const auto found = object();
    if (!found) return std::unexpected(found.error());
    if (!*found) return Step::end;
    ++line;
    const auto root = document_.parse(text);
    if (!root) return wrong(TraceFault::not_understood);
    return read(*root, job);
  }

 private:
  std::unexpected<Error> broken(std::string_view english, std::string_view japanese) const {
    return failed(window_.name() + ": " + said(options_.japanese, english, japanese) + " (" +
                  std::to_string(line) + ")");
  }

  /// Finds the next { ... } at the array's level.
  Result<bool> object() {
    window_.consume(shown_);
    shown_ = 0;
    std::size_t at = 0, begin = 0;
    int depth = 0;
    bool quoted = false, escaped = false;
    while (true) {
      const std::string_view view = window_.view();
      for (; at < view.size(); ++at) {
        const char c = view[at];
        if (depth == 0) {
          if (c == '{') {
            begin = at;
            depth = 1;
          } else if (c == ']') {
            over_ = true;
          } else if (c != ',' && c != '[' && c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return broken("is no list of jobs after so many of them",
                          "ジョブの一覧がここで崩れています（読み取れたジョブ数）");
          }
          continue;
        }
        if (quoted) {
          if (escaped) {
            escaped = false;
          } else if (c == '\\') {
            escaped = true;
          } else if (c == '"') {
            quoted = false;
          }
        } else if (c == '"') {
          quoted = true;
        } else if (c == '{' || c == '[') {
          ++depth;
        } else if ((c == '}' || c == ']') && --depth == 0) {
          text = view.substr(begin, at + 1 - begin);
          shown_ = at + 1;
          return true;
        }
      }
      if (depth == 0) {
        window_.consume(at);
        at = 0;
      } else if (view.size() - begin > job_max) {
        return broken("a job above 8 MiB, after so many",
                      "8 MiBを超えるジョブがあります（それまでのジョブ数）");
      }
      const auto any = window_.more();
      if (!any) return std::unexpected(any.error());
      if (*any) continue;
      if (depth == 0 && over_) return false;
      return broken("is cut off after so many jobs", "途中で切れています（読み取れたジョブ数）");
    }
  }

  Step read(JsonValue root, TraceJob& job) {
    job = {};
    job.id = line;
    key.reset();
    if (const auto id = root["jobid"].text()) key = hash_of_name(*id);
    const auto submitted = root["submitted_time"].text();
    if (!submitted || *submitted == "None") return wrong(TraceFault::not_submitted);
    const auto submit = date(*submitted);
    if (!submit) return wrong(TraceFault::not_a_time);
    job.submit = *submit;

    // All its attempts, without the pauses; the GPUs of the largest.
    std::int64_t ms = 0, gpus = 0;
    bool ran = false, good = true;
    root["attempts"].each_item([&](JsonValue attempt) {
      const auto began = attempt["start_time"].text(), ended = attempt["end_time"].text();
      const bool known = began && ended && *began != "None" && *ended != "None";
      if (known) {
        const auto from = date(*began), to = date(*ended);
        good = good && from && to;
        if (from && to) {
          ms += to->ms - from->ms;
          ran = true;
        }
      }
      std::int64_t here = 0;
      attempt["detail"].each_item([&](JsonValue node) {
        here += static_cast<std::int64_t>(node["gpus"].size());
        return true;
      });
      gpus = std::max(gpus, here);
      return true;
    });
    if (!good) return wrong(TraceFault::not_a_time);
    if (!ran) return wrong(TraceFault::never_ran);
    job.shape = whole_gpus(gpus);
    job.runtime = Span{ms};
    job.limit = std::max(job.runtime, Span{1});
    if (!user(root["user"].text().value_or(""), job) || !owner(root["vc"].text().value_or(""), job))
      return Step::fault;
    const std::string_view status = root["status"].text().value_or("");
    job.end = status == "Pass"     ? TraceEnd::completed
              : status == "Killed" ? TraceEnd::cancelled
                                   : TraceEnd::failed;
    return Step::job;
  }

  Window& window_;
  JsonDocument document_;
  std::size_t shown_ = 0;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<Rows> philly_rows(Window& window, const TraceOptions& options) {
  return std::make_unique<PhillyRows>(window, options);
}

}  // namespace tenbin::traces
