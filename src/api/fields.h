#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/problem.h"
#include "base/arena.h"
#include "codec/json.h"
#include "core/types.h"

namespace tenbin {

enum class Need : std::uint8_t { required, optional };

/// Reads the members of one JSON object strictly: each getter takes one field, the first that is
/// not as it must be is kept as the complaint, and `finish` complains about fields nobody took.
/// Texts are put into the arena, so that they outlive the document.
class Fields {
 public:
  Fields(JsonValue object, Arena& arena, std::string prefix = {});

  Text text(std::string_view name, Need need = Need::required);
  std::int64_t integer(std::string_view name, std::int64_t least, std::int64_t most,
                       std::int64_t otherwise, Need need = Need::optional);
  /// A decimal text or a whole number, in units of 10^-decimals.
  std::int64_t decimal(std::string_view name, unsigned decimals, std::int64_t otherwise,
                       Need need = Need::required);
  Instant instant(std::string_view name, Instant otherwise, Need need = Need::required);
  Money money(std::string_view name);
  std::span<const Text> texts(std::string_view name);  // optional list
  template <class Enum>
  Enum choice(std::string_view name, Enum otherwise) {
    const Text word = text(name, Need::optional);
    if (word.empty()) return otherwise;
    std::string list;
    const auto names = enum_names(Enum{});
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == word) return static_cast<Enum>(i);
      list += (i ? ", " : "") + std::string(names[i]);
    }
    complain(name, "expected one of " + list, list + " のいずれかを指定してください");
    return otherwise;
  }
  bool flag(std::string_view name);                    // false if it is not there
  JsonValue object(std::string_view name, Need need);  // any value, for others to read
  bool has(std::string_view name) const {
    return object_[name].exists() && !object_[name].is_null();
  }

  void complain(std::string_view name, std::string_view english, std::string_view japanese);
  void complain(Complaint complaint) {
    if (!complaint_) complaint_ = std::move(complaint);
  }
  /// All fields were taken: what is wrong, if anything.
  std::optional<Complaint> finish();

 private:
  JsonValue take(std::string_view name, Need need);

  JsonValue object_;
  Arena& arena_;
  std::string prefix_;
  std::set<std::string, std::less<>> taken_;
  std::optional<Complaint> complaint_;
};

}  // namespace tenbin
