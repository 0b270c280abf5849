/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-eval: how good a model is, in figures and pictures. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tools/cli/command.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/model_options.h"
#include "tools/cli/param_rows.h"
#include "tools/cli/picture.h"
#include "tools/eval/acceptance.h"
#include "tools/eval/lpips.h"
#include "tools/eval/make_set.h"
#include "tools/eval/tables.h"

/* Beside those of command.h. */
enum { EXIT_BELOW = 10, FILE_MODE = 0644, TASKS_ALL = (1 << TASK_COUNT) - 1 };

struct eval_options {
    struct model_options model;
    struct params params;
    struct text_list photos, tasks, tables;
    char *json, *html, *write_set, *write_photos, *lpips;
    int64_t size, limit, pictures, batch, degrade_seed, ppm, quiet, help;
};

#define AT(member) offsetof(struct eval_options, member)

static const char *check_task(const char *text)
{
    return task_find(text) >= 0 ? NULL
                                : "colorize, lowlight, dehaze, desnow, deblur, dewatermark or "
                                  "remove";
}

/* Bits of TABLES_*, in their order. */
static const char *const table_names[] = {"tasks", "blind", "ablation"};

static int table_find(const char *name)
{
    for (int i = 0; i < (int)COUNT_OF(table_names); i++)
        if (strcmp(table_names[i], name) == 0)
            return i;
    return -1;
}

static const char *check_table(const char *text)
{
    return table_find(text) >= 0 ? NULL : "tasks, blind or ablation";
}

static const struct option_spec rows[] = {
    {"photos", 0, OPTION_LIST, 0, 1, AT(photos), .value_name = "DIR[,DIR]", .group = "Input",
        .doc = "Folders of clean photos nobody trained on: the acceptance test spoils them "
               "itself."},
    {"tasks", 0, OPTION_LIST, 0, 1, AT(tasks), .value_name = "NAME[,NAME]", .group = "Input",
        .doc = "Only these tasks: colorize, lowlight, dehaze, desnow, deblur, dewatermark, "
               "remove.",
        .check = check_task},
    {"tables", 0, OPTION_LIST, 0, 1, AT(tables), .value_name = "NAME[,NAME]", .group = "Input",
        .doc = "Only these tables of a set: tasks (with lengths of instructions), blind (auxiliary "
               "prompt only), ablation (up to 14 runs a pair).",
        .check = check_table},
    {"limit", 0, OPTION_INTEGER, 0, 1, AT(limit), 0, 1e6, "0", .group = "Input",
        .doc = "At most this many photos, spread evenly over all, or pairs of each task; 0 takes "
               "all."},
    {"size", 0, OPTION_INTEGER, 0, 1, AT(size), 64, 4096, "512", .group = "Input",
        .doc = "Side in pixels of the square that is cut from the middle of each photo and "
               "scaled."},
    {"degrade_seed", 0, OPTION_INTEGER, 0, 1, AT(degrade_seed), 0, 9e15, "1", .group = "Input",
        .doc = "Seed of the degradations: the same seed spoils the same photo in the same way."},
    {"lpips", 0, OPTION_TEXT, 0, 1, AT(lpips), .value_name = "FILE", .group = "Input",
        .doc = "Weights of LPIPS: the state_dict of lpips.LPIPS(net=\"alex\" or \"vgg\") as "
               "safetensors or torch zip. Adds columns to the tables."},
    {"json", 0, OPTION_TEXT, 0, 1, AT(json), .value_name = "FILE", .group = "Output",
        .doc = "Writes all tables as JSON, with one row a picture."},
    {"html", 0, OPTION_TEXT, 0, 1, AT(html), .value_name = "FILE", .group = "Output",
        .doc = "Writes a page with all tables and pictures, in one file. Needs libvips."},
    {"pictures", 0, OPTION_INTEGER, 0, 1, AT(pictures), 0, 4096, "6", .group = "Output",
        .doc = "Photos whose pictures the page shows, for each task."},
    {"write_set", 0, OPTION_TEXT, 0, 1, AT(write_set), .value_name = "DIR", .group = "Output",
        .doc = "Writes the pairs of the acceptance test as a folder and ends: no model is "
               "needed."},
    {"ppm", 0, OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(ppm), .group = "Output",
        .doc = "Pictures of --write-set as ppm instead of png, for a build without libvips."},
    {"write_photos", 0, OPTION_TEXT, 0, 1, AT(write_photos), .value_name = "DIR", .group = "Output",
        .doc = "Writes the photos' squares as ppm and ends: --photos for a build without libvips, "
               "with the same figures."},
    {"quiet", 'q', OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(quiet), .group = "Output",
        .doc = "No progress on standard error."},
    MODEL_OPTION_ROWS(struct eval_options, model),
    {"batch", 0, OPTION_INTEGER, 0, 1, AT(batch), 1, BATCHER_RUNS_MAX, "1", .group = "Model",
        .doc = "Pictures that share a UNet call: worth it on a GPU."},
    COMMAND_HELP_ROW(struct eval_options),
};

static const char *const params_without[] = {"previews", "output_format", "output_quality", NULL};

static const struct help_section sections[] = {
    {"PARAMETERS", "A parameter that isn't given takes the model's own recommendation, where its "
                   "file holds one, else the default named above."},
    {"EXIT STATUS", "    0  done, and all criteria that were measured are met\n"
                    "   10  done, but some criterion is not met\n"
                    "    1  failed while computing or writing\n"
                    "    2  wrong usage\n"
                    "    3  an input can't be used\n"
                    "    4  the model can't be loaded\n"
                    "    5  out of memory, on the host or the device\n"
                    "  130  interrupted"},
    {"EXAMPLES", "  promptfix-eval -m model.safetensors --photos held-out --html report.html\n"
                 "  promptfix-eval -m model.safetensors --photos held-out --limit 4 "
                 "--tasks dehaze\n"
                 "  promptfix-eval --photos held-out --write-set pairs\n"
                 "  promptfix-eval -m model.safetensors pairs --limit 8 --json tables.json"},
};

struct table {
    struct option_spec rows[COUNT_OF(rows) + PARAM_ROWS_MAX];
    size_t count;
};

static void table_init(struct table *table)
{
    memcpy(table->rows, rows, sizeof rows);
    table->count = COUNT_OF(rows);
    param_rows_append(table->rows, &table->count, AT(params), params_without);
}

static enum pf_status set_row(
    const struct option_spec *row, void *values, const char *value, struct pf_error *err)
{
    struct eval_options *options = values;
    return param_rows_set(row, options, &options->params, value, err);
}

static int fail(enum phase phase, const struct pf_error *err)
{
    fprintf(stderr, "promptfix-eval: %s\n", err->message);
    if (phase == PHASE_USAGE)
        fputs("Try 'promptfix-eval --help'.\n", stderr);
    return command_exit_code(phase, err->status);
}

static enum pf_status print_help(const struct table *table, struct pf_error *err)
{
    struct help_page page = {
        .name = "promptfix-eval",
        .summary = "measures how well a model fixes pictures",
        .synopsis = "  promptfix-eval --photos DIR [OPTION…]\n"
                    "  promptfix-eval SET [OPTION…]\n"
                    "  promptfix-eval --photos DIR --write-set DIR [OPTION…]",
        .description =
            "With --photos: the acceptance test. Clean photos are spoilt in seven ways by code of "
            "its own, given to the model, and what comes back is held against the criteria.\n"
            "\n"
            "With a SET of pairs (tar shards, or a folder with input/, target/, mask/ and "
            "instruction/): the tables of the PromptFix paper.",
        .options = table->rows,
        .option_count = table->count,
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    help_put_page(&text, &page);
    return command_print(&text, err);
}

/* An evaluation on its way. */
struct eval {
    const struct eval_options *options;
    struct photos photos;
    struct acceptance_options acceptance;
    const char *set; /* or NULL */
    struct pairs *pairs;
    struct pipeline *pipeline;
    struct engine engine;
    struct lpips *lpips; /* or NULL */
    struct report *report;
    enum phase phase;
};

static unsigned chosen_tasks(const struct eval_options *options)
{
    unsigned tasks = options->tasks.count == 0 ? TASKS_ALL : 0;
    for (size_t i = 0; i < options->tasks.count; i++)
        tasks |= 1u << task_find(options->tasks.items[i]);
    return tasks;
}

static unsigned chosen_tables(const struct eval_options *options)
{
    unsigned tables = options->tables.count == 0 ? TABLES_ALL : 0;
    for (size_t i = 0; i < options->tables.count; i++)
        tables |= 1u << table_find(options->tables.items[i]);
    return tables;
}

static enum pf_status check_usage(
    const struct eval_options *options, const char *set, struct pf_error *err)
{
    if (!set == (options->photos.count == 0))
        return pf_fail(err, PF_INVALID, "give either --photos DIR or a SET to measure on");
    int writes = options->write_set[0] || options->write_photos[0];
    if (set && writes)
        return pf_fail(err, PF_INVALID, "--write-set and --write-photos take --photos");
    return PF_OK;
}

static enum pf_status find_photos(struct eval *eval, struct pf_error *err)
{
    const struct eval_options *options = eval->options;
    for (size_t i = 0; i < options->photos.count; i++)
        PF_TRY(photos_add(&eval->photos, options->photos.items[i], err));
    if (eval->photos.count == 0)
        return pf_fail(err, PF_INVALID, "%s: no photos", options->photos.items[0]);
    eval->photos.limit = (size_t)options->limit;
    eval->acceptance = (struct acceptance_options){
        .photos = &eval->photos,
        .size = (int)options->size,
        .seed = (uint64_t)options->degrade_seed,
        .tasks = chosen_tasks(options),
        .pictures = options->html[0] ? options->pictures : 0,
    };
    return PF_OK;
}

/* The parameters that counted: the caller's, else the model's, else the table's. */
static void put_params(struct buffer *out, const struct eval *eval)
{
    struct params params = eval->options->params;
    params_apply_defaults(&params, &eval->pipeline->recommended);
    for (size_t i = 0; i < params_field_count; i++) {
        const struct param_field *field = &params_fields[i];
        if (strncmp(field->name, "output", 6) == 0 || strcmp(field->name, "previews") == 0)
            continue;
        buffer_put_format(out, "%s ", field->name);
        if (field->type == PARAM_CHOICE)
            buffer_put_text(out, params_choice_name(&params, field));
        else
            buffer_put_format(out, "%.15g", params_get(&params, field));
        buffer_put_text(out, eval->options->params.set & UINT64_C(1) << i ? " (given), " : ", ");
    }
}

static void put_facts(struct eval *eval)
{
    const struct eval_options *options = eval->options;
    struct report *report = eval->report;
    AUTO_BUFFER struct buffer facts = BUFFER_INIT;
    if (eval->set)
        buffer_put_format(&facts, "%zu pairs; ", pairs_count(eval->pairs));
    else
        buffer_put_format(&facts, "%zu photos of %" PRId64 "×%" PRId64 "; ",
            photos_used(&eval->photos), options->size, options->size);
    put_params(&facts, eval);
    if (eval->engine.done > 0)
        buffer_put_format(&facts, "%.2f s a picture",
            (double)eval->engine.busy_ms / 1000 / (double)eval->engine.done);
    snprintf(report->facts, sizeof report->facts, "%s.", facts.data ? facts.data : "");
}

static enum pf_status write_file(const char *path, const struct buffer *bytes, struct pf_error *err)
{
    PF_TRY(buffer_status(bytes, err));
    return file_write(path, bytes->data, bytes->size, FILE_MODE, 0, err);
}

static enum pf_status write_report(struct eval *eval, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    AUTO_BUFFER struct buffer html = BUFFER_INIT;
    eval->phase = PHASE_OUTPUT;
    put_facts(eval);
    report_write_text(eval->report, &text);
    PF_TRY(command_print(&text, err));
    if (eval->options->json[0]) {
        report_write_json(eval->report, &json);
        PF_TRY(write_file(eval->options->json, &json, err));
    }
    if (eval->options->html[0]) {
        report_write_html(eval->report, &html);
        PF_TRY(write_file(eval->options->html, &html, err));
    }
    return PF_OK;
}

static enum pf_status measure(struct eval *eval, struct pf_error *err)
{
    const struct eval_options *options = eval->options;
    eval->engine = (struct engine){
        .pipeline = eval->pipeline,
        .params = options->params,
        .batch = (int)options->batch,
        .progress = !options->quiet,
    };
    if (!eval->set) {
        eval->acceptance.lpips = eval->lpips;
        eval->engine.planned = acceptance_planned(&eval->acceptance);
        return acceptance_run(&eval->acceptance, &eval->engine, eval->report, err);
    }
    struct tables_options tables = {
        .pairs = eval->pairs,
        .tables = chosen_tables(options),
        .tasks = chosen_tasks(options),
        .limit = options->limit,
        .pictures = options->html[0] ? options->pictures : 0,
        .lpips = eval->lpips,
    };
    return tables_run(&tables, &eval->engine, eval->report, err);
}

static enum pf_status write_pictures(struct eval *eval, struct pf_error *err)
{
    const struct eval_options *options = eval->options;
    struct make_set_options set = {
        .acceptance = &eval->acceptance,
        .folder = options->write_set,
        .format = options->ppm ? PICTURE_PPM : PICTURE_PNG,
    };
    if (options->write_photos[0])
        PF_TRY(make_squares(&eval->acceptance, options->write_photos, err));
    return options->write_set[0] ? make_set(&set, err) : PF_OK;
}

static enum pf_status evaluate(struct eval *eval, struct pf_error *err)
{
    const struct eval_options *options = eval->options;
    eval->phase = PHASE_INPUT;
    PF_TRY(image_library_init("promptfix-eval", (int)options->model.threads, err));
    PF_TRY(eval->set ? pairs_open(&eval->pairs, eval->set, err) : find_photos(eval, err));
    if (options->write_set[0] || options->write_photos[0])
        return write_pictures(eval, err);
    if (options->json[0])
        PF_TRY(picture_check_output(options->json, err));
    if (options->html[0])
        PF_TRY(picture_check_output(options->html, err));
    if (options->lpips[0])
        PF_TRY(lpips_open(&eval->lpips, options->lpips, err));
    eval->phase = PHASE_MODEL;
    PF_TRY(model_options_open(&options->model, &eval->pipeline, err));
    eval->phase = PHASE_RUN;
    char title[REPORT_TEXT_SIZE];
    snprintf(title, sizeof title, "promptfix-eval: %s", eval->pipeline->name);
    eval->report = report_create(title, err);
    if (!eval->report)
        return PF_NOMEM;
    PF_TRY(measure(eval, err));
    return write_report(eval, err);
}

static int eval_with(const struct eval_options *options, const char *set)
{
    struct pf_error err = PF_ERROR_INIT;
    struct eval eval = {.options = options, .set = set};
    interrupt_install();
    tensor_set_interrupt(interrupt_wanted, NULL);
    int code = EXIT_CODE_OK;
    if (evaluate(&eval, &err) != PF_OK)
        code = fail(eval.phase, &err);
    else if (eval.report && !eval.report->passed)
        code = EXIT_BELOW;
    tensor_set_interrupt(NULL, NULL);
    report_destroy(eval.report);
    lpips_close(eval.lpips);
    pipeline_destroy(eval.pipeline);
    photos_finish(&eval.photos);
    pairs_close(eval.pairs);
    return code;
}

int main(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct eval_options options = {0};
    struct table table;
    const char *set = NULL;
    size_t set_count;
    table_init(&table);
    params_init(&options.params);
    if (options_init(table.rows, table.count, &options, &err) != PF_OK)
        return fail(PHASE_USAGE, &err);
    struct command_line line = {table.rows, table.count, &options, set_row, &set, 1};
    enum pf_status status = command_parse(&line, argc, argv, &set_count, &err);
    int code = EXIT_CODE_OK;
    if (status == PF_OK && options.help) {
        if (print_help(&table, &err) != PF_OK)
            code = fail(PHASE_OUTPUT, &err);
    } else if (status != PF_OK || check_usage(&options, set, &err) != PF_OK) {
        code = fail(PHASE_USAGE, &err);
    } else {
        code = eval_with(&options, set);
    }
    options_finish(table.rows, table.count, &options);
    return code;
}
