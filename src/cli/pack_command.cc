#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"
#include "cli/table.h"
#include "cli/trace_report.h"
#include "cli/width.h"
#include "codec/json.h"
#include "twin/pack.h"

// `tenbin pack`: the packing experiment on openb's lists of nodes and pods.

namespace tenbin::cli {

namespace {

std::string two_decimals(double value) {
  return fmt::format("{:.2f}", value);
}

void print_json(const Context& context, const PackResult& result, std::string_view policy,
                const PackOptions& options) {
  std::string json;
  JsonWriter out(json);
  out.begin_object()
      .member("policy", policy)
      .member("placement", name_of(options.placement))
      .member("seed", options.seed)
      .member("nodes", result.nodes)
      .member("nodes_left_out", result.nodes_without_gpu)
      .member("gpus", result.capacity.count / 1'000)
      .member("jobs_arrived", result.arrived)
      .member("jobs_placed", result.placed)
      .member("targets", result.targets)
      .member("events", result.events)
      .member("history", fmt::format("{:016x}", result.history));
  out.key("points").begin_array();
  for (const PackPoint& point : result.points) {
    out.begin_object().member("arrived_percent", std::int64_t{point.arrived});
    out.key("allocated_percent").raw(fmt::format("{:.4f}", point.allocated));
    out.key("fragmented_percent").raw(fmt::format("{:.4f}", point.fragmented));
    out.end_object();
  }
  out.end_array().end_object();
  context.print_line(json);
}

}  // namespace

Outcome<int> pack(Context& context, const Words& words) {
  std::string nodes_path, pods_path, policy = "fgd", seed;
  Options options(*words.command, "NODES PODS");
  options.word("NODES", nodes_path, Options::Need::required)
      .word("PODS", pods_path, Options::Need::required)
      .value("--policy", "random|dotprod|clustering|packing|bestfit|fgd", policy,
             Phrase::opt_pack_policy)
      .value("--seed", "N", seed, Phrase::opt_pack_seed);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());

  const bool japanese = context.look.language == Language::japanese;
  PackOptions how{.japanese = japanese};
  const auto placement = packing_policy(policy);
  if (!placement) {
    std::string names = joined(packing_policies());
    for (const std::string_view name : enum_names(Placement{})) {
      if (names.find(name) == std::string::npos) names += ", " + std::string(name);
    }
    return stop(Exit::usage, "usage", context.say(Phrase::pack_no_policy, policy),
                context.say(Phrase::hint_pack_policy, names));
  }
  how.placement = *placement;
  if (!seed.empty()) {
    const auto number = parse_whole(seed, 0, UINT64_MAX);
    if (!number) return stop(Exit::usage, "usage", context.say(Phrase::pack_bad_seed, seed));
    how.seed = *number;
  }

  const auto unreadable = [&](const Error& error) {
    return stop(Exit::failed, "trace_unreadable", error.what,
                context.say(Phrase::pack_unreadable_hint));
  };
  for (const std::string& path : {nodes_path, pods_path}) {
    if (auto there = there_is(context, path); !there) return std::unexpected(there.error());
  }
  const auto nodes = read_openb_nodes(nodes_path, japanese);
  if (!nodes) return unreadable(nodes.error());
  const auto pods =
      read_trace(pods_path, {.format = TraceFormat::openb, .cpu_jobs = true, .japanese = japanese});
  if (!pods) return unreadable(pods.error());
  const auto result = tenbin::pack(*nodes, pods->jobs, pods->names, how);
  if (!result) return stop(Exit::failed, "cannot_pack", result.error().what);

  report(context, pods->info, pods->problems);
  if (result->nodes_without_gpu > 0)
    context.note(context.say(Phrase::pack_nodes_left_out, result->nodes_without_gpu));
  if (context.format == Format::json) {
    print_json(context, *result, policy, how);
    return code(Exit::ok);
  }
  Table table({{"arrived_percent", Phrase::col_pack_arrived, Kind::number},
               {"allocated_percent", Phrase::col_pack_allocated, Kind::number},
               {"fragmented_percent", Phrase::col_pack_fragmented, Kind::number}});
  for (const PackPoint& point : result->points) {
    table.add({std::to_string(point.arrived), two_decimals(point.allocated),
               two_decimals(point.fragmented)});
  }
  table.print(context);
  if (context.format == Format::table) {
    context.note(context.say(Phrase::pack_summary, result->nodes, result->capacity.count / 1'000,
                             result->arrived, result->placed, result->targets));
  }
  return code(Exit::ok);
}

}  // namespace tenbin::cli
