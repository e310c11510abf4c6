#include "base/nearest.h"

#include <algorithm>
#include <vector>

namespace tenbin {

int edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the usual table are enough to see swaps.
  std::vector<int> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

std::string nearest(std::string_view word, std::span<const std::string_view> names) {
  constexpr int distance_max = 2;
  std::string_view best;
  int best_distance = distance_max + 1;
  for (const std::string_view name : names) {
    // Half of a short word is another word; no name is as long as what somebody may send.
    const int distance = edit_distance(word.substr(0, 64), name);
    if (distance < best_distance && distance < static_cast<int>(word.size())) {
      best = name;
      best_distance = distance;
    }
  }
  return std::string(best);
}

}  // namespace tenbin
