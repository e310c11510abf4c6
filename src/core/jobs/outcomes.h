#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/types.h"

namespace tenbin {

/// How jobs ended lately, for those that are to come after them: four bytes for each, in pages of
/// 1,024 ids. A page goes when nothing was added to it for as long as `forget` says.
///
/// Cost: add and find are a shift and two loads.
class Outcomes {
 public:
  static constexpr std::uint64_t ids_per_page = 1'024;
  static constexpr std::uint32_t project_max = UINT32_MAX >> 1;
  struct Page {
    Instant last;                                     // when something was added last
    std::array<std::uint32_t, ids_per_page> ended{};  // 0: not known; project * 2 + completed
  };
  struct Known {
    ProjectId project;
    bool ok = false;
  };

  Outcomes() = default;
  Outcomes(Outcomes&&) noexcept = default;
  Outcomes& operator=(Outcomes&&) noexcept = default;
  Outcomes(const Outcomes& other);
  Outcomes& operator=(const Outcomes& other);

  std::optional<Known> find(JobId job) const;
  void add(JobId job, ProjectId project, bool ok, Instant at);
  /// Drops the pages to which nothing was added since `before`, if that was not done for an hour.
  /// True if it was done now.
  bool forget(Instant before);

  /// Calls `visit(number, page)` for every page in order of ids; page n is of the ids from n *
  /// ids_per_page on.
  template <class Visit>
  void each(Visit&& visit) const {
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      if (pages_[i]) visit(first_ + i, *pages_[i]);
    }
  }
  /// The page of that number, made if it is not there.
  Page& open(std::uint64_t number);
  Instant swept() const { return swept_; }
  void set_swept(Instant at) { swept_ = at; }

 private:
  std::vector<std::unique_ptr<Page>> pages_;
  std::uint64_t first_ = 0;  // number of the first page
  Instant swept_;            // what `forget` was last told
};

}  // namespace tenbin
