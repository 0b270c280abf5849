/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/jdoc.h"

void jdoc_put(struct buffer *out, const struct jdoc_value *value)
{
    const struct jdoc_value *child;
    switch (value->type) {
    case JDOC_NULL:
        buffer_put_text(out, "null");
        break;
    case JDOC_FALSE:
        buffer_put_text(out, "false");
        break;
    case JDOC_TRUE:
        buffer_put_text(out, "true");
        break;
    case JDOC_NUMBER:
        if (value->is_integer)
            buffer_put_format(out, "%" PRId64, value->integer);
        else
            buffer_put_json_number(out, value->number);
        break;
    case JDOC_STRING:
        buffer_put_json_string(out, value->string, value->size);
        break;
    case JDOC_ARRAY:
    case JDOC_OBJECT:
        buffer_put_text(out, value->type == JDOC_ARRAY ? "[" : "{");
        for (child = value->first; child; child = child->next) {
            if (child->key) {
                buffer_put_json_string(out, child->key, child->key_size);
                buffer_put_text(out, ":");
            }
            jdoc_put(out, child);
            buffer_put_text(out, child->next ? "," : "");
        }
        buffer_put_text(out, value->type == JDOC_ARRAY ? "]" : "}");
        break;
    }
}
