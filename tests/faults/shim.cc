// Loaded before the C library (LD_PRELOAD) into a service under test: a disk that syncs slowly, and
// a wall clock that is set while the service runs. Both are told by a file, read again each time.
//
//   TENBIN_SHIM_SYNC_MS   file with the milliseconds that a sync takes longer
//   TENBIN_SHIM_CLOCK_MS  file with the milliseconds by which the wall clock is ahead

#include <dlfcn.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

long long told(const char* variable) {
  const char* const path = ::getenv(variable);
  if (!path) return 0;
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[32]{};
  const ssize_t n = ::read(file, text, sizeof text - 1);
  ::close(file);
  return n > 0 ? ::atoll(text) : 0;
}

template <class Function>
Function real(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

void tarry() {
  const long long ms = told("TENBIN_SHIM_SYNC_MS");
  const timespec length{ms / 1'000, ms % 1'000 * 1'000'000};
  if (ms > 0) ::nanosleep(&length, nullptr);
}

}  // namespace

extern "C" {

int fsync(int file) {
  tarry();
  static const auto next = real<int (*)(int)>("fsync");
  return next(file);
}

int fdatasync(int file) {
  tarry();
  static const auto next = real<int (*)(int)>("fdatasync");
  return next(file);
}

int clock_gettime(clockid_t clock, timespec* t) {
  static const auto next = real<int (*)(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, t);
  if (clock == CLOCK_REALTIME && result == 0) t->tv_sec += told("TENBIN_SHIM_CLOCK_MS") / 1'000;
  return result;
}
}
