#include "core/declare.h"

// Programmes, organisations, providers and regions are a name and a title: one shape, four times.

namespace tenbin {

namespace {

template <class Event, class IdType, class Row>
Decision declare(const World::Index::Names<IdType>& names, const Table<IdType, Row>& rows,
                 Thing thing, std::uint64_t most, Text name, Text title, Facts& facts) {
  if (const auto refused = check_names(name, title)) return std::unexpected(*refused);
  if (const IdType id = find_name(names, name))
    return retitle(rows.at(id), thing, id, title, facts);
  if (rows.size() >= most)
    return std::unexpected(refuse(Reason::too_many, static_cast<std::int64_t>(most)));
  const IdType id = rows.next_id();
  facts.add(Event{id, facts.text(name), facts.text(title)});
  return id.value;
}

template <class IdType, class Row>
void add(World::Index::Names<IdType>& names, Table<IdType, Row>& rows, IdType id, Text name,
         Text title) {
  const IdType added = rows.add({.name = std::string(name), .title = std::string(title)});
  TENBIN_ASSERT(added == id);
  names.emplace(name, id);
}

constexpr std::uint64_t any_number = UINT64_MAX;

}  // namespace

Decision decide(const World& w, const Asked&, const DeclareProgramme& c, Instant, Facts& facts) {
  return declare<ProgrammeDeclared>(w.index.programmes, w.programmes, Thing::programme, any_number,
                                    c.name, c.title, facts);
}
Decision decide(const World& w, const Asked&, const DeclareOrganisation& c, Instant, Facts& facts) {
  return declare<OrganisationDeclared>(w.index.organisations, w.organisations, Thing::organisation,
                                       any_number, c.name, c.title, facts);
}
Decision decide(const World& w, const Asked&, const DeclareProvider& c, Instant, Facts& facts) {
  return declare<ProviderDeclared>(w.index.providers, w.providers, Thing::provider, any_number,
                                   c.name, c.title, facts);
}
Decision decide(const World& w, const Asked&, const DeclareRegion& c, Instant, Facts& facts) {
  return declare<RegionDeclared>(w.index.regions, w.regions, Thing::region, regions_max, c.name,
                                 c.title, facts);
}

void evolve(World& w, const ProgrammeDeclared& e, Instant) {
  add(w.index.programmes, w.programmes, e.programme, e.name, e.title);
}
void evolve(World& w, const OrganisationDeclared& e, Instant) {
  add(w.index.organisations, w.organisations, e.organisation, e.name, e.title);
}
void evolve(World& w, const ProviderDeclared& e, Instant) {
  add(w.index.providers, w.providers, e.provider, e.name, e.title);
}
void evolve(World& w, const RegionDeclared& e, Instant) {
  add(w.index.regions, w.regions, e.region, e.name, e.title);
}

// Of everything whose title alone can change.
void evolve(World& w, const TitleSet& e, Instant) {
  const auto set = [&](auto& rows) {
    using IdType = typename std::remove_reference_t<decltype(rows)>::id_type;
    rows.at(IdType{e.id}).title = e.title;
  };
  switch (e.thing) {
    case Thing::programme: return set(w.programmes);
    case Thing::organisation: return set(w.organisations);
    case Thing::provider: return set(w.providers);
    case Thing::region: return set(w.regions);
    case Thing::grant: return set(w.grants);
    case Thing::project: return set(w.projects);
    case Thing::thing:
    case Thing::funder:
    case Thing::lot:
    case Thing::allocation:
    case Thing::person:
    case Thing::pool:
    case Thing::node:
    case Thing::token: break;
  }
  TENBIN_ASSERT(false);  // what has no title
}

}  // namespace tenbin
