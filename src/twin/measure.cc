#include "twin/measure.h"

#include <algorithm>

namespace tenbin {

namespace {

constexpr std::size_t parts_max = 1'024;

/// Twice as long parts, half as many.
void coarsen(Course& course) {
  std::vector<Course::Part>& parts = course.parts;
  for (std::size_t i = 0; 2 * i < parts.size(); ++i) {
    Course::Part sum = parts[2 * i];
    if (2 * i + 1 < parts.size()) {
      const Course::Part& other = parts[2 * i + 1];
      sum.used += other.used;
      sum.waiting += other.waiting;
      sum.asked += other.asked;
      sum.fragmented += other.fragmented;
    }
    parts[i] = sum;
  }
  parts.resize((parts.size() + 1) / 2);
  course.each = Span{course.each.count * 2};
}

}  // namespace

Spread spread_of(std::vector<std::int64_t>& values) {
  Spread spread;
  spread.count = values.size();
  if (values.empty()) return spread;
  std::ranges::sort(values);
  Wide sum = 0;
  for (const std::int64_t value : values) sum += value;
  spread.mean = static_cast<double>(sum) / static_cast<double>(values.size());
  const auto at = [&](std::size_t per_cent) {
    return Span{values[values.size() * per_cent / 100]};
  };
  spread.p5 = at(5);
  spread.p25 = at(25);
  spread.p50 = at(50);
  spread.p75 = at(75);
  spread.p90 = at(90);
  spread.p95 = at(95);
  spread.p99 = at(99);
  spread.max = Span{values.back()};
  return spread;
}

void Measure::open_row(std::uint64_t row, const TraceJob& job) {
  if (!first_) {
    first_ = last_ = course_.begin = job.submit;
    course_.each = Span{1'000};
  }
  ++figures_.jobs;
  if (!wants_.jobs) return;
  if (row >= jobs_.size()) jobs_.resize(row + 1);
  JobOutcome& outcome = jobs_[row];
  outcome.id = job.id;
  outcome.submit = job.submit;
  outcome.gpus = job.shape.all_gpus();
  outcome.user = job.user;
  outcome.owner = job.owner;
  outcome.how = job.end;
}

void Measure::submitted(std::uint64_t row, const TraceJob& job) {
  open_row(row, job);
  pass_time(job.submit);
  level_.waiting += 1;
  level_.asked += job.shape.all_gpus().count;
}

void Measure::refused(std::uint64_t row, const TraceJob& job, const Refusal& why) {
  open_row(row, job);
  ++figures_.refused;
  ++figures_.reasons[why.reason];
  if (wants_.jobs) jobs_[row].refused = true;
}

void Measure::started(std::uint64_t row, const TraceJob& job, const JobStarted& event,
                      Instant now) {
  pass_time(now);
  const std::int64_t gpus = job.shape.all_gpus().count;
  level_.waiting -= 1;
  level_.asked -= gpus;
  level_.used += gpus;
  if (event.attempt > 1) return;  // the wait was until the first one
  ++figures_.started;
  waits_.push_back((now - job.submit).count);
  if (!wants_.jobs) return;
  JobOutcome& outcome = jobs_[row];
  outcome.start = now;
  outcome.pool = static_cast<std::uint16_t>(event.pool.value);
  if (!wants_.places) return;
  outcome.place = static_cast<std::uint32_t>(places_.size());
  outcome.places = static_cast<std::uint32_t>(event.slices.size());
  places_.insert(places_.end(), event.slices.begin(), event.slices.end());
}

void Measure::ended(std::uint64_t row, const TraceJob& job, const JobSettled& event, Instant now) {
  pass_time(now);
  level_.used -= job.shape.all_gpus().count;
  ++figures_.over;
  figures_.charged += event.charged;
  figures_.last_end = now;
  const std::int64_t jct = (now - job.submit).count;
  jcts_.push_back(jct);
  slowdowns_ += std::max(1.0, static_cast<double>(jct) / static_cast<double>(std::max<std::int64_t>(
                                                             job.runtime.count, 10'000)));
  if (!wants_.jobs) return;
  jobs_[row].end = now;
  jobs_[row].how = job.end;
  jobs_[row].charged = event.charged;
}

void Measure::waits_again(std::uint64_t, const TraceJob& job, Instant now) {
  pass_time(now);
  const std::int64_t gpus = job.shape.all_gpus().count;
  level_.used -= gpus;
  level_.waiting += 1;
  level_.asked += gpus;
}

void Measure::dropped(std::uint64_t row, const TraceJob& job, Instant now) {
  pass_time(now);
  level_.waiting -= 1;
  level_.asked -= job.shape.all_gpus().count;
  if (wants_.jobs) jobs_[row].how = TraceEnd::cancelled;
}

void Measure::given_limit(std::uint64_t row) {
  ++figures_.at_limit;
  if (wants_.jobs) jobs_[row].at_limit = true;
}

void Measure::happened(const World& world, const Event& event) {
  if (!fragmentation_) return;
  pass_time(world.now);  // with what was fragmented until now
  fragmentation_->after(world, event);
  level_.fragmented = static_cast<Wide>(fragmentation_->gpus() * 1'000);
}

void Measure::instant(const World&, Instant) {}

void Measure::pass_time(Instant now) {
  if (now <= last_) return;
  const std::int64_t passed = (now - last_).count;
  used_ += level_.used * passed;
  fragmented_ += level_.fragmented * passed;
  if (wants_.course) {
    const std::int64_t begin = course_.begin.ms;
    while ((now.ms - 1 - begin) / course_.each.count >= static_cast<std::int64_t>(parts_max))
      coarsen(course_);
    const std::int64_t each = course_.each.count;
    const auto last_part = static_cast<std::size_t>((now.ms - 1 - begin) / each);
    if (course_.parts.size() <= last_part) course_.parts.resize(last_part + 1);
    for (std::int64_t at = last_.ms; at < now.ms;) {
      const std::int64_t part = (at - begin) / each;
      const std::int64_t until = std::min(now.ms, begin + (part + 1) * each);
      Course::Part& sum = course_.parts[static_cast<std::size_t>(part)];
      sum.used += level_.used * (until - at);
      sum.waiting += level_.waiting * (until - at);
      sum.asked += level_.asked * (until - at);
      sum.fragmented += level_.fragmented * (until - at);
      at = until;
    }
  }
  last_ = now;
}

void Measure::finish(const ReplayRun& run, double seconds) {
  figures_.first_submit = first_.value_or(Instant{});
  figures_.stopped = run.stopped;
  if (run.stopped) figures_.last_end = last_;
  figures_.makespan = std::max(Span{0}, figures_.last_end - figures_.first_submit);
  if (figures_.over == 0 && !run.stopped) figures_.makespan = Span{0};
  figures_.wait = spread_of(waits_);
  figures_.jct = spread_of(jcts_);
  if (figures_.over > 0) figures_.slowdown = slowdowns_ / static_cast<double>(figures_.over);
  const double area =
      static_cast<double>(figures_.capacity.count) * static_cast<double>(figures_.makespan.count);
  if (area > 0) {
    figures_.utilisation = static_cast<double>(used_) / area;
    if (fragmentation_) figures_.fragmentation = static_cast<double>(fragmented_) / area;
  }
  figures_.events = run.events;
  figures_.history = run.history;
  figures_.seconds = seconds;
}

}  // namespace tenbin
