#include <algorithm>
#include <deque>
#include <map>

#include "base/nearest.h"
#include "cli/answers.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/nouns.h"
#include "cli/options.h"
#include "cli/watch.h"

// list, show and create of everything that is declared, from the one table of nouns.

namespace tenbin::cli {

namespace {

const Noun& noun_of(const Words& words) {
  const Noun* noun = find_noun(first_word(words.command->name));
  TENBIN_ASSERT(noun);  // the table of commands names no other
  return *noun;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

// credits_per_unit is --credits-per-unit
std::string flag_of(std::string_view field) {
  std::string out = "--" + std::string(field);
  std::ranges::replace(out, '_', '-');
  return out;
}

std::string_view shape_of(const Field& field) {
  if (field.name == "role") return "ROLE";
  if (field.name == "backfill") return "none|easy";
  switch (field.type) {
    case Type::text: return field.name == "title" ? "TEXT" : "NAME";
    case Type::decimal: return "AMOUNT";
    case Type::integer: return "N";
    case Type::money: return "\"AMOUNT CURRENCY\"";
    case Type::instant: return "INSTANT";
    case Type::texts: return "NAME";
    case Type::truth: return "true|false";
  }
  return "TEXT";
}

std::unexpected<Stop> wrong(const Context& context, const Words& words, const std::string& flag,
                            const std::string& value, const std::string& expected) {
  return stop(Exit::usage, "usage", context.say(Phrase::flag_value, flag, value, expected),
              context.say(Phrase::hint_help, words.command->name));
}

// "2900000000.00 USD", "2,900,000,000 USD" or with the currency in front.
std::optional<std::pair<std::string, std::string>> parse_money(std::string_view text) {
  std::string amount, currency;
  for (const char c : text) {
    if (c == ' ' || c == ',') continue;
    if ((c >= '0' && c <= '9') || c == '.')
      amount += c;
    else
      currency += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  const bool letters = std::ranges::all_of(currency, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!parse_decimal(amount, 2) || currency.size() != 3 || !letters) return std::nullopt;
  return std::pair(amount, currency);
}

// One field of a declaration as flags gave it.
Outcome<void> write_field(const Context& context, const Words& words, const Field& field,
                          const std::vector<std::string>& values, JsonWriter& out) {
  const std::string flag = flag_of(field.name);
  const std::string& value = values.front();
  const auto wrong_with = [&](Phrase expected, const auto&... more) {
    return wrong(context, words, flag, value, context.say(expected, more...));
  };
  out.key(field.name);
  switch (field.type) {
    case Type::text: out.value(value); break;
    case Type::decimal:
      if (!parse_decimal(value, 6)) return wrong_with(Phrase::expected_decimal, 6);
      out.value(value);
      break;
    case Type::integer: {
      const auto number = parse_decimal(value, 0);
      if (!number) return wrong_with(Phrase::expected_integer);
      out.value(*number);
      break;
    }
    case Type::truth:
      if (value != "true" && value != "false") return wrong_with(Phrase::expected_boolean);
      out.value(value == "true");
      break;
    case Type::instant:
      if (!parse_instant(value)) return wrong_with(Phrase::expected_instant);
      out.value(value);
      break;
    case Type::money: {
      const auto money = parse_money(value);
      if (!money) return wrong_with(Phrase::expected_money_flag);
      out.begin_object().member("amount", money->first).member("currency", money->second);
      out.end_object();
      break;
    }
    case Type::texts:
      out.begin_array();
      for (const std::string& one : values) out.value(one);
      out.end_array();
      break;
  }
  return {};
}

// What one was asked for, in the list of its kind: its columns, and its raw JSON.
struct Found {
  std::string raw;
  JsonDocument document;
  JsonValue json;
};

Outcome<Found> find_one(const Context& context, Service& service, const Noun& noun,
                        const std::string& name) {
  Found found;
  std::vector<std::string> names;
  const auto more =
      each_item(service, noun.target, {}, {}, [&](JsonValue item, std::string_view raw) {
        names.push_back(raw_text(item[noun.word]));
        if (names.back() == name) found.raw = raw;
      });
  if (!more) return std::unexpected(more.error());
  if (!found.raw.empty()) {
    if (const auto json = found.document.parse(found.raw)) found.json = *json;
    return found;
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::string meant = nearest(name, views);
  return stop(Exit::not_found, "unknown_" + std::string(noun.name),
              context.say(Phrase::unknown_thing, noun.name, name),
              meant.empty() ? context.say(Phrase::hint_list, noun.name)
                            : context.say(Phrase::hint_meant, meant));
}

// The lists that say more about it, for people.
Outcome<void> print_related(const Context& context, Service& service, const Noun& noun,
                            const std::string& name) {
  for (const Related& related : noun.related) {
    const Noun& other = *find_noun(related.kind);
    std::vector<Column> columns = other.columns();
    std::erase_if(columns, [&](const Column& c) { return c.field == related.field; });
    Table table(std::move(columns));
    const auto more = each_item(service, other.target, {}, {}, [&](JsonValue item, auto) {
      if (raw_text(item[related.field]) == name) table.add(item);
    });
    if (!more && more.error().exit == Exit::auth) continue;  // not for this viewer's eyes
    if (!more) return std::unexpected(more.error());
    if (table.empty()) continue;
    context.print("\n" + context.say(other.line) + "\n");
    table.print(context);
  }
  return {};
}

}  // namespace

Outcome<int> list_noun(Context& context, const Words& words) {
  const Noun& noun = noun_of(words);
  std::string limit;
  bool watch = false;
  Options options(*words.command, "[--limit N] [--watch]");
  options.value("--limit", "N", limit, Phrase::opt_limit_all)
      .flag("-w,--watch", watch, Phrase::opt_watch);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const auto part = part_of(context, words.command->name, limit, false, 0);
  if (!part) return std::unexpected(part.error());
  const auto show = [&](Context& to, Service& service) -> Outcome<bool> {
    const auto printed = print_list(to, service, noun.target, {}, *part, noun.columns());
    if (!printed) return std::unexpected(printed.error());
    return !watch;
  };
  if (watch) return watched(context, {}, show);
  Service service(context);
  const auto shown = show(context, service);
  if (!shown) return std::unexpected(shown.error());
  return 0;
}

Outcome<int> show_noun(Context& context, const Words& words) {
  const Noun& noun = noun_of(words);
  std::string name;
  Options options(*words.command, upper(noun.name));
  options.word(upper(noun.name), name, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  Service service(context);
  auto found = find_one(context, service, noun, name);
  if (!found) return std::unexpected(found.error());
  Answer answer{.body = std::move(found->raw),
                .next_offset = {},
                .document = std::move(found->document),
                .json = found->json};
  print_object(context, answer, noun.columns());
  if (context.format != Format::table) return 0;
  if (auto printed = print_related(context, service, noun, name); !printed)
    return std::unexpected(printed.error());
  return 0;
}

Outcome<int> declare_noun(Context& context, const Words& words) {
  const Noun& noun = noun_of(words);
  std::deque<std::vector<std::string>> lists(noun.fields.size());
  std::deque<std::string> values(noun.fields.size());
  std::string usage;
  for (const Field& field : noun.fields) {
    if (field.name == noun.word) {
      usage = upper(field.name == "name" ? noun.name : field.name) + usage;
      continue;
    }
    if (!field.required) continue;
    usage += (usage.empty() ? "" : " ") + flag_of(field.name) + " " + std::string(shape_of(field));
  }
  const bool more = std::ranges::any_of(noun.fields, [](const Field& f) { return !f.required; });
  Options options(*words.command, usage + (more ? " [FLAGS]" : ""));
  for (std::size_t i = 0; i < noun.fields.size(); ++i) {
    const Field& field = noun.fields[i];
    if (field.name == noun.word) {
      options.word(upper(field.name == "name" ? noun.name : field.name), values[i],
                   Options::Need::required);
    } else if (field.type == Type::texts) {
      options.values(flag_of(field.name), shape_of(field), lists[i], field.help);
    } else {
      options.value(flag_of(field.name), shape_of(field), values[i], field.help);
    }
  }
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());

  std::string body, name;
  JsonWriter out(body);
  out.begin_object();
  for (std::size_t i = 0; i < noun.fields.size(); ++i) {
    const Field& field = noun.fields[i];
    if (!values[i].empty()) lists[i] = {values[i]};
    if (lists[i].empty()) {
      if (!field.required) continue;
      return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, flag_of(field.name)),
                  context.say(Phrase::hint_help, words.command->name));
    }
    if (noun.is_key(field.name)) name += (name.empty() ? "" : " ") + values[i];
    if (auto written = write_field(context, words, field, lists[i], out); !written)
      return std::unexpected(written.error());
  }
  out.end_object();
  const auto answer = Service(context).post(std::string(noun.target), body);
  if (!answer) return std::unexpected(answer.error());
  if (context.format != Format::table) {
    print_object(context, *answer,
                 {{"kind", Phrase::col_kind},
                  {"name", Phrase::col_name},
                  {"result", Phrase::col_result, Kind::word},
                  {"id", Phrase::col_id}});
    return 0;
  }
  const std::string result = raw_text(answer->json["result"]);
  const Phrase said = result == "unchanged"                       ? Phrase::was_unchanged
                      : result == "changed" || noun.verb == "set" ? Phrase::was_set
                                                                  : Phrase::applied_item;
  context.print_line(context.say(said, said_of(noun.name, name)));
  return 0;
}

Outcome<int> member_remove(Context& context, const Words& words) {
  std::string person, project, programme;
  Options options(*words.command, "PERSON --project NAME | --programme NAME");
  options.word("PERSON", person, Options::Need::required)
      .value("--project", "NAME", project, Phrase::field_member_of)
      .value("--programme", "NAME", programme, Phrase::field_member_programme);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  if (project.empty() == programme.empty()) {
    return stop(Exit::usage, "usage", context.say(Phrase::usage_missing, "--project | --programme"),
                context.say(Phrase::hint_help, words.command->name));
  }
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  if (!project.empty()) out.member("project", project);
  if (!programme.empty()) out.member("programme", programme);
  out.member("person", person).end_object();
  const auto answer = Service(context).post("/v1/members/remove", body);
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json)
    print_json(context, answer->body);
  else
    context.print_line(
        context.say(Phrase::member_removed, person, project.empty() ? programme : project));
  return 0;
}

Outcome<int> set_person(Context& context, const Words& words) {
  std::string person;
  Options options(*words.command, "PERSON");
  options.word("PERSON", person, Options::Need::required);
  if (auto parsed = options.parse(context, words); !parsed) return std::unexpected(parsed.error());
  const bool disable = words.command->name == "person disable";
  const auto answer =
      Service(context).post(path("/v1/persons/", person, disable ? "/disable" : "/enable"));
  if (!answer) return std::unexpected(answer.error());
  if (context.format == Format::json)
    print_json(context, answer->body);
  else
    context.print_line(
        context.say(disable ? Phrase::person_disabled : Phrase::person_enabled, person));
  return 0;
}

}  // namespace tenbin::cli
