#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "api/api.h"
#include "core/jobs/line.h"
#include "core/jobs/tasks.h"

// What jobs wrote, in parts; with wait_ms the answer waits until there is more (docs/api.md).

namespace tenbin {

namespace {

constexpr std::size_t output_part_max = 1024 * 1024;
constexpr std::int64_t wait_max_ms = 60'000;

}  // namespace

void Api::output(const CallPtr& call, JobId id) {
  static constexpr std::array<std::string_view, 2> streams{"stdout", "stderr"};
  Query query(call->query);
  const std::int64_t rank = query.integer("rank", 0, members_max, 0);
  const std::int64_t offset = query.integer("offset", 0, INT64_MAX, 0);
  const std::int64_t attempt = query.integer("attempt", 0, UINT32_MAX, 0);
  const std::int64_t wait = query.integer("wait_ms", 0, wait_max_ms, 0);
  std::string stream = query.choice("stream", streams);
  if (stream.empty()) stream = "stdout";
  if (query.finish()) return call->deny(*query.finish());
  OutputAsked asked{.call = call,
                    .job = id,
                    .rank = static_cast<int>(rank),
                    .stream = stream,
                    .attempt = static_cast<std::uint32_t>(attempt),
                    .offset = offset};
  slowly([this, asked = std::move(asked), wait]() mutable {
    Scope scope;
    live_.read([&](const World& world) {
      if (const JobId row = row_of(world, asked.job)) {
        const Job& job = world.jobs.at(row);
        scope = scope_of(job);
        // Which attempt is meant is settled now: another one would begin at 0 again.
        if (asked.attempt == 0) asked.attempt = job.attempt;
      }
    });
    if (!scope.project) {
      const auto row = settled(asked.job);
      if (!row) return asked.call->deny(row.error());
      if (*row) {
        live_.read([&](const World& world) { scope = scope_of(world, **row); });
        if (asked.attempt == 0) asked.attempt = (*row)->attempts;
      }
    }
    // Who sees the job but not its work is told so; for others there is no such job.
    const Caller& caller = asked.call->caller;
    const auto [job_seen, work_seen] = live_.read([&](const World& world) {
      return std::pair(scope.project && may_see(world, caller, Question::jobs, scope),
                       scope.project && may_see(world, caller, Question::work, scope));
    });
    if (!work_seen)
      return asked.call->deny(refuse(job_seen ? Reason::not_permitted : Reason::unknown_job));
    const Instant now = live_.now();
    asked.until = now + Span{wait};
    if (answer_output(asked, now)) return;
    const std::lock_guard lock(mutex_);
    output_waiters_.push_back(std::move(asked));
  });
}

bool Api::answer_output(OutputAsked& asked, Instant now) {
  // The state first: a job that is over now has written all that is read below.
  std::string_view state;
  bool ended = true;
  live_.read([&](const World& world) {
    const JobId row = row_of(world, asked.job);
    if (!row) return;
    const Job& job = world.jobs.at(row);
    const JobState now_in = job.active() ? job.state : waiting_state(world, job);
    state = name_of(now_in);
    if (asked.attempt == 0) asked.attempt = job.attempt;
    ended = asked.attempt != 0 && asked.attempt < job.attempt;
  });
  const CallPtr& call = asked.call;
  net::Response response{.status = 200, .content_type = "application/octet-stream"};
  const std::string path =
      live_.executor().output_file({asked.job.value, asked.attempt}, asked.rank, asked.stream);
  if (const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW); file >= 0) {
    struct stat status{};
    const bool more = ::fstat(file, &status) == 0 && status.st_size > asked.offset;
    ssize_t got = 0;
    if (more) {
      response.body.resize(output_part_max);
      got = ::pread(file, response.body.data(), response.body.size(), asked.offset);
    }
    ::close(file);
    if (got < 0) {
      call->deny(internal_error());
      return true;
    }
    response.body.resize(static_cast<std::size_t>(got));
  } else if (errno != ENOENT) {  // not there yet: nothing was written so far
    call->deny(internal_error());
    return true;
  }
  if (response.body.empty() && !ended && now < asked.until) return false;
  std::string over;
  if (state.empty()) {
    const auto row = settled(asked.job);
    if (!row) {
      call->deny(row.error());
      return true;
    }
    if (*row) over = (*row)->state;
    state = over;
  }
  response.headers.emplace_back(
      "Tenbin-Next-Offset",
      std::to_string(asked.offset + static_cast<std::int64_t>(response.body.size())));
  response.headers.emplace_back("Tenbin-Attempt", std::to_string(asked.attempt));
  response.headers.emplace_back("Tenbin-Job-State", std::string(state));
  call->reply(std::move(response));
  return true;
}

void Api::look_at_outputs() {
  const Instant now = live_.now();
  std::vector<OutputAsked> waiting;
  bool all = false;
  {
    const std::lock_guard lock(mutex_);
    all = hurrying_;
    // However much else is asked for, so many files are not looked at all the time.
    const Span since = now - looked_at_outputs_;
    if (!all && since >= Span{0} && since < Span{50}) return;
    looked_at_outputs_ = now;
    waiting.swap(output_waiters_);
  }
  std::erase_if(waiting, [&](OutputAsked& asked) {
    if (all) asked.until = now;
    return answer_output(asked, now);
  });
  const std::lock_guard lock(mutex_);
  for (OutputAsked& asked : waiting) output_waiters_.push_back(std::move(asked));
}

}  // namespace tenbin
