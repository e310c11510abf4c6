#include "core/ledger/ledger.h"

namespace tenbin {

namespace {

void guard(const Account& account) {
  TENBIN_ASSERT(account.free() >= Credits{0});
}

}  // namespace

void post(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  TENBIN_ASSERT(amount >= Credits{0});
  Account& source = accounts.at(from);
  source.debits_posted += amount;
  accounts.at(to).credits_posted += amount;
  guard(source);
}

void take_back(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  TENBIN_ASSERT(amount >= Credits{0});
  Account& source = accounts.at(from);
  Account& target = accounts.at(to);
  TENBIN_ASSERT(source.debits_posted >= amount && target.credits_posted >= amount);
  source.debits_posted -= amount;
  target.credits_posted -= amount;
  guard(target);
}

void hold(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  TENBIN_ASSERT(amount >= Credits{0});
  Account& source = accounts.at(from);
  source.debits_pending += amount;
  accounts.at(to).credits_pending += amount;
  guard(source);
}

void settle(Accounts& accounts, AccountId from, AccountId to, Credits held, Credits captured) {
  TENBIN_ASSERT(captured >= Credits{0} && captured <= held);
  Account& source = accounts.at(from);
  Account& target = accounts.at(to);
  TENBIN_ASSERT(source.debits_pending >= held && target.credits_pending >= held);
  source.debits_pending -= held;
  target.credits_pending -= held;
  source.debits_posted += captured;
  target.credits_posted += captured;
  guard(source);
}

void release(Accounts& accounts, AccountId from, AccountId to, Credits amount) {
  settle(accounts, from, to, amount, Credits{0});
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
