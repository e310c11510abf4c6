#include "twin/traces/sink.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

#include "twin/traces/bytes.h"

namespace tenbin::traces {

namespace {

class TextSink final : public Sink {
 public:
  explicit TextSink(std::string& out) : out_(out) {}
  Result<void> write(std::string_view bytes) override {
    out_ += bytes;
    return {};
  }
  Result<void> finish() override { return {}; }

 private:
  std::string& out_;
};

class FileSink final : public Sink {
 public:
  FileSink(int file, std::string path, bool japanese)
      : file_(file), path_(std::move(path)), japanese_(japanese) {}
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  ~FileSink() override {
    if (file_ < 0 || path_ == "-") return;
    ::close(file_);
    ::unlink((path_ + ".part").c_str());
  }
  Result<void> write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(file_, bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return broken();
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
  }
  Result<void> finish() override {
    if (path_ == "-") return {};
    const int file = file_;
    file_ = -1;
    if (::close(file) != 0 || ::rename((path_ + ".part").c_str(), path_.c_str()) != 0) {
      const auto error = broken();
      ::unlink((path_ + ".part").c_str());
      return error;
    }
    return {};
  }

 private:
  std::unexpected<Error> broken() const {
    return failed(path_ + said(japanese_, ": cannot be written: ", ": 書き込めません: ") +
                  std::strerror(errno));
  }

  int file_;
  std::string path_;
  bool japanese_;
};

constexpr std::size_t step = 1 << 17;

class GzipSink final : public Sink {
 public:
  explicit GzipSink(std::unique_ptr<Sink> below) : below_(std::move(below)), out_(step) {
    good_ = deflateInit2(&stream_, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  }
  GzipSink(const GzipSink&) = delete;
  GzipSink& operator=(const GzipSink&) = delete;
  ~GzipSink() override { deflateEnd(&stream_); }
  Result<void> write(std::string_view bytes) override { return run(bytes, Z_NO_FLUSH); }
  Result<void> finish() override {
    if (auto done = run({}, Z_FINISH); !done) return done;
    return below_->finish();
  }

 private:
  Result<void> run(std::string_view bytes, int flush) {
    if (!good_) return failed("zlib");
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(out_.data());
      stream_.avail_out = static_cast<uInt>(out_.size());
      deflate(&stream_, flush);
      if (auto done = below_->write({out_.data(), out_.size() - stream_.avail_out}); !done)
        return done;
    } while (stream_.avail_out == 0);
    return {};
  }

  std::unique_ptr<Sink> below_;
  std::vector<char> out_;
  z_stream stream_{};
  bool good_ = false;
};

class ZstdSink final : public Sink {
 public:
  explicit ZstdSink(std::unique_ptr<Sink> below)
      : below_(std::move(below)), out_(step), stream_(ZSTD_createCCtx()) {
    if (stream_) ZSTD_CCtx_setParameter(stream_, ZSTD_c_checksumFlag, 1);
  }
  ZstdSink(const ZstdSink&) = delete;
  ZstdSink& operator=(const ZstdSink&) = delete;
  ~ZstdSink() override { ZSTD_freeCCtx(stream_); }
  Result<void> write(std::string_view bytes) override { return run(bytes, ZSTD_e_continue); }
  Result<void> finish() override {
    if (auto done = run({}, ZSTD_e_end); !done) return done;
    return below_->finish();
  }

 private:
  Result<void> run(std::string_view bytes, ZSTD_EndDirective directive) {
    if (!stream_) return failed("zstd");
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    while (true) {
      ZSTD_outBuffer out{out_.data(), out_.size(), 0};
      const std::size_t left = ZSTD_compressStream2(stream_, &out, &in, directive);
      if (ZSTD_isError(left)) return failed(std::string("zstd: ") + ZSTD_getErrorName(left));
      if (auto done = below_->write({out_.data(), out.pos}); !done) return done;
      if (directive == ZSTD_e_end ? left == 0 : in.pos == in.size) return {};
    }
  }

  std::unique_ptr<Sink> below_;
  std::vector<char> out_;
  ZSTD_CCtx* stream_;
};

}  // namespace

std::unique_ptr<Sink> into_text(std::string& out) {
  return std::make_unique<TextSink>(out);
}

Result<std::unique_ptr<Sink>> create_file(const std::string& path, bool japanese) {
  int file = STDOUT_FILENO;
  if (path != "-") {
    file = ::open((path + ".part").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
      return failed(path + said(japanese, ": cannot be written: ", ": 書き込めません: ") +
                    std::strerror(errno));
    }
  }
  std::unique_ptr<Sink> sink = std::make_unique<FileSink>(file, path, japanese);
  if (path.ends_with(".gz")) sink = std::make_unique<GzipSink>(std::move(sink));
  if (path.ends_with(".zst")) sink = std::make_unique<ZstdSink>(std::move(sink));
  return sink;
}

}  // namespace tenbin::traces
