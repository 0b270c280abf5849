/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_GOLDEN_FILE_H
#define TESTS_GOLDEN_FILE_H

/* Golden tensors (model.md, "Golden cases"): reading them, and comparing with them. Needs no
 * cmocka: the unit tests and the golden program share it. */

#include "pipeline/tensor/tensor.h"
#include "pipeline/weights/checkpoint.h"

/* Agreement, relative to the golden tensor's own largest value. */
#define GOLDEN_TOLERANCE          1e-3
#define GOLDEN_TOLERANCE_GRADIENT 1e-2

/* Opens "<folder>/<name>/expected.safetensors", folder from the environment (GOLDEN_DIR); NULL when
 * there is none: the test is to be skipped. */
struct checkpoint *golden_open_case(const char *name);

/* A golden tensor's values in `scope`; the error names it when it is absent or not float32. */
tensor golden_tensor(struct scope *scope, const struct checkpoint *golden, const char *name);
tensor golden_tensorf(struct scope *scope, const struct checkpoint *golden, const char *fmt, ...)
    PF_PRINTF(3, 4);

/* The same as an array of its numbers, malloc'd; NULL when absent or not float32. */
float *golden_values(const struct checkpoint *golden, const char *name, int64_t *ret_count);

struct golden_error {
    double max;   /* max|a-b|; infinite when a value isn't finite or the counts differ */
    double scale; /* max|b| */
};

struct golden_error golden_compare_values(const float *got, const float *want, int64_t count);

/* Shapes must agree but for leading dims of 1. */
struct golden_error golden_compare(tensor got, tensor want, struct pf_error *err);

int golden_agrees(struct golden_error error, double tolerance);

#endif
