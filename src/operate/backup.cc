#include "operate/backup.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "codec/hash.h"
#include "codec/json.h"
#include "codec/record.h"
#include "store/sqlite_copy.h"
#include "store/sqlite_journal.h"
#include "store/state_folder.h"

namespace tenbin::operate {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t manifest_format = 1;
constexpr std::string_view manifest_name = "manifest.json";

struct Entry {
  std::string name;  // below the backup's folder
  std::uint64_t bytes = 0;
  Hash hash;
};

std::unexpected<Error> failure(const std::string& path, const char* tried) {
  const int code = errno;
  return failed(path + ": could not " + tried + ": " + std::strerror(code));
}

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Reads a plain file to its end: its hash and length, and a copy of it if `to` is not empty.
Result<Entry> read_through(const std::string& from, const std::string& to) {
  const File source(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!source) return failure(from, "open it");
  std::optional<File> target;
  if (!to.empty()) {
    target.emplace(::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!*target) return failure(to, "make it");
  }
  Entry entry;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, entry.hash.bytes.size());
  std::vector<char> buffer(256 * 1024);
  for (;;) {
    const ssize_t n = ::read(source.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure(from, "read it");
    if (n == 0) break;
    const auto count = static_cast<std::size_t>(n);
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(buffer.data()), count);
    entry.bytes += count;
    for (std::size_t done = 0; target && done < count;) {
      const ssize_t written = ::write(target->get(), buffer.data() + done, count - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return failure(to, "write it");
      done += static_cast<std::size_t>(written);
    }
  }
  crypto_generichash_final(&state, entry.hash.bytes.data(), entry.hash.bytes.size());
  if (target && ::fsync(target->get()) != 0) return failure(to, "sync it");
  return entry;
}

/// Copies the file if it is there, and notes it under `name`.
Result<bool> take_file(const std::string& from, const std::string& folder, const std::string& name,
                       std::vector<Entry>& entries) {
  if (::access(from.c_str(), F_OK) != 0) return false;
  auto entry = read_through(from, folder + "/" + name);
  if (!entry) return std::unexpected(entry.error());
  entry->name = name;
  entries.push_back(std::move(*entry));
  return true;
}

/// Plain files below `from`, in `folder/name/...`. What vanishes meanwhile is left out; links are
/// not followed.
Result<void> take_tree(const std::string& from, const std::string& folder, const std::string& name,
                       std::vector<Entry>& entries) {
  std::error_code trouble;
  if (!fs::is_directory(fs::symlink_status(from, trouble))) return {};
  if (::mkdir((folder + "/" + name).c_str(), 0700) != 0 && errno != EEXIST)
    return failure(folder + "/" + name, "make the folder");
  std::vector<fs::directory_entry> inside;
  for (fs::directory_iterator at(from, trouble), end; !trouble && at != end; at.increment(trouble))
    inside.push_back(*at);
  if (trouble) return failed(from + ": could not list it: " + trouble.message());
  for (const fs::directory_entry& one : inside) {
    const std::string below = name + "/" + one.path().filename().string();
    const auto kind = one.symlink_status(trouble).type();
    if (kind == fs::file_type::directory) {
      if (auto taken = take_tree(one.path().string(), folder, below, entries); !taken) return taken;
    } else if (kind == fs::file_type::regular) {
      if (auto taken = take_file(one.path().string(), folder, below, entries); !taken)
        return std::unexpected(taken.error());
    }
  }
  return sync_folder(folder + "/" + name);
}

struct End {
  std::uint64_t sequence = 0;
  Hash chain;
};

/// The chain of a journal, from its first record to its last.
Result<End> check_chain(const std::string& folder) {
  auto journal = SqliteJournal::open(folder, Access::read_only);
  if (!journal) return std::unexpected(journal.error());
  End end;
  std::uint64_t wrong = 0;
  const auto read = (*journal)->read(1, [&](const Record& record) {
    const Hash hash = chain(end.chain, record.sequence, record.at, record.body);
    if (record.sequence != end.sequence + 1 || hash != record.hash) {
      wrong = record.sequence;
      return false;
    }
    end = {record.sequence, hash};
    return true;
  });
  if (!read) return std::unexpected(read.error());
  if (wrong != 0) {
    return failed("the journal is damaged at record " + std::to_string(wrong) +
                  ": its hash does not continue the chain; tenbin verify says more");
  }
  return end;
}

void remove_quietly(const std::string& folder) {
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

/// Beside a WAL database SQLite leaves these when it was opened for reading only.
void drop_log(const std::string& folder) {
  ::unlink((folder + "/journal.db-wal").c_str());
  ::unlink((folder + "/journal.db-shm").c_str());
}

std::string now_text() {
  const time_t now = ::time(nullptr);
  tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  ::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

std::string manifest_text(const End& end, const std::vector<Entry>& entries) {
  std::string text;
  JsonWriter out(text);
  out.begin_object().member("tenbin_backup", manifest_format).member("made", now_text());
  out.member("sequence", end.sequence).member("chain", to_hex(end.chain));
  out.key("files").begin_array();
  for (const Entry& entry : entries) {
    out.begin_object().member("name", entry.name).member("bytes", entry.bytes);
    out.member("blake2b", to_hex(entry.hash)).end_object();
  }
  out.end_array().end_object();
  return text + "\n";
}

struct Manifest {
  End end;
  std::string made;
  std::vector<Entry> entries;
};

bool stays_inside(std::string_view name) {
  if (name.empty() || name.starts_with('/')) return false;
  const fs::path path(name);
  return std::ranges::none_of(
      path, [](const fs::path& part) { return part == ".." || part == "." || part.empty(); });
}

Result<Manifest> read_manifest(const std::string& backup) {
  const std::string path = backup + "/" + std::string(manifest_name);
  if (::access(backup.c_str(), F_OK) != 0) return failure(backup, "find the backup");
  if (::access(path.c_str(), F_OK) != 0) {
    return failed(backup + ": there is no " + std::string(manifest_name) +
                  " in it: this is not a backup, or one that was cut short");
  }
  const auto text = read_file(path);
  if (!text) return std::unexpected(text.error());
  JsonDocument document;
  const auto root = document.parse(*text);
  if (!root) return failed(path + ": " + root.error().what);
  const auto format = (*root)["tenbin_backup"].integer();
  if (!format) return failed(path + ": this is not the manifest of a backup");
  if (*format != manifest_format) {
    return failed(path + ": the backup is of format " + std::to_string(*format) +
                  ", and this program knows format " + std::to_string(manifest_format) +
                  " only; use the version of Tenbin that made it, or a newer one");
  }
  Manifest manifest;
  const auto sequence = (*root)["sequence"].unsigned_integer();
  const auto chain_hex = (*root)["chain"].text();
  const auto hash = chain_hex ? hash_from_hex(*chain_hex) : std::nullopt;
  if (!sequence || !hash) return failed(path + ": sequence or chain is missing");
  manifest.end = {*sequence, *hash};
  manifest.made = (*root)["made"].text().value_or("");
  bool good = (*root)["files"].is_array();
  (*root)["files"].each_item([&](JsonValue file) {
    const auto name = file["name"].text();
    const auto bytes = file["bytes"].unsigned_integer();
    const auto hex = file["blake2b"].text();
    const auto file_hash = hex ? hash_from_hex(*hex) : std::nullopt;
    good = name && bytes && file_hash && stays_inside(*name);
    if (good) manifest.entries.push_back({std::string(*name), *bytes, *file_hash});
    return good;
  });
  if (!good) return failed(path + ": its list of files makes no sense");
  if (std::ranges::none_of(manifest.entries,
                           [](const Entry& e) { return e.name == "journal.db"; })) {
    return failed(path + ": it lists no journal.db");
  }
  return manifest;
}

Result<std::string> whole_path(const std::string& path, const char* what) {
  std::error_code trouble;
  std::string whole = fs::absolute(path, trouble).lexically_normal().string();
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  if (path.empty() || trouble) return failed(std::string("no ") + what + " was named");
  return whole;
}

Result<Backup> fill_backup(const BackupSettings& settings, const std::string& draft,
                           const Progress& progress) {
  if (auto copied = copy_database(settings.state + "/journal.db", draft + "/journal.db",
                                  {settings.bytes_per_second}, progress);
      !copied) {
    return std::unexpected(copied.error());
  }
  const auto end = check_chain(draft);
  if (!end) return std::unexpected(end.error());
  drop_log(draft);
  std::vector<Entry> entries;
  auto journal = read_through(draft + "/journal.db", "");
  if (!journal) return std::unexpected(journal.error());
  journal->name = "journal.db";
  entries.push_back(std::move(*journal));

  struct Extra {
    bool wanted;
    std::string from, name;
  };
  for (const Extra& extra :
       {Extra{true, settings.state + "/quarantine", "quarantine"},
        Extra{!settings.config_file.empty(), settings.config_file, "tenbin.toml"},
        Extra{settings.token, settings.state + "/admin.token", "admin.token"}}) {
    if (!extra.wanted) continue;
    if (auto taken = take_file(extra.from, draft, extra.name, entries); !taken)
      return std::unexpected(taken.error());
  }
  if (settings.outputs) {
    if (auto taken = take_tree(settings.state + "/output", draft, "output", entries); !taken)
      return std::unexpected(taken.error());
  }
  if (auto written =
          write_file_durably(draft, std::string(manifest_name), {manifest_text(*end, entries)});
      !written) {
    return std::unexpected(written.error());
  }
  Backup backup{.sequence = end->sequence, .chain = end->chain, .files = entries.size()};
  for (const Entry& entry : entries) backup.bytes += entry.bytes;
  return backup;
}

/// Writes what the first moment after a restore is: nothing runs, and a new epoch.
Result<void> begin_anew(const std::string& folder, World& world, Restored& restored) {
  auto journal = SqliteJournal::open(folder, Access::read_write);
  if (!journal) return std::unexpected(journal.error());
  std::vector<Asked> asked;
  world.jobs.each([&](JobId id, const Job& job) {
    if (!job.active()) return;
    ++restored.attempts_lost;
    asked.push_back({.command = ReportEnd{id, job.attempt, EndKind::lost, 0, world.now}});
  });
  asked.push_back({.command = OpenEpoch{}});
  std::vector<Record> records;
  std::uint64_t sequence = restored.sequence;
  Hash last = restored.found.chain;
  Facts facts;
  for (const Asked& one : asked) {
    facts.clear();
    if (!apply(world, one, world.now, facts)) return failed("a job that ran could not be requeued");
    Record record{.sequence = ++sequence, .at = world.now};
    write_record(record.body, one, facts.events());
    record.hash = last = chain(last, record.sequence, record.at, record.body);
    records.push_back(std::move(record));
  }
  if (const auto broken = broken_promise(world); !broken.empty())
    return failed("after the restore does not hold: " + std::string(broken));
  restored.epoch = world.epoch;
  return (*journal)->append(records, {});
}

Result<Restored> fill_state(const std::string& backup, const Manifest& manifest,
                            const std::string& draft, const Progress& progress) {
  Restored restored{.sequence = manifest.end.sequence, .made = manifest.made};
  for (const Entry& entry : manifest.entries) {
    const std::string to = draft + "/" + entry.name;
    std::error_code trouble;
    fs::create_directories(fs::path(to).parent_path(), trouble);
    if (trouble) return failed(to + ": could not make its folder: " + trouble.message());
    const auto copied = read_through(backup + "/" + entry.name, to);
    if (!copied) return std::unexpected(copied.error());
    if (copied->bytes != entry.bytes || copied->hash != entry.hash) {
      return failed(backup + "/" + entry.name +
                    ": it is not what the manifest says: it was altered or damaged after the "
                    "backup was made; use another backup");
    }
    restored.has_token |= entry.name == "admin.token";
    restored.has_settings |= entry.name == "tenbin.toml";
    restored.has_outputs |= entry.name.starts_with("output/");
  }
  World world;
  {
    auto journal = SqliteJournal::open(draft, Access::read_only);
    if (!journal) return std::unexpected(journal.error());
    auto found = verify(
        **journal,
        [&](std::uint64_t records) {
          if (progress) progress(records, manifest.end.sequence);
        },
        &world);
    if (!found) return failed("the backup's journal does not hold: " + found.error().what);
    restored.found = *found;
  }
  if (restored.found.records != manifest.end.sequence ||
      restored.found.chain != manifest.end.chain) {
    return failed("the backup's journal ends with record " +
                  std::to_string(restored.found.records) + ", and its manifest says " +
                  std::to_string(manifest.end.sequence) + " or another hash; use another backup");
  }
  restored.at = world.now;
  if (auto begun = begin_anew(draft, world, restored); !begun)
    return std::unexpected(begun.error());
  return restored;
}

}  // namespace

Result<Backup> back_up(const BackupSettings& asked, const Progress& progress) {
  BackupSettings settings = asked;
  const auto to = whole_path(settings.to, "folder for the backup");
  if (!to) return std::unexpected(to.error());
  if (auto ready = prepare_state_folder(settings.state, Access::read_only); !ready)
    return std::unexpected(ready.error());
  if (::access((settings.state + "/journal.db").c_str(), F_OK) != 0)
    return failed(settings.state + ": there is no journal.db in it to back up");
  struct stat about{};
  if (::lstat(to->c_str(), &about) == 0) {
    return failed(*to +
                  ": there is something already; name a folder that does not exist yet, for " +
                  "example with the date in it");
  }
  const std::string draft = *to + ".unfinished";
  remove_quietly(draft);  // of a backup that was killed
  if (::mkdir(draft.c_str(), 0700) != 0) return failure(draft, "make the folder");
  auto backup = fill_backup(settings, draft, progress);
  if (!backup) {
    remove_quietly(draft);
    return backup;
  }
  const std::string parent = fs::path(*to).parent_path().string();
  if (auto synced = sync_folder(draft); !synced) return std::unexpected(synced.error());
  if (::rename(draft.c_str(), to->c_str()) != 0) return failure(*to, "put it in place");
  if (auto synced = sync_folder(parent); !synced) return std::unexpected(synced.error());
  return backup;
}

Result<Restored> restore(const std::string& backup, const std::string& state,
                         const Progress& progress) {
  const auto to = whole_path(state, "state folder");
  if (!to) return std::unexpected(to.error());
  const auto manifest = read_manifest(backup);
  if (!manifest) return std::unexpected(manifest.error());
  struct stat about{};
  const bool there = ::lstat(to->c_str(), &about) == 0;
  std::error_code trouble;
  if (there && (!S_ISDIR(about.st_mode) || !fs::is_empty(*to, trouble) || trouble)) {
    return failed(
        *to +
        ": the folder is not empty; a backup is restored into a new or empty folder only, "
        "so that nothing is mixed or lost. Move it away, or name another one");
  }
  const std::string parent = fs::path(*to).parent_path().string();
  fs::create_directories(parent, trouble);
  const std::string draft = *to + ".restoring";
  remove_quietly(draft);
  if (::mkdir(draft.c_str(), 0700) != 0) return failure(draft, "make the folder");
  auto restored = fill_state(backup, *manifest, draft, progress);
  if (!restored) {
    remove_quietly(draft);
    return restored;
  }
  if (auto synced = sync_folder(draft); !synced) return std::unexpected(synced.error());
  if (there && ::rmdir(to->c_str()) != 0) return failure(*to, "replace the empty folder");
  if (::rename(draft.c_str(), to->c_str()) != 0) return failure(*to, "put it in place");
  if (auto synced = sync_folder(parent); !synced) return std::unexpected(synced.error());
  return restored;
}

}  // namespace tenbin::operate
