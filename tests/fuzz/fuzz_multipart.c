/* SPDX-License-Identifier: Apache-2.0 */
/* The form parser as the server drives it. The first line is the Content-Type header, the second
 * byte behind it the size of the pieces the rest comes in; and the same body in one piece must give
 * the same parts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct multipart_limits limits = {
    .max_parts = 4, .max_text_bytes = 64, .max_file_bytes = 256};

/* NULL when the header is refused; *ret_status is the body's. */
static struct multipart *parse(
    const char *type, const char *bytes, size_t count, size_t step, enum pf_status *ret_status)
{
    struct multipart *multipart = NULL;
    if (multipart_create(&multipart, type, &limits, NULL) != PF_OK)
        return NULL;
    enum pf_status status = PF_OK;
    for (size_t at = 0; at < count && status == PF_OK; at += step)
        status = multipart_feed(multipart, bytes + at, count - at < step ? count - at : step, NULL);
    if (status == PF_OK)
        status = multipart_end(multipart, NULL);
    *ret_status = status;
    return multipart;
}

static void compare(const struct multipart *a, const struct multipart *b)
{
    if (multipart_count(a) != multipart_count(b))
        abort();
    for (size_t i = 0; i < multipart_count(a); i++) {
        const struct multipart_part *x = multipart_get(a, i), *y = multipart_get(b, i);
        if (strcmp(x->name, y->name) != 0 || x->is_file != y->is_file ||
            x->data.size != y->data.size || memcmp(x->data.data, y->data.data, x->data.size) != 0)
            abort();
        if (x->data.data[x->data.size] != 0)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = memchr(data, '\n', size);
    if (!newline || newline + 1 == data + size)
        return 0;
    size_t type_size = (size_t)(newline - data);
    char *type = malloc(type_size + 1);
    if (!type)
        return 0;
    memcpy(type, data, type_size);
    type[type_size] = 0;
    const char *body = (const char *)newline + 2;
    size_t body_size = size - type_size - 2;
    enum pf_status first_status, second_status;
    struct multipart *first = parse(type, body, body_size, 1u + newline[1], &first_status);
    if (first) {
        struct multipart *second = parse(type, body, body_size, size, &second_status);
        if (first_status != second_status)
            abort();
        if (first_status == PF_OK)
            compare(first, second);
        multipart_destroy(second);
    }
    multipart_destroy(first);
    free(type);
    return 0;
}
