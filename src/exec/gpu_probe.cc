#include "exec/gpu_probe.h"

#include <dlfcn.h>

#include <array>
#include <memory>

namespace tenbin::exec {

namespace {

// From nvml.h, which is not on machines without GPUs. These shapes have not changed since 2013.
using Device = struct DeviceTag*;
struct DeviceMemory {
  unsigned long long total, free, used;  // bytes
};
using Init = int (*)();
using Count = int (*)(unsigned*);
using ByIndex = int (*)(unsigned, Device*);
using Name = int (*)(Device, char*, unsigned);
using MemoryOf = int (*)(Device, DeviceMemory*);

template <class Function>
Function find(void* library, const char* name) {
  return reinterpret_cast<Function>(::dlsym(library, name));
}

}  // namespace

std::vector<GpuFound> probe_gpus(const std::string& library) {
  const auto close = [](void* handle) { ::dlclose(handle); };
  const std::unique_ptr<void, decltype(close)> nvml(
      ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL), close);
  if (!nvml) return {};
  const auto init = find<Init>(nvml.get(), "nvmlInit_v2");
  const auto shutdown = find<Init>(nvml.get(), "nvmlShutdown");
  const auto count_of = find<Count>(nvml.get(), "nvmlDeviceGetCount_v2");
  const auto by_index = find<ByIndex>(nvml.get(), "nvmlDeviceGetHandleByIndex_v2");
  const auto name_of = find<Name>(nvml.get(), "nvmlDeviceGetName");
  const auto memory_of = find<MemoryOf>(nvml.get(), "nvmlDeviceGetMemoryInfo");
  if (!init || !shutdown || !count_of || !by_index || !name_of || !memory_of) return {};
  if (init() != 0) return {};

  std::vector<GpuFound> gpus;
  unsigned count = 0;
  if (count_of(&count) != 0) count = 0;
  for (unsigned index = 0; index < count; ++index) {
    Device device = nullptr;
    std::array<char, 96> name{};
    DeviceMemory memory{};
    if (by_index(index, &device) != 0) continue;
    if (name_of(device, name.data(), static_cast<unsigned>(name.size() - 1)) != 0) continue;
    if (memory_of(device, &memory) != 0) continue;
    gpus.push_back({.index = static_cast<int>(index),
                    .model = name.data(),
                    .memory_mib = static_cast<std::int64_t>(memory.total >> 20)});
  }
  shutdown();
  return gpus;
}

}  // namespace tenbin::exec
