// The trace commands as they are typed: what they write, say and refuse.

#include <doctest/doctest.h>

#include <filesystem>

#include "cli/fake_service.h"
#include "twin/trace.h"

namespace tenbin::cli {
namespace {

constexpr const char* text =
    "job_id,submit,gpus,runtime,walltime,user\n1,0,4,60000,60000,1\n2,1000,8,7200000,9000000,2\n"
    "3,2000,0,1,1,2\n4,86400000,1,1000,1000,1\n";

TEST_CASE("trace: info, convert, filter, sample, generate") {
  Fake fake;
  fake.stop_after = 1;
  Folder folder;
  const std::string in = folder.put("in.csv", text);
  const std::string out = folder.put("out.trace", "");
  const auto jobs_of = [](const std::string& path) {
    const auto trace = read_trace(path);
    REQUIRE(trace.has_value());
    std::vector<std::uint64_t> ids;
    for (const TraceJob& job : trace->jobs) ids.push_back(job.id);
    return ids;
  };
  using Ids = std::vector<std::uint64_t>;

  const Ran info = fake.run({"trace", "info", in});
  CHECK(info.exit == 0);
  CHECK(has(info.out, "jobs"));
  CHECK(has(info.err, "line 4: asks for no GPU: 3,2000,0,1,1,2"));
  CHECK(has(fake.run({"trace", "info", in, "--lang", "ja"}).err, "4 行目: GPU"));
  const Ran json = fake.run({"trace", "info", in, "-o", "json"});
  CHECK(has(json.out, "\"jobs\": 3"));
  CHECK(has(json.out, "\"no_gpus\": 1"));
  const Ran strict = fake.run({"trace", "info", in, "--strict"});
  CHECK(strict.exit == 1);
  CHECK(has(strict.err, "in.csv:4: asks for no GPU"));

  const Ran converted = fake.run({"trace", "convert", in, out});
  CHECK(converted.exit == 0);
  CHECK(has(converted.err, "3 jobs, binary"));
  CHECK(jobs_of(out) == Ids{1, 2, 4});
  CHECK_FALSE(std::filesystem::exists(out + ".part"));

  const auto filtered = [&](Args flags) {
    Args args{"trace", "filter", in, out};
    args.insert(args.end(), flags.begin(), flags.end());
    const Ran ran = fake.run(args);
    CAPTURE(ran.err);
    REQUIRE(ran.exit == 0);
    return jobs_of(out);
  };
  CHECK(filtered({"--gpus", "4-"}) == Ids{1, 2});
  CHECK(filtered({"--gpus", "1"}) == Ids{4});
  CHECK(filtered({"--user", "1"}) == Ids{1, 4});
  CHECK(filtered({"--runtime", "30s-1h"}) == Ids{1});
  CHECK(filtered({"--from", "1s", "--until", "1d"}) == Ids{2});
  CHECK(filtered({"--limit", "2"}) == Ids{1, 2});
  CHECK(filtered({"--until", "1970-01-01T00:00:01Z"}) == Ids{1});
  CHECK(fake.run({"trace", "filter", in, out, "--user", "9"}).exit == 1);
  CHECK(fake.run({"trace", "filter", in, out, "--gpus", "8-4"}).exit == 2);

  CHECK(fake.run({"trace", "sample", in, out, "--rate", "100%"}).exit == 0);
  CHECK(jobs_of(out) == Ids{1, 2, 4});
  CHECK(fake.run({"trace", "sample", in, out, "--rate", "0"}).exit == 2);
  CHECK(has(fake.run({"trace", "sample", in, out}).err, "--rate"));

  CHECK(fake.run({"trace", "generate", out, "--jobs", "500", "--preset", "helios"}).exit == 0);
  CHECK(jobs_of(out).size() == 500);
  CHECK(fake.run({"trace", "generate", out, "--preset", "none"}).exit == 2);
  CHECK(fake.run({"trace", "generate", folder.path() + "/x", "--jobs", "5"}).exit == 2);

  CHECK(fake.run({"trace", "info", folder.path() + "/absent.csv"}).exit == 3);
  CHECK(fake.asked().empty());  // no service is needed
}

}  // namespace
}  // namespace tenbin::cli
