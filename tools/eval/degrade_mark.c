/* SPDX-License-Identifier: Apache-2.0 */
/* Watermarks as picture agencies, proofs and cameras put them: small lettering tiled over all of
 * the picture, one large line across it, or a badge with a caption in a corner. */
#include <math.h>

#include "base/cleanup.h"
#include "tools/eval/brush.h"
#include "tools/eval/canvas.h"
#include "tools/eval/degrade.h"
#include "tools/eval/lettering.h"

static const char *const texts[] = {"SAMPLE", "PREVIEW ONLY", "STOCK PHOTO", "DO NOT COPY", "PROOF",
    "GALLERY 47", "NORTHLIGHT", "COPYRIGHT 2019", "DRAFT", "WWW.PICTURES-4U.NET", "EVALUATION"};

static const float colours[][3] = {
    {1.0f, 1.0f, 1.0f},
    {1.0f, 1.0f, 1.0f},
    {0.93f, 0.93f, 0.9f},
    {0.05f, 0.05f, 0.08f},
    {0.85f, 0.2f, 0.15f},
};

static void draw_tiles(struct degrade *degrade, const char *text)
{
    struct random *random = degrade->random;
    float scale = degrade_scale(degrade);
    struct lettering line = {
        .text = text,
        .height = scale * random_range(random, 18, 28),
        .angle = random_range(random, 0.25f, 0.65f),
        .thickness = random_range(random, 0.14f, 0.2f),
    };
    float step = lettering_width(text, line.height) + scale * random_range(random, 60, 110);
    float drop = line.height * random_range(random, 4.0f, 6.0f);
    float reach = hypotf((float)degrade->image->width, (float)degrade->image->height);
    int row = 0;
    for (float down = -reach; down < reach; down += drop, row++) {
        for (float along = -reach - (row % 2 ? step / 2 : 0); along < reach; along += step) {
            line.x = along * cosf(line.angle) + down * sinf(line.angle);
            line.y = down * cosf(line.angle) - along * sinf(line.angle);
            lettering_draw(degrade->mask, degrade_size(degrade), &line);
        }
    }
}

static void draw_across(struct degrade *degrade, const char *text)
{
    struct random *random = degrade->random;
    float width = (float)degrade->image->width, height = (float)degrade->image->height;
    struct lettering line = {
        .text = text,
        .angle = random_range(random, -0.1f, 0.7f),
        .thickness = random_range(random, 0.13f, 0.2f),
    };
    float wanted = width * random_range(random, 0.6f, 0.85f);
    line.height = fminf(wanted / lettering_width(text, 1), 90 * degrade_scale(degrade));
    float half = lettering_width(text, line.height) / 2;
    line.x = width / 2 - half * cosf(line.angle) + line.height / 2 * sinf(line.angle);
    line.y = height / 2 + half * sinf(line.angle) + line.height / 2 * cosf(line.angle);
    lettering_draw(degrade->mask, degrade_size(degrade), &line);
}

/* A ring around the text's first letter, the text below it. */
static void draw_badge(struct degrade *degrade, const char *text)
{
    enum { RING_PARTS = 48 };
    struct random *random = degrade->random;
    float scale = degrade_scale(degrade), radius = scale * random_range(random, 26, 44);
    struct lettering caption = {
        .text = text, .height = scale * random_range(random, 13, 18), .thickness = 0.16f};
    float half = fmaxf(radius, lettering_width(text, caption.height) / 2) + 14 * scale;
    float x = random_below(random, 2) ? half : (float)degrade->image->width - half;
    float y = random_below(random, 2) ? radius + 16 * scale
                                      : (float)degrade->image->height - radius - 48 * scale;
    for (int i = 0; i < RING_PARTS; i++) {
        float from = 6.28318531f * (float)i / RING_PARTS, to = from + 6.28318531f / RING_PARTS;
        brush_join(degrade->mask, degrade_size(degrade),
            &(struct brush_stroke){x + radius * cosf(from), y + radius * sinf(from),
                x + radius * cosf(to), y + radius * sinf(to), 2.5f * scale, 1, 1});
    }
    const char first[] = {text[0], '\0'};
    struct lettering letter = {.text = first, .height = 1.1f * radius, .thickness = 0.18f};
    letter.x = x - lettering_width(first, letter.height) / 2;
    letter.y = y + letter.height / 2;
    lettering_draw(degrade->mask, degrade_size(degrade), &letter);
    caption.x = x - lettering_width(text, caption.height) / 2;
    caption.y = y + radius + caption.height + 12 * scale;
    lettering_draw(degrade->mask, degrade_size(degrade), &caption);
}

enum pf_status degrade_mark(struct degrade *degrade, struct pf_error *err)
{
    (void)err;
    static void (*const layouts[])(struct degrade *, const char *) = {
        draw_tiles, draw_across, draw_badge};
    const char *text = texts[random_below(degrade->random, COUNT_OF(texts))];
    const float *colour = colours[random_below(degrade->random, COUNT_OF(colours))];
    float opacity = random_range(degrade->random, 0.35f, 0.65f);
    layouts[random_below(degrade->random, COUNT_OF(layouts))](degrade, text);
    for (size_t i = 0; i < canvas_area(degrade->image); i++)
        degrade_cover(degrade, i, colour, opacity * degrade->mask[i]);
    return PF_OK;
}
