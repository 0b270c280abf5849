// SPDX-License-Identifier: Apache-2.0
#include "tests/pipeline/torch/throws.h"

#include <stdexcept>

#include "pipeline/torch/torch_cxx.h"

void throws_int(void)
{
    protect([] { throw 42; });
}

void throws_standard(const char *message)
{
    protect([&] { throw std::runtime_error(message); });
}

void throws_torch(const char *message)
{
    protect([&] { TORCH_CHECK(false, message); });
}

void throws_bad_alloc(void)
{
    protect([] { throw std::bad_alloc(); });
}
