#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

// Where a trace's bytes come from: files, standard input, memory; plain, gzip, zstd.

namespace tenbin::traces {

/// The one of two texts that is meant.
inline std::string said(bool japanese, std::string_view english, std::string_view in_japanese) {
  return std::string(japanese ? in_japanese : english);
}

class Bytes {
 public:
  virtual ~Bytes() = default;
  /// Fills `into`, as far as there is something; 0: the end.
  virtual Result<std::size_t> read(char* into, std::size_t size) = 0;
  /// How many there are in all and how many have been read, as they lie on the disk; zeroes if that
  /// is not known.
  struct Progress {
    std::uint64_t read = 0, all = 0;
  };
  virtual Progress progress() const { return {}; }
};

/// `name` is for messages. "-": standard input.
Result<std::unique_ptr<Bytes>> open_file(const std::string& path, bool japanese);
std::unique_ptr<Bytes> open_text(std::string_view text);

/// What is read, in a window that can be looked at before it is consumed.
class Window {
 public:
  Window(std::unique_ptr<Bytes> bytes, std::string name, bool japanese);

  /// Finds out by the first bytes whether they are packed, and unpacks them from here on.
  Result<void> unpack();

  std::string_view view() const { return {buffer_.data() + begin_, end_ - begin_}; }
  void consume(std::size_t size) { begin_ += size; }
  /// Widens the view; false at the end of everything. What was seen before may have moved.
  Result<bool> more();
  Bytes::Progress progress() const { return bytes_->progress(); }
  const std::string& name() const { return name_; }

 private:
  std::unique_ptr<Bytes> bytes_;
  std::string name_;
  bool japanese_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace tenbin::traces
