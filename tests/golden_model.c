/* SPDX-License-Identifier: Apache-2.0 */
/* Golden checks of the schedule, the tokenizer and the models. */
#include "tests/golden_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/jdoc.h"
#include "pipeline/diffusion/schedule.h"

enum { PATH_SIZE = 4096, POSITIONS_MAX = 4096, UNET_ROWS_MAX = 64 };

static int same_ids(const struct jdoc_value *want, const int64_t *got, size_t count)
{
    size_t i = 0;
    if (!want || want->size != count)
        return 0;
    for (const struct jdoc_value *id = want->first; id; id = id->next)
        if (id->integer != got[i++])
            return 0;
    return 1;
}

static void check_text_ids(struct golden_case *golden, const struct jdoc_value *entry, int number)
{
    char name[GOLDEN_NAME_SIZE];
    int64_t ids[POSITIONS_MAX];
    struct pf_error err = PF_ERROR_INIT;
    const struct jdoc_value *text = jdoc_get(entry, "text"), *want = jdoc_get(entry, "ids");
    if (!text || text->type != JDOC_STRING || !want || want->size > POSITIONS_MAX) {
        golden_count(golden, "tokens", 0, "entry without text or ids");
        return;
    }
    enum pf_status status =
        tokenizer_encode(golden->tokenizer, text->string, text->size, want->size, ids, NULL, &err);
    int passed = status == PF_OK && same_ids(want, ids, want->size);
    snprintf(name, sizeof name, "tokens.%d \"%.40s\"", number, text->string);
    golden_count(golden, name, passed, status == PF_OK ? "ids" : err.message);
}

void golden_check_tokens(struct golden_case *golden)
{
    char path[PATH_SIZE];
    struct file_map map;
    struct jdoc *json = NULL;
    struct pf_error err = PF_ERROR_INIT;
    int number = 0;
    snprintf(path, sizeof path, "%s/tokens.json", golden->folder);
    if (access(path, F_OK) != 0 || !golden->tokenizer)
        return;
    if (file_map_open(&map, path, &err) == PF_OK) {
        if (jdoc_parse(&json, (const char *)map.data, map.size, &err) == PF_OK)
            for (const struct jdoc_value *v = jdoc_root(json)->first; v; v = v->next)
                check_text_ids(golden, v, number++);
        file_map_close(&map);
    }
    if (err.status != PF_OK || number == 0)
        golden_count(golden, "tokens.json", 0, err.status != PF_OK ? err.message : "no texts");
    jdoc_destroy(json);
}

static tensor from_doubles(struct scope *s, const double *values, int64_t count)
{
    AUTO_FREE float *single = malloc((size_t)count * sizeof *single + 1);
    for (int64_t i = 0; single && i < count; i++)
        single[i] = (float)values[i];
    return single ? tensor_from_f32(s, single, DIMS(count)) : NULL;
}

/* "schedule.sigmas.N" for whatever N the case has. */
static void check_sigma_lists(struct golden_case *golden, const struct schedule *schedule)
{
    for (size_t i = 0; i < checkpoint_array_count(golden->expected); i++) {
        const char *name = checkpoint_array_at(golden->expected, i)->name;
        int steps = 0;
        if (sscanf(name, "schedule.sigmas.%d", &steps) != 1)
            continue;
        struct pf_error err = PF_ERROR_INIT;
        double sigmas[SCHEDULE_STEPS_MAX + 1];
        SCOPE(s, &err);
        tensor got = NULL;
        if (schedule_sigmas(schedule, steps, sigmas, &err) == PF_OK)
            got = from_doubles(&s, sigmas, steps + 1);
        golden_check(golden, name, got, GOLDEN_TOLERANCE, &err);
    }
}

void golden_check_schedule(struct golden_case *golden)
{
    struct schedule schedule;
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    schedule_init(&schedule);
    golden_check(golden, "schedule.alphas_cumprod",
        from_doubles(&s, schedule.alphas_cumprod, SCHEDULE_TIMESTEPS), GOLDEN_TOLERANCE, &err);
    check_sigma_lists(golden, &schedule);
    if (!golden_expects(golden, "schedule.t_of_sigma"))
        return;
    int64_t count = tensor_count(golden_input(golden, &s, "schedule.sigma"));
    AUTO_FREE float *sigmas = golden_values(golden->expected, "schedule.sigma", &count);
    for (int64_t i = 0; sigmas && i < count; i++)
        sigmas[i] = (float)schedule_t_of_sigma(&schedule, (double)sigmas[i]);
    tensor got = sigmas ? tensor_from_f32(&s, sigmas, DIMS(count)) : NULL;
    golden_check(golden, "schedule.t_of_sigma", got, GOLDEN_TOLERANCE, &err);
}

static tensor encode_text(struct golden_case *golden, struct scope *s, const char *text)
{
    int64_t ids[POSITIONS_MAX], positions = golden->sizes.clip.positions;
    if (!golden->tokenizer || !golden->clip || positions > POSITIONS_MAX) {
        pf_fail(s->err, PF_NOT_FOUND, "no text encoder");
        return NULL;
    }
    if (tokenizer_encode(
            golden->tokenizer, text, strlen(text), (size_t)positions, ids, NULL, s->err) != PF_OK)
        return NULL;
    return clip_encode(golden->clip, s, tensor_from_i64(s, ids, DIMS(1, positions)));
}

/* Texts of a golden row: a case without auxiliary prompt may hold one row only. */
static tensor encode_rows(struct golden_case *golden, struct scope *s, int null_text)
{
    const char *auxiliary = golden->auxiliary && !null_text ? golden->auxiliary : "";
    const struct array *want =
        checkpoint_find(golden->expected, null_text ? "text.null" : "text.cond");
    int rows = want ? (int)want->dims[0] : 2;
    tensor list[] = {encode_text(golden, s, null_text ? "" : golden->instruction),
        encode_text(golden, s, auxiliary)};
    return op_cat(s, list, rows > 1 ? 2 : 1, 0);
}

void golden_check_text(struct golden_case *golden)
{
    static const char *const names[] = {"text.cond", "text.null"};
    for (int null_text = 0; null_text < 2; null_text++) {
        struct pf_error err = PF_ERROR_INIT;
        SCOPE(s, &err);
        tensor rows = encode_rows(golden, &s, null_text);
        golden_check(golden, names[null_text], rows, GOLDEN_TOLERANCE, &err);
    }
}

tensor golden_text_rows(struct golden_case *golden, struct scope *scope, int null_text)
{
    const char *name = null_text ? "text.null" : "text.cond";
    if (golden_expects(golden, "%s", name))
        return golden_input(golden, scope, "%s", name);
    return encode_rows(golden, scope, null_text);
}

enum pf_status golden_context(struct golden_case *golden, struct unet_context **ret_context,
    int null_text, struct pf_error *err)
{
    SCOPE(s, err);
    tensor rows = golden_text_rows(golden, &s, null_text);
    tensor instruction = op_narrow(&s, rows, 0, 0, 1), auxiliary = NULL;
    if (golden->sizes.unet.has_extra)
        auxiliary =
            tensor_dim(rows, 0) > 1 ? op_narrow(&s, rows, 0, 1, 1) : encode_text(golden, &s, "");
    PF_TRY(err->status);
    return unet_context_create(ret_context, golden->unet, instruction, auxiliary, err);
}

tensor golden_image_latent(struct golden_case *golden, struct scope *scope)
{
    if (golden_expects(golden, "vae.mode"))
        return golden_input(golden, scope, "vae.mode");
    tensor image = golden_input(golden, scope, "image");
    return vae_mode(scope, vae_encode(golden->vae, scope, image, NULL));
}

static void check_decodes(struct golden_case *golden, struct scope *s, tensor mode,
    const struct vae_skips *skips, struct pf_error *err)
{
    tensor z = op_mul_scalar(s, mode, VAE_SCALE_FACTOR);
    golden_check(golden, "vae.decode.plain", vae_decode(golden->vae, s, z, NULL, NULL),
        GOLDEN_TOLERANCE, err);
    if (golden_expects(golden, "vae.decode.skip"))
        golden_check(golden, "vae.decode.skip", vae_decode(golden->vae, s, z, skips, NULL),
            GOLDEN_TOLERANCE, err);
}

void golden_check_vae(struct golden_case *golden)
{
    char name[GOLDEN_NAME_SIZE];
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct vae_skips skips = {.count = 0};
    tensor moments = vae_encode(golden->vae, &s, golden_input(golden, &s, "image"), &skips);
    golden_check(golden, "vae.moments", moments, GOLDEN_TOLERANCE, &err);
    tensor mode = vae_mode(&s, moments);
    golden_check(golden, "vae.mode", mode, GOLDEN_TOLERANCE, &err);
    for (int i = 0; i < skips.count; i++) {
        snprintf(name, sizeof name, "vae.skip.%d", i);
        golden_check(golden, name, skips.features[i], GOLDEN_TOLERANCE, &err);
    }
    check_decodes(golden, &s, mode, &skips, &err);
}

static void check_unet_call(struct golden_case *golden, int number,
    const struct unet_context *context, tensor image, struct pf_error *err)
{
    char name[GOLDEN_NAME_SIZE];
    const struct unet_context *contexts[UNET_ROWS_MAX];
    float t[UNET_ROWS_MAX] = {0};
    SCOPE(s, err);
    tensor x = golden_input(golden, &s, "unet.%d.x", number);
    int64_t rows = tensor_dim(x, 0);
    tensor times = golden_input(golden, &s, "unet.%d.t", number);
    if (scope_ok(&s) && (rows > UNET_ROWS_MAX || tensor_count(times) != rows))
        pf_fail(err, PF_INVALID, "unet.%d has %lld rows", number, (long long)rows);
    else if (scope_ok(&s) && tensor_to_f32(times, t, rows, err) != PF_OK)
        return;
    for (int64_t i = 0; i < rows && i < UNET_ROWS_MAX; i++)
        contexts[i] = context;
    tensor images = op_expand(&s, image, DIMS(rows, -1, -1, -1));
    tensor list[] = {x, images};
    tensor eps =
        scope_ok(&s) ? unet_forward(golden->unet, &s, op_cat(&s, list, 2, 1), t, contexts) : NULL;
    snprintf(name, sizeof name, "unet.%d.eps", number);
    golden_check(golden, name, eps, GOLDEN_TOLERANCE, err);
}

void golden_check_unet(struct golden_case *golden)
{
    struct pf_error err = PF_ERROR_INIT;
    SCOPE(s, &err);
    struct unet_context *context = NULL;
    tensor image = golden_image_latent(golden, &s);
    if (golden_context(golden, &context, 0, &err) != PF_OK)
        golden_count(golden, "unet context", 0, err.message);
    for (int i = 0; context && golden_expects(golden, "unet.%d.eps", i); i++)
        check_unet_call(golden, i, context, image, &err);
    unet_context_destroy(context);
}
