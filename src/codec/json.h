#pragma once

#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

// JSON in and out. The library that parses it is seen by json.cc alone.

namespace tenbin {

/// A view of one value of a parsed document, which must outlive it. Asking for what a value is not
/// gives nothing.
class JsonValue {
 public:
  JsonValue() = default;
  bool exists() const { return document_ != nullptr; }
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;
  bool is_null() const;

  std::optional<std::int64_t> integer() const;
  std::optional<std::uint64_t> unsigned_integer() const;
  std::optional<double> number() const;  // any number, for what is only shown
  std::optional<bool> boolean() const;
  std::optional<std::string_view> text() const;

  /// The member of this name, or a value that does not exist. Cost: the object's members.
  JsonValue operator[](std::string_view key) const;

  /// Calls visit(JsonValue) for every item until it returns false.
  template <class Visit>
  bool each_item(Visit&& visit) const;
  /// Calls visit(key, JsonValue) for every member until it returns false.
  template <class Visit>
  bool each_member(Visit&& visit) const;
  std::size_t size() const;  // of an array or object, else 0

 private:
  friend class JsonDocument;
  using ItemVisitor = bool (*)(void*, JsonValue);
  using MemberVisitor = bool (*)(void*, std::string_view, JsonValue);
  bool items(void* context, ItemVisitor visit) const;
  bool members(void* context, MemberVisitor visit) const;

  const void* document_ = nullptr;
  std::size_t at_ = 0;
};

/// Parses whole texts, one after the other, with the same memory.
class JsonDocument {
 public:
  JsonDocument();
  ~JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;

  /// Checks all of `text` (UTF-8, nesting up to 64, no repeated member names in an object) and
  /// gives its root, which lives until the next parse. Errors: what is wrong, for a person.
  Result<JsonValue> parse(std::string_view text);

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

template <class Visit>
bool JsonValue::each_item(Visit&& visit) const {
  return items(&visit, [](void* v, JsonValue item) {
    return (*static_cast<std::remove_reference_t<Visit>*>(v))(item);
  });
}
template <class Visit>
bool JsonValue::each_member(Visit&& visit) const {
  return members(&visit, [](void* v, std::string_view key, JsonValue value) {
    return (*static_cast<std::remove_reference_t<Visit>*>(v))(key, value);
  });
}

/// Appends JSON to a text. Commas are its business, matching brackets the caller's. What is not
/// UTF-8 in a text becomes U+FFFD: JSON that could not be read again would be worse.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name) {
    comma();
    quoted(name);
    out_ += ':';
    fresh_ = true;
    return *this;
  }
  JsonWriter& value(std::string_view text) {
    comma();
    quoted(text);
    return *this;
  }
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  JsonWriter& value(bool b) { return raw(b ? "true" : "false"); }
  template <class Int>
    requires std::is_integral_v<Int>
  JsonWriter& value(Int number) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return raw({digits, static_cast<std::size_t>(end - digits)});
  }
  JsonWriter& null() { return raw("null"); }
  /// A piece of JSON made elsewhere.
  JsonWriter& raw(std::string_view json) {
    comma();
    out_ += json;
    return *this;
  }
  template <class T>
  JsonWriter& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }

 private:
  JsonWriter& open(char c) {
    comma();
    out_ += c;
    fresh_ = true;
    return *this;
  }
  JsonWriter& close(char c) {
    out_ += c;
    fresh_ = false;
    return *this;
  }
  void comma() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  void quoted(std::string_view text);

  std::string& out_;
  bool fresh_ = true;  // nothing written yet at this level, or a key just was
};

}  // namespace tenbin
