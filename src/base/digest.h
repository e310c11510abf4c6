#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tenbin {

/// A running 64-bit digest for telling two histories apart: a 64x64->128 multiply-and-fold for each
/// word (as wyhash and mum-hash do). Not cryptographic: the journal's chain is (codec/hash.h).
class Digest {
 public:
  constexpr Digest() = default;
  constexpr explicit Digest(std::uint64_t start) : state_(start) {}

  constexpr void add(std::uint64_t word) {
    state_ = fold(state_ ^ 0xA0761D6478BD642Fu, word ^ 0xE7037ED1A0B428DBu);
  }
  void add(std::string_view text) {
    add(text.size());
    while (text.size() >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data(), 8);
      add(word);
      text.remove_prefix(8);
    }
    std::uint64_t tail = 0;
    if (!text.empty()) std::memcpy(&tail, text.data(), text.size());
    add(tail);
  }
  constexpr std::uint64_t value() const { return state_; }

 private:
  static constexpr std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
    __extension__ using U = unsigned __int128;
    const U product = U{a} * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }

  std::uint64_t state_ = 0x2D358DCCAA6C78A5u;
};

}  // namespace tenbin
