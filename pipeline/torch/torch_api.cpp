// SPDX-License-Identifier: Apache-2.0
// The hand-written part of the shim: errors, tensors in and out, grad mode, devices.
#include "pipeline/torch/torch_cxx.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/grad_mode.h>
#include <torch/cuda.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "pipeline/torch/torch_device.h"

namespace
{
thread_local char *pending_error = nullptr;
thread_local bool pending_oom = false;

// libtorch's CPU allocator has no exception class of its own, so its words are looked at.
bool says_out_of_memory(const char *message) noexcept
{
    static const char *const phrases[] = {"out of memory", "can't allocate memory",
        "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED"};
    for (const char *phrase : phrases)
        if (std::strstr(message, phrase))
            return true;
    return false;
}
} // namespace

namespace shim
{
void record_error(const char *message, bool out_of_memory) noexcept
{
    if (pending_error)
        return;
    const char *end = std::strchr(message, '\n');
    size_t size = end ? static_cast<size_t>(end - message) : std::strlen(message);
    pending_error = static_cast<char *>(std::malloc(size + 1));
    if (pending_error) {
        std::memcpy(pending_error, message, size);
        pending_error[size] = '\0';
    }
    pending_oom = out_of_memory || !pending_error;
}

void record_current_exception() noexcept
{
    try {
        throw;
    } catch (const c10::Error &e) {
        const char *message = e.what_without_backtrace();
        record_error(message, says_out_of_memory(message));
    } catch (const std::bad_alloc &e) {
        record_error(e.what(), true);
    } catch (const std::exception &e) {
        record_error(e.what(), says_out_of_memory(e.what()));
    } catch (...) {
        record_error("an exception that is no std::exception", false);
    }
}
} // namespace shim

extern "C" {

char *get_and_reset_last_err(void)
{
    char *message = pending_error;
    pending_error = nullptr;
    pending_oom = false;
    return message;
}

int torch_last_err_is_oom(void)
{
    return pending_oom;
}

const char *torch_version(void)
{
    return TORCH_VERSION;
}

void at_manual_seed(int64_t seed)
{
    protect([&] { at::manual_seed(static_cast<uint64_t>(seed)); });
}

int at_get_num_threads(void)
{
    return protect_or(1, [] { return at::get_num_threads(); });
}

void at_set_num_threads(int threads)
{
    protect([&] { at::set_num_threads(threads); });
}

void at_set_num_interop_threads(int threads)
{
    protect([&] { at::set_num_interop_threads(threads); });
}

tensor at_tensor_of_blob(void *data, int64_t *dims_data, size_t dim_count, int64_t *strides,
    size_t stride_count, int type, int device)
{
    return protect_or<tensor>(nullptr, [&] {
        return new at::Tensor(torch::from_blob(data, at::IntArrayRef(dims_data, dim_count),
            at::IntArrayRef(strides, stride_count), options(type, device)));
    });
}

tensor at_tensor_of_data(void *data, int64_t *dims_data, size_t dim_count, size_t element_size,
    int type)
{
    return protect_or<tensor>(nullptr, [&] {
        at::Tensor t =
            torch::empty(at::IntArrayRef(dims_data, dim_count), options(type, TORCH_DEVICE_CPU));
        TORCH_CHECK(element_size == static_cast<size_t>(t.element_size()), "element size ", element_size, ", type has ",
            t.element_size());
        std::memcpy(t.data_ptr(), data, t.nbytes());
        return new at::Tensor(std::move(t));
    });
}

void at_copy_data(tensor t, void *data, size_t element_count, size_t element_size)
{
    protect([&] {
        TORCH_CHECK(static_cast<int64_t>(element_count) == t->numel(), "copying ", element_count,
            " elements of a tensor that has ", t->numel());
        TORCH_CHECK(element_size == static_cast<size_t>(t->element_size()), "element size ", element_size,
            ", tensor has ", t->element_size());
        at::Tensor source = t->detach().to(at::kCPU).contiguous();
        std::memcpy(data, source.data_ptr(), source.nbytes());
    });
}

tensor at_shallow_clone(tensor t)
{
    return protect_or<tensor>(nullptr, [&] { return new at::Tensor(*t); });
}

void at_free(tensor t)
{
    delete t;
}

void *at_data_ptr(tensor t)
{
    return protect_or<void *>(nullptr, [&] { return t->data_ptr(); });
}

int at_defined(tensor t)
{
    return t->defined();
}

size_t at_dim(tensor t)
{
    return protect_or<size_t>(0, [&] { return static_cast<size_t>(t->dim()); });
}

void at_shape(tensor t, int64_t *ret_dims)
{
    protect([&] {
        for (int64_t size : t->sizes())
            *ret_dims++ = size;
    });
}

void at_stride(tensor t, int64_t *ret_strides)
{
    protect([&] {
        for (int64_t stride : t->strides())
            *ret_strides++ = stride;
    });
}

int at_scalar_type(tensor t)
{
    return protect_or(-1, [&] { return static_cast<int>(t->scalar_type()); });
}

int at_device(tensor t)
{
    return protect_or<int>(TORCH_DEVICE_CPU,
        [&] { return t->is_cuda() ? static_cast<int>(t->get_device()) : TORCH_DEVICE_CPU; });
}

int at_is_contiguous(tensor t)
{
    return protect_or(0, [&] { return static_cast<int>(t->is_contiguous()); });
}

int at_requires_grad(tensor t)
{
    return protect_or(0, [&] { return static_cast<int>(t->requires_grad()); });
}

int at_grad_set_enabled(int enabled)
{
    bool former = at::GradMode::is_enabled();
    at::GradMode::set_enabled(enabled != 0);
    return former;
}

void at_run_backward(tensor *tensors, int tensor_count, tensor *inputs, int input_count,
    tensor *outputs, int keep_graph, int create_graph)
{
    for (int i = 0; i < input_count; i++)
        outputs[i] = nullptr;
    protect([&] {
        std::vector<at::Tensor> grads = torch::autograd::grad(list(tensors, tensor_count),
            list(inputs, input_count), {}, keep_graph != 0, create_graph != 0, false);
        for (int i = 0; i < input_count; i++)
            outputs[i] = new at::Tensor(std::move(grads[static_cast<size_t>(i)]));
    });
}

void at_copy_(tensor dst, tensor src)
{
    protect([&] { dst->copy_(*src); });
}

scalar ats_int(int64_t value)
{
    return protect_or<scalar>(nullptr, [&] { return new c10::Scalar(value); });
}

scalar ats_float(double value)
{
    return protect_or<scalar>(nullptr, [&] { return new c10::Scalar(value); });
}

void ats_free(scalar value)
{
    delete value;
}

int atc_cuda_device_count(void)
{
    return protect_or(0, [] { return static_cast<int>(torch::cuda::device_count()); });
}

int atc_cuda_is_available(void)
{
    return protect_or(0, [] { return static_cast<int>(torch::cuda::is_available()); });
}

int atc_cudnn_is_available(void)
{
    return protect_or(0, [] { return static_cast<int>(torch::cuda::cudnn_is_available()); });
}

void atc_synchronize(int64_t device_index)
{
    protect([&] {
        if (device_index >= 0)
            torch::cuda::synchronize(device_index);
    });
}

int atc_cpu_has_fast_bf16(void)
{
    return protect_or(0, [] {
        if (!at::hasMKLDNN())
            return 0;
        std::ifstream cpuinfo("/proc/cpuinfo");
        for (std::string line; std::getline(cpuinfo, line);)
            if (line.compare(0, 5, "flags") == 0)
                return static_cast<int>(line.find(" avx512_bf16") != std::string::npos ||
                                        line.find(" amx_bf16") != std::string::npos);
        return 0;
    });
}

int atc_cuda_capability(int device_index)
{
    return protect_or(0, [&] { return shim::device_capability(device_index); });
}

void atc_empty_cache(void)
{
    protect([] { shim::device_empty_cache(); });
}

int64_t atc_cuda_memory_allocated(int device_index)
{
    return protect_or<int64_t>(0, [&] { return shim::device_memory_allocated(device_index); });
}

void at_contiguous_format(tensor *out__, tensor self, int memory_format)
{
    protect([&] {
        out__[0] = nullptr;
        out__[0] = new at::Tensor(
            self->contiguous(static_cast<at::MemoryFormat>(static_cast<int8_t>(memory_format))));
    });
}

} // extern "C"
