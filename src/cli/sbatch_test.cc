#include "cli/sbatch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "cli/files.h"
#include "cli/job_flags.h"

// What is understood of batch scripts. The forms of values and the rules of lines are those of
// sbatch; tests/slurm compares with a real one.

namespace tenbin::cli {
namespace {

struct Understood {
  JobRequest job;
  std::vector<Notice> notices;

  std::size_t fatal() const {
    return static_cast<std::size_t>(std::ranges::count(notices, true, &Notice::fatal));
  }
  // The text of the notice about this place that holds `part`.
  bool says(std::string_view place, std::string_view part, bool is_fatal) const {
    return std::ranges::any_of(notices, [&](const Notice& n) {
      return n.fatal == is_fatal && n.place == place && n.text.find(part) != std::string::npos;
    });
  }
};

const FleetNames fleet{.pools = {{"east-h100", "japan-east", "NVIDIA H100-SXM5-80GB"},
                                 {"west-a100", "japan-west", "a100"}}};

Understood understand(const std::string& script, std::map<std::string, std::string> env = {},
                      const std::vector<std::string>& words = {}, SlurmNames names = {},
                      Language language = Language::english) {
  const Surroundings around{
      .variable = [&](const char* name) { return env.contains(name) ? env[name] : std::string(); },
      .out = [](std::string_view) {},
      .err = [](std::string_view) {},
      .sleep = [](Span) {}};
  Context context(around);
  context.look.language = language;
  SbatchOptions options;
  read_sbatch_script(context, script, "x.sbatch", options);
  read_sbatch_environment(context, options);
  read_sbatch_words(context, words, "--sbatch", options);
  Understood result;
  result.job = request_of(context, options, names, fleet);
  result.notices = std::move(options.notices);
  return result;
}

Understood line(const std::string& directives) {
  return understand("#!/bin/sh\n#SBATCH --gpus-per-node=1\n#SBATCH " + directives + "\ntrue\n");
}

TEST_CASE("sbatch: a script as people have them") {
  const Understood u = understand(R"(#!/bin/bash
# a comment
#SBATCH --job-name="my training"   # with a comment behind
#SBATCH -A tokyo-llm -p japan-east
#SBATCH --nodes=2 --ntasks-per-node=4
#SBATCH --gres=gpu:h100:4
#SBATCH --cpus-per-task 8
#SBATCH --mem=64G
#SBATCH -t 1-12
#SBATCH -o logs/%x-%j.out -e 'logs/%x %j.err'

#SBATCH --array=0-9:3%2
#SBATCH --dependency=afterok:12:13,afterany:14
#SBATCH --signal=B:USR1@120
#SBATCH --open-mode=append
#SBATCH --no-requeue
#SBATCH --export=NONE
#SBATCH --mail-type=END --mail-user=someone@example.org
#SBATCH -H
cd /work
#SBATCH --time=1
)");
  CHECK(u.fatal() == 0);
  CHECK(u.job.name == "my training");
  CHECK(u.job.project == "tokyo-llm");
  CHECK(u.job.regions == std::vector<std::string>{"japan-east"});
  CHECK(u.job.models == std::vector<std::string>{"NVIDIA H100-SXM5-80GB"});
  CHECK(u.job.members == 2);
  CHECK(u.job.gpus == "4");
  CHECK(u.job.cpus == "32");
  CHECK(u.job.tasks_per_member == 4);
  CHECK(u.job.memory_mib == 65'536);
  CHECK(u.job.time_limit == Span{36LL * 3'600'000});
  CHECK(u.job.output == "logs/%x-%j.out");
  CHECK(u.job.error == "logs/%x %j.err");
  CHECK(u.job.array == "0-9:3");
  CHECK(u.job.tasks == 4);
  CHECK(u.job.tasks_at_once == 2);
  REQUIRE(u.job.after.size() == 3);
  CHECK(u.job.after[1].job == 13);
  CHECK(u.job.after[1].when == "ok");
  CHECK(u.job.after[2].when == "any");
  CHECK(u.job.signal == "USR1");
  CHECK(u.job.signal_before == Span{120'000});
  CHECK(u.job.signal_to == "shell");
  CHECK(u.job.append == true);
  CHECK(u.job.requeue == false);
  CHECK(u.job.hold == true);
  CHECK(u.job.environment.empty());
  CHECK(u.says("x.sbatch:18", "mail", false));
  CHECK(u.says("x.sbatch:21", "first command (line 20)", false));
}

TEST_CASE("sbatch: times in all of Slurm's forms") {
  const std::pair<const char*, std::int64_t> good[] = {
      {"10", 600},      {"10:30", 630},        {"1:02:03", 3'723},
      {"2-3", 183'600}, {"2-3:04", 183'840},   {"2-3:04:05", 183'845},
      {"0:01", 1},      {"90:00:00", 324'000}, {"00:90:00", 5'400}};
  for (const auto& [text, seconds] : good) {
    CAPTURE(text);
    CHECK(parse_slurm_time(text) == Span{seconds * 1'000});
  }
  for (const char* bad : {"", "0", "0:00", "-1", "1:2:3:4", "2-", "-", "1-2:3:4:5", "UNLIMITED",
                          "INFINITE", "1h", "1.5", "10 ", "401-0", "99999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_slurm_time(bad));
  }
}

TEST_CASE("sbatch: the ways to ask for GPUs") {
  const auto shape = [](const std::string& directives) {
    const Understood u = understand("#!/bin/sh\n#SBATCH " + directives + "\n");
    if (u.fatal() > 0) return std::string("refused");
    return (u.job.members ? std::to_string(*u.job.members) + "x" : std::string()) +
           u.job.gpus.value_or("-") + " t" + std::to_string(u.job.tasks_per_member.value_or(1)) +
           " c" + u.job.cpus.value_or("-") + " m" +
           (u.job.memory_mib ? std::to_string(*u.job.memory_mib) : "-");
  };
  CHECK(shape("--gpus=8") == "8 t1 c- m-");
  CHECK(shape("-G 16 -N 2") == "2x8 t1 c- m-");
  CHECK(shape("--gpus=16 --gpus-per-node=8") == "2x8 t1 c- m-");
  CHECK(shape("--gres=gpu:2") == "1x2 t1 c- m-");
  CHECK(shape("--gres=gpu") == "1x1 t1 c- m-");
  CHECK(shape("--gres=gpu:a100:2(S:0-1)") == "1x2 t1 c- m-");
  CHECK(shape("--gpus-per-task=1 -n 8 -N 2 -c 4") == "2x4 t4 c16 m-");
  CHECK(shape("--gpus-per-task=2 -n 4") == "1x8 t4 c4 m-");
  CHECK(shape("-n 8 --ntasks-per-node=4 --gpus-per-node=4") == "2x4 t4 c4 m-");
  CHECK(shape("-N 2 --gpus-per-node=h100:8 --cpus-per-gpu=6 --mem-per-gpu=10G") ==
        "2x8 t1 c48 m81920");
  CHECK(shape("--gpus=2 -n 2 --mem-per-cpu=2G") == "2 t2 c2 m4096");
  CHECK(shape("--gres=gpu:1 --mem=1500K") == "1x1 t1 c- m2");
  CHECK(shape("--gres=gpu:1 --mem=0") == "1x1 t1 c- m-");
  for (const char* bad :
       {"-N 1", "-G 3 -N 2", "--gres=gpu:0", "--gres=license:1", "--gres=gpu:1,lustre:1",
        "-n 3 -N 2 --gpus-per-node=1", "--gpus=8 --gpus-per-node=2 -N 2", "-N 2-4 -G 4", "-G x",
        "--gpus-per-node=b9000:1", "-N 0 -G 1", "--gres=gpu:1 --mem=much", "-G h100:"}) {
    CAPTURE(bad);
    CHECK(shape(bad) == "refused");
  }
}

TEST_CASE("sbatch: lines are taken apart as sbatch does") {
  CHECK(line("-Jname").job.name == "name");
  CHECK(line("-J name#comment").job.name == "name");
  CHECK(line("--job-name='a # b'").job.name == "a # b");
  CHECK(line("--job-name=a\\\"\\#b").job.name == "a\"#b");
  CHECK(line("--job-name=a\\ b").fatal() == 1);  // as sbatch: the blank ends the word
  CHECK(line("--job-n=short").job.name == "short");
  CHECK(line("--job-name \"two words\"").job.name == "two words");
  CHECK(line("-HJ both").job.hold == true);
  CHECK(line("-J one\n#SBATCH -J two").job.name == "two");
  CHECK(line("# nothing here").fatal() == 0);
  CHECK_FALSE(understand("#!/bin/sh\n #SBATCH -J indented\n").job.name);
  CHECK(understand("#!/bin/sh\n# SBATCH -J x\n").says("x.sbatch:2", "a comment", false));
  CHECK(understand("#!/bin/sh\n##SBATCH -J x\n").says("x.sbatch:2", "a comment", false));

  CHECK(line("--job-name='open").says("x.sbatch:3", "not closed", true));
  CHECK(line("--frobnicate=3").says("x.sbatch:3", "no option --frobnicate", true));
  CHECK(line("-Z").says("x.sbatch:3", "no option -Z", true));
  CHECK(line("--gpus-p=1").says("x.sbatch:3", "--gpus-per-node, --gpus-per-socket", true));
  CHECK(line("--time").says("x.sbatch:3", "needs a value", true));
  CHECK(line("--hold=yes").says("x.sbatch:3", "takes no value", true));
  CHECK(line("stray").says("x.sbatch:3", "not an option", true));
  CHECK(line(":x").says("x.sbatch:3", "begin with", true));

  CHECK(understand("echo no interpreter\n").says("x.sbatch", "#!", true));
  CHECK(understand("#!/bin/sh\r\n#SBATCH -J x\r\n").says("x.sbatch", "DOS", true));
  CHECK(understand(std::string("#!/bin/sh\n\0", 11)).says("x.sbatch", "NUL", true));
  CHECK(understand("#!/bin/sh\n\xff\n").says("x.sbatch", "UTF-8", true));
  CHECK(understand("").fatal() > 0);
}

TEST_CASE("sbatch: flags win over the environment, and that over the script") {
  const std::string script = "#!/bin/sh\n#SBATCH --gpus-per-node=1 -t 10 -J script\n";
  CHECK(understand(script).job.time_limit == Span{600'000});
  const Understood u = understand(
      script, {{"SBATCH_TIMELIMIT", "20"}, {"SBATCH_JOB_NAME", "env"}, {"SBATCH_REQUEUE", "1"}},
      {"--job-name=flag"});
  CHECK(u.job.time_limit == Span{1'200'000});
  CHECK(u.job.name == "flag");
  CHECK(u.job.requeue == true);
  CHECK(understand(script, {{"SBATCH_TIMELIMIT", "soon"}})
            .says("SBATCH_TIMELIMIT", "cannot be \"soon\"", true));
}

TEST_CASE("sbatch: what is not honoured is named, and stops what would run otherwise") {
  for (const char* directive : {"--exclusive",
                                "--exclusive=user",
                                "-w node1",
                                "--nodelist=a,b",
                                "-x bad",
                                "-L matlab:1",
                                "--reservation=x",
                                "--container=/x",
                                "-M other",
                                "--uid=0",
                                "-i input.txt",
                                "--deadline=now",
                                "--export-file=x",
                                "--tmp=10G",
                                "--begin=16:00",
                                "--dependency=singleton",
                                "--dependency=after:12",
                                "--dependency=afterok:1?afterok:2",
                                "--dependency=afterok:1_3",
                                "--constraint=fast",
                                "-p nowhere",
                                "--output=/var/log/x",
                                "-o ../x",
                                "-e /tmp/%j",
                                "--chdir=relative",
                                "--wrap=ls",
                                "--open-mode=x",
                                "--array=1-",
                                "--signal=9",
                                "--signal=KILL@10",
                                "--signal=X:USR1",
                                "--export==x",
                                "--time=0"}) {
    CAPTURE(directive);
    const Understood u = line(directive);
    CHECK(u.fatal() == 1);
    for (const Notice& notice : u.notices) {
      CAPTURE(notice.text);
      CHECK(notice.place == "x.sbatch:3");
    }
  }
  for (const char* directive :
       {"--mail-type=ALL", "--mail-user=x", "--qos=high", "--nice=100", "--nice", "-k",
        "--hint=nomultithread", "--distribution=block", "--gpu-bind=closest", "--wckey=x",
        "--time-min=5", "--kill-on-invalid-dep=yes", "-v", "--propagate=NONE", "--switches=1",
        "--priority=5", "--contiguous", "--mem=0", "--export=TENBIN_NO_SUCH_VARIABLE"}) {
    CAPTURE(directive);
    const Understood u = line(directive);
    CHECK(u.fatal() == 0);
    REQUIRE(u.notices.size() == 1);
    CHECK(u.notices[0].place == "x.sbatch:3");
  }
  // In Japanese too.
  const Understood u =
      understand("#!/bin/sh\n#SBATCH --gpus=1 --exclusive\n", {}, {}, {}, Language::japanese);
  CHECK(u.says("x.sbatch:2", "--exclusive には対応していません", true));
}

TEST_CASE("sbatch: an option can be done without, knowingly") {
  SbatchOptions options;
  options.given["exclusive"] = {};
  options.given["partition"] = {};
  options.given["time"] = {};
  CHECK(ignore_option(options, "exclusive"));
  CHECK(ignore_option(options, "partition"));
  CHECK_FALSE(ignore_option(options, "time"));       // nothing would run without
  CHECK_FALSE(ignore_option(options, "mail-type"));  // is not given
  CHECK_FALSE(ignore_option(options, "no-such"));
  CHECK(options.given.size() == 1);
}

TEST_CASE("sbatch: outputs lie below the working directory") {
  CHECK(line("-D /srv/run -o /srv/run/logs/%j.out").job.output == "logs/%j.out");
  CHECK(line("-D /srv/run/ -o ./logs/%j.out").job.output == "logs/%j.out");
  CHECK(line("-D /srv/run").job.directory == "/srv/run");
  CHECK_FALSE(line("-o /dev/null").job.output);
  CHECK(line("-o /dev/null").fatal() == 0);
  CHECK(line("-D /srv/run -o /srv/runaway/x").fatal() == 1);
  CHECK(line("-D /srv/run -o /srv/run/../x").fatal() == 1);
}

TEST_CASE("sbatch: a site's own names") {
  const Surroundings around{.variable = [](const char*) { return std::string(); },
                            .out = [](std::string_view) {},
                            .err = [](std::string_view) {},
                            .sleep = [](Span) {}};
  const Context context(around);
  const auto names = parse_slurm_names(context, R"(
[account]
g12345 = "tokyo-llm"
[partition.gpu-large]
regions = ["japan-east", "japan-west"]
models = ["a100"]
[constraint.fast]
models = ["a100"]
[gpu_type.volta]
models = ["a100"]
[qos]
normal = "plain"
)",
                                       "slurm.toml");
  REQUIRE(names);
  const Understood u =
      understand("#!/bin/sh\n#SBATCH -A g12345 -p gpu-large -q normal --gres=gpu:volta:1 -C fast\n",
                 {}, {}, *names);
  CHECK(u.notices.empty());
  CHECK(u.job.project == "tokyo-llm");
  CHECK(u.job.regions == std::vector<std::string>{"japan-east", "japan-west"});
  CHECK(u.job.models == std::vector<std::string>{"a100"});
  // A pool's name is its region and model.
  CHECK(line("-p west-a100").job.models == std::vector<std::string>{"a100"});
  for (const char* bad : {"[queue]\nx=1\n", "partition = 3\n", "[partition]\nx = 1\n",
                          "[partition.x]\nregion = ['a']\n", "[partition.x]\nregions = [1]\n",
                          "[account]\nx = 1\n", "x"}) {
    CAPTURE(bad);
    const auto wrong = parse_slurm_names(context, bad, "slurm.toml");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().why.starts_with("slurm.toml:"));
  }
}

TEST_CASE("sbatch: exported variables") {
  const std::string script = "#!/bin/sh\n#SBATCH --gpus=1 --export=";
  const Understood u = understand(script + "'A,B=two words,C=\"x,y\"'\n", {{"A", "1"}});
  CHECK(u.job.environment ==
        std::map<std::string, std::string>{{"A", "1"}, {"B", "two words"}, {"C", "x,y"}});
  const Understood all = understand(script + "ALL,B=2\n");
  CHECK(all.job.environment.at("B") == "2");
  CHECK_FALSE(all.job.environment.contains("HOME"));
  CHECK(all.says("x.sbatch:2", "stored with the job", false));
}

TEST_CASE("job files: arrays, dependencies, scripts, outputs, signals") {
  const Surroundings around{.variable = [](const char*) { return std::string(); },
                            .out = [](std::string_view) {},
                            .err = [](std::string_view) {},
                            .sleep = [](Span) {}};
  const Context context(around);
  const auto job = parse_job_file(context, R"(
project = "p"
gpus = 1
time_limit = "5m"
array = "9,7,1-3%2"
after = [12, "13:not_ok"]
hold = true
retries = 2
labels = { team = "nlp" }
script = """#!/bin/sh
echo "$@"
"""
command = ["one"]
output = "logs/%j.out"
open_mode = "append"
signal = "USR1@2m"
requeue = false
tasks_per_member = 4
)",
                                  "job.toml");
  REQUIRE_MESSAGE(job, (job ? "" : job.error().why));
  CHECK(job->json() ==
        R"({"project":"p","gpus":"1","time_limit_ms":300000,"tasks_at_once":2,)"
        R"("after":[{"job":12,"when":"ok"},{"job":13,"when":"not_ok"}],"hold":true,"retries":2,)"
        R"("labels":{"team":"nlp"},"run":{"argv":["one"],"script":"#!/bin/sh\necho \"$@\"\n",)"
        R"("output":"logs/%j.out","append":true,"tasks_per_member":4,"array":"1-3,7,9",)"
        R"("signal":"USR1","signal_before_ms":120000,"requeue":false}})");
  for (const char* bad : {"array = '1-'", "after = ['x']", "after = 3", "hold = 'yes'",
                          "script = 'echo'", "output = '/etc/x'", "error = '../x'",
                          "open_mode = 'w'", "signal = 'KILL'", "labels = 1"}) {
    CAPTURE(bad);
    const auto wrong = parse_job_file(context, bad, "job.toml");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().why.starts_with("job.toml:1: "));
  }
}

}  // namespace
}  // namespace tenbin::cli
