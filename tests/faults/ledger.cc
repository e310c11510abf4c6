#include "faults/ledger.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "codec/hash.h"
#include "codec/record.h"
#include "store/sqlite_journal.h"

namespace tenbin::faults {

Ledger read_ledger(const std::string& state) {
  Ledger ledger;
  auto journal = SqliteJournal::open(state, Access::read_only);
  REQUIRE_MESSAGE(journal, journal.error().what);
  JsonDocument document;
  Facts facts;
  const auto read = (*journal)->read(1, [&](const Record& r) {
    facts.clear();
    const auto decoded = read_record(document, r.body, facts);
    REQUIRE(decoded);
    for (const Event& event : facts.events()) {
      if (const auto* queued = std::get_if<JobQueued>(&event)) {
        JobRow& job = ledger.jobs[queued->job.value];
        job.submitted = r.at;
        job.limit = queued->time_limit;
        if (decoded->asked.request)
          ledger.by_request[to_uuid(decoded->asked.request)].push_back(queued->job.value);
      } else if (const auto* array = std::get_if<ArrayQueued>(&event)) {
        for (std::uint64_t task = 1; task <= array->tasks; ++task) {
          JobRow& job = ledger.jobs[array->array.value + task];
          job.submitted = r.at;
          job.limit = array->time_limit;
          job.array = array->array.value;
          if (decoded->asked.request)
            ledger.by_request[to_uuid(decoded->asked.request)].push_back(array->array.value + task);
        }
      } else if (const auto* cancelled = std::get_if<TasksCancelled>(&event)) {
        for (auto& [id, job] : ledger.jobs) {
          if (job.array != cancelled->array.value || job.settled || !job.attempts.empty()) continue;
          ++job.settlements;
          job.settled = true;
          job.state = "cancelled";
          job.ended = cancelled->ended;
        }
      } else if (const auto* started = std::get_if<JobStarted>(&event)) {
        ledger.jobs[started->job.value].attempts.push_back(
            {.attempt = started->attempt, .started = r.at, .rate = started->rate});
      } else if (const auto* stop = std::get_if<StopRequested>(&event)) {
        ledger.jobs[stop->job.value].attempts.back().stop_asked = r.at;
      } else if (const auto* lost = std::get_if<AttemptLost>(&event)) {
        AttemptRow& attempt = ledger.jobs[lost->job.value].attempts.back();
        attempt.lost = true;
        attempt.ended = lost->ended;
      } else if (const auto* settled = std::get_if<JobSettled>(&event)) {
        JobRow& job = ledger.jobs[settled->job.value];
        ++job.settlements;
        job.settled = true;
        job.state = enum_names(JobState{})[static_cast<std::size_t>(settled->state)];
        job.code = settled->code;
        job.ended = settled->ended;
        job.charged = settled->charged;
        if (const auto* report = std::get_if<ReportEnd>(&decoded->asked.command)) {
          job.end_kind = enum_names(EndKind{})[static_cast<std::size_t>(report->kind)];
        }
      }
    }
    return true;
  });
  REQUIRE_MESSAGE(read, read.error().what);
  return ledger;
}

Credits price_of(const JobRow& job) {
  // What never started, could not be launched or was lost costs nothing.
  if (job.attempts.empty() || job.attempts.back().lost) return {};
  if (job.end_kind.empty() || job.end_kind == "launch_failed" || job.end_kind == "lost") return {};
  const AttemptRow& last = job.attempts.back();
  std::int64_t until = std::min(job.ended.ms, last.started.ms + job.limit.count);
  if (last.stop_asked.ms > 0) until = std::min(until, last.stop_asked.ms);
  return Credits{(until - last.started.ms) * last.rate.count / 3'600'000};
}

}  // namespace tenbin::faults
