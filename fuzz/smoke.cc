// Runs every fuzz target on a few hundred inputs from seeds, so that all of them are built and work
// in the default tests: random bytes, and altered examples of what the targets read.

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/rng.h"
#include "codec/record.h"
#include "codec/snapshot.h"
#include "property/story.h"

// FUZZ_TARGETS(X): X(name) for each target, made by the build.
#include "fuzz_targets.h"

#define DECLARE(name) extern "C" int fuzz_##name(const std::uint8_t* data, std::size_t size);
FUZZ_TARGETS(DECLARE)
#undef DECLARE

namespace {

using namespace tenbin;

const char* target_in_work = "";
std::uint64_t seed_in_work = 0;

/// A history's snapshot and its records.
std::vector<std::string> examples() {
  std::vector<std::string> result{
      "job_id,submit,gpus,runtime,walltime,user\n1,0,4,10,20,1\n2,0,8,10,10,1\n3,5,1,5,5,2\n4,6,2,"
      "30,40,1\n",
      "; MaxProcs: 9\n1 0 5 90 8 -1 -1 8 600 -1 1 3 2 -1 1 -1 -1 -1\n2 9 -1 7 4 -1 -1 4 6 -1 0 4 "
      "-1 -1 1 "
      "-1 -1 -1\n",
      "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time,deletion_time\np1,6000,"
      "12288,1,460,V100M16|T4,1,100\np3,64000,1,0,0,,3,100\n",
      R"([{"status":"Pass","vc":"e","jobid":"a","user":"u","submitted_time":"2017-10-07 02:20:56",)"
      R"("attempts":[{"start_time":"2017-10-07 02:21:00","end_time":"2017-10-07 02:22:00",)"
      R"("detail":[{"ip":"m","gpus":["gpu0","gpu1"]}]}]}])",
      "POST /v1/jobs?after=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
      "\x07"
      "4;x=y\r\nbody\r\nA\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
      "\x05: tenbin\nretry: 2000\n\nid: 7.1\nevent: JobStarted\ndata: {\"a\":1}\n\r\ndata: "
      "two\rdata\n\n",
      R"({"a":[1,-2,18446744073709551615,1.5e3,true,null],"b":{"c":"\u3042\"\\ text"}})",
      "#!/bin/bash\n#SBATCH -J 'a b' --gres=gpu:h100:2 -N2 --ntasks-per-node 4\n#SBATCH "
      "--array=1,3,5-9:2%4 -t 1-02:03:04 --signal=B:USR1@60 -o logs/%x-%j.out\n#SBATCH "
      "--dependency=afterok:1:2,afterany:3 --export=ALL,A=1 --mem=4G\nsrun true\n",
      "gpus = 0.5\ntime_limit = \"2h\"\narray = \"3,1-2%2\"\nafter = [1, \"2:any\"]\nsignal = "
      "\"USR1@60\"\ncommand = [\"a\"]\n[environment]\nA = \"1\"\n",
      "# settings\nstate = \"/var/lib/x\"\nport = 7411\nlease_ms = 10_000\nlog = 'json'\n"
      "metrics_listen = \"[::1]:9411\"\n",
  };
  Dice dice(1);
  Story story(dice);
  World world;
  Facts facts;
  Instant now{1'700'000'000'000};
  for (int step = 0; step < 150; ++step) {
    now = now + story.pause();
    const Asked asked = story.next(world, now);
    facts.clear();
    static_cast<void>(apply(world, asked, now, facts));
    if (step % 10 != 0) continue;
    result.emplace_back();
    write_record(result.back(), asked, facts.events());
  }
  result.push_back(encode(world));
  return result;
}

std::string any_input(Rng& rng, const std::vector<std::string>& examples) {
  std::string input;
  if (rng.chance(400'000)) {
    input.resize(rng.below(600));
    for (char& c : input) c = static_cast<char>(rng.below(256));
    return input;
  }
  input = examples[rng.below(examples.size())];
  for (std::uint64_t changes = rng.below(4); changes > 0 && !input.empty(); --changes) {
    const std::size_t at = rng.below(input.size());
    switch (rng.below(4)) {
      case 0: input[at] = static_cast<char>(rng.below(256)); break;
      case 1: input[at] ^= static_cast<char>(1 << rng.below(8)); break;
      case 2: input.resize(at); break;
      default: input.insert(at, input.substr(rng.below(input.size()), 1 + rng.below(20))); break;
    }
  }
  return input;
}

}  // namespace

int main() {
  on_breach([](const char*) {
    std::fprintf(stderr, "%s, seed %d\n", target_in_work, static_cast<int>(seed_in_work));
  });
  const std::vector<std::string> texts = examples();
  const auto run = [&](const char* name, int (*target)(const std::uint8_t*, std::size_t)) {
    target_in_work = name;
    for (seed_in_work = 1; seed_in_work <= 300; ++seed_in_work) {
      Rng rng{seed_in_work};
      const std::string input = any_input(rng, texts);
      target(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
  };
#define RUN(name) run(#name, fuzz_##name);
  FUZZ_TARGETS(RUN)
#undef RUN
}
