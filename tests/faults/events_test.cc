// GET /v1/events from outside: whoever reads on from any place, through load, kill -9 and the end
// of the service, gets each event that is meant for him once and in order, and nothing else.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "faults/service.h"
#include "net/event_stream.h"

namespace tenbin::faults {
namespace {

using net::EventReader;
using net::StreamEvent;

const std::string job =
    R"({"project": "project", "gpus": 1, "time_limit_ms": 60000, "run": {"argv": ["true"]}})";

struct Served {
  TestFolder folder;
  Daemon daemon{{.state = folder.state(), .work = folder.work()}};
  Served() {
    REQUIRE_MESSAGE(daemon.start(), daemon.words());
    Caller officer = admin();
    declare_fleet(officer);
  }
  Caller admin() { return {daemon.url(), daemon.token()}; }
  std::string token_of(const std::string& person) {
    const Reply reply = admin().post("/v1/tokens", R"({"person": ")" + person + R"("})");
    REQUIRE(reply.status == 201);
    return *reply.text("token");
  }
  EventReader open(const std::string& query, const std::string& token,
                   const std::string& last = {}) {
    net::Headers headers = {{"Authorization", "Bearer " + token}};
    if (!last.empty()) headers.emplace_back("Last-Event-ID", last);
    auto reader = EventReader::open(daemon.url(), "/v1/events" + query, headers, Span{20'000});
    REQUIRE_MESSAGE(reader, (reader ? "" : reader.error().what));
    REQUIRE_MESSAGE(reader->refusal() == nullptr, reader->refusal()->body);
    return std::move(*reader);
  }
};

/// Until `enough`, or nothing came for ten seconds.
template <class Enough>
std::vector<StreamEvent> read_until(EventReader& reader, Enough&& enough) {
  std::vector<StreamEvent> all;
  StreamEvent event;
  while (!enough(all)) {
    const auto got = reader.next(event, Span{10'000});
    REQUIRE_MESSAGE(got, (got ? "" : got.error().what));
    if (*got != EventReader::Got::event) break;
    all.push_back(event);
  }
  return all;
}
auto count_of(const std::string& kind, std::size_t n) {
  return [=](const std::vector<StreamEvent>& all) {
    return static_cast<std::size_t>(std::ranges::count(all, kind, &StreamEvent::event)) >= n;
  };
}
/// Until the event with this id.
auto up_to(const std::string& id) {
  return [=](const std::vector<StreamEvent>& all) { return !all.empty() && all.back().id == id; };
}
std::pair<std::uint64_t, std::uint64_t> place(const std::string& id) {
  return {std::stoull(id), std::stoull(id.substr(id.find('.') + 1))};
}
void in_order(const std::vector<StreamEvent>& all) {
  for (std::size_t i = 1; i < all.size(); ++i) REQUIRE(place(all[i - 1].id) < place(all[i].id));
}
std::optional<std::string> field(const StreamEvent& event, const std::string& name) {
  return Reply{.body = event.data}.text(name);
}

TEST_CASE("events: live and from the journal are the same, from any place, with names") {
  Served world;
  const std::string token = world.daemon.token();
  EventReader live = world.open("", token);
  Caller officer = world.admin();
  for (int i = 0; i < 6; ++i) REQUIRE(officer.post("/v1/jobs", job).status == 201);
  const auto seen = read_until(live, count_of("JobSettled", 6));
  in_order(seen);
  CHECK(count_of("JobQueued", 6)(seen));
  CHECK(count_of("JobStarted", 6)(seen));
  const auto queued = std::ranges::find(seen, "JobQueued", &StreamEvent::event);
  REQUIRE(queued != seen.end());
  CHECK(field(*queued, "project") == "project");
  CHECK(field(*queued, "by") == "admin");
  CHECK(field(*queued, "shape") == "1 GPU");
  CHECK(Reply{.body = queued->data}.number("time_limit_ms") == 60'000);
  const auto settled = std::ranges::find(seen, "JobSettled", &StreamEvent::event);
  CHECK(field(*settled, "project") == "project");
  CHECK(field(*settled, "state") == "completed");
  CHECK(field(*settled, "at").value_or("").ends_with("Z"));

  // All of it again, from the first record.
  EventReader past = world.open("?since=0", token);
  const auto whole = read_until(past, up_to(seen.back().id));
  in_order(whole);
  CHECK(whole.front().event == "EpochOpened");
  CHECK(count_of("FunderDeclared", 1)(whole));
  REQUIRE(whole.size() > seen.size());
  for (std::size_t i = 0; i < seen.size(); ++i)
    CHECK(whole[whole.size() - seen.size() + i] == seen[i]);
  for (const StreamEvent& event : whole) CHECK(event.data.find("hash") == std::string::npos);

  // And from each place in it.
  for (std::size_t from = 0; from + 1 < whole.size(); from += 3) {
    EventReader again = world.open("?since=999", token, whole[from].id);  // the header counts
    const auto rest = read_until(again, up_to(seen.back().id));
    REQUIRE(rest.size() == whole.size() - from - 1);
    CHECK(rest.front() == whole[from + 1]);
    CHECK(again.last_id() >= whole.back().id);
  }
}

TEST_CASE("events: filters, and what one may not see is not told") {
  Served world;
  Caller officer = world.admin();
  REQUIRE(officer.post("/v1/jobs", job).status == 201);
  const std::string id = "1";
  EventReader all = world.open("?since=0", world.daemon.token());
  const auto whole = read_until(all, count_of("JobSettled", 1));

  EventReader kinds = world.open("?since=0&kinds=JobSettled,JobStarted", world.daemon.token());
  const auto two = read_until(kinds, count_of("JobSettled", 1));
  REQUIRE(two.size() == 2);
  CHECK(two[0].event == "JobStarted");

  EventReader of_job = world.open("?since=0&job=" + id, world.daemon.token());
  for (const StreamEvent& event : read_until(of_job, count_of("JobSettled", 1)))
    CHECK(event.event.starts_with("Job"));

  const std::string member = world.token_of("member");
  EventReader own = world.open("?since=0", member);
  const auto members = read_until(own, up_to(whole.back().id));
  CHECK(count_of("JobSettled", 1)(members));
  CHECK(count_of("NodeDeclared", 2)(members));
  const std::string stranger = world.token_of("stranger");
  EventReader little = world.open("?since=0", stranger);
  const auto strangers = read_until(little, count_of("TokenCreated", 1));
  for (const auto& [who, list] : {std::pair{"member", &members}, {"stranger", &strangers}}) {
    for (const StreamEvent& event : *list) {
      CHECK(event.event != "FunderDeclared");
      CHECK(event.event != "PersonDeclared");
      CHECK(event.event != "RequestAnswered");
      if (event.event == "TokenCreated") CHECK(field(event, "person") == who);
    }
  }
  for (const StreamEvent& event : strangers) CHECK(!event.event.starts_with("Job"));
  CHECK(!count_of("ProjectDeclared", 1)(strangers));
  CHECK(count_of("NodeDeclared", 2)(strangers));

  struct Bad {
    std::string token, query;
    int status;
    const char* code;
  };
  const std::string admin = world.daemon.token();
  for (const Bad& bad :
       {Bad{admin, "?kinds=Nonsense", 400, "invalid_field"},
        Bad{admin, "?kinds=", 400, "invalid_field"}, Bad{admin, "?since=abc", 400, "invalid_field"},
        Bad{admin, "?since=-1", 400, "invalid_field"},
        Bad{admin, "?since=1.", 400, "invalid_field"},
        Bad{admin, "?since=999999", 400, "invalid_field"},
        Bad{admin, "?since=99999999999999999999", 400, "invalid_field"},
        Bad{admin, "?job=0", 400, "invalid_field"},
        Bad{admin, "?project=none", 404, "unknown_project"},
        Bad{admin, "?job=777", 404, "unknown_job"},
        Bad{stranger, "?project=project", 404, "unknown_project"},
        Bad{stranger, "?job=" + id, 404, "unknown_job"},
        Bad{admin, "?more=1", 400, "invalid_field"}, Bad{"nonsense", "", 401, "unauthorised"}}) {
    CAPTURE(bad.query);
    Caller caller(world.daemon.url(), bad.token);
    const Reply reply = caller.get("/v1/events" + bad.query);
    CHECK(reply.status == bad.status);
    CHECK(reply.text("code") == bad.code);
  }
}

TEST_CASE("events: what the table of rights keeps from a role, the stream keeps too") {
  Served world;
  Caller officer = world.admin();
  REQUIRE(officer
              .post("/v1/apply", R"({"items": [
    {"kind": "person", "name": "operator", "role": "operator"},
    {"kind": "allocation", "name": "allocation", "grant": "grant", "project": "project", "amount": "900000"}]})")
              .status == 200);
  std::string many = job;
  many.insert(1, R"("tasks": 3, "hold": true, )");
  const Reply array = officer.post("/v1/jobs", many);
  REQUIRE_MESSAGE(array.status == 201, array.body);
  REQUIRE(officer.post("/v1/jobs/" + std::to_string(*array.number("job")) + "/cancel", "").status ==
          200);

  EventReader own = world.open("?since=0&follow=false", world.token_of("member"));
  const auto member = read_until(own, count_of("TasksCancelled", 1));
  CHECK(count_of("AllocationDeclared", 1)(member));
  CHECK(count_of("AllocationChanged", 1)(member));
  CHECK(count_of("MemberDeclared", 1)(member));
  for (const StreamEvent& event : member) {
    if (event.event == "TasksCancelled") CHECK(field(event, "project") == "project");
  }
  EventReader all_jobs = world.open("?since=0&follow=false", world.token_of("operator"));
  const auto operators = read_until(all_jobs, count_of("TasksCancelled", 1));
  CHECK(count_of("ArrayQueued", 1)(operators));
  for (const StreamEvent& event : operators) {
    CHECK(!event.event.starts_with("Allocation"));
    CHECK(!event.event.starts_with("Member"));
  }
}

TEST_CASE("events: a revoked token ends its streams, others go on") {
  Served world;
  Caller officer = world.admin();
  const Reply made = officer.post("/v1/tokens", R"({"person": "member"})");
  REQUIRE(made.status == 201);
  EventReader other = world.open("", world.daemon.token());
  EventReader mine = world.open("", *made.text("token"));
  REQUIRE(officer.post("/v1/tokens/" + std::to_string(*made.number("id")) + "/revoke", "").status ==
          200);
  StreamEvent event;
  REQUIRE(mine.next(event, Span{5'000}) == EventReader::Got::event);
  CHECK(event.event == "signed_out");
  CHECK(mine.next(event, Span{5'000}) == EventReader::Got::ended);
  CHECK(count_of("TokenRevoked", 1)(read_until(other, count_of("TokenRevoked", 1))));
}

TEST_CASE("events: no gap and no repeat under load, through kill -9, and a word at the end") {
  Served world;
  Caller officer = world.admin();
  for (const char* node : {"node-0", "node-1"})
    REQUIRE(officer.post(std::string("/v1/nodes/") + node + "/drain", "").status == 200);
  const std::string token = world.daemon.token();
  Rng rng{7};
  std::vector<StreamEvent> got;
  std::string last = "0";
  const auto follow = [&](EventReader& reader, std::size_t wanted) {
    StreamEvent event;
    for (std::size_t n = 0; n < wanted;) {
      const auto step = reader.next(event, Span{1'000});
      if (!step || *step != EventReader::Got::event) return;
      got.push_back(event);
      last = event.id;
      ++n;
    }
  };
  for (int round = 0; round < 2; ++round) {
    std::atomic<bool> over = false;
    std::thread writer([&] {
      Caller busy(world.daemon.url(), token);
      for (int i = 0; i < 400; ++i) busy.post("/v1/jobs", job);
      over = true;
    });
    // Whoever comes again and again, in the middle of it.
    while (!over) {
      EventReader reader = world.open("", token, last);
      follow(reader, 1 + rng.below(60));
    }
    writer.join();
    world.daemon.kill9();
    REQUIRE(world.daemon.start());
  }
  officer = world.admin();
  const Reply end = officer.post("/v1/nodes/node-0/evacuate", "");
  REQUIRE(end.status == 200);
  EventReader rest = world.open("", token, last);
  const auto more = read_until(rest, count_of("NodeStateSet", 1));
  got.insert(got.end(), more.begin(), more.end());
  in_order(got);

  EventReader whole = world.open("?since=0", token);
  const auto all = read_until(whole, up_to(got.back().id));
  REQUIRE(all.size() == got.size());
  CHECK(all == got);
  CHECK(count_of("JobQueued", 800)(all));

  world.daemon.signal(15);
  StreamEvent event;
  REQUIRE(rest.next(event, Span{5'000}) == EventReader::Got::event);
  CHECK(event.event == "stopping");
  CHECK(rest.next(event, Span{5'000}) == EventReader::Got::ended);
  CHECK(world.daemon.wait().code == 0);
}

}  // namespace
}  // namespace tenbin::faults
