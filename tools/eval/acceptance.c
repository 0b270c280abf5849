/* SPDX-License-Identifier: Apache-2.0 */
/* Photos are read one after the other; each task spoils its own copy. All requests of one copy go
 * to the engine together: the plain instruction, another wording (photo i takes wording i, round
 * and round), and for haze two more: the same hazy picture under "colorize", and the clean photo
 * under "remove the haze". */
#include "tools/eval/acceptance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/eval/criteria.h"
#include "tools/eval/trial.h"

enum request { REQUEST_PLAIN, REQUEST_PARAPHRASE, REQUEST_WRONG, REQUEST_CLEAN, REQUEST_COUNT };

struct acceptance {
    const struct acceptance_options *options;
    struct engine *engine;
    struct report *report;
    struct report_table *photos_table;
    size_t turn; /* of the photos that are used */
    struct score_means means[TASK_COUNT];
};

/* One photo under one task. */
struct attempt {
    enum task task;
    const struct trial *trial;
    const char *name;
    size_t index, turn; /* of the photo, among all and among those used */
    struct sample sample;
    struct image baseline;
    int has_baseline;
    struct engine_request *requests; /* [request_count], of the photo's list */
    size_t request_count;
    struct score score;
};

/* One photo under all tasks. */
struct round {
    struct attempt attempts[TASK_COUNT];
    size_t attempt_count;
    struct engine_request requests[TASK_COUNT * REQUEST_COUNT];
    char labels[TASK_COUNT][REPORT_TEXT_SIZE];
    size_t request_count;
};

static void round_destroy(struct round *round)
{
    for (size_t i = 0; i < round->attempt_count; i++) {
        sample_finish(&round->attempts[i].sample);
        image_finish(&round->attempts[i].baseline);
    }
    for (size_t i = 0; i < round->request_count; i++)
        image_finish(&round->requests[i].result);
    free(round);
}

static size_t requests_of(enum task task)
{
    return task == TASK_DEHAZE ? REQUEST_COUNT : REQUEST_PARAPHRASE + 1;
}

int64_t acceptance_planned(const struct acceptance_options *options)
{
    size_t requests = 0;
    for (int task = 0; task < TASK_COUNT; task++)
        if (options->tasks & 1u << task)
            requests += requests_of((enum task)task);
    return (int64_t)(requests * photos_used(options->photos));
}

static void plan_requests(struct round *round, struct attempt *attempt)
{
    const struct trial *trial = attempt->trial;
    const char *const instructions[REQUEST_COUNT] = {
        [REQUEST_PLAIN] = trial->instruction,
        [REQUEST_PARAPHRASE] = trial->paraphrases[attempt->index % TRIAL_PARAPHRASES],
        [REQUEST_WRONG] = trials[TASK_COLORIZE].instruction,
        [REQUEST_CLEAN] = trial->instruction,
    };
    char *label = round->labels[attempt - round->attempts];
    snprintf(label, REPORT_TEXT_SIZE, "%s %s", task_name(attempt->task), attempt->name);
    attempt->requests = round->requests + round->request_count;
    attempt->request_count = requests_of(attempt->task);
    round->request_count += attempt->request_count;
    for (size_t i = 0; i < attempt->request_count; i++)
        attempt->requests[i] = (struct engine_request){
            .image = i == REQUEST_CLEAN ? &attempt->sample.target : &attempt->sample.input,
            .instruction = instructions[i],
            .auxiliary = "",
            .label = label,
        };
}

static enum pf_status take_scores(struct attempt *attempt, struct pf_error *err)
{
    const struct sample *sample = &attempt->sample;
    const struct engine_request *requests = attempt->requests;
    double *figures = attempt->score.figures;
    int is_local = attempt->trial->is_local;
    PF_TRY(score_take(&attempt->score, sample, is_local, &requests[REQUEST_PLAIN].result,
        attempt->has_baseline ? &attempt->baseline : NULL, err));
    figures[FIGURE_PARAPHRASE_MAIN] =
        score_main(sample, is_local, &requests[REQUEST_PARAPHRASE].result);
    figures[FIGURE_PARAPHRASE_LOSS] = figures[FIGURE_OUTPUT_MAIN] - figures[FIGURE_PARAPHRASE_MAIN];
    if (attempt->request_count == REQUEST_COUNT) {
        figures[FIGURE_WRONG_GAIN] = score_main(sample, is_local, &requests[REQUEST_WRONG].result) -
                                     figures[FIGURE_INPUT_MAIN];
        figures[FIGURE_CLEAN] = score_main(sample, is_local, &requests[REQUEST_CLEAN].result);
    }
    return PF_OK;
}

static void put_caption(char *to, size_t size, double psnr, double ssim)
{
    snprintf(to, size, "%.2f dB, SSIM %.3f", psnr, ssim);
}

static void show(struct acceptance *acceptance, const struct attempt *attempt)
{
    char text[REPORT_TEXT_SIZE];
    struct report *report = acceptance->report;
    const double *figures = attempt->score.figures;
    const struct engine_request *requests = attempt->requests;
    snprintf(text, sizeof text, "%s: %s", attempt->trial->title, attempt->name);
    AUTO_BUFFER struct buffer caption = BUFFER_INIT;
    buffer_put_format(&caption, "“%s”: %+.2f dB%s", attempt->trial->instruction,
        figures[FIGURE_GAIN], attempt->trial->is_local ? " inside of the mask" : "");
    if (!isnan(figures[FIGURE_OUTSIDE]))
        buffer_put_format(&caption, ", %.2f dB outside", figures[FIGURE_OUTSIDE]);
    struct report_strip *strip = report_add_strip(report, text, caption.data ? caption.data : "");
    put_caption(text, sizeof text, figures[FIGURE_INPUT_PSNR], figures[FIGURE_INPUT_SSIM]);
    report_add_picture(report, strip, "input", &attempt->sample.input, text);
    put_caption(text, sizeof text, figures[FIGURE_OUTPUT_PSNR], figures[FIGURE_OUTPUT_SSIM]);
    report_add_picture(report, strip, "output", &requests[REQUEST_PLAIN].result, text);
    report_add_picture(report, strip, "target", &attempt->sample.target, "");
    if (attempt->has_baseline) {
        put_caption(
            text, sizeof text, figures[FIGURE_BASELINE_PSNR], figures[FIGURE_BASELINE_SSIM]);
        report_add_picture(report, strip, attempt->trial->baseline_name, &attempt->baseline, text);
    }
    if (attempt->request_count < REQUEST_COUNT)
        return;
    snprintf(text, sizeof text, "%+.2f dB", figures[FIGURE_WRONG_GAIN]);
    report_add_picture(report, strip, "“colorize” instead", &requests[REQUEST_WRONG].result, text);
    snprintf(text, sizeof text, "%.2f dB", figures[FIGURE_CLEAN]);
    report_add_picture(
        report, strip, "the clean photo, dehazed", &requests[REQUEST_CLEAN].result, text);
}

/* The figures of a table's columns behind its first two. */
static const enum figure photo_figures[] = {FIGURE_INPUT_MAIN, FIGURE_OUTPUT_MAIN, FIGURE_GAIN,
    FIGURE_BASELINE_GAIN, FIGURE_OUTSIDE, FIGURE_INPUT_SSIM, FIGURE_OUTPUT_SSIM, FIGURE_SHARPER,
    FIGURE_COLOUR, FIGURE_TARGET_COLOUR, FIGURE_PARAPHRASE_LOSS, FIGURE_CLEAN, FIGURE_WRONG_GAIN};
static const char photo_columns[] =
    "Photo|Task|input dB|output dB|gain|baseline gain|outside dB|SSIM in|SSIM out|"
    "sharper (octaves)|colour|colour of target|other wording loses|clean dB|wrong gain";

/* So many of all, spread evenly. */
static int is_shown(const struct acceptance_options *options, size_t turn)
{
    int64_t used = (int64_t)photos_used(options->photos);
    return (int64_t)turn * options->pictures % used < options->pictures;
}

static void record(struct acceptance *acceptance, const struct attempt *attempt)
{
    struct report *report = acceptance->report;
    struct report_table *table = acceptance->photos_table;
    score_add(&acceptance->means[attempt->task], &attempt->score);
    report_add_row(report, table);
    report_put_text(report, table, attempt->name);
    report_put_text(report, table, task_name(attempt->task));
    for (size_t i = 0; i < COUNT_OF(photo_figures); i++)
        report_put_number(report, table, attempt->score.figures[photo_figures[i]],
            score_digits(photo_figures[i]));
    if (is_shown(acceptance->options, attempt->turn))
        show(acceptance, attempt);
}

/* Spoils the photo and asks for what is to be run. */
static enum pf_status plan_task(struct acceptance *acceptance, struct round *round, enum task task,
    const struct photo_recipe *photo, struct pf_error *err)
{
    const struct trial *trial = &trials[task];
    struct attempt *attempt = &round->attempts[round->attempt_count++];
    struct photo_recipe recipe = *photo;
    recipe.tasks = &task;
    recipe.task_count = 1;
    attempt->task = task;
    attempt->trial = trial;
    attempt->name = photo->name;
    attempt->turn = acceptance->turn;
    attempt->index = photos_index(acceptance->options->photos, acceptance->turn);
    score_init(&attempt->score);
    PF_TRY(photo_spoil(&recipe, &attempt->sample, err));
    plan_requests(round, attempt);
    if (!trial->baseline)
        return PF_OK;
    PF_TRY(trial->baseline(&attempt->sample.input, attempt->sample.mask, &attempt->baseline, err));
    attempt->has_baseline = 1;
    return PF_OK;
}

static enum pf_status score_task(
    struct acceptance *acceptance, struct attempt *attempt, struct pf_error *err)
{
    PF_TRY(take_scores(attempt, err));
    if (acceptance->options->lpips)
        PF_TRY(score_take_lpips(&attempt->score, acceptance->options->lpips, &attempt->sample,
            &attempt->requests[REQUEST_PLAIN].result,
            attempt->has_baseline ? &attempt->baseline : NULL, err));
    record(acceptance, attempt);
    return PF_OK;
}

static enum pf_status try_tasks(struct acceptance *acceptance, struct round *round,
    const struct photo_recipe *photo, struct pf_error *err)
{
    for (int task = 0; task < TASK_COUNT; task++)
        if (acceptance->options->tasks & 1u << task)
            PF_TRY(plan_task(acceptance, round, (enum task)task, photo, err));
    PF_TRY(engine_run(acceptance->engine, round->requests, round->request_count, err));
    for (size_t i = 0; i < round->attempt_count; i++)
        PF_TRY(score_task(acceptance, &round->attempts[i], err));
    return PF_OK;
}

static enum pf_status try_photo(struct acceptance *acceptance, struct pf_error *err)
{
    const struct acceptance_options *options = acceptance->options;
    size_t index = photos_index(options->photos, acceptance->turn);
    struct image clean = IMAGE_INIT, other = IMAGE_INIT;
    struct photo_recipe photo = {
        .name = photo_name(options->photos->paths[index]),
        .clean = &clean,
        .other = &other,
        .seed = options->seed,
    };
    struct round *round = calloc(1, sizeof *round);
    if (!round)
        return pf_fail(err, PF_NOMEM, "no memory for %s", photo.name);
    enum pf_status status = photos_read(options->photos, index, options->size, &clean, &other, err);
    if (status == PF_OK)
        status = try_tasks(acceptance, round, &photo, err);
    round_destroy(round);
    image_finish(&clean);
    image_finish(&other);
    return status;
}

static void put_criteria(struct acceptance *acceptance, struct report_table *table)
{
    struct report *report = acceptance->report;
    int measured = 0, met = 0;
    for (size_t i = 0; i < criterion_count; i++) {
        const struct criterion *criterion = &criteria[i];
        const struct score_means *means = &acceptance->means[criterion->task];
        if (!criterion_is_measured(criterion, means))
            continue;
        char bound[REPORT_TEXT_SIZE];
        snprintf(bound, sizeof bound, "%s %.2f%s%s", criterion->is_most ? "≤" : "≥",
            criterion->bound, *criterion->unit ? " " : "", criterion->unit);
        report_add_row(report, table);
        report_put_text(report, table, trials[criterion->task].title);
        report_put_text(report, table, criterion->name);
        report_put_number(report, table, criterion_value(criterion, means), 3);
        report_put_text(report, table, bound);
        report_put_verdict(report, table, criterion_is_met(criterion, means));
        measured++;
        met += criterion_is_met(criterion, means);
    }
    snprintf(table->note, sizeof table->note, "%d of %d criteria are met; means over the photos.",
        met, measured);
}

static void put_tasks(struct acceptance *acceptance, struct report_table *table)
{
    static const enum figure figures[] = {FIGURE_INPUT_PSNR, FIGURE_BASELINE_PSNR,
        FIGURE_OUTPUT_PSNR, FIGURE_INPUT_MAIN, FIGURE_BASELINE_MAIN, FIGURE_OUTPUT_MAIN,
        FIGURE_INPUT_SSIM, FIGURE_BASELINE_SSIM, FIGURE_OUTPUT_SSIM, FIGURE_INPUT_LPIPS,
        FIGURE_BASELINE_LPIPS, FIGURE_OUTPUT_LPIPS};
    struct report *report = acceptance->report;
    for (int task = 0; task < TASK_COUNT; task++) {
        const struct score_means *means = &acceptance->means[task];
        if (means->counts[FIGURE_GAIN] == 0)
            continue;
        report_add_row(report, table);
        report_put_text(report, table, trials[task].title);
        report_put_number(report, table, means->counts[FIGURE_GAIN], 0);
        for (size_t i = 0; i < COUNT_OF(figures); i++)
            report_put_number(
                report, table, score_mean(means, figures[i]), score_digits(figures[i]));
    }
}

enum pf_status acceptance_run(const struct acceptance_options *options, struct engine *engine,
    struct report *report, struct pf_error *err)
{
    struct acceptance acceptance = {.options = options, .engine = engine, .report = report};
    struct report_table *verdicts =
        report_add_table(report, "Acceptance", "", "Task|Measure|Value|Bound|Verdict");
    struct report_table *tasks = report_add_table(report, "By task",
        "PSNR in dB against the clean photo. inside: of the painted-over pixels for snow, "
        "watermark and removal, else of the whole picture. base: the classical baseline.",
        "Task|Photos|PSNR in|PSNR base|PSNR out|inside in|inside base|inside out|SSIM in|SSIM base|"
        "SSIM out|LPIPS in|LPIPS base|LPIPS out");
    acceptance.photos_table = report_add_table(report, "By photo", "", photo_columns);
    acceptance.photos_table->is_detail = 1;
    for (; acceptance.turn < photos_used(options->photos); acceptance.turn++)
        PF_TRY(try_photo(&acceptance, err));
    put_criteria(&acceptance, verdicts);
    put_tasks(&acceptance, tasks);
    return report_status(report, err);
}
