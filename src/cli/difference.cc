#include "cli/difference.h"

#include <algorithm>
#include <map>

#include "cli/answers.h"
#include "cli/nouns.h"

namespace tenbin::cli {

namespace {

// The same value in the same letters, however it was written: 12.50 and 12.5, an instant in any
// zone, regions in any order.
std::string canonical(const Field& field, JsonValue value) {
  const std::string raw = value.exists() && !value.is_null() ? raw_text(value) : std::string();
  const std::string text = raw.empty() ? std::string(field.otherwise) : raw;
  switch (field.type) {
    case Type::text:
    case Type::integer:
    case Type::truth: return text;
    case Type::decimal: {
      const auto number = parse_credits(text);
      return number ? credits_text(*number) : text;
    }
    case Type::instant: {
      const auto ms = parse_instant(text);
      return ms ? std::to_string(*ms) : text;
    }
    case Type::money: {
      const auto amount = parse_credits(raw_text(value["amount"]));
      return (amount ? credits_text(*amount) : raw_text(value["amount"])) + " " +
             raw_text(value["currency"]);
    }
    case Type::texts: {
      std::vector<std::string> all;
      value.each_item([&](JsonValue item) {
        all.push_back(raw_text(item));
        return true;
      });
      std::ranges::sort(all);
      std::string joined;
      for (const std::string& one : all) joined += (joined.empty() ? "" : ",") + one;
      return joined;
    }
  }
  return text;
}

// What stands in a message: the values as people wrote them.
std::string shown(const Field& field, JsonValue value) {
  const std::string raw = value.exists() && !value.is_null() ? raw_text(value) : std::string();
  if (raw.empty()) return std::string(field.otherwise);
  if (field.type == Type::decimal) return canonical(field, value);
  if (field.type == Type::money) return canonical(field, value);
  return raw;
}

std::string key_of(const Noun& noun, JsonValue value) {
  std::string key;
  for (const std::string_view part : noun.keys) key += raw_text(value[part]) + "\n";
  return key;
}

std::vector<Change> compare(const Noun& noun, JsonValue declared, JsonValue there) {
  std::vector<Change> changes;
  for (const Field& field : noun.fields) {
    // A service that knows no such field cannot differ in it, unless it was asked for.
    if (!there[field.name].exists() && !declared[field.name].exists()) continue;
    if (canonical(field, declared[field.name]) == canonical(field, there[field.name])) continue;
    changes.push_back({std::string(field.name), shown(field, there[field.name]),
                       shown(field, declared[field.name]), !field.fixed});
  }
  return changes;
}

}  // namespace

std::string_view word_of(Fate fate) {
  switch (fate) {
    case Fate::created: return "created";
    case Fate::changed: return "changed";
    case Fate::unchanged: return "unchanged";
    case Fate::refused: return "refused";
  }
  return {};
}

Outcome<std::vector<Planned>> differences(Service& service,
                                          const std::vector<Declaration>& declarations) {
  struct There {
    std::map<std::string, std::string> by_key;  // raw JSON
  };
  std::map<std::string_view, There> lists;
  std::vector<Planned> plan;
  for (const Declaration& one : declarations) {
    const Noun& noun = *find_noun(one.kind);
    if (!lists.contains(noun.name)) {
      There& there = lists[noun.name];
      const auto more = each_item(
          service, noun.target, {}, {},
          [&](JsonValue item, std::string_view raw) { there.by_key[key_of(noun, item)] = raw; });
      if (!more) return std::unexpected(more.error());
    }
    JsonDocument mine, theirs;
    const JsonValue declared = mine.parse(one.json).value_or(JsonValue());
    Planned planned{.declaration = &one, .fate = Fate::created, .changes = {}};
    auto& there = lists[noun.name].by_key;
    const std::string key = key_of(noun, declared);
    if (const auto found = there.find(key); found != there.end()) {
      planned.changes = compare(noun, declared, theirs.parse(found->second).value_or(JsonValue()));
      planned.fate = planned.changes.empty()                                  ? Fate::unchanged
                     : std::ranges::all_of(planned.changes, &Change::allowed) ? Fate::changed
                                                                              : Fate::refused;
    }
    // What comes after it is compared with it.
    if (planned.fate == Fate::created || planned.fate == Fate::changed) there[key] = one.json;
    plan.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace tenbin::cli
