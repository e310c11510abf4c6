#pragma once

#include <span>
#include <string>

#include "base/error.h"
#include "codec/json.h"
#include "core/commands.h"
#include "core/facts.h"

// One journal record as JSON: who asked what, and what became true (docs/formats/journal.md).

namespace tenbin {

/// The version of the deciding rules. An audit compares re-decided events only for records of the
/// binary's own version; recovery never decides again.
constexpr std::uint32_t rules_version = 2;

/// Appends {"rules":..,"by":..,"request":..,"command":{..},"events":[..]} to `body`.
void write_record(std::string& body, const Asked& asked, std::span<const Event> events);

struct DecodedRecord {
  std::uint32_t rules = 0;
  Asked asked;
};

/// Reads a record. Its events are appended to `facts`, whose arena also holds the command's texts.
/// An unknown command or event, a missing field or one of another type is an error that names it;
/// but a field that a record of older rules does not have is left as its default, which says what
/// was true before there was that field.
Result<DecodedRecord> read_record(JsonDocument& document, std::string_view body, Facts& facts);

/// One event or command by itself, as {"Name":{...}}.
void write_event(JsonWriter& out, const Event& event);
void write_command(JsonWriter& out, const Command& command);

}  // namespace tenbin
