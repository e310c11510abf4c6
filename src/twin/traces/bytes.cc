#include "twin/traces/bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tenbin::traces {

namespace {

constexpr std::size_t step = 1 << 18;  // bytes that are read at once

class FileBytes final : public Bytes {
 public:
  FileBytes(int file, std::uint64_t size, std::string name, bool japanese)
      : file_(file), progress_{0, size}, name_(std::move(name)), japanese_(japanese) {}
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  ~FileBytes() override {
    if (file_ != STDIN_FILENO) ::close(file_);
  }
  Result<std::size_t> read(char* into, std::size_t size) override {
    ssize_t got = 0;
    do {
      got = ::read(file_, into, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      return failed(name_ + said(japanese_, ": cannot be read: ", ": 読み取れません: ") +
                    std::strerror(errno));
    }
    progress_.read += static_cast<std::size_t>(got);
    return static_cast<std::size_t>(got);
  }
  Progress progress() const override { return progress_; }

 private:
  int file_;
  Progress progress_;
  std::string name_;
  bool japanese_;
};

class TextBytes final : public Bytes {
 public:
  explicit TextBytes(std::string_view text) : text_(text) {}
  Result<std::size_t> read(char* into, std::size_t size) override {
    const std::size_t count = std::min(size, text_.size());
    if (count > 0) std::memcpy(into, text_.data(), count);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

/// What an unpacker reads: first what was read already to see that it is packed.
class Packed {
 public:
  Packed(std::unique_ptr<Bytes> bytes, std::string_view first)
      : bytes_(std::move(bytes)), buffer_(first.begin(), first.end()), size_(first.size()) {
    buffer_.resize(std::max(step, buffer_.size()));
  }
  std::string_view view() const { return {buffer_.data() + at_, size_ - at_}; }
  void consume(std::size_t size) { at_ += size; }
  Bytes::Progress progress() const { return bytes_->progress(); }
  /// Reads more if nothing is left; false at the end.
  Result<bool> any() {
    if (at_ < size_) return true;
    const auto got = bytes_->read(buffer_.data(), buffer_.size());
    if (!got) return std::unexpected(got.error());
    at_ = 0;
    size_ = *got;
    return size_ > 0;
  }

 private:
  std::unique_ptr<Bytes> bytes_;
  std::vector<char> buffer_;
  std::size_t at_ = 0, size_ = 0;
};

class Unpacker : public Bytes {
 public:
  Unpacker(Packed packed, std::string name, bool japanese)
      : packed_(std::move(packed)), name_(std::move(name)), japanese_(japanese) {}

  Progress progress() const override { return packed_.progress(); }

 protected:
  std::unexpected<Error> cut_off(std::string_view kind) const {
    return failed(name_ + said(japanese_, ": cut off: the ", ": 途中で切れています: ") +
                  std::string(kind) +
                  said(japanese_, " data ends too early; fetch or copy the file again",
                       " のデータが終端まで届いていません。ファイルを取得し直してください"));
  }
  std::unexpected<Error> damaged(std::string_view kind, std::string_view why) const {
    return failed(name_ + said(japanese_, ": damaged ", ": 壊れた ") + std::string(kind) +
                  said(japanese_, " data: ", " データです: ") + std::string(why));
  }
  Packed packed_;
  std::string name_;
  bool japanese_;
};

class Gunzip final : public Unpacker {
 public:
  Gunzip(Packed packed, std::string name, bool japanese)
      : Unpacker(std::move(packed), std::move(name), japanese) {
    good_ = inflateInit2(&stream_, 15 + 16) == Z_OK;
  }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;
  ~Gunzip() override { inflateEnd(&stream_); }

  Result<std::size_t> read(char* into, std::size_t size) override {
    if (!good_) return damaged("gzip", "zlib");
    stream_.next_out = reinterpret_cast<Bytef*>(into);
    stream_.avail_out = static_cast<uInt>(size);
    while (stream_.avail_out > 0) {
      const auto any = packed_.any();
      if (!any) return std::unexpected(any.error());
      if (!*any) {
        if (!between_) return cut_off("gzip");
        break;
      }
      std::string_view in = packed_.view();
      if (between_) {  // members may follow each other, and tapes are filled up with zeroes
        if (in[0] == '\0') {
          packed_.consume(1);
          continue;
        }
        inflateReset(&stream_);
        between_ = false;
      }
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      stream_.avail_in = static_cast<uInt>(in.size());
      const int code = inflate(&stream_, Z_NO_FLUSH);
      packed_.consume(in.size() - stream_.avail_in);
      if (code == Z_STREAM_END) {
        between_ = true;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return damaged("gzip", stream_.msg ? stream_.msg : "zlib");
      }
    }
    return size - stream_.avail_out;
  }

 private:
  z_stream stream_{};
  bool good_ = false, between_ = false;
};

class Unzstd final : public Unpacker {
 public:
  Unzstd(Packed packed, std::string name, bool japanese)
      : Unpacker(std::move(packed), std::move(name), japanese), stream_(ZSTD_createDStream()) {
    // A window above 128 MiB would let a small file ask for any amount of memory.
    if (stream_) ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 27);
  }
  Unzstd(const Unzstd&) = delete;
  Unzstd& operator=(const Unzstd&) = delete;
  ~Unzstd() override { ZSTD_freeDStream(stream_); }

  Result<std::size_t> read(char* into, std::size_t size) override {
    if (!stream_) return damaged("zstd", "memory");
    ZSTD_outBuffer out{into, size, 0};
    while (out.pos < out.size) {
      const auto any = packed_.any();
      if (!any) return std::unexpected(any.error());
      if (!*any) {
        // What the decoder holds back may still have to come out.
        ZSTD_inBuffer none{nullptr, 0, 0};
        const std::size_t before = out.pos;
        if (pending_ != 0) pending_ = ZSTD_decompressStream(stream_, &out, &none);
        if (ZSTD_isError(pending_)) return damaged("zstd", ZSTD_getErrorName(pending_));
        if (pending_ != 0 && out.pos == before) return cut_off("zstd");
        break;
      }
      const std::string_view part = packed_.view();
      ZSTD_inBuffer in{part.data(), part.size(), 0};
      pending_ = ZSTD_decompressStream(stream_, &out, &in);
      if (ZSTD_isError(pending_)) return damaged("zstd", ZSTD_getErrorName(pending_));
      packed_.consume(in.pos);
    }
    return out.pos;
  }

 private:
  ZSTD_DStream* stream_;
  std::size_t pending_ = 0;  // 0: between frames
};

}  // namespace

Result<std::unique_ptr<Bytes>> open_file(const std::string& path, bool japanese) {
  const auto cannot = [&](int error) {
    return failed(path + said(japanese, ": cannot be opened: ", ": 開けません: ") +
                  std::strerror(error));
  };
  if (path == "-") return std::make_unique<FileBytes>(STDIN_FILENO, 0, path, japanese);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return cannot(errno);
  struct stat status{};
  if (::fstat(file, &status) == 0 && S_ISDIR(status.st_mode)) {
    ::close(file);
    return cannot(EISDIR);
  }
  return std::make_unique<FileBytes>(file, static_cast<std::uint64_t>(status.st_size), path,
                                     japanese);
}

std::unique_ptr<Bytes> open_text(std::string_view text) {
  return std::make_unique<TextBytes>(text);
}

Window::Window(std::unique_ptr<Bytes> bytes, std::string name, bool japanese)
    : bytes_(std::move(bytes)), name_(std::move(name)), japanese_(japanese) {}

Result<void> Window::unpack() {
  while (view().size() < 4) {
    const auto any = more();
    if (!any) return std::unexpected(any.error());
    if (!*any) break;
  }
  const bool gzip = view().starts_with("\x1f\x8b");
  const bool zstd = view().starts_with("\x28\xb5\x2f\xfd");
  if (!gzip && !zstd) return {};
  Packed packed(std::move(bytes_), view());
  if (gzip) {
    bytes_ = std::make_unique<Gunzip>(std::move(packed), name_, japanese_);
  } else {
    bytes_ = std::make_unique<Unzstd>(std::move(packed), name_, japanese_);
  }
  begin_ = end_ = 0;
  return {};
}

Result<bool> Window::more() {
  if (begin_ > 0 && begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ < step) {
    // Move what is left to the front; grow only if that is not enough.
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (buffer_.size() - end_ < step) buffer_.resize(std::max(2 * buffer_.size(), end_ + 2 * step));
  }
  const auto got = bytes_->read(buffer_.data() + end_, buffer_.size() - end_);
  if (!got) return std::unexpected(got.error());
  end_ += *got;
  return *got > 0;
}

}  // namespace tenbin::traces
