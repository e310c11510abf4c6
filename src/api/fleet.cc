#include <map>

#include "api/api.h"

namespace tenbin {

namespace {

void write_price(JsonWriter& out, const World& world, const Pool& pool) {
  out.key("price");
  if (pool.prices.empty()) {
    out.null();
    return;
  }
  const Price& price = world.prices.at(pool.prices.back());
  out.begin_object().member("gpu_hour", text_of(price.gpu_hour));
  out.member("fraction_factor", format_decimal(price.fraction_ppm, 6)).end_object();
}

}  // namespace

void Api::fleet(const CallPtr& call) {
  std::string body = live_.read([&](const World& world) {
    std::map<NodeId, std::vector<JobId>> on_node;
    world.pools.each([&](PoolId, const Pool& pool) {
      for (const JobId id : pool.running) {
        const Job& job = world.jobs.at(id);
        if (!may_see(world, call->caller, job.project)) continue;
        for (const Slice& slice : job.slices) on_node[slice.node].push_back(id);
      }
    });
    for (auto& [node, jobs] : on_node) std::ranges::sort(jobs);
    std::string text;
    JsonWriter out(text);
    out.begin_object().key("regions").begin_array();
    world.regions.each([&](RegionId region, const Region& r) {
      out.begin_object().member("name", r.name).member("title", r.title).key("pools").begin_array();
      world.pools.each([&](PoolId, const Pool& pool) {
        if (pool.region != region) return;
        const auto all = Gpus{std::int64_t{pool.gpus_per_node} * 1'000 *
                              static_cast<std::int64_t>(pool.nodes.size())};
        out.begin_object()
            .member("name", pool.name)
            .member("provider", world.providers.at(pool.provider).name);
        out.member("gpu_model", world.models.at(pool.model).name)
            .member("gpus_per_node", pool.gpus_per_node);
        out.member("gpus", text_of(all + pool.counted)).member("gpus_free", text_of(pool.free));
        write_price(out, world, pool);
        out.key("nodes").begin_array();
        for (const NodeId id : pool.nodes) {
          const Node& node = world.nodes.at(id);
          out.begin_object().member("name", node.name);
          out.member("state", name_of(node.state));
          out.member("gpus", std::to_string(pool.gpus_per_node))
              .member("gpus_free", text_of(node.free()));
          out.key("jobs").begin_array();
          for (const JobId job : on_node[id]) out.value(job.value);
          out.end_array().end_object();
        }
        out.end_array().end_object();
      });
      out.end_array().end_object();
    });
    out.end_array().end_object();
    return text;
  });
  call->reply(ok(std::move(body)));
}

void Api::set_node(const CallPtr& call, const std::string& node, const std::string& verb) {
  const auto id = request_id(call);
  if (!id) return;
  Message message;
  message.asked.request = *id;
  const Text name = message.texts.text(node);
  if (verb == "resume") {
    message.asked.command = ResumeNode{name};
  } else if (verb == "evacuate") {
    message.asked.command = EvacuateNode{name};
  } else {
    message.asked.command = DrainNode{name};
  }
  ask(call, std::move(message), [this, node](const Answer&) {
    return ok(live_.read([&](const World& world) {
      const NodeId n = world.index.nodes.find(node)->second;
      std::string text;
      JsonWriter out(text);
      out.begin_object().member("node", node);
      out.member("state", name_of(world.nodes.at(n).state)).end_object();
      return text;
    }));
  });
}

}  // namespace tenbin
