#include "api/api.h"

#include <algorithm>
#include <chrono>

#include "codec/hash.h"

namespace tenbin {

net::Response ok(std::string body, int status) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

namespace {
constexpr std::size_t slow_threads = 4, forecasts_at_once = 2;
}

Api::Api(Live& live)
    : live_(live),
      hub_(live, {.slowly = [this](std::function<void()> work) { slowly(std::move(work)); },
                  .wake = [this] { wake_streams_(); }}) {
  live_.watch([this](std::span<const Event> events, Instant) { seen(events); });
  live_.watch_records([this](std::span<const Published> records, const World& world) {
    hub_.published(records, world);
  });
  for (std::size_t i = 0; i < slow_threads; ++i) workers_.emplace_back([this] { work(); });
}

Api::~Api() {
  stop();
}

void Api::hurry() {
  std::multimap<JobId, std::pair<CallPtr, Instant>> waiters;
  {
    const std::lock_guard lock(mutex_);
    hurrying_ = true;
    waiters.swap(waiters_);
    wake_.notify_one();
  }
  for (const auto& [job_id, waiter] : waiters) job(waiter.first, job_id);
}

void Api::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = hurrying_ = true;
    wake_.notify_all();
  }
  for (std::thread& worker : workers_) worker.join();
  std::multimap<JobId, std::pair<CallPtr, Instant>> waiters;
  {
    const std::lock_guard lock(mutex_);
    waiters.swap(waiters_);
  }
  for (const auto& [job_id, waiter] : waiters) job(waiter.first, job_id);
  look_at_outputs();
}

// ---- the slow thread ----

void Api::slowly(std::function<void()> work, Slow kind) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;  // the reply is dropped and answered as a fault; the client asks again
  (kind == Slow::forecast ? forecasts_ : questions_).push_back(std::move(work));
  wake_.notify_one();
}

void Api::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool forecasts = !forecasts_.empty() && forecasting_ < forecasts_at_once;
    if (!questions_.empty() || forecasts) {
      auto& queue = questions_.empty() ? forecasts_ : questions_;
      const bool forecast = &queue == &forecasts_;
      std::function<void()> next = std::move(queue.front());
      queue.pop_front();
      forecasting_ += forecast;
      lock.unlock();
      next();
      next = nullptr;  // it may hold what takes the lock when it goes
      expire_waiters();
      look_at_outputs();
      lock.lock();
      forecasting_ -= forecast;
      if (forecast && !forecasts_.empty()) wake_.notify_one();
      continue;
    }
    if (waiters_.empty() && output_waiters_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_for(lock, std::chrono::milliseconds(100));
      lock.unlock();
      expire_waiters();
      look_at_outputs();
      lock.lock();
    }
  }
}

void Api::expire_waiters() {
  const Instant now = live_.now();
  std::vector<std::pair<JobId, CallPtr>> due;
  {
    const std::lock_guard lock(mutex_);
    for (auto w = waiters_.begin(); w != waiters_.end();) {
      if (w->second.second <= now) {
        due.emplace_back(w->first, w->second.first);
        w = waiters_.erase(w);
      } else {
        ++w;
      }
    }
  }
  for (const auto& [id, call] : due) job(call, id);
}

// ---- who may see what ----

bool Api::may_see(const Caller& caller, std::string_view project) const {
  return live_.read([&](const World& world) {
    const auto found = world.index.projects.find(project);
    return found != world.index.projects.end() && may_see(world, caller, found->second);
  });
}

// ---- commands ----

std::optional<RequestId> Api::request_id(const CallPtr& call) {
  const std::string_view key = call->request.header("Idempotency-Key");
  if (key.empty()) return RequestId{};
  const auto id = uuid_from(key);
  if (id && *id) return id;
  call->reply(
      problem(invalid_field("Idempotency-Key", "expected a UUID", "UUID を指定してください"),
              call->caller.language));
  return std::nullopt;
}

void Api::ask(const CallPtr& call, Message message,
              std::function<net::Response(const Answer&)> respond) {
  message.asked.by = call->caller.person;
  message.reply = [call, respond = std::move(respond)](const Answer& answer) {
    call->reply(answer.decision ? respond(answer)
                                : problem(answer.decision.error(), call->caller.language));
  };
  live_.ask(std::move(message));
}

// ---- routing ----

namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
  const auto n = parse_decimal(text, 0);
  if (!n || *n <= 0 || text.find('.') != std::string_view::npos) return std::nullopt;
  return static_cast<std::uint64_t>(*n);
}

}  // namespace

void Api::handle(net::Request&& request, net::Reply reply) {
  const Language language = language_of(request.header("Accept-Language"));
  auto path = net::path_segments(request.path);
  auto query = net::query_parameters(request.query);
  if (!path || !query) {
    return reply(problem(Complaint{400, "malformed_request", "the address is not well-formed",
                                   "アドレスの形式が正しくありません"},
                         language));
  }
  if (path->size() == 1 && (*path)[0] == "healthz") return reply(ok("{\"status\":\"ok\"}"));
  if (window(request, reply, *path, *query)) return;
  auto caller = recognise(request);
  if (!caller) {
    return reply(problem(
        Complaint{
            401, "unauthorised",
            "no valid token: send Authorization: Bearer TOKEN; `tenbin token create` makes one",
            "有効なトークンがありません。Authorization: Bearer TOKEN を送ってください（`tenbin "
            "token create` で作成できます）"},
        language));
  }
  // A token that may only look: every POST but a quote is a command.
  if (caller->read_only && request.method == "POST" && request.path != "/v1/quote")
    return reply(problem(refuse(Reason::token_read_only), language));
  if (request.trace) {
    live_.read(
        [&](const World& world) { request.trace->person = world.persons.at(caller->person).name; });
  }
  const auto call = std::make_shared<Call>(
      Call{std::move(request), std::move(reply), *caller, std::move(*path), std::move(*query)});
  route(call);
}

void Api::route(const CallPtr& call) {
  const std::vector<std::string>& path = call->path;
  const std::string& method = call->request.method;
  const bool get = method == "GET" || method == "HEAD", post = method == "POST";
  const auto missing = [&] { call->reply(problem(not_found(), call->caller.language)); };
  const auto wrong_method = [&](std::string_view allowed) {
    net::Response response =
        problem(Complaint{405, "method_not_allowed", "this address takes " + std::string(allowed),
                          "このアドレスで使えるのは " + std::string(allowed) + " です"},
                call->caller.language);
    response.headers.emplace_back("Allow", std::string(allowed));
    call->reply(std::move(response));
  };
  if (path.size() == 1 && path[0] == "metrics" && metrics_ && call->caller.sees_all()) {
    if (!get) return wrong_method("GET");
    return slowly([this, call] { call->reply(metrics_()); });
  }
  if (path.size() < 2 || path[0] != "v1") return missing();
  const std::string& noun = path[1];

  if (noun == "jobs") {
    if (path.size() == 2) return get ? jobs(call) : post ? submit(call) : wrong_method("GET, POST");
    const auto id = number_of(path[2]);
    if (!id) return missing();
    const JobId job_id{*id};
    if (path.size() == 3) return get ? job(call, job_id) : wrong_method("GET");
    if (path.size() != 4) return missing();
    if (path[3] == "cancel")
      return post ? change(call, job_id, CancelJob{job_id}) : wrong_method("POST");
    if (path[3] == "hold")
      return post ? change(call, job_id, HoldJob{job_id}) : wrong_method("POST");
    if (path[3] == "release")
      return post ? change(call, job_id, ReleaseJob{job_id}) : wrong_method("POST");
    if (path[3] == "wait") return get ? wait_for_job(call, job_id) : wrong_method("GET");
    if (path[3] == "explain") return get ? explain(call, job_id) : wrong_method("GET");
    if (path[3] == "output") return get ? output(call, job_id) : wrong_method("GET");
    return missing();
  }
  if (path.size() == 2) {
    if (noun == "quote") return post ? quote(call) : wrong_method("POST");
    if (noun == "apply") return post ? apply_all(call) : wrong_method("POST");
    if (noun == "fleet") return get ? slowly([this, call] { fleet(call); }) : wrong_method("GET");
    if (noun == "statement")
      return get ? slowly([this, call] { statement(call); }) : wrong_method("GET");
    if (noun == "events") return get ? events(call) : wrong_method("GET");
    if (noun == "whoami") return get ? whoami(call) : wrong_method("GET");
    if (noun == "tokens") {
      if (post) return create_token(call);
      return get ? tokens(call) : wrong_method("GET, POST");
    }
    // funders, programmes, ... policies
    std::string kind = noun.ends_with("ies") ? noun.substr(0, noun.size() - 3) + "y"
                       : noun.ends_with('s') ? noun.substr(0, noun.size() - 1)
                                             : std::string();
    if (!is_kind(kind)) return missing();
    if (get) return slowly([this, call, kind] { list(call, kind); });
    return post ? declare(call, kind) : wrong_method("GET, POST");
  }
  if (path.size() == 3 && noun == "members" && path[2] == "remove")
    return post ? remove_member(call) : wrong_method("POST");
  if (path.size() == 4 && noun == "persons" && (path[3] == "disable" || path[3] == "enable"))
    return post ? set_person(call, path[2], path[3]) : wrong_method("POST");
  if (path.size() == 4 && noun == "nodes") {
    if (path[3] != "drain" && path[3] != "resume" && path[3] != "evacuate") return missing();
    return post ? set_node(call, path[2], path[3]) : wrong_method("POST");
  }
  if (path.size() == 4 && noun == "projects") {
    if (path[3] == "balance") return get ? balance(call, path[2]) : wrong_method("GET");
    if (path[3] == "statement") return get ? project_statement(call, path[2]) : wrong_method("GET");
    return missing();
  }
  if (path.size() == 4 && noun == "tokens" && path[3] == "revoke") {
    const auto id = number_of(path[2]);
    return !id ? missing() : post ? revoke_token(call, TokenId{*id}) : wrong_method("POST");
  }
  missing();
}

}  // namespace tenbin
