#include "api/api.h"

#include <fmt/format.h>

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

void Call::reply(net::Response response) {
  if (!tag.empty() && (response.status == 200 || response.status == 304)) {
    // What one sees hangs on who one is, so nobody in between may keep it for others.
    response.headers.emplace_back("ETag", tag);
    response.headers.emplace_back("Cache-Control", "private, no-cache");
    response.headers.emplace_back("Vary", "Authorization");
  }
  sink(std::move(response));
}

Api::Api(Live& live)
    : live_(live),
      hub_(live, {.slowly = [this](std::function<void()> work) { slowly(std::move(work)); },
                  .wake = [this] { wake_streams_(); }}) {
  for (const Route& route : routes_) {
    auto segments = net::path_segments(route.path).value();
    by_noun_[segments.size() > 1 ? segments[1] : std::string()].push_back(
        {std::move(segments), &route});
  }
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
  call->deny(invalid_field("Idempotency-Key", "expected a UUID", "UUID を指定してください"));
  return std::nullopt;
}

void Api::ask(const CallPtr& call, Message message,
              std::function<net::Response(const Answer&)> respond) {
  message.asked.by = call->caller.person;
  message.reply = [call, respond = std::move(respond)](const Answer& answer) {
    if (!answer.decision) return call->deny(answer.decision.error());
    call->reply(respond(answer));
  };
  live_.ask(std::move(message));
}

std::optional<JsonValue> Api::body_of(const CallPtr& call) {
  const auto body = document_.parse(call->request.body);
  if (body) return *body;
  call->deny(Complaint{400, "malformed_request", "the body is not JSON: " + body.error().what,
                       "本文が JSON ではありません：" + body.error().what});
  return std::nullopt;
}

// ---- conditional requests ----

bool names_tag(std::string_view list, std::string_view tag) {
  const auto plain = [](std::string_view t) { return t.starts_with("W/") ? t.substr(2) : t; };
  while (!list.empty()) {
    std::string_view one = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), one.size() + 1));
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
    if (one == "*" || plain(one) == plain(tag)) return true;
  }
  return false;
}

bool Api::unchanged(const CallPtr& call, std::uint64_t digest) {
  if (call->route->validator == Validator::none) return false;
  call->tag = fmt::format("W/\"{:016x}-{:x}{}\"", digest, call->caller.person.value,
                          call->caller.read_only ? "r" : "");
  if (!names_tag(call->request.header("If-None-Match"), call->tag)) return false;
  call->reply({.status = 304});
  return true;
}

// ---- routing ----

namespace {

std::optional<std::uint64_t> number_of(std::string_view text) {
  const auto n = parse_decimal(text, 0);
  if (!n || *n <= 0 || text.find('.') != std::string_view::npos) return std::nullopt;
  return static_cast<std::uint64_t>(*n);
}

/// "GET, HEAD, OPTIONS, POST" of what an address has.
std::string allowed(const std::vector<const Route*>& routes) {
  std::string list;
  for (const std::string_view method : {"GET", "HEAD", "OPTIONS", "POST"}) {
    const std::string_view asked = method == "HEAD" ? "GET" : method;
    if (method == "OPTIONS" || std::ranges::count(routes, asked, &Route::method) > 0)
      list += (list.empty() ? "" : ", ") + std::string(method);
  }
  return list;
}

bool is_json(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  constexpr std::string_view json = "application/json";
  return type.empty() || std::ranges::equal(type, json, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

}  // namespace

std::vector<const Route*> Api::find_routes(Call& call) const {
  std::vector<const Route*> found;
  const auto noun = by_noun_.find(call.path.size() > 1 ? call.path[1] : std::string());
  if (noun == by_noun_.end()) return found;
  for (const Address& address : noun->second) {
    const auto fits = [&](const std::string& wanted, const std::string& given) {
      if (wanted == "{id}") return number_of(given).has_value();
      return wanted.starts_with('{') ? !given.empty() : wanted == given;
    };
    if (!std::ranges::equal(address.segments, call.path, fits)) continue;
    found.push_back(address.route);
    for (std::size_t i = 0; i < call.path.size(); ++i) {
      if (address.segments[i] == "{id}") {
        call.id = *number_of(call.path[i]);
      } else if (address.segments[i].starts_with('{')) {
        call.name = call.path[i];
      }
    }
  }
  return found;
}

void Api::handle(net::Request&& request, net::Reply reply) {
  const auto call = std::make_shared<Call>(Call{
      .request = std::move(request),
      .sink = std::move(reply),
      .caller = {},
      .path = {},
      .query = {},
  });
  call->caller.language = language_of(call->request.header("Accept-Language"));
  const std::string& method = call->request.method;
  auto path = net::path_segments(call->request.path);
  auto query = net::query_parameters(call->request.query);
  if (call->request.path == "*" && method == "OPTIONS")
    return call->reply({.status = 204, .headers = {{"Allow", "GET, HEAD, OPTIONS, POST"}}});
  if (!path || !query) {
    return call->deny(Complaint{400, "malformed_request", "the address is not well-formed",
                                "アドレスの形式が正しくありません"});
  }
  call->path = std::move(*path);
  call->query = std::move(*query);
  if (window(call->request, call->sink, call->path, call->query)) return;

  const std::vector<const Route*> routes = find_routes(*call);
  const auto mine = std::ranges::find(routes, method == "HEAD" ? "GET" : std::string_view(method),
                                      &Route::method);
  const Route* route = mine == routes.end() ? nullptr : *mine;
  if (!routes.empty() && method == "OPTIONS")  // says nothing that docs do not
    return call->reply({.status = 204, .headers = {{"Allow", allowed(routes)}}});
  if (!route || route->entry == Entry::token) {
    auto caller = recognise(call->request);
    if (!caller) {
      return call->deny(Complaint{
          401, "unauthorised",
          "no valid token: send Authorization: Bearer TOKEN; `tenbin token create` makes one",
          "有効なトークンがありません。Authorization: Bearer TOKEN を送ってください（`tenbin "
          "token create` で作成できます）"});
    }
    call->caller = *caller;
    // A token that may only look: every POST but a quote is a command.
    if (caller->read_only && method == "POST" && call->request.path != "/v1/quote")
      return call->deny(refuse(Reason::token_read_only));
    if (call->request.trace) {
      live_.read([&](const World& world) {
        call->request.trace->person = world.persons.at(caller->person).name;
      });
    }
  }
  if (routes.empty()) return call->deny(not_found());
  if (!route) {
    const std::string list = allowed(routes);
    net::Response response = problem(
        Complaint{405, "method_not_allowed", "this address takes " + list + ", not " + method,
                  "このアドレスで使えるのは " + list + " です（" + method + " は使えません）"},
        call->caller.language);
    response.headers.emplace_back("Allow", list);
    return call->reply(std::move(response));
  }
  this->route(call, *route);
}

void Api::route(const CallPtr& call, const Route& route) {
  call->route = &route;
  if (auto complaint = check_names(call->query, route.parameters)) return call->deny(*complaint);
  const std::string& body = call->request.body;
  if (route.body == Body::json && !is_json(call->request.header("Content-Type"))) {
    return call->deny(Complaint{
        415, "unsupported_media_type", "the body must be JSON: send Content-Type: application/json",
        "本文は JSON で、Content-Type: application/json を付けて送ってください"});
  }
  if (route.body == Body::none && !body.empty() && body != "{}") {
    return call->deny(Complaint{400, "malformed_request", "this address takes no body",
                                "このアドレスは本文を受け付けません"});
  }
  // The digest is taken before the answer is made: the answer may be newer than its tag says, which
  // costs one more answer, but never older.
  if (route.validator == Validator::world &&
      unchanged(call, live_.read([](const World& world) { return world.history; }))) {
    return;
  }
  route.handle(*this, call);
}

}  // namespace tenbin
