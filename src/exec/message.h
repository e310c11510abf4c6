#pragma once

// Everything that passes between the service, a supervisor and its warden, as text: the files of an
// attempt's directory and the packets on its socket. Texts are read strictly: of all texts exactly
// one is accepted for each value, so encode(decode(text)) == text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "live/ports.h"

namespace tenbin::exec {

inline constexpr std::size_t spec_bytes_max = 16 << 20;
inline constexpr std::size_t end_bytes_max = 16 << 10;
inline constexpr std::size_t started_bytes_max = 1 << 20;
inline constexpr std::size_t message_bytes_max = 128;
inline constexpr std::size_t words_bytes_max = 2'000;  // of AttemptEnd; longer words are cut

/// The file `spec`: what the service leaves for the supervisor before it launches one.
struct LaunchSpec {
  AttemptSpec attempt;
  std::string account;           // members run as this one; empty: as the service itself
  std::string work_directory;    // made for the job if the attempt names no directory
  std::string output_directory;  // of this attempt
  Span lease;                    // the longest that one renewal may promise
};

/// The file `started`: made before the first member is. Once it is there the attempt is never
/// launched again.
struct Started {
  std::int32_t supervisor = 0;  // its process id
  std::string addresses;        // TENBIN_ADDRESSES of the members, by which they can be recognised
};

/// One packet. `until_ms` counts on CLOCK_BOOTTIME and matters for renew and renewed only.
struct Message {
  enum class Word : std::uint8_t {
    hello,    // service: I speak for this epoch from now on
    welcome,  // supervisor: so be it
    refused,  // supervisor: `epoch` is higher than yours
    renew,    // service: work may go on until then; the first one starts it
    renewed,  // supervisor: heard
    stop,     // service: TERM, then KILL after the grace
    ended,    // supervisor: the result file is there
  };
  Word word = Word::hello;
  std::uint64_t epoch = 0;
  std::int64_t until_ms = 0;

  bool operator==(const Message&) const = default;
};

std::string encode(const LaunchSpec& spec);
std::string encode(const Started& started);
std::string encode(const AttemptEnd& end);
std::string encode(const Message& message);

/// Errors: the text is not of its kind, is too long, or holds what no process could be given (a
/// NUL byte, an environment name with '='). Cost: linear in the text.
Result<LaunchSpec> decode_spec(std::string_view text);
Result<Started> decode_started(std::string_view text);
Result<AttemptEnd> decode_end(std::string_view text);
Result<Message> decode_message(std::string_view text);

}  // namespace tenbin::exec
