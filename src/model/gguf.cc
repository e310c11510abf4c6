#include "model/gguf.h"

#include <bit>

#include "base/assert.h"

namespace tenbin {

namespace {

/// The format's names for what a value is.
enum Type : std::uint8_t { u32 = 4, i32 = 5, f32 = 6, boolean_type = 7, text_type = 8, array = 9 };

template <class Int>
void put(std::string& to, Int value) {
  for (std::size_t byte = 0; byte < sizeof value; ++byte)
    to += static_cast<char>(static_cast<std::uint8_t>(value >> (8 * byte)));
}
void put_text(std::string& to, std::string_view text) {
  put<std::uint64_t>(to, text.size());
  to += text;
}

constexpr std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + GgufFile::alignment - 1) / GgufFile::alignment * GgufFile::alignment;
}

}  // namespace

std::uint16_t half_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u, rest = bits & 0x7FFFFFFFu;
  if (rest > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);   // not a number
  if (rest >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // 65536 and more
  std::uint32_t mantissa = (rest & 0x7FFFFFu) | 0x800000u;
  const int exponent = static_cast<int>(rest >> 23) - 127;
  if (exponent < -25) return static_cast<std::uint16_t>(sign);
  // Of 24 bits 11 stay; below 2^-14 the exponent stays and fewer do.
  const int drop = exponent >= -14 ? 13 : 13 - 14 - exponent;
  const std::uint32_t half_way = 1u << (drop - 1), tail = mantissa & ((1u << drop) - 1);
  mantissa >>= drop;
  if (tail > half_way || (tail == half_way && (mantissa & 1) != 0)) ++mantissa;
  // A carry out of the mantissa belongs into the exponent, which lies just above it.
  const std::uint32_t base =
      exponent >= -14 ? (static_cast<std::uint32_t>(exponent + 15) << 10) - 0x400u : 0u;
  return static_cast<std::uint16_t>(sign | (base + mantissa));
}

void put_half(std::string& to, float value) {
  put<std::uint16_t>(to, half_of(value));
}
void put_float(std::string& to, float value) {
  put<std::uint32_t>(to, std::bit_cast<std::uint32_t>(value));
}

void GgufFile::key(std::string_view name, std::uint32_t type) {
  put_text(values_, name);
  put<std::uint32_t>(values_, type);
  ++value_count_;
}
void GgufFile::text(std::string_view name, std::string_view value) {
  key(name, text_type);
  put_text(values_, value);
}
void GgufFile::number(std::string_view name, std::uint32_t value) {
  key(name, u32);
  put(values_, value);
}
void GgufFile::real(std::string_view name, float value) {
  key(name, f32);
  put_float(values_, value);
}
void GgufFile::boolean(std::string_view name, bool value) {
  key(name, boolean_type);
  values_ += value ? '\1' : '\0';
}
void GgufFile::texts(std::string_view name, std::span<const std::string> values) {
  key(name, array);
  put<std::uint32_t>(values_, text_type);
  put<std::uint64_t>(values_, values.size());
  for (const std::string& value : values) put_text(values_, value);
}
void GgufFile::numbers(std::string_view name, std::span<const std::int32_t> values) {
  key(name, array);
  put<std::uint32_t>(values_, i32);
  put<std::uint64_t>(values_, values.size());
  for (const std::int32_t value : values) put(values_, static_cast<std::uint32_t>(value));
}
void GgufFile::reals(std::string_view name, std::span<const float> values) {
  key(name, array);
  put<std::uint32_t>(values_, f32);
  put<std::uint64_t>(values_, values.size());
  for (const float value : values) put_float(values_, value);
}

void GgufFile::tensor(std::string_view name, Element element, std::uint64_t columns,
                      std::uint64_t rows, std::function<void(std::string& to)> fill) {
  tensors_.push_back({std::string(name), element, columns, rows, std::move(fill)});
}

std::uint64_t GgufFile::Tensor::bytes() const {
  return columns * rows * (element == Element::f32 ? 4 : 2);
}

std::string GgufFile::head() const {
  std::string head = "GGUF";
  put<std::uint32_t>(head, version);
  put<std::uint64_t>(head, tensors_.size());
  put<std::uint64_t>(head, value_count_);
  head += values_;
  std::uint64_t offset = 0;  // from where the first tensor begins
  for (const Tensor& tensor : tensors_) {
    put_text(head, tensor.name);
    const bool vector = tensor.rows == 1;
    put<std::uint32_t>(head, vector ? 1 : 2);
    put(head, tensor.columns);
    if (!vector) put(head, tensor.rows);
    put<std::uint32_t>(head, static_cast<std::uint32_t>(tensor.element));
    put(head, offset);
    offset += padded(tensor.bytes());
  }
  head.resize(padded(head.size()), '\0');
  return head;
}

std::uint64_t GgufFile::size() const {
  std::uint64_t size = head().size();
  for (const Tensor& tensor : tensors_) size += padded(tensor.bytes());
  return size;
}

Result<void> GgufFile::write(const ByteSink& sink) const {
  if (auto done = sink(head()); !done) return done;
  std::string bytes;
  for (const Tensor& tensor : tensors_) {
    bytes.clear();
    tensor.fill(bytes);
    TENBIN_ASSERT(bytes.size() == tensor.bytes());
    bytes.resize(padded(bytes.size()), '\0');
    if (auto done = sink(bytes); !done) return done;
  }
  return {};
}

}  // namespace tenbin
