/* SPDX-License-Identifier: Apache-2.0 */
/* The header, padded with spaces so that the data begins at a multiple of 8; the arrays follow in
 * the order of their declaration. */
#include "base/buffer.h"
#include "pipeline/weights/safetensors.h"
#include "pipeline/weights/writer.h"

#include <string.h>

static void put_metadata(struct buffer *out, const struct array_table *table)
{
    buffer_put_text(out, "\"__metadata__\":{");
    for (size_t i = 0; i < table->pair_count; i++) {
        const struct metadata_pair *pair = &table->pairs[i];
        buffer_put_text(out, i ? "," : "");
        buffer_put_json_string(out, pair->key, strlen(pair->key));
        buffer_put_text(out, ":");
        buffer_put_json_string(out, pair->value, strlen(pair->value));
    }
    buffer_put_text(out, "}");
}

static void put_array(struct buffer *out, const struct array *array, uint64_t begin)
{
    buffer_put_json_string(out, array->name, strlen(array->name));
    buffer_put_format(out, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(array->dtype));
    for (int i = 0; i < array->dim_count; i++)
        buffer_put_format(out, "%s%lld", i ? "," : "", (long long)array->dims[i]);
    buffer_put_format(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)begin,
        (unsigned long long)(begin + writer_array_size(array)));
}

static enum pf_status begin(struct checkpoint_writer *writer, struct pf_error *err)
{
    const struct array_table *table = &writer->table;
    AUTO_BUFFER struct buffer header = BUFFER_INIT_MAX(SAFETENSORS_HEADER_MAX);
    uint64_t at = 0;
    buffer_put_text(&header, "{");
    if (table->pair_count)
        put_metadata(&header, table);
    for (size_t i = 0; i < table->count; i++) {
        buffer_put_text(&header, i || table->pair_count ? "," : "");
        put_array(&header, &table->arrays[i], at);
        at += writer_array_size(&table->arrays[i]);
    }
    buffer_put_text(&header, "}");
    while (header.size % 8 != 0 && header.status == PF_OK)
        buffer_put_text(&header, " ");
    PF_TRY(buffer_status(&header, err));
    unsigned char prefix[SAFETENSORS_PREFIX_SIZE];
    for (int i = 0; i < SAFETENSORS_PREFIX_SIZE; i++)
        prefix[i] = (unsigned char)((uint64_t)header.size >> (8 * i));
    PF_TRY(writer_out(writer, prefix, sizeof prefix, err));
    return writer_out(writer, header.data, header.size, err);
}

const struct writer_format writer_safetensors = {.begin = begin, .has_metadata = 1};
