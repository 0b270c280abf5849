/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/submit_form.h"

#include <stdio.h>
#include <string.h>

static void put_field(struct submit_form *form, const char *name, const char *text)
{
    form->fields[form->count++] =
        (struct client_field){.name = name, .bytes = text, .size = strlen(text)};
}

static void put_param(
    struct submit_form *form, const struct params *params, const struct param_field *field)
{
    char *text = form->text + form->text_size;
    size_t room = sizeof form->text - form->text_size;
    int used = field->type == PARAM_CHOICE
                   ? snprintf(text, room, "%s", params_choice_name(params, field))
                   : snprintf(text, room, "%.17g", params_get(params, field));
    form->text_size += (size_t)used + 1;
    put_field(form, field->name, text);
}

/* Name and value of each, with their sizes, so that no two lists look alike. */
static void hash_form(struct submit_form *form)
{
    struct sha256 sha;
    unsigned char digest[SHA256_SIZE];
    sha256_init(&sha);
    for (size_t i = 0; i < form->count; i++) {
        const struct client_field *field = &form->fields[i];
        char head[64];
        int size = snprintf(head, sizeof head, "%s %zu\n", field->name, field->size);
        sha256_update(&sha, head, (size_t)size);
        sha256_update(&sha, field->bytes, field->size);
    }
    sha256_finish(&sha, digest);
    sha256_hex(digest, form->hash);
}

void submit_form_make(struct submit_form *form, const struct item *item, const struct buffer *image,
    const struct buffer *mask)
{
    const struct request *request = item->request;
    struct params params = request->params;
    form->count = form->text_size = 0;
    params.output_format = item->format;
    params.set |= UINT64_C(1) << (params_find("output_format") - params_fields);
    put_field(form, "instruction", request->instruction);
    put_field(form, "auxiliary", request->auxiliary);
    put_field(form, "priority", request->priority);
    if (*request->auxiliary_prompt)
        put_field(form, "auxiliary_prompt", request->auxiliary_prompt);
    if (*request->metadata)
        put_field(form, "metadata", request->metadata);
    if (*request->webhook_url)
        put_field(form, "webhook_url", request->webhook_url);
    for (size_t i = 0; i < params_field_count; i++)
        if (params.set & UINT64_C(1) << i)
            put_param(form, &params, &params_fields[i]);
    if (mask->size > 0)
        form->fields[form->count++] = (struct client_field){"mask", mask->data, mask->size, "mask"};
    form->fields[form->count++] = (struct client_field){"image", image->data, image->size, "image"};
    hash_form(form);
}
