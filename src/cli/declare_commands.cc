#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/options.h"

namespace tenbin::cli {

namespace {

Outcome<int> list(Context& context, const Words& words, std::string_view name, Phrase about,
                  const std::string& target, std::vector<Column> columns) {
  Options options(name, "", about);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto answer = Service(context).get(target);
  if (!answer) return std::unexpected(answer.error());
  print_items(context, *answer, std::move(columns));
  return 0;
}

constexpr Column name_column{"name", Phrase::col_name};
constexpr Column title_column{"title", Phrase::col_title};

// What an apply did, for people: each thing that is new, then the counts.
void print_applied(const Context& context, JsonValue items) {
  int created = 0, unchanged = 0;
  items.each_item([&](JsonValue item) {
    if (item["result"].text() != "created") {
      ++unchanged;
      return true;
    }
    ++created;
    context.print_line(
        context.say(Phrase::applied_item, raw_text(item["kind"]), raw_text(item["name"])));
    return true;
  });
  context.print_line(context.say(Phrase::applied, created, unchanged));
}

}  // namespace

Outcome<int> apply_file(Context& context, const Words& words) {
  std::string file;
  Options options("apply", "-f FILE", Phrase::apply_about);
  options.value("-f,--file", "FILE", file, Phrase::opt_apply_file);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (file.empty())
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, "-f FILE"),
                context.say(Phrase::hint_help, "apply"));

  const auto declarations = read_declarations(context, file);
  if (!declarations) return std::unexpected(declarations.error());
  std::string body = R"({"items":[)";
  for (const Declaration& one : *declarations) body += one.json + ',';
  body.back() = ']';
  body += '}';

  const auto answer = Service(context).post("/v1/apply", body);
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::table) {
    print_applied(context, answer->json["items"]);
  } else {
    print_items(context, *answer,
                {{"kind", Phrase::col_kind},
                 name_column,
                 {"result", Phrase::col_result, Kind::word},
                 {"id", Phrase::col_id, Kind::number}});
  }

  const JsonValue refused = answer->json["refused"];
  if (!refused.is_object()) return 0;
  Stop why =
      stop_of_problem(context, refused["problem"],
                      std::string(raw_member(raw_member(answer->body, "refused"), "problem")));
  const std::uint64_t index = refused["index"].unsigned_integer().value_or(declarations->size());
  if (index < declarations->size()) {
    const Declaration& one = (*declarations)[index];
    why.why = one.place + ": " + std::string(one.kind) + " " + one.name + ": " + why.why;
  }
  return std::unexpected(std::move(why));
}

Outcome<int> funder_list(Context& context, const Words& words) {
  return list(context, words, "funder list", Phrase::funder_list_about, "/v1/funders",
              {name_column,
               title_column,
               {"commitment", Phrase::col_commitment, Kind::money},
               {"credits_per_unit", Phrase::col_credits_per_unit, Kind::credits},
               {"promised", Phrase::col_promised, Kind::credits},
               {"in_lots", Phrase::col_in_lots, Kind::credits}});
}

Outcome<int> programme_list(Context& context, const Words& words) {
  return list(context, words, "programme list", Phrase::programme_list_about, "/v1/programmes",
              {name_column, title_column});
}

Outcome<int> organisation_list(Context& context, const Words& words) {
  return list(context, words, "organisation list", Phrase::organisation_list_about,
              "/v1/organisations", {name_column, title_column});
}

Outcome<int> grant_list(Context& context, const Words& words) {
  return list(context, words, "grant list", Phrase::grant_list_about, "/v1/grants",
              {name_column,
               title_column,
               {"programme", Phrase::col_programme},
               {"organisation", Phrase::col_organisation}});
}

Outcome<int> lot_list(Context& context, const Words& words) {
  return list(context, words, "lot list", Phrase::lot_list_about, "/v1/lots",
              {name_column,
               {"grant", Phrase::col_grant},
               {"funder", Phrase::col_funder},
               {"amount", Phrase::col_amount, Kind::money},
               {"valid_from", Phrase::col_valid_from, Kind::instant},
               {"expires", Phrase::col_expires, Kind::instant},
               {"regions", Phrase::col_regions}});
}

Outcome<int> project_list(Context& context, const Words& words) {
  return list(context, words, "project list", Phrase::project_list_about, "/v1/projects",
              {name_column, title_column, {"organisation", Phrase::col_organisation}});
}

Outcome<int> allocation_list(Context& context, const Words& words) {
  return list(context, words, "allocation list", Phrase::allocation_list_about, "/v1/allocations",
              {name_column,
               {"grant", Phrase::col_grant},
               {"project", Phrase::col_project},
               {"amount", Phrase::col_credits, Kind::credits},
               {"lot", Phrase::col_lot}});
}

Outcome<int> person_list(Context& context, const Words& words) {
  return list(context, words, "person list", Phrase::person_list_about, "/v1/persons",
              {name_column, title_column, {"role", Phrase::col_role}});
}

Outcome<int> provider_list(Context& context, const Words& words) {
  return list(context, words, "provider list", Phrase::provider_list_about, "/v1/providers",
              {name_column, title_column});
}

Outcome<int> region_list(Context& context, const Words& words) {
  return list(context, words, "region list", Phrase::region_list_about, "/v1/regions",
              {name_column, title_column});
}

Outcome<int> pool_list(Context& context, const Words& words) {
  return list(context, words, "pool list", Phrase::pool_list_about, "/v1/pools",
              {name_column,
               {"provider", Phrase::col_provider},
               {"region", Phrase::col_region},
               {"gpu_model", Phrase::col_gpu_model},
               {"gpus_per_node", Phrase::col_gpus_per_node, Kind::number},
               {"cpus", Phrase::col_cpus, Kind::number},
               {"memory_mib", Phrase::col_memory_mib, Kind::number}});
}

Outcome<int> price_list(Context& context, const Words& words) {
  return list(context, words, "price list", Phrase::price_list_about, "/v1/prices",
              {{"pool", Phrase::col_pool},
               {"gpu_hour", Phrase::col_gpu_hour, Kind::credits},
               {"fraction_factor", Phrase::col_fraction_factor, Kind::credits}});
}

}  // namespace tenbin::cli
