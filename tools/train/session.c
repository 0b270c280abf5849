/* SPDX-License-Identifier: Apache-2.0 */
/* The loop. A resumed session makes the same numbers as an uninterrupted one: batches, times and
 * noise are functions of (seed, step), the rate is one of the step, and the state holds everything
 * else. */
#include "tools/train/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pipeline/pipeline.h"
#include "tools/train/adamw.h"
#include "tools/train/fresh.h"
#include "tools/train/state.h"
#include "tools/train/validate.h"

#define PI 3.14159265358979323846

enum { PATH_SIZE = 4096 };

struct session {
    const struct session_options *options;
    struct trainee trainee;
    struct state state;
    struct shards *shards, *valid_shards;
    struct batch_feed *feed;
    struct batch *valid;
    FILE *log;
    int64_t start_ms, window_ms, window_step;
    double window_loss;
    double overshoot[TASK_COUNT];
};

static struct batch_options batch_options_of(
    const struct session *session, const struct shards *shards)
{
    const struct session_options *o = session->options;
    struct batch_options options = {
        .shards = shards,
        .tokenizer = session->trainee.tokenizer,
        .positions = session->trainee.sizes.clip.positions,
        .rows = o->rows,
        .size = o->stage == STAGE_TEXT ? 0 : o->size,
        .seed = (uint64_t)o->seed,
        .drop_instruction = o->drop_instruction,
        .drop_auxiliary = o->drop_auxiliary,
        .drop_image = o->drop_image,
        .swap = o->swap,
        .shrink = o->shrink,
    };
    memcpy(options.overshoot, session->overshoot, sizeof options.overshoot);
    return options;
}

/* One fixed batch of whole pairs, with their instructions and without auxiliary prompts. */
static enum pf_status make_valid(struct session *session, struct pf_error *err)
{
    const struct session_options *o = session->options;
    if (!o->valid_data[0] || o->stage == STAGE_TEXT)
        return PF_OK;
    PF_TRY(shards_open(&session->valid_shards, o->valid_data, err));
    struct batch_options options = batch_options_of(session, session->valid_shards);
    options.rows = o->valid_rows;
    options.size = o->valid_size;
    options.seed = 1;
    options.drop_instruction = options.drop_image = options.swap = 0;
    options.drop_auxiliary = 1;
    options.shrink = 1;
    memset(options.overshoot, 0, sizeof options.overshoot);
    return batch_make(&options, 0, &session->valid, err);
}

static enum pf_status open_log(struct session *session, struct pf_error *err)
{
    const char *path = session->options->log;
    session->log = path[0] ? fopen(path, "a") : stdout;
    if (!session->log)
        return pf_fail(err, PF_IO, "%s: can't be opened for appending", path);
    return PF_OK;
}

static enum pf_status open_session(struct session *session, struct pf_error *err)
{
    const struct session_options *o = session->options;
    struct tensor_place place = {TORCH_DEVICE_CPU, o->bf16 ? TENSOR_BF16 : TENSOR_F32};
    PF_TRY(tasks_read_weights("overshoot", o->overshoot, 10, session->overshoot, err));
    PF_TRY(pipeline_parse_device(o->device, &place.device, err));
    if (o->threads > 0)
        at_set_num_threads((int)o->threads);
    tensor_grad_enable(0);
    PF_TRY(trainee_open(
        &session->trainee, o->model, o->merges, (enum stage)o->stage, o->only, place, err));
    PF_TRY(state_read(session->trainee.checkpoint, &session->state, err));
    if (strcmp(session->state.stage, stage_names[o->stage]) != 0)
        session->state.step = 0;
    snprintf(session->state.stage, sizeof session->state.stage, "%s", stage_names[o->stage]);
    if (session->state.step > 0 && session->state.seed != o->seed)
        return pf_fail(err, PF_INVALID, "seed: %" PRId64 ", the state was trained with %" PRId64,
            o->seed, session->state.seed);
    session->state.seed = o->seed;
    if (o->fresh && session->state.step == 0)
        PF_TRY(fresh_start(&session->trainee.parameters, err));
    PF_TRY(shards_open(&session->shards, o->data, err));
    PF_TRY(make_valid(session, err));
    PF_TRY(open_log(session, err));
    struct batch_options options = batch_options_of(session, session->shards);
    return batch_feed_create(&session->feed, &options, session->state.step * o->accumulate, err);
}

static void close_session(struct session *session)
{
    batch_feed_destroy(session->feed);
    batch_destroy(session->valid);
    shards_close(session->valid_shards);
    shards_close(session->shards);
    trainee_close(&session->trainee);
    if (session->log && session->log != stdout)
        fclose(session->log);
}

/* Linear warm-up, then half a cosine to the final rate. */
static double rate_of(const struct session_options *o, int64_t step)
{
    if (step <= o->warmup)
        return o->rate * (double)step / (double)o->warmup;
    double progress = (double)(step - o->warmup) / (double)(o->steps - o->warmup);
    return o->final_rate + (o->rate - o->final_rate) * 0.5 * (1 + cos(PI * fmin(progress, 1)));
}

static enum pf_status add_gradients(
    struct session *session, int64_t draw, double *ret_loss, struct pf_error *err)
{
    const struct session_options *o = session->options;
    struct objective_options options = {.seed = (uint64_t)o->seed,
        .kl_weight = o->kl_weight,
        .edge_weight = o->edge_weight,
        .latent_noise = o->latent_noise,
        .relative = o->relative,
        .change_weight = o->change_weight,
        .knee = o->knee,
        .colour_weight = o->colour_weight,
        .detail_weight = o->detail_weight,
        .early_share = o->early_share};
    struct batch *batch = NULL;
    PF_TRY(batch_feed_next(session->feed, &batch, err));
    SCOPE(s, err);
    struct batch_tensors tensors;
    batch_tensors_make(&s, &session->trainee, batch, &tensors);
    batch_destroy(batch);
    tensor loss = objective_loss(&session->trainee, &s, &options, &tensors, draw);
    double value = tensor_scalar(&s, loss);
    if (!scope_ok(&s))
        return err->status;
    if (!isfinite(value))
        return pf_fail(err, PF_INTERNAL, "the loss of draw %" PRId64 " is not finite", draw);
    *ret_loss += value / (double)o->accumulate;
    return parameters_add_gradients(
        &session->trainee.parameters, loss, 1.0 / (double)o->accumulate, err);
}

static enum pf_status take_step(
    struct session *session, double *ret_loss, double *ret_norm, struct pf_error *err)
{
    const struct session_options *o = session->options;
    int64_t step = session->state.step + 1;
    double loss = 0, norm = 0;
    for (int64_t i = 0; i < o->accumulate; i++)
        PF_TRY(add_gradients(session, (step - 1) * o->accumulate + i, &loss, err));
    PF_TRY(parameters_gradient_norm(&session->trainee.parameters, &norm, err));
    if (!isfinite(norm))
        return pf_fail(err, PF_INTERNAL, "the gradient of step %" PRId64 " is not finite", step);
    struct adamw adamw = {
        .rate = rate_of(o, step),
        .beta1 = 0.9,
        .beta2 = o->beta2,
        .epsilon = 1e-8,
        .weight_decay = o->weight_decay,
        .gradient_scale = o->clip > 0 && norm > o->clip ? o->clip / norm : 1,
        .average_decay = fmin(o->average_decay, (1.0 + (double)step) / (10.0 + (double)step)),
    };
    PF_TRY(adamw_step(&session->trainee.parameters, &adamw, step, err));
    session->state.step = step;
    *ret_loss = loss;
    *ret_norm = norm;
    return PF_OK;
}

static void write_log(struct session *session, double norm)
{
    const struct session_options *o = session->options;
    int64_t now = clock_monotonic_ms(), steps = session->state.step - session->window_step;
    double seconds = (double)(now - session->window_ms) / 1000;
    fprintf(session->log,
        "{\"stage\":\"%s\",\"step\":%" PRId64 ",\"loss\":%.6f,\"gradient_norm\":%.4f,\"rate\":%.3g,"
        "\"samples_per_s\":%.2f}\n",
        session->state.stage, session->state.step, session->window_loss / (double)steps, norm,
        rate_of(o, session->state.step), (double)(steps * o->rows * o->accumulate) / seconds);
    fflush(session->log);
    session->window_ms = now;
    session->window_step = session->state.step;
    session->window_loss = 0;
}

/* With the averaged weights. */
static enum pf_status check_valid(struct session *session, struct pf_error *err)
{
    const struct session_options *o = session->options;
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    char sheet[PATH_SIZE] = "";
    if (o->sheets[0])
        snprintf(sheet, sizeof sheet, "%s/%s-%06" PRId64 ".png", o->sheets, session->state.stage,
            session->state.step);
    struct validation_options options = {o->sample_steps, (uint64_t)o->seed, sheet};
    PF_TRY(parameters_swap_average(&session->trainee.parameters, err));
    enum pf_status status = validate(&session->trainee, session->valid, &options, &line, err);
    PF_TRY(parameters_swap_average(&session->trainee.parameters, err));
    PF_TRY(status);
    PF_TRY(buffer_status(&line, err));
    fprintf(session->log, "{\"stage\":\"%s\",\"step\":%" PRId64 ",%s}\n", session->state.stage,
        session->state.step, line.data);
    fflush(session->log);
    session->window_ms = clock_monotonic_ms();
    return PF_OK;
}

static int is_due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static int is_over(const struct session *session, int (*interrupted)(void *context))
{
    const struct session_options *o = session->options;
    double minutes = (double)(clock_monotonic_ms() - session->start_ms) / 60000;
    return session->state.step >= o->steps || interrupted(NULL) ||
           (o->minutes > 0 && minutes >= o->minutes);
}

static enum pf_status train(
    struct session *session, int (*interrupted)(void *context), struct pf_error *err)
{
    const struct session_options *o = session->options;
    session->start_ms = session->window_ms = clock_monotonic_ms();
    session->window_step = session->state.step;
    double norm = 0;
    while (!is_over(session, interrupted)) {
        double loss = 0;
        PF_TRY(take_step(session, &loss, &norm, err));
        session->window_loss += loss;
        if (is_due(session->state.step, o->log_every))
            write_log(session, norm);
        if (session->valid && is_due(session->state.step, o->valid_every))
            PF_TRY(check_valid(session, err));
        if (is_due(session->state.step, o->save_every))
            PF_TRY(state_write(&session->trainee.parameters, &session->state, o->out, err));
    }
    if (session->state.step > session->window_step)
        write_log(session, norm);
    if (session->valid)
        PF_TRY(check_valid(session, err));
    return state_write(&session->trainee.parameters, &session->state, o->out, err);
}

enum pf_status session_run(
    const struct session_options *options, int (*interrupted)(void *context), struct pf_error *err)
{
    struct session session = {.options = options};
    enum pf_status status = open_session(&session, err);
    if (status == PF_OK)
        status = train(&session, interrupted, err);
    close_session(&session);
    return status;
}
