#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "served.h"

// nginx as a peer: the same question, asked of what everybody knows. It is used where it is
// installed and never installed by us.

namespace tenbin::bench {

class Nginx {
 public:
  /// One worker, `locations` inside its only server block ("location / { return 200 ...; }"), logs
  /// off, on a free port of loopback. Nothing if nginx is not installed or does not start;
  /// `why_not()` then says which.
  static std::optional<Nginx> start(const std::string& locations, std::size_t connections);
  static const std::string& why_not();

  Nginx(Nginx&& other) noexcept;
  Nginx& operator=(Nginx&&) = delete;
  ~Nginx();

  std::uint16_t port() const { return port_; }
  /// Resident memory of master and worker together.
  double rss_kib() const;

 private:
  Nginx() = default;
  std::unique_ptr<TemporaryFolder> folder_;
  pid_t master_ = 0;
  std::uint16_t port_ = 0;
};

}  // namespace tenbin::bench
