#include "core/ledger/ledger.h"

namespace tenbin {

namespace {

void guard(const Account& account) {
  TENBIN_ASSERT(account.free() >= Credits{0});
}

void end_hold(Account& source, Account& target, Credits amount) {
  TENBIN_ASSERT(amount >= Credits{0} && source.debits_pending >= amount);
  TENBIN_ASSERT(target.credits_pending >= amount);
  source.debits_pending -= amount;
  target.credits_pending -= amount;
}

}  // namespace

void post(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  TENBIN_ASSERT(amount >= Credits{0});
  Account& source = accounts.at(from);
  source.debits_posted += amount;
  accounts.at(to).credits_posted += amount;
  guard(source);
}

void hold(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  TENBIN_ASSERT(amount >= Credits{0});
  Account& source = accounts.at(from);
  source.debits_pending += amount;
  accounts.at(to).credits_pending += amount;
  guard(source);
}

void release(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  end_hold(accounts.at(from), accounts.at(to), amount);
}

void capture(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  Account& source = accounts.at(from);
  Account& target = accounts.at(to);
  end_hold(source, target, amount);
  source.debits_posted += amount;
  target.credits_posted += amount;
  guard(source);
}

bool balanced(const Accounts& accounts) {
  Wide posted = 0, pending = 0;
  bool guarded = true;
  accounts.each([&](AccountId, const Account& a) {
    posted += Wide{a.debits_posted.count} - a.credits_posted.count;
    pending += Wide{a.debits_pending.count} - a.credits_pending.count;
    guarded = guarded && a.free() >= Credits{0} && a.debits_pending >= Credits{0} &&
              a.credits_pending >= Credits{0};
  });
  return guarded && posted == 0 && pending == 0;
}

}  // namespace tenbin
