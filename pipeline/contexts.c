/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/contexts.h"

#include <stdlib.h>
#include <string.h>

struct contexts_entry {
    struct contexts_entry *next;
    struct unet_context *context;
    char *instruction, *auxiliary;
    int users;
};

void contexts_init(struct contexts *contexts, const struct tokenizer *tokenizer,
    const struct clip *clip, const struct unet *unet)
{
    *contexts = (struct contexts){tokenizer, clip, unet, NULL};
}

static void entry_destroy(struct contexts_entry *entry)
{
    if (!entry)
        return;
    unet_context_destroy(entry->context);
    free(entry->instruction);
    free(entry->auxiliary);
    free(entry);
}

void contexts_finish(struct contexts *contexts)
{
    while (contexts->entries) {
        struct contexts_entry *next = contexts->entries->next;
        entry_destroy(contexts->entries);
        contexts->entries = next;
    }
}

/* Drops the least recently used ones that nobody holds, down to CONTEXTS_IDLE_MAX. */
static void trim(struct contexts *contexts)
{
    int idle = 0;
    for (struct contexts_entry **link = &contexts->entries; *link;) {
        struct contexts_entry *entry = *link;
        if (entry->users > 0 || ++idle <= CONTEXTS_IDLE_MAX) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry_destroy(entry);
    }
}

static struct contexts_entry *find(
    struct contexts *contexts, const char *instruction, const char *auxiliary)
{
    for (struct contexts_entry **link = &contexts->entries; *link; link = &(*link)->next) {
        struct contexts_entry *entry = *link;
        if (strcmp(entry->instruction, instruction) != 0 ||
            strcmp(entry->auxiliary, auxiliary) != 0)
            continue;
        *link = entry->next;
        entry->next = contexts->entries;
        contexts->entries = entry;
        return entry;
    }
    return NULL;
}

tensor contexts_encode(const struct contexts *contexts, struct scope *out, const char *text)
{
    int64_t positions = clip_sizes(contexts->clip)->positions;
    int64_t *ids = calloc((size_t)positions, sizeof *ids);
    if (!ids) {
        pf_fail(out->err, PF_NOMEM, "%lld token ids", (long long)positions);
        return NULL;
    }
    SCOPE(s, out->err);
    tensor encoded = NULL;
    if (scope_ok(out) && tokenizer_encode(contexts->tokenizer, text, strlen(text),
                             (size_t)positions, ids, NULL, out->err) == PF_OK)
        encoded = clip_encode(contexts->clip, &s, tensor_from_i64(&s, ids, DIMS(1, positions)));
    free(ids);
    return scope_move(&s, encoded, out);
}

/* A text that can't be encoded is the fault of the field it came in. */
static tensor encode_field(
    const struct contexts *contexts, struct scope *out, const char *field, const char *text)
{
    struct pf_error own = PF_ERROR_INIT;
    if (!scope_ok(out))
        return NULL;
    SCOPE(s, &own);
    tensor encoded = contexts_encode(contexts, &s, text);
    if (own.status == PF_INVALID)
        pf_fail(out->err, own.status, "%s: %.400s", field, own.message);
    else if (own.status != PF_OK)
        pf_fail(out->err, own.status, "%s", own.message);
    return scope_move(&s, encoded, out);
}

static enum pf_status entry_create(const struct contexts *contexts, const char *instruction,
    const char *auxiliary, struct contexts_entry **ret_entry, struct pf_error *err)
{
    struct contexts_entry *entry = calloc(1, sizeof *entry);
    if (!entry)
        return pf_fail(err, PF_NOMEM, "a text context");
    entry->instruction = strdup(instruction);
    entry->auxiliary = strdup(auxiliary);
    if (!entry->instruction || !entry->auxiliary)
        pf_fail(err, PF_NOMEM, "a text context");
    SCOPE(s, err);
    tensor first = encode_field(contexts, &s, "instruction", instruction);
    tensor second = encode_field(contexts, &s, "auxiliary_prompt", auxiliary);
    if (!scope_ok(&s) ||
        unet_context_create(&entry->context, contexts->unet, first, second, err) != PF_OK) {
        entry_destroy(entry);
        return err->status;
    }
    *ret_entry = entry;
    return PF_OK;
}

enum pf_status contexts_get(struct contexts *contexts, const char *instruction,
    const char *auxiliary, const struct unet_context **ret_context, struct pf_error *err)
{
    struct contexts_entry *entry = find(contexts, instruction, auxiliary);
    if (!entry) {
        PF_TRY(entry_create(contexts, instruction, auxiliary, &entry, err));
        entry->next = contexts->entries;
        contexts->entries = entry;
    }
    entry->users++;
    *ret_context = entry->context;
    trim(contexts);
    return PF_OK;
}

void contexts_put(struct contexts *contexts, const struct unet_context *context)
{
    for (struct contexts_entry *entry = contexts->entries; context && entry; entry = entry->next)
        if (entry->context == context)
            entry->users--;
    trim(contexts);
}
