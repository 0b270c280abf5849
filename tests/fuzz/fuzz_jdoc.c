/* SPDX-License-Identifier: Apache-2.0 */
/* JSON reader: whatever parses has consistent links and sizes, and every member of an object is
 * found under its key; the same text is then tried as job parameters. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/jdoc.h"
#include "base/params.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check_value(const struct jdoc_value *value, int depth)
{
    require(depth <= JDOC_DEPTH_MAX);
    if (value->type == JDOC_STRING)
        require(utf8_is_valid(value->string, value->size, NULL) && value->string[value->size] == 0);
    if (value->type != JDOC_ARRAY && value->type != JDOC_OBJECT)
        return;
    size_t count = 0;
    for (const struct jdoc_value *child = value->first; child; child = child->next, count++) {
        require((child->key != NULL) == (value->type == JDOC_OBJECT));
        if (child->key && strlen(child->key) == child->key_size)
            require(jdoc_get(value, child->key) == child);
        check_value(child, depth + 1);
    }
    require(count == value->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jdoc *doc = NULL;
    if (jdoc_parse(&doc, (const char *)data, size, &err) == PF_OK) {
        check_value(jdoc_root(doc), 0);
        jdoc_destroy(doc);
    } else {
        require(doc == NULL && err.message[0] != '\0');
    }
    struct params params;
    params_init(&params);
    err = (struct pf_error)PF_ERROR_INIT;
    if (params_set_json(&params, (const char *)data, size, &err) == PF_OK)
        for (size_t i = 0; i < params_field_count; i++)
            require(params_get(&params, &params_fields[i]) >= params_fields[i].min &&
                    params_get(&params, &params_fields[i]) <= params_fields[i].max);
    return 0;
}
