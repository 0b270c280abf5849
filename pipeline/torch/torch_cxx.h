// SPDX-License-Identifier: Apache-2.0
#ifndef PIPELINE_TORCH_TORCH_CXX_H
#define PIPELINE_TORCH_TORCH_CXX_H

// What the C++ files of the shim share: the exception wall, and the conversions of C arguments.
// Not for C, and not for any other folder.

#include <torch/types.h>
#include <torch/version.h>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/util/Exception.h>
#if __has_include(<c10/util/Optional.h>)
#include <c10/util/Optional.h>
#endif
#if __has_include(<c10/util/string_view.h>)
#include <c10/util/string_view.h>
#endif

#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/torch/torch_api.h"

namespace shim
{
void record_error(const char *message, bool out_of_memory) noexcept;
void record_current_exception() noexcept;
} // namespace shim

// Runs `body`; whatever it throws becomes the thread's pending error.
template <typename F> inline void protect(F &&body) noexcept
{
    try {
        body();
    } catch (...) {
        shim::record_current_exception();
    }
}

// The same with a value; `fallback` on failure.
template <typename R, typename F> inline R protect_or(R fallback, F &&body) noexcept
{
    try {
        return body();
    } catch (...) {
        shim::record_current_exception();
        return fallback;
    }
}

inline at::IntArrayRef dims(const int64_t *data, int count)
{
    return at::IntArrayRef(data, static_cast<size_t>(count));
}

inline std::vector<at::Tensor> list(tensor *data, int count)
{
    std::vector<at::Tensor> tensors;
    tensors.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; i++)
        tensors.push_back(*data[i]);
    return tensors;
}

// An absent tensor: libtorch takes an undefined one for it.
inline at::Tensor optional(tensor t)
{
    return t ? *t : at::Tensor();
}

// libtorch's optional and string_view were its own classes, then names for the standard ones, and the
// names go away.
#if __has_include(<c10/util/Optional.h>)
template <typename T> using maybe = c10::optional<T>;
#else
template <typename T> using maybe = std::optional<T>;
#endif
#if __has_include(<c10/util/string_view.h>)
using text_view = c10::string_view;
#else
using text_view = std::string_view;
#endif

inline maybe<at::ScalarType> dtype_or_none(int type)
{
    return type < 0 ? maybe<at::ScalarType>() : maybe<at::ScalarType>(at::ScalarType(type));
}

inline maybe<double> scale_or_none(double value, bool is_null)
{
    return is_null ? maybe<double>() : maybe<double>(value);
}

inline maybe<text_view> norm_or_none(const char *text, int size)
{
    return size <= 0 ? maybe<text_view>()
                     : maybe<text_view>(text_view(text, static_cast<size_t>(size)));
}

inline at::OptionalIntArrayRef size_or_none(const int64_t *data, int count)
{
    return data ? at::OptionalIntArrayRef(dims(data, count)) : at::OptionalIntArrayRef();
}

inline at::Device device_of(int device)
{
    return device < 0 ? at::Device(at::kCPU)
                      : at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device));
}

inline at::TensorOptions options(int type, int device)
{
    return at::TensorOptions().dtype(at::ScalarType(type)).device(device_of(device));
}

#endif
