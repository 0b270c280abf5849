/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_THESAURUS_H
#define TOOLS_CURATE_THESAURUS_H

/* Other words for a word, out of a thesaurus in MyThes' format (Debian's mythes-en-us, which is
 * made of WordNet): a line "word|N", then N lines "(noun)|synonym|…". */

#include "base/buffer.h"
#include "base/error.h"
#include "tools/curate/rng.h"

struct thesaurus;

/* NOT_FOUND, IO, NOMEM; CORRUPT when no entry is found. */
PF_MUST_CHECK enum pf_status thesaurus_open(
    struct thesaurus **ret_thesaurus, const char *path, struct pf_error *err);
void thesaurus_close(struct thesaurus *thesaurus);

/* Replaces none, some or up to half of the words of `text` by synonyms of any of their meanings: a
 * reader learns to understand a sentence by all of its words, and not to mind one it doesn't know.
 * Words of no content stay. NOMEM. */
PF_MUST_CHECK enum pf_status thesaurus_vary(
    const struct thesaurus *thesaurus, struct rng *rng, struct buffer *text, struct pf_error *err);

#endif
