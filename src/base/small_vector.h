#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <type_traits>

#include "base/assert.h"

namespace tenbin {

/// A list of plain values of which the first `N` lie inside it: most jobs have one place and one
/// paying lot, and a heap block for each would cost more than the rest of the row.
template <class T, std::uint32_t N>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  using value_type = T;

  SmallVector() = default;
  explicit SmallVector(std::span<const T> items) { assign(items); }
  SmallVector(const SmallVector& other) { assign(other.span()); }
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(const SmallVector& other) {
    if (this != &other) assign(other.span());
    return *this;
  }
  SmallVector& operator=(SmallVector&& other) noexcept {
    if (this != &other) {
      drop();
      take(other);
    }
    return *this;
  }
  ~SmallVector() { drop(); }

  void assign(std::span<const T> items) {
    clear();
    reserve(static_cast<std::uint32_t>(items.size()));
    size_ = static_cast<std::uint32_t>(items.size());
    if (size_ == 1) {
      data()[0] = items[0];  // the usual case, without a call
    } else if (size_ > 1) {
      std::memcpy(static_cast<void*>(data()), items.data(), items.size_bytes());
    }
  }
  void push_back(const T& item) {
    const T copy = item;
    if (size_ == capacity_) reserve(size_ + 1);
    data()[size_++] = copy;
  }
  void pop_back() {
    TENBIN_ASSERT(size_ > 0);
    --size_;
  }
  void clear() { size_ = 0; }

  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return capacity_ > N ? heap_ : reinterpret_cast<T*>(inline_); }
  const T* data() const { return capacity_ > N ? heap_ : reinterpret_cast<const T*>(inline_); }
  T& operator[](std::uint32_t i) { return data()[i]; }
  const T& operator[](std::uint32_t i) const { return data()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T& back() { return data()[size_ - 1]; }
  std::span<const T> span() const { return {data(), size_}; }

  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    return std::ranges::equal(a.span(), b.span());
  }

 private:
  void reserve(std::uint32_t wanted) {
    if (wanted <= capacity_) return;
    const std::uint32_t capacity = std::max(wanted, capacity_ * 2);
    T* heap = static_cast<T*>(std::malloc(capacity * sizeof(T)));
    TENBIN_ASSERT(heap != nullptr);
    if (size_ > 0) std::memcpy(static_cast<void*>(heap), data(), size_ * sizeof(T));
    if (capacity_ > N) std::free(heap_);
    heap_ = heap;
    capacity_ = capacity;
  }
  void take(SmallVector& other) {
    size_ = other.size_;
    capacity_ = other.capacity_;
    if (other.capacity_ > N) {
      heap_ = other.heap_;
    } else {
      std::memcpy(inline_, other.inline_,
                  sizeof(inline_));  // all of it: a known size needs no call
    }
    other.size_ = 0;
    other.capacity_ = N;
  }
  void drop() {
    if (capacity_ > N) std::free(heap_);
    size_ = 0;
    capacity_ = N;
  }

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = N;
  union {
    alignas(T) std::byte inline_[N * sizeof(T)];
    T* heap_;
  };
};

}  // namespace tenbin
