#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "core/types.h"

namespace tenbin {

/// BLAKE2b-256 (libsodium). Cost: about a microsecond for a kilobyte.
Hash hash_of(std::string_view bytes);

/// The hash of a journal record: of the hash before it, its sequence, its instant and its body.
Hash chain(const Hash& before, std::uint64_t sequence, Instant at, std::string_view body);

std::string to_hex(const Hash& hash);
std::optional<Hash> hash_from_hex(std::string_view hex);

/// The usual 36 characters; parsing takes either case.
std::string to_uuid(RequestId id);
std::optional<RequestId> uuid_from(std::string_view text);

}  // namespace tenbin
