#pragma once

namespace tenbin {

/// Called when a promise of ours is broken: says which and stops the process. Never returns.
[[noreturn]] void promise_broken(const char* what, const char* file, int line);

/// What a broken promise tells before the process ends, for example to set the offending command
/// aside. It runs on the thread that found the breach, must not throw and must not come back here.
using BreachListener = void (*)(const char* what);
void on_breach(BreachListener listener);

}  // namespace tenbin

/// A promise of ours, checked in every build. Input is never asserted: it is refused.
#define TENBIN_ASSERT(promise) \
  ((promise) ? static_cast<void>(0) : ::tenbin::promise_broken(#promise, __FILE__, __LINE__))
