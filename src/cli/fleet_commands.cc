#include <string>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/watch.h"

namespace tenbin::cli {

namespace {

// Calls visit(region, pool) for each pool of each region.
template <class Visit>
void each_pool(JsonValue fleet, Visit visit) {
  fleet["regions"].each_item([&](JsonValue region) {
    return region["pools"].each_item([&](JsonValue pool) {
      visit(region, pool);
      return true;
    });
  });
}

// "4", or "3/4" if not all of them take work.
std::string nodes_text(JsonValue nodes) {
  std::size_t up = 0;
  nodes.each_item([&](JsonValue node) {
    up += node["state"].text() == "up";
    return true;
  });
  const std::string all = std::to_string(nodes.size());
  return up == nodes.size() ? all : std::to_string(up) + "/" + all;
}

Table pools_table(JsonValue fleet) {
  Table table({{"region", Phrase::col_region},
               {"pool", Phrase::col_pool},
               {"provider", Phrase::col_provider},
               {"gpu_model", Phrase::col_gpu_model},
               {"nodes_up", Phrase::col_nodes_up, Kind::number},
               {"gpus", Phrase::col_gpus, Kind::number},
               {"gpus_free", Phrase::col_gpus_free, Kind::number},
               {"gpu_hour", Phrase::col_gpu_hour, Kind::credits}});
  each_pool(fleet, [&](JsonValue region, JsonValue pool) {
    table.add({raw_text(region["name"]), raw_text(pool["name"]), raw_text(pool["provider"]),
               raw_text(pool["gpu_model"]), nodes_text(pool["nodes"]), raw_text(pool["gpus"]),
               raw_text(pool["gpus_free"]), raw_text(pool["price"]["gpu_hour"])});
  });
  return table;
}

Table nodes_table(JsonValue fleet) {
  Table table({{"region", Phrase::col_region},
               {"pool", Phrase::col_pool},
               {"node", Phrase::col_node},
               {"state", Phrase::col_state, Kind::word},
               {"gpus", Phrase::col_gpus, Kind::number},
               {"gpus_free", Phrase::col_gpus_free, Kind::number},
               {"jobs", Phrase::col_jobs}});
  each_pool(fleet, [&](JsonValue region, JsonValue pool) {
    pool["nodes"].each_item([&](JsonValue node) {
      table.add({raw_text(region["name"]), raw_text(pool["name"]), raw_text(node["name"]),
                 raw_text(node["state"]), raw_text(node["gpus"]), raw_text(node["gpus_free"]),
                 raw_text(node["jobs"])});
      return true;
    });
  });
  return table;
}

Outcome<int> change_node(Context& context, const Words& words, std::string_view verb, Phrase about,
                         Phrase done) {
  std::string node;
  const std::string name = "node " + std::string(verb);
  Options options(name, "NODE", about);
  options.word("NODE", node, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto answer = Service(context).post(path("/v1/nodes/", node, "/" + std::string(verb)));
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json)
    print_json(context, answer->body);
  else
    context.print_line(context.say(done, node));
  return 0;
}

}  // namespace

Outcome<int> fleet(Context& context, const Words& words) {
  bool nodes = false, watch = false;
  Options options("fleet", "[--nodes] [--watch]", Phrase::fleet_about);
  options.flag("--nodes", nodes, Phrase::opt_nodes).flag("-w,--watch", watch, Phrase::opt_watch);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto show = [&](Context& to, Service& service) -> Outcome<bool> {
    const auto answer = service.get("/v1/fleet");
    if (!answer) return std::unexpected(answer.error());
    if (to.format == Format::json)
      print_json(to, answer->body);
    else
      (nodes ? nodes_table(answer->json) : pools_table(answer->json)).print(to);
    return !watch;
  };
  if (watch) return watched(context, {}, show);
  Service service(context);
  const auto shown = show(context, service);
  if (!shown) return std::unexpected(shown.error());
  return 0;
}

Outcome<int> node_drain(Context& context, const Words& words) {
  return change_node(context, words, "drain", Phrase::node_drain_about, Phrase::node_drained);
}

Outcome<int> node_resume(Context& context, const Words& words) {
  return change_node(context, words, "resume", Phrase::node_resume_about, Phrase::node_resumed);
}

Outcome<int> node_evacuate(Context& context, const Words& words) {
  return change_node(context, words, "evacuate", Phrase::node_evacuate_about,
                     Phrase::node_evacuated);
}

}  // namespace tenbin::cli
