/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/text/unicode.h"

enum {
    CAPITAL_SIGMA = 0x3A3,
    SMALL_FINAL_SIGMA = 0x3C2,
    SMALL_SIGMA = 0x3C3,
    CAPITAL_I_WITH_DOT = 0x130,
    COMBINING_DOT_ABOVE = 0x307,
};

int unicode_in(const struct unicode_range *ranges, size_t count, uint32_t code_point)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code_point > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && code_point >= ranges[low].first;
}

int unicode_is_letter(uint32_t code_point)
{
    return unicode_in(unicode_letters, unicode_letters_count, code_point);
}

int unicode_is_number(uint32_t code_point)
{
    return unicode_in(unicode_numbers, unicode_numbers_count, code_point);
}

int unicode_is_space(uint32_t code_point)
{
    return unicode_in(unicode_spaces, unicode_spaces_count, code_point);
}

static int is_case_ignorable(uint32_t code_point)
{
    return unicode_in(unicode_case_ignorables, unicode_case_ignorables_count, code_point);
}

static int is_cased(uint32_t code_point)
{
    return unicode_in(unicode_cased, unicode_cased_count, code_point);
}

/* A sigma is final when a cased letter comes before it and none after, looking past case-ignorable
 * characters. A sigma is cased itself, so a text full of them is still walked only twice. */
static int is_final_sigma(const uint32_t *text, size_t count, size_t at)
{
    size_t before = at;
    while (before > 0 && is_case_ignorable(text[before - 1]))
        before--;
    if (before == 0 || !is_cased(text[before - 1]))
        return 0;
    size_t after = at + 1;
    while (after < count && is_case_ignorable(text[after]))
        after++;
    return after == count || !is_cased(text[after]);
}

static uint32_t lower_simple(uint32_t code_point)
{
    size_t low = 0, high = unicode_lowers_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (code_point > unicode_lowers[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == unicode_lowers_count)
        return code_point;
    const struct unicode_shift *run = &unicode_lowers[low];
    if (code_point < run->first || (code_point - run->first) % run->stride != 0)
        return code_point;
    return (uint32_t)((int32_t)code_point + run->delta);
}

size_t unicode_lower(const uint32_t *text, size_t count, size_t at, uint32_t ret_lower[2])
{
    if (text[at] == CAPITAL_I_WITH_DOT) {
        ret_lower[0] = 'i';
        ret_lower[1] = COMBINING_DOT_ABOVE;
        return 2;
    }
    if (text[at] == CAPITAL_SIGMA)
        ret_lower[0] = is_final_sigma(text, count, at) ? SMALL_FINAL_SIGMA : SMALL_SIGMA;
    else
        ret_lower[0] = lower_simple(text[at]);
    return 1;
}
