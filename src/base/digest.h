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

  constexpr void add(std::uint64_t word) { add(0, word); }
  /// Two words at the price of one.
  constexpr void add(std::uint64_t a, std::uint64_t b) {
    state_ = fold(state_ ^ a ^ 0xA0761D6478BD642Fu, b ^ 0xE7037ED1A0B428DBu);
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

/// The same for values of many small fields: words go in two at a time. Before and after whatever
/// has a length of its own stands `align`, which lets an odd word in alone; so the compiler knows
/// for every field which half it is, and nothing but the multiplications is left.
class PairedDigest {
 public:
  constexpr explicit PairedDigest(std::uint64_t start) : digest_(start) {}

  [[gnu::always_inline]] constexpr void add(std::uint64_t word) {
    if (half_) {
      digest_.add(first_, word);
    } else {
      first_ = word;
    }
    half_ = !half_;
  }
  [[gnu::always_inline]] constexpr void align() {
    if (half_) digest_.add(first_);
    half_ = false;
  }
  [[gnu::always_inline]] void add(std::string_view text) {
    align();
    digest_.add(std::uint64_t{text.size()});
    if (!text.empty()) digest_ = Digest{after(digest_.value(), text)};
  }
  constexpr std::uint64_t value() {
    align();
    return digest_.value();
  }

 private:
  [[gnu::noinline]] static std::uint64_t after(std::uint64_t state, std::string_view text) {
    Digest digest{state};
    digest.add(text);
    return digest.value();
  }

  Digest digest_;
  std::uint64_t first_ = 0;
  bool half_ = false;
};

}  // namespace tenbin
