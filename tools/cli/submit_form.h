/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_SUBMIT_FORM_H
#define TOOLS_CLI_SUBMIT_FORM_H

/* The form that POST /v1/jobs gets for an image. */

#include "base/buffer.h"
#include "base/sha256.h"
#include "tools/cli/client.h"
#include "tools/cli/items.h"

enum { SUBMIT_FIELDS_MAX = 40, SUBMIT_TEXT_MAX = 4096 };

struct submit_form {
    struct client_field fields[SUBMIT_FIELDS_MAX];
    size_t count;
    char text[SUBMIT_TEXT_MAX]; /* the parameters' values */
    size_t text_size;
    char hash[SHA256_HEX_SIZE]; /* of all fields: forms with the same hash are the same request */
};

/* Fills the form in place (it points into itself); `item`, `image` and `mask` (may be empty) are
 * borrowed. What the caller set is sent, and the format of the result always. */
void submit_form_make(struct submit_form *form, const struct item *item, const struct buffer *image,
    const struct buffer *mask);

#endif
