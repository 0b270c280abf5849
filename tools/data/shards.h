/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_DATA_SHARDS_H
#define TOOLS_DATA_SHARDS_H

/* Training and evaluation pairs on disk: WebDataset tar shards. Files of a sample share their name
 * up to the first dot and lie next to each other:
 *
 *     000017.input.png  000017.target.png  [000017.mask.png]  000017.json
 *
 * Pictures are png, jpg or (readable by a build without libvips) binary ppm. The mask is white
 * where the picture is to be changed. Fields of the JSON: */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/image/image.h"

enum {
    SHARDS_FILES_MAX = 65536,          /* tar files in one set */
    SHARDS_ENTRY_BYTES_MAX = 64 << 20, /* of one picture or JSON */
    SHARDS_TEXT_MAX = 2000,            /* bytes of an instruction or auxiliary prompt */
};

struct sample {
    char *key;           /* "000017" */
    char *task;          /* "dehaze", … as tasks.h names them; "combined"; "" when unknown */
    char *instruction;   /* "" in blind mode */
    char *auxiliary;     /* "" for none */
    char *source;        /* name of the photo it was made from, or "" */
    int is_told;         /* the next two are known: the JSON lists them, or `task` is one task */
    unsigned asked;      /* what the instruction asks for: bit 1 << enum task each */
    unsigned defects;    /* what is wrong with the input; "degradations" in the JSON */
    struct image input;  /* pixels in [0,1], planar RGB */
    struct image target; /* of the input's size */
    float *mask;         /* [height,width] in [0,1], or NULL */
};

/* Frees what the sample holds; a zeroed one too. */
void sample_finish(struct sample *sample);

struct shards;

/* Indexes all samples of a set without reading their pictures. `path` is one .tar, or a folder
 * whose
 * *.tar are taken in the order of their names. Errors: NOT_FOUND, CORRUPT (names file and offset),
 * IO. A sample without input, target or json is CORRUPT. */
PF_MUST_CHECK enum pf_status shards_open(
    struct shards **ret_shards, const char *path, struct pf_error *err);
void shards_close(struct shards *shards);
size_t shards_count(const struct shards *shards);

/* Reads and decodes a sample. Safe from several threads at once. */
PF_MUST_CHECK enum pf_status shards_read(
    const struct shards *shards, size_t index, struct sample *ret_sample, struct pf_error *err);

/* The same without its pictures: key, task and texts. */
PF_MUST_CHECK enum pf_status shards_read_texts(
    const struct shards *shards, size_t index, struct sample *ret_sample, struct pf_error *err);

/* The bytes of one file of a sample as they lie in the (mapped) shard: "input", "target", "mask" or
 * "json"; NULL when it has none. */
const unsigned char *shards_file(
    const struct shards *shards, size_t index, const char *part, size_t *ret_size);

#endif
