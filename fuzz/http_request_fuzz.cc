#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "net/http.h"
#include "net/request_parser.h"

// Any bytes may arrive at the port. Whatever they are, the parser must not fall over, and what it
// understands must not depend on the pieces in which they came: a request that means one thing to a
// proxy and another to us begins with such a difference. What the percent-encoding gives back must
// survive being encoded again.

namespace {

using namespace tenbin;

void check_pieces(std::string_view bytes, std::size_t piece) {
  // Limits that the input cannot reach, so that only its meaning counts.
  const net::RequestLimits wide{.header_bytes = 1 << 24, .body_bytes = 1 << 24};
  const net::ParsedBytes whole = net::parse_request_bytes(bytes, wide, 0);
  const net::ParsedBytes cut = net::parse_request_bytes(bytes, wide, piece);
  TENBIN_ASSERT(whole.requests.size() == cut.requests.size());
  // A flaw may be seen at once or only when the header is all there, but never be overlooked.
  TENBIN_ASSERT(whole.end == cut.end || whole.end == net::Parsing::unfinished ||
                cut.end == net::Parsing::unfinished);
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    const net::Request& a = whole.requests[i];
    const net::Request& b = cut.requests[i];
    TENBIN_ASSERT(a.method == b.method && a.path == b.path && a.query == b.query);
    TENBIN_ASSERT(a.headers == b.headers && a.body == b.body);
  }

  const net::RequestLimits narrow{.header_bytes = 64, .body_bytes = 16};
  for (const net::Request& request : net::parse_request_bytes(bytes, narrow, piece).requests) {
    TENBIN_ASSERT(request.body.size() <= narrow.body_bytes);
    std::size_t header = request.method.size() + request.path.size() + request.query.size();
    for (const auto& [name, value] : request.headers) header += name.size() + value.size();
    TENBIN_ASSERT(header <= narrow.header_bytes);
  }
}

void check_encoding(std::string_view text) {
  for (const net::Plus plus : {net::Plus::is_plus, net::Plus::is_space}) {
    if (const auto decoded = net::percent_decoded(text, plus)) {
      TENBIN_ASSERT(net::percent_decoded(net::percent_encoded(*decoded), plus) == decoded);
    }
  }
  if (const auto segments = net::path_segments(text); segments && !segments->empty()) {
    std::string path;
    for (const std::string& segment : *segments) path += "/" + net::percent_encoded(segment);
    TENBIN_ASSERT(path == "/" || net::path_segments(path) == segments);
  }
  if (const auto parameters = net::query_parameters(text)) {
    std::string query;
    for (const auto& [name, value] : *parameters) {
      query += "&" + net::percent_encoded(name) + "=" + net::percent_encoded(value);
    }
    TENBIN_ASSERT(net::query_parameters(query) == parameters);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // The first byte says how finely the rest is cut.
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  check_pieces(bytes, 1 + data[0] % 32);
  check_encoding(bytes);
  return 0;
}
