/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PIPELINE_WEIGHTS_VARIANT_H
#define TESTS_PIPELINE_WEIGHTS_VARIANT_H

/* Small checkpoints full of zeros, with one thing or another wrong or added. */

#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/sizes.h"

struct variant {
    const char *drop; /* leaves this tensor out; a name that ends in '*' drops all that begin so */
    const char *reshape;      /* makes this one [1,2] */
    const char *retype;       /* makes this one I64 */
    const char *const *extra; /* names added, of shape [1], NULL-terminated */
    const char *metadata[8];  /* key, value, …, NULL */
};

/* Sizes of a model of few kilobytes of everything, two levels in UNet and VAE. */
struct model_sizes variant_sizes(void);

/* Writes the variant and opens it; the file is gone already. */
struct checkpoint *variant_open(const struct model_sizes *sizes, const struct variant *variant);

#endif
