/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PIPELINE_FIXTURE_H
#define TESTS_PIPELINE_FIXTURE_H

/* Small random-weights models and made-up pictures for the tests of the assembled pipeline. The
 * models are written by promptfix-mkmodel at build time (tests/pipeline/meson.build); their
 * pictures must be multiples of 8 inside the model, a latent cell is 4 pixels. Whatever fails here
 * ends the test. */

#include "pipeline/image/image.h"
#include "pipeline/run.h"

/* "tiny" has everything, "plain" neither attn_extra nor LoRA, "v" and "v_change" predict those; the
 * latter pads edges. */
struct fixture_edit {
    const char *poisoned;    /* a tensor to fill with NaN, or NULL */
    const char *key, *value; /* metadata to set, or NULL; value NULL: to leave out */
};

/* Path of a model of the build; static. */
const char *fixture_model(const char *name);

/* A copy of it with edits, in a folder of its own that is removed at the end of the process.
 * malloc'd.
 */
char *fixture_edited_model(const char *name, const struct fixture_edit *edit);

struct pipeline *fixture_pipeline(const char *model_path, enum precision precision);

/* That of most tests: the model "tiny" in float32. Set up and torn down for a whole group of tests.
 */
extern struct pipeline *fixture_tiny;
int fixture_open_tiny(void **state);
int fixture_close_tiny(void **state);

/* A colourful picture with edges; give it back with image_finish(). */
struct image fixture_image(int width, int height, unsigned seed);

/* 3 steps at resolution 64, no high-frequency guidance, everything else by default. */
struct run_request fixture_request(const struct image *image);

/* One parameter, by name. */
void fixture_set(struct run_request *request, const char *name, const char *value);

struct run *fixture_begin(struct pipeline *pipeline, const struct run_request *request);

/* A request from begin to end, alone. */
struct image fixture_solve(struct pipeline *pipeline, const struct run_request *request);

/* The first error of a request that is to fail, wherever it does. */
struct pf_error fixture_solve_error(struct pipeline *pipeline, const struct run_request *request);

/* max|a-b| of the colours; infinite when sizes differ or a value isn't finite. */
double fixture_difference(const struct image *a, const struct image *b);

/* Whether this is a build with AddressSanitizer, which has its own idea of memory. */
#if defined(__SANITIZE_ADDRESS__)
#define FIXTURE_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIXTURE_HAS_ASAN 1
#endif
#endif
#ifndef FIXTURE_HAS_ASAN
#define FIXTURE_HAS_ASAN 0
#endif

/* Batched and solo matrix products may round differently in float32; measured: 1e-5 in the picture.
 */
#define FIXTURE_ROUNDING 1e-4

#endif
