// SPDX-License-Identifier: Apache-2.0
#ifndef PIPELINE_TORCH_TORCH_DEVICE_H
#define PIPELINE_TORCH_TORCH_DEVICE_H

// What only a CUDA build of libtorch can tell: device_cuda.cpp there, device_none.cpp elsewhere.

#include <cstdint>

namespace shim
{
int device_capability(int device_index);
void device_empty_cache();
int64_t device_memory_allocated(int device_index);
} // namespace shim

#endif
