#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tenbin {

/// What an operation takes besides its address.
enum class Body : std::uint8_t { none, json };

/// How an answer is told apart from the one before, for conditional requests.
enum class Validator : std::uint8_t {
  none,   // never: it waits, it changes with the clock, or it is a command
  world,  // by the digest of all that has happened: any event makes it another answer
  own,    // the handler knows better, and asks `unchanged` before it writes
};

enum class Entry : std::uint8_t { token, open };

struct Call;
class Api;

/// One operation of the API. This table is what the service routes by, what OPTIONS and 405 tell,
/// what unknown parameters are refused with, and what api/openapi.yaml is held against.
///
/// To add an operation: one line in routes.cc, its description in api/openapi.yaml, and a call of
/// it, good and bad, in tests/api/openapi_test.py; the test names what is missing.
struct Route {
  std::string_view method;  // GET answers HEAD too
  /// Segments as they are; {id} takes a whole number above 0 (Call::id), any other {word} any text
  /// (Call::name). An address has at most one of them.
  std::string path;
  std::string operation;   // operationId
  std::string parameters;  // names of the query, with blanks between
  void (*handle)(Api&, const std::shared_ptr<Call>&) = nullptr;
  Validator validator = Validator::none;
  Body body = Body::none;
  Entry entry = Entry::token;
  std::string_view kind = {};  // of a declaration
};

}  // namespace tenbin
