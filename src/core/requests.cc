#include "core/requests.h"

#include "core/handlers.h"

namespace tenbin {

Decision decide(const World& world, const Asked&, const ForgetRequests&, Instant now,
                Facts& facts) {
  const std::uint64_t count = world.requests.count_before(now - request_memory);
  if (count > 0) facts.add(RequestsForgotten{count});
  return count;
}

void evolve(World& world, const RequestAnswered& e, Instant at) {
  world.requests.add({e.request, e.asked, e.result, at, e.refused},
                     refuse(e.reason, e.a, e.b, e.c, e.d));
}

void evolve(World& world, const RequestsForgotten&, Instant at) {
  world.requests.forget_before(at - request_memory);
}

}  // namespace tenbin
