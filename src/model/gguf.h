#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// A file in the GGUF format, version 3 (the public specification of ggml): a head of named values
// and of tensors' shapes, then the tensors, each at a multiple of the alignment. Little endian.

namespace tenbin {

/// Takes the next bytes of the file. Errors: what keeps it from them.
using ByteSink = std::function<Result<void>(std::string_view bytes)>;

/// Collects what a file shall hold, then writes it from front to back. Tensors are asked for when
/// their turn has come, so that no more than one is in memory.
class GgufFile {
 public:
  static constexpr std::uint32_t version = 3, alignment = 32;

  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint32_t value);
  void real(std::string_view key, float value);
  void boolean(std::string_view key, bool value);
  void texts(std::string_view key, std::span<const std::string> values);
  void numbers(std::string_view key, std::span<const std::int32_t> values);
  void reals(std::string_view key, std::span<const float> values);

  enum class Element : std::uint8_t { f32 = 0, f16 = 1 };
  /// `columns` lie beside each other in memory; `fill` appends exactly rows x columns elements to
  /// the text it is given. A vector has one row and is written with one dimension.
  void tensor(std::string_view name, Element element, std::uint64_t columns, std::uint64_t rows,
              std::function<void(std::string& to)> fill);

  /// How long the file will be.
  std::uint64_t size() const;
  Result<void> write(const ByteSink& sink) const;

 private:
  struct Tensor {
    std::string name;
    Element element;
    std::uint64_t columns, rows;
    std::function<void(std::string&)> fill;
    std::uint64_t bytes() const;
  };
  std::string head() const;
  void key(std::string_view name, std::uint32_t type);

  std::string values_;
  std::uint64_t value_count_ = 0;
  std::vector<Tensor> tensors_;
};

/// IEEE 754 binary16, rounded to nearest even.
std::uint16_t half_of(float value);

/// Appends an integer's or a float's bytes.
void put_half(std::string& to, float value);
void put_float(std::string& to, float value);

}  // namespace tenbin
