// What is acknowledged is there after any end of the process, what failed is not, and a second
// process or a stranger's file is refused.
//
// Method: each case has a folder of its own. Failures are real ones: a child process runs into a
// limit on file sizes, or is killed with SIGKILL while it appends and tells through a pipe what
// was acknowledged; the parent opens the folder afterwards and looks.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "store/memory_journal.h"
#include "store/snapshot_file.h"
#include "store/sqlite_history.h"
#include "store/sqlite_journal.h"

namespace tenbin {

namespace {

namespace fs = std::filesystem;

/// A folder of one test, gone afterwards.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "tenbin-store-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  std::string state() const { return path_ + "/state"; }
  std::string file(const std::string& name) const { return state() + "/" + name; }

 private:
  std::string path_;
};

Hash hash_number(std::uint64_t n) {
  Hash hash;
  for (std::size_t i = 0; i < 8; ++i) hash.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
  hash.bytes[31] = 1;
  return hash;
}

Record record_number(std::uint64_t n, std::size_t bytes = 600) {
  std::string body = "{\"record\":" + std::to_string(n) + "}";
  body.resize(std::max(bytes, body.size()), ' ');
  return {.sequence = n,
          .at = Instant{1'700'000'000'000 + static_cast<std::int64_t>(n)},
          .hash = hash_number(n),
          .body = body};
}

std::vector<Record> records_from(std::uint64_t first, std::size_t count, std::size_t bytes = 600) {
  std::vector<Record> records;
  for (std::size_t i = 0; i < count; ++i) records.push_back(record_number(first + i, bytes));
  return records;
}

bool same(const Record& a, const Record& b) {
  return a.sequence == b.sequence && a.at == b.at && a.hash == b.hash && a.body == b.body;
}

std::unique_ptr<SqliteJournal> opened(const std::string& state,
                                      Access access = Access::read_write) {
  auto journal = SqliteJournal::open(state, access);
  if (!journal) FAIL(journal.error().what);
  return std::move(*journal);
}

template <class T>
std::string words_of(const Result<T>& result) {
  return result ? std::string("no error") : result.error().what;
}

bool says(const std::string& words, const std::string& what) {
  if (words.find(what) != std::string::npos) return true;
  MESSAGE("said: " << words);
  return false;
}

/// Reads the whole journal and checks each record; the number of records.
std::uint64_t count_and_check(Journal& journal, std::size_t bytes = 600) {
  std::uint64_t count = 0;
  bool all_same = true;
  const auto done = journal.read(1, [&](const Record& record) {
    all_same = all_same && same(record, record_number(++count, bytes));
    return true;
  });
  REQUIRE_MESSAGE(done.has_value(), words_of(done));
  REQUIRE(all_same);
  return count;
}

void overwrite(const std::string& path, std::streamoff at, char value) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file.put(value);
  REQUIRE(file.good());
}

/// Runs `work` in a child process; it tells numbers through the pipe that it gets.
struct Child {
  pid_t id = 0;
  int told = -1;
};

template <class Work>
Child start_child(Work work) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  std::fflush(nullptr);  // or the child would say it again
  const pid_t id = ::fork();
  REQUIRE(id >= 0);
  if (id == 0) {
    ::close(ends[0]);
    work(ends[1]);
    ::_exit(0);
  }
  ::close(ends[1]);
  return {id, ends[0]};
}

void tell(int pipe, std::uint64_t number) {
  if (::write(pipe, &number, sizeof number) != sizeof number) ::_exit(9);
}

/// What the child told before it ended, and how it ended.
struct Told {
  std::uint64_t times = 0, last = 0;
  int status = 0;
};

Told listen(const Child& child) {
  Told told;
  std::uint64_t number = 0;
  while (::read(child.told, &number, sizeof number) == sizeof number) {
    ++told.times;
    told.last = number;
  }
  ::close(child.told);
  REQUIRE(::waitpid(child.id, &told.status, 0) == child.id);
  return told;
}

}  // namespace

// ---- journal ----

TEST_CASE("journal: what was appended is there, also after reopening") {
  const Scratch scratch;
  const Blob script{hash_number(77), std::string("#!/bin/sh\n\0train", 16)};
  const Blob empty{hash_number(78), ""};
  {
    auto journal = opened(scratch.state());
    CHECK(count_and_check(*journal) == 0);
    REQUIRE(journal->append(records_from(1, 3), {{script, empty}}));
    REQUIRE(journal->append(records_from(4, 2000), {}));
    CHECK(count_and_check(*journal) == 2003);
  }
  auto journal = opened(scratch.state());
  CHECK(count_and_check(*journal) == 2003);
  CHECK(journal->blob(script.hash).value() == script.bytes);
  CHECK(journal->blob(empty.hash).value() == "");
  CHECK(journal->blob(hash_number(79)).value() == std::nullopt);
  REQUIRE(journal->append(records_from(2004, 1), {}));

  std::vector<std::uint64_t> seen;
  REQUIRE(journal->read(2003, [&](const Record& r) { return seen.push_back(r.sequence), true; }));
  CHECK(seen == std::vector<std::uint64_t>{2003, 2004});
  seen.clear();
  REQUIRE(journal->read(0, [&](const Record& r) {
    seen.push_back(r.sequence);
    return seen.size() < 2;
  }));
  CHECK(seen == std::vector<std::uint64_t>{1, 2});
  seen.clear();
  REQUIRE(journal->read(9999, [&](const Record& r) { return seen.push_back(r.sequence), true; }));
  CHECK(seen.empty());
}

TEST_CASE("journal: a record that is not the next is refused, and then everything") {
  for (const std::uint64_t wrong : {0u, 1u, 2u, 4u}) {
    CAPTURE(wrong);
    const Scratch scratch;
    {
      auto journal = opened(scratch.state());
      REQUIRE(journal->append(records_from(1, 2), {}));
      CHECK(says(words_of(journal->append(records_from(wrong, 1), {})), "where 3 is next"));
      CHECK(says(words_of(journal->append(records_from(3, 1), {})), "out of use"));
      CHECK(says(words_of(journal->read(1, [](const Record&) { return true; })), "out of use"));
      CHECK(says(words_of(journal->blob(hash_number(1))), "out of use"));
      CHECK(says(words_of(journal->save_snapshot({})), "out of use"));
    }
    CHECK(count_and_check(*opened(scratch.state())) == 2);
  }
  const Scratch scratch;  // the hole is inside the batch: none of it is kept
  {
    auto journal = opened(scratch.state());
    std::vector<Record> batch = records_from(1, 3);
    batch[2].sequence = 4;
    CHECK(!journal->append(batch, {}));
  }
  CHECK(count_and_check(*opened(scratch.state())) == 0);
}

TEST_CASE("journal: a blob under a known hash is kept as it was") {
  const Scratch scratch;
  auto journal = opened(scratch.state());
  const Blob blob{hash_number(5), std::string(100'000, 'x')};
  REQUIRE(journal->append({}, {{blob, blob}}));
  REQUIRE(journal->append({}, {{blob}}));
  CHECK(journal->blob(blob.hash).value() == blob.bytes);
  CHECK(count_and_check(*journal) == 0);
}

TEST_CASE("journal: one process writes, and the next hears which one") {
  const Scratch scratch;
  {
    auto journal = opened(scratch.state());
    const std::string words = words_of(SqliteJournal::open(scratch.state(), Access::read_write));
    CHECK(says(words, "in use by process " + std::to_string(::getpid())));
  }
  opened(scratch.state());
}

TEST_CASE("journal: files are for their owner only") {
  const Scratch scratch;
  const mode_t before = ::umask(0);
  {
    auto journal = opened(scratch.state());
    REQUIRE(journal->append(records_from(1, 1), {}));
    REQUIRE(journal->save_snapshot({.sequence = 1, .chain = hash_number(1), .bytes = "world"}));
    for (const auto& entry : fs::recursive_directory_iterator(scratch.state())) {
      CAPTURE(entry.path().string());
      CHECK((entry.status().permissions() & fs::perms(077)) == fs::perms::none);
    }
  }
  ::umask(before);
  CHECK((fs::status(scratch.state()).permissions() & fs::perms(0777)) == fs::perms::owner_all);
}

TEST_CASE("journal: a link or a strange file in its place is refused") {
  SUBCASE("the folder is a link") {
    const Scratch scratch, other;
    fs::create_directory(other.state());
    fs::create_symlink(other.state(), scratch.state());
    CHECK(
        says(words_of(SqliteJournal::open(scratch.state(), Access::read_write)), "symbolic link"));
    CHECK(says(words_of(SqliteJournal::open(scratch.state() + "/", Access::read_only)),
               "symbolic link"));
    CHECK(says(words_of(SqliteHistory::open(scratch.state())), "symbolic link"));
  }
  SUBCASE("a file is a link") {
    for (const char* name : {"journal.db", "journal.db-wal", "lock", "snapshots"}) {
      CAPTURE(name);
      const Scratch scratch;
      fs::create_directory(scratch.state());
      fs::create_symlink("/nowhere/at/all", scratch.file(name));
      CHECK(says(words_of(SqliteJournal::open(scratch.state(), Access::read_write)),
                 "symbolic link"));
    }
  }
  SUBCASE("everybody may write to the folder") {
    const Scratch scratch;
    fs::create_directory(scratch.state());
    fs::permissions(scratch.state(), fs::perms::all);
    CHECK(says(words_of(SqliteJournal::open(scratch.state(), Access::read_write)), "chmod"));
  }
  SUBCASE("the folder belongs to another user") {
    if (::geteuid() != 0)
      CHECK(says(words_of(SqliteJournal::open("/", Access::read_write)), "belongs to"));
  }
  SUBCASE("there is nothing to read") {
    const Scratch scratch;
    CHECK(!SqliteJournal::open(scratch.state(), Access::read_only));
    CHECK(!fs::exists(scratch.state()));
    fs::create_directory(scratch.state());
    CHECK(!SqliteJournal::open(scratch.state(), Access::read_only));
    CHECK(fs::is_empty(scratch.state()));
  }
  SUBCASE("it is not a database") {
    const Scratch scratch;
    fs::create_directory(scratch.state());
    std::ofstream(scratch.file("journal.db")) << std::string(8192, 'x');
    CHECK(
        says(words_of(SqliteJournal::open(scratch.state(), Access::read_write)), "not a database"));
  }
  SUBCASE("it is another program's database") {
    const Scratch scratch;
    fs::create_directory(scratch.state());
    REQUIRE(SqliteDatabase::open(scratch.file("journal.db"), Access::read_write)
                ->run("CREATE TABLE other(x)"));
    CHECK(says(words_of(SqliteJournal::open(scratch.state(), Access::read_write)),
               "not a journal of Tenbin"));
  }
  SUBCASE("it is of a later format") {
    const Scratch scratch;
    opened(scratch.state());
    REQUIRE(SqliteDatabase::open(scratch.file("journal.db"), Access::read_write)
                ->run("UPDATE meta SET value = 2 WHERE key = 'format'"));
    CHECK(says(words_of(SqliteJournal::open(scratch.state(), Access::read_write)), "format 2"));
    CHECK(says(words_of(SqliteJournal::open(scratch.state(), Access::read_only)), "format 2"));
  }
}

TEST_CASE("journal: a missing record is told, not skipped") {
  const Scratch scratch;
  {
    REQUIRE(opened(scratch.state())->append(records_from(1, 9), {}));
  }
  REQUIRE(SqliteDatabase::open(scratch.file("journal.db"), Access::read_write)
              ->run("DELETE FROM record WHERE sequence IN (1, 5)"));
  auto journal = opened(scratch.state());
  const auto all = [](const Record&) { return true; };
  CHECK(says(words_of(journal->read(1, all)), "record 1 is missing"));
  CHECK(says(words_of(journal->read(2, all)), "record 5 is missing"));
  CHECK(journal->read(6, all).has_value());
}

TEST_CASE("journal: others read while one writes, and the log does not grow without end") {
  const Scratch scratch;
  auto journal = opened(scratch.state());
  const Blob blob{hash_number(1), "script"};
  REQUIRE(journal->append(records_from(1, 1), {{blob}}));

  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> acknowledged = 1;
  std::thread queries([&] {
    while (!stop) {
      if (journal->blob(blob.hash).value() != blob.bytes) std::abort();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  std::thread reader([&] {
    auto watching = opened(scratch.state(), Access::read_only);
    std::uint64_t seen = 0;
    while (!stop) {
      const std::uint64_t least = acknowledged;
      const auto done = watching->read(seen + 1, [&](const Record& record) {
        if (!same(record, record_number(++seen))) std::abort();
        return true;
      });
      if (!done || seen < least) std::abort();
    }
    if (watching->append(records_from(seen + 1, 1), {})) std::abort();
  });
  std::uintmax_t longest_log = 0;
  for (std::uint64_t next = 2; next < 200'000; next += 100) {
    const auto done = journal->append(records_from(next, 100), {});
    REQUIRE_MESSAGE(done.has_value(), words_of(done));
    acknowledged = next + 99;
    longest_log = std::max(longest_log, fs::file_size(scratch.file("journal.db-wal")));
  }
  stop = true;
  queries.join();
  reader.join();
  CHECK(longest_log > 4 * 1024 * 1024);  // 150 MB went through it
  CHECK(longest_log < 100 * 1024 * 1024);
  CHECK(fs::file_size(scratch.file("journal.db")) > 40 * 1024 * 1024);
}

TEST_CASE(
    "journal: a full disk loses nothing that was acknowledged and keeps nothing that failed") {
  // The smaller limits end an append to the log, the largest a checkpoint into the database.
  for (const rlim_t limit : {100'000u, 300'000u, 4'000'000u, 12'000'000u}) {
    CAPTURE(limit);
    const Scratch scratch;
    const Child child = start_child([&](int pipe) {
      std::signal(SIGXFSZ, SIG_IGN);
      auto journal = SqliteJournal::open(scratch.state(), Access::read_write);
      if (!journal) ::_exit(1);
      const rlimit cap{limit, limit};
      if (::setrlimit(RLIMIT_FSIZE, &cap) != 0) ::_exit(2);
      std::uint64_t next = 1;
      for (;; next += 7) {
        if (!(*journal)->append(records_from(next, 7), {})) break;
        tell(pipe, next + 6);
        if (next > 200'000) ::_exit(3);
      }
      if ((*journal)->append(records_from(next, 1), {})) ::_exit(4);  // a small one would fit
      if ((*journal)->read(1, [](const Record&) { return true; })) ::_exit(5);
      tell(pipe, next - 1);
    });
    const Told told = listen(child);
    REQUIRE(WIFEXITED(told.status));
    CHECK(WEXITSTATUS(told.status) == 0);
    CHECK(told.times > 2);
    auto journal = opened(scratch.state());
    CHECK(count_and_check(*journal) == told.last);
    REQUIRE(journal->append(records_from(told.last + 1, 1), {}));
  }
}

TEST_CASE("journal: kill -9 at any moment loses nothing that was acknowledged") {
  const Scratch scratch;
  std::uint64_t before = 0;
  for (int round = 0; round < 5; ++round) {
    CAPTURE(round);
    const Child child = start_child([&](int pipe) {
      auto journal = SqliteJournal::open(scratch.state(), Access::read_write);
      if (!journal) ::_exit(1);
      for (std::uint64_t next = before + 1;; next += 5) {
        if (!(*journal)->append(records_from(next, 5), {})) ::_exit(2);
        tell(pipe, next + 4);
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(150 + 37 * round));
    REQUIRE(::kill(child.id, SIGKILL) == 0);
    const Told told = listen(child);
    CHECK(WIFSIGNALED(told.status));
    const std::uint64_t acknowledged = told.last;
    CHECK(acknowledged > before);
    auto journal = opened(scratch.state());  // the lock went with the process
    const std::uint64_t found = count_and_check(*journal);
    CHECK(found >= acknowledged);
    CHECK((found - before) % 5 == 0);  // a batch is there as a whole or not at all
    before = found;
  }
}

// ---- snapshots ----

TEST_CASE("snapshot: the file is 88 bytes and then the World") {
  const Snapshot snapshot{.sequence = 0x0102, .chain = hash_number(9), .bytes = "world"};
  const auto header = snapshot_header(snapshot);
  static_assert(snapshot_header_bytes == 88);
  std::string file(header.data(), header.size());
  file += snapshot.bytes;
  CHECK(file.substr(0, 10) == "TNBSNAP1\x02\x01");
  CHECK(file[48] == 5);

  const auto again = parse_snapshot(file);
  REQUIRE(again);
  CHECK(again->sequence == snapshot.sequence);
  CHECK(again->chain == snapshot.chain);
  CHECK(again->bytes == snapshot.bytes);

  for (std::size_t i = 0; i < file.size(); ++i) {
    CAPTURE(i);
    CHECK(!parse_snapshot(std::string_view(file).substr(0, i)));
    std::string altered = file;
    altered[i] ^= 0x10;
    CHECK(!parse_snapshot(altered));
  }
  CHECK(!parse_snapshot(file + "x"));
}

TEST_CASE("snapshot: the newest two stay, and a damaged one is passed over") {
  const Scratch scratch;
  auto journal = opened(scratch.state());
  CHECK(journal->newest_snapshot().value() == std::nullopt);
  const auto path = [&](int n) {
    return scratch.file("snapshots/0000000000000000000" + std::to_string(n) + ".snapshot");
  };
  for (std::uint64_t n = 1; n <= 3; ++n) {
    REQUIRE(journal->save_snapshot(
        {.sequence = n, .chain = hash_number(n), .bytes = std::string(50'000, 'w')}));
  }
  CHECK(!fs::exists(path(1)));
  CHECK(journal->newest_snapshot().value()->sequence == 3);

  SUBCASE("a byte differs") {
    overwrite(path(3), 40'000, 'x');
  }
  SUBCASE("the end is missing") {
    fs::resize_file(path(3), 40'000);
  }
  SUBCASE("nothing is left") {
    fs::resize_file(path(3), 0);
  }
  SUBCASE("it goes on too long") {
    fs::resize_file(path(3), 60'000);
  }
  SUBCASE("it is another's") {
    fs::copy_file(path(2), path(3), fs::copy_options::overwrite_existing);
  }
  SUBCASE("it is a link") {
    fs::rename(path(3), scratch.file("elsewhere"));
    fs::create_symlink(scratch.file("elsewhere"), path(3));
  }
  const auto found = journal->newest_snapshot();
  REQUIRE(found);
  REQUIRE(*found);
  CHECK((*found)->sequence == 2);
  CHECK((*found)->chain == hash_number(2));
  CHECK((*found)->bytes == std::string(50'000, 'w'));

  overwrite(path(2), 0, 'x');
  CHECK(journal->newest_snapshot().value() == std::nullopt);
}

TEST_CASE("snapshot: one that does not fit on the disk leaves the older ones and no draft") {
  const Scratch scratch;
  const Child child = start_child([&](int) {
    std::signal(SIGXFSZ, SIG_IGN);
    auto journal = SqliteJournal::open(scratch.state(), Access::read_write);
    if (!journal || !(*journal)->save_snapshot({.sequence = 1, .chain = {}, .bytes = "one"})) {
      ::_exit(1);
    }
    const rlimit cap{200'000, 200'000};
    if (::setrlimit(RLIMIT_FSIZE, &cap) != 0) ::_exit(2);
    const Snapshot large{.sequence = 2, .chain = {}, .bytes = std::string(300'000, 'x')};
    if ((*journal)->save_snapshot(large)) ::_exit(3);
    if (!(*journal)->append(records_from(1, 1), {})) ::_exit(4);  // the journal itself is sound
  });
  const Told told = listen(child);
  REQUIRE(WIFEXITED(told.status));
  CHECK(WEXITSTATUS(told.status) == 0);
  auto journal = opened(scratch.state());
  CHECK(count_and_check(*journal) == 1);
  CHECK(journal->newest_snapshot().value()->sequence == 1);
  CHECK(std::distance(fs::directory_iterator(scratch.file("snapshots")), {}) == 1);
}

TEST_CASE("snapshot: a draft that a crash left is swept away") {
  const Scratch scratch;
  opened(scratch.state());
  const std::string draft = scratch.file("snapshots/00000000000000000007.snapshot.tmp");
  std::ofstream(draft) << "half";
  auto journal = opened(scratch.state());
  CHECK(!fs::exists(draft));
  CHECK(journal->newest_snapshot().value() == std::nullopt);
}

// ---- memory ----

TEST_CASE("memory journal: behaves as a journal") {
  MemoryJournal journal;
  const Blob blob{hash_number(1), "script"};
  REQUIRE(journal.append(records_from(1, 3), {{blob, blob}}));
  CHECK(count_and_check(journal) == 3);
  CHECK(journal.blob(blob.hash).value() == blob.bytes);
  for (std::uint64_t n = 1; n <= 3; ++n) {
    REQUIRE(journal.save_snapshot({.sequence = n, .chain = {}, .bytes = "w"}));
  }
  CHECK(journal.newest_snapshot().value()->sequence == 3);
  CHECK(!journal.append(records_from(9, 1), {}));
  CHECK(!journal.append(records_from(4, 1), {}));
  CHECK(count_and_check(*journal.after_restart()) == 3);
}

TEST_CASE("memory journal: the append that is planned to fail does, and all after it") {
  for (const auto failed_batch : {JournalFaults::Failed::lost, JournalFaults::Failed::kept}) {
    MemoryJournal journal({.fail_append = 2, .failed_batch = failed_batch, .delay = {}});
    REQUIRE(journal.append(records_from(1, 2), {}));
    CHECK(!journal.append(records_from(3, 2), {}));
    CHECK(!journal.append(records_from(3, 2), {}));
    CHECK(!journal.blob(hash_number(1)));
    auto next = journal.after_restart();
    const std::uint64_t kept = failed_batch == JournalFaults::Failed::kept ? 4 : 2;
    CHECK(count_and_check(*next) == kept);
    CHECK(next->append(records_from(kept + 1, 1), {}).has_value());
  }
}

TEST_CASE("memory journal: a power cut loses the append that is under way") {
  MemoryJournal journal({.delay = Span{60'000}});
  std::thread cut([&] {
    while (journal.appends() == 0) std::this_thread::yield();
    journal.cut_power();
  });
  CHECK(!journal.append(records_from(1, 1), {}));
  cut.join();
  CHECK(count_and_check(*journal.after_restart()) == 0);
}

// ---- history ----

namespace {

SettledJob job_number(std::uint64_t n) {
  static constexpr const char* states[] = {"completed", "failed", "cancelled", "time_limit"};
  SettledJob job;
  job.job = n;
  job.array = n % 7 == 0 ? n - 1 : 0;
  job.task = static_cast<std::int32_t>(n % 7);
  job.project = "project-" + std::to_string(n % 5);
  job.person = "person-" + std::to_string(n % 11);
  job.name = "train-" + std::to_string(n % 6);
  job.state = states[n % 4];
  job.code = static_cast<std::int32_t>(n % 3);
  job.shape = "2 x 1 GPU";
  job.region = n % 3 ? "tokyo" : "osaka";
  job.attempts = 1;
  job.gpus_milli = 2000;
  job.time_limit = Span{3'600'000};
  job.submitted = Instant{1};
  job.started = Instant{2};
  job.ended = Instant{3};
  job.held = Credits{4'000'000};
  job.charged = Credits{3'000'000};
  job.spec = hash_number(n);
  return job;
}

ChargeRow charge_number(std::uint64_t sequence, const std::string& project, std::int64_t amount) {
  return {.sequence = sequence,
          .at = Instant{9},
          .job = 1,
          .project = project,
          .grant = "grant",
          .funder = "funder",
          .lot = "lot",
          .amount = Credits{amount}};
}

std::unique_ptr<SqliteHistory> history_in(const std::string& state) {
  auto history = SqliteHistory::open(state);
  if (!history) FAIL(history.error().what);
  return std::move(*history);
}

}  // namespace

TEST_CASE("history: telling twice is telling once") {
  const Scratch scratch;
  {
    auto history = history_in(scratch.state());
    CHECK(history->watermark().value() == 0);
    REQUIRE(history->follow(
        10, {{job_number(1)}},
        {{charge_number(9, "a", 5), charge_number(9, "b", 6), charge_number(10, "a", 7)}}));
    REQUIRE(history->follow(10, {{job_number(2)}}, {{charge_number(10, "a", 7)}}));
    REQUIRE(history->follow(4, {{job_number(2)}}, {}));
    CHECK(history->watermark().value() == 10);
    CHECK(history->job(2).value() == std::nullopt);
    // After a restart the follower may tell from further back: what is known is not doubled.
    REQUIRE(history->follow(12, {{job_number(1), job_number(2)}},
                            {{charge_number(10, "a", 7), charge_number(12, "a", 1)}}));
    CHECK(says(words_of(history->follow(13, {{job_number(3)}}, {{charge_number(14, "a", 7)}})),
               "charge of record 14"));
  }
  auto history = history_in(scratch.state());
  CHECK(history->watermark().value() == 12);
  CHECK(history->jobs({}).value().jobs.size() == 2);
  const auto charges = history->charges({.project = "a"}).value();
  REQUIRE(charges.size() == 3);
  CHECK(charges[0].amount == Credits{5});
  CHECK(charges[1].sequence == 10);
  CHECK(charges[2].sequence == 12);
  CHECK(charges[2].grant == "grant");
  CHECK(history->charges({}).value().size() == 4);
  CHECK(history->charges({.limit = 1}).value().size() == 2);  // record 9 is not cut apart
  CHECK(history->charges({.project = "a", .after_at = Instant{9}, .after_sequence = 9, .limit = 1})
            .value()[0]
            .sequence == 10);
  CHECK(history->charges({.project = "a", .after_at = Instant{9}, .after_sequence = 12})
            .value()
            .empty());

  REQUIRE(history->clear());
  CHECK(history->watermark().value() == 0);
  CHECK(history->jobs({}).value().jobs.empty());
  CHECK(history->charges({.project = "a"}).value().empty());
  REQUIRE(history->follow(1, {{job_number(1)}}, {}));
  CHECK(history->jobs({}).value().jobs.size() == 1);
}

TEST_CASE("history: a rebuild that was cut off leaves a file that answers every query") {
  const Scratch scratch;
  {
    auto history = history_in(scratch.state());
    REQUIRE(history->begin_rebuild());
    REQUIRE(history->follow(1, {{job_number(1), job_number(2)}}, {}));
    CHECK_FALSE(history->jobs({.project = job_number(1).project}));  // not before its end
  }
  auto history = history_in(scratch.state());
  CHECK(history->jobs({.project = job_number(1).project}).value().jobs.size() >= 1);
  REQUIRE(history->begin_rebuild());
  REQUIRE(history->follow(2, {{job_number(3)}}, {}));
  REQUIRE(history->end_rebuild());
  CHECK(history->jobs({.state = job_number(3).state}).value().jobs.size() >= 1);
}

TEST_CASE("history: each filter gives what a walk over all jobs gives, in both orders") {
  const Scratch scratch;
  auto history = history_in(scratch.state());
  std::vector<SettledJob> all;
  for (std::uint64_t n = 1; n <= 2000; ++n) all.push_back(job_number(n));
  REQUIRE(history->follow(1, all, {}));

  const auto one = history->job(1234).value();
  REQUIRE(one);
  CHECK(one->spec == hash_number(1234));
  CHECK(one->person == "person-2");
  CHECK(one->pool.empty());
  CHECK(one->charged == Credits{3'000'000});

  // Every combination of filters, in both orders, page by page and with so little to look at that
  // pages come short: put together it is what a walk over all jobs gives.
  for (unsigned given = 0; given < 64; ++given) {
    HistoryQuery query{.limit = 150};
    if (given & 1) query.project = "project-3";
    if (given & 2) query.person = "person-4";
    if (given & 4) query.state = "failed";
    if (given & 8) query.name = all[3].name;
    if (given & 16) query.region = all[3].region;
    if (given & 32) query.order = Order::oldest_first;
    query.from = 5;
    query.before = 1'900;
    query.look_at = 400;
    std::vector<std::uint64_t> expected, found;
    for (std::uint64_t n = 5; n < 1'900; ++n) {
      const SettledJob job = job_number(n);
      if ((query.project.empty() || job.project == query.project) &&
          (query.person.empty() || job.person == query.person) &&
          (query.state.empty() || job.state == query.state) &&
          (query.name.empty() || job.name == query.name) &&
          (query.region.empty() || job.region == query.region)) {
        expected.push_back(n);
      }
    }
    const bool newest = query.order == Order::newest_first;
    if (newest) std::ranges::reverse(expected);
    for (;;) {
      const HistoryPage page = history->jobs(query).value();
      REQUIRE(page.jobs.size() <= query.limit);
      for (const SettledJob& job : page.jobs) found.push_back(job.job);
      if (page.reached == 0) break;
      if (newest) {
        query.before = page.reached;
      } else {
        query.from = page.reached + 1;
      }
    }
    CAPTURE(settled_jobs_sql(query));
    CHECK(found == expected);
  }
  CHECK(history->jobs({.project = "nobody's"}).value().jobs.empty());
}

TEST_CASE("history: a label is found as a whole, whatever stands in others") {
  const Scratch scratch;
  auto history = history_in(scratch.state());
  const std::vector<std::string> labels{"{}",
                                        R"({"a":"b"})",
                                        R"({"x":"y","a":"b"})",
                                        R"({"a":"b,","x":"{\"a\":\"b\"}"})",
                                        R"({"x":",\"a\":\"b\"","xa":"b"})",
                                        ""};
  std::vector<SettledJob> jobs;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    jobs.push_back(job_number(i + 1));
    jobs.back().labels = labels[i];
  }
  REQUIRE(history->follow(1, jobs, {}));
  const auto found = [&](const std::string& label) {
    std::vector<std::uint64_t> ids;
    const HistoryPage page = history->jobs({.label = label, .limit = 10}).value();
    for (const SettledJob& job : page.jobs) ids.push_back(job.job);
    return ids;
  };
  CHECK(found(R"("a":"b")") == std::vector<std::uint64_t>{3, 2});
  CHECK(found(R"("a":"b,")") == std::vector<std::uint64_t>{4});
  CHECK(found(R"("x":"{\"a\":\"b\"}")") == std::vector<std::uint64_t>{4});
  CHECK(found(R"("a":"")").empty());
}

TEST_CASE("history: an instant of submission is found by halving") {
  const Scratch scratch;
  auto history = history_in(scratch.state());
  CHECK(history->first_submitted(Instant{0}).value() == INT64_MAX);
  std::vector<SettledJob> some;
  for (const std::uint64_t n : {3u, 4u, 9u, 700u, 100'000u}) {
    some.push_back(job_number(n));
    some.back().submitted = Instant{static_cast<std::int64_t>(n) * 10};
  }
  REQUIRE(history->follow(1, some, {}));
  CHECK(history->first_submitted(Instant{0}).value() == 3);
  CHECK(history->first_submitted(Instant{30}).value() == 3);
  CHECK(history->first_submitted(Instant{31}).value() == 4);
  CHECK(history->first_submitted(Instant{41}).value() == 9);
  CHECK(history->first_submitted(Instant{7'000}).value() == 700);
  CHECK(history->first_submitted(Instant{7'001}).value() == 100'000);
  CHECK(history->first_submitted(Instant{1'000'001}).value() == INT64_MAX);
}

TEST_CASE("history: charges come in pieces, between instants, and add up") {
  const Scratch scratch;
  auto history = history_in(scratch.state());
  std::vector<ChargeRow> rows;
  for (std::uint64_t n = 1; n <= 300; ++n) {
    for (int part = 0; part < (n % 3 ? 1 : 2); ++part) {
      rows.push_back({.sequence = n,
                      .at = Instant{static_cast<std::int64_t>(n / 4) * 100},
                      .job = n,
                      .project = n % 2 ? "odd" : "even",
                      .grant = "g",
                      .funder = "f",
                      .lot = "l",
                      .amount = Credits{static_cast<std::int64_t>(n)}});
    }
  }
  REQUIRE(history->follow(300, {}, rows));
  REQUIRE(history->follow(300, {}, rows));  // told twice
  for (const char* project : {"odd", "even", "neither", ""}) {
    for (const auto& [from, to] :
         {std::pair{Instant{0}, Instant{INT64_MAX}}, std::pair{Instant{2'000}, Instant{5'100}}}) {
      std::vector<std::uint64_t> expected, found;
      Credits sum;
      for (const ChargeRow& row : rows) {
        if ((*project && row.project != project) || row.at < from || row.at >= to) continue;
        expected.push_back(row.sequence);
        sum += row.amount;
      }
      ChargeQuery query{.project = project, .from = from, .to = to, .limit = 7};
      for (;;) {
        const auto piece = history->charges(query).value();
        for (const ChargeRow& row : piece) found.push_back(row.sequence);
        if (piece.size() < query.limit) break;
        query.after_at = piece.back().at;
        query.after_sequence = piece.back().sequence;
      }
      CAPTURE(project);
      CHECK(found == expected);
      if (*project) CHECK(history->charged(project, from, to).value() == sum);
    }
  }
}

TEST_CASE("history: every filter and order has an index and none sorts") {
  const Scratch scratch;
  history_in(scratch.state());
  auto database = SqliteDatabase::open(scratch.file("history.db"), Access::read_only);
  REQUIRE(database);
  const auto check = [&](const std::string& sql, const std::string& how) {
    CAPTURE(sql);
    auto plan = database->prepare("EXPLAIN QUERY PLAN " + sql);
    REQUIRE(plan);
    int steps = 0;
    while (plan->step().value()) {
      const std::string step(plan->bytes(3));
      CAPTURE(step);
      CHECK(step.starts_with("SEARCH "));
      CHECK(step.find(how) != std::string::npos);
      ++steps;
    }
    CHECK(steps == 1);  // a sort would be a second step
  };
  for (unsigned filter = 0; filter < 64; ++filter) {
    HistoryQuery query;
    if (filter & 1) query.project = "given";
    if (filter & 2) query.person = "given";
    if (filter & 4) query.state = "given";
    if (filter & 8) query.name = "given";
    if (filter & 16) query.region = "given";
    if (filter & 32) query.order = Order::oldest_first;
    check(settled_jobs_sql(query),
          (filter & 15) == 0 ? "INTEGER PRIMARY KEY (rowid>? AND rowid<?)" : "INDEX settled_by_");
  }
  check(charges_sql(true), "INDEX charge_by_project (project=? AND (at,sequence)>(?,?)");
  check(charges_sql(false), "PRIMARY KEY (sequence>?)");
}

TEST_CASE("history: a damaged one is put aside and begun anew") {
  const Scratch scratch;
  {
    auto history = history_in(scratch.state());
    std::vector<SettledJob> all;
    for (std::uint64_t n = 1; n <= 2000; ++n) all.push_back(job_number(n));
    REQUIRE(history->follow(7, all, {}));
  }
  const std::string path = scratch.file("history.db");
  SUBCASE("its head is gone") {
    overwrite(path, 3, 'x');
  }
  SUBCASE("it is of another format") {
    REQUIRE(SqliteDatabase::open(path, Access::read_write)
                ->run("UPDATE meta SET value = 9 WHERE key = 'format'"));
  }
  SUBCASE("it is something else") {
    fs::remove(path);
    REQUIRE(SqliteDatabase::open(path, Access::read_write)->run("CREATE TABLE other(x)"));
  }
  SUBCASE("the damage is met in use") {
    const auto pages = fs::file_size(path) / 4096;
    for (std::uintmax_t page = 12; page < pages; ++page) {
      overwrite(path, static_cast<std::streamoff>(page * 4096), 'x');
    }
    auto history = history_in(scratch.state());
    HistoryQuery everything;
    everything.limit = 5000;
    CHECK(says(words_of(history->jobs(everything)), "built again"));
  }
  auto history = history_in(scratch.state());
  CHECK(fs::exists(path + ".damaged-1"));
  CHECK(history->watermark().value() == 0);
  CHECK(history->jobs({}).value().jobs.empty());
  REQUIRE(history->follow(1, {{job_number(1)}}, {}));
  history.reset();

  overwrite(path, 3, 'x');  // and a second time
  CHECK(history_in(scratch.state())->watermark().value() == 0);
  CHECK(fs::exists(path + ".damaged-2"));
}

}  // namespace tenbin
