#include "twin/trace_write.h"

#include <charconv>

#include "twin/traces/binary.h"
#include "twin/traces/bytes.h"
#include "twin/traces/sink.h"

namespace tenbin {

using namespace traces;  // NOLINT(google-build-using-namespace): the parts that this file joins

namespace {

constexpr std::size_t flush_at = 1 << 16;

class Writing : public TraceWriter {
 public:
  Writing(std::unique_ptr<Sink> sink, bool japanese)
      : japanese_(japanese), sink_(std::move(sink)) {}
  Result<void> finish(const TraceNames& names) override {
    last(names);
    if (auto done = flush(0); !done) return done;
    return sink_->finish();
  }

 protected:
  virtual void last(const TraceNames&) {}
  Result<void> flush(std::size_t above = flush_at) {
    if (text_.size() <= above) return {};
    auto done = sink_->write(text_);
    text_.clear();
    return done;
  }
  void put(std::int64_t value) {
    char digits[24];
    text_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void put(std::uint64_t value) {
    char digits[24];
    text_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  /// Thousandths as a decimal number, without zeroes at its end.
  void put_thousandths(std::int64_t value) {
    put(value / 1'000);
    std::int64_t part = value % 1'000;
    if (part == 0) return;
    text_ += '.';
    for (std::int64_t unit = 100; part > 0; unit /= 10) {
      text_ += static_cast<char>('0' + part / unit);
      part %= unit;
    }
  }
  /// A cell of a table.
  void put_cell(std::string_view cell) {
    if (cell.find_first_of(",\"") == std::string_view::npos) {
      text_ += cell;
      return;
    }
    text_ += '"';
    for (const char c : cell) {
      if (c == '"') text_ += '"';
      text_ += c;
    }
    text_ += '"';
  }
  /// A user as a number: the name if it is one, else the index.
  void put_number(const std::string& name, std::uint32_t index) {
    const bool number =
        !name.empty() && name.size() <= 9 && name.find_first_not_of("0123456789") == name.npos;
    if (number) {
      text_ += name;
    } else {
      put(std::uint64_t{index});
    }
  }
  /// What six or eighteen columns can say.
  Result<void> plain(const TraceJob& job) const {
    if (job.shape.gpus.count % 1'000 == 0) return {};
    return failed(
        said(japanese_, "job ", "ジョブ ") + std::to_string(job.id) +
        said(japanese_,
             " asks for a part of a GPU, which this format cannot say; write csv or "
             "binary",
             " はGPUの一部を要求しており、この形式では表せません。csvかbinaryにしてください"));
  }

  std::string text_;
  bool japanese_;

 private:
  std::unique_ptr<Sink> sink_;
};

class CsvWriter final : public Writing {
 public:
  CsvWriter(std::unique_ptr<Sink> sink, bool japanese, const TraceInfo& info)
      : Writing(std::move(sink), japanese), info_(info) {
    text_ = "job_id,submit,gpus,runtime,walltime,user,owner,models,end,members,cpus,memory_mib\n";
  }
  Result<void> add(const TraceJob& job, const TraceNames& names) override {
    put(job.id), text_ += ',';
    put(job.submit.ms), text_ += ',';
    put_thousandths(job.shape.gpus.count), text_ += ',';
    put(job.runtime.count), text_ += ',';
    // What is not known stays empty.
    if (info_.limits) put(job.limit.count);
    text_ += ',';
    put_cell(names.users[job.user]), text_ += ',';
    if (info_.owners) put_cell(names.owners[job.owner]);
    text_ += ',';
    std::string models;
    for (std::size_t m = 0; m < names.models.size(); ++m) {
      if ((job.models >> m & 1) != 0) models += (models.empty() ? "" : "|") + names.models[m];
    }
    put_cell(models), text_ += ',';
    if (info_.ends) text_ += enum_names(TraceEnd{})[static_cast<std::size_t>(job.end)];
    text_ += ',';
    // Without a number of members, whole GPUs lie wherever there is room.
    if (job.shape.packing == Packing::members) put(std::uint64_t{job.shape.members});
    text_ += ',';
    put_thousandths(job.shape.cpus.count), text_ += ',';
    put(job.shape.memory.count), text_ += '\n';
    return flush();
  }

 private:
  TraceInfo info_;
};

class GoldenWriter final : public Writing {
 public:
  GoldenWriter(std::unique_ptr<Sink> sink, bool japanese) : Writing(std::move(sink), japanese) {
    text_ = "job_id,submit,gpus,runtime,walltime,user\n";
  }
  Result<void> add(const TraceJob& job, const TraceNames& names) override {
    if (auto can = plain(job); !can) return can;
    put(job.id), text_ += ',';
    put(job.submit.ms), text_ += ',';
    put(job.gpus()), text_ += ',';
    put(job.runtime.count), text_ += ',';
    put(job.limit.count), text_ += ',';
    put_number(names.users[job.user], job.user), text_ += '\n';
    return flush();
  }
};

class SwfWriter final : public Writing {
 public:
  SwfWriter(std::unique_ptr<Sink> sink, bool japanese, const TraceInfo& info)
      : Writing(std::move(sink), japanese), info_(info) {
    text_ = "; Version: 2.2\n; Computer: written by tenbin trace convert; processors are GPUs\n";
    const std::int64_t began = info.began ? info.began->ms : 0;
    text_ += "; UnixStartTime: ";
    put(began / 1'000);
    text_ += '\n';
    if (info.processors_there) {
      text_ += "; MaxProcs: ";
      put(*info.processors_there);
      text_ += '\n';
    }
  }
  /// Whole seconds: times are cut, limits rounded up so that no job runs past its own.
  Result<void> add(const TraceJob& job, const TraceNames& names) override {
    if (auto can = plain(job); !can) return can;
    put(job.id), text_ += ' ';
    put(job.submit.ms / 1'000), text_ += " -1 ";
    put(job.runtime.count / 1'000), text_ += ' ';
    put(job.gpus()), text_ += " -1 -1 ";
    put(job.gpus()), text_ += ' ';
    if (info_.limits) {
      put((job.limit.count + 999) / 1'000);
    } else {
      text_ += "-1";
    }
    text_ += " -1 ";
    text_ += job.end == TraceEnd::completed ? "1 " : job.end == TraceEnd::failed ? "0 " : "5 ";
    put_number(names.users[job.user], job.user), text_ += ' ';
    put_number(names.owners[job.owner], job.owner), text_ += " -1 -1 -1 -1 -1\n";
    return flush();
  }

 private:
  TraceInfo info_;
};

class BinaryWriter final : public Writing {
 public:
  BinaryWriter(std::unique_ptr<Sink> sink, bool japanese, const TraceInfo& info)
      : Writing(std::move(sink), japanese) {
    text_ = binary_head(info);
  }
  Result<void> add(const TraceJob& job, const TraceNames& names) override {
    blocks_.add(job, names, text_);
    return flush();
  }

 private:
  void last(const TraceNames& names) override { blocks_.finish(names, text_); }

  BinaryBlocks blocks_;
};

std::unique_ptr<TraceWriter> writer(std::unique_ptr<Sink> sink, TraceOutput output,
                                    const TraceInfo& info, bool japanese) {
  switch (output) {
    case TraceOutput::csv: return std::make_unique<CsvWriter>(std::move(sink), japanese, info);
    case TraceOutput::golden: return std::make_unique<GoldenWriter>(std::move(sink), japanese);
    case TraceOutput::swf: return std::make_unique<SwfWriter>(std::move(sink), japanese, info);
    case TraceOutput::binary:
      return std::make_unique<BinaryWriter>(std::move(sink), japanese, info);
  }
  return nullptr;
}

}  // namespace

std::optional<TraceOutput> output_named(std::string_view path) {
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (path.ends_with(packed)) path.remove_suffix(packed.size());
  }
  if (path.ends_with(".csv")) return TraceOutput::csv;
  if (path.ends_with(".swf")) return TraceOutput::swf;
  if (path.ends_with(".trace")) return TraceOutput::binary;
  return std::nullopt;
}

Result<std::unique_ptr<TraceWriter>> create_trace(const std::string& path, TraceOutput output,
                                                  const TraceInfo& info, bool japanese) {
  auto sink = create_file(path, japanese);
  if (!sink) return std::unexpected(sink.error());
  return writer(std::move(*sink), output, info, japanese);
}

Result<std::string> trace_text(TraceSource& source, TraceOutput output, bool japanese) {
  std::string text;
  const auto writing = writer(into_text(text), output, source.info(), japanese);
  TraceJob job;
  while (true) {
    const auto any = source.next(job);
    if (!any) return std::unexpected(any.error());
    if (!*any) break;
    if (auto done = writing->add(job, source.names()); !done) return std::unexpected(done.error());
  }
  if (auto done = writing->finish(source.names()); !done) return std::unexpected(done.error());
  return text;
}

}  // namespace tenbin
