/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_ENGINE_H
#define TOOLS_EVAL_ENGINE_H

/* Pictures through a loaded model, many requests to a UNet call. */

#include "pipeline/batcher.h"
#include "pipeline/image/image.h"

struct engine {
    struct pipeline *pipeline; /* borrowed */
    struct params params;      /* the caller's; what isn't set is the model's own default */
    int batch;                 /* requests at a time, 1 … BATCHER_RUNS_MAX */
    int progress;              /* tells of each picture on standard error */
    int64_t planned;           /* pictures in all, for the progress; 0: unknown */
    int64_t done;              /* so far, and how long they took */
    int64_t busy_ms;
};

struct engine_request {
    const struct image *image;
    const char *instruction, *auxiliary; /* "" for none */
    const float *mask;           /* of the image's size, for guidance_region=mask; or NULL */
    const struct params *params; /* instead of the engine's; or NULL */
    const char *label;           /* for the progress */
    struct image result;         /* filled by engine_run(); owned by the caller */
};

/* Runs them all. On failure those results that were made are there. PF_CANCELLED after a signal.
 */
PF_MUST_CHECK enum pf_status engine_run(
    struct engine *engine, struct engine_request *requests, size_t count, struct pf_error *err);

#endif
