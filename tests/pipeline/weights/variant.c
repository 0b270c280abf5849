/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/weights/variant.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/weights/checkpoint_write.h"
#include "pipeline/weights/layout.h"
#include "pipeline/weights/random_model.h"
#include "tests/pipeline/weights/folder.h"

enum { ZEROS = 1 << 20 };

struct writing {
    struct checkpoint_writer *writer;
    const struct variant *variant;
    size_t bytes;
};

struct model_sizes variant_sizes(void)
{
    struct pf_error err = PF_ERROR_INIT;
    struct model_sizes sizes;
    assert_ok(random_model_preset("tiny", &sizes, &err), &err);
    sizes.unet.level_count = sizes.vae.level_count = 2;
    sizes.unet.attention[1] = 0;
    sizes.unet.res_blocks[0] = 1;
    sizes.clip.vocabulary = 100;
    sizes.clip.layers = 1;
    assert_ok(random_model_complete(&sizes, &err), &err);
    return sizes;
}

static int is_dropped(const char *name, const char *drop)
{
    size_t size = drop ? strlen(drop) : 0;
    if (size > 0 && drop[size - 1] == '*')
        return strncmp(name, drop, size - 1) == 0;
    return drop && strcmp(name, drop) == 0;
}

static enum pf_status declare(
    void *context, const struct layout_tensor *tensor, struct pf_error *err)
{
    static const int64_t other[] = {1, 2};
    struct writing *writing = context;
    const struct variant *variant = writing->variant;
    const int64_t *dims = tensor->dims;
    int dim_count = tensor->dim_count;
    enum dtype dtype = DTYPE_F16;
    if (is_dropped(tensor->name, variant->drop))
        return PF_OK;
    if (variant->reshape && strcmp(variant->reshape, tensor->name) == 0) {
        dims = other;
        dim_count = 2;
    }
    if (variant->retype && strcmp(variant->retype, tensor->name) == 0)
        dtype = DTYPE_I64;
    size_t bytes = dtype_size(dtype);
    for (int i = 0; i < dim_count; i++)
        bytes *= (size_t)dims[i];
    writing->bytes += bytes;
    return checkpoint_writer_add(writing->writer, tensor->name, dtype, dims, dim_count, err);
}

static void write_variant(struct writing *writing, const struct model_sizes *sizes)
{
    struct pf_error err = PF_ERROR_INIT;
    struct layout_visitor visitor = {declare, writing};
    AUTO_FREE void *zeros = calloc(1, ZEROS);
    assert_non_null(zeros);
    for (int i = 0; writing->variant->metadata[i]; i += 2)
        assert_ok(checkpoint_writer_add_metadata(writing->writer, writing->variant->metadata[i],
                      writing->variant->metadata[i + 1], &err),
            &err);
    assert_ok(layout_visit(sizes, &visitor, &err), &err);
    for (int i = 0; writing->variant->extra && writing->variant->extra[i]; i++) {
        assert_ok(checkpoint_writer_add(writing->writer, writing->variant->extra[i], DTYPE_F32,
                      (int64_t[]){1}, 1, &err),
            &err);
        writing->bytes += 4;
    }
    while (writing->bytes > 0) {
        size_t piece = writing->bytes < ZEROS ? writing->bytes : ZEROS;
        assert_ok(checkpoint_writer_put(writing->writer, zeros, piece, &err), &err);
        writing->bytes -= piece;
    }
    assert_ok(checkpoint_writer_finish(writing->writer, 0, &err), &err);
}

struct checkpoint *variant_open(const struct model_sizes *sizes, const struct variant *variant)
{
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *checkpoint = NULL;
    struct writing writing = {.variant = variant};
    char path[FOLDER_PATH_MAX];
    folder_path("variant", path);
    assert_ok(checkpoint_writer_create(&writing.writer, path, CHECKPOINT_SAFETENSORS, &err), &err);
    write_variant(&writing, sizes);
    checkpoint_writer_destroy(writing.writer);
    assert_ok(checkpoint_open(&checkpoint, path, &err), &err);
    folder_unlink("variant");
    return checkpoint;
}
