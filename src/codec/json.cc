#include "codec/json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "base/utf8.h"

namespace tenbin {

namespace {

using Element = simdjson::dom::element;
static_assert(sizeof(Element) == sizeof(JsonValue) && std::is_trivially_copyable_v<Element>,
              "a JsonValue is a simdjson element that headers need not know");

Element element_of(const JsonValue& value) {
  Element element;
  std::memcpy(static_cast<void*>(&element), &value, sizeof element);
  return element;
}
JsonValue value_of(const Element& element) {
  JsonValue value;
  std::memcpy(static_cast<void*>(&value), &element, sizeof value);
  return value;
}

bool repeated_member(const Element& element) {
  if (element.is_array()) {
    const simdjson::dom::array list = element.get_array().value_unsafe();
    for (const Element item : list) {
      if (repeated_member(item)) return true;
    }
  } else if (element.is_object()) {
    // Few names are compared with each other, which needs no memory; many are sorted.
    std::array<std::string_view, 24> few;
    std::vector<std::string_view> many;
    std::size_t n = 0;
    const simdjson::dom::object object = element.get_object().value_unsafe();
    for (const auto [key, value] : object) {
      if (repeated_member(value)) return true;
      if (n < few.size()) {
        for (std::size_t i = 0; i < n; ++i) {
          if (few[i] == key) return true;
        }
        few[n++] = key;
      } else {
        if (many.empty()) many.assign(few.begin(), few.end());
        many.push_back(key);
      }
    }
    std::ranges::sort(many);
    if (std::ranges::adjacent_find(many) != many.end()) return true;
  }
  return false;
}

}  // namespace

struct JsonDocument::Parser {
  simdjson::dom::parser parser;
};

JsonDocument::JsonDocument() : parser_(std::make_unique<Parser>()) {}
JsonDocument::~JsonDocument() = default;
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;

Result<JsonValue> JsonDocument::parse(std::string_view text) {
  constexpr std::size_t depth_max = 64;
  if (parser_->parser.max_depth() != depth_max) {
    if (parser_->parser.allocate(std::max<std::size_t>(text.size(), 4096), depth_max) !=
        simdjson::SUCCESS) {
      return failed("out of memory");
    }
  }
  Element root;
  const auto error = parser_->parser.parse(text.data(), text.size()).get(root);
  if (error != simdjson::SUCCESS) return failed(simdjson::error_message(error));
  if (repeated_member(root)) return failed("a member name stands twice in one object");
  return value_of(root);
}

bool JsonValue::is_object() const {
  return exists() && element_of(*this).is_object();
}
bool JsonValue::is_array() const {
  return exists() && element_of(*this).is_array();
}
bool JsonValue::is_string() const {
  return exists() && element_of(*this).is_string();
}
bool JsonValue::is_null() const {
  return exists() && element_of(*this).is_null();
}

std::optional<std::int64_t> JsonValue::integer() const {
  std::int64_t number = 0;
  if (!exists() || element_of(*this).get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}
std::optional<std::uint64_t> JsonValue::unsigned_integer() const {
  std::uint64_t number = 0;
  if (!exists() || element_of(*this).get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}
std::optional<double> JsonValue::number() const {
  double number = 0;
  if (!exists() || element_of(*this).get(number) != simdjson::SUCCESS) return std::nullopt;
  return number;
}
std::optional<bool> JsonValue::boolean() const {
  bool b = false;
  if (!exists() || element_of(*this).get(b) != simdjson::SUCCESS) return std::nullopt;
  return b;
}
std::optional<std::string_view> JsonValue::text() const {
  std::string_view text;
  if (!exists() || element_of(*this).get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

JsonValue JsonValue::operator[](std::string_view key) const {
  if (!is_object()) return {};
  Element found;
  const simdjson::dom::object object = element_of(*this).get_object().value_unsafe();
  if (object.at_key(key).get(found) != simdjson::SUCCESS) return {};
  return value_of(found);
}

std::size_t JsonValue::size() const {
  if (is_array()) return simdjson::dom::array{element_of(*this).get_array().value_unsafe()}.size();
  if (is_object())
    return simdjson::dom::object{element_of(*this).get_object().value_unsafe()}.size();
  return 0;
}

bool JsonValue::items(void* context, ItemVisitor visit) const {
  if (!is_array()) return false;
  const simdjson::dom::array list = element_of(*this).get_array().value_unsafe();
  for (const Element item : list) {
    if (!visit(context, value_of(item))) return false;
  }
  return true;
}

bool JsonValue::members(void* context, MemberVisitor visit) const {
  if (!is_object()) return false;
  const simdjson::dom::object object = element_of(*this).get_object().value_unsafe();
  for (const auto [key, value] : object) {
    if (!visit(context, key, value_of(value))) return false;
  }
  return true;
}

void JsonWriter::quoted(std::string_view text) {
  static constexpr char hex[] = "0123456789abcdef";
  out_ += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') continue;
    if (c >= 0x80) {
      if (const std::size_t length = utf8_character(text.substr(i))) {
        i += length - 1;
        continue;
      }
    }
    out_.append(text, from, i - from);
    from = i + 1;
    if (c >= 0x80) {
      out_ += "\\ufffd";
      continue;
    }
    switch (c) {
      case '"': out_ += "\\\""; break;
      case '\\': out_ += "\\\\"; break;
      case '\n': out_ += "\\n"; break;
      case '\t': out_ += "\\t"; break;
      case '\r': out_ += "\\r"; break;
      default:
        out_ += "\\u00";
        out_ += hex[c >> 4];
        out_ += hex[c & 15];
    }
  }
  out_.append(text, from);
  out_ += '"';
}

}  // namespace tenbin
