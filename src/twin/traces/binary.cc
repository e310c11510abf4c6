#include "twin/traces/binary.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/digest.h"
#include "base/utf8.h"
#include "twin/traces/rows.h"

namespace tenbin::traces {

namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie");

template <class T>
void put(std::string& out, T value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

/// Takes numbers from the front of `bytes`; at its end `good` becomes false and they are 0.
struct Taker {
  std::string_view bytes;
  bool good = true;

  template <class T>
  T take() {
    T value{};
    if (bytes.size() < sizeof value) {
      good = false;
      return value;
    }
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.remove_prefix(sizeof value);
    return value;
  }
  std::string_view take(std::size_t size) {
    if (bytes.size() < size) {
      good = false;
      return {};
    }
    const std::string_view taken = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return taken;
  }
};

// Bits of the head.
constexpr std::uint32_t limits = 1, owners = 2, ends = 4, times = 8, dated = 16, processors = 32;

std::uint64_t digest_of(std::string_view bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.value();
}

}  // namespace

std::uint64_t column_of(const TraceJob& job, BinaryColumn column) {
  const auto bits = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
  switch (column) {
    case BinaryColumn::id: return job.id;
    case BinaryColumn::submit: return bits(job.submit.ms);
    case BinaryColumn::runtime: return bits(job.runtime.count);
    case BinaryColumn::slack: return bits(job.limit.count - job.runtime.count);
    case BinaryColumn::gpus: return bits(job.shape.gpus.count);
    case BinaryColumn::members: return job.shape.members;
    case BinaryColumn::cpus: return bits(job.shape.cpus.count);
    case BinaryColumn::memory: return bits(job.shape.memory.count);
    case BinaryColumn::user: return job.user;
    case BinaryColumn::owner: return job.owner;
    case BinaryColumn::models: return job.models;
    case BinaryColumn::kinds:
      return static_cast<std::uint64_t>(job.end) | static_cast<std::uint64_t>(job.shape.packing)
                                                       << 4;
  }
  return 0;
}

std::uint64_t digest_of_block(std::uint32_t rows, std::string_view bytes) {
  Digest digest;
  digest.add(std::uint64_t{rows});
  digest.add(bytes);
  return digest.value();
}

std::string binary_head(const TraceInfo& info) {
  std::string out(binary_magic);
  put(out, binary_version);
  put(out, (info.limits ? limits : 0) | (info.owners ? owners : 0) | (info.ends ? ends : 0) |
               (info.times ? times : 0) | (info.dated ? dated : 0) |
               (info.processors ? processors : 0));
  put(out, info.processors_there.value_or(-1));
  put(out, info.began.value_or(Instant{-1}).ms);
  put(out, digest_of(out));
  return out;
}

void BinaryBlocks::add(const TraceJob& job, const TraceNames& names, std::string& out) {
  jobs_.push_back(job);
  if (jobs_.size() == block_rows) block(names, out);
}

void BinaryBlocks::block(const TraceNames& names, std::string& out) {
  std::string body;
  const std::array lists{&names.users, &names.owners, &names.models};
  for (std::size_t l = 0; l < lists.size(); ++l) {
    put(body, static_cast<std::uint32_t>(lists[l]->size() - named_[l]));
    for (; named_[l] < lists[l]->size(); ++named_[l]) {
      const std::string& name = (*lists[l])[named_[l]];
      put(body, static_cast<std::uint16_t>(name.size()));
      body += name;
    }
  }
  for (std::size_t c = 0; c < binary_columns; ++c) {
    const auto column = static_cast<BinaryColumn>(c);
    std::uint64_t least = UINT64_MAX, most = 0;
    for (const TraceJob& job : jobs_) {
      least = std::min(least, column_of(job, column));
      most = std::max(most, column_of(job, column));
    }
    const std::uint64_t range = most - least;
    const std::uint8_t width = range == 0            ? 0
                               : range <= UINT8_MAX  ? 1
                               : range <= UINT16_MAX ? 2
                               : range <= UINT32_MAX ? 4
                                                     : 8;
    put(body, width);
    put(body, least);
    for (const TraceJob& job : jobs_) {
      const std::uint64_t value = column_of(job, column) - least;
      char bytes[8];
      std::memcpy(bytes, &value, sizeof value);
      body.append(bytes, width);
    }
  }
  const auto rows = static_cast<std::uint32_t>(jobs_.size());
  put(out, rows);
  put(out, static_cast<std::uint32_t>(body.size()));
  put(out, digest_of_block(rows, body));
  out += body;
  count_ += jobs_.size();
  jobs_.clear();
}

void BinaryBlocks::finish(const TraceNames& names, std::string& out) {
  if (!jobs_.empty()) block(names, out);
  std::string body;
  put(body, count_);
  put(out, std::uint32_t{0});
  put(out, static_cast<std::uint32_t>(body.size()));
  put(out, digest_of_block(0, body));
  out += body;
}

namespace {

class BinaryRows final : public Rows {
 public:
  BinaryRows(Window& window, const TraceOptions& options) : Rows(options), window_(window) {
    info.format = TraceFormat::binary;
  }

  Result<Step> next(TraceJob& job) override {
    if (at_ == jobs_.size()) {
      const auto any = block();
      if (!any) return std::unexpected(any.error());
      if (!*any) return Step::end;
    }
    job = jobs_[at_++];
    key = job.id;
    ++line;
    return Step::job;
  }

 private:
  std::unexpected<Error> damaged() const {
    return failed(window_.name() +
                  said(options_.japanese, ": damaged: the checksum or the form is wrong after job ",
                       ": 壊れています。検査値か形式が合いません。読み取れたジョブ数: ") +
                  std::to_string(line));
  }
  Result<void> need(std::size_t size) {
    while (window_.view().size() < size) {
      const auto any = window_.more();
      if (!any) return std::unexpected(any.error());
      if (!*any) {
        return failed(window_.name() +
                      said(options_.japanese,
                           ": cut off: a trace ends with a mark, which is absent; jobs read: ",
                           ": 途中で切れています。末尾の印がありません。読み取れたジョブ数: ") +
                      std::to_string(line));
      }
    }
    return {};
  }

  Result<void> head() {
    if (const auto there = need(head_bytes); !there) return there;
    Taker head{window_.view().substr(0, head_bytes)};
    head.take(binary_magic.size());
    const auto version = head.take<std::uint32_t>();
    if (version != binary_version) {
      return failed(window_.name() +
                    said(options_.japanese,
                         ": a trace of another version of Tenbin; this one reads version 1, not ",
                         ": 別の版のTenbinのトレースです。読めるのは版1です。このファイルの版: ") +
                    std::to_string(version));
    }
    const auto flags = head.take<std::uint32_t>();
    const auto there = head.take<std::int64_t>(), began = head.take<std::int64_t>();
    if (head.take<std::uint64_t>() != digest_of(window_.view().substr(0, head_bytes - 8)))
      return damaged();
    info.limits = (flags & limits) != 0;
    info.owners = (flags & owners) != 0;
    info.ends = (flags & ends) != 0;
    info.times = (flags & times) != 0;
    info.dated = (flags & dated) != 0;
    info.processors = (flags & processors) != 0;
    if (there >= 0) info.processors_there = there;
    if (began >= 0) info.began = Instant{began};
    window_.consume(head_bytes);
    return {};
  }

  Result<bool> block() {
    jobs_.clear();
    at_ = 0;
    if (!begun_) {
      if (const auto good = head(); !good) return std::unexpected(good.error());
      begun_ = true;
    }
    if (const auto there = need(block_head_bytes); !there) return std::unexpected(there.error());
    Taker head{window_.view()};
    const auto rows = head.take<std::uint32_t>();
    const auto size = head.take<std::uint32_t>();
    const auto digest = head.take<std::uint64_t>();
    if (rows > block_rows || size > block_bytes_max) return damaged();
    if (const auto there = need(block_head_bytes + size); !there)
      return std::unexpected(there.error());
    const std::string_view body = window_.view().substr(block_head_bytes, size);
    if (digest_of_block(rows, body) != digest) return damaged();
    Taker taker{body};
    if (rows == 0) {
      const auto count = taker.take<std::uint64_t>();
      if (count != line || !taker.good || !taker.bytes.empty()) return damaged();
      window_.consume(block_head_bytes + size);
      const auto more = window_.more();
      if (!more) return std::unexpected(more.error());
      if (!window_.view().empty()) return damaged();
      return false;
    }
    if (!decode(taker, rows)) return damaged();
    window_.consume(block_head_bytes + size);
    return true;
  }

  bool decode(Taker& taker, std::uint32_t rows) {
    for (std::vector<std::string>* list : {&names.users, &names.owners, &names.models}) {
      const auto count = taker.take<std::uint32_t>();
      for (std::uint32_t i = 0; i < count && taker.good; ++i) {
        const std::string_view name = taker.take(taker.take<std::uint16_t>());
        if (!valid_utf8(name)) return false;
        list->emplace_back(name);
      }
    }
    if (names.models.size() > 64) return false;
    jobs_.assign(rows, {});
    const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
    // What has to be below a bound is checked column by column.
    const auto each = [&](std::uint64_t bound, auto&& set) {
      const auto width = taker.take<std::uint8_t>();
      const auto base = taker.take<std::uint64_t>();
      const bool known = width <= 2 || width == 4 || width == 8;
      const std::string_view bytes = taker.take(std::size_t{rows} * width);
      if (!known || !taker.good) return false;
      return values(base, width, bytes, bound, set);
    };
    constexpr std::uint64_t any = UINT64_MAX, small = INT64_MAX / 4;
    const std::uint64_t model_bits =
        names.models.size() == 64 ? any : (std::uint64_t{1} << names.models.size()) - 1;
    const bool good =
        each(any, [&](TraceJob& job, std::uint64_t v) { job.id = v; }) &&
        each(small, [&](TraceJob& job, std::uint64_t v) { job.submit = Instant{number(v)}; }) &&
        each(small, [&](TraceJob& job, std::uint64_t v) { job.runtime = Span{number(v)}; }) &&
        each(small, [&](TraceJob& job,
                        std::uint64_t v) { job.limit = Span{job.runtime.count + number(v)}; }) &&
        each(small, [&](TraceJob& job, std::uint64_t v) { job.shape.gpus = Gpus{number(v)}; }) &&
        each(UINT32_MAX,
             [&](TraceJob& job, std::uint64_t v) {
               job.shape.members = static_cast<std::uint32_t>(v);
             }) &&
        each(small, [&](TraceJob& job, std::uint64_t v) { job.shape.cpus = Cpus{number(v)}; }) &&
        each(small,
             [&](TraceJob& job, std::uint64_t v) { job.shape.memory = Memory{number(v)}; }) &&
        !names.users.empty() && !names.owners.empty() &&
        each(names.users.size() - 1,
             [&](TraceJob& job, std::uint64_t v) { job.user = static_cast<std::uint32_t>(v); }) &&
        each(names.owners.size() - 1,
             [&](TraceJob& job, std::uint64_t v) { job.owner = static_cast<std::uint32_t>(v); }) &&
        each(model_bits, [&](TraceJob& job, std::uint64_t v) { job.models = v; }) &&
        each(0x1F, [&](TraceJob& job, std::uint64_t v) {
          job.end = static_cast<TraceEnd>(v & 0xF);
          job.shape.packing = static_cast<Packing>(v >> 4);
        });
    return good && taker.bytes.empty() && std::ranges::all_of(jobs_, [](const TraceJob& job) {
             return job.end <= TraceEnd::cancelled;
           });
  }

  template <class Set>
  bool values(std::uint64_t base, std::uint8_t width, std::string_view bytes, std::uint64_t bound,
              Set&& set) {
    std::uint64_t most = 0;
    const auto run = [&]<class T>(T) {
      const char* at = bytes.data();
      for (TraceJob& job : jobs_) {
        T offset;
        std::memcpy(&offset, at, sizeof offset);
        at += sizeof offset;
        const std::uint64_t value = base + offset;
        most = std::max(most, value);
        set(job, value);
      }
    };
    // A base so high that a sum would begin at zero again is refused with it.
    if (base > bound) return false;
    switch (width) {
      case 0:
        for (TraceJob& job : jobs_) set(job, base);
        return true;
      case 1: run(std::uint8_t{}); break;
      case 2: run(std::uint16_t{}); break;
      case 4: run(std::uint32_t{}); break;
      default: run(std::uint64_t{}); break;
    }
    return most <= bound;
  }

  Window& window_;
  bool begun_ = false;
  std::vector<TraceJob> jobs_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<Rows> binary_rows(Window& window, const TraceOptions& options) {
  return std::make_unique<BinaryRows>(window, options);
}

}  // namespace tenbin::traces
