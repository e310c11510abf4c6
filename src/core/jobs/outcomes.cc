#include "core/jobs/outcomes.h"

#include <algorithm>

#include "base/assert.h"

namespace tenbin {

namespace {

constexpr Span sweep_every{3'600'000};

}  // namespace

Outcomes::Outcomes(const Outcomes& other) : first_(other.first_), swept_(other.swept_) {
  pages_.reserve(other.pages_.size());
  for (const auto& page : other.pages_)
    pages_.push_back(page ? std::make_unique<Page>(*page) : nullptr);
}

Outcomes& Outcomes::operator=(const Outcomes& other) {
  if (this != &other) *this = Outcomes(other);
  return *this;
}

std::optional<Outcomes::Known> Outcomes::find(JobId job) const {
  const std::uint64_t number = job.value / ids_per_page;
  if (number < first_ || number - first_ >= pages_.size()) return std::nullopt;
  const Page* page = pages_[number - first_].get();
  const std::uint32_t ended = page ? page->ended[job.value % ids_per_page] : 0;
  if (ended == 0) return std::nullopt;
  return Known{ProjectId{ended >> 1}, (ended & 1) != 0};
}

void Outcomes::add(JobId job, ProjectId project, bool ok, Instant at) {
  TENBIN_ASSERT(project.value <= project_max);
  Page& page = open(job.value / ids_per_page);
  page.last = at;
  page.ended[job.value % ids_per_page] =
      static_cast<std::uint32_t>(project.value) << 1 | (ok ? 1u : 0u);
}

Outcomes::Page& Outcomes::open(std::uint64_t number) {
  if (pages_.empty()) first_ = number;
  if (number < first_) {  // a job that lived longer than all that was known of others
    std::vector<std::unique_ptr<Page>> more(first_ - number);
    pages_.insert(pages_.begin(), std::make_move_iterator(more.begin()),
                  std::make_move_iterator(more.end()));
    first_ = number;
  }
  if (number - first_ >= pages_.size()) pages_.resize(number - first_ + 1);
  std::unique_ptr<Page>& page = pages_[number - first_];
  if (!page) page = std::make_unique<Page>();
  return *page;
}

bool Outcomes::forget(Instant before) {
  if (before - swept_ < sweep_every) return false;
  swept_ = before;
  for (auto& page : pages_) {
    if (page && page->last < before) page = nullptr;
  }
  const auto there = [](const std::unique_ptr<Page>& page) { return page != nullptr; };
  const auto first = std::ranges::find_if(pages_, there);
  first_ += static_cast<std::uint64_t>(first - pages_.begin());
  pages_.erase(pages_.begin(), first);
  return true;
}

}  // namespace tenbin
