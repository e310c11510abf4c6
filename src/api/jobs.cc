#include <algorithm>

#include "api/api.h"
#include "api/row_digest.h"
#include "codec/hash.h"
#include "codec/index_list.h"
#include "codec/spec.h"
#include "core/fleet/price.h"
#include "core/fleet/room.h"
#include "core/jobs/tasks.h"
#include "core/programmes/credit.h"
#include "core/schedule/schedule.h"
#include "live/effects.h"
#include "twin/predict.h"

namespace tenbin {

namespace {

constexpr std::uint64_t looked_at_max = 100'000;  // waiting jobs, for one explanation

constexpr std::uint64_t predicted_jobs_max =
    20'000;  // larger queues would take too long to play forward
constexpr std::size_t predicted_instants_max = 5'000;

void write_conditions(JsonWriter& out, const Job& job) {
  out.member("retries", job.retries).member("failures", job.failures).key("after").begin_array();
  for (const After& after : job.after) {
    out.begin_object().member("job", after.job.value);
    out.member("when", name_of(after.when)).end_object();
  }
  out.end_array().key("labels").begin_object();
  for (const auto& [key, value] : job.labels) out.member(key, value);
  out.end_object().key("reason").null();
}

std::span<const After> read_after(Fields& f, Arena& arena) {
  const JsonValue list = f.object("after", Need::optional);
  if (!list.exists()) return {};
  if (!list.is_array()) {
    f.complain("after", "expected a list", "リストを指定してください");
    return {};
  }
  std::vector<After> after;
  list.each_item([&](JsonValue item) {
    Fields one(item, arena, "after.");
    After a;
    a.job = JobId{static_cast<std::uint64_t>(one.integer("job", 1, INT64_MAX, 1, Need::required))};
    a.when = one.choice("when", When::ok);
    if (auto complaint = one.finish()) {
      f.complain(std::move(*complaint));
      return false;
    }
    after.push_back(a);
    return after.size() <= after_max;  // more are refused anyway
  });
  return arena.list<After>(after);
}

std::span<const Label> read_labels(Fields& f, Arena& arena) {
  const JsonValue object = f.object("labels", Need::optional);
  if (!object.exists()) return {};
  std::vector<Label> labels;
  bool good = object.is_object();
  if (good) {
    object.each_member([&](std::string_view key, JsonValue value) {
      const auto text = value.text();
      good = good && text.has_value();
      if (text) labels.push_back({arena.text(key), arena.text(*text)});
      return good && labels.size() <= labels_max;
    });
  }
  if (!good) {
    f.complain("labels", "expected an object of texts", "文字列のオブジェクトを指定してください");
    return {};
  }
  return arena.list<Label>(labels);
}

}  // namespace

std::optional<JobState> live_state(const World& world, JobId id) {
  if (const JobArray* array = find_array(world, id)) {
    if (array->ended != Instant{}) return std::nullopt;
    return state_of(world, *array);
  }
  const JobId row = row_of(world, id);
  if (!row) return std::nullopt;
  return world.jobs.at(row).state;
}

ProjectId live_project(const World& world, JobId id) {
  return live_state(world, id) ? project_of(world, id) : ProjectId{};
}

std::optional<Complaint> read_job(JsonValue body, Arena& arena, SubmitJob& c,
                                  std::optional<Blob>& blob, Need run) {
  Fields f(body, arena);
  c.project = f.text("project");
  c.name = f.text("name", Need::optional);
  c.shape.packing = f.has("members") ? Packing::members : Packing::count;
  c.shape.members = static_cast<std::uint32_t>(f.integer("members", 1, UINT32_MAX, 1));
  c.shape.gpus = Gpus{f.decimal("gpus", 3, 0)};
  c.shape.cpus = Cpus{f.decimal("cpus", 3, 0, Need::optional)};
  c.shape.memory = Memory{f.integer("memory_mib", 0, memory_max.count, 0)};
  c.models = f.texts("models");
  c.regions = f.texts("regions");
  c.time_limit = Span{f.integer("time_limit_ms", 1, INT64_MAX, 0, Need::required)};
  c.tasks = static_cast<std::uint32_t>(f.integer("tasks", 1, UINT32_MAX, 1));
  c.tasks_at_once = static_cast<std::uint32_t>(f.integer("tasks_at_once", 1, UINT32_MAX, 0));
  c.after = read_after(f, arena);
  c.hold = f.flag("hold");
  c.retries = static_cast<std::uint32_t>(f.integer("retries", 0, UINT32_MAX, 0));
  c.labels = read_labels(f, arena);
  if (const JsonValue spec = f.object("run", run); spec.exists()) {
    const auto parsed = read_spec(spec);
    if (!parsed) {
      f.complain({400, "invalid_field", parsed.error().what, parsed.error().what});
    } else {
      if (const auto list = IndexList::parse(parsed->array)) {
        // The World counts tasks from 0; the executor maps them to these indexes.
        if (f.has("tasks") && c.tasks != list->count()) {
          f.complain("tasks", "is not the number of indexes in run.array; leave it out",
                     "run.array の要素数と一致しません。省略してください");
        }
        c.tasks = static_cast<std::uint32_t>(list->count());
      }
      std::string bytes = write_spec(*parsed);
      c.spec = hash_of(bytes);
      blob = Blob{c.spec, std::move(bytes)};
      if (blob->bytes.size() > spec_bytes_max) {
        f.complain("run", "is larger than 256 KiB; put data into files",
                   "256 KiB を超えています。データはファイルに置いてください");
      }
    }
  }
  return f.finish();
}

void write_job(JsonWriter& out, const World& world, JobId id, const Job& job) {
  const Pool* pool = world.pools.find(job.pool);
  out.begin_object().member("id", id.value);
  member_or_null(out, "array", bool(job.array), job.array.value);
  member_or_null(out, "task", bool(job.array), id.value - job.array.value - 1);
  out.key("tasks").null().member("project", world.projects.at(job.project).name);
  const Person* person = world.persons.find(job.person);
  out.member("person", person ? person->name : std::string()).member("name", job.name);
  out.member("state", name_of(job.state));
  out.member("shape", shape_text(job.shape)).member("gpus", text_of(job.shape.gpus));
  out.member("members", job.shape.members).member("time_limit_ms", job.limit.count);
  out.member("submitted", text_of(job.submitted));
  member_or_null(out, "started", job.started.ms > 0, text_of(job.started));
  out.key("ended").null();
  member_or_null(out, "region", pool, pool ? world.regions.at(pool->region).name : std::string());
  member_or_null(out, "pool", pool, pool ? pool->name : std::string());
  out.key("nodes").begin_array();
  for (const Slice& slice : job.slices) out.value(world.nodes.at(slice.node).name);
  out.end_array().member("attempt", job.attempt).member("held", text_of(job.held));
  member_or_null(out, "charged", job.failures > 0, text_of(job.charged));
  out.key("code").null();
  write_conditions(out, job);
  const Promise* promise = job.promised ? &world.pools.at(job.promised).promise : nullptr;
  const bool known = promise && promise->job == id && promise->at != never;
  member_or_null(out, "expected_start", known, known ? text_of(promise->at) : std::string());
  out.end_object();
}

void write_job(JsonWriter& out, const SettledJob& job) {
  out.begin_object().member("id", job.job);
  member_or_null(out, "array", job.array != 0, job.array);
  member_or_null(out, "task", job.array != 0 && job.tasks == 0, job.task);
  if (job.tasks == 0) {
    out.key("tasks").null();
  } else {
    out.key("tasks").begin_object().member("total", job.tasks).key("at_once").null();
    out.member("waiting", 0).member("running", 0).member("completed", job.tasks_completed);
    out.member("failed", job.tasks_failed).member("cancelled", job.tasks_cancelled);
    out.member("time_limit",
               job.tasks - job.tasks_completed - job.tasks_failed - job.tasks_cancelled)
        .end_object();
  }
  out.member("project", job.project).member("person", job.person);
  out.member("name", job.name).member("state", job.state).member("shape", job.shape);
  out.member("gpus", text_of(Gpus{job.gpus_milli / job.members}))
      .member("members", job.members)
      .member("time_limit_ms", job.time_limit.count);
  out.member("submitted", text_of(job.submitted));
  member_or_null(out, "started", job.started.ms > 0, text_of(job.started));
  out.member("ended", text_of(job.ended));
  member_or_null(out, "region", !job.region.empty(), job.region);
  member_or_null(out, "pool", !job.pool.empty(), job.pool);
  out.key("nodes").begin_array().end_array().member("attempt", job.attempts);
  out.member("held", "0").member("charged", text_of(job.charged)).member("code", job.code);
  out.key("retries").null().key("failures").null().key("after").begin_array().end_array();
  out.key("labels").raw(job.labels.empty() ? "{}" : job.labels);
  member_or_null(out, "reason", !job.reason.empty(), job.reason);
  out.key("expected_start").null().end_object();
}

void write_array(JsonWriter& out, const World& world, JobId id, const JobArray& array) {
  const JobId head = *array.rows.begin();
  const Job& job = world.jobs.at(head);
  out.begin_object().member("id", id.value).member("array", id.value).key("task").null();
  out.key("tasks").begin_object().member("total", array.tasks);
  member_or_null(out, "at_once", array.at_once > 0, array.at_once);
  out.member("waiting", array.tasks - array.active - array.over()).member("running", array.active);
  out.member("completed", array.completed).member("failed", array.failed);
  out.member("cancelled", array.cancelled).member("time_limit", array.time_limit).end_object();
  out.member("project", world.projects.at(array.project).name);
  const Person* person = world.persons.find(job.person);
  out.member("person", person ? person->name : std::string()).member("name", job.name);
  out.member("state", name_of(state_of(world, array)));
  out.member("shape", shape_text(job.shape)).member("gpus", text_of(job.shape.gpus));
  out.member("members", job.shape.members).member("time_limit_ms", job.limit.count);
  out.member("submitted", text_of(job.submitted));
  member_or_null(out, "started", array.started.ms > 0, text_of(array.started));
  out.key("ended").null().key("region").null().key("pool").null();
  out.key("nodes").begin_array().end_array().member("attempt", 0);
  out.member("held", text_of(held_by(world, array)));
  member_or_null(out, "charged", array.over() > 0, text_of(array.charged));
  out.key("code").null();
  write_conditions(out, job);
  const Promise* promise = job.promised ? &world.pools.at(job.promised).promise : nullptr;
  const bool known = promise && promise->at != never;
  member_or_null(out, "expected_start", known, known ? text_of(promise->at) : std::string());
  out.end_object();
}

// ---- commands ----

void Api::submit(const CallPtr& call) {
  const auto id = request_id(call);
  if (!id) return;
  const auto body = body_of(call);
  if (!body) return;
  Message message;
  SubmitJob command;
  if (auto complaint = read_job(*body, message.texts, command, message.blob, Need::required)) {
    return call->deny(*complaint);
  }
  message.asked.request = *id;
  message.asked.command = command;
  ask(call, std::move(message), [this, tasks = command.tasks](const Answer& answer) {
    const JobId first{*answer.decision};
    std::string text;
    JsonWriter out(text);
    out.begin_object().member("job", first.value).member("tasks", tasks);
    member_or_null(out, "first_task", tasks > 1, first.value + 1);
    out.key("held");
    live_.read([&](const World& world) {
      if (const JobArray* array = find_array(world, first)) {
        out.value(text_of(array->held));
      } else if (const Job* job = world.jobs.find(first)) {
        out.value(text_of(job->held));
      } else {
        out.null();  // over already
      }
    });
    out.end_object();
    return ok(std::move(text), 201);
  });
}

void Api::change(const CallPtr& call, JobId job, const Command& command) {
  const auto id = request_id(call);
  if (!id) return;
  const auto ask_it = [this, call, id = *id, job, command] {
    Message message;
    message.asked.request = id;
    message.asked.command = command;
    ask(call, std::move(message), [this, job](const Answer&) {
      std::string text;
      JsonWriter out(text);
      const auto state = live_.read([&](const World& world) { return live_state(world, job); });
      out.begin_object().member("job", job.value);
      out.member("state", name_of(state.value_or(JobState::cancelled))).end_object();
      return ok(std::move(text));
    });
  };
  const Where where = look_at_job(call->caller, job, [](const World&) {});
  if (where == Where::hidden) return call->deny(refuse(Reason::unknown_job));
  if (where == Where::living || call->caller.sees_all()) return ask_it();
  // That a job was there and is over is for those who may see it.
  slowly(
      [this, call, job, ask_it] { with_settled(call, job, [&](const SettledJob&) { ask_it(); }); });
}

// ---- questions ----

Api::Where Api::look_at_job(const Caller& caller, JobId id,
                            const std::function<void(const World&)>& use) const {
  return live_.read([&](const World& world) {
    const ProjectId project = live_project(world, id);
    if (!project) return Where::gone;
    if (!may_see(world, caller, project)) return Where::hidden;
    use(world);
    return Where::living;
  });
}

std::expected<std::optional<SettledJob>, Complaint> Api::settled(JobId id) const {
  auto row = live_.history().job(id.value);
  if (row && !*row) {
    // Ids that were never given need no history to be told apart.
    const bool given = live_.read([&](const World& world) { return id < world.jobs.next_id(); });
    if (!given) return std::nullopt;
    if (!live_.catch_up_history()) return std::unexpected(history_behind());
    row = live_.history().job(id.value);
  }
  if (!row) return std::unexpected(internal_error());
  if (*row) return std::move(*row);
  // A task that was cancelled with others before it started has no row of its own.
  JobId array;
  const bool task = live_.read([&](const World& world) {
    return !live_state(world, id) && array_of_task(world, id, array) != nullptr;
  });
  if (!task) return std::nullopt;
  row = live_.history().job(array.value);
  if (!row) return std::unexpected(internal_error());
  if (!*row) return std::nullopt;
  SettledJob one = std::move(**row);
  one.job = id.value;
  one.task = static_cast<std::int32_t>(id.value - array.value - 1);
  one.tasks = one.tasks_completed = one.tasks_failed = one.tasks_cancelled = 0;
  one.state = name_of(JobState::cancelled);
  one.started = {};
  one.charged = {};
  return one;
}

void Api::with_settled(const CallPtr& call, JobId id,
                       const std::function<void(const SettledJob&)>& use) {
  const auto row = settled(id);
  if (!row) return call->deny(row.error());
  if (!*row || !may_see(call->caller, (*row)->project))
    return call->deny(refuse(Reason::unknown_job));
  use(**row);
}

void Api::job(const CallPtr& call, JobId id) {
  std::string text;
  bool known = false;
  const Where where = look_at_job(call->caller, id, [&](const World& world) {
    const JobArray* array = find_array(world, id);
    Digest digest;
    digest.add(world.epoch);
    digest.add(id.value);
    if (array) {
      digest.add(world.history);  // it shows sums over all its tasks
    } else {
      const JobId row = row_of(world, id);
      const Job& job = world.jobs.at(row);
      digest.add(row.value);
      add_row(digest, job);
      if (job.promised) add_row(digest, world.pools.at(job.promised).promise.at);
    }
    known = unchanged(call, digest.value());
    if (known) return;
    JsonWriter out(text);
    if (array) {
      write_array(out, world, id, *array);
    } else {
      write_job(out, world, id, world.jobs.at(row_of(world, id)));
    }
  });
  if (known) return;
  if (where == Where::hidden) return call->deny(refuse(Reason::unknown_job));
  if (where == Where::living) return call->reply(ok(std::move(text)));
  slowly([this, call, id] {
    with_settled(call, id, [&](const SettledJob& job) {
      Digest digest;
      digest.add(live_.read([](const World& world) { return world.epoch; }));
      digest.add(id.value);
      digest.add(job.state);
      digest.add(static_cast<std::uint64_t>(job.charged.count));
      if (unchanged(call, digest.value())) return;
      std::string t;
      JsonWriter out(t);
      write_job(out, job);
      call->reply(ok(std::move(t)));
    });
  });
}

void Api::wait_for_job(const CallPtr& call, JobId id) {
  Query query(call->query);
  const std::int64_t timeout = query.integer("timeout_ms", 0, 300'000, 30'000);
  if (query.finish()) return call->deny(*query.finish());
  {
    // The lock first: a job that ends now is seen by `seen` after this waiter is there.
    const std::lock_guard lock(mutex_);
    const bool waits = !hurrying_ && !stopping_ && live_.read([&](const World& world) {
      const ProjectId project = live_project(world, id);
      return project && may_see(world, call->caller, project);
    });
    if (waits) {
      waiters_.emplace(id, std::pair{call, live_.now() + Span{timeout}});
      wake_.notify_one();
      return;
    }
  }
  job(call, id);
}

void Api::seen(std::span<const Event> events) {
  const auto answer = [this](JobId first, JobId last) {
    std::vector<std::pair<JobId, CallPtr>> calls;
    {
      const std::lock_guard lock(mutex_);
      const auto from = waiters_.lower_bound(first), to = waiters_.upper_bound(last);
      for (auto w = from; w != to; ++w) calls.emplace_back(w->first, w->second.first);
      waiters_.erase(from, to);
    }
    for (const auto& [id, call] : calls) job(call, id);
  };
  // An array is over with its last task, and so are those who wait for it.
  const auto array_around = [this](JobId task) {
    return live_.read([&](const World& world) {
      JobId id;
      const JobArray* array = array_of_task(world, task, id);
      return array && array->ended != Instant{} ? id : JobId{};
    });
  };
  for (const Event& event : events) {
    if (const auto* settled = std::get_if<JobSettled>(&event)) {
      answer(settled->job, settled->job);
      if (const JobId array = array_around(settled->job)) answer(array, array);
    } else if (const auto* cancelled = std::get_if<TasksCancelled>(&event)) {
      std::vector<JobId> over;
      {
        const std::lock_guard lock(mutex_);
        live_.read([&](const World& world) {
          const JobId last{cancelled->array.value + world.arrays.at(cancelled->array).tasks};
          for (auto w = waiters_.lower_bound(cancelled->array);
               w != waiters_.end() && w->first <= last; ++w) {
            if (!live_state(world, w->first)) over.push_back(w->first);
          }
        });
      }
      for (const JobId id : over) answer(id, id);
    }
  }
}

Scope scope_of(const World& world, const SettledJob& job) {
  const auto project = world.index.projects.find(job.project);
  const auto person = world.index.persons.find(job.person);
  return {.project = project == world.index.projects.end() ? ProjectId{} : project->second,
          .owner = person == world.index.persons.end() ? PersonId{} : person->second};
}

void Api::quote(const CallPtr& call) {
  const auto body = body_of(call);
  if (!body) return;
  auto message = std::make_shared<Message>();
  SubmitJob command;
  if (auto complaint = read_job(*body, message->texts, command, message->blob, Need::optional)) {
    return call->deny(*complaint);
  }
  message->asked = {.by = call->caller.person, .command = command};
  slowly(
      [this, call, message, command] {
        struct Option {
          std::string region, pool;
          Rate rate;
          Credits cost;
          PoolId id;
        };
        std::vector<Option> options;
        std::unique_ptr<World> copy;
        Facts facts;
        JobId first;
        Credits held;
        const Instant now = live_.now();
        const Decision decision = live_.read([&](const World& world) {
          const Decision d = consider(world, message->asked, std::max(now, world.now), facts);
          if (!d) return d;
          first = JobId{*d};
          PoolSet pools;
          PriceId prices;
          if (const auto* queued = std::get_if<JobQueued>(&facts[0])) {
            held = queued->held;
            pools = queued->pools;
            prices = queued->prices;
          } else {
            const auto& array = std::get<ArrayQueued>(facts[0]);
            for (const TaskPart& part : array.parts)
              held += Credits{part.held.count * std::int64_t{part.tasks}};
            pools = array.pools;
            prices = array.prices;
            first = JobId{first.value + 1};
          }
          world.pools.each([&](PoolId id, const Pool& pool) {
            if (!pools.has(id)) return;
            const Rate rate = rate_of(world, pool, command.shape, prices).value_or(Rate{});
            const Wide cost = Wide{price(command.time_limit, rate).count} * command.tasks;
            options.push_back({world.regions.at(pool.region).name, pool.name, rate,
                               Credits{static_cast<std::int64_t>(std::min<Wide>(cost, INT64_MAX))},
                               id});
          });
          if (world.jobs.size() <= predicted_jobs_max)
            copy = std::make_unique<World>(without_requests(world));
          return d;
        });
        if (!decision) return call->deny(decision.error());
        std::optional<Prediction> prediction;
        if (copy) {
          const Instant at = std::max(now, copy->now);
          facts.clear();
          static_cast<void>(apply(*copy, message->asked, at, facts));
          prediction = predict_start(std::move(*copy), first, at, predicted_instants_max);
        }
        std::ranges::stable_sort(options, {}, &Option::cost);
        std::string text;
        JsonWriter out(text);
        out.begin_object().member("held", text_of(held)).key("options").begin_array();
        for (const Option& o : options) {
          // The prediction is for the whole job, so it names one of the places.
          const bool here = prediction && prediction->pool == o.id;
          const bool at_once = here && prediction->at <= now;
          out.begin_object().member("region", o.region).member("pool", o.pool);
          out.member("rate_per_hour", format_decimal(o.rate.count, 6))
              .member("cost", text_of(o.cost));
          out.member("starts", at_once ? "now" : here ? "later" : "unknown");
          member_or_null(out, "at", here,
                         here ? text_of(std::max(prediction->at, now)) : std::string());
          out.end_object();
        }
        out.end_array().end_object();
        call->reply(ok(std::move(text)));
      },
      Slow::forecast);
}

void Api::explain(const CallPtr& call, JobId id) {
  slowly(
      [this, call, id] {
        struct Words {
          std::string code, en, ja;
        };
        std::unique_ptr<World> copy;
        JobId row, asked = id;
        bool predict = false;
        std::optional<Words> words = live_.read([&](const World& world) -> std::optional<Words> {
          const ProjectId project = live_project(world, id);
          if (!project || !may_see(world, call->caller, project)) return std::nullopt;
          // Of an array: its task that runs, or the one that is to start next.
          const JobArray* array = find_array(world, id);
          row = array ? *array->rows.begin() : row_of(world, id);
          if (array) asked = row;
          const Job* job = &world.jobs.at(row);
          const std::string shape = shape_text(job->shape);
          switch (job->state) {
            case JobState::running:
              return Words{
                  "running", "It runs; it ends no later than " + text_of(job->expected_end()) + ".",
                  "実行中です。遅くとも " + text_of(job->expected_end()) + " に終わります。"};
            case JobState::stopping:
              return Words{"stopping", "It was asked to stop and is ending.",
                           "停止の要求を受け、終了処理中です。"};
            case JobState::on_hold:
              return Words{"on_hold",
                           "It is on hold until it is released: tenbin job release " +
                               std::to_string(id.value) + ".",
                           "保留中です。tenbin job release " + std::to_string(id.value) +
                               " で解除できます。"};
            case JobState::blocked: {
              predict = !job->never;
              if (job->never) {
                return Words{"dependency_never_met",
                             "What it was to come after ended otherwise; it is being cancelled.",
                             "先行ジョブが条件どおりに終わらなかったため、取り消されます。"};
              }
              if (job->after.empty()) {
                const std::string most = std::to_string(world.arrays.at(job->array).at_once);
                return Words{
                    "tasks_at_once", "As many tasks of its array run as may at once: " + most + ".",
                    "同じ配列のタスクが同時実行数の上限（" + most + " 件）まで実行中です。"};
              }
              std::string jobs;
              for (const After& after : job->after)
                jobs += (jobs.empty() ? "" : ", ") + std::to_string(after.job.value);
              return Words{"waits_for_jobs", "It comes after what is not over yet: " + jobs + ".",
                           "先行ジョブ " + jobs + " の終了を待っています。"};
            }
            case JobState::queued: break;
            case JobState::completed:
            case JobState::failed:
            case JobState::cancelled:
            case JobState::time_limit: return std::nullopt;
          }
          predict = true;
          const Turn turn = turn_of(world.policy.order, job->limit, asked);
          std::uint64_t ahead = 0, looked = 0;
          for (const auto& [pools, lane] : world.index.lanes) {
            if ((pools.bits & job->pools.bits) == 0) continue;
            lane.each([&](const WaitingJob& w) {
              if (lane.turn_of(w) >= turn || ++looked > looked_at_max) return false;
              ahead += w.job == row ? asked.value - row.value : world.jobs.at(w.job).tasks();
              return true;
            });
          }
          const std::string behind =
              (looked > looked_at_max ? "more than " : "") + std::to_string(ahead);
          const std::string behind_ja =
              std::to_string(ahead) + (looked > looked_at_max ? " 件以上" : " 件");
          Gpus free, all;
          std::string pools;
          world.pools.each([&](PoolId p, const Pool& pool) {
            if (!job->pools.has(p)) return;
            free += pool.free;
            for (const NodeId n : pool.nodes) {
              if (world.nodes.at(n).state == NodeState::up)
                all += Gpus{std::int64_t{pool.gpus_per_node} * 1'000};
            }
            pools += (pools.empty() ? "" : ", ") + pool.name;
          });
          const std::string figures = text_of(free) + " of " + text_of(all);
          if (ahead > 0) {
            return Words{
                "waits_its_turn",
                "It waits behind " + behind + (ahead == 1 ? " job" : " jobs") + "; it needs " +
                    shape + ", and " + figures + " GPUs in service are free in " + pools + ".",
                behind_ja + "のジョブの後です。" + shape + " が必要で、" + pools + " では稼働中 " +
                    text_of(all) + " GPU のうち " + text_of(free) + " が空いています。"};
          }
          return Words{"waits_for_room",
                       "It is next and waits for room: it needs " + shape + ", and " + figures +
                           " GPUs in service are free in " + pools + ".",
                       "次の順番で、空きを待っています。" + shape + " が必要で、" + pools +
                           " では稼働中 " + text_of(all) + " GPU のうち " + text_of(free) +
                           " が空いています。"};
        });
        if (predict) {
          live_.read([&](const World& world) {
            if (world.jobs.size() <= predicted_jobs_max)
              copy = std::make_unique<World>(without_requests(world));
          });
        }
        if (!words) {
          with_settled(call, id, [&](const SettledJob& job) {
            const std::string because = job.reason.empty() ? "" : ", " + job.reason;
            words = Words{job.state,
                          "It is over (" + job.state + because + ") since " + text_of(job.ended) +
                              " and cost " + text_of(job.charged) + " credits.",
                          text_of(job.ended) + " に終了しました（" + job.state + because +
                              "）。費用は " + text_of(job.charged) + " クレジットです。"};
          });
          if (!words) return;  // it was answered
        }
        std::optional<Prediction> prediction;
        if (copy) {
          prediction = predict_start(std::move(*copy), asked, live_.now(), predicted_instants_max);
          if (prediction) {
            words->en += " If all keep their limits it starts no later than " +
                         text_of(prediction->at) + ".";
            words->ja +=
                "すべてが制限時間を守れば、遅くとも " + text_of(prediction->at) + " に始まります。";
          }
        }
        std::string text;
        JsonWriter out(text);
        out.begin_object().member("code", words->code);
        out.key("text").begin_object().member("en", words->en).member("ja", words->ja).end_object();
        member_or_null(out, "expected_start", prediction.has_value(),
                       prediction ? text_of(prediction->at) : std::string());
        out.end_object();
        call->reply(ok(std::move(text)));
      },
      Slow::forecast);
}

}  // namespace tenbin
