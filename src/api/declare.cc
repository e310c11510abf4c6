#include <algorithm>
#include <array>

#include "api/api.h"

// Declarations: one table of kinds, one reader each.

namespace tenbin {

namespace {

DeclareFunder read_funder(Fields& f) {
  DeclareFunder c{.name = f.text("name"),
                  .title = f.text("title", Need::optional),
                  .commitment = f.money("commitment")};
  const unsigned decimals =
      currency_decimals({c.commitment.currency.data(), c.commitment.currency.size()}).value_or(0);
  std::int64_t rate = f.decimal("credits_per_unit", 6, 0);
  for (unsigned i = 0; i < decimals; ++i) {
    if (rate % 10 != 0)
      f.complain("credits_per_unit", "the rate for the smallest unit is not a whole micro-credit",
                 "最小単位あたりの換算率がマイクロクレジットの整数になりません");
    rate /= 10;
  }
  c.credits_per_minor = Credits{rate};
  return c;
}

template <class Titled>
Titled read_titled(Fields& f) {
  return {f.text("name"), f.text("title", Need::optional)};
}

DeclareLot read_lot(Fields& f) {
  return {.name = f.text("name"),
          .grant = f.text("grant"),
          .funder = f.text("funder"),
          .amount = f.money("amount"),
          .valid_from = f.instant("valid_from", {}),
          .expires = f.instant("expires", {}),
          .regions = f.texts("regions")};
}

DeclarePool read_pool(Fields& f) {
  return {.name = f.text("name"),
          .provider = f.text("provider"),
          .region = f.text("region"),
          .gpu_model = f.text("gpu_model"),
          .gpus_per_node = static_cast<std::uint32_t>(
              f.integer("gpus_per_node", 1, gpus_per_node_max, 1, Need::required)),
          .cpus = Cpus{f.decimal("cpus", 3, 0, Need::optional)},
          .memory = Memory{f.integer("memory_mib", 0, memory_max.count, 0)}};
}

using Reader = Command (*)(Fields&);
struct Kind {
  std::string_view name;
  Reader read;
};

constexpr std::array<Kind, 14> kinds{{
    {"funder", [](Fields& f) -> Command { return read_funder(f); }},
    {"programme", [](Fields& f) -> Command { return read_titled<DeclareProgramme>(f); }},
    {"organisation", [](Fields& f) -> Command { return read_titled<DeclareOrganisation>(f); }},
    {"provider", [](Fields& f) -> Command { return read_titled<DeclareProvider>(f); }},
    {"region", [](Fields& f) -> Command { return read_titled<DeclareRegion>(f); }},
    {"grant",
     [](Fields& f) -> Command {
       return DeclareGrant{f.text("name"), f.text("title", Need::optional), f.text("programme"),
                           f.text("organisation")};
     }},
    {"lot", [](Fields& f) -> Command { return read_lot(f); }},
    {"project",
     [](Fields& f) -> Command {
       return DeclareProject{f.text("name"), f.text("title", Need::optional),
                             f.text("organisation")};
     }},
    {"allocation",
     [](Fields& f) -> Command {
       return DeclareAllocation{f.text("name"), f.text("grant"), f.text("project"),
                                Credits{f.decimal("amount", 6, 0)}, f.text("lot", Need::optional)};
     }},
    {"person",
     [](Fields& f) -> Command {
       return DeclarePerson{f.text("name"), f.text("title", Need::optional),
                            f.choice("role", Role::member)};
     }},
    {"member",
     [](Fields& f) -> Command {
       const Text programme = f.text("programme", Need::optional);
       // In a project one is a member if nothing else is said; in a programme there is no such
       // role.
       if (!programme.empty()) f.text("role");
       return DeclareMember{f.text("project", programme.empty() ? Need::required : Need::optional),
                            f.text("person"), f.choice("role", ScopedRole::member), programme};
     }},
    {"pool", [](Fields& f) -> Command { return read_pool(f); }},
    {"node",
     [](Fields& f) -> Command {
       return DeclareNode{f.text("name"), f.text("pool"),
                          static_cast<std::uint32_t>(f.integer("first_device", 0, 1'000, 0))};
     }},
    {"price",
     [](Fields& f) -> Command {
       return SetPrice{
           f.text("pool"), Credits{f.decimal("gpu_hour", 6, 0)},
           static_cast<std::uint32_t>(std::clamp<std::int64_t>(
               f.decimal("fraction_factor", 6, 1'000'000, Need::optional), 0, UINT32_MAX))};
     }},
}};

// The name by which an answer repeats what was declared.
Text name_in(JsonValue body) {
  for (const std::string_view key : {"name", "person", "pool"}) {
    if (const auto text = body[key].text()) return *text;
  }
  return {};
}

/// Whether what a declaration names is there already, so that its answer can say created or
/// changed.
bool is_there(const World& world, const Command& command) {
  const World::Index& index = world.index;
  const auto has = [](const auto& names, Text name) { return names.find(name) != names.end(); };
  const auto is_member = [](const auto& names, const auto& rows, Text name, PersonId person) {
    const auto found = names.find(name);
    return found != names.end() &&
           std::ranges::count(rows.at(found->second).members, person, &Membership::person) > 0;
  };
  return std::visit(
      [&](const auto& c) {
        using C = std::remove_cvref_t<decltype(c)>;
        if constexpr (std::is_same_v<C, DeclareFunder>) return has(index.funders, c.name);
        if constexpr (std::is_same_v<C, DeclareProgramme>) return has(index.programmes, c.name);
        if constexpr (std::is_same_v<C, DeclareOrganisation>)
          return has(index.organisations, c.name);
        if constexpr (std::is_same_v<C, DeclareGrant>) return has(index.grants, c.name);
        if constexpr (std::is_same_v<C, DeclareLot>) return has(index.lots, c.name);
        if constexpr (std::is_same_v<C, DeclareProject>) return has(index.projects, c.name);
        if constexpr (std::is_same_v<C, DeclareAllocation>) return has(index.allocations, c.name);
        if constexpr (std::is_same_v<C, DeclarePerson>) return has(index.persons, c.name);
        if constexpr (std::is_same_v<C, DeclareProvider>) return has(index.providers, c.name);
        if constexpr (std::is_same_v<C, DeclareRegion>) return has(index.regions, c.name);
        if constexpr (std::is_same_v<C, DeclarePool>) return has(index.pools, c.name);
        if constexpr (std::is_same_v<C, DeclareNode>) return has(index.nodes, c.name);
        if constexpr (std::is_same_v<C, SetPolicy>) return true;
        if constexpr (std::is_same_v<C, SetPrice>) {
          const auto pool = index.pools.find(c.pool);
          return pool != index.pools.end() && !world.pools.at(pool->second).prices.empty();
        }
        if constexpr (std::is_same_v<C, DeclareMember>) {
          const auto person = index.persons.find(c.person);
          if (person == index.persons.end()) return false;
          return is_member(index.projects, world.projects, c.project, person->second) ||
                 is_member(index.programmes, world.programmes, c.programme, person->second);
        }
        return false;
      },
      command);
}

std::string declared_json(std::string_view kind, std::string_view name, bool there, bool changed,
                          std::uint64_t id) {
  std::string body;
  JsonWriter out(body);
  out.begin_object().member("kind", kind).member("name", name);
  out.member("result", !changed ? "unchanged" : there ? "changed" : "created");
  out.member("id", id).end_object();
  return body;
}

}  // namespace

bool is_kind(std::string_view kind) {
  return kind == "policy" ||
         std::ranges::any_of(kinds, [&](const Kind& k) { return k.name == kind; });
}

std::optional<Complaint> read_declaration(std::string_view kind, JsonValue body, Arena& arena,
                                          Command& command) {
  Fields fields(body, arena);
  fields.text("kind", Need::optional);
  if (kind == "policy") {
    const Policy usual;
    command = SetPolicy{
        {.order = fields.choice("order", usual.order),
         .backfill = fields.choice("backfill", usual.backfill),
         .placement = fields.choice("placement", usual.placement),
         .seed = static_cast<std::uint64_t>(fields.integer("seed", 0, std::int64_t{1} << 53, 0)),
         .cpu_jobs = fields.flag("cpu_jobs")},
        {}};
    return fields.finish();
  }
  for (const Kind& k : kinds) {
    if (k.name != kind) continue;
    command = k.read(fields);
    return fields.finish();
  }
  return invalid_field("kind", "no such kind of declaration; see docs/api.md",
                       "そのような種類はありません。docs/api.md を参照してください");
}

void Api::declare(const CallPtr& call, std::string_view kind) {
  const auto id = request_id(call);
  if (!id) return;
  const auto body = body_of(call);
  if (!body) return;
  Message message;
  if (auto complaint = read_declaration(kind, *body, message.texts, message.asked.command)) {
    return call->deny(*complaint);
  }
  message.asked.request = *id;
  const std::string name(name_in(*body));
  const bool there =
      live_.read([&](const World& world) { return is_there(world, message.asked.command); });
  ask(call, std::move(message), [kind = std::string(kind), name, there](const Answer& answer) {
    return ok(declared_json(kind, name, there, answer.changed, answer.decision.value_or(0)),
              answer.changed && !there ? 201 : 200);
  });
}

namespace {

/// Declarations of one request, asked one after the other.
struct Sequence {
  std::vector<Message> messages;
  std::vector<std::pair<std::string, std::string>> names;  // kind, name
  std::string items;
  std::size_t next = 0;
};

}  // namespace

void Api::apply_all(const CallPtr& call) {
  // A key is read but not needed: declaring the same things twice changes nothing.
  if (!request_id(call)) return;
  const auto body = body_of(call);
  if (!body) return;
  const auto refuse_all = [&](const Complaint& c) { call->deny(c); };
  Arena scratch;
  Fields top(*body, scratch);
  const JsonValue items = top.object("items", Need::required);
  if (auto complaint = top.finish()) return refuse_all(*complaint);
  constexpr std::size_t items_max = 10'000;
  if (!items.is_array() || items.size() > items_max) {
    return refuse_all(invalid_field("items", "expected a list of at most 10000 declarations",
                                    "10000 件までの配列を指定してください"));
  }
  // All are read before the first is asked: a mistake in the last line changes nothing.
  auto sequence = std::make_shared<Sequence>();
  std::optional<Complaint> wrong;
  items.each_item([&](JsonValue item) {
    const std::string at = "items[" + std::to_string(sequence->messages.size()) + "].";
    const std::string kind(item["kind"].text().value_or(""));
    Message message;
    if (auto complaint = read_declaration(kind, item, message.texts, message.asked.command)) {
      wrong = std::move(complaint);
      wrong->english = at + wrong->english;
      wrong->japanese = at + wrong->japanese;
      return false;
    }
    message.asked.by = call->caller.person;
    sequence->messages.push_back(std::move(message));
    sequence->names.emplace_back(kind, name_in(item));
    return true;
  });
  if (wrong) return refuse_all(*wrong);

  auto finish = [call, sequence](const Refusal* refusal) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().key("items").raw("[" + sequence->items + "]").key("refused");
    if (refusal) {
      out.begin_object().member("index", sequence->next);
      out.key("problem").raw(problem_json(*refusal, call->caller.language)).end_object();
    } else {
      out.null();
    }
    out.end_object();
    call->reply(ok(std::move(text)));
  };
  // Each answer asks the next: later declarations name what earlier ones made.
  auto step = std::make_shared<std::function<void()>>();
  *step = [this, sequence, finish, weak = std::weak_ptr(step)] {
    if (sequence->next == sequence->messages.size()) return finish(nullptr);
    Message message = std::move(sequence->messages[sequence->next]);
    const bool there =
        live_.read([&](const World& world) { return is_there(world, message.asked.command); });
    message.reply = [sequence, finish, there, self = weak.lock()](const Answer& answer) {
      if (!answer.decision) return finish(&answer.decision.error());
      const auto& [kind, name] = sequence->names[sequence->next];
      if (!sequence->items.empty()) sequence->items += ',';
      sequence->items += declared_json(kind, name, there, answer.changed, *answer.decision);
      ++sequence->next;
      (*self)();
    };
    live_.ask(std::move(message));
  };
  (*step)();
}

}  // namespace tenbin
