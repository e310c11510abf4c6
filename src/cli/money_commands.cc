#include <array>
#include <string>
#include <vector>

#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/options.h"

namespace tenbin::cli {

namespace {

Wide micro(JsonValue credits) {
  return parse_credits(credits.text().value_or("0")).value_or(0);
}

std::vector<Column> totals_columns() {
  return {{"project", Phrase::col_project},
          {"allocated", Phrase::col_allocated, Kind::credits},
          {"free", Phrase::col_free, Kind::credits},
          {"held", Phrase::col_held, Kind::credits},
          {"spent", Phrase::col_spent, Kind::credits},
          {"expired", Phrase::col_expired, Kind::credits}};
}

void print_shares(const Context& context, JsonValue balance) {
  Table shares({{"allocation", Phrase::col_allocation},
                {"grant", Phrase::col_grant, Kind::text, 4},
                {"funder", Phrase::col_funder, Kind::text, 3},
                {"lot", Phrase::col_lot, Kind::text, 5},
                {"expires", Phrase::col_expires, Kind::instant, 2},
                {"regions", Phrase::col_regions, Kind::text, 6},
                {"amount", Phrase::col_credits, Kind::credits},
                {"free", Phrase::col_free, Kind::credits},
                {"held", Phrase::col_held, Kind::credits},
                {"spent", Phrase::col_spent, Kind::credits},
                {"expired", Phrase::col_expired, Kind::credits, 7}});
  balance["shares"].each_item([&](JsonValue share) {
    shares.add(share);
    return true;
  });
  shares.print(context);
}

// What the columns of one row say must be all of what lies in lots.
constexpr std::array<std::string_view, 5> parts_of_lots{"unallocated", "free", "held", "spent",
                                                        "expired"};

bool row_adds_up(JsonValue row) {
  Wide sum = 0;
  for (const std::string_view part : parts_of_lots) sum += micro(row[part]);
  return sum == micro(row["in_lots"]);
}

// The last line of a statement: said even if all is well, and never only by its colour.
int print_verdict(const Context& context, bool adds_up) {
  if (context.format == Format::table) {
    const std::string line = context.say(adds_up ? Phrase::adds_up : Phrase::does_not_add_up);
    const char* colour = adds_up ? "\x1b[32m" : "\x1b[1;31m";
    context.print_line("\n" + (context.look.colour ? colour + line + "\x1b[0m" : line));
  } else if (!adds_up) {
    context.note(context.say(Phrase::does_not_add_up));
  }
  return adds_up ? 0 : code(Exit::failed);
}

int print_programme(const Context& context, const Answer& answer) {
  bool adds_up = answer.json["adds_up"].boolean().value_or(false);
  Table table({{"funder", Phrase::col_funder},
               {"grant", Phrase::col_grant},
               {"organisation", Phrase::col_organisation, Kind::text, 5},
               {"promised", Phrase::col_promised, Kind::credits, 4},
               {"in_lots", Phrase::col_in_lots, Kind::credits},
               {"unallocated", Phrase::col_unallocated, Kind::credits, 2},
               {"free", Phrase::col_free, Kind::credits},
               {"held", Phrase::col_held, Kind::credits},
               {"spent", Phrase::col_spent, Kind::credits},
               {"expired", Phrase::col_expired, Kind::credits, 3}});
  const auto row = [&](std::string funder, JsonValue figures) {
    std::vector<std::string> cells{std::move(funder), raw_text(figures["grant"]),
                                   raw_text(figures["organisation"]), raw_text(figures["promised"]),
                                   raw_text(figures["in_lots"])};
    for (const std::string_view part : parts_of_lots) cells.push_back(raw_text(figures[part]));
    return cells;
  };

  constexpr std::array<std::string_view, 7> summed{"promised", "in_lots", "unallocated", "free",
                                                   "held",     "spent",   "expired"};
  std::array<Wide, summed.size()> totals{};
  answer.json["funders"].each_item([&](JsonValue funder) {
    std::array<Wide, summed.size()> of_grants{};
    table.add(row(raw_text(funder["funder"]), funder));
    funder["grants"].each_item([&](JsonValue grant) {
      table.add(row(raw_text(funder["funder"]), grant), 1);
      for (std::size_t i = 1; i < summed.size(); ++i) of_grants[i] += micro(grant[summed[i]]);
      adds_up = adds_up && row_adds_up(grant);
      return true;
    });
    for (std::size_t i = 0; i < summed.size(); ++i) {
      totals[i] += micro(funder[summed[i]]);
      adds_up = adds_up && (i == 0 || of_grants[i] == micro(funder[summed[i]]));
    }
    adds_up = adds_up && row_adds_up(funder);
    return true;
  });
  if (context.format == Format::json) {
    print_json(context, answer.body);
  } else {
    if (context.format == Format::table && !table.empty()) {
      std::vector<std::string> cells{context.say(Phrase::total), "", ""};
      for (const Wide total : totals) cells.push_back(credits_text(total));
      table.add(std::move(cells));
    }
    table.print(context);
  }
  return print_verdict(context, adds_up);
}

int print_project(const Context& context, const Answer& answer) {
  const JsonValue json = answer.json;
  bool adds_up = json["adds_up"].boolean().value_or(false);
  Table lines({{"at", Phrase::col_at, Kind::instant},
               {"job", Phrase::col_job, Kind::number},
               {"name", Phrase::col_name, Kind::text, 4},
               {"state", Phrase::col_state, Kind::word, 3},
               {"charged", Phrase::col_charged, Kind::credits},
               {"funder", Phrase::col_funder},
               {"grant", Phrase::col_grant, Kind::text, 5},
               {"lot", Phrase::col_lot, Kind::text, 6},
               {"amount", Phrase::col_part, Kind::credits}});
  Wide charged = 0;
  json["lines"].each_item([&](JsonValue line) {
    Wide in_parts = 0;
    const std::vector<std::string> first{raw_text(line["at"]), raw_text(line["job"]),
                                         raw_text(line["name"]), raw_text(line["state"]),
                                         raw_text(line["charged"])};
    std::size_t repeats = 0;
    line["parts"].each_item([&](JsonValue part) {
      auto cells = first;
      for (const char* field : {"funder", "grant", "lot", "amount"})
        cells.push_back(raw_text(part[field]));
      lines.add(std::move(cells), repeats);
      repeats = first.size();
      in_parts += micro(part["amount"]);
      return true;
    });
    if (repeats == 0) {
      auto cells = first;
      cells.resize(first.size() + 4);
      lines.add(std::move(cells));
    }
    charged += micro(line["charged"]);
    adds_up = adds_up && in_parts == micro(line["charged"]);
    return true;
  });
  Wide paid = 0;
  Table paid_by({{"funder", Phrase::col_funder},
                 {"grant", Phrase::col_grant},
                 {"amount", Phrase::col_paid, Kind::credits}});
  json["paid_by"].each_item([&](JsonValue payer) {
    paid_by.add(payer);
    paid += micro(payer["amount"]);
    return true;
  });
  // A job that ended while the service looked may be a line already and not yet a sum.
  adds_up = adds_up && paid == micro(json["spent"]) && charged >= paid;

  if (context.format == Format::json) {
    print_json(context, answer.body);
  } else if (context.format == Format::csv) {
    lines.print(context);
  } else {
    lines.print(context);
    Table totals(totals_columns());
    totals.add(json);
    context.print("\n");
    totals.print(context);
    if (!paid_by.empty()) context.print("\n");
    if (!paid_by.empty()) paid_by.print(context);
  }
  return print_verdict(context, adds_up);
}

}  // namespace

Outcome<int> balance(Context& context, const Words& words) {
  std::string project;
  Options options("balance", "PROJECT", Phrase::balance_about);
  options.word("PROJECT", project, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto answer = Service(context).get(path("/v1/projects/", project, "/balance"));
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json) {
    print_json(context, answer->body);
    return 0;
  }
  if (context.format == Format::table) {
    Table totals(totals_columns());
    totals.add(answer->json);
    totals.print(context);
    context.print("\n");
  }
  print_shares(context, answer->json);
  return 0;
}

Outcome<int> statement(Context& context, const Words& words) {
  std::string project;
  Options options("statement", "[PROJECT]", Phrase::statement_about);
  options.word("PROJECT", project, Options::Need::optional);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto answer = Service(context).get(
      project.empty() ? "/v1/statement" : path("/v1/projects/", project, "/statement"));
  if (!answer) return std::unexpected(answer.error());
  return project.empty() ? print_programme(context, *answer) : print_project(context, *answer);
}

}  // namespace tenbin::cli
