#include "cli/nouns.h"

#include <algorithm>
#include <utility>

namespace tenbin::cli {

namespace {

constexpr bool optional = false;

Field name_of(Phrase help) {
  return {"name", Type::text, true, Phrase::col_name, help};
}
Field title() {
  return {"title", Type::text, optional, Phrase::col_title, Phrase::field_title};
}

// What must stay as it was declared first.
constexpr std::pair<std::string_view, std::string_view> fixed_fields[] = {
    {"funder", "credits_per_unit"},
    {"pool", "provider"},
    {"pool", "region"},
    {"pool", "gpu_model"},
    {"pool", "gpus_per_node"},
    {"pool", "cpus"},
    {"pool", "memory_mib"},
    {"node", "pool"},
    {"node", "first_device"},
    {"grant", "programme"},
    {"grant", "organisation"},
    {"lot", "grant"},
    {"lot", "funder"},
    {"lot", "valid_from"},
    {"lot", "regions"},
    {"project", "organisation"},
    {"allocation", "grant"},
    {"allocation", "project"},
    {"allocation", "lot"},
};

std::vector<Noun> all_nouns() {
  std::vector<Noun> all{
      {.name = "funder",
       .target = "/v1/funders",
       .said = Phrase::noun_funder,
       .line = Phrase::line_funder,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  title(),
                  {"commitment", Type::money, true, Phrase::col_commitment,
                   Phrase::field_commitment},
                  {"credits_per_unit", Type::decimal, true, Phrase::col_credits_per_unit,
                   Phrase::field_credits_per_unit}},
       .more_columns = {{"promised", Phrase::col_promised, Kind::credits},
                        {"in_lots", Phrase::col_in_lots, Kind::credits}},
       .related = {{"lot", "funder"}}},
      {.name = "programme",
       .target = "/v1/programmes",
       .said = Phrase::noun_programme,
       .line = Phrase::line_programme,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name), title()},
       .more_columns = {},
       .related = {{"grant", "programme"}}},
      {.name = "organisation",
       .target = "/v1/organisations",
       .said = Phrase::noun_organisation,
       .line = Phrase::line_organisation,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name), title()},
       .more_columns = {},
       .related = {{"grant", "organisation"}, {"project", "organisation"}}},
      {.name = "provider",
       .target = "/v1/providers",
       .said = Phrase::noun_provider,
       .line = Phrase::line_provider,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name), title()},
       .more_columns = {},
       .related = {{"pool", "provider"}}},
      {.name = "region",
       .target = "/v1/regions",
       .said = Phrase::noun_region,
       .line = Phrase::line_region,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name), title()},
       .more_columns = {},
       .related = {{"pool", "region"}}},
      {.name = "pool",
       .target = "/v1/pools",
       .said = Phrase::noun_pool,
       .line = Phrase::line_pool,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  {"provider", Type::text, true, Phrase::col_provider, Phrase::field_provider},
                  {"region", Type::text, true, Phrase::col_region, Phrase::field_region},
                  {"gpu_model", Type::text, true, Phrase::col_gpu_model, Phrase::field_gpu_model},
                  {"gpus_per_node", Type::integer, true, Phrase::col_gpus_per_node,
                   Phrase::field_gpus_per_node},
                  {"cpus", Type::decimal, optional, Phrase::col_cpus, Phrase::field_cpus, "0"},
                  {"memory_mib", Type::integer, optional, Phrase::col_memory_mib,
                   Phrase::field_memory_mib, "0"}},
       .more_columns = {},
       .related = {{"price", "pool"}, {"node", "pool"}}},
      {.name = "node",
       .target = "/v1/nodes",
       .said = Phrase::noun_node,
       .line = Phrase::line_node,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  {"pool", Type::text, true, Phrase::col_pool, Phrase::field_pool},
                  {"first_device", Type::integer, optional, Phrase::col_first_device,
                   Phrase::field_first_device, "0"}},
       .more_columns = {{"state", Phrase::col_state, Kind::word}},
       .related = {}},
      {.name = "price",
       .target = "/v1/prices",
       .said = Phrase::noun_price,
       .line = Phrase::line_price,
       .verb = "set",
       .word = "pool",
       .keys = {"pool"},
       .fields = {{"pool", Type::text, true, Phrase::col_pool, Phrase::field_pool},
                  {"gpu_hour", Type::decimal, true, Phrase::col_gpu_hour, Phrase::field_gpu_hour},
                  {"fraction_factor", Type::decimal, optional, Phrase::col_fraction_factor,
                   Phrase::field_fraction_factor, "1"}},
       .more_columns = {},
       .related = {}},
      {.name = "policy",
       .target = "/v1/policies",
       .said = Phrase::noun_policy,
       .line = Phrase::line_policy,
       .verb = "set",
       .word = {},
       .keys = {},
       .fields = {{"order", Type::text, optional, Phrase::col_order, Phrase::field_order, "fifo"},
                  {"backfill", Type::text, optional, Phrase::col_backfill, Phrase::field_backfill,
                   "easy"},
                  {"placement", Type::text, optional, Phrase::col_placement,
                   Phrase::field_placement, "best_fit"},
                  {"seed", Type::integer, optional, Phrase::col_seed, Phrase::field_seed, "0"},
                  {"cpu_jobs", Type::truth, optional, Phrase::col_cpu_jobs, Phrase::field_cpu_jobs,
                   "false"}},
       .more_columns = {},
       .related = {}},
      {.name = "grant",
       .target = "/v1/grants",
       .said = Phrase::noun_grant,
       .line = Phrase::line_grant,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  title(),
                  {"programme", Type::text, true, Phrase::col_programme, Phrase::field_programme},
                  {"organisation", Type::text, true, Phrase::col_organisation,
                   Phrase::field_grant_organisation}},
       .more_columns = {},
       .related = {{"lot", "grant"}, {"allocation", "grant"}}},
      {.name = "lot",
       .target = "/v1/lots",
       .said = Phrase::noun_lot,
       .line = Phrase::line_lot,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  {"grant", Type::text, true, Phrase::col_grant, Phrase::field_lot_grant},
                  {"funder", Type::text, true, Phrase::col_funder, Phrase::field_funder},
                  {"amount", Type::money, true, Phrase::col_amount, Phrase::field_amount},
                  {"valid_from", Type::instant, true, Phrase::col_valid_from,
                   Phrase::field_valid_from},
                  {"expires", Type::instant, true, Phrase::col_expires, Phrase::field_expires},
                  {"regions", Type::texts, optional, Phrase::col_regions, Phrase::field_regions}},
       .more_columns = {},
       .related = {}},
      {.name = "project",
       .target = "/v1/projects",
       .said = Phrase::noun_project,
       .line = Phrase::line_project,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  title(),
                  {"organisation", Type::text, true, Phrase::col_organisation,
                   Phrase::field_project_organisation}},
       .more_columns = {},
       .related = {{"member", "project"}, {"allocation", "project"}}},
      {.name = "allocation",
       .target = "/v1/allocations",
       .said = Phrase::noun_allocation,
       .line = Phrase::line_allocation,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  {"grant", Type::text, true, Phrase::col_grant, Phrase::field_allocation_grant},
                  {"project", Type::text, true, Phrase::col_project, Phrase::field_project},
                  {"amount", Type::decimal, true, Phrase::col_credits, Phrase::field_credits},
                  {"lot", Type::text, optional, Phrase::col_lot, Phrase::field_lot}},
       .more_columns = {},
       .related = {}},
      {.name = "person",
       .target = "/v1/persons",
       .said = Phrase::noun_person,
       .line = Phrase::line_person,
       .verb = "create",
       .word = "name",
       .keys = {"name"},
       .fields = {name_of(Phrase::field_name),
                  title(),
                  {"role", Type::text, optional, Phrase::col_role, Phrase::field_role, "member"}},
       .more_columns = {},
       .related = {{"member", "person"}}},
      {.name = "member",
       .target = "/v1/members",
       .said = Phrase::noun_member,
       .line = Phrase::line_member,
       .verb = "add",
       .word = "person",
       .keys = {"project", "programme", "person"},
       .fields = {{"person", Type::text, true, Phrase::col_person, Phrase::field_person},
                  {"project", Type::text, optional, Phrase::col_project, Phrase::field_member_of},
                  {"programme", Type::text, optional, Phrase::col_programme,
                   Phrase::field_member_programme},
                  {"role", Type::text, optional, Phrase::col_role, Phrase::field_member_role,
                   "member"}},
       .more_columns = {},
       .related = {}},
  };
  for (Noun& noun : all) {
    for (Field& field : noun.fields) {
      field.fixed = noun.is_key(field.name) ||
                    std::ranges::count(fixed_fields, std::pair(noun.name, field.name)) > 0;
    }
  }
  return all;
}

}  // namespace

const Field* Noun::find(std::string_view field) const {
  const auto found = std::ranges::find(fields, field, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

bool Noun::is_key(std::string_view field) const {
  return std::ranges::find(keys, field) != keys.end();
}

std::vector<Column> Noun::columns() const {
  std::vector<Column> all;
  for (const Field& field : fields) {
    Kind shown = Kind::text;
    switch (field.type) {
      case Type::text:
      case Type::texts: break;
      case Type::decimal: shown = Kind::credits; break;
      case Type::integer: shown = Kind::number; break;
      case Type::money: shown = Kind::money; break;
      case Type::instant: shown = Kind::instant; break;
      case Type::truth: shown = Kind::yes_no; break;
    }
    all.push_back({field.name, field.header, shown});
  }
  all.insert(all.end(), more_columns.begin(), more_columns.end());
  return all;
}

std::string said_of(std::string_view noun, std::string_view name) {
  return std::string(noun) + (name.empty() ? "" : " ") + std::string(name);
}

const std::vector<Noun>& nouns() {
  static const std::vector<Noun> all = all_nouns();
  return all;
}

const Noun* find_noun(std::string_view name) {
  const auto found = std::ranges::find(nouns(), name, &Noun::name);
  return found == nouns().end() ? nullptr : &*found;
}

}  // namespace tenbin::cli
