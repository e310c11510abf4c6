#include "net/event_stream.h"

#include <algorithm>
#include <charconv>

namespace tenbin::net {
namespace {

constexpr std::size_t line_max = 1024 * 1024;

void add_field(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out.append(name).append(": ");
  for (const char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  out += '\n';
}

}  // namespace

void write_event(std::string& out, std::string_view id, std::string_view event,
                 std::string_view data) {
  add_field(out, "id", id);
  add_field(out, "event", event);
  for (;;) {
    const std::size_t end = data.find_first_of("\r\n");
    out.append("data: ").append(data.substr(0, end)).append("\n");
    if (end == std::string_view::npos) break;
    data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  out += '\n';
}

bool EventStreamParser::feed(std::string_view bytes, std::vector<StreamEvent>& events) {
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view piece = bytes.substr(0, end);
    if (partial_.size() + piece.size() > line_max) return false;
    partial_.append(piece);
    if (end == std::string_view::npos) return true;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    line(partial_, events);
    partial_.clear();
    if (event_.data.size() > line_max) return false;
  }
  return true;
}

void EventStreamParser::line(std::string_view text, std::vector<StreamEvent>& events) {
  if (!begun_) {
    begun_ = true;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  }
  if (text.empty()) {
    // Without data there is no event, whatever else was said.
    if (has_data_) {
      event_.id = last_id_;
      event_.data.pop_back();  // the end of its last line
      events.push_back(std::move(event_));
    }
    event_ = {};
    has_data_ = false;
    return;
  }
  if (text.starts_with(':')) return;
  const std::size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  std::string_view value;
  if (colon != std::string_view::npos) value = text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    event_.data.append(value).append("\n");
    has_data_ = true;
  } else if (name == "event") {
    event_.event = value;
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) last_id_ = value;
  } else if (name == "retry") {
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), ms);
    if (error == std::errc{} && end == value.data() + value.size() && ms >= 0) retry_ = Span{ms};
  }
}

}  // namespace tenbin::net
