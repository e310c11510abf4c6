#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/rng.h"
#include "core/world.h"

// What people and machines might send, mostly sensible: shared by the property test, which draws
// from a seed, and by the fuzz target, which draws from its input.

namespace tenbin {

/// Where choices come from: a seed, or bytes (zeros when they are used up).
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : rng_(seed) {}
  explicit Dice(std::span<const std::uint8_t> bytes) : rng_(0), bytes_(bytes), from_bytes_(true) {}

  std::uint64_t below(std::uint64_t bound);
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  bool percent(std::uint64_t p) { return below(100) < p; }
  bool used_up() const { return from_bytes_ && bytes_.empty(); }

 private:
  Rng rng_;
  std::span<const std::uint8_t> bytes_;
  bool from_bytes_ = false;
};

/// Thinks of one command after the other: first those that found programmes and a fleet, then
/// anything. Texts stay valid as long as the story.
class Story {
 public:
  explicit Story(Dice& dice);

  Asked next(const World& world, Instant now);
  Span pause();  // how long until the next command: often nothing

 private:
  Text name(const char* kind, std::uint64_t number);
  Text any_name(const char* kind, std::uint64_t count);
  std::span<const Text> any_names(const char* kind, std::uint64_t count, std::uint64_t at_most);
  void found();
  DeclareLot any_lot(std::uint64_t number, Instant now);
  SetPolicy any_policy();
  DeclarePool any_pool(std::uint64_t number);
  SubmitJob any_job(const World& world);
  Command any_change(const World& world, Instant now);
  Command any_declaration(Instant now);
  Command any_end(const World& world, Instant now);
  Command any_command(const World& world, Instant now);
  JobId any_job_id(const World& world, bool active);

  Dice& dice_;
  Arena arena_;
  std::vector<Command> founding_;
  std::size_t founded_ = 0;
  std::vector<Asked> asked_;  // with a request id
  std::uint64_t requests_ = 0;
};

}  // namespace tenbin
