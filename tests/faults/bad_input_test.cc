// Whatever comes through the door, the answer is the documented problem in both languages, and
// nothing changes: the journal has as many records after the whole table as before it.

#include "faults/service.h"

namespace tenbin::faults {
namespace {

struct Row {
  std::string what;
  std::string method, target, body;
  int status;
  const char* code;
};

const std::string job_head = R"({"project": "project", "gpus": 1, "time_limit_ms": 1000, )";
std::string job_with(const std::string& members) {
  return job_head + members + "}";
}
const std::string run = R"("run": {"argv": ["true"]})";

std::vector<Row> table() {
  const std::string jobs = "/v1/jobs", post = "POST", get = "GET";
  const auto field = [](const std::string& members) { return job_with(members + ", " + run); };
  const auto whole = [](const std::string& gpus, const std::string& limit,
                        const std::string& more = "") {
    return R"({"project": "project", "gpus": )" + gpus + R"(, "time_limit_ms": )" + limit + ", " +
           run + more + "}";
  };
  const auto spec = [](const std::string& inside) {
    return job_with(R"("run": {)" + inside + "}");
  };
  const auto lot = [](const std::string& amount, const std::string& from, const std::string& to) {
    return R"({"name": "new-lot", "grant": "grant", "funder": "funder", "amount": )" + amount +
           R"(, "valid_from": ")" + from + R"(", "expires": ")" + to + R"("})";
  };
  const std::string dollar = R"({"amount": "1", "currency": "USD"})";
  std::string deep = "1";
  for (int i = 0; i < 200; ++i) deep = "[" + deep + "]";
  return {
      // not JSON
      {"nothing", post, jobs, "", 400, "malformed_request"},
      {"one brace", post, jobs, "{", 400, "malformed_request"},
      {"cut off", post, jobs, whole("1", "1000").substr(0, 40), 400, "malformed_request"},
      {"two documents", post, jobs, whole("1", "1000") + whole("1", "1000"), 400,
       "malformed_request"},
      {"a trailing comma", post, jobs, R"({"project": "project",})", 400, "malformed_request"},
      {"single quotes", post, jobs, "{'project': 'project'}", 400, "malformed_request"},
      {"a comment", post, jobs, "{} // please", 400, "malformed_request"},
      {"bad UTF-8", post, jobs, job_with("\"name\": \"\xff\xfe\", " + run), 400,
       "malformed_request"},
      {"UTF-8 cut off", post, jobs, job_with("\"name\": \"\xe3\x81\", " + run), 400,
       "malformed_request"},
      {"overlong UTF-8", post, jobs, job_with("\"name\": \"\xc0\xaf\", " + run), 400,
       "malformed_request"},
      {"half a surrogate pair", post, jobs, field(R"("name": "\ud800")"), 400, "malformed_request"},
      {"a raw control character", post, jobs, job_with("\"name\": \"a\nb\", " + run), 400,
       "malformed_request"},
      {"very deep", post, jobs, field("\"models\": " + deep), 400, "malformed_request"},
      {"a member twice", post, jobs, field(R"("tasks": 1, "tasks": 2)"), 400, "malformed_request"},
      {"a member twice, deep inside", post, jobs,
       spec(R"("argv": ["true"], "environment": {"A": "1", "A": "2"})"), 400, "malformed_request"},
      {"a leading zero", post, jobs, whole("01", "1000"), 400, "malformed_request"},
      {"NaN", post, jobs, whole("NaN", "1000"), 400, "malformed_request"},
      {"a number over every size", post, jobs, whole("1", "1e999"), 400, "malformed_request"},
      // JSON, but not this
      {"an array", post, jobs, "[]", 400, "malformed_request"},
      {"a text", post, jobs, "\"job\"", 400, "malformed_request"},
      {"null", post, jobs, "null", 400, "malformed_request"},
      {"an empty object", post, jobs, "{}", 400, "invalid_field"},
      {"no run", post, jobs, R"({"project": "project", "gpus": 1, "time_limit_ms": 1000})", 400,
       "invalid_field"},
      {"an unknown field", post, jobs, field(R"("priority": 9)"), 400, "invalid_field"},
      {"an unknown field in run", post, jobs, spec(R"("argv": ["true"], "shell": true)"), 400,
       "invalid_field"},
      {"a field of another case", post, jobs, field(R"("Name": "x")"), 400, "invalid_field"},
      {"project is a number", post, jobs,
       R"({"project": 7, "gpus": 1, "time_limit_ms": 1000, )" + run + "}", 400, "invalid_field"},
      {"name is an object", post, jobs, field(R"("name": {})"), 400, "invalid_field"},
      {"a NUL in a name", post, jobs, field(R"("name": "a\u0000b")"), 400, "invalid_field"},
      {"gpus is true", post, jobs, whole("true", "1000"), 400, "invalid_field"},
      {"gpus is half as a number", post, jobs, whole("0.5", "1000"), 400, "invalid_field"},
      {"gpus with four decimals", post, jobs, whole("\"0.0001\"", "1000"), 400, "invalid_field"},
      {"gpus is empty", post, jobs, whole("\"\"", "1000"), 400, "invalid_field"},
      {"gpus is hexadecimal", post, jobs, whole("\"0x10\"", "1000"), 400, "invalid_field"},
      {"gpus with a blank", post, jobs, whole("\" 1\"", "1000"), 400, "invalid_field"},
      {"gpus with an exponent", post, jobs, whole("\"1e3\"", "1000"), 400, "invalid_field"},
      {"gpus beyond 2^63 in milli", post, jobs, whole("\"9223372036854775.808\"", "1000"), 400,
       "invalid_field"},
      {"gpus beyond 2^63", post, jobs, whole("9223372036854775808", "1000"), 400, "invalid_field"},
      {"gpus: 40 digits", post, jobs, whole("\"" + std::string(40, '9') + "\"", "1000"), 400,
       "invalid_field"},
      {"gpus: zero", post, jobs, whole("0", "1000"), 422, "gpus_must_be_positive"},
      {"gpus: negative", post, jobs, whole("-1", "1000"), 422, "gpus_must_be_positive"},
      {"gpus: one and a half", post, jobs, whole("\"1.5\"", "1000"), 422, "gpus_not_whole"},
      {"gpus: all there are in the world", post, jobs, whole("\"9223372036854775\"", "1000"), 422,
       "request_too_large"},
      {"time limit 0", post, jobs, whole("1", "0"), 400, "invalid_field"},
      {"time limit negative", post, jobs, whole("1", "-5"), 400, "invalid_field"},
      {"time limit beyond 2^63", post, jobs, whole("1", "9223372036854775808"), 400,
       "invalid_field"},
      {"time limit a real number", post, jobs, whole("1", "1000.5"), 400, "invalid_field"},
      {"time limit 2^63-1", post, jobs, whole("1", "9223372036854775807"), 422,
       "time_limit_invalid"},
      {"members 0", post, jobs, whole("1", "1000", R"(, "members": 0)"), 400, "invalid_field"},
      {"members beyond 32 bits", post, jobs, whole("1", "1000", R"(, "members": 4294967296)"), 400,
       "invalid_field"},
      {"members 2^32-1", post, jobs, whole("1", "1000", R"(, "members": 4294967295)"), 422,
       "members_invalid"},
      {"tasks 0", post, jobs, whole("1", "1000", R"(, "tasks": 0)"), 400, "invalid_field"},
      {"tasks 1000001", post, jobs, whole("1", "1000", R"(, "tasks": 1000001)"), 422,
       "tasks_invalid"},
      {"tasks_at_once without tasks", post, jobs, whole("1", "1000", R"(, "tasks_at_once": 2)"),
       422, "tasks_at_once_invalid"},
      {"after what is not there", post, jobs, whole("1", "1000", R"(, "after": [{"job": 999999}])"),
       404, "unknown_after"},
      {"after in an unknown case", post, jobs,
       whole("1", "1000", R"(, "after": [{"job": 1, "when": "maybe"}])"), 400, "invalid_field"},
      {"after is a number", post, jobs, whole("1", "1000", R"(, "after": 1)"), 400,
       "invalid_field"},
      {"hold is a text", post, jobs, whole("1", "1000", R"(, "hold": "yes")"), 400,
       "invalid_field"},
      {"retries 101", post, jobs, whole("1", "1000", R"(, "retries": 101)"), 422,
       "retries_invalid"},
      {"labels is a list", post, jobs, whole("1", "1000", R"(, "labels": ["a"])"), 400,
       "invalid_field"},
      {"a label without a key", post, jobs, whole("1", "1000", R"(, "labels": {"": "a"})"), 422,
       "labels_invalid"},
      {"cpus negative", post, jobs, whole("1", "1000", R"(, "cpus": -1)"), 422,
       "resources_invalid"},
      {"memory negative", post, jobs, whole("1", "1000", R"(, "memory_mib": -1)"), 400,
       "invalid_field"},
      {"models is a text", post, jobs, field(R"("models": "a100")"), 400, "invalid_field"},
      {"models holds a number", post, jobs, field(R"("models": [1])"), 400, "invalid_field"},
      {"models: 65 of them", post, jobs,
       field("\"models\": [\"a\"" +
             [] {
               std::string s;
               for (int i = 0; i < 64; ++i) s += ", \"a\"";
               return s;
             }() +
             "]"),
       400, "invalid_field"},
      {"models: unknown", post, jobs, field(R"("models": ["abacus"])"), 404, "unknown_gpu_model"},
      {"regions: unknown", post, jobs, field(R"("regions": ["atlantis"])"), 404, "unknown_region"},
      {"a shape that no pool has", post, jobs, whole("3", "1000", R"(, "members": 3)"), 422,
       "no_pool_fits"},
      {"argv is a text", post, jobs, spec(R"("argv": "true")"), 400, "invalid_field"},
      {"argv is empty", post, jobs, spec(R"("argv": [])"), 400, "invalid_field"},
      {"argv names nothing", post, jobs, spec(R"("argv": [""])"), 400, "invalid_field"},
      {"argv with a NUL", post, jobs, spec(R"("argv": ["a\u0000b"])"), 400, "invalid_field"},
      {"environment with a bad name", post, jobs,
       spec(R"("argv": ["true"], "environment": {"A=B": "1"})"), 400, "invalid_field"},
      {"environment with a number", post, jobs,
       spec(R"("argv": ["true"], "environment": {"A": 1})"), 400, "invalid_field"},
      {"a relative directory", post, jobs, spec(R"("argv": ["true"], "directory": "here")"), 400,
       "invalid_field"},
      {"grace negative", post, jobs, spec(R"("argv": ["true"], "grace_ms": -1)"), 400,
       "invalid_field"},
      {"run over 256 KiB", post, jobs, spec(R"("argv": [")" + std::string(300'000, 'x') + R"("])"),
       400, "invalid_field"},
      {"a body over 1 MiB", post, jobs,
       spec(R"("argv": [")" + std::string(1'100'000, 'x') + R"("])"), 413, "body_too_large"},
      {"an unknown project", post, jobs,
       R"({"project": "nobody", "gpus": 1, "time_limit_ms": 1000, )" + run + "}", 404,
       "unknown_project"},
      {"a project without credit", post, jobs,
       R"({"project": "poor", "gpus": 1, "time_limit_ms": 1000, )" + run + "}", 402, "no_credit"},
      {"more than there is credit for", post, jobs, whole("8", "34560000000"), 402,
       "insufficient_credit"},
      {"a quote of nonsense", post, "/v1/quote", "{]", 400, "malformed_request"},
      {"a quote with an unknown field", post, "/v1/quote", field(R"("soon": true)"), 400,
       "invalid_field"},
      // declarations
      {"a name in capitals", post, "/v1/regions", R"({"name": "Tokyo"})", 422, "name_invalid"},
      {"a name too long", post, "/v1/regions", R"({"name": ")" + std::string(65, 'a') + R"("})",
       422, "name_invalid"},
      {"no name", post, "/v1/regions", R"({"title": "x"})", 400, "invalid_field"},
      {"a title too long", post, "/v1/regions",
       R"({"name": "x", "title": ")" + std::string(500, 'a') + R"("})", 422, "title_too_long"},
      {"another of the same name", post, "/v1/nodes",
       R"({"name": "node-0", "pool": "pool", "first_device": 1})", 409, "name_taken"},
      {"a role that no project has", post, "/v1/members",
       R"({"project": "project", "person": "member", "role": "officer"})", 422, "role_invalid"},
      {"a project and a programme", post, "/v1/members",
       R"({"project": "project", "programme": "programme", "person": "member", "role": "auditor"})",
       422, "scope_invalid"},
      {"a role in a programme that is not said", post, "/v1/members",
       R"({"programme": "programme", "person": "member"})", 400, "invalid_field"},
      {"to remove from nothing", post, "/v1/members/remove", R"({"person": "member"})", 422,
       "scope_invalid"},
      {"the last officer becomes a member", post, "/v1/persons", R"({"name": "admin"})", 409,
       "last_officer"},
      {"the last officer is disabled", post, "/v1/persons/admin/disable", "", 409, "last_officer"},
      {"a token of an unknown scope", post, "/v1/tokens",
       R"({"person": "member", "scope": "some"})", 400, "invalid_field"},
      {"an allocation below what is spent", post, "/v1/allocations",
       R"({"name": "allocation", "grant": "grant", "project": "project", "amount": "0.000001"})",
       409, "allocation_in_use"},
      {"a lot below what is allocated", post, "/v1/lots",
       R"({"name": "lot", "grant": "grant", "funder": "funder", "amount": {"amount": "1", "currency": "USD"},
           "valid_from": "2020-01-01T00:00:00Z", "expires": "2099-01-01T00:00:00Z"})",
       409, "lot_in_use"},
      {"a lot that ends in the past", post, "/v1/lots",
       R"({"name": "lot", "grant": "grant", "funder": "funder", "amount": {"amount": "1500000", "currency": "USD"},
           "valid_from": "2020-01-01T00:00:00Z", "expires": "2021-01-01T00:00:00Z"})",
       422, "expiry_past"},
      {"a commitment below what is in lots", post, "/v1/funders",
       R"({"name": "funder", "commitment": {"amount": "1", "currency": "USD"}, "credits_per_unit": "1"})",
       409, "commitment_in_use"},
      {"a kind that is not", post, "/v1/galaxies", R"({"name": "x"})", 404, "not_found"},
      {"credits with seven decimals", post, "/v1/allocations",
       R"({"name": "x", "grant": "grant", "project": "project", "amount": "0.0000001"})", 400,
       "invalid_field"},
      {"credits beyond 2^63", post, "/v1/allocations",
       R"({"name": "x", "grant": "grant", "project": "project", "amount": "9223372036854.775808"})",
       400, "invalid_field"},
      {"credits: more than the grant has", post, "/v1/allocations",
       R"({"name": "x", "grant": "grant", "project": "project", "amount": "9223372036854.775807"})",
       422, "amount_too_large"},
      {"credits: negative", post, "/v1/allocations",
       R"({"name": "x", "grant": "grant", "project": "project", "amount": "-1"})", 422,
       "amount_must_be_positive"},
      {"money without a currency", post, "/v1/lots",
       lot(R"({"amount": "1"})", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"), 400,
       "invalid_field"},
      {"money as a number", post, "/v1/lots",
       lot("1", "2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"), 400, "malformed_request"},
      {"money with three decimals of a dollar", post, "/v1/lots",
       lot(R"({"amount": "1.001", "currency": "USD"})", "2020-01-01T00:00:00Z",
           "2021-01-01T00:00:00Z"),
       400, "invalid_field"},
      {"an instant that is no day", post, "/v1/lots",
       lot(dollar, "2020-02-30T00:00:00Z", "2021-01-01T00:00:00Z"), 400, "invalid_field"},
      {"an instant without a zone", post, "/v1/lots",
       lot(dollar, "2020-02-01T00:00:00", "2021-01-01T00:00:00Z"), 400, "invalid_field"},
      {"an end before its beginning", post, "/v1/lots",
       lot(dollar, "2022-01-01T00:00:00Z", "2021-01-01T00:00:00Z"), 422, "validity_invalid"},
      {"a pool with 33 GPUs on a node", post, "/v1/pools",
       R"({"name": "x", "provider": "provider", "region": "region", "gpu_model": "m", "gpus_per_node": 33})",
       400, "invalid_field"},
      {"a fraction that is cheaper", post, "/v1/prices",
       R"({"pool": "pool", "gpu_hour": "1", "fraction_factor": "0.5"})", 422, "price_invalid"},
      {"a fraction's factor beyond 32 bits", post, "/v1/prices",
       R"({"pool": "pool", "gpu_hour": "1", "fraction_factor": "4295.967296"})", 422,
       "price_invalid"},
      {"a role that is not", post, "/v1/persons", R"({"name": "x", "role": "king"})", 400,
       "invalid_field"},
      {"a policy that is not", post, "/v1/policies", R"({"backfill": "magic"})", 400,
       "invalid_field"},
      {"apply without items", post, "/v1/apply", "{}", 400, "invalid_field"},
      {"apply: items is an object", post, "/v1/apply", R"({"items": {}})", 400, "invalid_field"},
      {"apply: a mistake in the second", post, "/v1/apply",
       R"({"items": [{"kind": "region", "name": "fine"}, {"kind": "region"}]})", 400,
       "invalid_field"},
      {"apply: a kind that is not", post, "/v1/apply",
       R"({"items": [{"kind": "galaxy", "name": "x"}]})", 400, "invalid_field"},
      {"apply: an item that is a number", post, "/v1/apply", R"({"items": [7]})", 400,
       "invalid_field"},
      {"a token that is for nobody", post, "/v1/tokens", R"({"person": "nobody"})", 404,
       "unknown_person"},
      {"a token that ended long ago", post, "/v1/tokens",
       R"({"person": "member", "expires": "1999-01-01T00:00:00Z"})", 422, "validity_invalid"},
      // addresses
      {"nowhere", get, "/nowhere", "", 404, "not_found"},
      {"outside the version", get, "/v2/jobs", "", 404, "not_found"},
      {"a broken encoding", get, "/v1/jobs/%zz", "", 400, "malformed_request"},
      {"half an encoding in the query", get, "/v1/jobs?project=%a", "", 400, "malformed_request"},
      {"a path that climbs", get, "/v1/jobs/../../etc/passwd", "", 404, "not_found"},
      {"a job that is a word", get, "/v1/jobs/seven", "", 404, "not_found"},
      {"job 0", get, "/v1/jobs/0", "", 404, "not_found"},
      {"job -1", get, "/v1/jobs/-1", "", 404, "not_found"},
      {"job 1.0", get, "/v1/jobs/1.0", "", 404, "not_found"},
      {"job 2^64", get, "/v1/jobs/18446744073709551616", "", 404, "not_found"},
      {"a job that is not", get, "/v1/jobs/999999", "", 404, "unknown_job"},
      {"to cancel a job that is not", post, "/v1/jobs/999999/cancel", "", 404, "unknown_job"},
      {"to explain a job that is not", get, "/v1/jobs/999999/explain", "", 404, "unknown_job"},
      {"output of a job that is not", get, "/v1/jobs/999999/output", "", 404, "unknown_job"},
      {"wait for a job that is not", get, "/v1/jobs/999999/wait", "", 404, "unknown_job"},
      {"to wait for ever", get, "/v1/jobs/1/wait?timeout_ms=999999999999", "", 400,
       "invalid_field"},
      {"a stream that is not", get, "/v1/jobs/1/output?stream=../../journal.db", "", 400,
       "invalid_field"},
      {"an offset below 0", get, "/v1/jobs/1/output?offset=-1", "", 400, "invalid_field"},
      {"an offset that is no number", get, "/v1/jobs/1/output?offset=end", "", 400,
       "invalid_field"},
      {"a filter that is not", get, "/v1/jobs?colour=blue", "", 400, "invalid_field"},
      {"a limit of 0", get, "/v1/jobs?limit=0", "", 400, "invalid_field"},
      {"a limit of a million", get, "/v1/jobs?limit=1000000", "", 400, "invalid_field"},
      {"a filter of former days", get, "/v1/jobs?before=1", "", 400, "invalid_field"},
      {"a node that is not", post, "/v1/nodes/nowhere/drain", "", 404, "unknown_node"},
      {"what no node does", post, "/v1/nodes/node-0/explode", "", 404, "not_found"},
      {"a token that is not", post, "/v1/tokens/999/revoke", "", 404, "unknown_token"},
      {"a balance of nobody", get, "/v1/projects/nobody/balance", "", 404, "unknown_project"},
      {"a statement of nobody", get, "/v1/projects/nobody/statement", "", 404, "unknown_project"},
      // methods
      {"DELETE", "DELETE", jobs, "", 405, "method_not_allowed"},
      {"PUT", "PUT", "/v1/regions", R"({"name": "x"})", 405, "method_not_allowed"},
      {"PATCH", "PATCH", "/v1/apply", "{}", 405, "method_not_allowed"},
      {"GET where one acts", get, "/v1/nodes/node-0/drain", "", 405, "method_not_allowed"},
      {"GET to cancel", get, "/v1/jobs/1/cancel", "", 405, "method_not_allowed"},
      {"POST where one asks", post, "/v1/fleet", "{}", 405, "method_not_allowed"},
      {"a method of one's own", "BREW", jobs, "", 405, "method_not_allowed"},
      {"a method in small letters", "post", jobs, "", 405, "method_not_allowed"},
  };
}

void check_problem(const Reply& reply, int status, const std::string& code) {
  CAPTURE(reply.body.substr(0, 600));
  CAPTURE(reply.trouble);
  CHECK(reply.status == status);
  CHECK(reply.type == "application/problem+json");
  CHECK(reply.text("code").value_or("") == code);
  CHECK(reply.text("type").value_or("") == "urn:tenbin:" + code);
  CHECK(reply.number("status").value_or(0) == status);
  CHECK(!reply.text("texts.en").value_or("").empty());
  CHECK(!reply.text("texts.ja").value_or("").empty());
  // What the server refuses before it has read who asks is in both languages.
  const std::string english = reply.text("texts.en").value_or("");
  const std::string detail = reply.text("detail").value_or("");
  CHECK((detail == english || detail == english + " / " + reply.text("texts.ja").value_or("")));
}

TEST_CASE("bad input is answered with the documented problem and changes nothing") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  const auto token_of = [&](const std::string& person) {
    return officer.post("/v1/tokens", R"({"person": ")" + person + R"("})")
        .text("token")
        .value_or("");
  };
  Caller member(service.url(), token_of("member")), stranger(service.url(), token_of("stranger"));
  const Reply mine = officer.post("/v1/jobs", job_with(run));
  REQUIRE(mine.status == 201);
  const std::string job = "/v1/jobs/" + std::to_string(mine.number("job").value_or(0));
  REQUIRE(officer.get(job + "/wait").status == 200);
  const std::int64_t before = records(folder.state());

  for (const Row& row : table()) {
    CAPTURE(row.what);
    check_problem(officer.send(row.method, row.target, row.body), row.status, row.code);
  }
  // Keys
  for (const std::string key :
       {"x", "1234", "00000000-0000-0000-0000-000000000000", "0190c5f0-0000-7000-8000-00000000000g",
        "0190c5f0000070008000000000000001 ", "0190c5f0-0000-7000-8000-0000000000011"}) {
    CAPTURE(key);
    check_problem(officer.post("/v1/jobs", job_with(run), key), 400, "invalid_field");
    check_problem(officer.post("/v1/regions", R"({"name": "x"})", key), 400, "invalid_field");
    check_problem(officer.post("/v1/apply", R"({"items": []})", key), 400, "invalid_field");
  }
  // Who are you
  for (const std::string secret :
       {"", "tnb_", "no", "tnb_0000000000000000000000000000000000000000000000000000000000000000"}) {
    CAPTURE(secret);
    Caller nobody(service.url(), secret);
    check_problem(nobody.get("/v1/fleet"), 401, "unauthorised");
    check_problem(nobody.post("/v1/jobs", job_with(run)), 401, "unauthorised");
  }
  // Other people's things: for a stranger they do not exist, and a job that never was is answered
  // alike.
  for (const std::string& address : {job, job + "/explain", job + "/output", job + "/wait"}) {
    CAPTURE(address);
    check_problem(stranger.get(address), 404, "unknown_job");
    CHECK(member.get(address).status == 200);
  }
  check_problem(stranger.post(job + "/cancel", ""), 404, "unknown_job");
  check_problem(member.post(job + "/cancel", ""), 409, "job_settled");
  check_problem(stranger.get("/v1/projects/project/balance"), 404, "unknown_project");
  check_problem(stranger.get("/v1/projects/project/statement"), 404, "unknown_project");
  const Reply theirs = stranger.post("/v1/jobs", job_with(run));
  CHECK((theirs.status == 403 || theirs.status == 404));
  const Reply quoted = stranger.post("/v1/quote", job_with(run));
  CHECK((quoted.status == 403 || quoted.status == 404));
  CHECK(stranger.get("/v1/jobs").body.find("\"items\":[]") != std::string::npos);
  check_problem(stranger.get("/v1/jobs?project=project"), 404, "unknown_project");
  check_problem(stranger.get("/v1/jobs?project=nobody"), 404, "unknown_project");
  for (const std::string kind : {"funders", "lots", "grants", "persons"}) {
    CAPTURE(kind);
    check_problem(member.get("/v1/" + kind), 403, "not_permitted");
  }
  for (const std::string kind :
       {"funders", "programmes", "organisations", "regions", "providers"}) {
    CAPTURE(kind);
    const Reply refused = member.post(
        "/v1/" + kind,
        kind == "funders"
            ? R"({"name": "x", "commitment": {"amount": "1", "currency": "USD"}, "credits_per_unit": "1"})"
            : R"({"name": "x"})");
    check_problem(refused, 403, "not_permitted");
  }
  check_problem(member.post("/v1/nodes/node-0/drain", ""), 403, "not_permitted");
  check_problem(member.post("/v1/tokens", R"({"person": "admin"})"), 404, "unknown_person");
  check_problem(member.post("/v1/tokens", R"({"person": "no-one"})"), 404, "unknown_person");
  check_problem(member.post("/v1/tokens/1/revoke", ""), 404, "unknown_token");
  check_problem(member.get("/v1/statement"), 403, "not_permitted");
  // Japanese, if that is what one reads
  const Reply japanese = officer.send("POST", "/v1/jobs", "{", {{"Accept-Language", "ja"}});
  CHECK(japanese.text("detail") == japanese.text("texts.ja"));

  CHECK(records(folder.state()) == before);
  CHECK(officer.get("/v1/statement").body.find("\"adds_up\":true") != std::string::npos);
}

}  // namespace
}  // namespace tenbin::faults
