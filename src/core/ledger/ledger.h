#pragma once

#include <cstdint>

#include "base/table.h"
#include "core/types.h"

// Double entry in integers, after TigerBeetle's design (see docs/decisions): four counters for each
// account; a hold reserves on both sides; its second phase cannot break the guard, because the
// guard counts pending and posted together. Nothing is edited: a hold ends by a capture, a release
// or both.

namespace tenbin {

struct Account {
  Credits debits_pending, debits_posted, credits_pending, credits_posted;
  Credits overdraft;  // how far below zero it may go: a funder's commitment; zero for all others

  constexpr Credits balance() const { return credits_posted - debits_posted; }
  /// What may still be taken out.
  constexpr Credits free() const {
    return credits_posted - debits_posted - debits_pending + overdraft;
  }
  TENBIN_FIELDS(debits_pending, debits_posted, credits_pending, credits_posted, overdraft)
};

using Accounts = Table<AccountId, Account>;

// Each of these moves `amount` between two accounts and asserts the guard of `from`: deciding has
// checked before. Cost: two rows.
void post(Accounts& accounts, AccountId from, AccountId to, Credits amount);
/// Undoes a part of earlier posts from `from` to `to`: the counters of both go back, so that
/// raising and lowering for ever never reaches their end. Asserts that `to` still has it.
void take_back(Accounts& accounts, AccountId from, AccountId to, Credits amount);
void hold(Accounts& accounts, AccountId from, AccountId to, Credits amount);
void release(Accounts& accounts, AccountId from, AccountId to, Credits amount);  // of a hold
/// Ends a hold of `held` at once: `captured` of it is taken, the rest goes back.
void settle(Accounts& accounts, AccountId from, AccountId to, Credits held, Credits captured);

/// Conservation: posted debits equal posted credits, pending ones too, and no guard is broken.
bool balanced(const Accounts& accounts);

}  // namespace tenbin
