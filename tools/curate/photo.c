/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/photo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "pipeline/image/resample.h"
#include "tools/data/ppm.h"

static const struct image_limits limits = {200 * 1000 * 1000, 65535};

enum { BINS = 1 << 15, GRADIENT_BINS = 64 };

static int quantize(float value, int levels)
{
    int level = (int)(value * (float)levels);
    return level < 0 ? 0 : level >= levels ? levels - 1 : level;
}

static double count_colours(const struct image *image, size_t area)
{
    unsigned char *seen = calloc(BINS, 1);
    int count = 0;
    for (size_t i = 0; seen && i < area; i++) {
        int bin = quantize(image->rgb[i], 32) << 10 | quantize(image->rgb[area + i], 32) << 5 |
                  quantize(image->rgb[2 * area + i], 32);
        count += !seen[bin];
        seen[bin] = 1;
    }
    free(seen);
    return count;
}

void photo_measure(const struct image *image, struct photo_traits *ret_traits)
{
    int width = image->width, height = image->height;
    size_t area = (size_t)width * (size_t)height, flat = 0, bins[GRADIENT_BINS] = {0}, looked = 0;
    const float *green = image->rgb + area;
    double chroma = 0.0, entropy = 0.0;
    for (int y = 0; y + 1 < height; y++)
        for (int x = 0; x + 1 < width; x++) {
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            float dx = fabsf(green[i + 1] - green[i]),
                  dy = fabsf(green[i + (size_t)width] - green[i]);
            flat += dx < 0.002f && dy < 0.002f;
            bins[quantize(sqrtf(dx + dy), GRADIENT_BINS)]++;
            looked++;
            float r = image->rgb[i], g = green[i], b = image->rgb[2 * area + i];
            chroma += (double)(fmaxf(r, fmaxf(g, b)) - fminf(r, fminf(g, b)));
        }
    for (int i = 0; i < GRADIENT_BINS; i++)
        if (bins[i])
            entropy -= (double)bins[i] / (double)looked * log2((double)bins[i] / (double)looked);
    ret_traits->colours = count_colours(image, area);
    ret_traits->flat = (double)flat / (double)(looked ? looked : 1);
    ret_traits->entropy = entropy;
    ret_traits->chroma = chroma / (double)(looked ? looked : 1);
}

const char *photo_objection(const struct photo_traits *traits, int side, int is_known)
{
    int shorter = traits->width < traits->height ? traits->width : traits->height;
    if (traits->width == 0)
        return "can't be decoded";
    if (shorter < side)
        return "too small";
    if (traits->width > 6 * traits->height || traits->height > 6 * traits->width)
        return "too long";
    if (is_known)
        return NULL;
    if (traits->colours < 150.0)
        return "few colours";
    if (traits->flat > 0.45)
        return "large flat areas";
    if (traits->entropy < 2.6)
        return "few kinds of edges";
    return NULL;
}

static enum pf_status reduce(
    const struct image *image, struct image *ret_reduced, struct pf_error *err)
{
    int shorter = image->width < image->height ? image->width : image->height;
    double scale = shorter > PHOTO_SIDE_KEPT ? (double)PHOTO_SIDE_KEPT / shorter : 1.0;
    int width = (int)lround(image->width * scale), height = (int)lround(image->height * scale);
    size_t from = (size_t)image->width * (size_t)image->height, to = (size_t)width * (size_t)height;
    float *rgb = malloc(3 * to * sizeof *rgb);
    if (!rgb)
        return pf_fail(err, PF_NOMEM, "no memory for %d×%d", width, height);
    *ret_reduced = (struct image){width, height, rgb, NULL};
    for (size_t c = 0; c < 3; c++)
        PF_TRY(image_resample(
            image->rgb + c * from, image->width, image->height, rgb + c * to, width, height, err));
    return PF_OK;
}

static enum pf_status write_cached(const char *cached, const struct image *image,
    const struct photo_traits *traits, struct pf_error *err)
{
    char comment[200];
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    snprintf(comment, sizeof comment, "%d %d %.0f %.4f %.4f %.4f", traits->width, traits->height,
        traits->colours, traits->flat, traits->entropy, traits->chroma);
    PF_TRY(ppm_encode(image, comment, &bytes, err));
    return file_write(cached, bytes.data, bytes.size, 0644, 0, err);
}

enum pf_status photo_cache(const char *path, const char *cached, int side, struct pf_error *err)
{
    static float grey[3] = {0.5f, 0.5f, 0.5f};
    const struct image nothing = {1, 1, grey, NULL};
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    struct photo_traits traits = {0};
    struct image image = IMAGE_INIT, reduced = IMAGE_INIT;
    PF_TRY(file_read(path, PHOTO_FILE_MAX, &bytes, err));
    enum pf_status status = picture_decode(bytes.data, bytes.size, &limits, &image, NULL);
    if (status == PF_NOMEM)
        return pf_fail(err, status, "%s: no memory to decode", path);
    if (status != PF_OK)
        return write_cached(cached, &nothing, &traits, err);
    traits.width = image.width;
    traits.height = image.height;
    if (image.width < side || image.height < side) {
        status = write_cached(cached, &nothing, &traits, err);
    } else {
        status = reduce(&image, &reduced, err);
        if (status == PF_OK) {
            photo_measure(&reduced, &traits);
            status = write_cached(cached, &reduced, &traits, err);
        }
    }
    image_finish(&reduced);
    image_finish(&image);
    return status;
}

enum pf_status photo_read_traits(
    const char *cached, struct photo_traits *ret_traits, struct pf_error *err)
{
    FILE *file = fopen(cached, "rb");
    if (!file)
        return pf_fail(err, PF_NOT_FOUND, "%s: not cached", cached);
    int count = fscanf(file, "P6\n# %d %d %lf %lf %lf %lf", &ret_traits->width, &ret_traits->height,
        &ret_traits->colours, &ret_traits->flat, &ret_traits->entropy, &ret_traits->chroma);
    fclose(file);
    return count == 6 ? PF_OK : pf_fail(err, PF_CORRUPT, "%s: no cached photo", cached);
}

/* The region's pixels, mirrored on the way when asked. */
static void cut(const struct file_map *map, const struct ppm_header *header, int left, int top,
    int region, int is_flipped, float *rgb)
{
    size_t area = (size_t)region * (size_t)region;
    for (int y = 0; y < region; y++)
        for (int x = 0; x < region; x++) {
            int from_x = left + (is_flipped ? region - 1 - x : x);
            const unsigned char *from =
                map->data + header->offset +
                3 * ((size_t)(top + y) * (size_t)header->width + (size_t)from_x);
            for (size_t c = 0; c < 3; c++)
                rgb[c * area + (size_t)y * (size_t)region + (size_t)x] = (float)from[c] / 255.0f;
        }
}

enum pf_status photo_crop(
    const char *cached, int side, struct rng *rng, float *ret_rgb, struct pf_error *err)
{
    struct file_map map;
    struct ppm_header header;
    PF_TRY(file_map_open(&map, cached, err));
    enum pf_status status = ppm_read_header(map.data, map.size, &limits, &header, err);
    if (status != PF_OK) {
        file_map_close(&map);
        return status;
    }
    int shorter = header.width < header.height ? header.width : header.height;
    double scaled = shorter > side ? rng_log_range(rng, side, shorter) : shorter;
    int region = (int)fmin(round(side * (shorter / scaled)), shorter);
    int left = rng_below(rng, header.width - region + 1);
    int top = rng_below(rng, header.height - region + 1);
    int is_flipped = rng_chance(rng, 0.5);
    size_t from = (size_t)region * (size_t)region, to = (size_t)side * (size_t)side;
    AUTO_FREE float *rgb = malloc(3 * from * sizeof *rgb);
    if (!rgb)
        status = pf_fail(err, PF_NOMEM, "no memory for a crop of %d×%d", region, region);
    else
        cut(&map, &header, left, top, region, is_flipped, rgb);
    for (size_t c = 0; status == PF_OK && c < 3; c++)
        status = image_resample(rgb + c * from, region, region, ret_rgb + c * to, side, side, err);
    for (size_t i = 0; status == PF_OK && i < 3 * to; i++)
        ret_rgb[i] = ret_rgb[i] < 0.0f ? 0.0f : ret_rgb[i] > 1.0f ? 1.0f : ret_rgb[i];
    file_map_close(&map);
    return status;
}
