#include "twin/trace.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/utf8.h"
#include "core/limits.h"
#include "twin/traces/binary.h"
#include "twin/traces/fields.h"
#include "twin/traces/rows.h"

namespace tenbin {

using namespace traces;  // NOLINT(google-build-using-namespace): the parts that this file joins

namespace {

constexpr std::size_t problems_kept = 10, problem_bytes = 60;
constexpr std::size_t estimate_at = 65'536, estimate_max = 100'000'000;
constexpr std::size_t sorted_max = 4'000'000;  // jobs of an unsorted file: some 400 MB

/// Ids that were there. Those that lie close together cost a bit each, others a place in a set.
class Seen {
 public:
  /// False if it was there before.
  bool add(std::uint64_t id) {
    ++count_;
    if (id / 64 < bits_.size() || id / 64 < 4'096 + count_ / 4) {
      if (id / 64 >= bits_.size()) bits_.resize(std::max(id / 64 + 1, 2 * bits_.size()));
      std::uint64_t& word = bits_[id / 64];
      const std::uint64_t bit = std::uint64_t{1} << (id % 64);
      if ((word & bit) != 0) return false;
      word |= bit;
      return far_.empty() || !far_.contains(id);
    }
    return far_.insert(id).second;
  }

 private:
  std::vector<std::uint64_t> bits_;
  std::unordered_set<std::uint64_t> far_;
  std::uint64_t count_ = 0;
};

bool before(const TraceJob& a, const TraceJob& b) {
  return a.submit != b.submit ? a.submit < b.submit : a.id < b.id;
}

/// What is wrong with a job, whatever format it came in; it is put in order where that is meant.
std::optional<TraceFault> fault_of(TraceJob& job) {
  Shape& shape = job.shape;
  if (job.submit < instant_min || job.submit > instant_max) return TraceFault::submit_out_of_range;
  if (shape.gpus.count < 0 || shape.gpus > gpus_max) return TraceFault::gpus_out_of_range;
  if (shape.members < 1 || shape.members > members_max || shape.cpus.count < 0 ||
      shape.cpus > cpus_max || shape.memory.count < 0 || shape.memory > memory_max) {
    return TraceFault::shape_out_of_range;
  }
  if (shape.gpus.count * shape.members > gpus_max.count) return TraceFault::gpus_out_of_range;
  if (shape.gpus.count % 1'000 != 0) {
    if (shape.gpus.count > 1'000) return TraceFault::gpus_out_of_range;
    shape.packing = Packing::members;
  }
  if (job.runtime.count < 0 || job.runtime > time_limit_max)
    return TraceFault::runtime_out_of_range;
  if (job.limit.count <= 0 || job.limit > time_limit_max) return TraceFault::limit_out_of_range;
  if (job.runtime > job.limit) return TraceFault::runs_past_limit;
  return std::nullopt;
}

class Reading final : public TraceSource {
 public:
  Reading(std::unique_ptr<Window> window, const TraceOptions& options)
      : window_(std::move(window)), options_(options) {}

  Result<void> open();

  Result<bool> next(TraceJob& job) override {
    if (at_ < held_.size()) {
      job = held_[at_++];
      return true;
    }
    if (at_end_) return false;
    if (!held_.empty()) held_ = {};
    at_ = 0;
    const auto any = pull(job);
    if (!any || !*any) return any;
    if (before(job, last_)) {
      return failed(
          place() +
          said(options_.japanese,
               "this job was submitted before the one above it; so long a file has to be "
               "sorted by submit time and id first",
               "直前のジョブより前に投入されています。これほど長いファイルは、投入時刻とIDの"
               "順に並べてから渡してください"));
    }
    last_ = job;
    return true;
  }
  /// All that was held, where that is everything.
  Trace take() {
    return {std::move(held_), std::move(rows_->names), std::move(problems_), rows_->info};
  }
  const TraceNames& names() const override { return rows_->names; }
  const TraceProblems& problems() const override { return problems_; }
  const TraceInfo& info() const override { return rows_->info; }

 private:
  std::string place() const { return window_->name() + ":" + std::to_string(rows_->line) + ": "; }
  Result<void> choose();
  Result<bool> pull(TraceJob& job);
  Result<void> hold();
  Result<void> complain(TraceFault fault);
  std::unexpected<Error> stranger(std::string_view first_line);

  std::unique_ptr<Window> window_;
  TraceOptions options_;
  std::unique_ptr<Rows> rows_;
  TraceProblems problems_;
  Seen seen_;
  std::vector<TraceJob> held_;
  std::size_t at_ = 0;
  bool at_end_ = false;
  TraceJob last_;
};

std::string shown(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size() && out.size() < problem_bytes;) {
    const std::size_t length = utf8_character(text.substr(i));
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0 || byte < ' ' || byte == 0x7F) {
      out += '?';
      ++i;
    } else {
      out += text.substr(i, length);
      i += length;
    }
  }
  return out.size() < text.size() ? out + "..." : out;
}

Result<void> Reading::complain(TraceFault fault) {
  if (options_.strict) {
    return failed(place() + std::string(words(fault, options_.japanese)) + ": " +
                  shown(rows_->text));
  }
  ++problems_.counts[static_cast<std::size_t>(fault)];
  if (problems_.first.size() < problems_kept)
    problems_.first.push_back({rows_->line, fault, shown(rows_->text)});
  return {};
}

Result<bool> Reading::pull(TraceJob& job) {
  while (true) {
    const auto step = rows_->next(job);
    if (!step) return std::unexpected(step.error());
    std::optional<TraceFault> fault;
    switch (*step) {
      case Step::end: at_end_ = true; return false;
      case Step::fault: fault = rows_->fault; break;
      case Step::job: fault = fault_of(job); break;
    }
    if (!fault && rows_->key && !seen_.add(*rows_->key)) fault = TraceFault::duplicate;
    if (!fault && job.shape.gpus.count == 0) {
      // In logs of whole clusters it is usual that jobs want none; elsewhere it is a mistake.
      const TraceFormat format = rows_->info.format;
      if (format == TraceFormat::csv || format == TraceFormat::muri ||
          format == TraceFormat::philly_csv) {
        if (!options_.cpu_jobs) fault = TraceFault::no_gpus;
      } else if (!options_.cpu_jobs) {
        ++rows_->info.without_gpus;
        continue;
      }
    }
    if (!fault) return true;
    if (auto noted = complain(*fault); !noted) return std::unexpected(noted.error());
  }
}

// The first jobs, or all of them if they are not in order.
Result<void> Reading::hold() {
  bool sorted = true;
  TraceJob job;
  while (held_.size() < (sorted ? options_.held_max : std::max(options_.held_max, sorted_max))) {
    const auto any = pull(job);
    if (!any) return std::unexpected(any.error());
    if (!*any) break;
    if (!held_.empty() && before(job, held_.back())) sorted = false;
    if (held_.size() == estimate_at) {
      // How many will they be? A vector that grows by itself would touch twice the memory.
      const Bytes::Progress bytes = window_->progress();
      const std::uint64_t all =
          bytes.read == 0 ? 0 : held_.size() * (bytes.all * 17 / 16) / bytes.read;
      held_.reserve(
          std::min<std::uint64_t>(all, std::min<std::uint64_t>(options_.held_max, estimate_max)));
    }
    held_.push_back(job);
  }
  if (!held_.empty()) last_ = held_.back();
  if (sorted) return {};
  if (!at_end_) {
    return failed(place() +
                  said(options_.japanese,
                       "the lines are out of order, and there are too many to sort them here; sort "
                       "them by submit time and id first",
                       "行が順番に並んでおらず、ここで並べ替えるには多すぎます。投入時刻とIDの順に"
                       "並べてから渡してください"));
  }
  std::ranges::stable_sort(held_, before);
  rows_->info.sorted_by_us = true;
  return {};
}

// Things that people give to a program that wants a trace.
std::string_view known_kind(std::string_view bytes, bool japanese) {
  struct Kind {
    std::string_view begin, english, japanese;
  };
  constexpr std::array kinds{
      Kind{"PK\x03\x04", "a zip archive; unpack it first", "zipアーカイブです。展開してください"},
      Kind{"\xFD"
           "7zXZ",
           "packed with xz; unpack it first (unxz)",
           "xzで圧縮されています。unxzで展開してください"},
      Kind{"BZh", "packed with bzip2; unpack it first (bunzip2)",
           "bzip2で圧縮されています。bunzip2で展開してください"},
      Kind{"%PDF", "a PDF", "PDFです"},
      Kind{"\x89PNG", "a picture", "画像です"},
      Kind{"PAR1", "a Parquet file; export it as CSV first",
           "Parquetファイルです。CSVに書き出してください"},
      Kind{"SQLite format 3", "an SQLite database", "SQLiteデータベースです"},
      Kind{"\xFF\xFE", "text in UTF-16; save it as UTF-8",
           "UTF-16のテキストです。UTF-8で保存し直してください"},
      Kind{"\xFE\xFF", "text in UTF-16; save it as UTF-8",
           "UTF-16のテキストです。UTF-8で保存し直してください"},
      Kind{"<", "HTML or XML: perhaps the page about the trace and not the trace",
           "HTMLかXMLです。トレースそのものではなく紹介ページかもしれません"},
      Kind{"version https://git-lfs",
           "a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`",
           "Git LFSのポインターで、中身ではありません。`git lfs pull` で取得してください"},
      Kind{"sn,cpu_milli", "openb's list of nodes, which is a fleet and not a trace",
           "openbのノード一覧です。トレースではなく計算資源の一覧です"},
      Kind{"gpu_model,gpu_capacity_num", "a list of nodes, not a trace",
           "ノードの一覧で、トレースではありません"},
      Kind{"workload,name,time,application",
           "a workload of Sia, whose run times follow from profiles that are not in it",
           "Siaのワークロードです。実行時間はここにない性能表から決まるため読めません"},
      Kind{"vc,job_type,total_steps",
           "a workload of Gavel, whose run times follow from throughputs that are not in it",
           "Gavelのワークロードです。実行時間はここにない性能表から決まるため読めません"},
      Kind{"#!", "a script", "スクリプトです"},
  };
  for (const Kind& kind : kinds) {
    if (bytes.starts_with(kind.begin)) return japanese ? kind.japanese : kind.english;
  }
  // What else is left in a text for people?
  if (bytes.starts_with("{"))
    return japanese ? "JSONですが、Phillyのcluster_job_logのような配列ではありません"
                    : "JSON, but not an array like Philly's cluster_job_log";
  if (bytes.substr(0, 4'096).find('\0') != std::string_view::npos)
    return japanese ? "バイナリです" : "binary";
  return {};
}

std::unexpected<Error> Reading::stranger(std::string_view first_line) {
  const bool ja = options_.japanese;
  std::string formats;
  for (const std::string_view name : enum_names(TraceFormat{}))
    formats += (formats.empty() ? "" : ", ") + std::string(name);
  std::string what(known_kind(window_->view(), ja));
  if (what.empty() && !valid_utf8(first_line))
    what = said(ja, "not UTF-8 text", "UTF-8のテキストではありません");
  if (what.empty() && first_line.find(',') != std::string_view::npos) {
    what = said(ja, "a table with the columns ", "表です。列: ") + shown(first_line);
    if (const std::string near = nearest_table(first_line, ja); !near.empty())
      what += said(ja, ", ", "。") + near;
  }
  if (what.empty())
    what = said(ja, "text that begins with ", "次の文字で始まるテキストです: ") + shown(first_line);
  const std::string wanted =
      options_.format
          ? std::string(enum_names(TraceFormat{})[static_cast<std::size_t>(*options_.format)])
          : formats;
  return failed(window_->name() + (ja ? ": " + wanted + " のトレースではありません。" + what
                                      : ": not a trace (" + wanted + "): it looks like " + what));
}

Result<void> Reading::choose() {
  if (auto good = window_->unpack(); !good) return good;
  // The first line, or as much of it as 64 KiB show.
  while (window_->view().size() < (1 << 16)) {
    const auto any = window_->more();
    if (!any) return std::unexpected(any.error());
    if (!*any) break;
  }
  if (window_->view().starts_with("\xEF\xBB\xBF")) window_->consume(3);
  const std::string_view view = window_->view();
  if (view.empty()) {
    return failed(window_->name() +
                  said(options_.japanese, ": the file is empty", ": ファイルが空です"));
  }
  std::string_view line = view.substr(0, view.find('\n'));
  if (line.ends_with('\r')) line.remove_suffix(1);

  const auto wanted = [&](TraceFormat format) {
    return !options_.format || *options_.format == format;
  };
  std::size_t first = 0;
  while (first < view.size() && std::strchr(" \t\r\n", view[first]) && view[first]) ++first;
  const std::string_view begin = view.substr(first);
  const bool number = !begin.empty() && begin[0] >= '0' && begin[0] <= '9';
  if (view.starts_with(binary_magic)) {
    if (wanted(TraceFormat::binary)) rows_ = binary_rows(*window_, options_);
  } else if (begin.starts_with('[') &&
             begin.substr(1).find_first_not_of(" \t\r\n") != std::string_view::npos &&
             std::strchr("{]", begin[1 + begin.substr(1).find_first_not_of(" \t\r\n")])) {
    if (wanted(TraceFormat::philly)) rows_ = philly_rows(*window_, options_);
  } else if (begin.starts_with(';') || (number && line.find(',') == std::string_view::npos)) {
    if (wanted(TraceFormat::swf)) rows_ = swf_rows(*window_, options_);
  } else {
    rows_ = table_rows(*window_, options_, line);
  }
  if (!rows_) return stranger(line);
  return {};
}

Result<void> Reading::open() {
  if (auto good = choose(); !good) return good;
  return hold();
}

Result<std::unique_ptr<Reading>> open_bytes(std::unique_ptr<Bytes> bytes, std::string name,
                                            const TraceOptions& options) {
  auto window = std::make_unique<Window>(std::move(bytes), std::move(name), options.japanese);
  auto reading = std::make_unique<Reading>(std::move(window), options);
  if (auto good = reading->open(); !good) return std::unexpected(good.error());
  return reading;
}

}  // namespace

std::string_view words(TraceFault fault, bool japanese) {
  switch (fault) {
#define X(name, english, in_japanese) \
  case TraceFault::name: return japanese ? in_japanese : english;
    TENBIN_TRACE_FAULTS(X)
#undef X
  }
  return {};
}

std::uint64_t TraceProblems::count() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t some : counts) sum += some;
  return sum;
}

Result<std::unique_ptr<TraceSource>> open_trace(const std::string& path,
                                                const TraceOptions& options) {
  auto bytes = open_file(path, options.japanese);
  if (!bytes) return std::unexpected(bytes.error());
  return open_bytes(std::move(*bytes), path, options);
}

Result<std::unique_ptr<TraceSource>> open_trace_text(std::string_view text, std::string name,
                                                     const TraceOptions& options) {
  return open_bytes(open_text(text), std::move(name), options);
}

Result<Trace> read_all(TraceSource& source) {
  Trace trace;
  TraceJob job;
  while (true) {
    const auto any = source.next(job);
    if (!any) return std::unexpected(any.error());
    if (!*any) break;
    trace.jobs.push_back(job);
  }
  trace.names = source.names();
  trace.problems = source.problems();
  trace.info = source.info();
  return trace;
}

Result<Trace> read_trace(const std::string& path, TraceOptions options) {
  options.held_max = SIZE_MAX;
  auto bytes = open_file(path, options.japanese);
  if (!bytes) return std::unexpected(bytes.error());
  const auto source = open_bytes(std::move(*bytes), path, options);
  if (!source) return std::unexpected(source.error());
  return (*source)->take();
}

Result<Trace> parse_trace(std::string_view bytes, std::string name, TraceOptions options) {
  options.held_max = SIZE_MAX;
  const auto source = open_bytes(open_text(bytes), std::move(name), options);
  if (!source) return std::unexpected(source.error());
  return (*source)->take();
}

Result<std::string> unpacked_file(const std::string& path) {
  auto bytes = open_file(path, false);
  if (!bytes) return std::unexpected(bytes.error());
  Window window(std::move(*bytes), path, false);
  if (auto good = window.unpack(); !good) return std::unexpected(good.error());
  while (true) {
    const auto any = window.more();
    if (!any) return std::unexpected(any.error());
    if (!*any) return std::string(window.view());
  }
}

Result<std::vector<FleetNode>> read_openb_nodes(const std::string& path, bool japanese) {
  auto bytes = open_file(path, japanese);
  if (!bytes) return std::unexpected(bytes.error());
  Window window(std::move(*bytes), path, japanese);
  if (auto good = window.unpack(); !good) return std::unexpected(good.error());
  Lines lines(window);
  std::vector<FleetNode> nodes;
  std::vector<std::string_view> fields;
  std::string unquoted;
  std::string_view line;
  while (true) {
    const auto any = lines.next(line);
    if (!any) return std::unexpected(any.error());
    if (!*any) break;
    const auto wrong = [&](std::string_view english, std::string_view in_japanese) {
      return failed(path + ":" + std::to_string(lines.number) + ": " +
                    said(japanese, english, in_japanese) + ": " + shown(line));
    };
    if (lines.number == 1) {
      if (line != "sn,cpu_milli,memory_mib,gpu,model") {
        return wrong(
            "a list of nodes begins with sn,cpu_milli,memory_mib,gpu,model; this is",
            "ノード一覧の先頭行はsn,cpu_milli,memory_mib,gpu,modelですが、これは次の行です");
      }
      continue;
    }
    if (line.empty()) continue;
    split(line, fields, unquoted);
    if (fields.size() != 5 || !valid_utf8(line))
      return wrong("not five columns of text", "5列のテキストではありません");
    const auto cpus = whole(fields[1]), memory = whole(fields[2]), gpus = whole(fields[3]);
    if (!cpus || !memory || !gpus || *cpus < 0 || *cpus > cpus_max.count || *memory < 0 ||
        *memory > memory_max.count || *gpus < 0 || *gpus > gpus_per_node_max) {
      return wrong("CPUs, memory and up to 32 GPUs must be whole numbers from 0",
                   "CPU、メモリ、GPU（最大32）は0以上の整数でなければなりません");
    }
    nodes.push_back({std::string(fields[0]), static_cast<std::uint32_t>(*gpus), Cpus{*cpus},
                     Memory{*memory}, std::string(fields[4])});
  }
  if (lines.number == 0)
    return failed(path + said(japanese, ": the file is empty", ": ファイルが空です"));
  return nodes;
}

}  // namespace tenbin
