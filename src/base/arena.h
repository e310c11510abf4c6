#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace tenbin {

/// A place for the variable parts of plain values (texts, lists): what is put here stays where it
/// is until `clear`, which keeps the memory for the next use.
class Arena {
 public:
  std::string_view text(std::string_view t) {
    if (t.empty()) return {};
    char* bytes = static_cast<char*>(take(t.size(), 1));
    std::memcpy(bytes, t.data(), t.size());
    return {bytes, t.size()};
  }

  template <class T>
  std::span<T> make(std::size_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (count == 0) return {};
    T* items = static_cast<T*>(take(count * sizeof(T), alignof(T)));
    for (std::size_t i = 0; i < count; ++i) new (&items[i]) T{};
    return {items, count};
  }

  template <class T>
  std::span<const T> list(std::span<const T> items) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (items.empty()) return {};
    T* copy = static_cast<T*>(take(items.size_bytes(), alignof(T)));
    if (items.size() == 1) {
      new (copy) T(items[0]);  // the usual case, without a call
    } else {
      std::memcpy(static_cast<void*>(copy), items.data(), items.size_bytes());
    }
    return {copy, items.size()};
  }

  void clear() {
    if (chunks_.size() > 1) {
      chunks_.resize(1);
      end_ = chunks_[0].bytes.get() + chunks_[0].size;
    }
    if (!chunks_.empty()) next_ = chunks_[0].bytes.get();
  }

 private:
  static constexpr std::size_t chunk_bytes = 16 * 1024;
  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
  };

  void* take(std::size_t bytes, std::size_t align) {
    const auto at = (reinterpret_cast<std::uintptr_t>(next_) + align - 1) & ~(align - 1);
    if (bytes > reinterpret_cast<std::uintptr_t>(end_) - at ||
        at > reinterpret_cast<std::uintptr_t>(end_)) {
      return take_from_new_chunk(bytes);
    }
    std::byte* const taken = next_ + (at - reinterpret_cast<std::uintptr_t>(next_));
    next_ = taken + bytes;
    return taken;
  }
  [[gnu::noinline]] void* take_from_new_chunk(std::size_t bytes) {
    const std::size_t size = bytes > chunk_bytes ? bytes : chunk_bytes;
    chunks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
    std::byte* const taken = chunks_.back().bytes.get();
    next_ = taken + bytes;
    end_ = taken + size;
    return taken;
  }

  std::vector<Chunk> chunks_;
  std::byte* next_ = nullptr;  // of the last chunk
  std::byte* end_ = nullptr;
};

}  // namespace tenbin
