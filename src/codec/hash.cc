#include "codec/hash.h"

#include <sodium.h>

#include <array>

namespace tenbin {

namespace {

constexpr char digits[] = "0123456789abcdef";

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void absorb(crypto_generichash_state& state, const void* bytes, std::size_t size) {
  crypto_generichash_update(&state, static_cast<const unsigned char*>(bytes), size);
}

std::array<unsigned char, 8> little_endian(std::uint64_t value) {
  std::array<unsigned char, 8> bytes{};
  for (unsigned char& b : bytes) {
    b = static_cast<unsigned char>(value);
    value >>= 8;
  }
  return bytes;
}

}  // namespace

Hash hash_of(std::string_view bytes) {
  Hash hash;
  crypto_generichash(hash.bytes.data(), hash.bytes.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                     0);
  return hash;
}

Hash chain(const Hash& before, std::uint64_t sequence, Instant at, std::string_view body) {
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, sizeof(Hash::bytes));
  absorb(state, before.bytes.data(), before.bytes.size());
  absorb(state, little_endian(sequence).data(), 8);
  absorb(state, little_endian(static_cast<std::uint64_t>(at.ms)).data(), 8);
  absorb(state, body.data(), body.size());
  Hash hash;
  crypto_generichash_final(&state, hash.bytes.data(), hash.bytes.size());
  return hash;
}

std::string to_hex(const Hash& hash) {
  std::string text;
  text.reserve(64);
  for (const std::uint8_t b : hash.bytes) {
    text += digits[b >> 4];
    text += digits[b & 15];
  }
  return text;
}

std::optional<Hash> hash_from_hex(std::string_view hex) {
  Hash hash;
  if (hex.size() != 2 * hash.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.bytes.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return hash;
}

std::string to_uuid(RequestId id) {
  std::string text;
  text.reserve(36);
  for (int i = 0; i < 32; ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) text += '-';
    const std::uint64_t half = i < 16 ? id.high : id.low;
    text += digits[half >> (60 - 4 * (i % 16)) & 15];
  }
  return text;
}

std::optional<RequestId> uuid_from(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  RequestId id;
  int count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
      continue;
    }
    const int d = digit(text[i]);
    if (d < 0) return std::nullopt;
    std::uint64_t& half = count++ < 16 ? id.high : id.low;
    half = half << 4 | static_cast<std::uint64_t>(d);
  }
  return id;
}

}  // namespace tenbin
