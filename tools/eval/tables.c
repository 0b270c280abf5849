/* SPDX-License-Identifier: Apache-2.0 */
/* Pairs are read one after the other and given to the model in every setting that is asked for and
 * suits them; figures are added up by group and setting. A group is a task, or all pairs with
 * several tasks at once ("dehaze+desnow+lowlight"), or all others. */
#include "tools/eval/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tools/data/tasks.h"
#include "tools/eval/score.h"
#include "tools/eval/setting.h"
#include "tools/eval/trial.h"

enum { GROUP_SEVERAL = TASK_COUNT, GROUP_OTHER, GROUP_COUNT, LENGTHS = 3 };

struct tables {
    const struct tables_options *options;
    struct engine *engine;
    struct report *report;
    struct report_table *pairs_table;
    struct score_means means[GROUP_COUNT][SETTINGS_MAX];
    struct score_means lengths[LENGTHS];
    int64_t taken[GROUP_COUNT]; /* pairs */
};

/* A pair in all its settings. */
struct entry {
    struct sample sample;
    size_t group;
    int is_local;
    const struct trial *trial; /* NULL for several tasks and for none */
    struct image baseline;
    int has_baseline;
    size_t settings[SETTINGS_MAX]; /* of each request */
    struct params params[SETTINGS_MAX];
    struct engine_request requests[SETTINGS_MAX];
    size_t request_count;
};

static const char *group_title(size_t group)
{
    if (group == GROUP_SEVERAL)
        return "Several at once";
    return group == GROUP_OTHER ? "Other" : trials[group].title;
}

static void entry_finish(struct entry *entry)
{
    sample_finish(&entry->sample);
    image_finish(&entry->baseline);
    for (size_t i = 0; i < entry->request_count; i++)
        image_finish(&entry->requests[i].result);
}

static void classify(struct entry *entry)
{
    int task = task_find(entry->sample.task);
    entry->group = strchr(entry->sample.task, '+') ? GROUP_SEVERAL : GROUP_OTHER;
    if (task < 0)
        return;
    entry->group = (size_t)task;
    entry->trial = &trials[task];
    entry->is_local = trials[task].is_local;
}

static int is_wanted(const struct tables *tables, const struct entry *entry)
{
    const struct tables_options *options = tables->options;
    if (options->limit > 0 && tables->taken[entry->group] >= options->limit)
        return 0;
    if (entry->group < TASK_COUNT)
        return (options->tasks & 1u << entry->group) != 0;
    return options->tasks == (1u << TASK_COUNT) - 1;
}

/* Which table a setting is run for. */
static unsigned table_of(size_t setting)
{
    if (setting == SETTING_DEFAULT)
        return TABLES_TASKS;
    return setting == SETTING_BLIND ? TABLES_BLIND : TABLES_ABLATION;
}

static enum pf_status plan(struct tables *tables, struct entry *entry, struct pf_error *err)
{
    int has_decoder = tables->engine->pipeline->sizes.vae.lora_rank > 0;
    const struct sample *sample = &entry->sample;
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        if (!(tables->options->tables & table_of(i)) ||
            !setting_suits(setting, sample, entry->is_local, has_decoder))
            continue;
        size_t at = entry->request_count++;
        PF_TRY(setting_params(setting, &tables->engine->params, &entry->params[at], err));
        entry->settings[at] = i;
        entry->requests[at] = (struct engine_request){
            .image = &sample->input,
            .instruction = setting->has_instruction ? sample->instruction : "",
            .auxiliary = setting->has_auxiliary ? sample->auxiliary : "",
            .mask = entry->params[at].guidance_region == GUIDANCE_REGION_MASK ? sample->mask : NULL,
            .params = &entry->params[at],
            .label = sample->key,
        };
    }
    return PF_OK;
}

static enum pf_status make_baseline(struct entry *entry, struct pf_error *err)
{
    const struct trial *trial = entry->trial;
    if (!trial || !trial->baseline || (trial->is_local && !entry->sample.mask))
        return PF_OK;
    PF_TRY(trial->baseline(&entry->sample.input, entry->sample.mask, &entry->baseline, err));
    entry->has_baseline = 1;
    return PF_OK;
}

static void show(struct tables *tables, const struct entry *entry, const struct score *score)
{
    char text[REPORT_TEXT_SIZE];
    const double *figures = score->figures;
    const struct sample *sample = &entry->sample;
    snprintf(text, sizeof text, "%s: %s", group_title(entry->group), sample->key);
    struct report_strip *strip = report_add_strip(tables->report, text, sample->instruction);
    snprintf(text, sizeof text, "%.2f dB, SSIM %.3f", figures[FIGURE_INPUT_PSNR],
        figures[FIGURE_INPUT_SSIM]);
    report_add_picture(tables->report, strip, "input", &sample->input, text);
    snprintf(text, sizeof text, "%.2f dB, SSIM %.3f", figures[FIGURE_OUTPUT_PSNR],
        figures[FIGURE_OUTPUT_SSIM]);
    report_add_picture(tables->report, strip, "output", &entry->requests[0].result, text);
    report_add_picture(tables->report, strip, "target", &sample->target, "");
    if (!entry->has_baseline)
        return;
    snprintf(text, sizeof text, "%.2f dB, SSIM %.3f", figures[FIGURE_BASELINE_PSNR],
        figures[FIGURE_BASELINE_SSIM]);
    report_add_picture(tables->report, strip, entry->trial->baseline_name, &entry->baseline, text);
}

static void record(
    struct tables *tables, const struct entry *entry, size_t request, const struct score *score)
{
    static const enum figure figures[] = {FIGURE_INPUT_PSNR, FIGURE_OUTPUT_PSNR, FIGURE_INPUT_MAIN,
        FIGURE_OUTPUT_MAIN, FIGURE_OUTSIDE, FIGURE_INPUT_SSIM, FIGURE_OUTPUT_SSIM};
    struct report *report = tables->report;
    struct report_table *table = tables->pairs_table;
    size_t setting = entry->settings[request];
    score_add(&tables->means[entry->group][setting], score);
    if (setting == SETTING_DEFAULT)
        score_add(&tables->lengths[tables_length_class(entry->sample.instruction)], score);
    report_add_row(report, table);
    report_put_text(report, table, entry->sample.key);
    report_put_text(report, table, entry->sample.task);
    report_put_number(report, table, (double)setting, 0);
    for (size_t i = 0; i < COUNT_OF(figures); i++)
        report_put_number(report, table, score->figures[figures[i]], 3);
    if (setting == SETTING_DEFAULT && tables->taken[entry->group] <= tables->options->pictures)
        show(tables, entry, score);
}

static enum pf_status take_entry(struct tables *tables, struct entry *entry, struct pf_error *err)
{
    PF_TRY(plan(tables, entry, err));
    PF_TRY(make_baseline(entry, err));
    PF_TRY(engine_run(tables->engine, entry->requests, entry->request_count, err));
    tables->taken[entry->group]++;
    for (size_t i = 0; i < entry->request_count; i++) {
        struct score score;
        score_init(&score);
        PF_TRY(score_take(&score, &entry->sample, entry->is_local, &entry->requests[i].result,
            entry->has_baseline ? &entry->baseline : NULL, err));
        if (tables->options->lpips)
            PF_TRY(score_take_lpips(&score, tables->options->lpips, &entry->sample,
                &entry->requests[i].result, entry->has_baseline ? &entry->baseline : NULL, err));
        record(tables, entry, i, &score);
    }
    return PF_OK;
}

static enum pf_status take_pair(
    struct tables *tables, struct entry *entry, size_t index, struct pf_error *err)
{
    const struct pairs *pairs = tables->options->pairs;
    PF_TRY(pairs_read_texts(pairs, index, &entry->sample, err));
    classify(entry);
    if (!is_wanted(tables, entry))
        return PF_OK;
    sample_finish(&entry->sample);
    PF_TRY(pairs_read(pairs, index, &entry->sample, err));
    return take_entry(tables, entry, err);
}

static enum pf_status take_all(struct tables *tables, struct pf_error *err)
{
    for (size_t i = 0; i < pairs_count(tables->options->pairs); i++) {
        struct entry *entry = calloc(1, sizeof *entry);
        if (!entry)
            return pf_fail(err, PF_NOMEM, "no memory for a pair");
        enum pf_status status = take_pair(tables, entry, i, err);
        entry_finish(entry);
        free(entry);
        PF_TRY(status);
    }
    return PF_OK;
}

static void put_means(struct tables *tables, struct report_table *table,
    const struct score_means *means, const enum figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        report_put_number(
            tables->report, table, score_mean(means, figures[i]), score_digits(figures[i]));
    }
}

static void put_tasks(struct tables *tables, size_t setting, const char *title, const char *note)
{
    static const enum figure figures[] = {FIGURE_INPUT_PSNR, FIGURE_BASELINE_PSNR,
        FIGURE_OUTPUT_PSNR, FIGURE_INPUT_MAIN, FIGURE_BASELINE_MAIN, FIGURE_OUTPUT_MAIN,
        FIGURE_OUTSIDE, FIGURE_INPUT_SSIM, FIGURE_BASELINE_SSIM, FIGURE_OUTPUT_SSIM,
        FIGURE_INPUT_LPIPS, FIGURE_BASELINE_LPIPS, FIGURE_OUTPUT_LPIPS};
    static const char columns[] =
        "Task|Pairs|PSNR in|PSNR base|PSNR out|inside in|inside base|inside out|outside|SSIM in|"
        "SSIM base|SSIM out|LPIPS in|LPIPS base|LPIPS out";
    struct report *report = tables->report;
    struct report_table *table = report_add_table(report, title, note, columns);
    for (size_t group = 0; group < GROUP_COUNT; group++) {
        const struct score_means *means = &tables->means[group][setting];
        if (means->counts[FIGURE_OUTPUT_PSNR] == 0)
            continue;
        report_add_row(report, table);
        report_put_text(report, table, group_title(group));
        report_put_number(report, table, means->counts[FIGURE_OUTPUT_PSNR], 0);
        put_means(tables, table, means, figures, COUNT_OF(figures));
    }
}

static void put_lengths(struct tables *tables)
{
    static const char *const names[LENGTHS] = {"under 10 words", "10 to 20", "over 20"};
    static const enum figure figures[] = {FIGURE_INPUT_PSNR, FIGURE_OUTPUT_PSNR, FIGURE_INPUT_SSIM,
        FIGURE_OUTPUT_SSIM, FIGURE_INPUT_LPIPS, FIGURE_OUTPUT_LPIPS};
    struct report *report = tables->report;
    struct report_table *table = report_add_table(report, "By length of the instruction", "",
        "Instruction|Pairs|PSNR in|PSNR out|SSIM in|SSIM out|LPIPS in|LPIPS out");
    for (size_t i = 0; i < LENGTHS; i++) {
        const struct score_means *means = &tables->lengths[i];
        if (means->counts[FIGURE_OUTPUT_PSNR] == 0)
            continue;
        report_add_row(report, table);
        report_put_text(report, table, names[i]);
        report_put_number(report, table, means->counts[FIGURE_OUTPUT_PSNR], 0);
        put_means(tables, table, means, figures, COUNT_OF(figures));
    }
}

static void put_ablations(struct tables *tables)
{
    static const enum figure figures[] = {FIGURE_OUTPUT_PSNR, FIGURE_OUTPUT_MAIN, FIGURE_OUTSIDE,
        FIGURE_OUTPUT_SSIM, FIGURE_OUTPUT_LPIPS};
    struct report *report = tables->report;
    struct report_table *table = report_add_table(report, "Ablations",
        "inside: of the mask for snow, watermark and removal, else of the whole picture. "
        "sharper: variance of the Laplacian over the input's.",
        "Task|Guidance|Region|Auxiliary|Pairs|PSNR|inside|outside|SSIM|LPIPS|sharper");
    for (size_t group = 0; group < GROUP_COUNT; group++) {
        for (size_t i = SETTING_ABLATIONS; i < setting_count; i++) {
            const struct score_means *means = &tables->means[group][i];
            if (means->counts[FIGURE_OUTPUT_PSNR] == 0)
                continue;
            report_add_row(report, table);
            report_put_text(report, table, group_title(group));
            report_put_text(report, table, settings[i].guidance);
            report_put_text(report, table, settings[i].region);
            report_put_text(report, table, settings[i].has_auxiliary ? "yes" : "no");
            report_put_number(report, table, means->counts[FIGURE_OUTPUT_PSNR], 0);
            put_means(tables, table, means, figures, COUNT_OF(figures));
            report_put_number(report, table, exp2(score_mean(means, FIGURE_SHARPER)), 2);
        }
    }
}

int tables_length_class(const char *instruction)
{
    int words = 0;
    for (const char *at = instruction; *at; at++) {
        int is_blank = strchr(" \t\n", *at) != NULL;
        int before_is_blank = at == instruction || strchr(" \t\n", at[-1]) != NULL;
        words += !is_blank && before_is_blank;
    }
    return words < 10 ? 0 : words > 20 ? 2 : 1;
}

static void put_all(struct tables *tables)
{
    unsigned wanted = tables->options->tables;
    if (wanted & TABLES_TASKS) {
        put_tasks(tables, SETTING_DEFAULT, "By task",
            "PSNR in dB against the target. inside: of the mask for snow, watermark and removal, "
            "else of the whole picture. base: the classical baseline.");
        put_lengths(tables);
    }
    if (wanted & TABLES_BLIND)
        put_tasks(tables, SETTING_BLIND, "Auxiliary prompt only",
            "No instruction: the auxiliary prompt alone says what is wrong.");
    if (wanted & TABLES_ABLATION)
        put_ablations(tables);
}

enum pf_status tables_run(const struct tables_options *options, struct engine *engine,
    struct report *report, struct pf_error *err)
{
    struct tables *tables = calloc(1, sizeof *tables);
    if (!tables)
        return pf_fail(err, PF_NOMEM, "no memory for the tables");
    tables->options = options;
    tables->engine = engine;
    tables->report = report;
    tables->pairs_table = report_add_table(report, "By pair",
        "Setting 0 is the default, 1 blind, the others those of the ablations in their order.",
        "Pair|Task|Setting|PSNR in|PSNR out|inside in|inside out|outside|SSIM in|SSIM out");
    tables->pairs_table->is_detail = 1;
    enum pf_status status = take_all(tables, err);
    if (status == PF_OK) {
        put_all(tables);
        status = report_status(report, err);
    }
    free(tables);
    return status;
}
