#include "core/programmes/credit.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace tenbin {

bool consumed_before(const World& world, LotId a, LotId b) {
  const auto key = [&](LotId id) {
    const Lot& lot = world.lots.at(id);
    const int breadth = lot.regions == 0 ? 65 : std::popcount(lot.regions);
    return std::tuple(lot.expires, breadth, lot.valid_from, id);
  };
  return key(a) < key(b);
}

void sort_shares(const World& world, std::vector<ShareId>& shares) {
  std::ranges::sort(shares, [&](ShareId a, ShareId b) {
    const LotId lot_a = world.shares.at(a).lot, lot_b = world.shares.at(b).lot;
    return lot_a == lot_b ? a < b : consumed_before(world, lot_a, lot_b);
  });
}

namespace {

Credits amount_on(std::span<const Leg> legs, ShareId share) {
  for (const Leg& leg : legs) {
    if (leg.share == share) return leg.amount;
  }
  return Credits{0};
}

}  // namespace

Credits pick_legs(const World& world, ProjectId project, RegionId region, Credits need, Instant now,
                  std::span<const Leg> pinned, std::span<const Leg> taken, Legs& legs) {
  legs.clear();
  Credits found;
  for (const ShareId id : world.projects.at(project).shares) {
    const Share& share = world.shares.at(id);
    const Lot& lot = world.lots.at(share.lot);
    if (!lot.spendable_in(region)) continue;
    Credits free = amount_on(pinned, id);
    if (lot.valid_at(now)) free += world.accounts.at(share.free).free() - amount_on(taken, id);
    if (free <= Credits{0}) continue;
    const Credits amount = std::min(free, need - found);
    legs.push_back({id, amount});
    found += amount;
    if (found == need) break;
  }
  return found;
}

Spendable spendable(const World& world, ProjectId project, RegionId region, Instant now) {
  Spendable result;
  for (const ShareId id : world.projects.at(project).shares) {
    const Share& share = world.shares.at(id);
    const Lot& lot = world.lots.at(share.lot);
    const Credits free = world.accounts.at(share.free).free();
    if (!lot.spendable_in(region) || !lot.valid_at(now) || free == Credits{0}) continue;
    if (result.amount == Credits{0}) result.until = lot.expires;
    result.amount += free;
  }
  return result;
}

std::span<const Leg> split(Facts& facts, std::span<const Leg> legs, Credits amount) {
  const std::span<Leg> parts = facts.make<Leg>(legs.size());
  std::size_t used = 0;
  for (const Leg& leg : legs) {
    if (amount == Credits{0}) break;
    parts[used] = {leg.share, std::min(leg.amount, amount)};
    amount -= parts[used++].amount;
  }
  TENBIN_ASSERT(amount == Credits{0});
  return parts.first(used);
}

void expire_released(const World& world, std::span<const Leg> legs, std::span<const Leg> captures,
                     Facts& facts) {
  if (!world.index.some_lot_expired) return;
  std::size_t count = 0;
  std::span<Leg> gone;
  for (const Leg& leg : legs) {
    // Only after the lot's own expiry was recorded: before, LotExpired will find it.
    if (!world.lots.at(world.shares.at(leg.share).lot).expired) continue;
    const Credits back = leg.amount - amount_on(captures, leg.share);
    if (back == Credits{0}) continue;
    if (count == 0) gone = facts.make<Leg>(legs.size());
    gone[count++] = {leg.share, back};
  }
  if (count > 0) facts.add(CreditExpired{gone.first(count)});
}

}  // namespace tenbin
