// `tenbin replay` as a person runs it: files in, files and tables out.

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "cli/cli.h"
#include "cli/replay_files.h"
#include "codec/json.h"
#include "twin/policy.h"
#include "twin/trace.h"

namespace tenbin::cli {
namespace {

struct Ran {
  int code = -1;
  std::string out, err;
};

Ran run(const std::vector<std::string>& words, std::function<bool()> stopped = {}) {
  Ran ran;
  const Surroundings around{
      .variable = [](const char*) { return std::string(); },
      .out = [&](std::string_view text) { ran.out += text; },
      .err = [&](std::string_view text) { ran.err += text; },
      .sleep = [](Span) {},
      .stopped = std::move(stopped),
  };
  ran.code = run_cli(around, words);
  return ran;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// A folder that is gone afterwards.
struct Folder {
  std::string path;
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "tenbin-replay-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string put(const std::string& name, const std::string& text) const {
    std::ofstream(path + "/" + name) << text;
    return path + "/" + name;
  }
  std::string read(const std::string& name) const {
    std::ifstream file(path + "/" + name, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
};

const std::string source = TENBIN_SOURCE_DIR;
const std::string ties = source + "/tests/golden/ties_60_g8.csv";

}  // namespace

TEST_CASE("schedules come out byte for byte through the command") {
  const Folder folder;
  const std::string starts = folder.path + "/starts";
  for (const auto& [name, gpus] :
       {std::pair("ties_60_g8", "8"), std::pair("limits_60_g16", "16")}) {
    for (const std::string policy : {"fifo", "sjf", "easy"}) {
      CAPTURE(name);
      CAPTURE(policy);
      const std::string path = source + "/tests/golden/" + name;
      CHECK(run({"replay", path + ".csv", "--gpus", gpus, "--policy", policy, "--starts", starts})
                .code == 0);
      CHECK(folder.read("starts") == *unpacked_file(path + "." + policy + ".csv"));
    }
  }
  const char* shared = std::getenv("TENBIN_SHARED");  // NOLINT(concurrency-mt-unsafe)
  const std::string golden = std::string(shared ? shared : "") + "/golden/";
  if (!shared || !std::filesystem::exists(golden + "inputs")) {
    MESSAGE("SKIPPED: the published schedules are not here (TENBIN_SHARED)");
    return;
  }
  const bool all = std::getenv("TENBIN_LONG") != nullptr;  // NOLINT(concurrency-mt-unsafe)
  std::size_t compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden)) {
    const std::string file = entry.path().filename();  // s1_1k_g64.fifo.csv.gz
    if (!file.ends_with(".csv.gz")) continue;
    const std::size_t dot = file.find('.');
    const std::string name = file.substr(0, dot),
                      policy = file.substr(dot + 1, file.size() - dot - 8);
    if (!policy_named(policy)) continue;
    const std::string size = name.substr(name.find('_') + 1, name.find("_g") - name.find('_') - 1);
    if (!all && !has(name, "_1k_") && !has(name, "_2k_")) continue;
    CAPTURE(file);
    std::string gpus = name.substr(name.find("_g") + 2);
    gpus = gpus.substr(0, gpus.find('_'));
    CHECK(run({"replay", golden + "inputs/" + name + ".csv.gz", "--gpus", gpus, "--policy", policy,
               "--starts", starts})
              .code == 0);
    CHECK((folder.read("starts") == *unpacked_file(entry.path())));
    ++compared;
  }
  CHECK(compared >= 6);
}

TEST_CASE("two runs give the same bytes, in every form") {
  const Folder folder;
  std::string first[5];
  for (int again = 0; again < 2; ++again) {
    const std::vector<std::string> words{"replay",   ties,
                                         "--fleet",  "2x4",
                                         "--policy", "fifo",
                                         "--policy", "easy",
                                         "--html",   folder.path + "/page.html",
                                         "--out",    folder.path + "/jobs.csv"};
    auto json = words, csv = words;
    json.insert(json.end(), {"-o", "json"});
    csv.insert(csv.end(), {"-o", "csv", "--lang", "ja"});
    const std::string got[5] = {run(json).out, folder.read("page.html"), folder.read("jobs.csv"),
                                run(csv).out, folder.read("page.html")};
    for (int i = 0; i < 5; ++i) {
      CHECK_FALSE(got[i].empty());
      if (again) CHECK((got[i] == first[i]));
      first[i] = got[i];
    }
  }
  JsonDocument document;
  const auto json = document.parse(first[0]);
  REQUIRE(json.has_value());
  CHECK((*json)["replays"].size() == 2);
  CHECK(first[2].starts_with(
      "policy,job_id,user,owner,gpus,submit,start,end,wait,state,pool,credits\nfifo,"));
  CHECK(std::ranges::count(first[2], '\n') == 121);
  CHECK(has(first[1], R"("lang":"en")"));
  CHECK(has(first[4], R"("lang":"ja")"));
}

TEST_CASE("a page needs nothing from elsewhere and takes no name for markup") {
  const Folder folder;
  const std::string trace = folder.put(
      "<b>&.csv",
      "job_id,submit,gpus,runtime,walltime,user\n1,0,1,5000,9000,0\n2,0,8,5000,9000,1\n");
  CHECK(run({"replay", trace, "--fleet", "1x8", "--html", folder.path + "/p.html"}).code == 0);
  const std::string page = folder.read("p.html");
  CHECK(has(page, "default-src 'none'"));
  CHECK(has(page, "<h1>&lt;b>&amp;.csv</h1>"));
  CHECK_FALSE(has(page, "<b>"));
  for (const char* outside :
       {"http://", "https://", "url(", "@import", "fetch(", "XMLHttp", "<link", " src="}) {
    CAPTURE(outside);
    std::string rest = page;  // the namespace of SVG is no address
    if (const auto at = rest.find("http://www.w3.org/2000/svg"); at != std::string::npos)
      rest.erase(at, 26);
    CHECK_FALSE(has(rest, outside));
  }
}

TEST_CASE("bad input is answered with what, where and what to do") {
  const Folder folder;
  struct Case {
    std::vector<std::string> words;
    std::string part;
  };
  const std::string policy = folder.put("p.toml", "order = \"fifo\"\n\nbackfil = \"easy\"\n");
  const std::string value = folder.put("v.toml", "order = \"fifo\"\nbackfill = \"most\"\n");
  const std::string fleet = folder.put("f.toml",
                                       "[[pool]]\nname = \"a\"\nprovider = \"x\"\nregion = "
                                       "\"r\"\ngpu_model = \"m\"\ngpus_per_node = 99\n");
  const std::string lone = folder.put("l.toml", "[[node]]\nname = \"n\"\npool = \"none\"\n");
  for (const Case& c : std::vector<Case>{
           {{"replay"}, "name a trace"},
           {{"replay", ties}, "--fleet 64x8"},
           {{"replay", ties, "--gpus", "0"}, "from 1 to"},
           {{"replay", ties, "--gpus", "8", "--fleet", "2x4"}, "not both"},
           {{"replay", ties, "--fleet", "0x4"}, "0x4"},
           {{"replay", ties, "--fleet", folder.path + "/none.toml"}, "none.toml"},
           {{"replay", ties, "--fleet", fleet}, "f.toml:1: gpus_per_node must be 1 to 32"},
           {{"replay", ties, "--fleet", lone}, "l.toml:1: there is no pool none"},
           {{"replay", ties, "--gpus", "8", "--policy", "fastest"},
            "there is no policy \"fastest\""},
           {{"replay", ties, "--gpus", "8", "--policy", policy},
            "p.toml:3: no such field: backfil"},
           {{"replay", ties, "--gpus", "8", "--policy", value},
            "v.toml:2: backfill must be none, easy"},
           {{"replay", folder.path + "/none.csv", "--gpus", "8"}, "none.csv"},
           {{"replay", ties, "--gpus", "8", "--starts", folder.path + "/no/where", "--policy",
             "easy"},
            "cannot write"},
           {{"replay", ties, "--gpus", "8", "--starts", folder.path + "/s", "--policy", "easy",
             "--policy", "fifo"},
            "one policy"},
           {{"replay", ties, "--gpus", "8", "--format", "parquet"}, "csv, swf"},
           {{"replay", "--journal", folder.path}, "cannot read state folders"}}) {
    const Ran ran = run(c.words);
    CAPTURE(c.words.back());
    CAPTURE(ran.err);
    CHECK(ran.code != 0);
    CHECK(has(ran.err, c.part));
    CHECK(ran.out.empty());
  }
  CHECK(
      has(run({"replay", ties, "--gpus", "8", "--policy", policy}).err, "did you mean backfill?"));
}

TEST_CASE("the policies and fleets of the examples are understood") {
  for (const auto& entry : std::filesystem::directory_iterator(source + "/examples/policies")) {
    if (entry.path().extension() != ".toml") continue;
    CAPTURE(entry.path().string());
    CHECK(run({"replay", ties, "--gpus", "8", "--policy", entry.path()}).code == 0);
  }
  const Ran ran =
      run({"replay", ties, "--fleet", source + "/examples/japan-2024/fleet.toml", "-o", "json"});
  CHECK(ran.code == 0);
  CHECK(has(
      ran.out,
      R"("pool":"east-h100","region":"japan-east","gpu_model":"h100","kind":"nodes","nodes":2,"gpus":8,"gpu_hour":"600")"));
}

TEST_CASE("openb: its nodes are a fleet, its models are found, whatever their letters") {
  const Folder folder;
  const std::string nodes = folder.put("nodes.csv",
                                       "sn,cpu_milli,memory_mib,gpu,model\n"
                                       "openb-node-0000,64000,262144,2,P100\n"
                                       "openb-node-0001,96000,393216,8,V100M16\n"
                                       "openb-node-0002,96000,393216,8,V100M16\n"
                                       "openb-node-0003,96000,393216,0,\n");
  const std::string pods =
      folder.put("pods.csv",
                 "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,"
                 "deletion_time,scheduled_time\n"
                 "openb-pod-0000,12000,16384,1,1000,,LS,Running,0,100,0\n"
                 "openb-pod-0001,6000,12288,1,460,V100M16|V100M32,LS,Running,10,200,10\n"
                 "openb-pod-0002,6000,12288,1,460,A10,LS,Running,20,200,20\n"
                 "openb-pod-0003,6000,12288,8,1000,V100M16,LS,Running,30,200,30\n");
  const Ran ran = run({"replay", pods, "--fleet", nodes, "--policy", "easy", "-o", "json"});
  CAPTURE(ran.err);
  CHECK(ran.code == 0);
  CHECK(has(ran.out, R"("gpu_model":"v100m16","kind":"nodes","nodes":2,"gpus":16)"));
  CHECK(has(ran.out, R"("jobs":4,"refused":1)"));
  CHECK(has(ran.out, R"("fragmentation":)"));
}

TEST_CASE("a fleet that no World would take is an error in words") {
  const Folder folder;
  const std::string fleet =
      folder.put("f.toml",
                 "[[pool]]\nname = \"A B\"\nprovider = \"x\"\nregion = \"r\"\ngpu_model = \"m\"\n"
                 "gpus_per_node = 8\n[[node]]\nname = \"n\"\npool = \"A B\"\n");
  const Ran ran = run({"replay", ties, "--fleet", fleet, "--policy", "easy"});
  CHECK(ran.code == 1);
  CHECK(has(ran.err, "pool A B: a name is 1 to 64 characters"));
}

TEST_CASE("what cannot run is counted and named, in both languages") {
  const Ran english = run({"replay", ties, "--gpus", "2", "--policy", "easy"});
  CHECK(english.code == 0);
  CHECK(has(english.err, "jobs were refused: "));
  CHECK(has(english.err, "no_pool_fits"));
  CHECK(has(run({"replay", ties, "--gpus", "2", "--policy", "easy", "--lang", "ja"}).err,
            "受け付けませんでした"));
  const Ran two =
      run({"replay", ties, "--gpus", "8", "--policy", "fifo", "--policy", "easy", "--lang", "ja"});
  CHECK(has(two.out, "平均待ち時間が最短なのは easy"));
}

TEST_CASE(
    "of replays that were stopped nothing is said to be better, and those not begun are named") {
  const Folder folder;
  std::string trace = "job_id,submit,gpus,runtime,walltime,user\n";
  for (int i = 1; i <= 400'000; ++i)
    trace += std::to_string(i) + "," + std::to_string(i) + ",1,9,9,1\n";
  const std::string path = folder.put("long.csv", trace);
  const Ran ran = run({"replay", path, "--gpus", "1", "--policy", "fifo", "--policy", "easy",
                       "--threads", "1", "--html", folder.path + "/page.html"},
                      [] { return true; });
  CAPTURE(ran.err);
  CHECK(ran.code == 130);
  CHECK(has(ran.err, "easy"));  // it had not begun
  CHECK_FALSE(has(ran.out, "easy"));
  CHECK_FALSE(has(ran.out + ran.err, "hortest mean wait"));
}

TEST_CASE("a trace without times is refused, and one without jobs is said to be that") {
  const Folder folder;
  const std::string untimed = folder.put(
      "p.csv", "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\np0,1000,1024,1,1000,\n");
  const Ran ran = run({"replay", untimed, "--gpus", "8"});
  CHECK(ran.code == 1);
  CHECK(has(ran.err, "no_times"));
  CHECK(ran.out.empty());
  const std::string empty =
      folder.put("e.csv", "job_id,submit,gpus,runtime,walltime,user\n1,-5,1,1,1,1\n2,1,0,1,1,1\n");
  const Ran none = run({"replay", empty, "--gpus", "8"});
  CHECK(none.code == 1);
  CHECK(has(none.err, "no_jobs"));
  CHECK(has(run({"trace", "info", empty}).err, "no_jobs"));
}

TEST_CASE("a file that is not there has one answer, whoever looks for it") {
  const Folder folder;
  const std::string none = folder.path + "/none.csv";
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"replay", none, "--gpus", "8"},
           {"replay", ties, "--fleet", none},
           {"replay", ties, "--fleet", folder.path + "/none.toml"},
           {"replay", ties, "--gpus", "8", "--policy", folder.path + "/none.toml"},
           {"trace", "info", none},
           {"pack", none, ties, "--policy", "fgd"}}) {
    const Ran ran = run(words);
    CAPTURE(words[0]);
    CAPTURE(ran.err);
    CHECK(ran.code == 3);
    CHECK(has(ran.err, "no_file"));
    CHECK(has(ran.err, "none."));
  }
}

TEST_CASE("what a fleet file is goes by its name, not by those of its folders") {
  const Folder folder;
  std::filesystem::create_directory(folder.path + "/lists.csv.d");
  const std::string fleet = folder.put(
      "lists.csv.d/f.toml",
      "[[pool]]\nname = \"a\"\nprovider = \"x\"\nregion = \"r\"\ngpu_model = \"m\"\ngpus_per_node "
      "= "
      "8\n[[node]]\nname = \"n\"\npool = \"a\"\n[[policy]]\norder = \"fifo\"\nbackfill = "
      "\"none\"\nplacement = \"random\"\nseed = 7\n");
  // Its own policy is used: nobody passes.
  const Ran own = run({"replay", ties, "--fleet", fleet, "--starts", folder.path + "/own"});
  CHECK(own.code == 0);
  CHECK(
      run({"replay", ties, "--fleet", "1x8", "--policy", "fifo", "--starts", folder.path + "/fifo"})
          .code == 0);
  CHECK(folder.read("own") == folder.read("fifo"));
}

TEST_CASE("a policy file takes the fields that declarations take, and no others") {
  const Folder folder;
  const auto with = [&](const std::string& text) {
    return run({"replay", ties, "--gpus", "8", "--policy", folder.put("p.toml", text)});
  };
  CHECK(with("cpu_jobs = true\nseed = 9007199254740992\n").code == 0);
  CHECK(has(with("order = \"\"\n").err, "p.toml:1: order must be"));
  CHECK(has(with("seed = -1\n").err, "p.toml:1: seed"));
  CHECK(has(with("seed = 9007199254740993\n").err, "p.toml:1: seed"));
  CHECK(has(with("cpu_jobs = 1\n").err, "p.toml:1: cpu_jobs"));
  CHECK(has(with("depth = 3\n").err, "no such field: depth"));
}

}  // namespace tenbin::cli
