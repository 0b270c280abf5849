/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_GOLDEN_CASE_H
#define TESTS_GOLDEN_CASE_H

/* One golden case with one of its checkpoints: the models, what is expected, and the tally. */

#include "pipeline/text/clip.h"
#include "pipeline/text/tokenizer.h"
#include "pipeline/unet/unet.h"
#include "pipeline/vae/vae.h"
#include "tests/golden_file.h"

struct jdoc;

struct golden_tally {
    int passed, failed;
};

struct golden_case {
    const char *folder;
    struct golden_tally *tally; /* borrowed */

    struct jdoc *json; /* case.json */
    const char *instruction;
    const char *auxiliary; /* NULL: none */
    double text_scale, image_scale;

    struct checkpoint *expected;
    unsigned char *seen; /* [array count of expected]: used as input, or checked */

    struct checkpoint *checkpoint;
    struct model_sizes sizes;
    struct clip *clip;
    struct unet *unet;
    struct vae *vae;
    struct tokenizer *tokenizer; /* NULL when there is no merges table */
};

/* Loads everything of "<folder>/<model>". A failure is printed and counted; the parts that loaded
 * are there, the others NULL (and what needs them then counts as failed). */
void golden_case_init(struct golden_case *ret_case, struct golden_tally *tally, const char *folder,
    const char *model, const char *merges);
void golden_case_finish(struct golden_case *golden);

/* Whether the case holds a tensor of that name. */
int golden_expects(const struct golden_case *golden, const char *fmt, ...) PF_PRINTF(2, 3);

/* A tensor that the case gives as an input; marked as used. NULL with the scope's error when
 * absent. */
tensor golden_input(struct golden_case *golden, struct scope *scope, const char *fmt, ...)
    PF_PRINTF(3, 4);

/* Compares with the expected tensor `name`, prints and counts; nothing when the case has none.
 * An error in `err` is a failure of this tensor. `got` may have more channels (dim 1) than
 * expected: the first ones are compared. */
void golden_check(struct golden_case *golden, const char *name, tensor got, double tolerance,
    struct pf_error *err);

/* Prints and counts a check without a tensor. */
void golden_count(struct golden_case *golden, const char *name, int passed, const char *remark);

/* Counts every expected tensor that no check has asked for as failed. */
void golden_check_all_seen(struct golden_case *golden);

/* The checks: each takes the tensors it knows. */
void golden_check_tokens(struct golden_case *golden);
void golden_check_schedule(struct golden_case *golden);
void golden_check_text(struct golden_case *golden);
void golden_check_vae(struct golden_case *golden);
void golden_check_unet(struct golden_case *golden);
void golden_check_samplers(struct golden_case *golden);
void golden_check_guidance(struct golden_case *golden);

/* What several checks need: the golden tensor where the case has it, else our own. */
tensor golden_text_rows(struct golden_case *golden, struct scope *scope, int null_text);
tensor golden_image_latent(struct golden_case *golden, struct scope *scope);
/* Contexts of [instruction, auxiliary], or of ["", ""]. */
enum pf_status golden_context(struct golden_case *golden, struct unet_context **ret_context,
    int null_text, struct pf_error *err);

enum { GOLDEN_NAME_SIZE = 256 };

#endif
