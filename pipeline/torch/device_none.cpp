// SPDX-License-Identifier: Apache-2.0
// A libtorch without CUDA.
#include "pipeline/torch/torch_device.h"

namespace shim
{
int device_capability(int)
{
    return 0;
}

void device_empty_cache()
{
}

int64_t device_memory_allocated(int)
{
    return 0;
}
} // namespace shim
