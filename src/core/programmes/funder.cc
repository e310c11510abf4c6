#include "core/declare.h"

// A funder promises money; at a fixed rate that is how far its account may go below zero. The
// promise can be raised, or lowered to what is in lots.

namespace tenbin {

namespace {

bool valid_currency(const Money& money) {
  for (const char c : money.currency) {
    if (c < 'A' || c > 'Z') return false;
  }
  return true;
}

}  // namespace

Decision decide(const World& world, const Asked&, const DeclareFunder& c, Instant, Facts& facts) {
  if (const auto refused = check_names(c.name, c.title)) return std::unexpected(*refused);
  if (!valid_currency(c.commitment)) return std::unexpected(refuse(Reason::currency_invalid));
  if (c.commitment.minor <= 0 || c.credits_per_minor <= Credits{0}) {
    return std::unexpected(refuse(Reason::amount_must_be_positive));
  }
  const Wide committed = Wide{c.commitment.minor} * c.credits_per_minor.count;
  if (c.commitment.minor > money_max || committed > credits_max.count) {
    return std::unexpected(refuse(Reason::amount_too_large));
  }
  // All that all funders promise fits the ledger too, so that every total does.
  Wide promised = committed;
  world.funders.each([&](FunderId, const Funder& f) {
    if (f.name != c.name) promised += world.accounts.at(f.account).overdraft.count;
  });
  if (promised > credits_max.count) return std::unexpected(refuse(Reason::amount_too_large));
  if (const FunderId id = find_name(world.index.funders, c.name)) {
    const Funder& f = world.funders.at(id);
    if (c.commitment.currency != f.commitment.currency)
      return differs(Thing::funder, Property::currency);
    if (c.credits_per_minor != f.credits_per_minor) return differs(Thing::funder, Property::rate);
    const Account& account = world.accounts.at(f.account);
    const Credits in_lots = account.overdraft - account.free();
    if (committed < in_lots.count) {
      return std::unexpected(
          refuse(Reason::commitment_in_use, static_cast<std::int64_t>(committed), in_lots.count));
    }
    if (c.title != f.title || c.commitment != f.commitment) {
      facts.add(FunderChanged{id, facts.text(c.title), c.commitment,
                              Credits{static_cast<std::int64_t>(committed)}});
    }
    return id.value;
  }
  const FunderId id = world.funders.next_id();
  facts.add(FunderDeclared{id, facts.text(c.name), facts.text(c.title), c.commitment,
                           c.credits_per_minor, Credits{static_cast<std::int64_t>(committed)}});
  return id.value;
}

void evolve(World& world, const FunderDeclared& e, Instant) {
  const AccountId account = world.accounts.add({.overdraft = e.committed});
  const FunderId id = world.funders.add({.name = std::string(e.name),
                                         .title = std::string(e.title),
                                         .commitment = e.commitment,
                                         .credits_per_minor = e.credits_per_minor,
                                         .account = account});
  TENBIN_ASSERT(id == e.funder);
  world.index.funders.emplace(e.name, id);
}

void evolve(World& world, const FunderChanged& e, Instant) {
  Funder& funder = world.funders.at(e.funder);
  funder.title = e.title;
  funder.commitment = e.commitment;
  Account& account = world.accounts.at(funder.account);
  account.overdraft = e.committed;
  TENBIN_ASSERT(account.free() >= Credits{0});
}

}  // namespace tenbin
