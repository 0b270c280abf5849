/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_VALIDATE_H
#define TOOLS_TRAIN_VALIDATE_H

/* What the model makes of a fixed batch: figures and a sheet to look at. */

#include "base/buffer.h"
#include "tools/train/trainee.h"

struct validation_options {
    int64_t steps;     /* sampling steps, Euler */
    uint64_t seed;     /* of the noise */
    const char *sheet; /* PNG file: rows of input, output, target; NULL or "": none */
};

/* Puts JSON members `"psnr":…,"input_psnr":…,"tasks":{"dehaze":{"n":…,"psnr":…,"gain_db":…},…}` to
 * `out`. The vae stage reconstructs the target; the others fix the input. PF_NOMEM, PF_IO,
 * PF_UNSUPPORTED (a sheet without libvips). */
PF_MUST_CHECK enum pf_status validate(const struct trainee *trainee, const struct batch *batch,
    const struct validation_options *options, struct buffer *out, struct pf_error *err);

#endif
