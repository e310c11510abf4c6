#include <algorithm>

#include "core/declare.h"
#include "core/programmes/credit.h"

// An allocation gives a project parts of a grant's lots. What it has is taken out of the lots at
// once, so that a project can never be shown credit that another one may spend first.

namespace tenbin {

Decision decide(const World& world, const Asked&, const DeclareAllocation& c, Instant now,
                Facts& facts) {
  if (const auto refused = check_names(c.name, {})) return std::unexpected(*refused);
  const GrantId grant = find_name(world.index.grants, c.grant);
  if (!grant) return std::unexpected(refuse(Reason::unknown_grant));
  const ProjectId project = find_name(world.index.projects, c.project);
  if (!project) return std::unexpected(refuse(Reason::unknown_project));
  if (c.amount <= Credits{0}) return std::unexpected(refuse(Reason::amount_must_be_positive));
  if (c.amount > credits_max) return std::unexpected(refuse(Reason::amount_too_large));
  if (const AllocationId id = find_name(world.index.allocations, c.name)) {
    const Allocation& a = world.allocations.at(id);
    return already(
        id, a.grant == grant && a.project == project && a.amount == c.amount && a.lot == c.lot);
  }

  std::vector<LotId> lots;
  if (c.lot.empty()) {
    world.lots.each([&](LotId id, const Lot& lot) {
      if (lot.grant == grant && now < lot.expires) lots.push_back(id);
    });
    std::ranges::sort(lots, [&](LotId a, LotId b) { return consumed_before(world, a, b); });
  } else {
    const LotId id = find_name(world.index.lots, c.lot);
    if (!id || world.lots.at(id).grant != grant)
      return std::unexpected(refuse(Reason::unknown_lot));
    const Lot& lot = world.lots.at(id);
    if (now >= lot.expires) return std::unexpected(refuse(Reason::lot_expired, lot.expires.ms));
    lots.push_back(id);
  }
  Credits left = c.amount;
  std::vector<LotPart> parts;
  for (const LotId id : lots) {
    const Credits amount = std::min(left, world.accounts.at(world.lots.at(id).unallocated).free());
    if (amount == Credits{0}) continue;
    parts.push_back({id, ShareId{world.shares.next_id().value + parts.size()}, amount});
    left -= amount;
  }
  if (left > Credits{0}) {
    return std::unexpected(
        refuse(Reason::insufficient_grant, c.amount.count, (c.amount - left).count));
  }

  const AllocationId id = world.allocations.next_id();
  facts.add(AllocationDeclared{.allocation = id,
                               .name = facts.text(c.name),
                               .grant = grant,
                               .project = project,
                               .amount = c.amount,
                               .lot = facts.text(c.lot),
                               .parts = facts.list<LotPart>(parts)});
  return id.value;
}

void evolve(World& world, const AllocationDeclared& e, Instant) {
  const AllocationId id = world.allocations.add({.name = std::string(e.name),
                                                 .grant = e.grant,
                                                 .project = e.project,
                                                 .amount = e.amount,
                                                 .lot = std::string(e.lot)});
  TENBIN_ASSERT(id == e.allocation);
  world.index.allocations.emplace(e.name, id);
  Project& project = world.projects.at(e.project);
  for (const LotPart& part : e.parts) {
    const AccountId free = world.accounts.add({});
    const AccountId used = world.accounts.add({});
    post(world.accounts, world.lots.at(part.lot).unallocated, free, part.amount);
    const ShareId share = world.shares.add(
        {.allocation = id, .lot = part.lot, .project = e.project, .free = free, .used = used});
    TENBIN_ASSERT(share == part.share);
    const auto place = std::ranges::upper_bound(project.shares, share, [&](ShareId a, ShareId b) {
      const LotId lot_a = world.shares.at(a).lot, lot_b = world.shares.at(b).lot;
      return lot_a == lot_b ? a < b : consumed_before(world, lot_a, lot_b);
    });
    project.shares.insert(place, share);
  }
}

}  // namespace tenbin
