#include "twin/traces/rows.h"

#include <algorithm>
#include <cstring>

#include "base/digest.h"
#include "base/utf8.h"

namespace tenbin::traces {

namespace {

constexpr std::size_t names_max = 4'000'000;
constexpr std::size_t name_bytes = 256;
constexpr std::size_t line_max = 1 << 20;

}  // namespace

std::uint64_t hash_of_name(std::string_view text) {
  Digest digest;
  digest.add(text);
  return digest.value() | 1;
}

std::uint32_t Interned::of(std::string_view text, std::vector<std::string>& names) {
  if (last_ != none && names[last_] == text) return last_;
  if (names.size() * 2 >= slots_.size()) grow(names);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash_of_name(text) >> 7 & mask;
  for (; slots_[at] != 0; at = (at + 1) & mask) {
    if (names[slots_[at] - 1] == text) return last_ = slots_[at] - 1;
  }
  if (names.size() >= names_max) return too_many;
  if (text.size() > name_bytes) return too_long;
  if (!valid_utf8(text)) return not_text;
  names.emplace_back(text);
  slots_[at] = static_cast<std::uint32_t>(names.size());
  return last_ = slots_[at] - 1;
}

void Interned::grow(const std::vector<std::string>& names) {
  slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::size_t at = hash_of_name(names[i]) >> 7 & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

bool Rows::name(std::string_view named, Interned& known, std::vector<std::string>& into,
                std::uint32_t& index) {
  if (named.empty()) named = "-";
  index = known.of(named, into);
  switch (index) {
    case Interned::too_many: fault = TraceFault::too_many_names; return false;
    case Interned::too_long: fault = TraceFault::not_understood; return false;
    case Interned::not_text: fault = TraceFault::encoding; return false;
    default: return true;
  }
}

void Rows::own_owner(TraceJob& job) {
  while (names.owners.size() <= job.user) names.owners.push_back(names.users[names.owners.size()]);
  job.owner = job.user;
}

bool Rows::model(std::string_view named, TraceJob& job) {
  std::uint32_t index = 0;
  if (!name(named, models_, names.models, index)) return false;
  if (index >= 64) {
    fault = TraceFault::too_many_names;
    return false;
  }
  job.models |= std::uint64_t{1} << index;
  return true;
}

Result<bool> Lines::next(std::string_view& line) {
  window_.consume(shown_);
  shown_ = 0;
  too_long = false;
  std::size_t searched = 0;
  std::string_view view;
  const char* end = nullptr;
  while (true) {
    view = window_.view();
    if (view.size() > searched) {
      end = static_cast<const char*>(
          std::memchr(view.data() + searched, '\n', view.size() - searched));
      if (end) break;
    }
    if (view.size() > line_max) {
      // Only its beginning is kept.
      too_long = true;
      window_.consume(view.size() - 1'024);
      view = window_.view();
    }
    searched = view.size();
    const auto any = window_.more();
    if (!any) return std::unexpected(any.error());
    if (!*any) {
      view = window_.view();
      break;
    }
  }
  if (view.empty()) return false;
  ++number;
  shown_ = end ? static_cast<std::size_t>(end - view.data()) + 1 : view.size();
  line = view.substr(0, end ? shown_ - 1 : shown_);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() > line_max) too_long = true;
  return true;
}

void split(std::string_view line, std::vector<std::string_view>& fields, std::string& unquoted) {
  fields.clear();
  if (line.find('"') == std::string_view::npos) {
    while (true) {
      const std::size_t comma = line.find(',');
      fields.push_back(line.substr(0, comma));
      if (comma == std::string_view::npos) return;
      line.remove_prefix(comma + 1);
    }
  }
  // With quotes, the columns are put together anew; what is quoted may hold commas and "".
  unquoted.clear();
  unquoted.reserve(line.size());  // the views point into it
  std::size_t begin = 0;
  bool inside = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') {
      if (inside && i + 1 < line.size() && line[i + 1] == '"') {
        unquoted += '"';
        ++i;
      } else {
        inside = !inside;
      }
    } else if (line[i] == ',' && !inside) {
      fields.emplace_back(unquoted.data() + begin, unquoted.size() - begin);
      begin = unquoted.size();
    } else {
      unquoted += line[i];
    }
  }
  fields.emplace_back(unquoted.data() + begin, unquoted.size() - begin);
}

}  // namespace tenbin::traces
