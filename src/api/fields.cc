#include "api/fields.h"

#include "core/limits.h"

namespace tenbin {

Fields::Fields(JsonValue object, Arena& arena, std::string prefix)
    : object_(object), arena_(arena), prefix_(std::move(prefix)) {
  if (!object_.is_object()) {
    complaint_ = Complaint{400, "malformed_request", prefix_ + "expected a JSON object",
                           prefix_ + "JSON オブジェクトを指定してください"};
  }
}

void Fields::complain(std::string_view name, std::string_view english, std::string_view japanese) {
  complain(invalid_field(prefix_ + std::string(name), english, japanese));
}

JsonValue Fields::take(std::string_view name, Need need) {
  taken_.emplace(name);
  const JsonValue value = object_[name];
  if (!value.exists() || value.is_null()) {
    if (need == Need::required) complain(name, "is missing", "指定してください");
    return {};
  }
  return value;
}

bool Fields::flag(std::string_view name) {
  const JsonValue value = take(name, Need::optional);
  if (!value.exists()) return false;
  const auto flag = value.boolean();
  if (!flag) complain(name, "expected true or false", "true か false を指定してください");
  return flag.value_or(false);
}

JsonValue Fields::object(std::string_view name, Need need) {
  return take(name, need);
}

Text Fields::text(std::string_view name, Need need) {
  const JsonValue value = take(name, need);
  if (!value.exists()) return {};
  const auto text = value.text();
  if (!text || text->find('\0') != std::string_view::npos) {
    complain(name, "expected a text", "文字列を指定してください");
    return {};
  }
  return arena_.text(*text);
}

std::int64_t Fields::integer(std::string_view name, std::int64_t least, std::int64_t most,
                             std::int64_t otherwise, Need need) {
  const JsonValue value = take(name, need);
  if (!value.exists()) return otherwise;
  const auto number = value.integer();
  if (!number || *number < least || *number > most) {
    const std::string range = std::to_string(least) + " - " + std::to_string(most);
    complain(name, "expected a whole number, " + range, "整数（" + range + "）を指定してください");
    return otherwise;
  }
  return *number;
}

std::int64_t Fields::decimal(std::string_view name, unsigned decimals, std::int64_t otherwise,
                             Need need) {
  const JsonValue value = take(name, need);
  if (!value.exists()) return otherwise;
  std::optional<std::int64_t> number;
  if (const auto text = value.text()) {
    number = parse_decimal(*text, decimals);
  } else if (const auto whole = value.integer()) {
    number = parse_decimal(std::to_string(*whole), decimals);
  }
  if (!number) {
    complain(name,
             "expected a decimal text such as \"12.5\" with at most " + std::to_string(decimals) +
                 " decimals",
             "\"12.5\" のような小数第 " + std::to_string(decimals) +
                 " 位までの文字列を指定してください");
  }
  return number.value_or(otherwise);
}

Instant Fields::instant(std::string_view name, Instant otherwise, Need need) {
  const JsonValue value = take(name, need);
  if (!value.exists()) return otherwise;
  const auto text = value.text();
  const auto instant = text ? parse_instant(*text) : std::nullopt;
  if (!instant) {
    complain(name, "expected an instant such as 2027-03-30T17:00:00+09:00",
             "2027-03-30T17:00:00+09:00 のような日時を指定してください");
  }
  return instant.value_or(otherwise);
}

Money Fields::money(std::string_view name) {
  const JsonValue value = take(name, Need::required);
  if (!value.exists()) return {};
  Fields fields(value, arena_, prefix_ + std::string(name) + ".");
  const Text currency = fields.text("currency");
  const auto decimals = currency_decimals(currency);
  if (!decimals)
    fields.complain("currency", "expected three capital letters (ISO 4217)",
                    "3 文字の大文字（ISO 4217）で指定してください");
  Money money;
  money.minor = fields.decimal("amount", decimals.value_or(0), 0);
  if (decimals) std::copy(currency.begin(), currency.end(), money.currency.begin());
  if (auto complaint = fields.finish()) complain(std::move(*complaint));
  return money;
}

std::span<const Text> Fields::texts(std::string_view name) {
  const JsonValue value = take(name, Need::optional);
  if (!value.exists()) return {};
  constexpr std::size_t most = 64;
  if (!value.is_array() || value.size() > most) {
    complain(name, "expected a list of at most 64 texts",
             "64 個までの文字列の配列を指定してください");
    return {};
  }
  const std::span<Text> list = arena_.make<Text>(value.size());
  std::size_t i = 0;
  const bool whole = value.each_item([&](JsonValue item) {
    const auto text = item.text();
    if (text) list[i++] = arena_.text(*text);
    return text.has_value();
  });
  if (!whole) complain(name, "expected a list of texts", "文字列の配列を指定してください");
  return list;
}

std::optional<Complaint> Fields::finish() {
  object_.each_member([&](std::string_view key, JsonValue) {
    if (!taken_.contains(key))
      complain(key, "no such field; see docs/api.md",
               "そのような項目はありません。docs/api.md を参照してください");
    return !complaint_;
  });
  return complaint_;
}

}  // namespace tenbin
