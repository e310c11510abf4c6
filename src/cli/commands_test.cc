#include "cli/commands.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cli/answers.h"
#include "cli/contexts.h"
#include "cli/described.h"
#include "cli/fake_service.h"
#include "cli/nouns.h"
#include "cli/table.h"
#include "cli/values.h"
#include "cli/width.h"
#include "codec/hash.h"

// What the commands share: tables that fit, lists with pages, contexts, apply's differences,
// watching, and what is made from the commands' own description: help, manual, completion.

namespace tenbin::cli {
namespace {

TEST_CASE("cutting and wrapping know how wide Japanese is") {
  CHECK(cut("tokyo", 5) == "tokyo");
  CHECK(cut("tokyo-llm", 6) == "tokyo…");
  CHECK(cut("学習ジョブ", 10) == "学習ジョブ");
  CHECK(cut("学習ジョブ", 9) == "学習ジョ…");
  CHECK(cut("学習ジョブ", 8) == "学習ジ…");  // half of a character does not fit
  CHECK(wrapped("one two three", 8, 2) == "one two\n  three");
  CHECK(wrapped("one two three", 0, 2) == "one two three");
  CHECK(wrapped("費用と開始時期を見積もる", 10, 0) == "費用と開始\n時期を見積\nもる");
  CHECK(wrapped("ここまで。次へ", 8, 0) == "ここま\nで。次へ");  // no 。 at the beginning
  CHECK(wrapped("あい「うえ」", 6, 0) == "あい\n「う\nえ」");    // no 「 at the end
  CHECK(wrapped("averyveryverylongword x", 8, 0) == "averyveryverylongword\nx");
}

TEST_CASE("instants in any zone are the same moment") {
  CHECK(parse_instant("1970-01-01T00:00:01Z") == 1'000);
  CHECK(parse_instant("2027-03-31T23:59:59+09:00") == parse_instant("2027-03-31T14:59:59Z"));
  CHECK(parse_instant("2027-03-31T14:59:59.5Z") == *parse_instant("2027-03-31T14:59:59Z") + 500);
  for (const char* bad : {"", "2027-03-31", "2027-03-31T23:59:59", "2027-02-30T00:00:00Z",
                          "2027-03-31T24:00:00Z", "2027-03-31T00:00:00+9:00", "soon"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_instant(bad));
  }
}

TEST_CASE("raw items of a list are those that are written there") {
  const auto items = raw_items(R"([ {"a":[1,2]} , {"b":"],["},3 ])");
  REQUIRE(items.size() == 3);
  CHECK(items[0] == R"({"a":[1,2]})");
  CHECK(items[1] == R"({"b":"],["})");
  CHECK(items[2] == "3");
  CHECK(raw_items("[]").empty());
  CHECK(raw_items("").empty());
}

// The widest line of a text, in columns.
int widest(std::string_view text) {
  int most = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    most = std::max(most, width_of(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return most;
}

TEST_CASE("tables fit the terminal: words are cut, spare columns go, then rows become lines") {
  Table table({{"name", Phrase::col_name},
               {"title", Phrase::col_title},
               {"person", Phrase::col_person, Kind::text, 1},
               {"free", Phrase::col_free, Kind::credits}});
  table.add({"tokyo-llm", "日本語の大規模言語モデルを作る", "yamada-hanako", "1234567.5"});
  Look look;
  look.columns = 70;
  CHECK(table.text(look) ==
        "NAME       TITLE                           PERSON                FREE\n"
        "tokyo-llm  日本語の大規模言語モデルを作る  yamada-hanako  1,234,567.5\n");
  for (int columns = 20; columns < 90; ++columns) {
    look.columns = columns;
    const std::string text = table.text(look);
    CAPTURE(columns);
    CAPTURE(text);
    // Below what the figures and the shortest words need, lines of their own are whole.
    if (columns >= 34) CHECK(widest(text) <= columns);
    CHECK(has(text, "1,234,567.5"));  // figures are never cut
  }
  look.columns = 50;
  CHECK(has(table.text(look), "…"));
  CHECK(has(table.text(look), "PERSON"));
  look.columns = 36;
  CHECK_FALSE(has(table.text(look), "PERSON"));
  look.columns = 20;
  CHECK(has(table.text(look), "TITLE   日本語の大規模言語モデルを作る\n"));
}

TEST_CASE("a terminal's width and --wide") {
  Fake fake;
  const std::string title(80, 'x');
  fake.expect("GET /v1/projects?limit=1000",
              json(R"({"items":[{"name":"p","title":")" + title + R"("}]})"));
  CHECK(widest(fake.run({"project", "list", "--color=never"}, {}, {60, 24}).out) <= 60);
  CHECK(has(fake.run({"project", "list"}, {}, {60, 24}).out, "…"));
  CHECK(has(fake.run({"project", "list", "--wide"}, {}, {60, 24}).out, title));
  CHECK(has(fake.run({"project", "list"}).out, title));  // no terminal
  CHECK(has(fake.run({"project", "list", "-o", "csv"}, {}, {60, 24}).out, title));
}

TEST_CASE("lists: pages are followed to --limit, with either kind of mark") {
  Fake fake;
  fake.expect("GET /v1/projects?limit=1000",
              json(R"({"items":[{"name":"a"},{"name":"b"}],"next":"m1"})"));
  fake.expect("GET /v1/projects?cursor=m1&limit=1000",
              json(R"({"items":[{"name":"c"}],"next":null})"));
  CHECK(fake.run({"project", "list", "-o", "json"}).out ==
        "[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]\n");
  fake.expect("GET /v1/projects?limit=3",
              json(R"({"items":[{"name":"a"},{"name":"b"}],"next":"m"})"));
  fake.expect("GET /v1/projects?cursor=m&limit=1", json(R"({"items":[{"name":"c"}],"next":"n"})"));
  CHECK(fake.run({"project", "list", "--limit", "3", "-o", "csv"}).out ==
        "name,title,organisation\na,,\nb,,\nc,,\n");
  // A service that gives more than was asked for is cut off.
  fake.expect("GET /v1/projects?limit=1", json(R"({"items":[{"name":"a"},{"name":"b"}]})"));
  CHECK(fake.run({"project", "list", "--limit", "1", "-o", "json"}).out == "[{\"name\":\"a\"}]\n");
  CHECK(fake.run({"project", "list", "--limit", "0"}).exit == 2);
}

TEST_CASE("jobs: what is filtered by, and a state that is none") {
  Fake fake;
  fake.expect(
      "GET "
      "/v1/jobs?state=on_hold&region=east&name=x&label=team%3Da&submitted_from=F&submitted_to=T&"
      "sort=id&limit=100",
      json(R"({"items":[{"id":1,"state":"on_hold"}],"next":null})"));
  const Ran ran = fake.run({"jobs", "--state", "on_hold", "--region", "east", "--name", "x",
                            "--label", "team=a", "--from", "F", "--to", "T", "--sort", "id"});
  CHECK(ran.exit == 0);
  CHECK(has(ran.out, "on hold"));
  const Ran wrong = fake.run({"jobs", "--state", "runing"});
  CHECK(wrong.exit == 2);
  CHECK(has(wrong.err, "did you mean running?"));
}

TEST_CASE("hold and release say the state that they left") {
  Fake fake;
  fake.expect("POST /v1/jobs/7/hold", json(R"({"job":7,"state":"on_hold"})"));
  fake.expect("POST /v1/jobs/7/release", json(R"({"job":7,"state":"queued"})"));
  CHECK(fake.run({"job", "hold", "7"}).out == "job 7: on hold\n");
  CHECK(fake.run({"job", "release", "7", "--lang", "ja"}).out == "ジョブ 7: 待機中\n");
  CHECK(fake.run({"job", "hold", "7", "-o", "csv"}).out == "job,state\n7,on_hold\n");
}

TEST_CASE("create: flags become the declaration, whatever its types") {
  Fake fake;
  fake.expect("POST /v1/funders",
              json(R"({"kind":"funder","name":"jst","result":"created","id":1})", 201));
  Ran ran = fake.run({"funder", "create", "jst", "--title", "科学技術", "--commitment",
                      "1,000,000 jpy", "--credits-per-unit", "1.5"});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "created funder jst\n");
  CHECK(fake.last().body ==
        R"({"name":"jst","title":"科学技術","commitment":{"amount":"1000000","currency":"JPY"},)"
        R"("credits_per_unit":"1.5"})");
  CHECK(uuid_from(fake.last().header("Idempotency-Key")));

  fake.expect("POST /v1/lots", json(R"({"kind":"lot","name":"l","result":"unchanged","id":1})"));
  ran = fake.run({"lot", "create", "l", "--grant", "g", "--funder", "jst", "--amount", "5 JPY",
                  "--valid-from", "2026-04-01T00:00:00+09:00", "--expires", "2027-04-01T00:00:00Z",
                  "--regions", "east", "--regions", "west"});
  CHECK(ran.out == "unchanged lot l\n");
  CHECK(has(fake.last().body, R"("regions":["east","west"])"));

  fake.expect("POST /v1/pools", json(R"({"kind":"pool","name":"p","result":"created","id":1})"));
  fake.run({"pool", "create", "p", "--provider", "a", "--region", "r", "--gpu-model", "h100",
            "--gpus-per-node", "8"});
  CHECK(fake.last().body ==
        R"({"name":"p","provider":"a","region":"r","gpu_model":"h100","gpus_per_node":8})");

  fake.expect("POST /v1/members",
              json(R"({"kind":"member","name":"y","result":"created","id":1})"));
  CHECK(fake.run({"member", "add", "y", "--project", "p", "--role", "lead"}).out ==
        "created member y p\n");
  CHECK(fake.last().body == R"({"person":"y","project":"p","role":"lead"})");
  fake.expect("POST /v1/members/remove", json(R"({"result":"removed"})"));
  CHECK(fake.run({"member", "remove", "y", "--project", "p"}).out == "y is no longer in p\n");
  CHECK(fake.last().body == R"({"project":"p","person":"y"})");
  CHECK(fake.run({"member", "remove", "y"}).exit == 2);

  fake.expect("POST /v1/prices", json(R"({"kind":"price","name":"p","result":"created","id":1})"));
  CHECK(fake.run({"price", "set", "p", "--gpu-hour", "3"}).out == "set price p\n");
  fake.expect("POST /v1/policies",
              json(R"({"kind":"policy","name":"","result":"changed","id":0})"));
  CHECK(fake.run({"policy", "set", "--backfill", "none", "--cpu-jobs", "true"}).out ==
        "set policy\n");
  CHECK(fake.last().body == R"({"backfill":"none","cpu_jobs":true})");
  fake.expect("POST /v1/persons/y/disable", json("{}"));
  CHECK(fake.run({"person", "disable", "y"}).out == "y is kept out now\n");

  const std::size_t asked = fake.asked().size();
  for (const Args& bad :
       {Args{"policy", "set", "--cpu-jobs", "perhaps"},
        Args{"funder", "create", "x", "--credits-per-unit", "1"},
        Args{"funder", "create", "--commitment", "1 JPY", "--credits-per-unit", "1"},
        Args{"funder", "create", "x", "--commitment", "1", "--credits-per-unit", "1"},
        Args{"funder", "create", "x", "--commitment", "1.234 JPY", "--credits-per-unit", "1"},
        Args{"funder", "create", "x", "--commitment", "1 JPY", "--credits-per-unit", "a"},
        Args{"lot", "create", "l", "--grant", "g", "--funder", "f", "--amount", "5 JPY",
             "--valid-from", "today", "--expires", "2027-04-01T00:00:00Z"},
        Args{"pool", "create", "p", "--provider", "a", "--region", "r", "--gpu-model", "h",
             "--gpus-per-node", "1.5"}}) {
    CAPTURE(bad);
    CHECK(fake.run(bad).exit == 2);
  }
  CHECK(fake.asked().size() == asked);  // nothing was sent
}

TEST_CASE("show: one thing and what belongs to it; a name that is nearly right") {
  Fake fake;
  fake.expect("GET /v1/persons?limit=1000",
              json(R"({"items":[{"name":"yamada","title":"山田","role":"member"}]})"));
  fake.expect(
      "GET /v1/members?limit=1000",
      json(R"({"items":[{"project":"p","person":"yamada"},{"project":"q","person":"sato"}]})"));
  const Ran ran = fake.run({"person", "show", "yamada"});
  CHECK(ran.out ==
        "NAME   yamada\nTITLE  山田\nROLE   member\n\nWho works in which project\n"
        "PROJECT  PROGRAMME  ROLE\np        -          -\n");
  CHECK(fake.run({"person", "show", "yamada", "-o", "json"}).out ==
        "{\"name\":\"yamada\",\"title\":\"山田\",\"role\":\"member\"}\n");
  const Ran wrong = fake.run({"person", "show", "yamda"});
  CHECK(wrong.exit == 3);
  CHECK(has(wrong.err, "did you mean yamada?"));
  CHECK(has(fake.run({"person", "show", "x"}).err, "`tenbin person list` shows them all"));
}

// ---- apply ----

const std::string funders_there =
    R"({"items":[{"name":"jst","title":"J","commitment":{"amount":"100.00","currency":"JPY"},)"
    R"("credits_per_unit":"1.000000"}]})";

TEST_CASE("apply --dry-run: created, changed with old and new, unchanged; nothing is sent") {
  Fake fake;
  Folder folder;
  fake.expect("GET /v1/funders?limit=1000", json(funders_there));
  fake.expect(
      "GET /v1/prices?limit=1000",
      json(R"({"items":[{"pool":"p","gpu_hour":"2.500000","fraction_factor":"1.000000"}]})"));
  fake.expect(
      "GET /v1/lots?limit=1000",
      json(R"({"items":[{"name":"l","grant":"g","funder":"jst","amount":{"amount":"5",)"
           R"("currency":"JPY"},"valid_from":"2026-03-31T15:00:00Z",)"
           R"("expires":"2027-03-31T15:00:00Z","regions":["west","east"],"expired":false}]})"));
  const std::string file = folder.put(
      "f.toml",
      "[[price]]\npool = 'p'\ngpu_hour = 3\n"
      "[[funder]]\nname = 'jst'\ntitle = 'J'\ncommitment = { amount = '100', currency = 'JPY' }\n"
      "credits_per_unit = 1\n"
      "[[lot]]\nname = 'l'\ngrant = 'g'\nfunder = 'jst'\namount = { amount = '5.00', currency = "
      "'JPY' }\n"
      "valid_from = 2026-04-01T00:00:00+09:00\nexpires = 2027-04-01T00:00:00+09:00\n"
      "regions = ['east', 'west']\n"
      "[[funder]]\nname = 'new'\ncommitment = { amount = '1', currency = 'JPY' }\n"
      "credits_per_unit = 1\n");
  Ran ran = fake.run({"apply", "-f", file, "--dry-run"});
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "= funder jst\n+ funder new\n~ price p: gpu_hour 2.5 -> 3\n= lot l\n"
        "1 would be created, 1 changed, 2 unchanged; nothing was done\n");
  CHECK(has(fake.run({"apply", "-f", file, "--dry-run", "--lang", "ja"}).out,
            "登録 1 件、変更 1 件、変更なし 2 件の予定です"));
  CHECK(
      has(fake.run({"apply", "-f", file, "--dry-run", "-o", "json"}).out,
          R"("name":"p","place":")" + file +
              R"(:1","result":"changed","changes":[{"field":"gpu_hour","old":"2.5","new":"3"}]})"));
  CHECK(fake.run({"apply", "-f", file, "--dry-run", "-o", "csv"}).out ==
        "kind,name,result,field,old,new\nfunder,jst,unchanged,,,\nfunder,new,created,,,\n"
        "price,p,changed,gpu_hour,2.5,3\nlot,l,unchanged,,,\n");
  CHECK(has(fake.run({"apply", "-f", file, "--dry-run", "--color", "always"}).out,
            "\x1b[32m+ funder new\x1b[0m"));
  for (const std::string& asked : fake.asked()) CHECK(asked.starts_with("GET "));
}

TEST_CASE("apply --dry-run: what cannot be changed is said, with its line, as a conflict") {
  Fake fake;
  Folder folder;
  fake.expect("GET /v1/funders?limit=1000", json(funders_there));
  const std::string file = folder.put(
      "f.toml",
      "[[funder]]\nname = 'jst'\ntitle = 'K'\ncommitment = { amount = '100', currency = 'JPY' }\n"
      "credits_per_unit = 2\n");
  const Ran ran = fake.run({"apply", "-f", file, "--dry-run"});
  CHECK(ran.exit == 5);
  CHECK(has(ran.out, "! funder jst: title J -> K, credits_per_unit 1 -> 2\n"));
  CHECK(has(ran.err, file + ":1: funder jst: it is there already"));
}

TEST_CASE("apply: folders, several files, the same thing twice") {
  Fake fake;
  Folder folder;
  folder.put("b.toml", "[[grant]]\nname = 'g'\nprogramme = 'p'\norganisation = 'o'\n");
  folder.put("a.toml", "[[project]]\nname = 'q'\norganisation = 'o'\n");
  folder.put("notes.txt", "not TOML");
  const std::string more = folder.put("c.tml", "[[organisation]]\nname = 'o'\n");
  fake.expect(
      "POST /v1/apply",
      json(R"({"items":[{"kind":"organisation","name":"o","result":"created","id":1},)"
           R"({"kind":"grant","name":"g","result":"changed","id":1},)"
           R"({"kind":"project","name":"q","result":"unchanged","id":1}],"refused":null})"));
  const Ran ran = fake.run({"apply", "-f", folder.path(), "-f", more});
  CHECK(ran.exit == 0);
  CHECK(ran.out == "created organisation o\nchanged grant g\n1 created, 1 changed, 1 unchanged\n");
  CHECK(fake.last().body == R"({"items":[{"kind":"organisation","name":"o"},)"
                            R"({"kind":"grant","name":"g","programme":"p","organisation":"o"},)"
                            R"({"kind":"project","name":"q","organisation":"o"}]})");

  const std::string again =
      folder.put("d.tml", "[[grant]]\nname = 'g'\nprogramme = 'p'\norganisation = 'o'\n");
  const Ran twice = fake.run({"apply", "-f", folder.path(), "-f", again});
  CHECK(twice.exit == 2);
  CHECK(has(twice.err,
            again + ":1: grant g is declared twice, first at " + folder.path() + "/b.toml:1"));
  Folder empty;
  CHECK(has(fake.run({"apply", "-f", empty.path()}).err, "has no .toml files"));
}

TEST_CASE("apply: what is larger than a request goes in several, and a refusal names its line") {
  Fake fake;
  Folder folder;
  std::string text;
  for (int i = 0; i < 6'000; ++i) text += "[[region]]\nname = 'r" + std::to_string(i) + "'\n";
  const std::string file = folder.put("f.toml", text);
  std::string items;
  for (int i = 0; i < 5'000; ++i)
    items += R"({"kind":"region","name":"r","result":"created","id":1},)";
  items.pop_back();
  fake.expect("POST /v1/apply", json(R"({"items":[)" + items + R"(],"refused":null})"));
  fake.expect(
      "POST /v1/apply",
      json(R"({"items":[],"refused":{"index":2,"problem":{"code":"name_invalid","status":422,)"
           R"("texts":{"en":"bad name","ja":"名前が不正"}}}})"));
  const Ran ran = fake.run({"apply", "-f", file});
  CHECK(fake.asked().size() == 2);
  CHECK(has(ran.out, "5000 created, 0 unchanged\n"));
  CHECK(has(ran.err, file + ":10005: region r5002: bad name"));
}

TEST_CASE("a kind or field that is nearly right") {
  Fake fake;
  Folder folder;
  const auto error = [&](const std::string& text) {
    return fake.run({"apply", "-f", folder.put("f.toml", text)}).err;
  };
  CHECK(has(error("[[fundr]]\nname = 'x'\n"), "did you mean funder?"));
  CHECK(has(error("[[pool]]\nnmae = 'x'\n"), "did you mean name?"));
}

// ---- contexts ----

TEST_CASE("contexts: added, used, shown without their tokens, removed") {
  Fake fake;
  Folder folder;
  const Env env{{"XDG_CONFIG_HOME", folder.path()}, {"TENBIN_URL", ""}, {"TENBIN_TOKEN", ""}};
  const std::string token = folder.put("token", "tnb_one\n");
  fake.expect("GET /v1/whoami", json(R"({"person":"sato"})"));

  CHECK(fake.run({"context", "list"}, env).err == "nothing to show\n");
  Ran ran = fake.run({"context", "add", "lab", "--url", fake.url(), "--token-file", token}, env);
  CHECK(ran.exit == 0);
  const std::string file = folder.path() + "/tenbin/contexts.toml";
  struct stat about{};
  REQUIRE(::stat(file.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);

  // The first is used without more ado, with its token.
  CHECK(has(fake.run({"whoami"}, env).out, "sato"));
  CHECK(fake.last().header("Authorization") == "Bearer tnb_one");

  CHECK(fake.run({"context", "add", "other", "--url", "http://127.0.0.1:1"}, env).exit == 0);
  CHECK(fake.run({"context", "list", "-o", "csv"}, env).out ==
        "name,url,token,current\nlab," + fake.url() +
            ",true,true\nother,http://127.0.0.1:1,false,false\n");
  CHECK_FALSE(has(fake.run({"context", "list", "-o", "json"}, env).out, "tnb_"));
  CHECK_FALSE(has(fake.run({"context", "show"}, env).out, "tnb_"));
  CHECK(has(fake.run({"context", "show"}, env).out, "context lab"));

  // A token goes to no other URL.
  ran = fake.run({"whoami", "--context", "other"}, env);
  CHECK(ran.exit == 4);
  ran = fake.run({"whoami", "--url", "http://127.0.0.1:1"}, env);
  CHECK(ran.exit == 4);
  // Given again for another place, it is forgotten; for the same, kept.
  fake.run({"context", "add", "lab", "--url", fake.url()}, env);
  CHECK(has(fake.run({"context", "show", "lab"}, env).out, "yes"));
  fake.run({"context", "add", "lab", "--url", "http://127.0.0.1:2"}, env);
  CHECK(fake.run({"context", "show", "lab", "-o", "json"}, env).out ==
        "{\"name\":\"lab\",\"url\":\"http://127.0.0.1:2\",\"token\":false,\"current\":true}\n");

  // Which goes before which.
  fake.run({"context", "add", "lab", "--url", fake.url(), "--token-file", token}, env);
  Env both = env;
  both["TENBIN_TOKEN"] = "tnb_env";
  fake.run({"whoami"}, both);
  CHECK(fake.last().header("Authorization") == "Bearer tnb_env");
  fake.run({"whoami", "--context", "lab"}, both);
  CHECK(fake.last().header("Authorization") == "Bearer tnb_one");
  Env named = env;
  named["TENBIN_CONTEXT"] = "other";
  CHECK(fake.run({"whoami"}, named).exit == 4);
  CHECK(fake.run({"whoami", "--context", "lab"}, named).exit == 0);

  CHECK(fake.run({"context", "use", "other"}, env).exit == 0);
  CHECK(fake.run({"whoami"}, env).exit == 4);
  ran = fake.run({"context", "use", "lb"}, env);
  CHECK(ran.exit == 3);
  CHECK(has(ran.err, "did you mean lab?"));
  CHECK(fake.run({"whoami", "--context", "none"}, env).exit == 3);
  CHECK(fake.run({"context", "remove", "other"}, env).exit == 0);
  CHECK(fake.run({"context", "remove", "other"}, env).exit == 3);

  for (const Args& bad : {Args{"context", "add", "x y", "--url", "http://h"},
                          Args{"context", "add", "x"}, Args{"context", "add", "x", "--url", "h:1"},
                          Args{"context", "add", "x", "--url", "http://h\n"}}) {
    CHECK(fake.run(bad, env).exit == 2);
  }

  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  CHECK(has(fake.run({"context", "list"}, env).err, "chmod 600"));
  REQUIRE(::truncate(file.c_str(), 5) == 0);
  ran = fake.run({"context", "list"}, env);
  CHECK(ran.exit == 2);
  CHECK(has(ran.err, "contexts.toml:1: not TOML"));
  ::unlink(file.c_str());
  ::rmdir((folder.path() + "/tenbin").c_str());
}

// ---- watching ----

TEST_CASE("--watch shows what changed, once for each change") {
  Fake fake;
  const auto list = [](const char* state) {
    return json(R"({"items":[{"id":1,"state":")" + std::string(state) + R"("}],"next":null})");
  };
  fake.expect("GET /v1/jobs?limit=100", list("queued"));
  fake.expect("GET /v1/jobs?limit=100", list("queued"));
  fake.expect("GET /v1/jobs?limit=100", list("running"));
  fake.stop_after = 2;
  CHECK(fake.run({"jobs", "--watch", "-o", "json"}).out ==
        "[{\"id\":1,\"state\":\"queued\"}]\n[{\"id\":1,\"state\":\"running\"}]\n");

  Fake shown;
  shown.expect("GET /v1/jobs/1", json(R"({"id":1,"state":"running"})"));
  shown.expect("GET /v1/jobs/1", json(R"({"id":1,"state":"completed"})"));
  shown.expect("GET /v1/events?job=1",
               {.status = 200, .content_type = "text/event-stream", .body = ": welcome\n\n"});
  shown.stop_after = 100;
  const Ran ran = shown.run({"job", "show", "1", "--watch", "-o", "json"});
  CHECK(ran.exit == 0);  // it ends by itself when the job has
  CHECK(ran.out == "{\"id\":1,\"state\":\"running\"}\n{\"id\":1,\"state\":\"completed\"}\n");
}

TEST_CASE("--watch draws over a terminal, no more than it has lines") {
  Fake fake;
  std::string items;
  for (int i = 0; i < 30; ++i) items += R"({"name":"r)" + std::to_string(i) + R"("},)";
  items.pop_back();
  fake.expect("GET /v1/regions?limit=1000", json(R"({"items":[)" + items + "]}"));
  fake.stop_after = 0;
  const std::string out =
      fake.run({"region", "list", "--watch", "--color=never"}, {}, {80, 12}).out;
  CHECK(out.starts_with("\x1b[2J\x1b[HNAME"));
  CHECK(out.ends_with("\x1b[J"));
  CHECK(std::ranges::count(out, '\n') <= 12);
  CHECK(has(out, "more lines"));
}

// ---- events ----

net::Response stream(std::string body) {
  return {.status = 200, .content_type = "text/event-stream", .body = std::move(body)};
}

const std::string two_events =
    ": welcome\n\n"
    "id: 17.0\nevent: JobStarted\ndata: "
    R"({"sequence":17,"index":0,"at":"2027-03-30T08:00:00Z","by":null,"job":1,"nodes":["e1"]})"
    "\n\n"
    "id: 18.0\nevent: JobSettled\ndata: "
    R"({"sequence":18,"index":0,"at":"2027-03-30T08:00:05Z","by":"sato","job":1})"
    "\n\n";

TEST_CASE("events: for people a line each, JSON as it came, and what is asked for") {
  Fake fake;
  fake.stop_after = 100;
  fake.expect("GET /v1/events?since=16&project=p&job=1&kinds=JobStarted%2CJobSettled&follow=false",
              stream(two_events));
  const Args asked{"events",    "--since", "16",
                   "--project", "p",       "--job",
                   "1",         "--kinds", "JobStarted,JobSettled"};
  Ran ran = fake.run(asked);
  CHECK(ran.exit == 0);
  CHECK(ran.out ==
        "2027-03-30 17:00:00 JST  17.0  JobStarted  -  job=1 nodes=e1\n"
        "2027-03-30 17:00:05 JST  18.0  JobSettled  sato  job=1\n");
  Args args = asked;
  args.insert(args.end(), {"-o", "json", "--limit", "1"});
  CHECK(fake.run(args).out ==
        R"({"sequence":17,"index":0,"at":"2027-03-30T08:00:00Z","by":null,"job":1,"nodes":["e1"],)"
        R"("id":"17.0","event":"JobStarted"})"
        "\n");
  CHECK(fake.run({"events"}).exit == 2);
  // What was cut short is not taken for all there is.
  Fake broken;
  broken.stop_after = 100;
  broken.expect("GET /v1/events?since=0&follow=false",
                stream(two_events + "event: broken\ndata: {}\n\n"));
  ran = broken.run({"events", "--since", "0"});
  CHECK(ran.exit != 0);
  CHECK(ran.err.find("broken") != std::string::npos);
}

TEST_CASE("events --follow comes back with the last id after the stream broke off") {
  Fake fake;
  fake.stop_after = 100;
  fake.expect("GET /v1/events", stream(two_events));
  fake.expect("GET /v1/events", stream("event: lagging\ndata: {}\n\n"));
  fake.expect("GET /v1/events", stream(two_events));
  const Ran ran = fake.run({"events", "--follow", "--limit", "4", "-o", "csv"});
  CHECK(ran.exit == 0);
  CHECK(ran.out.starts_with("id,at,event,by,data\n17.0,2027-03-30T08:00:00Z,JobStarted,,"));
  CHECK(fake.asked().size() == 3);
  CHECK(fake.at(0).header("Last-Event-ID").empty());
  CHECK(fake.at(1).header("Last-Event-ID") == "18.0");
  CHECK(fake.at(2).header("Last-Event-ID") == "18.0");
  Fake out;
  out.stop_after = 100;
  out.expect("GET /v1/events", stream("event: signed_out\ndata: {}\n\n"));
  CHECK(out.run({"events", "--follow"}).exit == 4);
}

// ---- what the commands say about themselves ----

struct Quiet {
  std::string out;
  Surroundings around{
      .variable = [](const char*) { return std::string(); },
      .out = [this](std::string_view text) { out += text; },
      .err = [](std::string_view) {},
      .sleep = [](Span) {},
  };
};

TEST_CASE("every command has an example that it understands, in both languages") {
  Quiet quiet;
  const Context context(quiet.around);
  for (const Command& command : commands()) {
    CAPTURE(command.name);
    const Described described = describe(context, command);
    CHECK(described.name == command.name);
    CHECK_FALSE(described.about.empty());
    CHECK_FALSE(has(described.about, "{"));
    CHECK(std::ranges::any_of(examples(),
                              [&](const Example& e) { return e.command == command.name; }));
  }
  for (const Example& example : examples()) {
    CAPTURE(example.line);
    CHECK(example.line.starts_with(example.command));
    CHECK_FALSE(example.english.empty());
    CHECK_FALSE(example.japanese.empty());
    const auto* command = std::ranges::find(commands(), example.command, &Command::name).base();
    REQUIRE(command != commands().data() + commands().size());
    const Described described = describe(context, *command);
    std::vector<Described::Flag> flags = described.flags;
    flags.insert(flags.end(), described.global_flags.begin(), described.global_flags.end());
    for (std::size_t at = example.line.find(" -"); at != std::string_view::npos;
         at = example.line.find(" -", at + 1)) {
      std::string_view flag = example.line.substr(at + 1);
      flag = flag.substr(0, flag.find_first_of(" ="));
      if (flag == "--") break;
      if (flag == "-l" || flag == "-") continue;  // of man(1)
      CAPTURE(flag);
      CHECK(std::ranges::any_of(
          flags, [&](const Described::Flag& f) { return std::ranges::count(f.names, flag) > 0; }));
    }
  }
}

TEST_CASE("every kind has list and its verb, and the help of files knows every field") {
  for (const Noun& noun : nouns()) {
    const std::string name(noun.name);
    CAPTURE(name);
    CHECK(find_command({name, "list"}));
    CHECK(find_command({name, std::string(noun.verb)}));
    for (const Related& related : noun.related) CHECK(find_noun(related.kind)->find(related.field));
  }
  Quiet quiet;
  CHECK(run_cli(quiet.around, {"help", "files", "--lang", "ja"}) == 0);
  for (const Noun& noun : nouns()) {
    CHECK(has(quiet.out, "[[" + std::string(noun.name) + "]]"));
    for (const Field& field : noun.fields) CHECK(has(quiet.out, std::string(field.name)));
  }
}

TEST_CASE("help of a noun, of a topic, and of one that is none") {
  Quiet quiet;
  CHECK(run_cli(quiet.around, {"help", "job"}) == 0);
  CHECK(has(quiet.out, "job release"));
  quiet.out.clear();
  CHECK(run_cli(quiet.around, {"node", "--help"}) == 0);
  CHECK(has(quiet.out, "node evacuate"));
  quiet.out.clear();
  CHECK(run_cli(quiet.around, {"help", "start"}) == 0);
  CHECK(has(quiet.out, "tenbin submit --project"));
  CHECK(run_cli(quiet.around, {"help", "nothing"}) == 2);
}

TEST_CASE("help fits a narrow terminal") {
  Fake fake;
  for (const char* language : {"en", "ja"}) {
    for (const Args& what : {Args{"help"}, Args{"jobs", "--help"}, Args{"help", "job"}}) {
      Args args = what;
      args.insert(args.end(), {"--lang", language});
      const std::string out = fake.run(args, {}, {70, 24}).out;
      for (std::string_view left = out; !left.empty();) {
        const std::size_t end = std::min(left.find('\n'), left.size());
        const std::string_view line = left.substr(0, end);
        CAPTURE(line);
        // Examples are to be copied, and a name or a shape is not broken.
        if (!line.starts_with("  tenbin ") && !line.starts_with("  #")) CHECK(width_of(line) <= 76);
        left.remove_prefix(std::min(end + 1, left.size()));
      }
    }
  }
}

std::vector<std::string> completions(Fake& fake, Args words, const Env& env = {}) {
  Args args{"complete", "--"};
  args.insert(args.end(), words.begin(), words.end());
  const Ran ran = fake.run(args, env);
  CHECK(ran.exit == 0);
  CHECK(ran.err.empty());
  std::vector<std::string> found;
  for (std::string_view left = ran.out; !left.empty();) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    found.emplace_back(left.substr(0, std::min(left.substr(0, end).find('\t'), end)));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return found;
}

TEST_CASE("completion: commands, flags, values, names of the service") {
  using All = std::vector<std::string>;
  Fake fake;
  fake.expect("GET /v1/projects?limit=500",
              json(R"({"items":[{"name":"tokyo-llm","title":"T"},{"name":"keio"}]})"));
  fake.expect(
      "GET /v1/jobs?limit=50",
      json(R"({"items":[{"id":12,"name":"学習","state":"running"},{"id":11}],"next":null})"));
  fake.expect("GET /v1/pools?limit=500", json(R"({"items":[{"name":"p","gpu_model":"h100"}]})"));

  CHECK(completions(fake, {"job", "re"}) == All{"release"});
  CHECK(completions(fake, {"jo"}) == All{"jobs", "job"});
  CHECK(completions(fake, {"help", "exit"}) == All{"exit-codes"});
  CHECK(completions(fake, {"jobs", "--st"}) == All{"--state"});
  CHECK(completions(fake, {"jobs", "--state", "r"}) == All{"running"});
  CHECK(completions(fake, {"jobs", "--state=r"}) == All{"--state=running"});
  CHECK(completions(fake, {"jobs", "--state", "=", "r"}) == All{"running"});  // as bash has it
  CHECK(completions(fake, {"jobs", "-o", ""}) == All{"table", "json", "csv"});
  CHECK(completions(fake, {"--lang", ""}) == All{"ja", "en"});
  CHECK(completions(fake, {"--lang", "ja", "job", "ho"}) == All{"hold"});
  CHECK(completions(fake, {"submit", "--project", "t"}) == All{"tokyo-llm"});
  CHECK(completions(fake, {"balance", ""}) == All{"tokyo-llm", "keio"});
  CHECK(completions(fake, {"project", "create", ""}) == All{});
  CHECK(completions(fake, {"job", "cancel", ""}) == All{"12", "11"});
  CHECK(completions(fake, {"job", "cancel", "12", ""}) == All{"11"});
  CHECK(completions(fake, {"quote", "--model", ""}) == All{"h100"});
  CHECK(completions(fake, {"apply", "-f", "x"}) == All{":files"});
  CHECK(completions(fake, {"submit", "--", ""}) == All{":files"});
  CHECK(completions(fake, {"completion", ""}) == All{"bash", "zsh", "fish"});
  CHECK(completions(fake, {"jobs", "--watch", "--wat"}) == All{});  // is there already
  CHECK(completions(fake, {"frobnicate", ""}) == All{});
  // No service: nothing, and no words about it.
  CHECK(completions(fake, {"balance", ""}, {{"TENBIN_URL", "http://127.0.0.1:1"}}) == All{});
}

TEST_CASE("manual: both languages, and no text that could be a request") {
  Fake fake;
  const Ran page = fake.run({"man", "job"});
  CHECK(page.exit == 0);
  CHECK(has(page.out, ".TH \"TENBIN\\-JOB\" \"1\""));
  CHECK(has(page.out, "\\fB\\-w, \\-\\-watch\\fR"));
  for (const char* language : {"en", "ja"}) {
    const std::string out = fake.run({"man", "--lang", language}).out;
    for (std::string_view left = out; !left.empty();) {
      const std::size_t end = std::min(left.find('\n'), left.size());
      const std::string_view line = left.substr(0, end);
      CAPTURE(line);
      if (line.starts_with('.')) {
        constexpr std::string_view known[] = {".TH", ".SH", ".SS", ".PP",
                                              ".TP", ".nf", ".fi", ".sp"};
        CHECK(std::ranges::count(known, line.substr(0, 3)) == 1);
      }
      CHECK_FALSE(line.starts_with('\''));
      left.remove_prefix(std::min(end + 1, left.size()));
    }
  }
  CHECK(has(fake.run({"man", "jbo"}).err, "did you mean job?"));
}

TEST_CASE("flags that are nearly right, and flags without their value") {
  Fake fake;
  CHECK(has(fake.run({"jobs", "--projct", "x"}).err, "did you mean --project?"));
  CHECK(has(fake.run({"jobs", "--wach"}).err, "did you mean --watch?"));
  CHECK(has(fake.run({"jobs", "--limit"}).err, "--limit needs a value"));
  CHECK(has(fake.run({"jobs", "--lang", "ja", "--limit"}).err, "値が必要です"));
  CHECK(has(fake.run({"funder", "lst"}).err, "did you mean `tenbin funder list`?"));
}

}  // namespace
}  // namespace tenbin::cli
