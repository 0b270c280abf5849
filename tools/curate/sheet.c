/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/image/resample.h"
#include "tools/curate/text_mark.h"
#include "tools/data/ppm.h"
#include "tools/data/shards.h"

enum {
    LINE = 14,
    GAP = 6,
    CELL_WIDTH = 2 * SHEET_SIDE + GAP,
    CELL_HEIGHT = SHEET_SIDE + 2 * LINE + GAP
};

static enum pf_status put_picture(
    struct image *sheet, const struct image *picture, int left, int top, struct pf_error *err)
{
    size_t area = (size_t)sheet->width * (size_t)sheet->height;
    size_t from = (size_t)picture->width * (size_t)picture->height;
    AUTO_FREE float *small = malloc((size_t)SHEET_SIDE * SHEET_SIDE * sizeof *small);
    if (!small)
        return pf_fail(err, PF_NOMEM, "no memory for a sheet");
    for (size_t c = 0; c < 3; c++) {
        PF_TRY(image_resample(picture->rgb + c * from, picture->width, picture->height, small,
            SHEET_SIDE, SHEET_SIDE, err));
        for (int y = 0; y < SHEET_SIDE; y++)
            memcpy(sheet->rgb + c * area + (size_t)(top + y) * (size_t)sheet->width + (size_t)left,
                small + y * SHEET_SIDE, SHEET_SIDE * sizeof *small);
    }
    return PF_OK;
}

static enum pf_status put_text(
    struct image *sheet, const char *text, int left, int top, struct pf_error *err)
{
    size_t area = (size_t)sheet->width * (size_t)sheet->height;
    AUTO_FREE float *plane = NULL;
    int width, height;
    char plain[80];
    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++)
        *c = *c == '<' || *c == '&' || (*c & 0x80) ? '+' : *c;
    PF_TRY(text_mark_render(plain, 0, LINE - 3, &plane, &width, &height, err));
    for (int y = 0; y < height && y < LINE; y++)
        for (int x = 0; x < width && x < CELL_WIDTH; x++)
            for (size_t c = 0; c < 3; c++)
                sheet->rgb[c * area + (size_t)(top + y) * (size_t)sheet->width +
                           (size_t)(left + x)] = 1.0f - plane[y * width + x];
    return PF_OK;
}

static enum pf_status put_pair(
    struct image *sheet, const struct shards *shards, size_t index, struct pf_error *err)
{
    struct sample sample = {0};
    int left = GAP + (int)(index % SHEET_COLUMNS) * (CELL_WIDTH + 2 * GAP);
    int top = GAP + (int)(index / SHEET_COLUMNS) * CELL_HEIGHT;
    PF_TRY(shards_read(shards, index, &sample, err));
    char title[400];
    snprintf(title, sizeof title, "%s %s. %s", sample.key, sample.task, sample.auxiliary);
    enum pf_status status = put_text(sheet, title, left, top, err);
    if (status == PF_OK && sample.instruction[0])
        status = put_text(sheet, sample.instruction, left, top + LINE, err);
    if (status == PF_OK)
        status = put_picture(sheet, &sample.input, left, top + 2 * LINE, err);
    if (status == PF_OK)
        status = put_picture(sheet, &sample.target, left + SHEET_SIDE + 2, top + 2 * LINE, err);
    sample_finish(&sample);
    return status;
}

static enum pf_status save(const struct image *sheet, const char *file, struct pf_error *err)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    size_t length = strlen(file);
    if (length > 4 && !strcmp(file + length - 4, ".ppm"))
        PF_TRY(ppm_encode(sheet, NULL, &bytes, err));
    else
        PF_TRY(image_encode(sheet, IMAGE_FORMAT_PNG, 100, &bytes, err));
    return file_write(file, bytes.data, bytes.size, 0644, 0, err);
}

enum pf_status sheet_write(const char *shards_path, const char *file, struct pf_error *err)
{
    struct shards *shards;
    PF_TRY(shards_open(&shards, shards_path, err));
    size_t count = shards_count(shards) < SHEET_PAIRS ? shards_count(shards) : SHEET_PAIRS;
    int rows = (int)(count + SHEET_COLUMNS - 1) / SHEET_COLUMNS;
    struct image sheet = {
        SHEET_COLUMNS * (CELL_WIDTH + 2 * GAP), GAP + rows * CELL_HEIGHT, NULL, NULL};
    size_t values = 3 * (size_t)sheet.width * (size_t)sheet.height;
    sheet.rgb = malloc(values * sizeof *sheet.rgb);
    enum pf_status status = sheet.rgb ? PF_OK : pf_fail(err, PF_NOMEM, "no memory for a sheet");
    for (size_t i = 0; status == PF_OK && i < values; i++)
        sheet.rgb[i] = 1.0f;
    for (size_t i = 0; status == PF_OK && i < count; i++)
        status = put_pair(&sheet, shards, i, err);
    if (status == PF_OK)
        status = save(&sheet, file, err);
    image_finish(&sheet);
    shards_close(shards);
    return status;
}
