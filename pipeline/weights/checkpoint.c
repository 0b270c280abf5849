/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/weights/checkpoint.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "pipeline/weights/array_table.h"
#include "pipeline/weights/safetensors.h"
#include "pipeline/weights/torch_zip.h"

struct checkpoint {
    struct file_map map;
    enum checkpoint_format format;
    struct array_table table;
};

/* Only zip begins with "PK"; byte 8 of a safetensors file is its header's brace. */
static enum pf_status read_content(struct checkpoint *checkpoint, struct pf_error *err)
{
    const unsigned char *data = checkpoint->map.data;
    size_t size = checkpoint->map.size;
    static const char lfs[] = "version https://git-lfs";
    if (size == 0)
        return pf_fail(err, PF_CORRUPT, "the file is empty");
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0) {
        checkpoint->format = CHECKPOINT_TORCH_ZIP;
        return torch_zip_read(data, size, &checkpoint->table, err);
    }
    if (size > SAFETENSORS_PREFIX_SIZE && data[SAFETENSORS_PREFIX_SIZE] == '{') {
        checkpoint->format = CHECKPOINT_SAFETENSORS;
        return safetensors_read(data, size, &checkpoint->table, err);
    }
    if (data[0] == 0x80 && size > 1 && data[1] <= 5)
        return pf_fail(err, PF_UNSUPPORTED,
            "a PyTorch file of the old format (a bare pickle, before PyTorch 1.6): load it with "
            "torch.load and write it again with torch.save, or as safetensors");
    if (size >= sizeof lfs - 1 && memcmp(data, lfs, sizeof lfs - 1) == 0)
        return pf_fail(err, PF_CORRUPT,
            "a Git LFS pointer of %zu bytes stands in for the file: run git lfs pull", size);
    return pf_fail(err, PF_CORRUPT, "neither safetensors nor a PyTorch zip file (%zu bytes)", size);
}

enum pf_status checkpoint_open(
    struct checkpoint **ret_checkpoint, const char *path, struct pf_error *err)
{
    struct checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint)
        return pf_fail(err, PF_NOMEM, "no memory for a checkpoint");
    array_table_init(&checkpoint->table);
    struct pf_error why = PF_ERROR_INIT;
    enum pf_status status = file_map_open(&checkpoint->map, path, err);
    if (status == PF_OK && read_content(checkpoint, &why) != PF_OK)
        status = pf_fail(err, why.status, "%.200s: %s", path, why.message);
    if (status != PF_OK) {
        checkpoint_close(checkpoint);
        return status;
    }
    *ret_checkpoint = checkpoint;
    return PF_OK;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    array_table_finish(&checkpoint->table);
    file_map_close(&checkpoint->map);
    free(checkpoint);
}

enum checkpoint_format checkpoint_format(const struct checkpoint *checkpoint)
{
    return checkpoint->format;
}

size_t checkpoint_file_size(const struct checkpoint *checkpoint)
{
    return checkpoint->map.size;
}

size_t checkpoint_array_count(const struct checkpoint *checkpoint)
{
    return checkpoint->table.count;
}

const struct array *checkpoint_array_at(const struct checkpoint *checkpoint, size_t index)
{
    return &checkpoint->table.arrays[index];
}

const struct array *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
    return array_table_find(&checkpoint->table, name);
}

size_t checkpoint_skipped_count(const struct checkpoint *checkpoint)
{
    return checkpoint->table.skipped_count;
}

const char *checkpoint_metadata(const struct checkpoint *checkpoint, const char *key)
{
    for (size_t i = 0; i < checkpoint->table.pair_count; i++) {
        if (strcmp(checkpoint->table.pairs[i].key, key) == 0)
            return checkpoint->table.pairs[i].value;
    }
    return NULL;
}

size_t checkpoint_metadata_count(const struct checkpoint *checkpoint)
{
    return checkpoint->table.pair_count;
}

void checkpoint_metadata_at(
    const struct checkpoint *checkpoint, size_t index, const char **ret_key, const char **ret_value)
{
    *ret_key = checkpoint->table.pairs[index].key;
    *ret_value = checkpoint->table.pairs[index].value;
}

void checkpoint_release(const struct checkpoint *checkpoint, const struct array *array)
{
    (void)checkpoint;
    if (array->element_count == 0)
        return;
    int64_t last = 0; /* checked to fit when the file was read */
    for (int i = 0; i < array->dim_count; i++)
        last += (array->dims[i] - 1) * array->strides[i];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)array->data;
    uintptr_t end = begin + ((uintptr_t)last + 1) * dtype_size(array->dtype);
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    /* pages shared with a neighbour stay; dropping is advice, a failure costs memory only */
    if (begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
