#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace tenbin::traces {

/// Where written bytes go.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual Result<void> write(std::string_view bytes) = 0;
  /// Nothing is there before this has succeeded.
  virtual Result<void> finish() = 0;
};

/// "-": standard output. Packed if the name ends in .gz or .zst.
Result<std::unique_ptr<Sink>> create_file(const std::string& path, bool japanese);
std::unique_ptr<Sink> into_text(std::string& out);

}  // namespace tenbin::traces
