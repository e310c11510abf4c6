#include "codec/index_list.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace tenbin {

namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<std::vector<IndexList::Range>> IndexList::ranges_of(std::string_view text) {
  const std::string whole(text.substr(0, 100));
  const auto wrong = [&] {
    return failed("expected indexes such as 0-9, 1,3,5-9:2, not \"" + whole + "\"");
  };
  if (text.empty()) return wrong();
  if (text.size() > bytes_max) return failed("the list of indexes is longer than 64 KiB");
  std::vector<Range> ranges;
  std::uint64_t count = 0;
  for (;;) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    const std::size_t dash = part.find('-');
    Range range;
    if (dash == std::string_view::npos) {
      const auto n = number(part);
      if (!n) return wrong();
      range.first = range.last = *n;
    } else {
      std::string_view last = part.substr(dash + 1);
      const std::size_t colon = last.find(':');
      const auto from = number(part.substr(0, dash)), to = number(last.substr(0, colon)),
                 step = colon == std::string_view::npos ? std::optional(1U)
                                                        : number(last.substr(colon + 1));
      if (!from || !to || !step || *step == 0) return wrong();
      if (*to < *from) {
        return failed("the range " + std::string(part) + " ends before it begins");
      }
      range = {.first = *from, .last = *from + (*to - *from) / *step * *step, .step = *step};
      if (range.first == range.last) range.step = 1;
    }
    if (range.last > index_max) {
      return failed("an index may be at most " + std::to_string(index_max));
    }
    count += range.count();
    if (count > count_max) {
      return failed("an array may have at most " + std::to_string(count_max) + " tasks");
    }
    ranges.push_back(range);
    if (comma == std::string_view::npos) return ranges;
    text.remove_prefix(comma + 1);
  }
}

Result<IndexList> IndexList::parse(std::string_view text) {
  auto ranges = ranges_of(text);
  if (!ranges) return std::unexpected(ranges.error());
  IndexList list;
  for (const Range& range : *ranges) {
    if (!list.ranges_.empty() && range.first <= list.ranges_.back().last) {
      return failed("indexes must be in ascending order, each once; " +
                    std::to_string(range.first) + " comes after " +
                    std::to_string(list.ranges_.back().last));
    }
    list.ranges_.push_back(range);
    list.count_ += range.count();
  }
  return list;
}

Result<IndexList> IndexList::parse_any_order(std::string_view text) {
  if (auto list = parse(text)) return list;
  const auto ranges = ranges_of(text);
  if (!ranges) return std::unexpected(ranges.error());
  std::vector<std::uint32_t> all;
  for (const Range& range : *ranges) {
    for (std::uint64_t i = range.first; i <= range.last; i += range.step) {
      all.push_back(static_cast<std::uint32_t>(i));
    }
  }
  std::ranges::sort(all);
  const auto repeated = std::ranges::unique(all);
  all.erase(repeated.begin(), repeated.end());
  IndexList list;
  list.count_ = all.size();
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i + 1;  // one behind the run that begins at i
    if (end < all.size()) {
      const std::uint32_t step = all[end] - all[i];
      while (end < all.size() && all[end] - all[end - 1] == step) ++end;
      if (end - i == 2 && step != 1) end = i + 1;
    }
    const std::uint32_t step = end - i > 1 ? all[i + 1] - all[i] : 1;
    list.ranges_.push_back({.first = all[i], .last = all[end - 1], .step = step});
    i = end;
  }
  return list;
}

std::uint32_t IndexList::at(std::uint64_t k) const {
  for (const Range& range : ranges_) {
    if (k < range.count()) return range.first + static_cast<std::uint32_t>(k) * range.step;
    k -= range.count();
  }
  return ranges_.empty() ? 0 : ranges_.back().last;
}

std::string IndexList::text() const {
  std::string out;
  for (const Range& range : ranges_) {
    if (!out.empty()) out += ',';
    out += std::to_string(range.first);
    if (range.first == range.last) continue;
    out += '-' + std::to_string(range.last);
    if (range.step != 1) out += ':' + std::to_string(range.step);
  }
  return out;
}

}  // namespace tenbin
