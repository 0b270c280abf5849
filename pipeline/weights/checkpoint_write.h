/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PIPELINE_WEIGHTS_CHECKPOINT_WRITE_H
#define PIPELINE_WEIGHTS_CHECKPOINT_WRITE_H

/* Writes checkpoints of any size as a stream: declare all arrays, then hand over their bytes in the
 * same order. The file appears under its name only when it is whole.
 *
 *     checkpoint_writer_create(&writer, path, CHECKPOINT_SAFETENSORS, err)
 *     checkpoint_writer_add_metadata(writer, "format", "pt", err)
 *     checkpoint_writer_add(writer, "a.weight", DTYPE_F32, dims, 2, err)     … all arrays
 *     checkpoint_writer_put(writer, bytes, count, err)                       … all bytes
 *     checkpoint_writer_finish(writer, durable, err)
 *     checkpoint_writer_destroy(writer)
 *
 * Formats: safetensors; or what torch.save({"state_dict": {…}}) writes (zip, pickle protocol 2),
 * which torch.load reads. Little-endian, row-major, contiguous. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "pipeline/weights/checkpoint.h"

struct checkpoint_writer;

/* Opens a temporary file beside `path`. PF_IO, PF_NOT_FOUND (no such folder). */
PF_MUST_CHECK enum pf_status checkpoint_writer_create(struct checkpoint_writer **ret_writer,
    const char *path, enum checkpoint_format format, struct pf_error *err);

/* Removes the temporary file of a writer that didn't finish. */
void checkpoint_writer_destroy(struct checkpoint_writer *writer);

/* Only before the first put. PF_CORRUPT a name that is taken or no text; PF_INVALID a bad shape, or
 * called too late; PF_UNSUPPORTED metadata in a torch zip, which has no place for it. */
PF_MUST_CHECK enum pf_status checkpoint_writer_add(struct checkpoint_writer *writer,
    const char *name, enum dtype dtype, const int64_t *dims, int dim_count, struct pf_error *err);
PF_MUST_CHECK enum pf_status checkpoint_writer_add_metadata(
    struct checkpoint_writer *writer, const char *key, const char *value, struct pf_error *err);

/* The next bytes of the data; a piece may end anywhere, also span arrays. PF_INVALID beyond the
 * last array; PF_IO. */
PF_MUST_CHECK enum pf_status checkpoint_writer_put(
    struct checkpoint_writer *writer, const void *bytes, size_t count, struct pf_error *err);

/* Completes the file and renames it to its path; with `durable` it is on disk when this returns.
 * PF_INVALID when bytes are missing (named); PF_IO. The writer can only be destroyed afterwards. */
PF_MUST_CHECK enum pf_status checkpoint_writer_finish(
    struct checkpoint_writer *writer, int durable, struct pf_error *err);

#endif
