#pragma once

#include <condition_variable>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "api/events.h"
#include "api/fields.h"
#include "api/query.h"
#include "api/routes.h"
#include "core/authorise.h"
#include "live/live.h"
#include "net/http_server.h"

namespace tenbin {

/// Who asks, once the token has been recognised.
struct Caller {
  PersonId person;
  Role role = Role::member;
  bool read_only = false;  // the token may ask questions and give no commands
  Language language = Language::english;

  /// All projects' jobs, and so never a list of some of them.
  bool sees_all() const { return role != Role::member; }
};

/// One request on its way.
struct Call {
  net::Request request;
  net::Reply sink;
  Caller caller;
  std::vector<std::string> path;
  net::Parameters query;
  const Route* route = nullptr;
  std::uint64_t id = 0;  // {id} of the route
  std::string name;      // its other {word}
  std::string tag;       // of the answer, for conditional requests

  void reply(net::Response response);
  void deny(const Complaint& complaint) { reply(problem(complaint, caller.language)); }
  void deny(const Refusal& refusal) { reply(problem(refusal, caller.language)); }
};
using CallPtr = std::shared_ptr<Call>;

/// The REST door (docs/api.md): requests to commands, the committed World to answers. Decides
/// nothing.
///
/// Threads: `handle` on the I/O thread; answers to commands come from the publisher's; what reads
/// files or the history, walks many rows, or runs the twin, goes to a few threads of its own.
class Api {
 public:
  explicit Api(Live& live);
  ~Api();

  /// All operations, in the order of api/openapi.yaml.
  static std::vector<Route> routes();

  /// Answers GET /metrics for those who may see everything. Set before the server starts; without
  /// it there is no such address. Called on a thread that may take its time.
  void serve_metrics(std::function<net::Response()> metrics) { metrics_ = std::move(metrics); }

  /// Whether the server speaks TLS: then the status page's cookie travels in nothing else. Before
  /// the server starts.
  void set_secure(bool secure) { secure_ = secure; }

  /// The server's handler.
  void handle(net::Request&& request, net::Reply reply);
  /// `wake` is called when streams of events have news; the server's wake_streams. Before the
  /// server starts.
  void on_news(std::function<void()> wake) { wake_streams_ = std::move(wake); }
  /// From the publisher, after each commit: answers those who wait for a job.
  void seen(std::span<const Event> events);
  /// From now on nobody waits for a job: those who do are answered as things are.
  void hurry();
  /// Answers those who still wait, as things are; then slow work stops.
  void stop();

 private:
  struct OutputAsked {  // a part of what a member wrote
    CallPtr call;
    JobId job;
    int rank = 0;
    std::string stream;
    std::uint32_t attempt = 0;  // 0: the latest
    std::int64_t offset = 0;
    Instant until;  // when to answer even if there is nothing new
  };
  /// Answers, or gives false if there is nothing to say yet.
  bool answer_output(OutputAsked& asked, Instant now);
  void look_at_outputs();

  /// Operations that an address has, or those that only it may have meant.
  std::vector<const Route*> find_routes(Call& call) const;
  void route(const CallPtr& call, const Route& route);
  std::optional<Caller> recognise(const net::Request& request) const;
  /// Whose token this is, if it is valid now.
  std::optional<Caller> caller_of(const World& world, const Hash& token, Language language) const;
  /// For conditional requests: `digest` tells this answer from others at the same address. True if
  /// the client has it already, and then it has been told so.
  bool unchanged(const CallPtr& call, std::uint64_t digest);
  /// The body as JSON, or nothing: then the call has been answered.
  std::optional<JsonValue> body_of(const CallPtr& call);

  enum class Where : std::uint8_t { living, hidden, gone };
  /// Calls `use(world)` if the job, task or array is not over and the caller may see it.
  Where look_at_job(const Caller& caller, JobId id,
                    const std::function<void(const World&)>& use) const;
  /// A job, task or array that is over: its row from the history; nothing if it never was. An error
  /// if that cannot be told now. By slow work only.
  std::expected<std::optional<SettledJob>, Complaint> settled(JobId id) const;
  /// `use` gets the row of what is over. Who may not see it, or asks for what never was, is
  /// answered here; so is everyone while the history lags. By slow work only.
  void with_settled(const CallPtr& call, JobId id,
                    const std::function<void(const SettledJob&)>& use);

  // Commands
  void ask(const CallPtr& call, Message message,
           std::function<net::Response(const Answer&)> respond);
  std::optional<RequestId> request_id(const CallPtr& call);
  void declare(const CallPtr& call, std::string_view kind);
  void apply_all(const CallPtr& call);
  void submit(const CallPtr& call);
  /// Cancels, holds or releases a job, a task or an array.
  void change(const CallPtr& call, JobId job, const Command& command);
  void set_node(const CallPtr& call, const std::string& node, const std::string& verb);
  void create_token(const CallPtr& call);
  void tokens(const CallPtr& call);
  void remove_member(const CallPtr& call);
  void set_person(const CallPtr& call, const std::string& person, const std::string& verb);
  void revoke_token(const CallPtr& call, TokenId token);

  // The status page (page.h)
  /// Answers what belongs to the page; false if the request does not.
  bool window(net::Request& request, net::Reply& reply, const std::vector<std::string>& path,
              const net::Parameters& query);
  void sign_in(const net::Request& request, net::Reply& reply, Language language);
  void show(const net::Request& request, net::Reply to, Language language, bool part);

  // Questions
  void quote(const CallPtr& call);
  void job(const CallPtr& call, JobId job);
  void wait_for_job(const CallPtr& call, JobId job);
  void explain(const CallPtr& call, JobId job);
  void output(const CallPtr& call, JobId job);
  void jobs(const CallPtr& call);
  void balance(const CallPtr& call, const std::string& project);
  void project_statement(const CallPtr& call, const std::string& project);
  void statement(const CallPtr& call);
  bool sees_any(const Caller& caller, std::string_view kind) const;
  void list(const CallPtr& call, std::string_view kind);
  void one(const CallPtr& call, std::string_view kind);
  void prices_of_pool(const CallPtr& call);
  void journal(const CallPtr& call);
  void describe(const CallPtr& call);
  void fleet(const CallPtr& call);
  void whoami(const CallPtr& call);
  void events(const CallPtr& call);

  // The table of rights (core/authorise.h), asked for the caller. A project alone: its jobs.
  static bool may_see(const World& world, const Caller& caller, Question question,
                      const Scope& scope = {}) {
    return tenbin::may_see(world, caller.person, question, scope);
  }
  static bool may_see(const World& world, const Caller& caller, ProjectId project) {
    return may_see(world, caller, Question::jobs, {.project = project});
  }
  bool may_see(const Caller& caller, std::string_view project) const;
  bool may_see(const World& world, const Caller& caller, const Happening& what) const;

  /// Questions wait for files or walk many rows; forecasts copy the World and play it forward,
  /// which can take seconds, so that they never have all the threads.
  enum class Slow : std::uint8_t { question, forecast };
  void slowly(std::function<void()> work, Slow kind = Slow::question);
  void work();
  void expire_waiters();

  Live& live_;
  std::function<net::Response()> metrics_;
  bool secure_ = false;
  JsonDocument document_;  // the I/O thread's
  const std::vector<Route> routes_ = routes();
  struct Address {
    std::vector<std::string> segments;
    const Route* route = nullptr;
  };
  std::map<std::string, std::vector<Address>, std::less<>> by_noun_;  // their second segment

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> questions_, forecasts_;
  std::size_t forecasting_ = 0;
  std::multimap<JobId, std::pair<CallPtr, Instant>> waiters_;
  std::vector<OutputAsked> output_waiters_;
  Instant looked_at_outputs_;  // of who looks
  bool hurrying_ = false, stopping_ = false;
  std::function<void()> wake_streams_ = [] {};
  EventHub hub_;
  std::vector<std::thread> workers_;
};

/// The hash of the token that a request carries; that of nothing if it carries none. A cookie
/// counts where looking is all that can be done: for GET /v1/events.
Hash token_hash(const net::Request& request);

// ---- what the parts of the door share ----

net::Response ok(std::string body, int status = 200);

/// Reads one declaration ({"name": ..., ...}) of `kind` into a command.
std::optional<Complaint> read_declaration(std::string_view kind, JsonValue body, Arena& arena,
                                          Command& command);
bool is_kind(std::string_view kind);

/// Reads a job as POST /v1/jobs takes it. `blob` is filled if there is something to run.
std::optional<Complaint> read_job(JsonValue body, Arena& arena, SubmitJob& command,
                                  std::optional<Blob>& blob, Need run);

void write_job(JsonWriter& out, const World& world, JobId id, const Job& job);
void write_job(JsonWriter& out, const SettledJob& job);
void write_array(JsonWriter& out, const World& world, JobId id, const JobArray& array);

/// The state and the project of a job, task or array that is not over, or nothing.
std::optional<JobState> live_state(const World& world, JobId id);
ProjectId live_project(const World& world, JobId id);

/// The scope of a job that is over.
Scope scope_of(const World& world, const SettledJob& job);

/// Whether an If-None-Match names `tag`. Weak comparison, as RFC 9110 wants it here.
bool names_tag(std::string_view list, std::string_view tag);

template <class Value>
void member_or_null(JsonWriter& out, std::string_view name, bool there, const Value& value) {
  out.key(name);
  if (there) {
    out.value(value);
  } else {
    out.null();
  }
}

/// Sums over shares, as balances and statements show them.
struct Sums {
  Credits free, held, spent, expired;
  void add(const World& world, const Share& share);
};
Credits expired_of(const World& world, const Share& share);
/// The shares of a project that a person may see: all, or those of the programmes of which the
/// person has a role.
std::vector<ShareId> seen_shares(const World& world, PersonId by, ProjectId project);

}  // namespace tenbin
