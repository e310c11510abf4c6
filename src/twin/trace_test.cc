// Readers, writers and what is said about bad input, all through memory. Real traces are read where
// they are (TENBIN_SHARED).

#include "twin/trace.h"

#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>

#include "base/rng.h"
#include "twin/trace_figures.h"
#include "twin/trace_write.h"
#include "twin/traces/fields.h"

namespace tenbin {
namespace {

constexpr std::string_view golden_head = "job_id,submit,gpus,runtime,walltime,user\n";

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

Trace good(std::string_view text, const TraceOptions& options = {}) {
  auto trace = parse_trace(text, "t", options);
  INFO((trace ? std::string() : trace.error().what));
  REQUIRE(trace.has_value());
  return std::move(*trace);
}

std::string bad(std::string_view text, const TraceOptions& options = {}) {
  const auto trace = parse_trace(text, "t", options);
  REQUIRE_FALSE(trace.has_value());
  CHECK(trace.error().what.starts_with("t:"));
  return trace.error().what;
}

std::string gzipped(std::string_view text) {
  std::string out(compressBound(static_cast<uLong>(text.size())) + 64, '\0');
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string written(std::string_view text, TraceOutput output, const TraceOptions& options = {}) {
  const auto source = open_trace_text(text, "t", options);
  REQUIRE(source.has_value());
  auto out = trace_text(**source, output);
  INFO((out ? std::string() : out.error().what));
  REQUIRE(out.has_value());
  return *out;
}

std::string shared(const std::string& file) {
  const char* folder = std::getenv("TENBIN_SHARED");  // NOLINT(concurrency-mt-unsafe)
  const std::string path = std::string(folder ? folder : "") + "/traces/" + file;
  if (folder && std::filesystem::exists(path)) return path;
  MESSAGE("SKIPPED: " << file << " is not here (TENBIN_SHARED)");
  return {};
}

}  // namespace

TEST_CASE("numbers and dates as traces write them") {
  using namespace traces;
  CHECK(thousandths("1.5") == 1'500);
  CHECK(thousandths("-0.25") == -250);
  CHECK(thousandths("117.0") == 117'000);
  CHECK(thousandths(" 3 ") == 3'000);
  for (const char* wrong :
       {"", "-", ".", "1.2.3", "1e3", "nan", "0x1", "1,5", "99999999999999999999"})
    CHECK_FALSE(thousandths(wrong));
  CHECK(date("1970-01-01 00:00:01") == Instant{1'000});
  CHECK(date("2023-03-01T00:18:22+08:00") == date("2023-02-28 16:18:22"));
  CHECK(date("2023-03-01 00:18:22.125Z") == Instant{date("2023-03-01 00:18:22")->ms + 125});
  for (const char* wrong :
       {"", "2023-02-29 00:00:00", "2023-03-01", "2023-03-01 24:00:00", "2023-03-01 00:00:00 JST",
        "2023-03-01 00:00:00+99:00", "yesterday, noon at 12"})
    CHECK_FALSE(date(wrong));
}

TEST_CASE("six whole numbers: plain, gzip, zstd, in any order of lines") {
  const std::string text =
      std::string(golden_head) + "7,5,4,10,20,1\n2,5,8,10,10,900\r\n9,1,1,0,5,1\n";
  for (const std::string& bytes : {text, gzipped(text), zstd(text), "\xEF\xBB\xBF" + text,
                                   gzipped(text.substr(0, 50)) + gzipped(text.substr(50))}) {
    const Trace trace = good(bytes);
    CHECK(trace.info.format == TraceFormat::csv);
    CHECK(trace.info.limits);
    CHECK(trace.info.sorted_by_us);
    CHECK(trace.problems.count() == 0);
    REQUIRE(trace.jobs.size() == 3);
    CHECK(trace.jobs[0].id == 9);
    CHECK(trace.jobs[1] == TraceJob{.id = 2,
                                    .submit = Instant{5},
                                    .shape = whole_gpus(8),
                                    .runtime = Span{10},
                                    .limit = Span{10},
                                    .user = 1,
                                    .owner = 1});
    CHECK(trace.jobs[2].id == 7);
    CHECK(trace.names.users == std::vector<std::string>{"1", "900"});
    CHECK(trace.names.owners == trace.names.users);
  }
}

TEST_CASE("a line that is of no use is counted with its number and reason, and the others stay") {
  const std::vector<std::pair<std::string, TraceFault>> lines{
      {"2,-5,4,10,20,1", TraceFault::submit_out_of_range},
      {"2,5,0,10,20,1", TraceFault::no_gpus},
      {"2,5,-3,10,20,1", TraceFault::gpus_out_of_range},
      {"2,5,100001,10,20,1", TraceFault::gpus_out_of_range},
      {"2,5,9223372036854775807,10,20,1", TraceFault::gpus_out_of_range},
      {"2,5,4,-10,20,1", TraceFault::runtime_out_of_range},
      {"2,5,4,10,0,1", TraceFault::limit_out_of_range},
      {"2,5,4,10,99999999999,1", TraceFault::limit_out_of_range},
      {"2,5,4,21,20,1", TraceFault::runs_past_limit},
      {"1,5,4,10,20,1", TraceFault::duplicate},
      {"2,5,4,10,20", TraceFault::columns},
      {"2,5,4,10,20,1,1", TraceFault::columns},
      {"2,5,x,10,20,1", TraceFault::not_a_number},
      {"2,99999999999999999999,4,10,20,1", TraceFault::not_a_number},
      {"\xFF\xFE,5,4,10,20,1", TraceFault::not_a_number},
  };
  for (const auto& [line, fault] : lines) {
    CAPTURE(line);
    const std::string text = std::string(golden_head) + "1,0,1,1,1,1\n" + line + "\n3,9,1,1,1,1\n";
    const Trace trace = good(text);
    CHECK(trace.jobs.size() == 2);
    CHECK(trace.problems.count() == 1);
    CHECK(trace.problems.count(fault) == 1);
    REQUIRE(trace.problems.first.size() == 1);
    CHECK(trace.problems.first[0].line == 3);
    CHECK(trace.problems.first[0].fault == fault);
    const std::string why = bad(text, {.strict = true});
    CHECK(why.starts_with("t:3: " + std::string(words(fault, false))));
    CHECK(has(bad(text, {.strict = true, .japanese = true}), words(fault, true)));
  }
  std::string many(golden_head);
  for (int i = 0; i < 50; ++i) many += "1,0,0,1,1,1\n";
  const Trace none = good(many);
  CHECK(none.jobs.empty());
  CHECK(none.problems.count() == 50);
  CHECK(none.problems.first.size() == 10);
  // A line without an end is no way to fill the memory.
  const Trace longest =
      good(std::string(golden_head) + std::string(3 << 20, '1') + "\n3,9,1,1,1,1\n");
  CHECK(longest.problems.count(TraceFault::line_too_long) == 1);
  CHECK(longest.jobs.size() == 1);
}

TEST_CASE("what is no trace is told what it looks like") {
  CHECK(has(bad(""), "empty"));
  CHECK(has(bad("PK\x03\x04zip"), "zip"));
  CHECK(has(bad("<!DOCTYPE html>"), "HTML"));
  CHECK(has(bad(std::string("\xFF\xFEj\0o\0", 6)), "UTF-16"));
  CHECK(has(bad("sn,cpu_milli,memory_mib,gpu,model\nn,1,1,1,T4\n"), "nodes"));
  CHECK(has(bad("job_id,submit,gpus,user\n1,0,1,1\n"), "without the columns runtime"));
  CHECK(has(bad("{\"jobs\": []}"), "JSON"));
  CHECK(has(bad("Dear all,\n"), "Dear all"));
  CHECK(has(bad("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"));
  CHECK(has(bad("{\"jobs\": []}", {.japanese = true}), "ではありません"));
  CHECK(has(bad(std::string(golden_head) + "1,0,1,1,1,1\n", {.format = TraceFormat::swf}), "swf"));
}

TEST_CASE("a packed file that was cut off or damaged is said to be that") {
  std::string text(golden_head);
  Rng rng{7};
  for (int i = 1; i < 5'000; ++i)
    text += std::to_string(i) + "," + std::to_string(i) + ",1,1," +
            std::to_string(1 + rng.below(99'999)) + ",1\n";
  for (const std::string& whole : {gzipped(text), zstd(text)}) {
    CHECK(has(bad(whole.substr(0, whole.size() / 2)), "cut off"));
    std::string hurt = whole;
    for (std::size_t i = hurt.size() / 2; i < hurt.size() / 2 + 20; ++i) hurt[i] ^= 0x5A;
    CHECK_FALSE(parse_trace(hurt, "t").has_value());
  }
  const std::string binary = written(text, TraceOutput::binary);
  CHECK(good(binary).jobs == good(text).jobs);
  CHECK(has(bad(binary.substr(0, binary.size() - 1)), "cut off"));
  CHECK(has(bad(binary.substr(0, 41)), "cut off"));
  CHECK(has(bad(binary + "x"), "damaged"));
  for (std::size_t at = 8; at < binary.size(); at += 97) {
    std::string hurt = binary;
    hurt[at] ^= 0x10;
    CHECK_FALSE(parse_trace(hurt, "t").has_value());
  }
}

TEST_CASE("SWF: estimates, comments, what is not known") {
  const Trace trace = good(
      "; MaxProcs: 100\n; UnixStartTime: 843489000\n"
      "  1 0 5 90 8 -1 -1 8 600 -1 1 3 2 -1 1 -1 -1 -1\n"
      "2 10 -1 700 4 -1 -1 4 600 -1 0 4 -1 -1 1 -1 -1 -1\n"
      "3 11 -1 0 -1 -1 -1 2 -1 -1 5 3 2 -1 1 -1 -1 -1\n"
      "4 12 -1 -1 2 -1 -1 2 -1 -1 5 3 2 -1 1 -1 -1 -1\n"
      "5 13 -1 1 2\n");
  CHECK(trace.info.processors_there == 100);
  CHECK(trace.info.began == Instant{843'489'000'000});
  CHECK(trace.info.clipped == 1);
  REQUIRE(trace.jobs.size() == 3);
  CHECK(trace.jobs[0].limit == Span{600'000});
  CHECK(trace.jobs[0].gpus() == 8);
  CHECK(trace.jobs[1].limit == Span{700'000});
  CHECK(trace.jobs[1].end == TraceEnd::failed);
  CHECK(trace.jobs[2].gpus() == 2);
  CHECK(trace.jobs[2].end == TraceEnd::cancelled);
  CHECK(trace.names.users == std::vector<std::string>{"3", "4"});
  CHECK(trace.problems.count(TraceFault::never_ran) == 1);
  CHECK(trace.problems.count(TraceFault::columns) == 1);
}

TEST_CASE("openb: fractions, models, pods without a GPU, nodes") {
  const std::string text =
      "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_"
      "time,"
      "scheduled_time\n"
      "p0,12000,16384,1,1000,,LS,Running,0,100,40\n"
      "p1,6000,12288,1,460,V100M16|T4,LS,Failed,1,100,\n"
      "p2,64000,1,8,1000,T4,BE,Running,2,100,2\n"
      "p3,64000,1,0,0,,BE,Running,3,100,3\n"
      "p4,1,1,2,500,,BE,Running,3,100,3\n";
  const Trace trace = good(text);
  CHECK(trace.info.without_gpus == 1);
  CHECK(trace.problems.count(TraceFault::gpus_out_of_range) == 1);
  REQUIRE(trace.jobs.size() == 3);
  CHECK(trace.jobs[0].runtime == Span{60'000});
  CHECK(trace.jobs[1].shape == Shape{Packing::members, 1, Gpus{460}, Cpus{6'000}, Memory{12'288}});
  CHECK(trace.jobs[1].models == 3);
  CHECK(trace.jobs[1].end == TraceEnd::failed);
  CHECK(trace.jobs[2].models == 2);
  CHECK(trace.jobs[2].shape.gpus == Gpus{8'000});
  CHECK(trace.names.models == std::vector<std::string>{"V100M16", "T4"});
  CHECK(good(text, {.cpu_jobs = true}).jobs.size() == 4);
  const Trace bare = good("name,cpu_milli,memory_mib,num_gpu,gpu_milli\np0,1,1,4,1000\n");
  CHECK_FALSE(bare.info.times);
  CHECK(bare.jobs.size() == 1);

  if (const std::string nodes = shared("openb/openb_node_list_gpu_node.csv.gz"); !nodes.empty()) {
    const auto fleet = read_openb_nodes(nodes);
    REQUIRE(fleet.has_value());
    CHECK(fleet->size() == 1'213);
    std::uint64_t gpus = 0;
    std::int64_t cpus = 0;
    for (const FleetNode& node : *fleet) gpus += node.gpus, cpus += node.cpus.count;
    CHECK(gpus == 6'212);
    CHECK(cpus == 107'018'000);
  }
}

TEST_CASE("Philly: attempts are added up, ends and clusters are known") {
  const std::string text = R"([
    {"status": "Pass", "vc": "ee9e8c", "jobid": "a_1", "user": "ce2d5f",
     "submitted_time": "2017-10-07 02:20:56",
     "attempts": [{"start_time": "2017-10-07 02:21:00", "end_time": "2017-10-07 02:22:00",
                   "detail": [{"ip": "m1", "gpus": ["gpu0", "gpu1"]}]},
                  {"start_time": "2017-10-07 03:00:00", "end_time": "2017-10-07 03:00:30",
                   "detail": [{"ip": "m1", "gpus": ["gpu0", "gpu1"]}, {"ip": "m2", "gpus": ["gpu0"]}]}]},
    {"status": "Killed", "vc": "x\"]}", "jobid": "a_2", "user": "u", "submitted_time": "2017-10-07 02:00:00",
     "attempts": [{"start_time": "2017-10-07 02:21:00", "end_time": "2017-10-07 02:22:00",
                   "detail": [{"ip": "m1", "gpus": ["gpu0"]}]}]},
    {"status": "Failed", "vc": "x", "jobid": "a_3", "user": "u", "submitted_time": "None", "attempts": []},
    {"status": "Failed", "vc": "x", "jobid": "a_4", "user": "u", "submitted_time": "2017-10-07 02:00:00",
     "attempts": [{"start_time": null, "end_time": null, "detail": []}]}
  ])";
  const Trace trace = good(text);
  REQUIRE(trace.jobs.size() == 2);
  CHECK(trace.info.sorted_by_us);
  CHECK(trace.jobs[1].runtime == Span{90'000});
  CHECK(trace.jobs[1].gpus() == 3);
  CHECK(trace.jobs[0].end == TraceEnd::cancelled);
  CHECK(trace.names.owners == std::vector<std::string>{"ee9e8c", "x\"]}"});
  CHECK(trace.problems.count(TraceFault::not_submitted) == 1);
  CHECK(trace.problems.count(TraceFault::never_ran) == 1);
  CHECK(has(bad(text.substr(0, text.size() / 2)), "cut off"));
}

TEST_CASE("Helios and Acme by their published headers") {
  const Trace helios = good(
      "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,"
      "queue\n"
      "1425511,uXBbc,vcJkd,1,1,1,COMPLETED,2020-06-09 18:41:01,2020-06-09 18:41:01,2020-06-10 "
      "04:55:09,36848,0\n"
      "1425512,uVMrF,vchbv,4,16,1,TIMEOUT,2020-06-09 18:41:27,,2020-06-09 18:45:36,249,0\n"
      "1425513,uzqls,vcpDC,0,1,1,CANCELLED,2020-06-09 18:41:28,,,675233,0\n"
      "1425513,uzqls,vcpDC,1,1,1,CANCELLED,2020-06-09 18:41:28,,,,0\n");
  CHECK(helios.info.format == TraceFormat::helios);
  REQUIRE(helios.jobs.size() == 2);
  CHECK(helios.jobs[0].id == 1'425'511);
  CHECK(helios.jobs[0].runtime == Span{36'848'000});
  CHECK(helios.jobs[1].end == TraceEnd::failed);
  CHECK(helios.names.owners == std::vector<std::string>{"vcJkd", "vchbv", "vcpDC"});
  CHECK(helios.info.without_gpus == 1);
  CHECK(helios.problems.count(TraceFault::never_ran) == 1);

  const Trace kalos = good(
      "job_id,user,node_num,gpu_num,cpu_num,mem_per_pod_GB,shared_mem_per_pod,type,state,submit_"
      "time,"
      "start_time,end_time,fail_time,stop_time,duration,queue,gpu_time\n"
      "dlctk6,uf794,8,64,960,1000,100.0,Pretrain,FAILED,2023-05-17 "
      "11:00:58+00:00,,,,,18,10.0,1152.0\n"
      "dlctk6,uf794,8,64,960,1000,100.0,Eval,CANCELLED,2023-05-17 "
      "11:28:42+00:00,,,,,82,12.0,5248.0\n");
  CHECK(kalos.info.format == TraceFormat::acme);
  REQUIRE(kalos.jobs.size() == 1);
  CHECK(kalos.jobs[0].gpus() == 64);
  CHECK(kalos.names.owners[kalos.jobs[0].owner] == "Pretrain");
  CHECK(kalos.problems.count(TraceFault::duplicate) == 1);
}

TEST_CASE("what is written is read again, in every form that can say it") {
  const std::string text =
      "job_id,submit,gpus,runtime,walltime,user,owner,models,end,members,cpus,memory_mib\n"
      "1,0,0.25,1000,2000,\"a, \"\"b\"\"\",学習,A100|H100,failed,,2.5,1024\n"
      "2,5,8,1000,9000,c,学習,,completed,4,16,0\n"
      "3,5,12,0,1,c,y,H100,cancelled,,0,0\n";
  const Trace trace = good(text);
  REQUIRE(trace.jobs.size() == 3);
  CHECK(trace.jobs[0].shape == Shape{Packing::members, 1, Gpus{250}, Cpus{2'500}, Memory{1'024}});
  CHECK(trace.jobs[1].shape.members == 4);
  CHECK(trace.jobs[2].shape.packing == Packing::count);
  CHECK(trace.names.users[0] == "a, \"b\"");
  for (const TraceOutput output : {TraceOutput::csv, TraceOutput::binary}) {
    const Trace again = good(written(text, output));
    CHECK(again.jobs == trace.jobs);
    CHECK(again.names.users == trace.names.users);
    CHECK(again.names.owners == trace.names.owners);
    CHECK(again.names.models == trace.names.models);
    CHECK(again.info.ends);
    CHECK(written(text, output) == written(text, output));
  }
  const auto source = open_trace_text(text, "t");
  const auto six = trace_text(**source, TraceOutput::golden);
  REQUIRE_FALSE(six.has_value());
  CHECK(has(six.error().what, "part of a GPU"));

  const std::string whole = std::string(golden_head) + "4,1000,2,3000,60000,17\n";
  CHECK(written(whole, TraceOutput::golden) == whole);
  const Trace swf = good(written(whole, TraceOutput::swf));
  CHECK(swf.jobs[0].submit == Instant{1'000});
  CHECK(swf.jobs[0].limit == Span{60'000});
  CHECK(swf.names.users[swf.jobs[0].user] == "17");
}

TEST_CASE("a long file is read job by job; disorder that shows too late is an error") {
  std::string text(golden_head);
  for (int i = 1; i <= 3'000; ++i)
    text += std::to_string(i) + "," + std::to_string(10 * i) + ",1,1,1,1\n";
  TraceOptions options{.held_max = 100};
  const auto source = open_trace_text(text, "t", options);
  REQUIRE(source.has_value());
  const auto all = read_all(**source);
  REQUIRE(all.has_value());
  CHECK(all->jobs == good(text).jobs);

  text += "3001,5,1,1,1,1\n";
  const auto late = open_trace_text(text, "t", options);
  REQUIRE(late.has_value());
  const auto refused = read_all(**late);
  REQUIRE_FALSE(refused.has_value());
  CHECK(has(refused.error().what, "t:3002: this job was submitted before"));
  CHECK(good(text).jobs[0].id == 3'001);
}

TEST_CASE("real traces have the figures that are known of them") {
  const auto figures_of = [](const std::string& path) {
    TraceFigures figures;
    const auto source = open_trace(path);
    REQUIRE(source.has_value());
    TraceJob job;
    while (*(*source)->next(job)) figures.add(job);
    CHECK((*source)->problems().count() == 0);
    return figures;
  };
  if (const auto path = shared("swf/KTH-SP2.swf.gz"); !path.empty()) {
    const TraceFigures kth = figures_of(path);
    CHECK(kth.jobs == 28'489);
    CHECK(kth.gpu_ms_by_user.size() == 214);
    CHECK(kth.limit_over_runtime.percentile(500'000) / 100 == 24);  // 2.4
  }
  if (const auto path = shared("swf/CEA-Curie-sample.swf.gz"); !path.empty()) {
    const TraceFigures curie = figures_of(path);
    CHECK(curie.jobs == 29'998);
    CHECK(curie.limit_over_runtime.percentile(500'000) / 1'000 == 24);  // 24.7
  }
  if (const auto path = shared("philly/philly_jobs_2017-09-04_2017-10-31.csv.gz"); !path.empty()) {
    const TraceFigures philly = figures_of(path);
    CHECK(philly.jobs == 52'849);
    CHECK(philly.gap_variation() / 1'000 == 19);
    CHECK(philly.hourly_dispersion() / 1'000 == 195);
  }
}

}  // namespace tenbin
