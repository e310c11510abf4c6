#pragma once

#include <functional>

#include "cli/context.h"
#include "cli/service.h"

namespace tenbin::cli {

/// For --watch: shows something again whenever it has changed, until `show` says that it is over or
/// the viewer ends it. A terminal is drawn over from its top; anywhere else every new state is
/// printed behind the last one, with an empty line between tables.
Outcome<int> watched(const Context& context, const Interest& interest,
                     const std::function<Outcome<bool>(Context& to, Service& service)>& show);

}  // namespace tenbin::cli
