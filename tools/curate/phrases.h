/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_PHRASES_H
#define TOOLS_CURATE_PHRASES_H

/* What people write when they want a photo fixed. Templates hold alternatives in brackets,
 * "[remove|clear] the haze", "$O" where an object's name goes, and $ with another capital for a
 * class of words; a template stands for all its expansions. The held-out ones are never used for
 * training. */

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "tools/curate/rng.h"
#include "tools/data/tasks.h"

enum phrase_set { PHRASES_TRAIN, PHRASES_HELD_OUT, PHRASE_SETS };

/* The templates of a task, NULL-terminated: whole instructions, those of TASK_REMOVE that name the
 * object, and short clauses to be joined ("remove the haze"). */
enum phrase_kind { PHRASE_WHOLE, PHRASE_NAMED, PHRASE_CLAUSE, PHRASE_KINDS };
const char *const *phrases_templates(enum task task, enum phrase_set set, enum phrase_kind kind);

/* A class of words by its letter, one bracket; NULL when there is none. */
const char *phrases_class(char letter);

/* The template with brackets for its classes. */
void phrase_unfold(const char *template, struct buffer *out);

/* How many texts an unfolded template stands for, and the n-th of them, with `object` for $O. */
size_t phrase_count(const char *template);
void phrase_expand(const char *template, size_t index, const char *object, struct buffer *out);

/* An instruction for one task or several, in the order asked. `object` may be NULL: then the
 * phrases that name none are used. Case and full stop vary. NOMEM. */
PF_MUST_CHECK enum pf_status phrases_write(const enum task *tasks, int count, const char *object,
    enum phrase_set set, struct rng *rng, struct buffer *out, struct pf_error *err);

#endif
