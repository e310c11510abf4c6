#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tenbin::exec {

struct GpuFound {
  int index = 0;      // as CUDA_VISIBLE_DEVICES counts with CUDA_DEVICE_ORDER=PCI_BUS_ID
  std::string model;  // "NVIDIA H100 80GB HBM3"
  std::int64_t memory_mib = 0;
};

/// The NVIDIA GPUs of this machine, asked of the driver's own library, which is loaded for this
/// call only. Empty if there is no such library, no driver or no GPU; one that does not answer is
/// left out.
std::vector<GpuFound> probe_gpus(const std::string& library = "libnvidia-ml.so.1");

}  // namespace tenbin::exec
