/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_DATA_SHARDS_WRITE_H
#define TOOLS_DATA_SHARDS_WRITE_H

/* Writes a set of shards: FOLDER/000000.tar, 000001.tar, … of `per_shard` samples each. A shard
 * appears under its name when it is whole, so a reader of an unfinished set sees only whole ones.
 */

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "pipeline/image/image.h"

enum picture_format { PICTURE_PNG, PICTURE_JPEG, PICTURE_PPM };

/* "png", "jpeg", "ppm"; -1 for any other name. */
int picture_format_find(const char *name);

/* Appends a sample's files, tar headers and all, to `out`: what shards_writer_put() takes. Pure,
 * so that many processes can do it and one write. `mask` [height,width] in [0,1] or NULL; `json`
 * the text of its object. */
PF_MUST_CHECK enum pf_status sample_pack(struct buffer *out, const char *key,
    const struct image *input, const struct image *target, const float *mask, const char *json,
    enum picture_format format, int quality, struct pf_error *err);

struct shards_writer;

/* The folder must be there. */
PF_MUST_CHECK enum pf_status shards_writer_open(
    struct shards_writer **ret_writer, const char *folder, size_t per_shard, struct pf_error *err);

/* Appends a packed sample. IO: the writer is of no use afterwards. */
PF_MUST_CHECK enum pf_status shards_writer_put(
    struct shards_writer *writer, const void *packed, size_t count, struct pf_error *err);

/* Ends the last shard. */
PF_MUST_CHECK enum pf_status shards_writer_finish(
    struct shards_writer *writer, struct pf_error *err);

/* Frees; an unfinished shard is removed. */
void shards_writer_close(struct shards_writer *writer);

#endif
