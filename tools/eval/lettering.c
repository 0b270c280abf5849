/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/lettering.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "tools/eval/brush.h"

/* A glyph lies on a grid 4 wide and 6 high, y from the top; it is polylines of points "xy",
 * polylines apart by commas. */
enum { GRID_HEIGHT = 6, ADVANCE = 6 };

static const char *const letters[26] = {
    "06 20 46,14 34",
    "00 06 36 45 44 33 03,00 30 41 42 33",
    "41 30 10 01 05 16 36 45",
    "00 06 26 44 42 20 00",
    "40 00 06 46,03 33",
    "40 00 06,03 33",
    "41 30 10 01 05 16 36 45 43 23",
    "00 06,40 46,03 43",
    "20 26",
    "30 35 26 16 05",
    "00 06,40 03 46",
    "00 06 46",
    "06 00 23 40 46",
    "06 00 46 40",
    "10 30 41 45 36 16 05 01 10",
    "06 00 30 41 42 33 03",
    "10 30 41 45 36 16 05 01 10,34 46",
    "06 00 30 41 42 33 03,23 46",
    "41 30 10 01 02 13 33 44 45 36 16 05",
    "00 40,20 26",
    "00 05 16 36 45 40",
    "00 26 40",
    "00 16 22 36 40",
    "00 46,40 06",
    "00 23 40,23 26",
    "00 40 06 46",
};

static const char *const digits[10] = {
    "10 30 41 45 36 16 05 01 10",
    "11 20 26",
    "01 10 30 41 42 06 46",
    "01 10 30 41 42 33 13,33 44 45 36 16 05",
    "36 30 04 44",
    "40 00 03 33 44 45 36 06",
    "40 10 01 05 16 36 45 44 33 03",
    "00 40 16",
    "13 02 01 10 30 41 42 33 13 04 05 16 36 45 44 33",
    "06 36 45 41 30 10 01 02 13 43",
};

static const char *glyph_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letters[letter - 'A'];
    if (letter >= '0' && letter <= '9')
        return digits[letter - '0'];
    if (letter == '-')
        return "13 33";
    return letter == '.' ? "16 16" : "";
}

/* The grid point of a glyph in pixels. */
static void place(
    const struct lettering *lettering, float advance, const char *point, float *ret_x, float *ret_y)
{
    float unit = lettering->height / GRID_HEIGHT;
    float along = unit * (advance + (float)(point[0] - '0'));
    float up = unit * (float)(GRID_HEIGHT - (point[1] - '0'));
    *ret_x = lettering->x + along * cosf(lettering->angle) - up * sinf(lettering->angle);
    *ret_y = lettering->y - along * sinf(lettering->angle) - up * cosf(lettering->angle);
}

static void draw_glyph(float *plane, struct filter_size size, const struct lettering *lettering,
    const char *glyph, float advance)
{
    struct brush_stroke stroke = {
        .radius = lettering->height * lettering->thickness / 2, .softness = 1.2f, .opacity = 1};
    size_t count = (strlen(glyph) + 1) / 3;
    for (size_t i = 0; i + 1 < count; i++) {
        if (glyph[3 * i + 2] == ',')
            continue;
        place(lettering, advance, glyph + 3 * i, &stroke.x0, &stroke.y0);
        place(lettering, advance, glyph + 3 * i + 3, &stroke.x1, &stroke.y1);
        brush_join(plane, size, &stroke);
    }
}

void lettering_draw(float *plane, struct filter_size size, const struct lettering *lettering)
{
    float advance = 0;
    for (const char *letter = lettering->text; *letter; letter++, advance += ADVANCE)
        draw_glyph(plane, size, lettering, glyph_of(*letter), advance);
}

float lettering_width(const char *text, float height)
{
    size_t count = strlen(text);
    return count == 0 ? 0 : height / GRID_HEIGHT * ((float)count * ADVANCE - 2);
}
