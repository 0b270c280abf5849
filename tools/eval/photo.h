/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_PHOTO_H
#define TOOLS_EVAL_PHOTO_H

/* The clean photos of folders, and the pairs made of them. */

#include "tools/data/shards.h"
#include "tools/data/tasks.h"

enum { PHOTOS_MAX = 4096 };

struct photos {
    char **paths; /* sorted by name within each folder; owned */
    size_t count;
    size_t limit; /* 0: all are used */
};

/* Adds the image files (png, jpg, jpeg, webp, ppm, safetensors) of a folder.
 * PF_NOT_FOUND, PF_IO; PF_INVALID over PHOTOS_MAX. */
PF_MUST_CHECK enum pf_status photos_add(
    struct photos *photos, const char *folder, struct pf_error *err);
/* How many are used, and the index of the one in turn: `limit` of them, spread evenly. */
size_t photos_used(const struct photos *photos);
size_t photos_index(const struct photos *photos, size_t turn);

/* The clean square of photo `index`, and that of the one behind it, of all photos: what a pasted
 * object is covered with doesn't depend on the limit. The caller finishes both, also on failure. */
PF_MUST_CHECK enum pf_status photos_read(const struct photos *photos, size_t index, int size,
    struct image *ret_clean, struct image *ret_other, struct pf_error *err);

void photos_finish(struct photos *photos);

/* The file's name, without folder. */
const char *photo_name(const char *path);

/* Bytes of a file's name without its ending. */
size_t photo_stem(const char *name);

/* Reads one as a square of `size` pixels (canvas_square()). */
PF_MUST_CHECK enum pf_status photo_read(
    const char *path, int size, struct image *ret_image, struct pf_error *err);

/* Reads one as it is. */
PF_MUST_CHECK enum pf_status photo_read_whole(
    const char *path, struct image *ret_image, struct pf_error *err);

/* Spoils a clean photo as the tasks' trials do, one after the other, and rounds to 8 bits. All of
 * it follows from the seed, the name and the tasks. The sample has the mask of the local tasks
 * among them (NULL without), no instruction, and the defects as its auxiliary prompt.
 *   other   another photo, or NULL */
struct photo_recipe {
    const char *name;
    const struct image *clean, *other;
    uint64_t seed;
    const enum task *tasks;
    size_t task_count; /* at least 1 */
};
PF_MUST_CHECK enum pf_status photo_spoil(
    const struct photo_recipe *recipe, struct sample *ret_sample, struct pf_error *err);

#endif
