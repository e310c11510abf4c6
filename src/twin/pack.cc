#include "twin/pack.h"

#include <algorithm>
#include <map>
#include <string>
#include <tuple>

#include "base/rng.h"
#include "core/limits.h"
#include "core/schedule/schedule.h"
#include "twin/fragmentation.h"

namespace tenbin {

namespace {

constexpr Instant start{};
constexpr Span limit{3'600'000};  // of every job: nothing ever ends

struct Named {
  std::string_view name;
  Placement placement;
};
constexpr std::array policies{
    Named{"random", Placement::random},         Named{"dotprod", Placement::dot_product},
    Named{"clustering", Placement::clustering}, Named{"packing", Placement::packing},
    Named{"bestfit", Placement::tightest},      Named{"fgd", Placement::fragmentation}};

/// A World with the nodes, and a project that can pay for all.
class Fleet {
 public:
  World world;
  std::vector<GpuModelId> models;  // of the names in the trace
  std::uint32_t largest_node = 0;
  Gpus capacity;
  std::uint64_t nodes = 0, left_out = 0;

  std::optional<std::string> build(const std::vector<FleetNode>& list, const TraceNames& names,
                                   bool japanese) {
    tell(DeclareProvider{"pack", ""});
    tell(DeclareRegion{"pack", ""});
    using Kind = std::tuple<std::int64_t, std::int64_t, std::uint32_t, std::string>;
    std::map<Kind, std::string> pools;
    for (const FleetNode& node : list) {
      if (node.gpus == 0) {
        ++left_out;
        continue;
      }
      std::string& pool = pools[{node.cpus.count, node.memory.count, node.gpus, node.model}];
      if (pool.empty()) {
        if (pools.size() > pools_max) {
          return japanese ? "ノードの種類が " + std::to_string(pools_max) +
                                " を超えています。種類をまとめるか、一覧を分けてください"
                          : "more than " + std::to_string(pools_max) +
                                " kinds of nodes; merge kinds or split the list";
        }
        pool = "kind-" + std::to_string(pools.size());
        const std::string model = model_name(node.model);
        tell(DeclarePool{.name = pool,
                         .provider = "pack",
                         .region = "pack",
                         .gpu_model = model,
                         .gpus_per_node = node.gpus,
                         .cpus = node.cpus,
                         .memory = node.memory});
        tell(SetPrice{pool, Credits{1'000'000}, 1'000'000});
      }
      tell(DeclareNode{"node-" + std::to_string(nodes), pool, 0});
      ++nodes;
      capacity += Gpus{std::int64_t{node.gpus} * 1'000};
      largest_node = std::max(largest_node, node.gpus);
    }
    if (nodes == 0)
      return japanese ? "GPU のあるノードがありません" : "there is no node with a GPU";
    for (const std::string& name : names.models) {
      const auto known = named_.find(name);
      models.push_back(known == named_.end() ? GpuModelId{}
                                             : world.index.models.find(known->second)->second);
    }
    constexpr std::int64_t credits = money_max;
    tell(DeclareFunder{"pack", "", {money_max, {'J', 'P', 'Y'}}, Credits{1'000'000}});
    tell(DeclareProgramme{"pack", ""});
    tell(DeclareOrganisation{"pack", ""});
    tell(DeclareGrant{"pack", "", "pack", "pack"});
    tell(DeclareLot{"pack", "pack", "pack", {money_max, {'J', 'P', 'Y'}}, start, instant_max, {}});
    tell(DeclareProject{"pack", "", "pack"});
    tell(DeclareAllocation{"pack", "pack", "pack", Credits{credits * 1'000'000}, ""});
    return std::nullopt;
  }

  void tell(Command command) {
    facts.clear();
    const Decision decision = apply(world, {.command = std::move(command)}, start, facts);
    TENBIN_ASSERT(decision.has_value());
  }

  /// The fleet's name of a model, so that it may be one.
  const std::string& model_name(const std::string& model) {
    std::string& name = named_[model];
    if (name.empty()) name = "model-" + std::to_string(named_.size());
    return name;
  }
  Text name_of(const std::string& model) const {
    const auto known = named_.find(model);
    return known == named_.end() ? Text{} : Text{known->second};
  }

  Facts facts;

 private:
  std::map<std::string, std::string> named_;
};

/// Numbers below `count` in an order drawn with `rng`.
std::vector<std::size_t> shuffled(std::size_t count, Rng& rng) {
  std::vector<std::size_t> order(count);
  for (std::size_t i = 0; i < count; ++i) order[i] = i;
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
  return order;
}

/// The nodes in an order drawn with a seed.
std::vector<FleetNode> in_any_order(const std::vector<FleetNode>& nodes, std::uint64_t seed) {
  Rng rng(~seed);
  std::vector<FleetNode> result;
  result.reserve(nodes.size());
  for (const std::size_t i : shuffled(nodes.size(), rng)) result.push_back(nodes[i]);
  return result;
}

/// All jobs in an order of their own, then any of them, again and again.
class Arrivals {
 public:
  Arrivals(std::size_t jobs, std::uint64_t seed) : rng_(seed), order_(shuffled(jobs, rng_)) {}
  std::size_t next() {
    return at_ < order_.size() ? order_[at_++]
                               : static_cast<std::size_t>(rng_.below(order_.size()));
  }

 private:
  Rng rng_;
  std::vector<std::size_t> order_;
  std::size_t at_ = 0;
};

/// Gathers the means over arrivals within half a per cent.
class Curve {
 public:
  void add(Wide arrived, Wide capacity, double allocated, double fragmented) {
    const auto at = static_cast<std::size_t>((arrived * 200 + capacity) / (2 * capacity));
    if (at >= sums_.size()) sums_.resize(at + 1);
    ++sums_[at].count;
    sums_[at].allocated += allocated;
    sums_[at].fragmented += fragmented;
  }
  std::vector<PackPoint> points(std::size_t last) const {
    std::vector<PackPoint> points;
    PackPoint point;
    for (std::size_t p = 0; p <= last; ++p) {
      point.arrived = static_cast<std::uint32_t>(p);
      if (p < sums_.size() && sums_[p].count > 0) {
        point.allocated = sums_[p].allocated / static_cast<double>(sums_[p].count);
        point.fragmented = sums_[p].fragmented / static_cast<double>(sums_[p].count);
      }
      points.push_back(point);
    }
    return points;
  }

 private:
  struct Sum {
    std::uint64_t count = 0;
    double allocated = 0, fragmented = 0;
  };
  std::vector<Sum> sums_;
};

}  // namespace

std::optional<Placement> packing_policy(std::string_view name) {
  for (const Named& p : policies) {
    if (p.name == name) return p.placement;
  }
  const auto names = enum_names(Placement{});
  const auto known = std::ranges::find(names, name);
  if (known == names.end()) return std::nullopt;
  return static_cast<Placement>(known - names.begin());
}

std::vector<std::string_view> packing_policies() {
  std::vector<std::string_view> names;
  for (const Named& p : policies) names.push_back(p.name);
  return names;
}

Result<PackResult> pack(const std::vector<FleetNode>& nodes, const std::vector<TraceJob>& jobs,
                        const TraceNames& names, const PackOptions& options) {
  Fleet fleet;
  if (auto wrong = fleet.build(in_any_order(nodes, options.seed), names, options.japanese))
    return failed(*wrong);
  if (std::ranges::none_of(jobs, [](const TraceJob& j) { return j.shape.gpus > Gpus{0}; })) {
    return failed(options.japanese ? "GPU を要求するジョブがありません" : "no job asks for a GPU");
  }
  World& world = fleet.world;
  Facts& facts = fleet.facts;
  std::vector<Target> targets =
      typical_targets(jobs, fleet.models, fleet.largest_node, options.cover_ppm);
  fleet.tell(SetPolicy{{.backfill = Backfill::none,
                        .placement = options.placement,
                        .seed = options.seed,
                        .cpu_jobs = true},
                       targets});

  PackResult result;
  result.nodes = fleet.nodes;
  result.nodes_without_gpu = fleet.left_out;
  result.capacity = fleet.capacity;
  result.targets = targets.size();
  Fragmentation fragmentation(world, std::move(targets));
  const auto capacity = static_cast<double>(fleet.capacity.count);

  const Asked schedule{.command = Schedule{}};
  Asked asked_job{.command = SubmitJob{}}, asked_cancel{.command = CancelJob{}};
  SubmitJob& submit = std::get<SubmitJob>(asked_job.command);
  submit.project = "pack";
  submit.time_limit = limit;
  std::vector<Text> models;
  Arrivals arrivals(jobs.size(), options.seed);
  Curve curve;
  Gpus asked, given;
  const Wide until = Wide{fleet.capacity.count} * options.until_ppm;
  Instant now = start;
  while (Wide{asked.count} * 1'000'000 < until) {
    const TraceJob& job = jobs[arrivals.next()];
    now = now + Span{1};
    ++result.arrived;
    asked += job.shape.all_gpus();
    submit.shape = job.shape;
    models.clear();
    bool possible = true;
    for (std::size_t m = 0; m < names.models.size(); ++m) {
      if (!(job.models >> m & 1)) continue;
      const Text name = fleet.name_of(names.models[m]);
      if (!name.empty()) models.push_back(name);
    }
    if (job.models != 0 && models.empty()) possible = false;  // the fleet has none of them
    submit.models = models;
    facts.clear();
    const Decision queued =
        possible ? apply(world, asked_job, now, facts) : std::unexpected(Refusal{});
    if (queued) {
      const std::size_t submitted = facts.size();
      static_cast<void>(apply(world, schedule, now, facts));
      bool placed = false;
      for (std::size_t i = submitted; i < facts.size(); ++i) {
        placed = placed || std::holds_alternative<JobStarted>(facts[i]);
        fragmentation.after(world, facts[i]);
      }
      if (placed) {
        ++result.placed;
        given += job.shape.all_gpus();
      } else {
        std::get<CancelJob>(asked_cancel.command).job = JobId{*queued};
        const Decision cancelled = apply(world, asked_cancel, now, facts);
        TENBIN_ASSERT(cancelled.has_value());
      }
    }
    result.events += facts.size();
    curve.add(asked.count, fleet.capacity.count,
              100.0 * static_cast<double>(given.count) / capacity, fragmentation.percent());
  }
  result.points = curve.points(static_cast<std::size_t>(options.until_ppm / 10'000));
  result.history = world.history;
  return result;
}

}  // namespace tenbin
