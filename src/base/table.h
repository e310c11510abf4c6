#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace tenbin {

/// Rows under dense ascending ids, in pages; a page goes when all its rows have retired, so memory
/// follows the rows that live and not the rows that ever were. Iteration is in id order.
///
/// Cost: add, find, at and retire are a shift, a mask and one load. Copying is a copy of the pages
/// that have living rows. References stay valid until their row retires.
/// (references: a growing vector was measured 25 to 80 % slower for want of locality.)
template <class IdType, class Row>
class Table {
  static constexpr std::uint64_t rows_per_page = 256;
  // A row is built when it opens and destroyed when it retires: between them its memory is nothing.
  struct Page {
    std::array<bool, rows_per_page> live{};
    std::uint32_t count = 0;
    alignas(Row) std::byte memory[rows_per_page * sizeof(Row)];

    Page() {}
    Page(const Page& other) : live(other.live), count(other.count) {
      each([&](std::uint64_t at) { std::construct_at(row(at), *other.row(at)); });
    }
    Page& operator=(const Page&) = delete;
    ~Page() {
      if (count > 0) each([&](std::uint64_t at) { std::destroy_at(row(at)); });
    }
    Row* row(std::uint64_t at) { return reinterpret_cast<Row*>(memory) + at; }
    const Row* row(std::uint64_t at) const { return reinterpret_cast<const Row*>(memory) + at; }
    template <class Visit>
    void each(Visit&& visit) const {
      std::uint32_t left = count;
      for (std::uint64_t at = 0; left > 0; ++at) {
        if (!live[at]) continue;
        --left;
        visit(at);
      }
    }
  };

 public:
  using id_type = IdType;
  using row_type = Row;

  Table() = default;
  Table(Table&&) noexcept = default;
  Table& operator=(Table&&) noexcept = default;
  Table(const Table& other)
      : next_(other.next_), size_(other.size_), first_(other.first_), covered_(other.covered_) {
    pages_.reserve(other.pages_.size());
    for (const auto& page : other.pages_) {
      pages_.push_back(page ? std::make_unique<Page>(*page) : nullptr);
    }
  }
  Table& operator=(const Table& other) {
    if (this != &other) *this = Table(other);
    return *this;
  }

  /// The id that the next `add` will give.
  IdType next_id() const { return IdType{next_}; }
  std::uint64_t size() const { return size_; }

  IdType add(Row row) {
    const std::uint64_t id = next_;
    insert(IdType{id}, std::move(row));
    return IdType{id};
  }

  /// Adds a row under an id at or above next_id(), for rebuilding a table that has gaps.
  void insert(IdType id, Row row) { std::construct_at(place(id), std::move(row)); }

  /// Adds a blank row under an id at or above next_id(), to be filled where it lies.
  Row& open(IdType id) { return *std::construct_at(place(id)); }

  /// Adds a blank row under an id that `skip_to` passed over, above the lowest living row.
  Row& open_reserved(IdType id) {
    TENBIN_ASSERT(id.value < next_ && !pages_.empty() && id.value >= first_ && !find(id));
    const std::uint64_t next = std::exchange(next_, id.value);
    Row* row = std::construct_at(place(id));
    next_ = next;
    return *row;
  }

  /// Ids below `next` will never be given (again).
  void skip_to(IdType next) {
    TENBIN_ASSERT(next.value >= next_);
    next_ = next.value;
  }

  Row* find(IdType id) { return const_cast<Row*>(std::as_const(*this).find(id)); }
  const Row* find(IdType id) const {
    const std::uint64_t offset = id.value - first_;  // of an id before the first: beyond the last
    if (offset >= covered_) return nullptr;
    const Page* page = pages_[offset / rows_per_page].get();
    const std::uint64_t at = id.value % rows_per_page;
    if (!page || !page->live[at]) return nullptr;
    return page->row(at);
  }
  Row& at(IdType id) {
    Row* row = find(id);
    TENBIN_ASSERT(row != nullptr);
    return *row;
  }
  const Row& at(IdType id) const {
    const Row* row = find(id);
    TENBIN_ASSERT(row != nullptr);
    return *row;
  }

  void retire(IdType id) {
    std::destroy_at(&at(id));
    const std::uint64_t number = (id.value - first_) / rows_per_page;
    std::unique_ptr<Page>& page = pages_[number];
    page->live[id.value % rows_per_page] = false;
    --size_;
    if (--page->count > 0 || next_ / rows_per_page == id.value / rows_per_page) return;
    spare_ = std::move(page);
    drop_leading_pages();
  }

  /// Calls `visit(id, row)` for every living row in id order.
  template <class Visit>
  void each(Visit&& visit) const {
    for (std::size_t p = 0; p < pages_.size(); ++p) {
      if (!pages_[p]) continue;
      const Page& page = *pages_[p];
      page.each(
          [&](std::uint64_t at) { visit(IdType{first_ + p * rows_per_page + at}, *page.row(at)); });
    }
  }

  /// Calls `visit(id, row)` for the living rows with an id of at least `from`, in id order, until
  /// it returns false. Cost: the places in the pages passed, and one look for each that has gone.
  template <class Visit>
  void walk_up(IdType from, Visit&& visit) const {
    const std::uint64_t top = std::min(next_, first_ + covered_);
    for (std::uint64_t id = std::max(from.value, first_); id < top;) {
      const Page* page = pages_[(id - first_) / rows_per_page].get();
      const std::uint64_t end = id - id % rows_per_page + rows_per_page;
      for (; page && id < end; ++id) {
        const std::uint64_t at = id % rows_per_page;
        if (page->live[at] && !visit(IdType{id}, *page->row(at))) return;
      }
      id = end;
    }
  }
  /// The same for ids below `before`, from the largest down.
  template <class Visit>
  void walk_down(IdType before, Visit&& visit) const {
    const std::uint64_t top = std::min(before.value, std::min(next_, first_ + covered_));
    for (std::uint64_t id = top; id > first_;) {
      const Page* page = pages_[(id - 1 - first_) / rows_per_page].get();
      const std::uint64_t begin = (id - 1) - (id - 1) % rows_per_page;
      for (; page && id > begin; --id) {
        const std::uint64_t at = (id - 1) % rows_per_page;
        if (page->live[at] && !visit(IdType{id - 1}, *page->row(at))) return;
      }
      id = begin;
    }
  }

  /// Bytes that the table holds on the heap, rows' own heap blocks not counted.
  std::size_t bytes() const {
    std::size_t pages = spare_ ? 1 : 0;
    for (const auto& page : pages_) pages += page ? 1 : 0;
    return pages * sizeof(Page) + pages_.capacity() * sizeof(pages_[0]);
  }

 private:
  // Where the row of a new id at or above next_id() is to be built.
  Row* place(IdType id) {
    TENBIN_ASSERT(id.value >= next_);
    if (pages_.empty()) first_ = id.value - id.value % rows_per_page;
    for (; id.value - first_ >= covered_; covered_ += rows_per_page) pages_.push_back(nullptr);
    std::unique_ptr<Page>& page = pages_[(id.value - first_) / rows_per_page];
    if (!page) page = spare_ ? std::move(spare_) : std::make_unique<Page>();
    const std::uint64_t at = id.value % rows_per_page;
    page->live[at] = true;
    ++page->count;
    ++size_;
    next_ = id.value + 1;
    return page->row(at);
  }

  void drop_leading_pages() {
    std::size_t empty = 0;
    while (empty < pages_.size() && !pages_[empty]) ++empty;
    // Erasing a prefix moves the rest: wait until that is worth it.
    if (empty < pages_.size() && empty < 64) return;
    pages_.erase(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(empty));
    first_ += empty * rows_per_page;
    covered_ -= empty * rows_per_page;
  }

  std::vector<std::unique_ptr<Page>> pages_;
  std::unique_ptr<Page> spare_;  // the page freed last, so that a steady flow allocates nothing
  std::uint64_t next_ = 1;
  std::uint64_t size_ = 0;
  std::uint64_t first_ = 0;    // id of the first page's first row, living or not
  std::uint64_t covered_ = 0;  // ids from there on that the pages cover
};

}  // namespace tenbin
