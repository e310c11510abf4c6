#include "twin/trace.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <unordered_map>

#include "core/limits.h"

namespace tenbin {

Result<std::string> unpacked_file(const std::string& path) {
  // zlib reads plain files as they are.
  gzFile file = gzopen(path.c_str(), "rb");
  if (!file) return failed(path + ": cannot be opened: " + std::strerror(errno));
  std::string text;
  std::array<char, 1 << 16> part;
  int got = 0;
  while ((got = gzread(file, part.data(), part.size())) > 0)
    text.append(part.data(), static_cast<std::size_t>(got));
  int code = Z_OK;
  const std::string words = gzerror(file, &code);
  gzclose(file);
  if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
    return failed(path + ": damaged or cut off: " + words);
  }
  return text;
}

namespace {

/// Jobs that are in memory already.
class Held final : public TraceSource {
 public:
  explicit Held(Trace trace) : trace_(std::move(trace)) {}
  Result<bool> next(TraceJob& job) override {
    if (at_ == trace_.jobs.size()) return false;
    job = trace_.jobs[at_++];
    return true;
  }
  const TraceNames& names() const override { return trace_.names; }
  const TraceProblems& problems() const override { return trace_.problems; }
  const TraceInfo& info() const override { return trace_.info; }

 private:
  Trace trace_;
  std::size_t at_ = 0;
};

}  // namespace

Result<std::unique_ptr<TraceSource>> open_trace(const std::string& path,
                                                const TraceOptions& options) {
  auto trace = read_trace(path, options);
  if (!trace) return std::unexpected(trace.error());
  return std::make_unique<Held>(std::move(*trace));
}

Result<Trace> parse_trace(std::string_view text, std::string name, TraceOptions) {
  constexpr std::string_view header = "job_id,submit,gpus,runtime,walltime,user";
  Trace trace;
  trace.info.limits = true;
  std::vector<TraceJob>& jobs = trace.jobs;
  std::unordered_map<std::int64_t, std::uint32_t> users;
  std::uint64_t number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    ++number;
    const auto complain = [&](std::string_view what) {
      return failed(name + ":" + std::to_string(number) + ": " + std::string(what));
    };
    if (number == 1) {
      if (line != header) return complain("the first line must be " + std::string(header));
      continue;
    }
    if (line.empty()) continue;
    std::array<std::int64_t, 6> value{};
    const char* at = line.data();
    const char* const stop = line.data() + line.size();
    for (std::size_t i = 0; i < value.size(); ++i) {
      const auto [next, error] = std::from_chars(at, stop, value[i]);
      const bool last = i + 1 == value.size();
      if (error != std::errc{} || (last ? next != stop : next == stop || *next != ',')) {
        return complain("expected six whole numbers separated by commas");
      }
      at = next + 1;
    }
    if (value[0] < 0 || value[1] < 0 || value[1] > instant_max.ms)
      return complain("id or submit time out of range");
    if (value[2] <= 0 || value[2] > gpus_max.count / 1'000)
      return complain("GPUs must be 1 to 100000");
    if (value[3] < 0 || value[4] <= 0 || value[4] > time_limit_max.count || value[3] > value[4]) {
      return complain("runtime must be between 0 and walltime, walltime at most 400 days");
    }
    if (value[5] < 0 || value[5] > UINT32_MAX) return complain("user out of range");
    const auto [user, fresh] =
        users.emplace(value[5], static_cast<std::uint32_t>(trace.names.users.size()));
    if (fresh) trace.names.users.push_back(std::to_string(value[5]));
    jobs.push_back({static_cast<std::uint64_t>(value[0]), Instant{value[1]}, whole_gpus(value[2]),
                    Span{value[3]}, Span{value[4]}, user->second, user->second});
  }
  if (number == 0) return failed(name + ": the file is empty");
  std::ranges::stable_sort(jobs, [](const TraceJob& a, const TraceJob& b) {
    return a.submit != b.submit ? a.submit < b.submit : a.id < b.id;
  });
  trace.names.owners = trace.names.users;
  return trace;
}

Result<Trace> read_trace(const std::string& path, TraceOptions options) {
  auto text = unpacked_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_trace(*text, path, options);
}

}  // namespace tenbin
