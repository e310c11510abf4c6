#include "net/request_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "base/assert.h"

namespace tenbin::net {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;

// A client that promises a megabyte and sends nothing must not make us set it aside.
constexpr std::uint64_t reserve_max_bytes = 64 * 1024;

std::string_view std_view(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

bool same_word(std::string_view a, std::string_view b) {
  return boost::beast::iequals({a.data(), a.size()}, {b.data(), b.size()});
}

// A path, a whole URL (which every server must take), or the asterisk of OPTIONS.
bool split_target(std::string_view target, Request& request) {
  if (target == "*") {
    request.path = target;
    return request.method == "OPTIONS";
  }
  if (!target.starts_with('/')) {
    const std::size_t scheme_end = target.find("://");
    if (scheme_end == std::string_view::npos) return false;
    const std::string_view scheme = target.substr(0, scheme_end);
    if (!same_word(scheme, "http") && !same_word(scheme, "https")) return false;
    target.remove_prefix(scheme_end + 3);
    const std::size_t authority_end = std::min(target.size(), target.find_first_of("/?"));
    if (authority_end == 0) return false;
    target.remove_prefix(authority_end);
  }
  if (target.find('#') != std::string_view::npos) return false;
  const std::string_view path = target.substr(0, target.find('?'));
  request.path = path.empty() ? "/" : path;
  request.query = target.substr(std::min(target.size(), path.size() + 1));
  return true;
}

Parsing refusal(error_code ec) {
  if (ec == http::error::header_limit) return Parsing::header_too_large;
  if (ec == http::error::body_limit) return Parsing::body_too_large;
  return Parsing::malformed;
}

}  // namespace

// Writes what the library finds straight into a Request: no second copy of the header, and nothing
// is kept for a connection that is idle.
struct RequestParser::Impl final : http::basic_parser<true> {
  Request request;
  RequestLimits limits;
  std::size_t header_bytes = 0;  // used so far
  int hosts = 0;
  bool http_1_1 = false;
  bool header_done = false;
  bool expects_continue = false;
  bool anything = false;

  void on_request_impl(http::verb, boost::beast::string_view method,
                       boost::beast::string_view target, int version, error_code& ec) override {
    request.method = std_view(method);
    http_1_1 = version == 11;
    if (!split_target(std_view(target), request)) ec = http::error::bad_target;
  }

  void on_response_impl(int, boost::beast::string_view, int, error_code&) override {}

  void on_field_impl(http::field field, boost::beast::string_view name,
                     boost::beast::string_view value, error_code& ec) override {
    // Trailers come after everybody has read the header; nothing may be decided by them.
    if (header_done) return;
    if (field == http::field::host) ++hosts;
    // "4, 4" is a length to some and an error to others.
    if (field == http::field::content_length &&
        !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; })) {
      ec = http::error::bad_content_length;
      return;
    }
    if (field == http::field::expect) expects_continue = same_word(std_view(value), "100-continue");
    // What is not exactly "chunked" the library takes for "no body at all", while a proxy in front
    // may see one: the gap through which requests are smuggled.
    if (field == http::field::transfer_encoding &&
        (!http_1_1 || !same_word(std_view(value), "chunked"))) {
      ec = http::error::bad_transfer_encoding;
      return;
    }
    request.headers.emplace_back(std_view(name), std_view(value));
  }

  void on_header_impl(error_code& ec) override {
    header_done = true;
    if (hosts > 1 || (http_1_1 && hosts == 0)) ec = http::error::bad_field;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length)
      request.body.reserve(static_cast<std::size_t>(std::min(*length, reserve_max_bytes)));
  }

  std::size_t on_body_impl(boost::beast::string_view bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, error_code&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view bytes,
                                 error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_finish_impl(error_code&) override {}
};

RequestParser::RequestParser(const RequestLimits& limits) : impl_(std::make_unique<Impl>()) {
  impl_->limits = limits;
  impl_->header_limit(limits.header_bytes);
  impl_->body_limit(limits.body_bytes);
  impl_->eager(false);  // stop behind the header, so that its size is known
}

RequestParser::~RequestParser() = default;

RequestParser::Step RequestParser::feed(std::string_view bytes) {
  Impl& impl = *impl_;
  Step step;
  const auto rest = [&] { return bytes.size() - step.used; };
  const auto put = [&](error_code& ec) {
    const std::size_t n = impl.put(boost::asio::const_buffer(bytes.data() + step.used, rest()), ec);
    step.used += n;
    return n;
  };

  if (!impl.header_done) {
    // Some clients end a body with a line too many; the standard asks to overlook it.
    while (!impl.anything && rest() > 0 && (bytes[step.used] == '\r' || bytes[step.used] == '\n')) {
      ++step.used;
      ++impl.header_bytes;
    }
    error_code ec;
    if (rest() > 0) {
      impl.anything = true;
      impl.header_bytes += put(ec);
    }
    if (ec && ec != http::error::need_more) {
      step.parsing = refusal(ec);
      return step;
    }
    // The library forgets the fields that it has used when it applies its limit, so many small
    // ones in many packets would pass: count here.
    const std::size_t so_far = impl.header_bytes + (impl.header_done ? 0 : rest());
    if (so_far > impl.limits.header_bytes) {
      step.parsing = Parsing::header_too_large;
      return step;
    }
    if (!impl.header_done) return step;
    impl.eager(true);
  }

  while (!impl.is_done() && rest() > 0) {
    error_code ec;
    put(ec);
    if (ec == http::error::need_more) {
      // Only the line before a chunk and the trailers are held back; neither has to be long.
      if (rest() > impl.limits.header_bytes) step.parsing = Parsing::malformed;
      return step;
    }
    if (ec) {
      step.parsing = refusal(ec);
      return step;
    }
  }
  if (impl.is_done()) step.parsing = Parsing::complete;
  return step;
}

bool RequestParser::owes_continue() {
  if (!impl_->header_done || !impl_->http_1_1 || !impl_->request.body.empty()) return false;
  return std::exchange(impl_->expects_continue, false);
}

bool RequestParser::keep_alive() const {
  return impl_->keep_alive();
}

bool RequestParser::takes_chunks() const {
  return impl_->http_1_1;
}
bool RequestParser::in_body() const {
  return impl_->header_done;
}
std::size_t RequestParser::body_bytes() const {
  return impl_->request.body.capacity();
}

Request RequestParser::take() {
  TENBIN_ASSERT(impl_->is_done());
  return std::move(impl_->request);
}

ParsedBytes parse_request_bytes(std::string_view bytes, const RequestLimits& limits,
                                std::size_t piece) {
  ParsedBytes result;
  if (piece == 0) piece = std::max<std::size_t>(bytes.size(), 1);
  std::size_t shown = 0;  // how much of `bytes` has arrived
  std::size_t used = 0;
  while (used < bytes.size()) {
    RequestParser parser(limits);
    for (;;) {
      if (used == shown) shown = std::min(bytes.size(), shown + piece);
      const RequestParser::Step step = parser.feed(bytes.substr(used, shown - used));
      used += step.used;
      result.end = step.parsing;
      if (step.parsing != Parsing::unfinished) break;
      if (shown == bytes.size()) return result;
      shown = std::min(bytes.size(), shown + piece);
    }
    if (result.end != Parsing::complete) return result;
    result.requests.push_back(parser.take());
    result.end = Parsing::unfinished;
  }
  return result;
}

}  // namespace tenbin::net
