#include "core/declare.h"

// A lot is money of one funder in one grant, with its own validity and places where it may be
// spent.

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareLot& c, Instant now, Facts& facts) {
  if (const auto refused = check_names(c.name, {})) return std::unexpected(*refused);
  const GrantId grant = find_name(world.index.grants, c.grant);
  if (!grant) return std::unexpected(refuse(Reason::unknown_grant));
  const FunderId funder_id = find_name(world.index.funders, c.funder);
  if (!funder_id) return std::unexpected(refuse(Reason::unknown_funder));
  const Funder& funder = world.funders.at(funder_id);
  if (c.amount.minor <= 0) return std::unexpected(refuse(Reason::amount_must_be_positive));
  if (c.amount.currency != funder.commitment.currency) {
    return std::unexpected(refuse(Reason::currency_invalid));
  }
  if (c.valid_from < instant_min || c.expires > instant_max || c.valid_from >= c.expires) {
    return std::unexpected(refuse(Reason::validity_invalid));
  }
  std::uint64_t regions = 0;
  for (const Text name : c.regions) {
    const RegionId region = find_name(world.index.regions, name);
    if (!region) return std::unexpected(refuse(Reason::unknown_region));
    regions |= PoolSet::bit(region.value);
  }
  if (const LotId id = find_name(world.index.lots, c.name)) {
    const Lot& l = world.lots.at(id);
    return already(id, l.grant == grant && l.funder == funder_id && l.amount == c.amount &&
                           l.valid_from == c.valid_from && l.expires == c.expires &&
                           l.regions == regions);
  }
  if (c.expires <= now) return std::unexpected(refuse(Reason::lot_expired, c.expires.ms));
  const Wide wide = Wide{c.amount.minor} * funder.credits_per_minor.count;
  if (c.amount.minor > money_max || wide > credits_max.count) {
    return std::unexpected(refuse(Reason::amount_too_large));
  }
  const Credits credits{static_cast<std::int64_t>(wide)};
  const Credits left = world.accounts.at(funder.account).free();
  if (credits > left) {
    return std::unexpected(refuse(Reason::commitment_exceeded, credits.count, left.count));
  }

  const LotId id = world.lots.next_id();
  facts.add(LotDeclared{.lot = id,
                        .name = facts.text(c.name),
                        .grant = grant,
                        .funder = funder_id,
                        .amount = c.amount,
                        .credits = credits,
                        .valid_from = c.valid_from,
                        .expires = c.expires,
                        .regions = regions});
  return id.value;
}

void evolve(World& world, const LotDeclared& e, Instant) {
  const AccountId unallocated = world.accounts.add({});
  const AccountId gone = world.accounts.add({});
  post(world.accounts, world.funders.at(e.funder).account, unallocated, e.credits);
  const LotId id = world.lots.add({.name = std::string(e.name),
                                   .grant = e.grant,
                                   .funder = e.funder,
                                   .amount = e.amount,
                                   .credits = e.credits,
                                   .valid_from = e.valid_from,
                                   .expires = e.expires,
                                   .regions = e.regions,
                                   .unallocated = unallocated,
                                   .gone = gone});
  TENBIN_ASSERT(id == e.lot);
  world.index.lots.emplace(e.name, id);
}

}  // namespace tenbin
