/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_TOOLS_CURATE_PHRASE_PATTERNS_H
#define TESTS_TOOLS_CURATE_PHRASE_PATTERNS_H

/* All texts that a task's templates stand for, as patterns: there are too many to list. */

#include <regex.h>
#include <stddef.h>

#include "tools/curate/phrases.h"

struct phrase_patterns {
    regex_t items[256];
    size_t count;
};

/* `object` stands for $O. Ends with phrase_patterns_finish(). */
void phrase_patterns_init(
    struct phrase_patterns *patterns, enum task task, enum phrase_set set, const char *object);
void phrase_patterns_finish(struct phrase_patterns *patterns);

/* Whether a template stands for the text; case, punctuation and spaces make no difference. */
int phrase_patterns_match(const struct phrase_patterns *patterns, const char *text);

#endif
