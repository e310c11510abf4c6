#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "net/event_stream.h"

// A server may send any bytes as a stream of events. What is understood must not depend on the
// pieces in which they came, no event may grow without a bound, and what was understood must
// survive being written and read again.

using namespace tenbin;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = 1 + data[0] % 32;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);

  net::EventStreamParser whole, cut;
  std::vector<net::StreamEvent> events, pieces;
  const bool good = whole.feed(bytes, events);
  bool cut_good = true;
  for (std::size_t at = 0; at < bytes.size() && cut_good; at += piece)
    cut_good = cut.feed(bytes.substr(at, piece), pieces);
  TENBIN_ASSERT(good == cut_good && events == pieces);
  TENBIN_ASSERT(whole.last_id() == cut.last_id() && whole.retry() == cut.retry());

  std::string text;
  for (const net::StreamEvent& event : events) {
    TENBIN_ASSERT(event.data.size() <= 1024 * 1024);
    net::write_event(text, event.id, event.event, event.data);
  }
  net::EventStreamParser again;
  std::vector<net::StreamEvent> read;
  TENBIN_ASSERT(again.feed(text, read));
  TENBIN_ASSERT(read.size() == events.size());
  for (std::size_t i = 0; i < read.size(); ++i) TENBIN_ASSERT(read[i].data == events[i].data);
  return 0;
}
