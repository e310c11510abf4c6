#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "api/api.h"
#include "api/row_digest.h"
#include "codec/hash.h"
#include "codec/spec.h"
#include "core/fleet/price.h"
#include "core/fleet/room.h"
#include "core/programmes/credit.h"
#include "core/schedule/schedule.h"
#include "live/effects.h"
#include "twin/predict.h"

namespace tenbin {

namespace {

constexpr std::size_t output_part_max = 1024 * 1024;
constexpr std::uint64_t predicted_jobs_max =
    20'000;  // larger queues would take too long to play forward
constexpr std::size_t predicted_instants_max = 5'000;

}  // namespace

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
  if (const JsonValue spec = f.object("run", run); spec.exists()) {
    const auto parsed = read_spec(spec);
    if (!parsed) {
      f.complain({400, "invalid_field", parsed.error().what, parsed.error().what});
    } else {
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
  out.member("task", job.task).member("project", world.projects.at(job.project).name);
  const Person* person = world.persons.find(job.person);
  out.member("person", person ? person->name : std::string()).member("name", job.name);
  out.member("state", enum_names(JobState{})[static_cast<std::size_t>(job.state)]);
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
  out.key("charged").null().key("code").null();
  const Promise* promise = job.promised ? &world.pools.at(job.promised).promise : nullptr;
  const bool known = promise && promise->at != never;
  member_or_null(out, "expected_start", known, known ? text_of(promise->at) : std::string());
  out.end_object();
}

void write_job(JsonWriter& out, const SettledJob& job) {
  out.begin_object().member("id", job.job);
  member_or_null(out, "array", job.array != 0, job.array);
  out.member("task", job.task).member("project", job.project).member("person", job.person);
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
  out.key("expected_start").null().end_object();
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
    out.begin_object().member("job", first.value).member("tasks", tasks).key("held");
    live_.read([&](const World& world) {
      const Job* job = world.jobs.find(first);
      if (!job) {
        out.null();  // over already
        return;
      }
      Credits held = job->held;
      for (std::uint32_t t = 1; t < tasks; ++t) {
        if (const Job* task = world.jobs.find(JobId{first.value + t})) held += task->held;
      }
      out.value(text_of(held));
    });
    out.end_object();
    return ok(std::move(text), 201);
  });
}

void Api::cancel(const CallPtr& call, JobId job) {
  const auto id = request_id(call);
  if (!id) return;
  const auto ask_it = [this, call, id = *id, job] {
    Message message;
    message.asked.request = id;
    message.asked.command = CancelJob{job};
    ask(call, std::move(message), [this, job](const Answer&) {
      std::string text;
      JsonWriter out(text);
      out.begin_object().member("job", job.value);
      const bool stopping =
          live_.read([&](const World& world) { return world.jobs.find(job) != nullptr; });
      out.member("state", stopping ? "stopping" : "cancelled").end_object();
      return ok(std::move(text));
    });
  };
  const Where where = look_at_job(call->caller, job, [](const World&, const Job&) {});
  if (where == Where::hidden) return call->deny(refuse(Reason::unknown_job));
  if (where == Where::living || call->caller.sees_all()) return ask_it();
  // That a job was there and is over is for those who may see it.
  slowly(
      [this, call, job, ask_it] { with_settled(call, job, [&](const SettledJob&) { ask_it(); }); });
}

// ---- questions ----

void Api::job(const CallPtr& call, JobId id) {
  std::string text;
  bool known = false;
  const Where where = look_at_job(call->caller, id, [&](const World& world, const Job& job) {
    Digest digest;
    digest.add(world.epoch);
    digest.add(id.value);
    add_row(digest, job);
    if (job.promised) add_row(digest, world.pools.at(job.promised).promise.at);
    known = unchanged(call, digest.value());
    if (known) return;
    JsonWriter out(text);
    write_job(out, world, id, job);
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
      const Job* job = world.jobs.find(id);
      return job && may_see(world, call->caller, job->project);
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
  for (const Event& event : events) {
    const auto* settled = std::get_if<JobSettled>(&event);
    if (!settled) continue;
    std::vector<CallPtr> calls;
    {
      const std::lock_guard lock(mutex_);
      const auto [first, last] = waiters_.equal_range(settled->job);
      for (auto w = first; w != last; ++w) calls.push_back(w->second.first);
      waiters_.erase(first, last);
    }
    for (const CallPtr& call : calls) job(call, settled->job);
  }
}

void Api::output(const CallPtr& call, JobId id) {
  static constexpr std::array<std::string_view, 2> streams{"stdout", "stderr"};
  Query query(call->query);
  const std::int64_t rank = query.integer("rank", 0, members_max, 0);
  const std::int64_t offset = query.integer("offset", 0, INT64_MAX, 0);
  const std::int64_t attempt = query.integer("attempt", 0, UINT32_MAX, 0);
  const std::string stream =
      query.text("stream").empty() ? "stdout" : query.choice("stream", streams);
  if (query.finish()) return call->deny(*query.finish());
  const auto send = [this, call, id, rank, offset, stream](std::uint32_t of_attempt) {
    net::Response response{.status = 200, .content_type = "application/octet-stream"};
    const std::string path =
        live_.executor().output_file({id.value, of_attempt}, static_cast<int>(rank), stream);
    if (const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW); file >= 0) {
      response.body.resize(output_part_max);
      const ssize_t got = ::pread(file, response.body.data(), response.body.size(), offset);
      ::close(file);
      if (got < 0) return call->deny(internal_error());
      response.body.resize(static_cast<std::size_t>(got));
    } else if (errno != ENOENT) {  // not there yet: nothing was written so far
      return call->deny(internal_error());
    }
    response.headers.emplace_back(
        "Tenbin-Next-Offset",
        std::to_string(offset + static_cast<std::int64_t>(response.body.size())));
    call->reply(std::move(response));
  };
  slowly([this, call, id, attempt, send] {
    auto of_attempt = static_cast<std::uint32_t>(attempt);
    const auto choose = [&](std::uint32_t latest) {
      if (of_attempt == 0) of_attempt = latest;
    };
    // Who sees the job but not its work is told so; for others there is no such job.
    bool work_seen = false;
    const Where where = look_at_job(call->caller, id, [&](const World& world, const Job& job) {
      work_seen = may_see(world, call->caller, Question::work, scope_of(job));
      choose(job.attempt);
    });
    if (where == Where::hidden) return call->deny(refuse(Reason::unknown_job));
    if (where == Where::living)
      return work_seen ? send(of_attempt) : call->deny(refuse(Reason::not_permitted));
    with_settled(call, id, [&](const SettledJob& job) {
      work_seen = live_.read([&](const World& world) {
        return may_see(world, call->caller, Question::work, scope_of(world, job));
      });
      if (!work_seen) return call->deny(refuse(Reason::not_permitted));
      choose(job.attempts);
      send(of_attempt);
    });
  });
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
  slowly([this, call, message, command] {
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
      for (const Event& event : facts.events()) {
        if (const auto* queued = std::get_if<JobQueued>(&event)) held += queued->held;
      }
      const auto& queued = std::get<JobQueued>(facts[0]);
      world.pools.each([&](PoolId id, const Pool& pool) {
        if (!queued.pools.has(id)) return;
        const Rate rate = rate_of(world, pool, queued.shape, queued.prices).value_or(Rate{});
        const Wide cost = Wide{price(queued.time_limit, rate).count} * command.tasks;
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
      out.member("rate_per_hour", format_decimal(o.rate.count, 6)).member("cost", text_of(o.cost));
      out.member("starts", at_once ? "now" : here ? "later" : "unknown");
      member_or_null(out, "at", here,
                     here ? text_of(std::max(prediction->at, now)) : std::string());
      out.end_object();
    }
    out.end_array().end_object();
    call->reply(ok(std::move(text)));
  });
}

void Api::explain(const CallPtr& call, JobId id) {
  slowly([this, call, id] {
    struct Words {
      std::string code, en, ja;
    };
    std::unique_ptr<World> copy;
    std::optional<Words> words = live_.read([&](const World& world) -> std::optional<Words> {
      const Job* job = world.jobs.find(id);
      if (!job || !may_see(world, call->caller, job->project)) return std::nullopt;
      const std::string shape = shape_text(job->shape);
      switch (job->state) {
        case JobState::running:
          return Words{"running",
                       "It runs; it ends no later than " + text_of(job->expected_end()) + ".",
                       "実行中です。遅くとも " + text_of(job->expected_end()) + " に終わります。"};
        case JobState::stopping:
          return Words{"stopping", "It was asked to stop and is ending.",
                       "停止の要求を受け、終了処理中です。"};
        case JobState::parked: {
          Credits most;
          world.regions.each([&](RegionId region, const Region&) {
            most = std::max(most, spendable(world, job->project, region, live_.now()).amount);
          });
          return Words{"no_eligible_lot",
                       "It waits for credit: it holds " + text_of(job->held) +
                           " and the project has at most " + text_of(most) +
                           " more that may be spent where there is room.",
                       "クレジット待ちです。確保済み " + text_of(job->held) +
                           "、空きのある地域で追加に使える残りは最大 " + text_of(most) + " です。"};
        }
        case JobState::queued: break;
        case JobState::completed:
        case JobState::failed:
        case JobState::cancelled:
        case JobState::time_limit: return std::nullopt;
      }
      if (world.jobs.size() <= predicted_jobs_max)
        copy = std::make_unique<World>(without_requests(world));
      std::uint64_t ahead = 0;
      for (const auto& [pools, lane] : world.index.lanes) {
        if ((pools.bits & job->pools.bits) == 0) continue;
        lane.each([&](const WaitingJob& w) { ahead += w.job < id ? 1 : 0; });
      }
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
        return Words{"waits_its_turn",
                     "It waits behind " + std::to_string(ahead) + (ahead == 1 ? " job" : " jobs") +
                         "; it needs " + shape + ", and " + figures +
                         " GPUs in service are free in " + pools + ".",
                     std::to_string(ahead) + " 件のジョブの後です。" + shape + " が必要で、" +
                         pools + " では稼働中 " + text_of(all) + " GPU のうち " + text_of(free) +
                         " が空いています。"};
      }
      return Words{"waits_for_room",
                   "It is next and waits for room: it needs " + shape + ", and " + figures +
                       " GPUs in service are free in " + pools + ".",
                   "次の順番で、空きを待っています。" + shape + " が必要で、" + pools +
                       " では稼働中 " + text_of(all) + " GPU のうち " + text_of(free) +
                       " が空いています。"};
    });
    if (!words) {
      with_settled(call, id, [&](const SettledJob& job) {
        words = Words{job.state,
                      "It is over (" + job.state + ") since " + text_of(job.ended) + " and cost " +
                          text_of(job.charged) + " credits.",
                      text_of(job.ended) + " に終了しました（" + job.state + "）。費用は " +
                          text_of(job.charged) + " クレジットです。"};
      });
      if (!words) return;  // it was answered
    }
    std::optional<Prediction> prediction;
    if (copy) {
      prediction = predict_start(std::move(*copy), id, live_.now(), predicted_instants_max);
      if (prediction) {
        words->en +=
            " If all keep their limits it starts no later than " + text_of(prediction->at) + ".";
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
  });
}

}  // namespace tenbin
