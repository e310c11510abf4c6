#include "core/handlers.h"
#include "core/programmes/credit.h"

// From the instant of its expiry a lot's free credit cannot be spent: pick_legs looks at the clock.
// This command makes the books say so too. Credit pinned by a hold stays good until the hold ends.

namespace tenbin {

Decision decide(const World& world, const Asked&, const ExpireLot& c, Instant now, Facts& facts) {
  const Lot* lot = world.lots.find(c.lot);
  if (!lot) return std::unexpected(refuse(Reason::unknown_lot));
  if (now < lot->expires) return std::unexpected(refuse(Reason::lot_not_expired, lot->expires.ms));
  if (lot->expired) return std::unexpected(refuse(Reason::lot_expired, lot->expires.ms));

  std::vector<Leg> shares;
  world.shares.each([&](ShareId id, const Share& share) {
    if (share.lot != c.lot) return;
    const Credits free = world.accounts.at(share.free).free();
    if (free > Credits{0}) shares.push_back({id, free});
  });
  facts.add(LotExpired{c.lot, world.accounts.at(lot->unallocated).free(), facts.list<Leg>(shares)});
  return c.lot.value;
}

void evolve(World& world, const LotExpired& e, Instant) {
  Lot& lot = world.lots.at(e.lot);
  lot.expired = true;
  world.index.some_lot_expired = true;
  post(world.accounts, lot.unallocated, lot.gone, e.unallocated);
  for (const Leg& leg : e.shares)
    post(world.accounts, world.shares.at(leg.share).free, lot.gone, leg.amount);
}

void evolve(World& world, const CreditExpired& e, Instant) {
  for (const Leg& leg : e.shares) {
    const Share& share = world.shares.at(leg.share);
    post(world.accounts, share.free, world.lots.at(share.lot).gone, leg.amount);
  }
}

}  // namespace tenbin
