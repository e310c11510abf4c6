#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "core/world.h"

// The whole World as bytes (docs/formats/snapshot.md): rows only, indexes are built again.

namespace tenbin {

constexpr std::uint32_t snapshot_version = 1;

/// Appends nothing but rows, in id order: two equal Worlds give the same bytes.
/// Cost: about 100 bytes and 200 ns for a job.
std::string encode(const World& world);

/// Any bytes are legal input: what is cut off, out of range or refers to what is not there is an
/// error that says where. The result is reindexed.
Result<World> decode_world(std::string_view bytes);

}  // namespace tenbin
