#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "net/http.h"

// Internal to net/: the server's view of bytes. It is a header only so that the fuzzer can reach
// the very code that strangers reach.

namespace tenbin::net {

struct RequestLimits {
  std::uint32_t header_bytes = 16 * 1024;  // request line and fields together
  std::uint64_t body_bytes = 1024 * 1024;
};

enum class Parsing { unfinished, complete, malformed, header_too_large, body_too_large };

/// Understands one request; for the next one take a new parser. Stricter than the library beneath
/// where leniency lets two servers disagree about where a request ends: a transfer coding other
/// than one plain "chunked", no Host or two, a target that is neither a path nor a URL.
class RequestParser {
 public:
  explicit RequestParser(const RequestLimits& limits);
  ~RequestParser();

  struct Step {
    std::size_t used = 0;  // bytes that need not be shown again
    Parsing parsing = Parsing::unfinished;
  };
  /// Show it what it has not used yet, with more behind it. After anything but `unfinished` it
  /// must not be called again.
  Step feed(std::string_view bytes);

  /// True once, if the client waits for "100 Continue" before it sends the body. Ask when feed()
  /// said `unfinished`.
  bool owes_continue();

  /// Whether the client wants another request on this connection. After `complete` only.
  bool keep_alive() const;
  /// Whether chunks are understood. After `complete` only.
  bool takes_chunks() const;
  /// Whether the header is all here, so that what is missing is the body.
  bool in_body() const;
  /// Bytes of the body that are kept so far.
  std::size_t body_bytes() const;
  /// The request, without its peer. After `complete`, once.
  Request take();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// All requests in `bytes`, shown to the parser `piece` bytes at a time (0: all at once), as the
/// server would see them when they trickle in.
struct ParsedBytes {
  std::vector<Request> requests;
  Parsing end = Parsing::unfinished;  // of what follows the last whole request
};
ParsedBytes parse_request_bytes(std::string_view bytes, const RequestLimits& limits,
                                std::size_t piece);

}  // namespace tenbin::net
