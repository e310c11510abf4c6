#include <set>

#include "core/authorise.h"
#include "core/declare.h"
#include "core/programmes/credit.h"

// A lot is money of one funder in one grant, with its own validity and places where it may be
// spent. Its amount can be raised, or lowered to what is allocated, and its expiry moved, as long
// as it has not expired.

namespace tenbin {

namespace {

/// An officer of one programme draws on the funders that an officer of all has brought in there.
bool may_draw_on(const World& world, PersonId by, FunderId funder, ProgrammeId programme) {
  bool there = may_see(world, by, Question::funders);
  if (there) return true;
  world.lots.each([&](LotId, const Lot& lot) {
    there = there || (lot.funder == funder && world.grants.at(lot.grant).programme == programme);
  });
  return there;
}

Decision change(const World& world, const DeclareLot& c, LotId id, Credits credits, Instant now,
                Facts& facts) {
  const Lot& lot = world.lots.at(id);
  if (c.amount == lot.amount && c.expires == lot.expires) return id.value;
  if (lot.expired || now >= lot.expires)
    return std::unexpected(refuse(Reason::lot_expired, lot.expires.ms));
  if (c.expires < now) return std::unexpected(refuse(Reason::expiry_past, now.ms));
  const Credits left = world.accounts.at(world.funders.at(lot.funder).account).free();
  if (credits > lot.credits && credits - lot.credits > left) {
    return std::unexpected(
        refuse(Reason::commitment_exceeded, (credits - lot.credits).count, left.count));
  }
  const Credits allocated = lot.credits - world.accounts.at(lot.unallocated).free();
  if (credits < allocated)
    return std::unexpected(refuse(Reason::lot_in_use, credits.count, allocated.count));
  facts.add(LotChanged{id, c.amount, credits, c.expires});
  return id.value;
}

}  // namespace

Decision decide(const World& world, const Asked& asked, const DeclareLot& c, Instant now,
                Facts& facts) {
  if (const auto refused = check_names(c.name, {})) return std::unexpected(*refused);
  const GrantId grant = find_name(world.index.grants, c.grant);
  if (!grant) return std::unexpected(refuse(Reason::unknown_grant));
  const FunderId funder_id = find_name(world.index.funders, c.funder);
  if (!funder_id || !may_draw_on(world, asked.by, funder_id, world.grants.at(grant).programme))
    return std::unexpected(refuse(Reason::unknown_funder));
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
  const Wide wide = Wide{c.amount.minor} * funder.credits_per_minor.count;
  if (c.amount.minor > money_max || wide > credits_max.count) {
    return std::unexpected(refuse(Reason::amount_too_large));
  }
  const Credits credits{static_cast<std::int64_t>(wide)};
  if (const LotId id = find_name(world.index.lots, c.name)) {
    const Lot& l = world.lots.at(id);
    if (!may_see(world, asked.by, Question::programme,
                 {.programme = world.grants.at(l.grant).programme})) {
      return std::unexpected(refuse(Reason::name_in_use));
    }
    if (l.grant != grant) return differs(Thing::lot, Property::grant);
    if (l.funder != funder_id) return differs(Thing::lot, Property::funder);
    if (l.valid_from != c.valid_from) return differs(Thing::lot, Property::valid_from);
    if (l.regions != regions) return differs(Thing::lot, Property::regions);
    return change(world, c, id, credits, now, facts);
  }
  if (c.expires <= now) return std::unexpected(refuse(Reason::lot_expired, c.expires.ms));
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

void evolve(World& world, const LotChanged& e, Instant) {
  Lot& lot = world.lots.at(e.lot);
  const AccountId funder = world.funders.at(lot.funder).account;
  if (e.credits >= lot.credits) {
    post(world.accounts, funder, lot.unallocated, e.credits - lot.credits);
  } else {
    take_back(world.accounts, funder, lot.unallocated, lot.credits - e.credits);
  }
  lot.amount = e.amount;
  lot.credits = e.credits;
  if (lot.expires == e.expires) return;
  lot.expires = e.expires;
  // It has another place in the order of consumption now.
  std::set<ProjectId> projects;
  world.shares.each([&](ShareId, const Share& share) {
    if (share.lot == e.lot) projects.insert(share.project);
  });
  for (const ProjectId project : projects) sort_shares(world, world.projects.at(project).shares);
}

}  // namespace tenbin
