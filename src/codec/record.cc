#include "codec/record.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "codec/hash.h"

namespace tenbin {

namespace {

template <class T>
constexpr bool is_span = false;
template <class T>
constexpr bool is_span<std::span<const T>> = true;

// ---- out ----

template <class T>
void write(JsonWriter& out, const T& value) {
  if constexpr (std::is_same_v<T, bool> || std::is_integral_v<T>) {
    out.value(value);
  } else if constexpr (std::is_enum_v<T>) {
    static constexpr auto names = enum_names(T{});
    out.value(names[static_cast<std::size_t>(value)]);
  } else if constexpr (std::is_same_v<T, Text>) {
    out.value(value);
  } else if constexpr (std::is_same_v<T, Hash>) {
    out.value(to_hex(value));
  } else if constexpr (std::is_same_v<T, RequestId>) {
    out.value(to_uuid(value));
  } else if constexpr (std::is_same_v<T, std::array<char, 3>>) {
    out.value(Text{value.data(), value.size()});
  } else if constexpr (std::is_same_v<T, PoolSet>) {
    out.value(value.bits);
  } else if constexpr (std::is_same_v<T, Instant>) {
    out.value(value.ms);
  } else if constexpr (is_span<T>) {
    out.begin_array();
    for (const auto& item : value) write(out, item);
    out.end_array();
  } else if constexpr (HasFields<T>) {
    out.begin_object();
    visit_fields(value, [&](const char* name, const auto& field) {
      out.key(name);
      write(out, field);
    });
    out.end_object();
  } else if constexpr (requires { value.count; }) {
    out.value(value.count);
  } else {
    out.value(value.value);  // an id
  }
}

// ---- in ----

/// Where reading stopped, if it did.
struct Trouble {
  bool older = false;  // written under older rules: what it does not know is as it was then
  std::string field;
  bool bad = false;
  void at(std::string_view name) {
    if (!bad) field = name;
    bad = true;
  }
};

template <class T>
bool read(JsonValue in, T& value, Facts& facts, Trouble& trouble) {
  if constexpr (std::is_same_v<T, bool>) {
    const auto b = in.boolean();
    if (b) value = *b;
    return b.has_value();
  } else if constexpr (std::is_enum_v<T>) {
    static constexpr auto names = enum_names(T{});
    const auto text = in.text();
    if (!text) return false;
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == *text) {
        value = static_cast<T>(i);
        return true;
      }
    }
    return false;
  } else if constexpr (std::is_unsigned_v<T>) {
    const auto number = in.unsigned_integer();
    if (!number || *number > std::numeric_limits<T>::max()) return false;
    value = static_cast<T>(*number);
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    const auto number = in.integer();
    if (!number || *number < std::numeric_limits<T>::min() ||
        *number > std::numeric_limits<T>::max()) {
      return false;
    }
    value = static_cast<T>(*number);
    return true;
  } else if constexpr (std::is_same_v<T, Text>) {
    const auto text = in.text();
    if (text) value = facts.text(*text);
    return text.has_value();
  } else if constexpr (std::is_same_v<T, Hash>) {
    const auto text = in.text();
    const auto hash = text ? hash_from_hex(*text) : std::nullopt;
    if (hash) value = *hash;
    return hash.has_value();
  } else if constexpr (std::is_same_v<T, RequestId>) {
    const auto text = in.text();
    const auto id = text ? uuid_from(*text) : std::nullopt;
    if (id) value = *id;
    return id.has_value();
  } else if constexpr (std::is_same_v<T, std::array<char, 3>>) {
    const auto text = in.text();
    if (!text || text->size() != 3) return false;
    std::copy(text->begin(), text->end(), value.begin());
    return true;
  } else if constexpr (std::is_same_v<T, PoolSet>) {
    return read(in, value.bits, facts, trouble);
  } else if constexpr (std::is_same_v<T, Instant>) {
    return read(in, value.ms, facts, trouble);
  } else if constexpr (is_span<T>) {
    if (!in.is_array()) return false;
    using Item = std::remove_cv_t<typename T::element_type>;
    const std::span<Item> items = facts.make<Item>(in.size());
    std::size_t i = 0;
    const bool whole = in.each_item([&](JsonValue item) {
      // The parser counts the items of very long lists only up to a limit.
      return i < items.size() && read(item, items[i++], facts, trouble);
    });
    value = items;
    return whole;
  } else if constexpr (HasFields<T>) {
    if (!in.is_object()) return false;
    visit_fields(value, [&](const char* name, auto& field) {
      if (trouble.bad) return;
      const JsonValue member = in[name];
      if (!member.exists() && trouble.older) return;
      if (!read(member, field, facts, trouble)) trouble.at(name);
    });
    return !trouble.bad;
  } else if constexpr (requires { value.count; }) {
    return read(in, value.count, facts, trouble);
  } else {
    return read(in, value.value, facts, trouble);
  }
}

/// Reads {"Name":{...}} into the alternative of that name.
template <class Variant, std::size_t N>
Result<Variant> read_variant(JsonValue in, const std::array<std::string_view, N>& names, bool older,
                             Facts& facts) {
  std::string_view name;
  JsonValue body;
  if (!in.is_object() || in.size() != 1) return failed("expected one named command or event");
  in.each_member([&](std::string_view key, JsonValue value) {
    name = key;
    body = value;
    return true;
  });
  Result<Variant> result = failed("unknown command or event " + std::string(name) +
                                  ": it was written by a newer version of tenbin; use that one");
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    static_cast<void>(((names[I] == name &&
                        [&] {
                          std::variant_alternative_t<I, Variant> alternative{};
                          Trouble trouble{.older = older};
                          if (read(body, alternative, facts, trouble)) {
                            result = Variant{alternative};
                          } else {
                            result = failed(std::string(name) + "." + trouble.field +
                                            " is missing or not of its type");
                          }
                          return true;
                        }()) ||
                       ...));
  }(std::make_index_sequence<std::variant_size_v<Variant>>{});
  return result;
}

template <class Variant, std::size_t N>
void write_variant(JsonWriter& out, const Variant& value,
                   const std::array<std::string_view, N>& names) {
  out.begin_object();
  out.key(names[value.index()]);
  std::visit([&](const auto& v) { write(out, v); }, value);
  out.end_object();
}

}  // namespace

void write_event(JsonWriter& out, const Event& event) {
  write_variant(out, event, event_names);
}
void write_command(JsonWriter& out, const Command& command) {
  write_variant(out, command, command_names);
}

void write_record(std::string& body, const Asked& asked, std::span<const Event> events) {
  JsonWriter out(body);
  out.begin_object();
  out.member("rules", rules_version);
  if (asked.by) out.member("by", asked.by.value);
  if (asked.request) out.member("request", to_uuid(asked.request));
  out.key("command");
  write_command(out, asked.command);
  out.key("events");
  out.begin_array();
  for (const Event& event : events) write_event(out, event);
  out.end_array();
  out.end_object();
}

Result<DecodedRecord> read_record(JsonDocument& document, std::string_view body, Facts& facts) {
  const auto root = document.parse(body);
  if (!root) return failed("not JSON: " + root.error().what);
  if (!root->is_object()) return failed("a record is an object");
  DecodedRecord record;
  Trouble trouble;
  if (!read((*root)["rules"], record.rules, facts, trouble))
    return failed("rules is missing or not a number");
  if (const JsonValue by = (*root)["by"];
      by.exists() && !read(by, record.asked.by, facts, trouble)) {
    return failed("by is not an id");
  }
  if (const JsonValue id = (*root)["request"];
      id.exists() && !read(id, record.asked.request, facts, trouble)) {
    return failed("request is not a UUID");
  }
  const bool older = record.rules < rules_version;
  auto command = read_variant<Command>((*root)["command"], command_names, older, facts);
  if (!command) return std::unexpected(command.error());
  record.asked.command = *command;
  const JsonValue events = (*root)["events"];
  if (!events.is_array()) return failed("events is missing or not a list");
  Result<void> whole;
  events.each_item([&](JsonValue item) {
    auto event = read_variant<Event>(item, event_names, older, facts);
    if (!event) {
      whole = std::unexpected(event.error());
      return false;
    }
    std::visit([&](const auto& e) { facts.add(e); }, *event);
    return true;
  });
  if (!whole) return std::unexpected(whole.error());
  return record;
}

}  // namespace tenbin
