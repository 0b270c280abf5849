/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/text_mark.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Letters of 5×7 dots, a bit a dot, rows from the top; each dot is a square of the wanted height.
 */

enum { ROWS = 7, COLUMNS = 6 };

static const struct glyph {
    char sign;
    uint8_t rows[ROWS];
} glyphs[] = {
    {'A', {14, 17, 17, 31, 17, 17, 17}},
    {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}},
    {'D', {30, 17, 17, 17, 17, 17, 30}},
    {'E', {31, 16, 16, 30, 16, 16, 31}},
    {'F', {31, 16, 16, 30, 16, 16, 16}},
    {'G', {14, 17, 16, 23, 17, 17, 14}},
    {'H', {17, 17, 17, 31, 17, 17, 17}},
    {'I', {14, 4, 4, 4, 4, 4, 14}},
    {'J', {7, 2, 2, 2, 2, 18, 12}},
    {'K', {17, 18, 20, 24, 20, 18, 17}},
    {'L', {16, 16, 16, 16, 16, 16, 31}},
    {'M', {17, 27, 21, 21, 17, 17, 17}},
    {'N', {17, 25, 21, 19, 17, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}},
    {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'Q', {14, 17, 17, 17, 21, 18, 13}},
    {'R', {30, 17, 17, 30, 20, 18, 17}},
    {'S', {15, 16, 16, 14, 1, 1, 30}},
    {'T', {31, 4, 4, 4, 4, 4, 4}},
    {'U', {17, 17, 17, 17, 17, 17, 14}},
    {'V', {17, 17, 17, 17, 17, 10, 4}},
    {'W', {17, 17, 17, 21, 21, 27, 17}},
    {'X', {17, 17, 10, 4, 10, 17, 17}},
    {'Y', {17, 17, 10, 4, 4, 4, 4}},
    {'Z', {31, 1, 2, 4, 8, 16, 31}},
    {'0', {14, 17, 19, 21, 25, 17, 14}},
    {'1', {4, 12, 4, 4, 4, 4, 14}},
    {'2', {14, 17, 1, 2, 4, 8, 31}},
    {'3', {31, 2, 4, 2, 1, 17, 14}},
    {'4', {2, 6, 10, 18, 31, 2, 2}},
    {'5', {31, 16, 30, 1, 1, 17, 14}},
    {'6', {6, 8, 16, 30, 17, 17, 14}},
    {'7', {31, 1, 2, 4, 8, 8, 8}},
    {'8', {14, 17, 17, 14, 17, 17, 14}},
    {'9', {14, 17, 17, 15, 1, 2, 12}},
    {'.', {0, 0, 0, 0, 0, 12, 12}},
    {'-', {0, 0, 0, 31, 0, 0, 0}},
    {'@', {14, 17, 23, 21, 23, 16, 14}},
};

static const uint8_t *find_rows(char sign)
{
    for (size_t i = 0; i < sizeof glyphs / sizeof *glyphs; i++)
        if (glyphs[i].sign == toupper((unsigned char)sign))
            return glyphs[i].rows;
    return NULL;
}

enum pf_status text_mark_render(const char *text, int font, double height, float **ret_plane,
    int *ret_width, int *ret_height, struct pf_error *err)
{
    int dot = (int)fmax(round(height / (ROWS + 2)), 1.0), length = (int)strlen(text);
    int width = length * COLUMNS * dot, lines = ROWS * dot;
    float *plane = calloc((size_t)width * (size_t)lines + 1, sizeof *plane);
    (void)font;
    if (!plane || width == 0) {
        free(plane);
        return pf_fail(err, PF_NOMEM, "no memory for text of %d×%d", width, lines);
    }
    for (int i = 0; i < length; i++) {
        const uint8_t *rows = find_rows(text[i]);
        for (int y = 0; rows && y < lines; y++)
            for (int x = 0; x < 5 * dot; x++)
                if (rows[y / dot] >> (4 - x / dot) & 1)
                    plane[y * width + i * COLUMNS * dot + x] = 1.0f;
    }
    *ret_plane = plane;
    *ret_width = width;
    *ret_height = lines;
    return PF_OK;
}
