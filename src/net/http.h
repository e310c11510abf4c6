#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a request and an answer are, for the server, the client and whoever tests a handler without
// either. Everything here is a pure function of its arguments and may be called from any thread.

namespace tenbin::net {

/// Names and values in the order in which they travel; a name may occur more than once.
using Headers = std::vector<std::pair<std::string, std::string>>;

/// The first value under `name`, whatever its case; empty if there is none. The view lives as long
/// as `headers` is left alone.
std::string_view header_value(const Headers& headers, std::string_view name);

// The initialisers let a caller name some members and leave out others without a warning.

/// What is said about a request while it is answered, by whoever learns it; for the log.
struct RequestTrace {
  std::string id;      // of the request, as the client chose or the server made it
  std::string person;  // who asks, once that is known
};

struct Request {
  std::string method = {};  // as sent: methods are case-sensitive
  std::string path = {};    // still percent-encoded, from the first '/'; "*" for OPTIONS *
  std::string query = {};   // still percent-encoded, what follows the first '?'
  Headers headers = {};
  std::string body = {};
  std::string peer = {};                     // numeric address of the other end, without its port
  std::shared_ptr<RequestTrace> trace = {};  // null if nobody watches

  std::string_view header(std::string_view name) const { return header_value(headers, name); }
};

/// What is left of an answer that has no end yet: events as they happen, or a body that is too
/// large to be held. It is asked for bytes when the client has taken those before, so that a slow
/// client holds up nobody and takes no more memory than one part. Called on the server's I/O
/// thread: it must not block and must not throw.
class Stream {
 public:
  enum class Why {
    ready,   // there may be something new, or the client has taken what it was given
    quiet,   // nothing was sent for Limits::stream_quiet: a sign of life is due
    ending,  // the server stops: last words, whatever is returned
  };
  enum class Then { goes_on, ends };

  virtual ~Stream() = default;
  /// Appends what there is to `out`, up to about `room` bytes; nothing if there is nothing yet.
  virtual Then pull(std::string& out, std::size_t room, Why why) = 0;
};

struct Response {
  int status = 200;
  std::string content_type = {};  // left out when empty
  std::string body = {};
  /// Besides Content-Type. The server adds Content-Length, Date and Connection by itself, so these
  /// do not belong here. CR, LF and NUL in a value are sent as spaces, so that a value which came
  /// from outside cannot end the header.
  Headers headers = {};
  /// If there is one, it follows `body`, in chunks. Server only.
  std::shared_ptr<Stream> stream = {};

  std::string_view header(std::string_view name) const { return header_value(headers, name); }
};

enum class Plus { is_plus, is_space };

/// Undoes percent-encoding. nullopt if a '%' is not followed by two hexadecimal digits. The result
/// is bytes: any byte can come out of it, zero and broken UTF-8 included.
std::optional<std::string> percent_decoded(std::string_view text, Plus plus = Plus::is_plus);

/// Encodes everything but letters, digits and "-._~", so that the result is safe as one segment of
/// a path and as a name or a value in a query.
std::string percent_encoded(std::string_view text);

/// "/v1/jobs/a%2Fb" is {"v1", "jobs", "a/b"}: split first, decoded after. "/" is {}; "/a/" is
/// {"a", ""}. Dot segments stay as they are, and a decoded segment may hold a '/': who goes on to
/// open files must refuse both. nullopt if the path does not begin with '/' or an encoding is
/// broken.
std::optional<std::vector<std::string>> path_segments(std::string_view path);

using Parameters = std::vector<std::pair<std::string, std::string>>;

/// "a=1&b=x+y&c" is {a: "1"}, {b: "x y"}, {c: ""}; empty pieces are skipped. nullopt if any
/// encoding is broken: half a query is not a query.
std::optional<Parameters> query_parameters(std::string_view query);

/// The first parameter of that name, or null. Lives as long as `parameters` is left alone.
const std::string* find_parameter(const Parameters& parameters, std::string_view name);

}  // namespace tenbin::net
