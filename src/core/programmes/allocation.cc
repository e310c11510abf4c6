#include <algorithm>

#include "core/authorise.h"
#include "core/declare.h"
#include "core/programmes/credit.h"

// An allocation gives a project parts of a grant's lots. What it has is taken out of the lots at
// once, so that a project can never be shown credit that another one may spend first. It can be
// raised, and lowered to what is held, spent or expired.

namespace tenbin {

namespace {

/// The lots from which credit of `grant` may be taken now, in order of consumption.
std::expected<std::vector<LotId>, Refusal> sources(const World& world, GrantId grant, Text name,
                                                   Instant now) {
  std::vector<LotId> lots;
  if (name.empty()) {
    world.lots.each([&](LotId id, const Lot& lot) {
      if (lot.grant == grant && now < lot.expires) lots.push_back(id);
    });
    std::ranges::sort(lots, [&](LotId a, LotId b) { return consumed_before(world, a, b); });
    return lots;
  }
  const LotId id = find_name(world.index.lots, name);
  if (!id || world.lots.at(id).grant != grant) return std::unexpected(refuse(Reason::unknown_lot));
  const Lot& lot = world.lots.at(id);
  if (now >= lot.expires) return std::unexpected(refuse(Reason::lot_expired, lot.expires.ms));
  lots.push_back(id);
  return lots;
}

/// Parts of `amount` out of `lots`, to shares that `allocation` (none: a new one) has or will have.
std::expected<std::vector<LotPart>, Refusal> gather(const World& world,
                                                    const std::vector<LotId>& lots, Credits amount,
                                                    AllocationId allocation, ProjectId project) {
  Credits left = amount;
  ShareId next = world.shares.next_id();
  std::vector<LotPart> parts;
  for (const LotId lot : lots) {
    const Credits part = std::min(left, world.accounts.at(world.lots.at(lot).unallocated).free());
    if (part == Credits{0}) continue;
    ShareId share;
    for (const ShareId s : world.projects.at(project).shares) {
      const Share& there = world.shares.at(s);
      if (there.allocation == allocation && there.lot == lot) share = s;
    }
    if (!share) share = ShareId{next.value++};
    parts.push_back({lot, share, part});
    left -= part;
  }
  if (left > Credits{0}) {
    return std::unexpected(refuse(Reason::insufficient_grant, amount.count, (amount - left).count));
  }
  return parts;
}

Decision raise(const World& world, AllocationId id, Credits amount, Instant now, Facts& facts) {
  const Allocation& a = world.allocations.at(id);
  const auto lots = sources(world, a.grant, a.lot, now);
  if (!lots) return std::unexpected(lots.error());
  const auto parts = gather(world, *lots, amount - a.amount, id, a.project);
  if (!parts) return std::unexpected(parts.error());
  facts.add(AllocationChanged{
      .allocation = id, .amount = amount, .added = facts.list<LotPart>(*parts), .taken = {}});
  return id.value;
}

/// Takes back what would be consumed last.
Decision lower(const World& world, AllocationId id, Credits amount, Instant now, Facts& facts) {
  const Allocation& a = world.allocations.at(id);
  Credits left = a.amount - amount;
  std::vector<LotPart> parts;
  const std::vector<ShareId>& shares = world.projects.at(a.project).shares;
  for (auto s = shares.rbegin(); s != shares.rend(); ++s) {
    const Share& share = world.shares.at(*s);
    if (share.allocation != id || now >= world.lots.at(share.lot).expires) continue;
    const Credits part = std::min(left, world.accounts.at(share.free).free());
    if (part == Credits{0}) continue;
    parts.push_back({share.lot, *s, part});
    left -= part;
  }
  if (left > Credits{0}) {
    return std::unexpected(refuse(Reason::allocation_in_use, amount.count, (amount + left).count));
  }
  facts.add(AllocationChanged{
      .allocation = id, .amount = amount, .added = {}, .taken = facts.list<LotPart>(parts)});
  return id.value;
}

}  // namespace

Decision decide(const World& world, const Asked& asked, const DeclareAllocation& c, Instant now,
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
    if (!may_see(world, asked.by, Question::programme,
                 {.programme = world.grants.at(a.grant).programme})) {
      return std::unexpected(refuse(Reason::name_in_use));
    }
    if (a.grant != grant) return differs(Thing::allocation, Property::grant);
    if (a.project != project) return differs(Thing::allocation, Property::project);
    if (a.lot != c.lot) return differs(Thing::allocation, Property::lot);
    return c.amount == a.amount  ? id.value
           : c.amount > a.amount ? raise(world, id, c.amount, now, facts)
                                 : lower(world, id, c.amount, now, facts);
  }
  const auto lots = sources(world, grant, c.lot, now);
  if (!lots) return std::unexpected(lots.error());
  const auto parts = gather(world, *lots, c.amount, {}, project);
  if (!parts) return std::unexpected(parts.error());

  const AllocationId id = world.allocations.next_id();
  facts.add(AllocationDeclared{.allocation = id,
                               .name = facts.text(c.name),
                               .grant = grant,
                               .project = project,
                               .amount = c.amount,
                               .lot = facts.text(c.lot),
                               .parts = facts.list<LotPart>(*parts)});
  return id.value;
}

namespace {

void give(World& world, AllocationId allocation, ProjectId project_id, const LotPart& part) {
  const AccountId lot = world.lots.at(part.lot).unallocated;
  if (const Share* share = world.shares.find(part.share)) {
    TENBIN_ASSERT(share->allocation == allocation && share->lot == part.lot);
    return post(world.accounts, lot, share->free, part.amount);
  }
  const AccountId free = world.accounts.add({});
  const AccountId used = world.accounts.add({});
  post(world.accounts, lot, free, part.amount);
  const ShareId share = world.shares.add({.allocation = allocation,
                                          .lot = part.lot,
                                          .project = project_id,
                                          .free = free,
                                          .used = used});
  TENBIN_ASSERT(share == part.share);
  Project& project = world.projects.at(project_id);
  project.shares.push_back(share);
  sort_shares(world, project.shares);
}

}  // namespace

void evolve(World& world, const AllocationDeclared& e, Instant) {
  const AllocationId id = world.allocations.add({.name = std::string(e.name),
                                                 .grant = e.grant,
                                                 .project = e.project,
                                                 .amount = e.amount,
                                                 .lot = std::string(e.lot)});
  TENBIN_ASSERT(id == e.allocation);
  world.index.allocations.emplace(e.name, id);
  for (const LotPart& part : e.parts) give(world, id, e.project, part);
}

void evolve(World& world, const AllocationChanged& e, Instant) {
  Allocation& allocation = world.allocations.at(e.allocation);
  allocation.amount = e.amount;
  for (const LotPart& part : e.added) give(world, e.allocation, allocation.project, part);
  for (const LotPart& part : e.taken) {
    const Share& share = world.shares.at(part.share);
    TENBIN_ASSERT(share.lot == part.lot);
    take_back(world.accounts, world.lots.at(part.lot).unallocated, share.free, part.amount);
  }
}

}  // namespace tenbin
