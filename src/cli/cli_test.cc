#include "cli/cli.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/fake_service.h"
#include "cli/files.h"
#include "cli/table.h"
#include "cli/values.h"
#include "cli/width.h"
#include "codec/hash.h"

// The commands are run in this process against a service that gives canned answers and remembers
// what it was asked. What they print is compared to the letter, in both languages.

namespace tenbin::cli {
namespace {

const std::string job_12 =
    R"({"id":12,"array":null,"task":0,"project":"tokyo-llm","person":"sato","name":"学習 one","state":"running",)"
    R"("shape":"count","gpus":"8","members":1,"time_limit_ms":5400000,"submitted":"2027-03-30T08:00:00Z",)"
    R"("started":"2027-03-30T08:00:05Z","ended":null,"region":"japan-east","pool":"east-h100","nodes":["e1"],)"
    R"("attempt":1,"held":"1234.500000","charged":null,"code":null,"expected_start":null})";

std::string ended(const std::string& state, const std::string& exit) {
  return R"({"id":12,"state":")" + state + R"(","attempt":1,"code":)" + exit + "}";
}

TEST_CASE("lengths of time: what people write") {
  CHECK(parse_span("90s") == Span{90'000});
  CHECK(parse_span("10m") == Span{600'000});
  CHECK(parse_span("2h") == Span{7'200'000});
  CHECK(parse_span("1h30m") == Span{5'400'000});
  CHECK(parse_span("1.5h") == Span{5'400'000});
  CHECK(parse_span("250ms") == Span{250});
  CHECK(parse_span("1-12:00:00") == Span{129'600'000});
  CHECK(parse_span("1-12") == Span{129'600'000});
  CHECK(parse_span("01:02:03") == Span{3'723'000});
  CHECK(parse_span("100:00:00") == Span{360'000'000});
  CHECK(parse_span("400d") == Span{400LL * 86'400'000});
  for (const char* bad : {"",
                          "10",
                          "0s",
                          "s",
                          "-5m",
                          "5x",
                          "1m1h",
                          "1h1h",
                          "10:00",
                          "1:60:00",
                          "1-24:00:00",
                          "1-",
                          "-1:00:00",
                          "401d",
                          "1e3s",
                          " 5m",
                          "5m ",
                          "1.0001s",
                          "99999999999999999999h",
                          "1:2:3:4",
                          "0.0001ms"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_span(bad));
  }
  for (const std::int64_t ms : {1LL, 999LL, 1'000LL, 5'400'000LL, 129'600'000LL, 90'061'001LL}) {
    CHECK(parse_span(span_text(ms)) == Span{ms});
  }
  CHECK(span_text(5'400'000) == "1h30m");
}

TEST_CASE("memory, GPUs, decimals: good and bad") {
  CHECK(parse_bytes("4G", BytesAlone::no) == std::int64_t{4} << 30);
  CHECK(parse_bytes("512MiB", BytesAlone::no) == std::int64_t{512} << 20);
  CHECK(parse_bytes("1.5g", BytesAlone::no) == std::int64_t{1536} << 20);
  CHECK(parse_bytes("65536", BytesAlone::yes) == 65'536);
  for (const char* bad :
       {"", "4", "4K", "G", "4X", "4GG", "-4G", "1.2345G", "4 G", "99999999999T"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_bytes(bad, BytesAlone::no));
  }
  CHECK(parse_gpus("0.25") == Gpus{250});
  CHECK(parse_gpus("8") == Gpus{8'000});
  CHECK(parse_gpus("1.0") == Gpus{1'000});
  for (const char* bad : {"", "0", "1.5", "-1", "0.0001", "a", "8x", "100001", "."}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_gpus(bad));
  }
  CHECK(parse_credits("-0.5") == Wide{-500'000});
  CHECK(credits_text(-500'000) == "-0.5");
  CHECK(credits_text(0) == "0");
  CHECK(credits_text(Wide{1'234'567} * 1'000'000 + 1) == "1234567.000001");
  CHECK(grouped("1234567.500000") == "1,234,567.5");
  CHECK(grouped("100.000000") == "100");
  CHECK(grouped("-1000") == "-1,000");
  CHECK(grouped("12.") == "12.");
  CHECK(grouped("many") == "many");
}

TEST_CASE("instants are shown where the viewer is") {
  CHECK(instant_text("2027-03-30T15:30:00Z", Zone::from("Asia/Tokyo")) ==
        "2027-03-31 00:30:00 JST");
  CHECK(instant_text("2027-03-30T15:30:00.123Z", Zone::from("UTC")) == "2027-03-30 15:30:00 UTC");
  CHECK(instant_text("2099-12-31T23:59:59Z", Zone::from("Japan")) == "2100-01-01 08:59:59 JST");
  CHECK(instant_text("2027-02-30T15:30:00Z", Zone::from("UTC")) == "2027-02-30T15:30:00Z");
  CHECK(instant_text("soon", Zone::from("UTC")) == "soon");
  CHECK(Zone::from("No/Such").kind == Zone::Kind::utc);
}

TEST_CASE("width: Japanese is two columns wide, marks none") {
  CHECK(width_of("abc") == 3);
  CHECK(width_of("天秤") == 4);
  CHECK(width_of("ｶﾅ") == 2);  // half-width
  CHECK(width_of("が") == 2);  // か and a combining mark
  CHECK(width_of("é") == 1);
  CHECK(width_of("ＡＢ") == 4);  // full-width
  CHECK(width_of("😀") == 2);
  CHECK(width_of("한글") == 4);
  CHECK(width_of("\xff\xfe") == 2);   // not UTF-8: a replacement character each
  CHECK(width_of("a\xe5\xa4") == 2);  // cut off
  CHECK(printable("a\x1b[31mb\n\xe2\x80\xae") == "a\uFFFD[31mb\uFFFD\uFFFD");
}

TEST_CASE("UUIDs are of version 7 and never the same") {
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string uuid = new_uuid();
    REQUIRE(uuid_from(uuid));
    CHECK(uuid[14] == '7');
    CHECK(std::string("89ab").find(uuid[19]) != std::string::npos);
    CHECK(seen.insert(uuid).second);
  }
}

TEST_CASE("both languages fill in the same figures") {
  for (const PhraseText& phrase : phrase_table) {
    CAPTURE(phrase.english);
    if (&phrase == &phrase_table[static_cast<std::size_t>(Phrase::empty)]) continue;
    CHECK_FALSE(phrase.english.empty());
    CHECK_FALSE(phrase.japanese.empty());
    for (const char* hole : {"{0}", "{1}", "{2}", "{3}", "{4}"})
      CHECK(has(phrase.english, hole) == has(phrase.japanese, hole));
    // Every text must be fit for formatting.
    const auto filled = [](std::string_view text) {
      const std::string a = "a";
      return fmt::vformat(text, fmt::make_format_args(a, a, a, a, a));
    };
    CHECK_FALSE(filled(phrase.english).empty());
    CHECK_FALSE(filled(phrase.japanese).empty());
  }
}

TEST_CASE("a member of an answer is cut out as it is written") {
  CHECK(raw_member(R"({"items": [1, {"items":2}] , "next":null})", "items") ==
        R"([1, {"items":2}])");
  CHECK(raw_member(R"({"a":"items","items":[]})", "items") == "[]");
  CHECK(raw_member(R"({"a":"}\",","b":{"c":"]"}})", "b") == R"({"c":"]"})");
  CHECK(raw_member(R"({"a":1})", "b").empty());
}

TEST_CASE("jobs: table, Japanese, JSON, CSV") {
  Fake fake;
  fake.expect("GET /v1/jobs?project=tokyo-llm&limit=100",
              json(R"({"items": [)" + job_12 + R"(], "next": null})"));
  const Args args{"jobs", "--project", "tokyo-llm"};

  Ran ran = fake.run(args);
  CHECK(ran.exit == 0);
  CHECK(ran.err == "");
  CHECK(ran.out ==
        "ID  NAME      PROJECT    PERSON  STATE    GPUS  MEMBERS  POOL       LIMIT  SUBMITTED      "
        "          STARTED              "
        "       HELD  CHARGED\n"
        "12  学習 one  tokyo-llm  sato    running     8        1  east-h100  1h30m  2027-03-30 "
        "17:00:00 JST  2027-03-30 17:00:05 "
        "JST  1,234.5        -\n");
  CHECK(fake.last().header("Authorization") == "Bearer secret");
  CHECK(fake.last().header("Accept-Language") == "en");

  ran = fake.run({"jobs", "--project=tokyo-llm", "--lang", "ja"});
  CHECK(ran.out ==
        "ID  名前      プロジェクト  利用者  状態    GPU  メンバー  プール     制限時間  投入      "
        "               開始            "
        "            確保  課金\n"
        "12  学習 one  tokyo-llm     sato    実行中    8         1  east-h100     1h30m  "
        "2027-03-30 17:00:00 JST  2027-03-30 "
        "17:00:05 JST  1,234.5     -\n");
  CHECK(fake.last().header("Accept-Language") == "ja");

  ran = fake.run({"-o", "json", "jobs", "--project", "tokyo-llm"});
  CHECK(ran.out == "[" + job_12 + "]\n");

  ran = fake.run({"jobs", "-ocsv", "--project", "tokyo-llm"});
  CHECK(ran.out ==
        "id,name,project,person,state,gpus,members,pool,time_limit_ms,submitted,started,held,"
        "charged\n"
        "12,学習 "
        "one,tokyo-llm,sato,running,8,1,east-h100,5400000,2027-03-30T08:00:00Z,2027-03-30T08:00:"
        "05Z,1234.500000,\n");
}

TEST_CASE("jobs: nothing is [], and --all turns the pages") {
  Fake fake;
  fake.expect("GET /v1/jobs?limit=100", json(R"({"items":[],"next":null})"));
  CHECK(fake.run({"jobs", "-o", "json"}).out == "[]\n");
  const Ran none = fake.run({"jobs"});
  CHECK(none.out == "");
  CHECK(none.err == "nothing to show\n");
  CHECK(fake.run({"jobs"}, {{"LANG", "ja_JP.UTF-8"}}).err == "表示するものはありません\n");
  CHECK(fake.run({"jobs"}, {{"LANG", "ja_JP.UTF-8"}, {"LC_ALL", "C"}}).err == "nothing to show\n");

  fake.expect("GET /v1/jobs?limit=1000", json(R"({"items":[{"id":3},{"id":2}],"next":"7~2"})"));
  fake.expect("GET /v1/jobs?cursor=7~2&limit=1000", json(R"({"items":[{"id":1}],"next":null})"));
  CHECK(fake.run({"jobs", "--all", "-o", "json"}).out == "[{\"id\":3},{\"id\":2},{\"id\":1}]\n");
  CHECK(fake.run({"jobs", "--limit", "x"}).exit == 2);
}

TEST_CASE("colour only where it is wanted, and never alone") {
  Fake fake;
  fake.expect("GET /v1/jobs?limit=100",
              json(R"({"items":[{"id":1,"state":"failed"}],"next":null})"));
  const Args args{"jobs"};
  CHECK_FALSE(has(fake.run(args).out, "\x1b"));
  const std::string forced = fake.run(args, {{"CLICOLOR_FORCE", "1"}}).out;
  CHECK(has(forced, "\x1b[31mfailed\x1b[0m"));
  CHECK_FALSE(has(fake.run(args, {{"CLICOLOR_FORCE", "1"}, {"NO_COLOR", "1"}}).out, "\x1b"));
  CHECK(has(fake.run({"jobs", "--color", "always"}, {{"NO_COLOR", "1"}}).out, "\x1b"));
  CHECK_FALSE(has(fake.run({"jobs", "--color=never"}, {{"CLICOLOR_FORCE", "1"}}).out, "\x1b"));
  CHECK(fake.run({"jobs", "--color=sometimes"}).exit == 2);
}

TEST_CASE("submit: flags, file, and flags over the file") {
  Fake fake;
  Folder folder;
  fake.expect("POST /v1/jobs", json(R"({"job": 12, "tasks": 1, "held": "16.000000"})", 201));

  Ran ran =
      fake.run({"submit",     "--project",    "tokyo-llm", "--name",  "学習",   "--gpus",
                "0.25",       "--members",    "2",         "--cpus",  "1.5",    "--memory",
                "4G",         "--model",      "h100",      "--model", "a100",   "--region",
                "japan-east", "--time-limit", "10m",       "--tasks", "3",      "--env",
                "A=1",        "--env",        "B=x=y",     "--dir",   "/srv",   "--output-cap",
                "1M",         "--grace",      "5s",        "--",      "python", "train.py",
                "--lr",       "0.1"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "job 12 submitted; 16 credits held\n");
  CHECK(
      fake.last().body ==
      R"({"project":"tokyo-llm","name":"学習","gpus":"0.25","members":2,"cpus":"1.5","memory_mib":4096,"models":["h100","a100"],)"
      R"("regions":["japan-east"],"time_limit_ms":600000,"tasks":3,"run":{"argv":["python","train.py","--lr","0.1"],)"
      R"("environment":{"A":"1","B":"x=y"},"directory":"/srv","output_cap":1048576,"grace_ms":5000}})");
  CHECK(fake.last().header("Content-Type") == "application/json");
  CHECK(uuid_from(fake.last().header("Idempotency-Key")));

  const std::string file = folder.put(
      "job.toml",
      "project = 'tokyo-llm'\ngpus = 8\ntime_limit = '2h'\nmemory = '512M'\nregions = ['a', 'b']\n"
      "command = ['sh', '-c', 'true']\noutput_cap = '2K'\n[environment]\nA = '1'\n");
  ran = fake.run({"submit", file, "--gpus", "4", "--env", "B=2", "-q"});
  CHECK(ran.out == "12\n");
  CHECK(
      fake.last().body ==
      R"({"project":"tokyo-llm","gpus":"4","memory_mib":512,"regions":["a","b"],"time_limit_ms":7200000,)"
      R"("run":{"argv":["sh","-c","true"],"environment":{"A":"1","B":"2"},"output_cap":2048}})");
  CHECK(fake.run({"submit", file, "--lang", "ja"}).out ==
        "ジョブ 12 を投入しました（16 クレジットを確保）\n");
  CHECK(fake.run({"submit", file, "-o", "json"}).out ==
        "{\"job\": 12, \"tasks\": 1, \"held\": \"16.000000\"}\n");
  CHECK(fake.run({"submit", file, "-o", "csv"}).out == "job,tasks,held\n12,1,16.000000\n");
}

TEST_CASE("submit: what is missing or wrong is said before anything is sent") {
  Fake fake;
  const auto refused = [&](Args flags, std::string_view why) {
    Args args{"submit", "--project", "p", "--gpus", "1", "--time-limit", "1m"};
    args.insert(args.end(), flags.begin(), flags.end());
    const Ran ran = fake.run(args);
    CAPTURE(ran.err);
    CHECK(ran.exit == 2);
    CHECK(ran.out == "");
    CHECK(has(ran.err, why));
    CHECK(has(ran.err, "code: usage"));
  };
  refused({}, "missing: -- COMMAND ARGS...");
  refused({"--env", "A", "--", "x"}, "--env cannot be \"A\": NAME=VALUE");
  refused({"--memory", "4", "--", "x"}, "--memory cannot be \"4\"");
  refused({"--dir", "here", "--", "x"}, "an absolute path");
  refused({"--tasks", "-1", "--", "x"}, "--tasks cannot be \"-1\": a whole number");
  refused({"--tasks", "--", "x"}, "--tasks needs a value");
  refused({"--frob", "--", "x"}, "do not know what to do with: --frob");
  CHECK(has(fake.run({"submit", "--project", "p", "--gpus", "1.5", "--", "x"}).err,
            "--gpus cannot be \"1.5\""));
  CHECK(has(
      fake.run({"submit", "--project", "p", "--gpus", "1", "--time-limit", "10", "--", "x"}).err,
      "--time-limit cannot be \"10\""));
  CHECK(has(fake.run({"submit", "--lang", "ja", "--gpus", "1", "--", "x"}).err,
            "不足しています: --project NAME"));
  CHECK(fake.run({"jobs", "--", "x"}).exit == 2);
  CHECK(fake.asked().empty());
}

TEST_CASE("TOML errors name the line") {
  Fake fake;
  Folder folder;
  const auto error = [&](const Args& before, const std::string& text) {
    const std::string file = folder.put("f.toml", text);
    Args args = before;
    args.push_back(file);
    const Ran ran = fake.run(args);
    CHECK(ran.exit == 2);
    const std::size_t at = ran.err.find("f.toml");
    return at == std::string::npos ? ran.err : ran.err.substr(at, ran.err.find('\n') - at);
  };
  const Args apply{"apply", "-f"}, submit{"submit"};
  CHECK(has(error(apply, "[[funder]]\nname = \n"), "f.toml:2: not TOML: "));
  CHECK(has(error(apply, "\n[[fundr]]\nname = 'a'\n"),
            "f.toml:2: no such kind of thing: fundr; there are: funder programme"));
  CHECK(error(apply, "[region]\nname = 'a'\n") == "f.toml:1: write [[region]], with two brackets");
  CHECK(error(apply, "[[region]]\nname = 'a'\ntitel = 'b'\n") ==
        "f.toml:3: no such field: titel; there are: name title; did you mean title?");
  CHECK(error(apply, "[[region]]\ntitle = 'b'\n") == "f.toml:1: region needs name");
  CHECK(error(apply, "[[region]]\nname = 5\n") == "f.toml:2: name must be a text");
  CHECK(has(error(apply, "[[price]]\npool = 'a'\ngpu_hour = 'dear'\n"),
            "f.toml:3: gpu_hour must be a number with at most 6"));
  CHECK(has(error(apply, "[[price]]\npool = 'a'\ngpu_hour = 0.0000001\n"),
            "f.toml:3: gpu_hour must be"));
  CHECK(has(error(apply, "[[funder]]\nname = 'a'\ncommitment = 5\ncredits_per_unit = 1\n"),
            "f.toml:3: commitment must be { amount"));
  CHECK(has(error(apply, "[[lot]]\nname = 'a'\nvalid_from = 2027-01-01T00:00:00\n"),
            "f.toml:3: valid_from must be an instant"));
  CHECK(has(error(apply, "# nothing\n"), "f.toml declares nothing"));
  CHECK(has(error(submit, "gpus = 1\ncommandd = ['a']\n"),
            "f.toml:2: no such field: commandd; there are: project name gpus"));
  CHECK(has(error(submit, "gpus = 1\ntime_limit = 10\n"), "f.toml:2: time_limit must be a text"));
  CHECK(has(error(submit, "gpus = 1.5\n"), "f.toml:1: gpus must be a fraction below 1"));
  CHECK(has(error(submit, "command = ['a',\n 5]\n"), "f.toml:2: command must be a list of texts"));
  CHECK(fake.asked().empty());
  CHECK(fake.run({"apply", "-f", "/no/such.toml"}).exit == 3);
  CHECK(fake.run({"apply"}).exit == 2);
}

TEST_CASE("apply: one request, in the order of dependence") {
  Fake fake;
  Folder folder;
  const std::string file = folder.put("all.toml", R"(
[[member]]
project = "p"
person = "sato"

[[lot]]
name = "l1"
grant = "g"
funder = "f"
amount = { amount = "100.50", currency = "USD" }
valid_from = 2027-01-01T00:00:00+09:00
expires = "2028-01-01T00:00:00Z"
regions = ["east"]

[[region]]
title = "東"
name = "east"

[[region]]
name = "west"

[[funder]]
name = "f"
commitment = { amount = 1000, currency = "USD" }
credits_per_unit = 1.25

[[price]]
pool = "a"
gpu_hour = 2.5
)");
  fake.expect(
      "POST /v1/apply",
      json(R"({"items":[{"kind":"funder","name":"f","result":"created","id":1},)"
           R"({"kind":"region","name":"east","result":"unchanged","id":1}],"refused":null})"));
  Ran ran = fake.run({"apply", "-f", file});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "created funder f\n1 created, 1 unchanged\n");
  CHECK(
      fake.last().body ==
      R"({"items":[{"kind":"funder","name":"f","commitment":{"amount":"1000","currency":"USD"},"credits_per_unit":"1.25"},)"
      R"({"kind":"region","title":"東","name":"east"},{"kind":"region","name":"west"},)"
      R"({"kind":"price","pool":"a","gpu_hour":"2.5"},)"
      R"({"kind":"lot","name":"l1","grant":"g","funder":"f","amount":{"amount":"100.50","currency":"USD"},)"
      R"("valid_from":"2027-01-01T00:00:00+09:00","expires":"2028-01-01T00:00:00Z","regions":["east"]},)"
      R"({"kind":"member","project":"p","person":"sato"}]})");
  CHECK(
      fake.run({"apply", "-f", file, "-o", "json"}).out ==
      R"([{"kind":"funder","name":"f","result":"created","id":1},{"kind":"region","name":"east","result":"unchanged","id":1}])"
      "\n");
  CHECK(fake.run({"apply", "-f", file, "--lang", "ja"}).out ==
        "登録: funder f\n登録 1 件、変更なし 1 件\n");
}

TEST_CASE("apply: what is refused is named by its line") {
  Fake fake;
  Folder folder;
  const std::string file =
      folder.put("r.toml", "[[region]]\nname = 'a'\n\n[[region]]\nname = 'b'\ntitle = 'B'\n");
  fake.expect(
      "POST /v1/apply",
      json(
          R"({"items":[{"kind":"region","name":"a","result":"created","id":1}],"refused":{"index":1,"problem":)" +
          problem(409, "name_taken", "exists already", "登録済みです").body + "}}"));
  const Ran ran = fake.run({"apply", "-f", file});
  CHECK(ran.exit == 5);
  CHECK(ran.out == "created region a\n1 created, 0 unchanged\n");
  CHECK(ran.err == "tenbin apply: " + file + ":4: region b: exists already\n" +
                       "  try: choose another name, or declare it as it is\n  code: name_taken\n");
}

TEST_CASE("errors: why, what to do, code; in JSON the problem as it came; exit codes") {
  Fake fake;
  const net::Response credit = problem(402, "insufficient_credit", "needs 40", "40 必要です");
  fake.expect("GET /v1/whoami", credit);
  Ran ran = fake.run({"whoami"});
  CHECK(ran.exit == 6);
  CHECK(ran.out == "");
  CHECK(ran.err ==
        "tenbin whoami: needs 40\n  try: `tenbin balance PROJECT` shows what is free; fewer GPUs "
        "or a shorter --time-limit need less\n"
        "  code: insufficient_credit\n");
  CHECK(fake.run({"whoami", "--lang", "ja"}).err ==
        "tenbin whoami: 40 必要です\n  対処: `tenbin balance PROJECT` で残りを確認し、GPU か "
        "--time-limit を減らしてください\n"
        "  コード: insufficient_credit\n");
  CHECK(fake.run({"whoami", "-o", "json"}).err == credit.body + "\n");
  CHECK(has(fake.run({"jbos", "-o", "json"}).err,
            R"({"type":"urn:tenbin:unknown_command","code":"unknown_command")"));

  const auto exit_for = [](int status) {
    Fake one;
    one.expect("GET /v1/whoami", problem(status, "some_code", "no", "否"));
    return one.run({"whoami", "--retry", "0"}).exit;
  };
  CHECK(exit_for(400) == 2);
  CHECK(exit_for(401) == 4);
  CHECK(exit_for(403) == 4);
  CHECK(exit_for(404) == 3);
  CHECK(exit_for(409) == 5);
  CHECK(exit_for(422) == 1);
  CHECK(exit_for(500) == 1);
  CHECK(exit_for(503) == 1);

  Fake page;
  page.expect("GET /v1/whoami", {.status = 502, .content_type = "text/html", .body = "<html>"});
  CHECK(has(page.run({"whoami"}).err, "answered with status 502\n  code: http_502"));
}

TEST_CASE("a 503 is tried again with the same key, three times in five seconds") {
  Fake fake;
  const net::Response busy = problem(503, "too_many_connections", "busy", "混雑");
  fake.expect("POST /v1/jobs/12/cancel", busy);
  fake.expect("POST /v1/jobs/12/cancel", busy);
  fake.expect("POST /v1/jobs/12/cancel", json(R"({"job":12,"state":"cancelled"})"));
  Ran ran = fake.run({"job", "cancel", "12"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "job 12: cancelled\n");
  CHECK(ran.slept == std::vector{Span{500}, Span{1'500}});
  CHECK(fake.asked().size() == 3);
  CHECK(fake.at(0).header("Idempotency-Key") == fake.at(2).header("Idempotency-Key"));

  Fake never;
  never.expect("POST /v1/jobs/12/cancel", busy);
  ran = never.run({"job", "cancel", "12"});
  CHECK(ran.exit == 1);
  CHECK(ran.slept == std::vector{Span{500}, Span{1'500}, Span{3'000}});
  CHECK(never.asked().size() == 4);
  CHECK(never.run({"job", "cancel", "12"}, {{"TENBIN_RETRY_SECONDS", "15"}}).slept.size() == 7);
  CHECK(never.run({"job", "cancel", "12", "--retry", "0"}).slept.empty());
  CHECK(never.run({"job", "cancel", "12", "--retry", "x"}).exit == 2);
  CHECK(never.at(0).header("Idempotency-Key") != never.last().header("Idempotency-Key"));
}

// Takes one request on each connection and hangs up; from the third on it answers.
class HangsUp {
 public:
  HangsUp() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HangsUp() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<std::string> keys;  // of the requests; read after the command is over

 private:
  void serve() {
    for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) {
      std::string request;
      char buffer[4096];
      while (!has(request, "\r\n\r\n{}")) {
        const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
        if (n <= 0) break;
        request.append(buffer, static_cast<std::size_t>(n));
      }
      const std::size_t key = request.find("Idempotency-Key: ");
      keys.push_back(key == std::string::npos ? "" : request.substr(key + 17, 36));
      if (keys.size() < 3) continue;
      const std::string_view answer =
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n"
          R"({"job":12,"state":"cancelled"} )";
      ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
  }

  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_CASE("a service that dies under the request is asked again with the same key") {
  Fake fake;
  HangsUp service;
  const Ran ran = fake.run({"job", "cancel", "12"}, {{"TENBIN_URL", service.url()}});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "job 12: cancelled\n");
  CHECK(ran.slept == std::vector{Span{500}, Span{1'500}});
  REQUIRE(service.keys.size() == 3);
  CHECK(uuid_from(service.keys[0]));
  CHECK(service.keys[0] == service.keys[1]);
  CHECK(service.keys[0] == service.keys[2]);
}

TEST_CASE("no service: what was tried, and tenbin serve") {
  Fake fake;
  Folder folder;
  Ran ran = fake.run({"jobs"}, {{"TENBIN_URL", ""}, {"TENBIN_STATE", folder.path()}});
  CHECK(ran.exit == 9);
  CHECK(has(ran.err, "no --url, no TENBIN_URL, no file " + folder.path() + "/url"));
  CHECK(has(ran.err, "`tenbin serve`"));
  CHECK(has(ran.err, "code: no_service"));

  ran = fake.run({"jobs"}, {{"TENBIN_URL", "http://127.0.0.1:1"}});
  CHECK(ran.exit == 9);
  CHECK(ran.slept.empty());
  CHECK(has(ran.err, "no service answers at http://127.0.0.1:1: "));
  CHECK(fake.run({"jobs", "--url", "http://127.0.0.1:1", "--retry", "4"}).slept ==
        std::vector{Span{500}, Span{1'500}, Span{2'000}});
}

TEST_CASE("the state folder: its token goes to its own URL only") {
  Fake fake;
  Folder folder;
  fake.expect("GET /v1/whoami",
              json(R"({"person":"admin","title":"","role":"officer","projects":[]})"));
  folder.put("url", fake.url() + "\n");
  folder.put("admin.token", "local-secret\n");
  const Env state{{"TENBIN_URL", ""}, {"TENBIN_TOKEN", ""}, {"TENBIN_STATE", folder.path()}};

  Ran ran = fake.run({"whoami"}, state);
  CHECK(ran.exit == 0);
  CHECK(ran.out == "PERSON    admin\nTITLE     -\nROLE      officer\nPROJECTS  -\n");
  CHECK(fake.last().header("Authorization") == "Bearer local-secret");

  Env elsewhere = state;
  elsewhere["TENBIN_URL"] = "http://localhost:9";
  ran = fake.run({"whoami"}, elsewhere);
  CHECK(ran.exit == 4);
  CHECK(has(ran.err, "code: no_token"));

  const std::string file = folder.put("mine.token", "mine\n", 0644);
  ran = fake.run({"whoami", "--token-file", file}, state);
  CHECK(has(ran.err, "chmod 600"));
  CHECK(fake.last().header("Authorization") == "Bearer mine");
  CHECK(fake.run({"whoami", "--token-file", folder.path() + "/none"}, state).exit == 4);
}

TEST_CASE("job wait: the job's own exit code") {
  Fake fake;
  const std::string target = "GET /v1/jobs/12/wait?timeout_ms=30000";
  fake.expect(target, json(job_12));
  fake.expect(target, json(ended("failed", "7")));
  Ran ran = fake.run({"job", "wait", "12", "-o", "json"});
  CHECK(ran.exit == 7);
  CHECK(ran.out == ended("failed", "7") + "\n");
  CHECK(fake.asked() == std::vector<std::string>{target, target});

  const auto exit_of = [](const std::string& state, const std::string& own) {
    Fake one;
    one.expect("GET /v1/jobs/12/wait?timeout_ms=30000", json(ended(state, own)));
    return one.run({"job", "wait", "12"}).exit;
  };
  CHECK(exit_of("completed", "0") == 0);
  CHECK(exit_of("failed", "null") == 1);
  CHECK(exit_of("failed", "0") == 1);
  CHECK(exit_of("failed", "300") == 1);
  CHECK(exit_of("time_limit", "null") == 124);
  CHECK(exit_of("cancelled", "null") == 130);

  fake.expect("GET /v1/jobs/13/wait?timeout_ms=30000",
              json(R"({"id":13,"state":"completed","code":0})"));
  CHECK(fake.run({"job", "wait", "13", "12"}).exit == 1);
  fake.expect("GET /v1/jobs/14/wait?timeout_ms=1", json(R"({"id":14,"state":"queued"})"));
  CHECK(fake.run({"job", "wait", "14", "--timeout", "1ms"}).exit == 8);
  CHECK(fake.run({"job", "wait", "x"}).exit == 2);
  CHECK(fake.run({"job", "wait"}).exit == 2);
}

TEST_CASE("submit: a batch script, what it becomes and what it cannot be") {
  Folder folder;
  Fake fake;
  fake.expect("POST /v1/jobs", json(R"({"job":12,"tasks":1,"held":"16"})", 201));
  fake.expect("POST /v1/quote", json(R"({"held":"16","options":[]})"));
  fake.expect(
      "GET /v1/fleet",
      json(R"({"regions":[{"name":"japan-east","pools":[{"name":"e","gpu_model":"h100"}]}]})"));
  const std::string file = folder.put("train.sbatch",
                                      "#!/bin/bash\n#SBATCH -A p -p japan-east --gres=gpu:2 -t 10\n"
                                      "#SBATCH --mail-type=END\nsrun \"$@\"\n");
  char here[4096];
  REQUIRE(::getcwd(here, sizeof here));
  const std::string cwd = here;
  const std::string run =
      R"("run":{"argv":["a","b c"],"script":"#!/bin/bash\n#SBATCH -A p -p japan-east --gres=gpu:2 -t 10\n)"
      R"(#SBATCH --mail-type=END\nsrun \"$@\"\n","directory":")" +
      cwd + R"(","submit_directory":")" + cwd + R"("}})";
  Ran ran = fake.run({"submit", file, "--gpus", "4", "--", "a", "b c"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "job 12 submitted; 16 credits held\n");
  CHECK(ran.err ==
        "warning: " + file +
            ":3: --mail-type has no effect: Tenbin sends no mail; `tenbin job wait` tells "
            "when a job is over\n");
  CHECK(fake.last().body ==
        R"({"project":"p","name":"train.sbatch","gpus":"4","members":1,"regions":["japan-east"],)"
        R"("time_limit_ms":600000,)" +
            run);

  ran = fake.run({"submit", file, "--dry-run", "--lang", "ja", "--dir", "own"});
  CHECK(ran.exit == 0);
  CHECK(has(ran.out, "ディレクトリ  専用のフォルダー\n"));
  CHECK(has(ran.out, "実行          4 行のスクリプト（/bin/bash）\n"));
  CHECK(fake.last().path == "/v1/quote");
  ran = fake.run({"submit", file, "--dry-run", "-o", "json"});
  CHECK(has(ran.out, R"({"request":{"project":"p",)"));
  CHECK(has(ran.out, R"(,"quote":{"held":"16")"));

  const std::size_t asked = fake.asked().size();
  const std::string wrong = folder.put("wrong.sbatch",
                                       "#!/bin/bash\n#SBATCH -A p --gres=gpu:2 -t 10\n"
                                       "#SBATCH --exclusive -w node7\ntrue\n");
  ran = fake.run({"submit", wrong});
  CHECK(ran.exit == 2);
  CHECK(has(ran.err, wrong +
                         ":3: --exclusive is not honoured: a whole node is had by asking for all "
                         "of its GPUs; take it out, or submit with --ignore exclusive\n"));
  CHECK(has(ran.err, wrong + ":3: --nodelist is not honoured"));
  CHECK(fake.run({"submit", wrong, "--ignore", "exclusive"}).exit == 2);
  CHECK(fake.run({"submit", wrong, "--ignore", "nothing"}).exit == 2);
  CHECK(fake.asked().size() == asked);
  CHECK(fake.run({"submit", wrong, "--ignore", "exclusive", "--ignore", "--nodelist"}).exit == 0);
  CHECK(fake.run({"submit", wrong, "--sbatch=--time=x", "--ignore", "exclusive"}).exit == 2);
  CHECK(fake.run({"submit", "--sbatch=-N2", "--", "x"}).exit == 2);
}

TEST_CASE("submit: arrays, dependencies and the like as flags") {
  Fake fake;
  fake.expect("POST /v1/jobs", json(R"({"job":12,"tasks":3,"held":"16"})", 201));
  const Args base{"submit", "--project", "p", "--gpus", "1", "--time-limit", "1m"};
  const auto with = [&](Args more) {
    Args all = base;
    all.insert(all.end(), more.begin(), more.end());
    all.insert(all.end(), {"--", "x"});
    return all;
  };
  CHECK(fake.run(with({"--array", "5,1-2%2", "--after", "7", "--after", "8:any", "--hold",
                       "--retries", "3", "--label", "team=nlp", "--output-file", "out/%a",
                       "--signal", "USR1@2m", "--no-requeue"}))
            .exit == 0);
  CHECK(fake.last().body ==
        R"({"project":"p","gpus":"1","time_limit_ms":60000,"tasks_at_once":2,)"
        R"("after":[{"job":7,"when":"ok"},{"job":8,"when":"any"}],"hold":true,"retries":3,)"
        R"("labels":{"team":"nlp"},"run":{"argv":["x"],"output":"out/%a","array":"1-2,5",)"
        R"("signal":"USR1","signal_before_ms":120000,"signal_to":"all","requeue":false}})");
  for (const Args& bad : {Args{"--array", "x"}, Args{"--after", "x"}, Args{"--after", "1:never"},
                          Args{"--label", "x"}, Args{"--output-file", "/x"},
                          Args{"--error-file", "../x"}, Args{"--signal", "KILL"}}) {
    CAPTURE(bad[1]);
    CHECK(fake.run(with(bad)).exit == 2);
  }
}

TEST_CASE("submit --wait gives the job's exit code") {
  Fake fake;
  fake.expect("POST /v1/jobs", json(R"({"job":12,"tasks":1,"held":"1"})", 201));
  fake.expect("GET /v1/jobs/12/wait?timeout_ms=30000", json(ended("failed", "3")));
  const Args args{"submit", "--project", "p",  "--gpus", "1",    "--time-limit",
                  "1m",     "--wait",    "-q", "--",     "false"};
  const Ran ran = fake.run(args);
  CHECK(ran.exit == 3);
  CHECK(ran.out == "12\n");
}

TEST_CASE("job logs: bytes as they are, and -f until the end") {
  Fake fake;
  const std::string bytes("a\0\xff\x1b[31m\n", 9);
  const auto piece = [](std::string body, const std::string& next) {
    return net::Response{.content_type = "application/octet-stream",
                         .body = std::move(body),
                         .headers = {{"Tenbin-Next-Offset", next}}};
  };
  fake.expect("GET /v1/jobs/12/output?rank=1&stream=stderr&offset=0", piece(bytes, "9"));
  fake.expect("GET /v1/jobs/12/output?rank=1&stream=stderr&offset=9", piece("", "9"));
  CHECK(fake.run({"job", "logs", "12", "--rank", "1", "--stderr"}).out == bytes);

  fake.expect("GET /v1/jobs/12", json(R"({"id":12,"state":"queued","attempt":0})"));
  fake.expect("GET /v1/jobs/12", json(job_12));
  fake.expect("GET /v1/jobs/12", json(ended("completed", "0")));
  const std::string output = "GET /v1/jobs/12/output?rank=0&stream=stdout&attempt=1&offset=";
  fake.expect("GET /v1/jobs/12/output?wait_ms=30000", piece("one\n", "4"));
  fake.expect(output + "0", piece("one\n", "4"));
  fake.expect(output + "4", piece("", "4"));
  fake.expect(output + "4", piece("two\n", "8"));
  fake.expect(output + "8", piece("", "8"));
  const std::string error = "GET /v1/jobs/12/output?rank=0&stream=stderr&attempt=1&offset=";
  fake.expect(error + "0", piece("oops\n", "5"));
  fake.expect(error + "5", piece("", "5"));
  const Ran ran = fake.run({"job", "logs", "-f", "12"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "one\ntwo\n");
  CHECK(ran.err == "oops\n");
}

TEST_CASE("job logs -f: members are told apart by whole lines, and the service is waited for") {
  Fake fake;
  const auto piece = [](std::string body, const std::string& next) {
    return net::Response{.content_type = "application/octet-stream",
                         .body = std::move(body),
                         .headers = {{"Tenbin-Next-Offset", next}}};
  };
  const auto at = [&](int rank, const std::string& stream, const std::string& rest) {
    return "GET /v1/jobs/7/output?rank=" + std::to_string(rank) + "&stream=" + stream +
           "&attempt=1&offset=" + rest;
  };
  for (const char* state : {"running", "running", "completed"})
    fake.expect("GET /v1/jobs/7",
                json(std::string(R"({"id":7,"members":2,"attempt":1,"state":")") + state + "\"}"));
  fake.expect(at(0, "stdout", "0"), piece("", "0"));
  fake.expect(at(0, "stdout", "0&wait_ms=200"), piece("be", "2"));
  fake.expect(at(0, "stdout", "2"), piece("gun\nand not", "13"));
  fake.expect(at(0, "stdout", "13"), piece("", "13"));
  fake.expect(at(1, "stdout", "0"), piece("", "0"));
  fake.expect(at(1, "stdout", "0"), piece("other\n", "6"));
  fake.expect(at(1, "stdout", "6"), piece("", "6"));
  fake.expect(at(0, "stderr", "0"), piece("", "0"));
  fake.expect(at(1, "stderr", "0"), piece("", "0"));
  const Ran ran = fake.run({"job", "logs", "-f", "7"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "[0] begun\n[1] other\n[0] and not\n");
  CHECK(fake.run({"job", "logs", "-f", "7", "--rank", "1"}).out == "other\n");
}

TEST_CASE("job show and explain") {
  Fake fake;
  fake.expect("GET /v1/jobs/12", json(job_12));
  CHECK(fake.run({"job", "show", "12", "-o", "json"}).out == job_12 + "\n");
  const std::string text = fake.run({"job", "show", "12", "--lang", "ja"}).out;
  CHECK(has(text, "名前          学習 one\n"));
  CHECK(has(text, "状態          実行中\n"));
  fake.expect(
      "GET /v1/jobs/12/explain",
      json(
          R"({"code":"no_room","text":{"en":"waits for 8 GPUs","ja":"GPU 8 個を待っています"},"expected_start":"2027-03-30T08:00:00Z"})"));
  CHECK(fake.run({"job", "explain", "12"}).out ==
        "job 12: waits for 8 GPUs (no_room)\n  expected start: 2027-03-30 17:00:00 JST\n");
  CHECK(fake.run({"job", "explain", "12", "--lang=ja"}).out ==
        "ジョブ 12: GPU 8 個を待っています（no_room）\n  開始見込み: 2027-03-30 17:00:00 JST\n");
}

TEST_CASE("quote: options with cost and start") {
  Fake fake;
  fake.expect(
      "POST /v1/quote",
      json(
          R"({"held":"16","options":[{"region":"japan-east","pool":"e","rate_per_hour":"8","cost":"16",)"
          R"("starts":"later","at":"2027-03-30T08:00:00Z"},{"region":"japan-west","pool":"w",)"
          R"("rate_per_hour":"1000","cost":"2000","starts":"now","at":null}]})"));
  const Args args{"quote", "--project", "p", "--gpus", "4", "--time-limit", "2h"};
  CHECK(fake.run(args).out ==
        "REGION      POOL  PER HOUR  COST AT MOST  STARTS  AT\n"
        "japan-east  e            8            16  later   2027-03-30 17:00:00 JST\n"
        "japan-west  w        1,000         2,000  now     -\n"
        "\n16 credits would be held until the job is over\n");
  CHECK(fake.last().body == R"({"project":"p","gpus":"4","time_limit_ms":7200000})");
}

TEST_CASE("fleet and nodes") {
  Fake fake;
  const std::string body =
      R"({"regions":[{"name":"japan-east","title":"東日本","pools":[{"name":"e","provider":"ms","gpu_model":"h100","gpus_per_node":8,)"
      R"("gpus":"16","gpus_free":"7.5","price":{"gpu_hour":"2.500000","fraction_factor":"1.1"},"nodes":[)"
      R"({"name":"e1","state":"up","gpus":"8","gpus_free":"0","jobs":[1,2]},{"name":"e2","state":"draining","gpus":"8","gpus_free":"7.5","jobs":[]}]},)"
      R"({"name":"f","provider":"ms","gpu_model":"b200","gpus_per_node":8,"gpus":"0","gpus_free":"0","price":null,"nodes":[]}]}]})";
  fake.expect("GET /v1/fleet", json(body));
  CHECK(fake.run({"fleet"}).out ==
        "REGION      POOL  PROVIDER  MODEL  NODES  GPUS  FREE  PER GPU HOUR\n"
        "japan-east  e     ms        h100     1/2    16   7.5           2.5\n"
        "japan-east  f     ms        b200       0     0     0             -\n");
  CHECK(fake.run({"fleet", "--nodes", "--lang", "ja"}).out ==
        "地域        プール  ノード  状態      GPU  空き  ジョブ\n"
        "japan-east  e       e1      稼働        8     0  1,2\n"
        "japan-east  e       e2      割当停止    8   7.5  -\n");
  CHECK(fake.run({"fleet", "-o", "json"}).out == body + "\n");
  fake.expect("POST /v1/nodes/e1/drain", json("{}"));
  CHECK(fake.run({"node", "drain", "e1"}).out == "node e1 takes no more work\n");
  fake.expect("POST /v1/nodes/e1/evacuate", json("{}"));
  CHECK(fake.run({"node", "evacuate", "e1"}).exit == 0);
  fake.expect("POST /v1/nodes/e1/resume", json("{}"));
  CHECK(fake.run({"node", "resume", "e1"}).exit == 0);
  CHECK(fake.run({"node", "drain", "../x"}).exit == 3);
  CHECK(fake.last().path == "/v1/nodes/..%2Fx/drain");
}

TEST_CASE("every kind is listed by its own request") {
  Fake fake;
  for (const char* kind : {"funder", "programme", "organisation", "grant", "lot", "project",
                           "allocation", "person", "provider", "region", "pool", "price"}) {
    CAPTURE(kind);
    fake.expect("GET /v1/" + std::string(kind) + "s?limit=1000",
                json(R"({"items":[{"name":"x","pool":"x"}]})"));
    const Ran ran = fake.run({kind, "list", "-o", "json"});
    CHECK(ran.exit == 0);
    CHECK(ran.out == "[{\"name\":\"x\",\"pool\":\"x\"}]\n");
  }
  Fake funders;
  funders.expect(
      "GET /v1/funders?limit=1000",
      json(
          R"({"items":[{"name":"microsoft","title":"マイクロソフト","commitment":{"amount":"2900000000.00","currency":"USD"},)"
          R"("credits_per_unit":"1","promised":"2900000000","in_lots":"10000000"}]})"));
  CHECK(
      funders.run({"funder", "list"}).out ==
      "NAME       TITLE                  COMMITMENT  CREDITS PER UNIT       PROMISED     IN LOTS\n"
      "microsoft  マイクロソフト  2,900,000,000 USD                 1  2,900,000,000  "
      "10,000,000\n");
}

const std::string programme_statement =
    R"({"funders":[{"funder":"ms","title":"M","promised":"1000","in_lots":"600","unallocated":"100","free":"250","held":"50","spent":"199.5","expired":"0.5",)"
    R"("grants":[{"grant":"g1","programme":"p","organisation":"todai","in_lots":"600","unallocated":"100","free":"250","held":"50","spent":"199.5","expired":"0.5"}]}],)"
    R"("adds_up":true})";

TEST_CASE("statement of the programme: who paid what, and that it adds up") {
  Fake fake;
  fake.expect("GET /v1/statement", json(programme_statement));
  Ran ran = fake.run({"statement"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "FUNDER  GRANT  ORGANISATION  PROMISED  IN LOTS  UNALLOCATED  FREE  HELD  SPENT  EXPIRED\n"
        "ms      -      -                1,000      600          100   250    50  199.5      0.5\n"
        "        g1     todai                -      600          100   250    50  199.5      0.5\n"
        "TOTAL   -      -                1,000      600          100   250    50  199.5      0.5\n"
        "\nIt adds up: every credit is accounted for.\n");
  CHECK(has(fake.run({"statement", "--lang", "ja"}).out, "\n\n収支は一致しています"));
  CHECK(has(fake.run({"statement", "-o", "csv"}).out, "\nms,g1,todai,,600,100,250,50,199.5,0.5\n"));
  CHECK(fake.run({"statement", "-o", "json"}).out == programme_statement + "\n");

  // Whether the service noticed or not.
  for (const auto& [from, to] : {std::pair{"\"adds_up\":true", "\"adds_up\":false"},
                                 std::pair{"\"held\":\"50\"", "\"held\":\"51\""}}) {
    std::string wrong = programme_statement;
    wrong.replace(wrong.find(from), std::string(from).size(), to);
    Fake other;
    other.expect("GET /v1/statement", json(wrong));
    ran = other.run({"statement"});
    CHECK(ran.exit == 1);
    CHECK(has(ran.out, "IT DOES NOT ADD UP"));
    CHECK(has(other.run({"statement", "-o", "json"}).err, "IT DOES NOT ADD UP"));
  }
}

TEST_CASE("balance and statement of a project") {
  Fake fake;
  const std::string totals =
      R"("project":"p","allocated":"100","free":"80","held":"4","spent":"16","expired":"0",)"
      R"("shares":[{"allocation":"a1","grant":"g1","funder":"ms","lot":"l1","expires":"2027-03-30T15:00:00Z","regions":[],)"
      R"("amount":"100","free":"80","held":"4","spent":"16","expired":"0"}])";
  fake.expect("GET /v1/projects/p/balance", json("{" + totals + "}"));
  CHECK(fake.run({"balance", "p"}).out ==
        "PROJECT  ALLOCATED  FREE  HELD  SPENT  EXPIRED\n"
        "p              100    80     4     16        0\n"
        "\n"
        "ALLOCATION  GRANT  FUNDER  LOT  EXPIRES                  REGIONS  CREDITS  FREE  HELD  "
        "SPENT  EXPIRED\n"
        "a1          g1     ms      l1   2027-03-31 00:00:00 JST  -            100    80     4     "
        "16        0\n");
  fake.expect(
      "GET /v1/projects/p/statement",
      json(
          "{" + totals +
          R"(,"lines":[{"at":"2027-03-30T08:00:00Z","job":12,"name":"t","state":"completed","charged":"16","parts":[)"
          R"({"grant":"g1","funder":"ms","lot":"l1","amount":"10"},{"grant":"g2","funder":"aws","lot":"l2","amount":"6"}]}],)"
          R"("paid_by":[{"funder":"ms","grant":"g1","amount":"10"},{"funder":"aws","grant":"g2","amount":"6"}],"adds_up":true})"));
  const Ran ran = fake.run({"statement", "p"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "AT                       JOB  NAME  STATE      CHARGED  FUNDER  GRANT  LOT  PART\n"
        "2027-03-30 17:00:00 JST   12  t     completed       16  ms      g1     l1     10\n"
        "                                                        aws     g2     l2      6\n"
        "\n"
        "PROJECT  ALLOCATED  FREE  HELD  SPENT  EXPIRED\n"
        "p              100    80     4     16        0\n"
        "\n"
        "FUNDER  GRANT  PAID\n"
        "ms      g1       10\n"
        "aws     g2        6\n"
        "\nIt adds up: every credit is accounted for.\n");
}

TEST_CASE("tokens: the secret alone on standard output") {
  Fake fake;
  fake.expect("POST /v1/tokens", json(R"({"id":3,"token":"tnb_abc"})", 201));
  Ran ran = fake.run({"token", "create", "--person", "sato", "--label", "laptop", "--expires",
                      "2028-01-01T00:00:00Z"});
  CHECK(ran.out == "tnb_abc\n");
  CHECK(has(ran.err, "token 3"));
  CHECK(fake.last().body ==
        R"({"person":"sato","label":"laptop","expires":"2028-01-01T00:00:00Z"})");
  fake.expect(
      "GET /v1/tokens",
      json(
          R"({"items":[{"id":3,"person":"sato","label":"laptop","ends_in":"a1b2","scope":"full","expires":null,"state":"revoked","revoked":true}]})"));
  CHECK(fake.run({"token", "list"}).out ==
        "ID  PERSON  LABEL   ENDS IN  SCOPE  EXPIRES  STATE    REVOKED\n"
        " 3  sato    laptop  a1b2     full   -        revoked  yes\n");
  fake.expect("POST /v1/tokens/3/revoke", json("{}"));
  CHECK(fake.run({"token", "revoke", "3"}).out == "token 3 is useless now\n");
  CHECK(fake.run({"token", "create"}).exit == 2);
}

TEST_CASE("CSV quotes what needs it") {
  JsonDocument document;
  Table table({{"name", Phrase::col_name},
               {"regions", Phrase::col_regions},
               {"free", Phrase::col_free, Kind::credits}});
  table.add(*document.parse(R"({"regions":["a","b"],"name":"say \"hi\"\nnow","free":"1.500000"})"));
  CHECK(table.csv() == "name,regions,free\n\"say \"\"hi\"\"\nnow\",\"a,b\",1.500000\n");
  CHECK(table.text({}) == "NAME          REGIONS  FREE\nsay \"hi\"\uFFFDnow  a,b       1.5\n");
}

TEST_CASE("did you mean") {
  Fake fake;
  Ran ran = fake.run({"jbos"});
  CHECK(ran.exit == 2);
  CHECK(ran.err ==
        "tenbin: there is no command \"jbos\"\n  try: did you mean `tenbin jobs`?\n  code: "
        "unknown_command\n");
  CHECK(fake.run({"submitt", "--lang", "ja"}).err ==
        "tenbin: 「submitt」というコマンドはありません\n  対処: `tenbin submit` ではありませんか\n "
        " コード: unknown_command\n");
  CHECK(has(fake.run({"job", "lgos", "1"}).err, "did you mean `tenbin job logs`?"));
  CHECK(has(fake.run({"job"}).err,
            "\"job\" needs one of: show logs wait cancel hold release explain"));
  CHECK(has(fake.run({"frobnicate"}).err, "see `tenbin help`"));
  CHECK(fake.asked().empty());
}

TEST_CASE("help: every command, both languages, and what lives elsewhere") {
  std::string out, err;
  std::vector<std::string> got;
  const Surroundings around{
      .variable = [](const char*) { return std::string(); },
      .out = [&](std::string_view text) { out += text; },
      .err = [&](std::string_view text) { err += text; },
      .sleep = [](Span) {},
  };
  const std::vector<ExtraCommand> extras{{"serve", "Run the service", "サービスを動かします",
                                          [&](const std::vector<std::string>& words) {
                                            got = words;
                                            return 42;
                                          },
                                          [] { return "tenbin serve [-x]\n.not a request\n"; }}};
  const auto run = [&](const Args& args) {
    out.clear();
    err.clear();
    return run_cli(around, args, extras);
  };
  CHECK(run({"man", "serve"}) == 0);
  CHECK(has(out, ".TH \"TENBIN\\-SERVE\""));
  CHECK(has(out, "tenbin serve [\\-x]\n\\&.not a request\n"));
  CHECK(run({"man"}) == 0);
  CHECK(has(out, "tenbin\\-serve(1)"));
  CHECK(run({"help"}) == 0);
  CHECK(has(out, "  serve  Run the service\n"));
  CHECK(has(out, "  job wait     Wait until jobs are over"));
  CHECK(run({"--lang", "ja", "help"}) == 0);
  CHECK(has(out, "  serve  サービスを動かします\n"));
  CHECK(run({}) == 2);
  CHECK(has(err, "Usage: tenbin COMMAND"));
  CHECK(run({"--help"}) == 0);
  CHECK(run({"help", "exit-codes"}) == 0);
  CHECK(has(out, "  6  not enough credit\n"));
  CHECK(run({"help", "environment", "--lang", "ja"}) == 0);
  CHECK(has(out, "TENBIN_URL            サービスの場所"));
  CHECK(run({"serve", "--port", "1", "--", "x"}) == 42);
  CHECK(got == std::vector<std::string>{"--port", "1", "--", "x"});
  CHECK(run({"serv"}) == 2);
  CHECK(has(err, "did you mean `tenbin serve`?"));
  for (const Command& command : commands()) {
    CAPTURE(command.name);
    const std::string name(command.name);
    Args args{"help", name.substr(0, name.find(' '))};
    if (name.find(' ') != std::string::npos) args.push_back(name.substr(name.find(' ') + 1));
    CHECK(run(args) == 0);
    CHECK(has(out, "Usage: tenbin " + name));
    CHECK(has(out, "--token-file FILE"));
    CHECK(err == "");
  }
}

}  // namespace
}  // namespace tenbin::cli
