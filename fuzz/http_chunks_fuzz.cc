#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "net/request_parser.h"

// The body of a request in chunks: any bytes behind a header that promises them. Where the body
// ends must not depend on the pieces in which it came, and no body may be larger than it is allowed
// to be, whatever sizes its chunks claim.

using namespace tenbin;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 32;
  std::string bytes = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  bytes.append(reinterpret_cast<const char*>(data + 1), size - 1);

  const net::RequestLimits wide{.header_bytes = 1 << 24, .body_bytes = 1 << 24};
  const net::ParsedBytes whole = net::parse_request_bytes(bytes, wide, 0);
  const net::ParsedBytes cut = net::parse_request_bytes(bytes, wide, piece);
  TENBIN_ASSERT(whole.requests.size() == cut.requests.size());
  TENBIN_ASSERT(whole.end == cut.end || whole.end == net::Parsing::unfinished ||
                cut.end == net::Parsing::unfinished);
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    TENBIN_ASSERT(whole.requests[i].body == cut.requests[i].body);
    TENBIN_ASSERT(whole.requests[i].headers == cut.requests[i].headers);
  }

  const net::RequestLimits narrow{.header_bytes = 256, .body_bytes = 32};
  for (const net::Request& request : net::parse_request_bytes(bytes, narrow, piece).requests)
    TENBIN_ASSERT(request.body.size() <= narrow.body_bytes);
  return 0;
}
