#include "twin/generate.h"

#include <algorithm>
#include <bit>
#include <span>

#include "base/rng.h"
#include "core/limits.h"
#include "twin/generate_tables.h"
#include "twin/traces/bytes.h"

namespace tenbin {

namespace {

using traces::said;

constexpr std::int64_t hour_ms = 3'600'000;
constexpr Instant monday{1'704'067'200'000};  // 2024-01-01T00:00:00Z

// ---- whole-number arithmetic: the same on every machine ----

/// The logarithm to base 2 in steps of 2^-20; value > 0.
std::int64_t log2_of(std::uint64_t value) {
  const int width = static_cast<int>(std::bit_width(value)) - 1;
  // The ten bits below the first, and the rest for going between two entries.
  const std::uint64_t mantissa = width >= 40 ? value >> (width - 40) : value << (40 - width);
  const std::uint64_t index = (mantissa >> 30) & 1'023, rest = mantissa & ((1u << 30) - 1);
  const std::uint64_t low = tables::logarithms[index], high = tables::logarithms[index + 1];
  return (std::int64_t{width} << 20) + static_cast<std::int64_t>(low + ((high - low) * rest >> 30));
}

/// 2 to that power, rounded down; below 2^62.
std::int64_t power_of(std::int64_t log2) {
  const std::int64_t whole = log2 >> 20;
  const auto part = static_cast<std::uint64_t>(log2 & ((1 << 20) - 1));
  const std::uint64_t low = tables::powers[part >> 10], high = tables::powers[(part >> 10) + 1];
  const std::uint64_t mantissa = low + ((high - low) * (part & 1'023) >> 10);
  if (whole >= 30) return static_cast<std::int64_t>(mantissa << (whole - 30));
  return whole < 0 ? 0 : static_cast<std::int64_t>(mantissa >> (30 - whole));
}

/// A logarithm to base 2, in steps of 2^-20, that is as good as normally distributed: twelve dice
/// have a variance of one. `sigma` in steps of 2^-20.
std::int64_t normal(Rng& rng, std::int64_t sigma) {
  std::int64_t sum = 0;
  for (int i = 0; i < 12; ++i) sum += static_cast<std::int64_t>(rng.next() >> 44);  // 20 bits
  sum -= 6 << 20;
  return static_cast<std::int64_t>(Wide{sum} * sigma / (1 << 20));
}

/// The index of the part in which a number below the sum of all parts falls.
std::size_t fall(std::span<const std::uint32_t> parts, std::uint64_t at) {
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (at < parts[i]) return i;
    at -= parts[i];
  }
  return parts.size() - 1;
}

// ---- what a preset is ----

constexpr std::size_t bands = 8;
// In thousandths of the mean, hour by hour of a day and day by day of a week from Monday on.
using Day = std::array<std::uint32_t, 24>;
using Week = std::array<std::uint32_t, 7>;
// Saturn of Helios.
constexpr Day calm{870,   890,   710,   650,   610,   560,   530,   530,
                   590,   860,   1'140, 1'240, 1'080, 1'150, 1'280, 1'460,
                   1'500, 1'360, 1'120, 1'160, 1'260, 1'220, 1'090, 1'120};
// Uranus of Helios: people sleep.
constexpr Day human{706,   618,   361,   215,   226,   331,   427,   254,
                    313,   684,   1'085, 1'229, 1'515, 1'393, 1'595, 1'534,
                    1'757, 1'430, 1'121, 1'323, 1'417, 1'203, 1'273, 1'099};
constexpr Week philly_week{854, 1'092, 1'029, 1'246, 1'414, 693, 672};
constexpr Week work_week{1'150, 1'200, 1'200, 1'200, 1'150, 600, 500};

/// Time limits as people choose them, in minutes.
constexpr std::array<std::int64_t, 18> usual_limits{
    5,     10,    15,    30,    60,     120,    240,    480,     720,
    1'440, 2'880, 4'320, 7'200, 10'080, 20'160, 43'200, 129'600, 576'000};

struct Preset {
  std::span<const std::int64_t> edges;   // run time between the bands
  std::span<const std::uint32_t> cells;  // jobs by size and band, of 10^9
  std::span<const std::uint32_t> ends;   // of a million, for each cell
  std::span<const std::uint32_t> kinds;  // the same for kinds of work, where there are any
  std::span<const std::string_view> kind_names;
  const Day& day;
  const Week& week;
  std::int64_t burst;          // sigma of an hour's rate, to base 2, in steps of 2^-20
  std::uint32_t batches_ppm;   // how often more than one job comes at once
  std::uint32_t estimate_max;  // limits are up to so many times the run time, in thousandths
  std::int64_t gpus;           // of the cluster
  std::uint32_t owners;        // virtual clusters
};

constexpr std::array<std::string_view, 6> llm_kinds{"Eval", "SFT",   "Other",
                                                    "MLLM", "Debug", "Pretrain"};

Preset preset_of(TracePreset preset) {
  switch (preset) {
    case TracePreset::philly:
      return {tables::philly_edges,
              tables::philly_cells,
              tables::philly_ends,
              {},
              {},
              calm,
              philly_week,
              2'200'000,
              40'000,
              2'300,
              2'490,
              14};
    case TracePreset::helios:
      return {tables::helios_edges,
              tables::helios_cells,
              tables::helios_ends,
              {},
              {},
              calm,
              work_week,
              1'300'000,
              40'000,
              2'300,
              2'080,
              20};
    case TracePreset::llm_dev:
      return {tables::llm_dev_edges,
              tables::llm_dev_cells,
              tables::llm_dev_ends,
              tables::llm_dev_kinds,
              llm_kinds,
              calm,
              work_week,
              1'400'000,
              80'000,
              2'300,
              2'288,
              6};
    case TracePreset::university:
      return {tables::university_edges,
              tables::university_cells,
              tables::university_ends,
              {},
              {},
              human,
              work_week,
              1'200'000,
              60'000,
              20'000,
              512,
              12};
  }
  return preset_of(TracePreset::philly);
}

/// Draws what jobs are, batch by batch, without when they come.
class Jobs {
 public:
  Jobs(const Preset& preset, const GenerateOptions& options)
      : preset_(preset), rng_(options.seed * 4 + 1) {
    // A user for every two hundred jobs, as in the traces that name them.
    users_ = std::clamp<std::uint64_t>(options.jobs / 200, 8, 2'000);
    for (const std::int64_t edge : preset.edges)
      logs_.push_back(log2_of(static_cast<std::uint64_t>(edge)));
    std::uint64_t sum = 0;
    for (const std::uint32_t cell : preset.cells) upto_.push_back(sum += cell);
  }

  std::uint64_t users() const { return users_; }

  /// The next job's shape, times, user, owner and end.
  void next(TraceJob& job) {
    if (left_ == 0) begin_batch();
    --left_;
    const std::size_t cell = cell_;
    const std::size_t band = cell % bands;
    job.shape = whole_gpus(std::int64_t{1} << (cell / bands));
    const std::int64_t width = logs_[band + 1] - logs_[band];
    const std::int64_t log =
        logs_[band] + static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(width) + 1));
    job.runtime = Span{power_of(log)};
    job.end = static_cast<TraceEnd>(fall(preset_.ends.subspan(3 * cell, 3), rng_.below(1'000'000)));
    job.user = user_;
    if (preset_.kinds.empty()) {
      job.owner = owner_of(user_);
    } else {
      const std::size_t kinds = preset_.kind_names.size();
      job.owner = static_cast<std::uint32_t>(
          fall(preset_.kinds.subspan(kinds * cell, kinds), rng_.below(1'000'000)));
    }
    // One in eight asks for a week, the others for some times what they need, rounded up to what
    // people usually write.
    guess_ = rng_.below(8) == 0 ? 0 : 1'000 + rng_.below(preset_.estimate_max - 1'000);
  }
  /// The limit that goes with the last job, once its run time is settled.
  Span limit(Span runtime) const {
    const std::int64_t week = 10'080;
    const Wide wanted = guess_ == 0 ? Wide{week} * 60'000 : Wide{runtime.count} * guess_ / 1'000;
    for (const std::int64_t minutes : usual_limits) {
      if (wanted <= minutes * 60'000 && runtime.count <= minutes * 60'000)
        return Span{minutes * 60'000};
    }
    return std::max(runtime, Span{usual_limits.back() * 60'000});
  }
  bool batch_goes_on() const { return left_ > 0; }

 private:
  void begin_batch() {
    left_ = 1;
    if (rng_.chance(preset_.batches_ppm)) {
      left_ = 2;
      while (left_ < 64 && rng_.chance(550'000)) ++left_;
    }
    const std::uint64_t at = rng_.below(1'000'000'000);
    cell_ = static_cast<std::size_t>(std::ranges::upper_bound(upto_, at) - upto_.begin());
    user_ = draw_user();
  }
  /// The most active first: their parts follow a log-normal law.
  std::uint32_t draw_user() {
    const auto at = static_cast<std::uint32_t>(rng_.below(1'000'000));
    const auto step = std::ranges::upper_bound(tables::users, at) - tables::users.begin() - 1;
    const std::uint64_t low = tables::users[static_cast<std::size_t>(step)],
                        high = tables::users[static_cast<std::size_t>(step) + 1];
    const std::uint64_t between = (at - low) * 1'000'000 / (high - low);
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(step) * 1'000'000 + between) *
                                      users_ / 256'000'000);
  }
  /// The first owners have the most people.
  std::uint32_t owner_of(std::uint32_t user) const {
    Rng rng{0x7E4B14u + user};
    const std::uint64_t a = rng.below(preset_.owners), b = rng.below(preset_.owners);
    return static_cast<std::uint32_t>(std::min(a, b));
  }

  Preset preset_;
  Rng rng_;
  std::uint64_t users_ = 0;
  std::vector<std::int64_t> logs_;
  std::vector<std::uint64_t> upto_;
  std::uint64_t left_ = 0, guess_ = 0;
  std::size_t cell_ = 0;
  std::uint32_t user_ = 0;
};

class Generated final : public TraceSource {
 public:
  explicit Generated(const GenerateOptions& options)
      : options_(options), preset_(preset_of(options.preset)), jobs_(preset_, options) {
    info_.format = TraceFormat::binary;
    info_.limits = info_.owners = info_.ends = info_.dated = true;
    for (std::uint64_t user = 0; user < jobs_.users(); ++user)
      names_.users.push_back("u" + std::to_string(user + 1));
    for (std::uint32_t owner = 0; owner < preset_.owners; ++owner) {
      names_.owners.push_back(owner < preset_.kind_names.size()
                                  ? std::string(preset_.kind_names[owner])
                                  : "vc" + std::to_string(owner + 1));
    }
  }

  /// Looks at all jobs once for what they hold in all, and settles how long the trace is.
  Result<void> settle() {
    Jobs all(preset_, options_);
    Wide held = 0;  // GPU-ms
    std::int64_t longest = 0;
    TraceJob job;
    for (std::uint64_t n = 0; n < options_.jobs; ++n) {
      all.next(job);
      held += Wide{job.gpus()} * job.runtime.count;
      longest = std::max(longest, job.runtime.count);
    }
    const Wide gpus = options_.gpus.value_or(preset_.gpus);
    const Wide load = options_.load_ppm.value_or(800'000);
    Wide ms = 0;
    if (options_.days) {
      ms = Wide{*options_.days} * 86'400'000;
      if (options_.load_ppm) {
        // How much longer all have to run, in millionths.
        stretch_ppm_ = gpus * load * ms / held;
        if (Wide{longest} * stretch_ppm_ / 1'000'000 > time_limit_max.count ||
            stretch_ppm_ < 1'000) {
          return failed(
              said(options_.japanese,
                   "so few days, jobs and GPUs cannot make that load: with these, run "
                   "times would have to be multiplied by ",
                   "この日数・ジョブ数・GPU数・負荷を同時に満たすには、実行時間を次の倍率に"
                   "する必要があり、無理があります: ") +
              std::to_string(static_cast<std::int64_t>(stretch_ppm_ / 1'000'000)) + "." +
              std::to_string(static_cast<std::int64_t>(stretch_ppm_ / 1'000 % 1'000)));
        }
      }
    } else {
      ms = std::max<Wide>(hour_ms, held * 1'000'000 / (gpus * load));
    }
    if (ms > Wide{3'650} * 86'400'000) {
      return failed(
          said(options_.japanese,
               "the trace would be longer than ten years; ask for fewer jobs, more GPUs "
               "or more load",
               "トレースが10年を超えます。ジョブ数を減らすか、GPU数か負荷を増やしてください"));
    }
    const auto hours = static_cast<std::uint64_t>((ms + hour_ms - 1) / hour_ms);
    // Hours differ by the time of week, and by chance that lasts for an hour and for a day.
    Rng rng{options_.seed * 4 + 2};
    std::int64_t day_log = 0;
    for (std::uint64_t hour = 0; hour < hours; ++hour) {
      if (hour % 24 == 0) day_log = normal(rng, preset_.burst / 2);
      const std::int64_t log = (20 << 20) + day_log + normal(rng, preset_.burst);
      const Wide usual = Wide{preset_.day[hour % 24]} * preset_.week[hour / 24 % 7];
      const Wide rate = usual * power_of(std::clamp<std::int64_t>(log, 0, 40 << 20)) / 1'000'000;
      weight_ += rate + 1;
      upto_.push_back(weight_);
    }
    end_ms_ = static_cast<std::int64_t>(ms);
    return {};
  }

  Result<bool> next(TraceJob& job) override {
    while (at_ == batch_.size()) {
      if (given_ == options_.jobs) return false;
      fill_hour();
    }
    job = batch_[at_++];
    return true;
  }
  const TraceNames& names() const override { return names_; }
  const TraceProblems& problems() const override { return problems_; }
  const TraceInfo& info() const override { return info_; }

 private:
  void fill_hour() {
    batch_.clear();
    at_ = 0;
    const auto upto = static_cast<std::uint64_t>(Wide{options_.jobs} * upto_[hour_] / weight_);
    const std::int64_t begin = static_cast<std::int64_t>(hour_) * hour_ms;
    const auto length = static_cast<std::uint64_t>(std::min(hour_ms, end_ms_ - begin));
    ++hour_;
    Instant submit;
    bool together = false;
    for (; given_ < upto; ++given_) {
      TraceJob job;
      // Whole milliseconds are finer than logs are: they have seconds.
      if (!together)
        submit = Instant{monday.ms + begin +
                         static_cast<std::int64_t>(
                             arrivals_.below(std::max<std::uint64_t>(length, 1)) / 1'000 * 1'000)};
      jobs_.next(job);
      together = jobs_.batch_goes_on();
      job.submit = submit;
      if (stretch_ppm_ != 1'000'000) {
        job.runtime = Span{std::max<std::int64_t>(
            1'000, static_cast<std::int64_t>(Wide{job.runtime.count} * stretch_ppm_ / 1'000'000))};
      }
      job.limit = jobs_.limit(job.runtime);
      batch_.push_back(job);
    }
    std::ranges::stable_sort(batch_, {}, &TraceJob::submit);
    for (TraceJob& job : batch_) job.id = ++id_;
  }

  GenerateOptions options_;
  Preset preset_;
  Jobs jobs_;
  Rng arrivals_{options_.seed * 4 + 3};
  Wide stretch_ppm_ = 1'000'000;
  std::vector<Wide> upto_;  // weight of all hours so far
  Wide weight_ = 0;
  std::int64_t end_ms_ = 0;
  std::uint64_t hour_ = 0, given_ = 0, id_ = 0;
  std::vector<TraceJob> batch_;
  std::size_t at_ = 0;
  TraceNames names_;
  TraceProblems problems_;
  TraceInfo info_;
};

}  // namespace

Result<std::unique_ptr<TraceSource>> generate_trace(const GenerateOptions& options) {
  auto generated = std::make_unique<Generated>(options);
  if (auto good = generated->settle(); !good) return std::unexpected(good.error());
  return generated;
}

}  // namespace tenbin
