#include <map>

#include "api/api.h"
#include "core/fleet/room.h"

namespace tenbin {

namespace {

void write_money(JsonWriter& out, std::string_view name, const Money& money) {
  out.key(name).begin_object().member("amount", text_of_amount(money));
  out.member("currency", std::string_view(money.currency.data(), money.currency.size()))
      .end_object();
}

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

template <class Rows, class Write>
void each_row(JsonWriter& out, const Rows& rows, Write&& write) {
  rows.each([&](auto id, const auto& row) {
    out.begin_object();
    if constexpr (requires { row.name; }) out.member("name", row.name);
    if constexpr (requires { row.title; }) out.member("title", row.title);
    write(id, row);
    out.end_object();
  });
}

constexpr auto nothing_more = [](auto, const auto&) {};

}  // namespace

void Api::list(const CallPtr& call, std::string_view kind) {
  // Lists show what one may see; who could never see any of a kind is told so.
  const bool some = live_.read([&](const World& world) {
    return kind == "funder"         ? may_see(world, call->caller, Question::funders)
           : kind == "organisation" ? may_see(world, call->caller, Question::organisations)
           : kind == "person"       ? may_see(world, call->caller, Question::person)
           : kind == "programme" || kind == "grant" || kind == "lot"
               ? may_see(world, call->caller, Question::programme)
               : true;
  });
  if (!some) return call->reply(problem(refuse(Reason::not_permitted), call->caller.language));
  std::string body = live_.read([&](const World& world) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().key("items").begin_array();
    if (kind == "funder") {
      each_row(out, world.funders, [&](FunderId, const Funder& f) {
        write_money(out, "commitment", f.commitment);
        const Account& account = world.accounts.at(f.account);
        const unsigned decimals = currency_decimals({f.commitment.currency.data(), 3}).value_or(0);
        std::int64_t unit = f.credits_per_minor.count;
        for (unsigned i = 0; i < decimals; ++i) unit *= 10;
        out.member("credits_per_unit", format_decimal(unit, 6));
        out.member("promised", text_of(account.overdraft))
            .member("in_lots", text_of(account.debits_posted));
      });
    } else if (kind == "programme") {
      world.programmes.each([&](ProgrammeId id, const Programme& p) {
        if (!may_see(world, call->caller, Question::programme, {.programme = id})) return;
        out.begin_object().member("name", p.name).member("title", p.title).end_object();
      });
    } else if (kind == "organisation") {
      each_row(out, world.organisations, nothing_more);
    } else if (kind == "provider") {
      each_row(out, world.providers, nothing_more);
    } else if (kind == "region") {
      each_row(out, world.regions, nothing_more);
    } else if (kind == "grant") {
      world.grants.each([&](GrantId, const Grant& g) {
        if (!may_see(world, call->caller, Question::programme, {.programme = g.programme})) return;
        out.begin_object().member("name", g.name).member("title", g.title);
        out.member("programme", world.programmes.at(g.programme).name);
        out.member("organisation", world.organisations.at(g.organisation).name).end_object();
      });
    } else if (kind == "lot") {
      world.lots.each([&](LotId, const Lot& lot) {
        if (!may_see(world, call->caller, Question::programme,
                     {.programme = world.grants.at(lot.grant).programme})) {
          return;
        }
        out.begin_object()
            .member("name", lot.name)
            .member("grant", world.grants.at(lot.grant).name)
            .member("funder", world.funders.at(lot.funder).name);
        write_money(out, "amount", lot.amount);
        out.member("valid_from", text_of(lot.valid_from)).member("expires", text_of(lot.expires));
        out.key("regions").begin_array();
        world.regions.each([&](RegionId region, const Region& r) {
          if (lot.regions & PoolSet::bit(region.value)) out.value(r.name);
        });
        out.end_array().member("credits", text_of(lot.credits));
        out.member("unallocated", text_of(world.accounts.at(lot.unallocated).free()))
            .member("expired", lot.expired)
            .end_object();
      });
    } else if (kind == "project") {
      world.projects.each([&](ProjectId id, const Project& p) {
        const Scope scope{.project = id};
        if (!may_see(world, call->caller, Question::project, scope)) return;
        out.begin_object().member("name", p.name).member("title", p.title);
        out.member("organisation", world.organisations.at(p.organisation).name).key("members");
        if (may_see(world, call->caller, Question::members, scope)) {
          out.begin_array();
          for (const Membership& m : p.members) out.value(world.persons.at(m.person).name);
          out.end_array();
        } else {
          out.null();
        }
        out.key("live_jobs");
        if (may_see(world, call->caller, id)) {
          out.value(p.live_jobs);
        } else {
          out.null();
        }
        out.end_object();
      });
    } else if (kind == "allocation") {
      world.allocations.each([&](AllocationId, const Allocation& a) {
        const ProgrammeId programme = world.grants.at(a.grant).programme;
        if (!may_see(world, call->caller, Question::allocation,
                     {.project = a.project, .programme = programme})) {
          return;
        }
        out.begin_object().member("name", a.name).member("grant", world.grants.at(a.grant).name);
        out.member("project", world.projects.at(a.project).name)
            .member("amount", text_of(a.amount));
        out.member("lot", a.lot).end_object();
      });
    } else if (kind == "person") {
      world.persons.each([&](PersonId id, const Person& p) {
        if (!may_see(world, call->caller, Question::person, {.owner = id})) return;
        out.begin_object().member("name", p.name).member("title", p.title);
        out.member("role", enum_names(Role{})[static_cast<std::size_t>(p.role)]);
        out.member("disabled", p.disabled).end_object();
      });
    } else if (kind == "member") {
      const auto write_members = [&](std::string_view where, const auto& row) {
        for (const Membership& m : row.members) {
          out.begin_object()
              .member(where, row.name)
              .member("person", world.persons.at(m.person).name);
          out.member("role", enum_names(ScopedRole{})[static_cast<std::size_t>(m.role)]);
          out.end_object();
        }
      };
      world.programmes.each([&](ProgrammeId id, const Programme& p) {
        if (may_see(world, call->caller, Question::programme, {.programme = id}))
          write_members("programme", p);
      });
      world.projects.each([&](ProjectId id, const Project& p) {
        if (may_see(world, call->caller, Question::members, {.project = id}))
          write_members("project", p);
      });
    } else if (kind == "pool") {
      each_row(out, world.pools, [&](PoolId, const Pool& p) {
        out.member("provider", world.providers.at(p.provider).name)
            .member("region", world.regions.at(p.region).name);
        out.member("gpu_model", world.models.at(p.model).name)
            .member("gpus_per_node", p.gpus_per_node);
        out.member("cpus", format_decimal(p.cpus.count, 3)).member("memory_mib", p.memory.count);
      });
    } else if (kind == "node") {
      each_row(out, world.nodes, [&](NodeId, const Node& n) {
        out.member("pool", world.pools.at(n.pool).name).member("first_device", n.first_device);
        out.member("state", enum_names(NodeState{})[static_cast<std::size_t>(n.state)]);
      });
    } else if (kind == "price") {
      world.pools.each([&](PoolId, const Pool& p) {
        if (p.prices.empty()) return;
        const Price& price = world.prices.at(p.prices.back());
        out.begin_object().member("pool", p.name).member("gpu_hour", text_of(price.gpu_hour));
        out.member("fraction_factor", format_decimal(price.fraction_ppm, 6)).end_object();
      });
    } else if (kind == "policy") {
      out.begin_object()
          .member("backfill", enum_names(Backfill{})[static_cast<std::size_t>(world.backfill)])
          .end_object();
    }
    out.end_array().end_object();
    return text;
  });
  call->reply(ok(std::move(body)));
}

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
          Gpus free{std::int64_t{node.free_whole()} * 1'000};
          for (const PartialGpu& gpu : node.partial) free += Gpus{gpu.free_milli};
          out.begin_object().member("name", node.name);
          out.member("state", enum_names(NodeState{})[static_cast<std::size_t>(node.state)]);
          out.member("gpus", std::to_string(pool.gpus_per_node)).member("gpus_free", text_of(free));
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
  } else {
    message.asked.command = DrainNode{name};
  }
  ask(call, std::move(message), [this, node, verb](const Answer&) {
    std::vector<AttemptId> here;
    std::string text = live_.read([&](const World& world) {
      const NodeId n = world.index.nodes.find(node)->second;
      for (const JobId job : running_on(world, n)) {
        here.push_back({job.value, world.jobs.at(job).attempt});
      }
      std::string t;
      JsonWriter out(t);
      out.begin_object().member("node", node);
      out.member("state",
                 enum_names(NodeState{})[static_cast<std::size_t>(world.nodes.at(n).state)])
          .end_object();
      return t;
    });
    // What is stopped without having been cancelled waits again and is not charged.
    if (verb == "evacuate") {
      for (const AttemptId attempt : here) live_.executor().stop(attempt);
    }
    return ok(std::move(text));
  });
}

}  // namespace tenbin
