// SPDX-License-Identifier: Apache-2.0
// A libtorch with CUDA. What libtorch's own headers would only tell with the CUDA toolkit installed is
// asked of the driver, whose C interface is stable and is there wherever a GPU is.
#include "pipeline/torch/torch_device.h"

#include <dlfcn.h>

#include <cstddef>

namespace
{
// CUDA driver API, cuda.h: CUdevice_attribute and CUresult.
constexpr int CAPABILITY_MAJOR = 75, CAPABILITY_MINOR = 76, SUCCESS = 0;

template <typename F> F driver_function(const char *name)
{
    static void *driver = dlopen("libcuda.so.1", RTLD_NOW);
    return driver ? reinterpret_cast<F>(dlsym(driver, name)) : nullptr;
}
} // namespace

namespace shim
{
int device_capability(int device_index)
{
    auto init = driver_function<int (*)(unsigned)>("cuInit");
    auto attribute = driver_function<int (*)(int *, int, int)>("cuDeviceGetAttribute");
    int major = 0, minor = 0;
    if (!init || !attribute || init(0) != SUCCESS ||
        attribute(&major, CAPABILITY_MAJOR, device_index) != SUCCESS ||
        attribute(&minor, CAPABILITY_MINOR, device_index) != SUCCESS)
        return 0;
    return 10 * major + minor;
}

void device_empty_cache()
{
    // libtorch's allocator empties its cache by itself before it reports out of memory.
}

// Of the whole device: of all its processes, but each worker has its device to itself.
int64_t device_memory_allocated(int device_index)
{
    auto info = driver_function<int (*)(size_t *, size_t *)>("cuMemGetInfo_v2");
    size_t free_bytes = 0, total = 0;
    if (device_index < 0 || !info || info(&free_bytes, &total) != SUCCESS)
        return 0;
    return static_cast<int64_t>(total - free_bytes);
}
} // namespace shim
