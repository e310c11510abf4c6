// Backup beside a running service, and what a restored service believes.

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "faults/ledger.h"
#include "faults/service.h"

namespace tenbin::faults {
namespace {

namespace fs = std::filesystem;

std::string submit_body(const std::string& argv) {
  return R"({"project": "project", "gpus": 1, "time_limit_ms": 600000, "run": {"argv": )" + argv +
         "}}";
}

void flip_byte(const std::string& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char c = static_cast<char>(file.get());
  file.seekp(at);
  file.put(static_cast<char>(c ^ 1));
}

TEST_CASE("a backup taken while jobs are submitted holds all that was acknowledged before it") {
  const TestFolder folder;
  Daemon service({.state = folder.state(), .work = folder.work()});
  REQUIRE_MESSAGE(service.start(), service.words());
  Caller officer(service.url(), service.token());
  declare_fleet(officer);
  std::map<std::string, std::int64_t> before;
  Rng rng{11};
  for (int i = 0; i < 100; ++i) {
    const std::string key = uuid(rng);
    const Reply reply = officer.post("/v1/jobs", submit_body(R"(["true", "SPEC"])"), key);
    REQUIRE(reply.status == 201);
    before[key] = *reply.number("job");
  }
  std::atomic<bool> enough = false;
  std::atomic<int> meanwhile = 0;
  std::thread others([&] {
    Caller caller(service.url(), service.token());
    Rng own{12};
    while (!enough) {
      if (caller.post("/v1/jobs", submit_body(R"(["true"])"), uuid(own)).status == 201) ++meanwhile;
    }
  });
  const std::string settings = folder.path() + "/settings.toml";
  std::ofstream(settings) << "port = 7411\n";
  const std::string backup = folder.path() + "/backup";
  // Slowly, so that much is written meanwhile.
  const Ran ran = run_tenbin(
      {"backup", backup, "--state", folder.state(), "--config", settings, "--rate", "1"});
  enough = true;
  others.join();
  REQUIRE_MESSAGE(ran.code == 0, ran.words);
  CHECK(meanwhile > 0);
  CHECK(ran.words.find("last record: ") != std::string::npos);
  CHECK(contents(backup + "/tenbin.toml") == "port = 7411\n");
  CHECK(!fs::exists(backup + "/admin.token"));
  CHECK(!fs::exists(backup + ".unfinished"));
  struct stat about{};
  REQUIRE(::stat(backup.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0700);

  // Again to the same place: refused, and what is there is left alone.
  const Ran again = run_tenbin({"backup", backup, "--state", folder.state()});
  CHECK(again.code == 1);
  CHECK(again.words.find("something already") != std::string::npos);

  const std::string restored = folder.path() + "/restored";
  const Ran back = run_tenbin({"restore", backup, "--state", restored});
  REQUIRE_MESSAGE(back.code == 0, back.words);
  CHECK(back.words.find("credits: in lots 1500000") != std::string::npos);
  CHECK(!fs::exists(restored + ".restoring"));
  const Ran v = verified(restored);
  CHECK_MESSAGE(v.code == 0, v.words);
  const Ledger ledger = read_ledger(restored);
  for (const auto& [key, job] : before) {
    REQUIRE(ledger.by_request.contains(key));
    CHECK(ledger.by_request.at(key).front() == static_cast<std::uint64_t>(job));
  }
  // And it serves.
  Daemon second({.state = restored, .work = folder.path() + "/work2"});
  REQUIRE_MESSAGE(second.start(), second.words());
  Caller there(second.url(), service.token());
  CHECK(there.get("/v1/projects/project/balance").status == 200);
  CHECK(there.post("/v1/jobs", submit_body(R"(["true"])")).status == 201);

  // Not into a folder with something in it.
  const Ran onto = run_tenbin({"restore", backup, "--state", folder.state()});
  CHECK(onto.code == 1);
  CHECK(onto.words.find("not empty") != std::string::npos);
}

TEST_CASE("a backup that was altered is not restored, and leaves nothing behind") {
  const TestFolder folder;
  {
    Daemon service({.state = folder.state(), .work = folder.work()});
    REQUIRE_MESSAGE(service.start(), service.words());
    Caller officer(service.url(), service.token());
    declare_fleet(officer);
  }
  const std::string backup = folder.path() + "/backup", state = folder.path() + "/restored";
  REQUIRE(run_tenbin({"backup", backup, "--state", folder.state(), "--with-token"}).code == 0);
  CHECK(fs::exists(backup + "/admin.token"));
  const auto refused = [&](const std::string& with, const std::string& words) {
    const Ran ran = run_tenbin({"restore", with, "--state", state});
    CAPTURE(ran.words);
    CHECK(ran.code == 1);
    CHECK(ran.words.find(words) != std::string::npos);
    CHECK(!fs::exists(state));
    CHECK(!fs::exists(state + ".restoring"));
  };
  const std::string copy = folder.path() + "/copy";
  const auto anew = [&] {
    fs::remove_all(copy);
    fs::copy(backup, copy, fs::copy_options::recursive);
  };
  anew();
  flip_byte(copy + "/journal.db", 20'000);
  refused(copy, "not what the manifest says");
  anew();
  fs::remove(copy + "/manifest.json");
  refused(copy, "not a backup");
  anew();
  fs::remove(copy + "/journal.db");
  refused(copy, "journal.db");
  const auto with_manifest = [&](const std::string& from, const std::string& to) {
    anew();
    std::string text = contents(copy + "/manifest.json");
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    std::ofstream(copy + "/manifest.json") << text;
  };
  with_manifest("\"journal.db\"", "\"../journal.db\"");
  refused(copy, "makes no sense");
  with_manifest("\"tenbin_backup\":1", "\"tenbin_backup\":2");
  refused(copy, "format 2");
  with_manifest("\"sequence\":", "\"sequence\":1");
  refused(copy, "manifest says");
  refused(folder.path() + "/nowhere", "find the backup");
  // The whole one is restored into an empty folder.
  fs::create_directory(state);
  const Ran good = run_tenbin({"restore", backup, "--state", state});
  CHECK_MESSAGE(good.code == 0, good.words);
  CHECK(fs::exists(state + "/admin.token"));
}

TEST_CASE("a restored service takes nothing of the old machine for its own") {
  const TestFolder folder;
  Daemon old({.state = folder.state(), .work = folder.work(), .lease_ms = 60'000});
  REQUIRE_MESSAGE(old.start(), old.words());
  Caller officer(old.url(), old.token());
  declare_fleet(officer);
  const Reply submitted = officer.post("/v1/jobs", submit_body(R"(["sleep", "600"])"));
  REQUIRE(submitted.status == 201);
  const std::string job = "/v1/jobs/" + std::to_string(*submitted.number("job"));
  REQUIRE(within(20, [&] { return !jobs_of(folder.work()).empty(); }));
  const std::string backup = folder.path() + "/backup", state = folder.path() + "/restored";
  const std::string token = old.token();
  REQUIRE(run_tenbin({"backup", backup, "--state", folder.state()}).code == 0);
  old.kill9();  // its supervisor lives on, with a long lease
  const auto of_old = supervisors(folder.state());
  REQUIRE(!of_old.empty());

  const Ran back = run_tenbin({"restore", backup, "--state", state});
  REQUIRE_MESSAGE(back.code == 0, back.words);
  CHECK(back.words.find("1 ran and wait again as new attempts; epoch 2") != std::string::npos);
  Daemon fresh({.state = state, .work = folder.path() + "/work2"});
  REQUIRE_MESSAGE(fresh.start(), fresh.words());
  Caller caller(fresh.url(), token);
  REQUIRE(within(20, [&] { return caller.get(job).text("state") == "running"; }));
  CHECK(caller.get(job).number("attempt") == 2);
  // It runs a process of its own, and the old one has not been touched.
  CHECK(within(20, [&] { return supervisors(state).size() == 2; }));
  CHECK(supervisors(folder.state()).size() == of_old.size());
  CHECK(caller.post(job + "/cancel", "").status == 200);
  CHECK(within(20, [&] { return caller.get(job).text("state") == "cancelled"; }));
  CHECK(supervisors(folder.state()).size() == of_old.size());
  const Ran v = verified(state);
  CHECK_MESSAGE(v.code == 0, v.words);
}

}  // namespace
}  // namespace tenbin::faults
