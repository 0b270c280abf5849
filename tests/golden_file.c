/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/golden_file.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

enum { PATH_SIZE = 4096, NAME_SIZE = 256 };

struct checkpoint *golden_open_case(const char *name)
{
    char path[PATH_SIZE];
    const char *folder = getenv("GOLDEN_DIR");
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *golden = NULL;
    if (!folder)
        return NULL;
    snprintf(path, sizeof path, "%s/%s/expected.safetensors", folder, name);
    if (checkpoint_open(&golden, path, &err) != PF_OK) {
        fprintf(stderr, "no golden case: %s\n", err.message);
        return NULL;
    }
    return golden;
}

float *golden_values(const struct checkpoint *golden, const char *name, int64_t *ret_count)
{
    const struct array *array = checkpoint_find(golden, name);
    if (!array || array->dtype != DTYPE_F32)
        return NULL;
    size_t size = (size_t)array->element_count * sizeof(float);
    float *values = malloc(size ? size : 1);
    if (values)
        memcpy(values, array->data, size);
    *ret_count = array->element_count;
    return values;
}

tensor golden_tensor(struct scope *scope, const struct checkpoint *golden, const char *name)
{
    int64_t count = 0;
    AUTO_FREE float *values = golden_values(golden, name, &count);
    if (!values) {
        pf_fail(scope->err, PF_NOT_FOUND, "no golden tensor '%s' of type F32", name);
        return NULL;
    }
    const struct array *array = checkpoint_find(golden, name);
    return tensor_from_f32(scope, values, array->dims, array->dim_count);
}

tensor golden_tensorf(struct scope *scope, const struct checkpoint *golden, const char *fmt, ...)
{
    char name[NAME_SIZE];
    va_list args;
    va_start(args, fmt);
    vsnprintf(name, sizeof name, fmt, args);
    va_end(args);
    return golden_tensor(scope, golden, name);
}

struct golden_error golden_compare_values(const float *got, const float *want, int64_t count)
{
    struct golden_error error = {0, 0};
    for (int64_t i = 0; i < count; i++) {
        double difference = fabs((double)got[i] - (double)want[i]);
        error.max = isfinite(difference) ? fmax(error.max, difference) : INFINITY;
        error.scale = fmax(error.scale, fabs((double)want[i]));
    }
    return error;
}

/* Number of leading dims of size 1. */
static int leading_ones(tensor t)
{
    int ones = 0;
    while (ones < tensor_dim_count(t) && tensor_dim(t, ones) == 1)
        ones++;
    return ones;
}

static int same_shape(tensor a, tensor b)
{
    int skip_a = leading_ones(a), skip_b = leading_ones(b);
    int count = tensor_dim_count(a) - skip_a;
    if (count != tensor_dim_count(b) - skip_b)
        return 0;
    for (int i = 0; i < count; i++)
        if (tensor_dim(a, skip_a + i) != tensor_dim(b, skip_b + i))
            return 0;
    return 1;
}

struct golden_error golden_compare(tensor got, tensor want, struct pf_error *err)
{
    struct golden_error error = {INFINITY, 0};
    if (err->status != PF_OK || !got || !want)
        return error;
    int64_t count = tensor_count(want);
    if (!same_shape(got, want)) {
        pf_fail(err, PF_INVALID, "%lld values in another shape, expected %lld",
            (long long)tensor_count(got), (long long)count);
        return error;
    }
    AUTO_FREE float *a = malloc((size_t)count * sizeof *a + 1);
    AUTO_FREE float *b = malloc((size_t)count * sizeof *b + 1);
    if (!a || !b || tensor_to_f32(got, a, count, err) != PF_OK ||
        tensor_to_f32(want, b, count, err) != PF_OK)
        return error;
    return golden_compare_values(a, b, count);
}

int golden_agrees(struct golden_error error, double tolerance)
{
    return error.max <= tolerance * error.scale;
}
