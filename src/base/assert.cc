#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace tenbin {

namespace {
BreachListener listener = nullptr;
}

void on_breach(BreachListener l) {
  listener = l;
}

void promise_broken(const char* what, const char* file, int line) {
  std::fprintf(stderr, "tenbin: a promise was broken: %s (%s:%d)\n", what, file, line);
  if (listener) listener(what);
  std::abort();
}

}  // namespace tenbin
