#pragma once

#include "core/world.h"

namespace tenbin {

/// Whether the person who asks may ask this at all. The service itself may.
bool may(const World& world, PersonId by, const Command& command);

}  // namespace tenbin
