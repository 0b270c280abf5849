/* SPDX-License-Identifier: Apache-2.0 */
/* Layers keep handles to their weights, so training means giving them leaves that ask for gradients
 * and writing new values into those leaves' memory after each step; no layer is rebuilt. */
#include "tools/train/parameters.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/train/state.h"

enum pf_status parameters_init(struct parameters *ret_parameters,
    const struct checkpoint *checkpoint, struct tensor_place place, const char *const *prefixes,
    int prefix_count, const char *only, struct pf_error *err)
{
    struct parameters p = {.checkpoint = checkpoint,
        .place = place,
        .prefix_count = prefix_count,
        .only = only ? only : ""};
    for (int i = 0; i < prefix_count; i++)
        p.prefixes[i] = prefixes[i];
    p.items = calloc(PARAMETERS_MAX, sizeof *p.items);
    if (!p.items)
        return pf_fail(err, PF_NOMEM, "the table of parameters");
    scope_init(&p.owner, err);
    *ret_parameters = p;
    return PF_OK;
}

void parameters_finish(struct parameters *parameters)
{
    scope_finish(&parameters->owner);
    free(parameters->items);
    *parameters = (struct parameters){0};
}

/* The next word of a list with commas between, from *at on, which moves behind it; 0 at the end. */
static int next_word(const char **at, const char **ret_word, int *ret_length)
{
    *ret_word = *at += strspn(*at, ",");
    *at += *ret_length = (int)strcspn(*at, ",");
    return *ret_length > 0;
}

/* Whether `name` begins with one of the words of `only`; the empty list has them all. */
static int is_wanted(const char *only, const char *name)
{
    const char *at = only, *word;
    int length;
    while (next_word(&at, &word, &length))
        if (strncmp(name, word, (size_t)length) == 0)
            return 1;
    return !only[0];
}

static int is_trained(const struct parameters *parameters, const char *name)
{
    for (int i = 0; i < parameters->prefix_count; i++)
        if (strncmp(name, parameters->prefixes[i], strlen(parameters->prefixes[i])) == 0)
            return is_wanted(parameters->only, name);
    return 0;
}

/* A copy of its own, laid out as `like`, detached. */
static tensor own_copy(struct parameters *parameters, tensor like)
{
    struct scope *owner = &parameters->owner;
    SCOPE(s, owner->err);
    tensor single = op_to_type(&s, like, TENSOR_F32);
    return scope_move(&s, op_detach(&s, op_clone(&s, single)), owner);
}

/* The array STATE_PREFIX + name of a saved state; NULL when it has none. */
static tensor saved(
    struct parameters *parameters, struct scope *s, const char *prefix, const char *name)
{
    struct weights view;
    struct tensor_place place = {parameters->place.device, TENSOR_F32};
    weights_init(&view, parameters->checkpoint, place, s, prefix);
    return weights_has(&view, name) ? weights_tensor(&view, name) : NULL;
}

static tensor saved_or_zeros(
    struct parameters *parameters, const char *prefix, const struct parameter *item)
{
    SCOPE(s, parameters->owner.err);
    tensor from = saved(parameters, &s, prefix, item->name);
    if (from)
        return own_copy(parameters, from);
    tensor zeros = own_copy(parameters, item->master);
    return op_mul_scalar_in(&s, zeros, 0);
}

static void make_state(struct parameters *parameters, struct parameter *item)
{
    SCOPE(s, parameters->owner.err);
    item->m = saved_or_zeros(parameters, STATE_PREFIX_M, item);
    item->v = saved_or_zeros(parameters, STATE_PREFIX_V, item);
    tensor average = saved(parameters, &s, STATE_PREFIX_AVERAGE, item->name);
    item->average = own_copy(parameters, average ? average : item->master);
    item->gradient = own_copy(parameters, item->master);
    op_mul_scalar_in(&s, item->gradient, 0);
}

static tensor replace(void *context, const char *name, tensor loaded, struct scope *owner)
{
    struct parameters *parameters = context;
    if (!is_trained(parameters, name))
        return tensor_alias(owner, loaded);
    if (parameters->count == PARAMETERS_MAX) {
        pf_fail(owner->err, PF_INVALID, "more than %d tensors to train", (int)PARAMETERS_MAX);
        return NULL;
    }
    parameters_detach(); /* the loads below are none of a layer's */
    struct parameter *item = &parameters->items[parameters->count++];
    SCOPE(s, owner->err);
    snprintf(item->name, sizeof item->name, "%s", name);
    item->decays = tensor_dim_count(loaded) >= 2;
    tensor single = saved(parameters, &s, "", name);
    item->master = own_copy(parameters, single);
    make_state(parameters, item);
    item->leaf = item->master;
    if (parameters->place.type != TENSOR_F32) {
        tensor lower = op_detach(&s, op_to_type(&s, item->master, parameters->place.type));
        item->leaf = scope_move(&s, lower, &parameters->owner);
    }
    op_set_requires_grad(&s, item->leaf, 1);
    parameters_attach(parameters);
    return tensor_alias(owner, item->leaf);
}

enum pf_status parameters_check_only(const struct parameters *parameters, struct pf_error *err)
{
    const char *at = parameters->only, *word;
    int length;
    while (next_word(&at, &word, &length)) {
        int found = 0;
        for (int i = 0; i < parameters->count && !found; i++)
            found = strncmp(parameters->items[i].name, word, (size_t)length) == 0;
        if (!found)
            return pf_fail(err, PF_INVALID, "--only: no weight of this stage begins with '%.*s'",
                length < 200 ? length : 200, word);
    }
    if (parameters->count == 0)
        return pf_fail(err, PF_INVALID, "--only: '%.200s' names nothing", parameters->only);
    return PF_OK;
}

void parameters_attach(struct parameters *parameters)
{
    weights_set_replace(replace, parameters);
}

void parameters_detach(void)
{
    weights_set_replace(NULL, NULL);
}

enum pf_status parameters_add_gradients(
    struct parameters *parameters, tensor loss, double factor, struct pf_error *err)
{
    SCOPE(s, err);
    size_t count = (size_t)parameters->count;
    tensor *leaves = calloc(count, sizeof *leaves), *gradients = calloc(count, sizeof *gradients);
    if (!leaves || !gradients)
        pf_fail(err, PF_NOMEM, "a list of %zu gradients", count);
    for (size_t i = 0; leaves && i < count; i++)
        leaves[i] = parameters->items[i].leaf;
    if (scope_ok(&s))
        op_backward(&s, loss, leaves, (int)count, gradients);
    int former = tensor_grad_enable(0);
    for (size_t i = 0; scope_ok(&s) && i < count; i++)
        op_add_in(&s, parameters->items[i].gradient,
            op_mul_scalar(&s, op_to_type(&s, gradients[i], TENSOR_F32), factor));
    tensor_grad_enable(former);
    free(leaves);
    free(gradients);
    return err->status;
}

enum pf_status parameters_gradient_norm(
    const struct parameters *parameters, double *ret_norm, struct pf_error *err)
{
    SCOPE(all, err);
    tensor sum = NULL;
    for (int i = 0; i < parameters->count; i++) {
        SCOPE(s, err);
        tensor part = op_sum_all(&s, op_square(&s, parameters->items[i].gradient));
        sum = scope_move(&s, sum ? op_add(&s, sum, part) : part, &all);
    }
    double squares = tensor_scalar(&all, sum);
    if (err->status != PF_OK)
        return err->status;
    *ret_norm = sqrt(squares);
    return PF_OK;
}

enum pf_status parameters_swap_average(struct parameters *parameters, struct pf_error *err)
{
    int former = tensor_grad_enable(0);
    for (int i = 0; i < parameters->count; i++) {
        struct parameter *item = &parameters->items[i];
        SCOPE(s, err);
        tensor master = op_clone(&s, item->master);
        op_copy_in(&s, item->master, item->average);
        op_copy_in(&s, item->average, master);
        if (item->leaf != item->master)
            op_copy_in(&s, item->leaf, item->master);
    }
    tensor_grad_enable(former);
    return err->status;
}

int64_t parameters_element_count(const struct parameters *parameters)
{
    int64_t sum = 0;
    for (int i = 0; i < parameters->count; i++)
        sum += tensor_count(parameters->items[i].leaf);
    return sum;
}
