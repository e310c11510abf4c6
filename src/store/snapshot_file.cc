#include "store/snapshot_file.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>
#include <vector>

#include "store/state_folder.h"

namespace tenbin {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view magic = "TNBSNAP1";
constexpr std::string_view ending = ".snapshot";
constexpr std::string_view draft_ending = ".snapshot.tmp";
constexpr std::size_t digits = 20;  // of the largest 64-bit number
constexpr std::size_t kept = 2;

constexpr std::size_t sequence_at = 8;
constexpr std::size_t chain_at = 16;
constexpr std::size_t length_at = 48;
constexpr std::size_t hash_at = 56;
static_assert(hash_at + sizeof(Hash) == snapshot_header_bytes);

void put(char* at, std::uint64_t value) {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t get(const char* at) {
  std::uint64_t value = 0;
  for (int i = 0; i < 8; ++i) {
    value |= std::uint64_t{static_cast<std::uint8_t>(at[i])} << (8 * i);
  }
  return value;
}

Hash hash_of(std::string_view head, std::string_view bytes) {
  Hash hash;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, hash.bytes.size());
  for (const std::string_view part : {head, bytes}) {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(part.data()),
                              part.size());
  }
  crypto_generichash_final(&state, hash.bytes.data(), hash.bytes.size());
  return hash;
}

std::string file_name(std::uint64_t sequence) {
  std::string number = std::to_string(sequence);
  number.insert(0, digits - number.size(), '0');
  return number + std::string(ending);
}

bool is_snapshot_name(std::string_view name) {
  return name.size() == digits + ending.size() && name.ends_with(ending) &&
         std::ranges::all_of(name.substr(0, digits), [](char c) { return c >= '0' && c <= '9'; });
}

/// Names as they should be, newest first; names in 20 digits sort as their numbers do.
Result<std::vector<std::string>> names_in(const std::string& folder,
                                          bool (*wanted)(std::string_view)) {
  std::vector<std::string> names;
  std::error_code trouble;
  for (fs::directory_iterator entry(folder, trouble), end; !trouble && entry != end;
       entry.increment(trouble)) {
    std::string name = entry->path().filename().string();
    if (wanted(name)) names.push_back(std::move(name));
  }
  if (trouble == std::errc::no_such_file_or_directory) return names;
  if (trouble) return failed(folder + ": could not list the snapshots: " + trouble.message());
  std::ranges::sort(names, std::greater{});
  return names;
}

}  // namespace

std::array<char, snapshot_header_bytes> snapshot_header(const Snapshot& snapshot) {
  std::array<char, snapshot_header_bytes> header{};
  std::memcpy(header.data(), magic.data(), magic.size());
  put(header.data() + sequence_at, snapshot.sequence);
  std::memcpy(header.data() + chain_at, snapshot.chain.bytes.data(), sizeof(Hash));
  put(header.data() + length_at, snapshot.bytes.size());
  const Hash hash = hash_of({header.data(), hash_at}, snapshot.bytes);
  std::memcpy(header.data() + hash_at, hash.bytes.data(), sizeof(Hash));
  return header;
}

Result<Snapshot> parse_snapshot(std::string_view file) {
  if (file.size() < snapshot_header_bytes) return failed("it is shorter than a header");
  if (!file.starts_with(magic)) return failed("it does not begin as a snapshot does");
  const std::string_view bytes = file.substr(snapshot_header_bytes);
  const std::uint64_t length = get(file.data() + length_at);
  if (length != bytes.size()) {
    return failed("it should hold " + std::to_string(length) + " bytes and holds " +
                  std::to_string(bytes.size()));
  }
  const Hash hash = hash_of(file.substr(0, hash_at), bytes);
  if (std::memcmp(hash.bytes.data(), file.data() + hash_at, sizeof(Hash)) != 0) {
    return failed("its bytes do not match its hash");
  }
  Snapshot snapshot;
  snapshot.sequence = get(file.data() + sequence_at);
  std::memcpy(snapshot.chain.bytes.data(), file.data() + chain_at, sizeof(Hash));
  snapshot.bytes = bytes;
  return snapshot;
}

Result<void> save_snapshot_file(const std::string& folder, const Snapshot& snapshot) {
  const auto header = snapshot_header(snapshot);
  auto written =
      write_file_durably(folder, file_name(snapshot.sequence),
                         {std::string_view(header.data(), header.size()), snapshot.bytes});
  if (!written) return written;

  auto names = names_in(folder, is_snapshot_name);
  if (!names) return std::unexpected(names.error());
  for (std::size_t i = kept; i < names->size(); ++i) {
    std::error_code trouble;
    fs::remove(folder + "/" + (*names)[i], trouble);
    if (trouble) {
      return failed(folder + "/" + (*names)[i] +
                    ": could not remove an old snapshot: " + trouble.message());
    }
  }
  return {};
}

Result<std::optional<Snapshot>> newest_snapshot_file(const std::string& folder, const Log& log) {
  auto names = names_in(folder, is_snapshot_name);
  if (!names) return std::unexpected(names.error());
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    const Result<std::string> file = read_file(path);
    Result<Snapshot> snapshot = file ? parse_snapshot(*file) : std::unexpected(file.error());
    if (snapshot && file_name(snapshot->sequence) != name) {
      snapshot = failed("its name says another record than its header");
    }
    if (snapshot) return std::optional(std::move(*snapshot));
    const std::string where = file ? path + ": " : "";  // a failed read has said it
    log(LogLevel::warning, "snapshot_passed_over",
        "passing over a snapshot: " + where + snapshot.error().what);
  }
  return std::nullopt;
}

Result<void> sweep_snapshot_drafts(const std::string& folder) {
  auto drafts =
      names_in(folder, [](std::string_view name) { return name.ends_with(draft_ending); });
  if (!drafts) return std::unexpected(drafts.error());
  for (const std::string& name : *drafts) {
    std::error_code trouble;
    fs::remove(folder + "/" + name, trouble);
    if (trouble) return failed(folder + "/" + name + ": could not remove it: " + trouble.message());
  }
  return {};
}

}  // namespace tenbin
