/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_TEXT_UNICODE_DATA_H
#define PIPELINE_TEXT_UNICODE_DATA_H

/* Tables behind unicode.h, written by tools/gen-unicode.py. All are sorted and don't overlap. */

#include <stddef.h>
#include <stdint.h>

struct unicode_range {
    uint32_t first, last;
};

/* Code points first, first + stride, … last map to themselves + delta. */
struct unicode_shift {
    uint32_t first, last, stride;
    int32_t delta;
};

extern const struct unicode_range unicode_letters[];
extern const size_t unicode_letters_count;
extern const struct unicode_range unicode_numbers[];
extern const size_t unicode_numbers_count;
extern const struct unicode_range unicode_spaces[];
extern const size_t unicode_spaces_count;
extern const struct unicode_range unicode_case_ignorables[];
extern const size_t unicode_case_ignorables_count;
extern const struct unicode_range unicode_cased[]; /* and not case-ignorable */
extern const size_t unicode_cased_count;
extern const struct unicode_shift unicode_lowers[];
extern const size_t unicode_lowers_count;

#endif
