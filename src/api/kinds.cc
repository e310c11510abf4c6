#include <algorithm>
#include <array>
#include <map>

#include "api/api.h"
#include "api/row_digest.h"

// Lists of what was declared, and single things of them. A view says of one kind which rows there
// are, how one is written, what it can be filtered by and what besides its own fields it shows.

namespace tenbin {

namespace {

// A page looks at no more rows than this while the publisher waits for it.
constexpr std::size_t looked_at_max = 200'000;

/// The filters of one request.
class Filters {
 public:
  explicit Filters(const net::Parameters& parameters) {
    for (const auto& [name, value] : parameters) {
      if (name != "limit" && name != "cursor" && name != "sort" && !value.empty())
        given_.emplace_back(name, value);
    }
  }
  /// False if it is to be filtered by `name` and is not `value`.
  bool fits(std::string_view name, std::string_view value) const {
    return std::ranges::none_of(
        given_, [&](const auto& f) { return f.first == name && f.second != value; });
  }
  const std::string* get(std::string_view name) const { return net::find_parameter(given_, name); }

 private:
  net::Parameters given_;
};

template <class IdType, class Row, class Write, class Fits, class Sees, class Mark>
struct View {
  const Table<IdType, Row>& rows;
  const World::Index::Names<IdType>& names;
  std::optional<Reason> unknown;
  Write write;  // (out, id, row): the members
  Fits fits;    // (filters, row)
  Sees sees;    // (id, row): whether the caller may
  Mark mark;    // (digest, id, row): what else it shows
};
template <class IdType, class Row, class... Rest>
View(const Table<IdType, Row>&, const World::Index::Names<IdType>&, Rest...)
    -> View<IdType, Row, std::tuple_element_t<1, std::tuple<Rest...>>,
            std::tuple_element_t<2, std::tuple<Rest...>>,
            std::tuple_element_t<3, std::tuple<Rest...>>,
            std::tuple_element_t<4, std::tuple<Rest...>>>;

template <class Row>
void write_name(JsonWriter& out, const Row& row) {
  out.member("name", row.name);
  if constexpr (requires { row.title; }) out.member("title", row.title);
}

constexpr auto any = [](const Filters&, const auto&) { return true; };
constexpr auto all = [](auto, const auto&) { return true; };
constexpr auto nothing_more = [](Digest&, auto, const auto&) {};
constexpr auto only_name = [](JsonWriter& out, auto, const auto& row) { write_name(out, row); };

/// Calls `use(view)` for the kind. `sees(question, scope)` says what the caller may.
template <class Sees, class Use>
void with_view(const World& world, std::string_view kind, const Sees& sees,
               const net::Parameters& query, Use&& use) {
  const World& w = world;
  const std::string* person_given = net::find_parameter(query, "person");
  const bool by_person = person_given && !person_given->empty();
  const auto programme = [&sees](ProgrammeId id) {
    return sees(Question::programme, Scope{.programme = id});
  };
  const auto account = [&w](Digest& digest, AccountId id) { add_row(digest, w.accounts.at(id)); };
  if (kind == "funder") {
    use(View{
        w.funders, w.index.funders, std::optional(Reason::unknown_funder),
        [&](JsonWriter& out, FunderId, const Funder& f) {
          write_name(out, f);
          write_money(out.key("commitment"), f.commitment);
          const Account& a = w.accounts.at(f.account);
          const unsigned decimals =
              currency_decimals({f.commitment.currency.data(), 3}).value_or(0);
          std::int64_t unit = f.credits_per_minor.count;
          for (unsigned i = 0; i < decimals; ++i) unit *= 10;
          out.member("credits_per_unit", format_decimal(unit, 6));
          out.member("promised", text_of(a.overdraft)).member("in_lots", text_of(a.debits_posted));
        },
        any, all, [&](Digest& d, FunderId, const Funder& f) { account(d, f.account); }});
  } else if (kind == "programme") {
    use(View{w.programmes, w.index.programmes, std::optional(Reason::unknown_programme), only_name,
             any, [&](ProgrammeId id, const Programme&) { return programme(id); }, nothing_more});
  } else if (kind == "organisation") {
    use(View{w.organisations, w.index.organisations, std::optional(Reason::unknown_organisation),
             only_name, any, all, nothing_more});
  } else if (kind == "provider") {
    use(View{w.providers, w.index.providers, std::optional(Reason::unknown_provider), only_name,
             any, all, nothing_more});
  } else if (kind == "region") {
    use(View{w.regions, w.index.regions, std::optional(Reason::unknown_region), only_name, any, all,
             nothing_more});
  } else if (kind == "grant") {
    use(View{w.grants, w.index.grants, std::optional(Reason::unknown_grant),
             [&](JsonWriter& out, GrantId, const Grant& g) {
               write_name(out, g);
               out.member("programme", w.programmes.at(g.programme).name);
               out.member("organisation", w.organisations.at(g.organisation).name);
             },
             [&](const Filters& f, const Grant& g) {
               return f.fits("programme", w.programmes.at(g.programme).name) &&
                      f.fits("organisation", w.organisations.at(g.organisation).name);
             },
             [&](GrantId, const Grant& g) { return programme(g.programme); }, nothing_more});
  } else if (kind == "lot") {
    use(View{
        w.lots, w.index.lots, std::optional(Reason::unknown_lot),
        [&](JsonWriter& out, LotId, const Lot& lot) {
          write_name(out, lot);
          out.member("grant", w.grants.at(lot.grant).name)
              .member("funder", w.funders.at(lot.funder).name);
          write_money(out.key("amount"), lot.amount);
          out.member("valid_from", text_of(lot.valid_from)).member("expires", text_of(lot.expires));
          write_regions(out.key("regions"), w, lot.regions);
          out.member("credits", text_of(lot.credits));
          out.member("unallocated", text_of(w.accounts.at(lot.unallocated).free()))
              .member("expired", lot.expired);
        },
        [&](const Filters& f, const Lot& lot) {
          return f.fits("grant", w.grants.at(lot.grant).name) &&
                 f.fits("funder", w.funders.at(lot.funder).name);
        },
        [&](LotId, const Lot& lot) { return programme(w.grants.at(lot.grant).programme); },
        [&](Digest& d, LotId, const Lot& lot) { account(d, lot.unallocated); }});
  } else if (kind == "project") {
    const auto members_seen = [&sees](ProjectId id) {
      return sees(Question::members, Scope{.project = id});
    };
    const auto jobs_seen = [&sees](ProjectId id) {
      return sees(Question::jobs, Scope{.project = id});
    };
    use(View{w.projects, w.index.projects, std::optional(Reason::unknown_project),
             [&, members_seen, jobs_seen](JsonWriter& out, ProjectId id, const Project& p) {
               write_name(out, p);
               out.member("organisation", w.organisations.at(p.organisation).name).key("members");
               if (members_seen(id)) {
                 out.begin_array();
                 for (const Membership& m : p.members) out.value(w.persons.at(m.person).name);
                 out.end_array();
               } else {
                 out.null();
               }
               member_or_null(out, "live_jobs", jobs_seen(id), p.live_jobs);
             },
             [&](const Filters& f, const Project& p) {
               const std::string* person = f.get("person");
               return f.fits("organisation", w.organisations.at(p.organisation).name) &&
                      (!person || std::ranges::any_of(p.members, [&](const Membership& m) {
                        return w.persons.at(m.person).name == *person;
                      }));
             },
             [&, members_seen](ProjectId id, const Project&) {
               return sees(Question::project, Scope{.project = id}) &&
                      // Who is in it must not be told by a filter either.
                      (!by_person || members_seen(id));
             },
             [members_seen, jobs_seen](Digest& d, ProjectId id, const Project& p) {
               d.add(p.live_jobs);
               d.add(members_seen(id), jobs_seen(id));
             }});
  } else if (kind == "allocation") {
    use(View{w.allocations, w.index.allocations, std::optional<Reason>(),
             [&](JsonWriter& out, AllocationId, const Allocation& a) {
               write_name(out, a);
               out.member("grant", w.grants.at(a.grant).name)
                   .member("project", w.projects.at(a.project).name);
               out.member("amount", text_of(a.amount)).member("lot", a.lot);
             },
             [&](const Filters& f, const Allocation& a) {
               return f.fits("project", w.projects.at(a.project).name) &&
                      f.fits("grant", w.grants.at(a.grant).name);
             },
             [&](AllocationId, const Allocation& a) {
               return sees(
                   Question::allocation,
                   Scope{.project = a.project, .programme = w.grants.at(a.grant).programme});
             },
             nothing_more});
  } else if (kind == "person") {
    const auto role = [](const Person& p) { return name_of(p.role); };
    use(View{w.persons, w.index.persons, std::optional(Reason::unknown_person),
             [&](JsonWriter& out, PersonId, const Person& p) {
               write_name(out, p);
               out.member("role", role(p)).member("disabled", p.disabled);
             },
             [&](const Filters& f, const Person& p) { return f.fits("role", role(p)); },
             [&](PersonId id, const Person&) { return sees(Question::person, Scope{.owner = id}); },
             nothing_more});
  } else if (kind == "pool") {
    use(View{
        w.pools, w.index.pools, std::optional(Reason::unknown_pool),
        [&](JsonWriter& out, PoolId, const Pool& p) {
          write_name(out, p);
          out.member("provider", w.providers.at(p.provider).name)
              .member("region", w.regions.at(p.region).name);
          out.member("gpu_model", w.models.at(p.model).name)
              .member("gpus_per_node", p.gpus_per_node);
          out.member("cpus", format_decimal(p.cpus.count, 3)).member("memory_mib", p.memory.count);
        },
        [&](const Filters& f, const Pool& p) {
          return f.fits("provider", w.providers.at(p.provider).name) &&
                 f.fits("region", w.regions.at(p.region).name) &&
                 f.fits("gpu_model", w.models.at(p.model).name);
        },
        all, nothing_more});
  } else if (kind == "node") {
    const auto state = [](const Node& n) { return name_of(n.state); };
    use(View{w.nodes, w.index.nodes, std::optional(Reason::unknown_node),
             [&](JsonWriter& out, NodeId, const Node& n) {
               write_name(out, n);
               out.member("pool", w.pools.at(n.pool).name).member("first_device", n.first_device);
               out.member("state", state(n));
             },
             [&](const Filters& f, const Node& n) {
               return f.fits("pool", w.pools.at(n.pool).name) && f.fits("state", state(n));
             },
             all, nothing_more});
  } else if (kind == "price") {  // what is in force, one for each pool that has any
    use(View{w.pools, w.index.pools, std::optional(Reason::unknown_pool),
             [&](JsonWriter& out, PoolId, const Pool& p) {
               const Price& price = w.prices.at(p.prices.back());
               out.member("pool", p.name).member("gpu_hour", text_of(price.gpu_hour));
               out.member("fraction_factor", format_decimal(price.fraction_ppm, 6));
               out.member("since", text_of(price.since));
             },
             [&](const Filters& f, const Pool& p) { return f.fits("pool", p.name); },
             [](PoolId, const Pool& p) { return !p.prices.empty(); }, nothing_more});
  }
}

/// One page of rows in order of id or of name.
template <class Id>
struct Cut {
  std::vector<Id> ids;
  std::string next;  // the place after which the next page begins; empty: there is none
};

/// `wanted(id, row)` says what belongs to the list.
template <class Id, class Row, class Wanted>
Cut<Id> cut_by_id(const Table<Id, Row>& rows, const Page& page, Wanted&& wanted) {
  Cut<Id> cut;
  std::size_t looked = 0;
  const auto visit = [&](Id id, const Row& row) {
    ++looked;
    if (wanted(id, row)) {
      if (cut.ids.size() == page.limit) {
        cut.next = std::to_string(cut.ids.back().value);
        return false;
      }
      cut.ids.push_back(id);
    }
    if (looked == looked_at_max) cut.next = std::to_string(id.value);
    return looked < looked_at_max;
  };
  const auto after = static_cast<std::uint64_t>(parse_decimal(page.after, 0).value_or(0));
  if (page.down) {
    rows.walk_down(page.after.empty() ? rows.next_id() : Id{after}, visit);
  } else {
    rows.walk_up(Id{after + 1}, visit);
  }
  return cut;
}

/// Names have no order in the World: every row is looked at, and the page's are kept.
template <class Id, class Row, class Wanted>
Cut<Id> cut_by_name(const Table<Id, Row>& rows, const Page& page, Wanted&& wanted) {
  using Named = std::pair<std::string_view, Id>;
  const auto earlier = [&](const Named& a, const Named& b) {
    return page.down ? a.first > b.first : a.first < b.first;
  };
  std::vector<Named> first;  // a heap, the last of the page on top
  rows.each([&](Id id, const Row& row) {
    const Named named{row.name, id};
    if (!page.after.empty() && !earlier({page.after, {}}, named)) return;
    if (first.size() > page.limit && !earlier(named, first.front())) return;
    if (!wanted(id, row)) return;
    first.push_back(named);
    std::ranges::push_heap(first, earlier);
    if (first.size() <= page.limit + 1) return;
    std::ranges::pop_heap(first, earlier);
    first.pop_back();
  });
  std::ranges::sort_heap(first, earlier);
  Cut<Id> cut;
  if (first.size() > page.limit) {
    first.pop_back();
    cut.next = first.back().first;
  }
  for (const Named& named : first) cut.ids.push_back(named.second);
  return cut;
}

void end_list(JsonWriter& out, const CallPtr& call, const std::string& next) {
  out.end_array();
  member_or_null(out, "next", !next.empty(), cursor_after(call->request, call->query, next));
  out.end_object();
}

constexpr std::array<std::string_view, 4> sorts{"id", "-id", "name", "-name"};
constexpr std::array<std::string_view, 2> sorts_by_id{"id", "-id"};

}  // namespace

/// Lists show what one may see; who could never see any of a kind is told so.
bool Api::sees_any(const Caller& caller, std::string_view kind) const {
  return live_.read([&](const World& world) {
    if (kind == "funder") return may_see(world, caller, Question::funders);
    if (kind == "organisation") return may_see(world, caller, Question::organisations);
    if (kind == "person") return may_see(world, caller, Question::person);
    if (kind == "programme" || kind == "grant" || kind == "lot")
      return may_see(world, caller, Question::programme);
    return true;
  });
}

void Api::list(const CallPtr& call, std::string_view kind) {
  if (!sees_any(call->caller, kind)) return call->deny(refuse(Reason::not_permitted));
  Query query(call->query);
  const bool nameless = kind == "member" || kind == "policy";
  const Page page =
      read_page(query, call->request, call->query,
                nameless ? std::span<const std::string_view>(sorts_by_id) : sorts, page_max);
  if (kind == "person") query.choice("role", enum_names(Role{}));
  if (kind == "node") query.choice("state", enum_names(NodeState{}));
  if (query.finish()) return call->deny(*query.finish());
  const Filters filters(call->query);

  std::string body = live_.read([&](const World& world) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().key("items").begin_array();
    const auto sees = [&](Question question, const Scope& scope) {
      return may_see(world, call->caller, question, scope);
    };
    std::string next;
    if (kind == "policy") {
      out.begin_object()
          .member("order", name_of(world.policy.order))
          .member("backfill", name_of(world.policy.backfill))
          .member("placement", name_of(world.policy.placement))
          .member("seed", world.policy.seed)
          .member("cpu_jobs", world.policy.cpu_jobs)
          .end_object();
    } else if (kind == "member") {
      // A page is whole programmes, then whole projects, until it is full.
      std::size_t written = 0;
      std::string last;
      const auto each = [&](std::string_view where, char mark, const auto& rows, auto&& seen) {
        if (!next.empty() || filters.get(where == "project" ? "programme" : "project")) return;
        using Id = typename std::remove_cvref_t<decltype(rows)>::id_type;
        // A place in the other group lies before all of this one, or behind.
        std::uint64_t after = page.down ? rows.next_id().value : 0;
        if (!page.after.empty() && page.after.front() == mark) {
          after = static_cast<std::uint64_t>(
              parse_decimal(std::string_view(page.after).substr(1), 0).value_or(0));
        } else if (!page.after.empty() && (page.after.front() < mark) == page.down) {
          return;
        }
        const auto visit = [&](Id id, const auto& row) {
          if (!seen(id) || !filters.fits(where, row.name)) return true;
          if (written >= page.limit) {
            next = last;
            return false;
          }
          for (const Membership& m : row.members) {
            const std::string& person = world.persons.at(m.person).name;
            if (!filters.fits("person", person)) continue;
            out.begin_object().member(where, row.name).member("person", person);
            out.member("role", name_of(m.role));
            out.end_object();
            ++written;
          }
          last = mark + std::to_string(id.value);
          return true;
        };
        if (page.down) {
          rows.walk_down(Id{after}, visit);
        } else {
          rows.walk_up(Id{after + 1}, visit);
        }
      };
      const auto programmes = [&] {
        each("programme", 'a', world.programmes,
             [&](ProgrammeId id) { return sees(Question::programme, {.programme = id}); });
      };
      const auto projects = [&] {
        each("project", 'b', world.projects,
             [&](ProjectId id) { return sees(Question::members, {.project = id}); });
      };
      if (page.down) {
        projects();
        programmes();
      } else {
        programmes();
        projects();
      }
    } else {
      with_view(world, kind, sees, call->query, [&](const auto& view) {
        const auto wanted = [&](auto id, const auto& row) {
          return view.fits(filters, row) && view.sees(id, row);
        };
        const auto cut = page.sort == "name" ? cut_by_name(view.rows, page, wanted)
                                             : cut_by_id(view.rows, page, wanted);
        for (const auto id : cut.ids) {
          out.begin_object();
          view.write(out, id, view.rows.at(id));
          out.end_object();
        }
        next = cut.next;
      });
    }
    end_list(out, call, next);
    return text;
  });
  call->reply(ok(std::move(body)));
}

void Api::one(const CallPtr& call, std::string_view kind) {
  if (!sees_any(call->caller, kind)) return call->deny(refuse(Reason::not_permitted));
  std::optional<Reason> unknown;
  std::string text;
  bool there = false, known = false;
  live_.read([&](const World& world) {
    const auto sees = [&](Question question, const Scope& scope) {
      return may_see(world, call->caller, question, scope);
    };
    with_view(world, kind, sees, call->query, [&](const auto& view) {
      unknown = view.unknown;
      const auto found = view.names.find(call->name);
      if (found == view.names.end()) return;
      const auto& row = view.rows.at(found->second);
      there = view.sees(found->second, row);
      if (!there) return;
      Digest digest;
      digest.add(world.epoch);
      digest.add(kind);
      add_row(digest, row);
      view.mark(digest, found->second, row);
      known = unchanged(call, digest.value());
      if (known) return;
      JsonWriter out(text);
      out.begin_object();
      view.write(out, found->second, row);
      out.end_object();
    });
  });
  if (known) return;
  if (there) return call->reply(ok(std::move(text)));
  if (unknown) return call->deny(refuse(*unknown));
  call->deny(not_found());
}

void Api::tokens(const CallPtr& call) {
  Query query(call->query);
  const Page page = read_page(query, call->request, call->query, sorts_by_id, page_max);
  if (query.finish()) return call->deny(*query.finish());
  const Filters filters(call->query);
  std::string body = live_.read([&](const World& world) {
    std::string text;
    JsonWriter out(text);
    out.begin_object().key("items").begin_array();
    const auto cut = cut_by_id(world.tokens, page, [&](TokenId, const Token& token) {
      return may_see(world, call->caller, Question::tokens, {.owner = token.person}) &&
             filters.fits("person", world.persons.at(token.person).name);
    });
    const Instant now = live_.now();
    for (const TokenId id : cut.ids) {
      const Token& token = world.tokens.at(id);
      const Person& person = world.persons.at(token.person);
      out.begin_object().member("id", id.value).member("person", person.name);
      out.member("label", token.label).member("ends_in", token.hint);
      out.member("scope", token.read_only ? "read" : "full");
      out.member("expires", text_of(token.expires)).member("revoked", token.revoked);
      out.member("state", token.revoked          ? "revoked"
                          : now >= token.expires ? "expired"
                          : person.disabled      ? "disabled"
                                                 : "valid");
      out.end_object();
    }
    end_list(out, call, cut.next);
    return text;
  });
  call->reply(ok(std::move(body)));
}

void Api::prices_of_pool(const CallPtr& call) {
  Query query(call->query);
  constexpr std::array<std::string_view, 2> newest_first{"-id", "id"};
  const Page page = read_page(query, call->request, call->query, newest_first, page_max);
  if (query.finish()) return call->deny(*query.finish());
  bool there = false;
  std::string text;
  live_.read([&](const World& world) {
    const auto found = world.index.pools.find(call->name);
    there = found != world.index.pools.end();
    if (!there) return;
    const Pool& pool = world.pools.at(found->second);
    JsonWriter out(text);
    out.begin_object().member("pool", pool.name).key("items").begin_array();
    std::vector<PriceId> ids = pool.prices;  // oldest first
    if (page.down) std::ranges::reverse(ids);
    std::string next;
    std::size_t written = 0;
    const auto after = static_cast<std::uint64_t>(parse_decimal(page.after, 0).value_or(0));
    for (const PriceId id : ids) {
      if (!page.after.empty() && (page.down ? id.value >= after : id.value <= after)) continue;
      if (written == page.limit) break;
      const Price& price = world.prices.at(id);
      out.begin_object().member("id", id.value).member("gpu_hour", text_of(price.gpu_hour));
      out.member("fraction_factor", format_decimal(price.fraction_ppm, 6));
      out.member("since", text_of(price.since))
          .member("in_force", id == pool.prices.back())
          .end_object();
      if (++written == page.limit && id != ids.back()) next = std::to_string(id.value);
    }
    end_list(out, call, next);
  });
  if (!there) return call->deny(refuse(Reason::unknown_pool));
  call->reply(ok(std::move(text)));
}

}  // namespace tenbin
