#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "core/events.h"

namespace tenbin {

/// What decisions say: events in order, with an arena for their texts and lists. The loop owns one
/// and uses it again, so that a decision allocates nothing (a fresh vector for each was measured at
/// 2.5 times the instructions of the whole). Events stay valid until `clear`.
class Facts {
 public:
  template <class E>
  void add(const E& event) {
    events_.emplace_back(event);
    ++size_;
  }
  /// The same for what `make` returns, built where it will lie: a copy of a large event waits for
  /// the fields that were just written. `make` adds no event itself.
  template <std::invocable Make>
  void add(const Make& make) {
    using E = std::invoke_result_t<const Make&>;
    struct Built {
      const Make& make;
      operator E() const { return make(); }
    };
    events_.emplace_back(std::in_place_type<E>, Built{make});
    ++size_;
  }
  Text text(Text t) { return arena_.text(t); }
  template <class T>
  std::span<const T> list(std::span<const T> items) {
    return arena_.list(items);
  }
  template <class T>
  std::span<T> make(std::size_t count) {
    return arena_.make<T>(count);
  }
  Arena& arena() { return arena_; }

  const std::vector<Event>& events() const { return events_; }
  std::size_t size() const { return size_; }
  const Event& operator[](std::size_t i) const { return events_[i]; }
  /// Takes back the events from `size` on: a decision that ends in a refusal leaves none.
  void shrink(std::size_t size) {
    if (size == size_) return;
    events_.erase(events_.begin() + static_cast<std::ptrdiff_t>(size), events_.end());
    size_ = size;
  }
  void clear() {
    events_.clear();
    size_ = 0;
    arena_.clear();
  }

 private:
  std::vector<Event> events_;
  std::size_t size_ = 0;  // of events_, which would have to divide for it
  Arena arena_;
};

}  // namespace tenbin
