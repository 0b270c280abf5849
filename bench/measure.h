/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

/* Times the stages of runs on a synthetic picture. */

#include "pipeline/batcher.h"

enum { MEASURE_STEPS_MAX = 1000 };

struct measure_options {
    int width, height;
    int steps; /* timed, after one that isn't */
    int batch; /* runs side by side */
    struct params params; /* guidance and so on; steps and resolution are set from the above */
};

struct measure_result {
    int64_t load_ms;   /* of the pipeline given */
    double encode_ms;  /* VAE encode, texts and fit of one run */
    double step_ms[MEASURE_STEPS_MAX]; /* of each timed UNet call with all that belongs to it */
    int steps;
    double decode_ms;  /* of one run */
    int64_t peak_bytes; /* largest resident set of the process so far */
};

PF_MUST_CHECK enum pf_status measure_run(struct pipeline *pipeline,
    const struct measure_options *options, struct measure_result *ret, struct pf_error *err);

/* The middle of the steps' times. */
double measure_median_step_ms(const struct measure_result *result);

#endif
