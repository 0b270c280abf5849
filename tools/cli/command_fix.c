/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix fix: one picture through the pipeline, in this process. Everything that can be checked
 * is checked before the model is loaded, and the result is written last and whole, so an interrupt
 * at any time leaves nothing behind. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pipeline/batcher.h"
#include "pipeline/image/image.h"
#include "tools/cli/command.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/model_options.h"
#include "tools/cli/param_rows.h"
#include "tools/cli/picture.h"
#include "tools/cli/progress.h"

enum { INSTRUCTION_MAX = 8000 }; /* bytes; the HTTP API takes 2000 characters */

enum progress_choice {
    PROGRESS_CHOICE_AUTO,
    PROGRESS_CHOICE_BAR,
    PROGRESS_CHOICE_LINES,
    PROGRESS_CHOICE_OFF
};
static const char *const progress_names[] = {"auto", "bar", "lines", "off", NULL};

struct fix_options {
    char *instruction, *output, *mask, *auxiliary_prompt;
    struct model_options model;
    struct params params;
    int64_t max_pixels, progress, quiet, help;
};

#define AT(member) offsetof(struct fix_options, member)

static const struct option_spec rows[] = {
    {"instruction", 'i', OPTION_TEXT, 0, 1, AT(instruction), 0, INSTRUCTION_MAX, .group = "Request",
        .doc = "What to do, in plain words: \"remove the haze\". May be left out when there is an "
               "auxiliary prompt, which then steers alone."},
    {"output", 'o', OPTION_TEXT, OPTION_REQUIRED, 1, AT(output), .value_name = "FILE",
        .group = "Request",
        .doc = "Where the fixed picture goes. Its ending (png, jpg, jpeg, webp) chooses the format "
               "unless --output-format is given; .safetensors writes a tensor."},
    {"mask", 0, OPTION_TEXT, 0, 1, AT(mask), .value_name = "FILE", .group = "Request",
        .doc = "An image that is white where the picture is to be changed (or transparent, when it "
               "has an alpha channel). High-frequency guidance leaves that region alone; see "
               "--guidance-region."},
    {"auxiliary_prompt", 0, OPTION_TEXT, 0, 1, AT(auxiliary_prompt), 0, INSTRUCTION_MAX,
        .group = "Request",
        .doc =
            "What is wrong with the picture and what it shows, as the model's second text: \"The "
            "picture is hazy. It shows a bridge.\""},
    MODEL_OPTION_ROWS(struct fix_options, model),
    {"max_pixels", 0, OPTION_INTEGER, 0, 1, AT(max_pixels), 4096, 1e9, "50000000",
        .group = "General", .doc = "Most pixels of the picture, by its header."},
    {"progress", 0, OPTION_CHOICE, 0, 1, AT(progress), .default_text = "auto",
        .choices = progress_names, .group = "General",
        .doc = "How progress is shown on standard error: a bar, a line for each step, or not. auto "
               "shows the bar on a terminal and nothing elsewhere."},
    {"quiet", 'q', OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(quiet), .group = "General",
        .doc = "Prints neither progress nor the line about the result."},
    COMMAND_HELP_ROW(struct fix_options),
};

static const char *const params_without[] = {"previews", "previews_decoded", NULL};

static const struct help_section sections[] = {
    {"PARAMETERS", "A parameter that isn't given takes the model's own recommendation, where its "
                   "file holds one, "
                   "else the default named above."},
    {"TENSORS",
        "Files whose names end in .safetensors are tensors: the picture is `image` [1,3,H,W] "
        "float32 in "
        "[-1,1], a mask is `mask` [1,1,H,W] in [0,1]. A build without libvips takes nothing else."},
    {"EXIT STATUS", command_exit_text},
    {"EXAMPLES", "  promptfix fix photo.jpg -i \"remove the haze\" -o fixed.png -m promptfix.ckpt\n"
                 "\n"
                 "  promptfix fix street.jpg -i \"remove the car\" --mask car.png --steps 50 \\\n"
                 "      -o fixed.jpg --output-quality 95 -m promptfix.ckpt --merges merges.txt\n"
                 "\n"
                 "  promptfix fix night.png -m promptfix.ckpt -o day.webp \\\n"
                 "      --auxiliary-prompt \"The photo is too dark. It shows a harbour.\""},
};

static enum pf_status set_row(
    const struct option_spec *row, void *values, const char *value, struct pf_error *err)
{
    struct fix_options *options = values;
    return param_rows_set(row, options, &options->params, value, err);
}

static enum pf_status print_help(const struct param_table *table, struct pf_error *err)
{
    struct help_page page = {
        .name = "promptfix fix",
        .summary = command_fix.summary,
        .synopsis = "  promptfix fix PHOTO -i INSTRUCTION -o FILE [--model FILE] [OPTION…]",
        .description =
            "Changes PHOTO (png, jpeg or webp) as the instruction says and writes the result, "
            "which has "
            "the size and the alpha channel of the input. EXIF orientation is applied, colours are "
            "converted to sRGB.\n"
            "\n"
            "The model was trained for colorization, object removal, dehazing, deblurring, "
            "watermark "
            "removal, snow removal and low-light enhancement; the instruction chooses.",
        .options = table->rows,
        .option_count = table->count,
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    return command_print_page(&page, err);
}

/* One picture on its way. */
struct fix {
    const struct fix_options *options;
    const char *input;
    struct params params;
    struct image image, result;
    float *mask;
    int mask_width, mask_height;
    struct pipeline *pipeline;
    struct run *run;
    struct progress progress;
    enum phase phase;
};

static void fix_finish(struct fix *fix)
{
    progress_end(&fix->progress);
    run_destroy(fix->run);
    pipeline_destroy(fix->pipeline);
    image_finish(&fix->image);
    image_finish(&fix->result);
    free(fix->mask);
}

static enum pf_status check_usage(
    const struct fix_options *options, size_t input_count, struct pf_error *err)
{
    enum image_format format;
    if (input_count == 0)
        return pf_fail(err, PF_INVALID, "no picture given");
    if (!options->output[0])
        return pf_fail(err, PF_INVALID, "no output given: --output FILE");
    if (!options->instruction[0] && !options->auxiliary_prompt[0])
        return pf_fail(err, PF_INVALID, "no instruction given: --instruction TEXT");
    uint64_t format_bit = UINT64_C(1) << (params_find("output_format") - params_fields);
    if (!(options->params.set & format_bit) && !picture_is_tensor(options->output) &&
        !picture_format_of(options->output, &format))
        return pf_fail(err, PF_INVALID,
            "--output is '%s', expected an ending of png, jpg, jpeg, webp or safetensors, or "
            "--output-format",
            options->output);
    return PF_OK;
}

static enum progress_style style_of(const struct fix_options *options)
{
    const char *terminal = getenv("TERM");
    int can_draw = isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
    if (options->quiet)
        return PROGRESS_OFF;
    switch ((enum progress_choice)options->progress) {
    case PROGRESS_CHOICE_AUTO:
        return can_draw ? PROGRESS_BAR : PROGRESS_OFF;
    case PROGRESS_CHOICE_BAR:
        return PROGRESS_BAR;
    case PROGRESS_CHOICE_LINES:
        return PROGRESS_LINES;
    case PROGRESS_CHOICE_OFF:
        break;
    }
    return PROGRESS_OFF;
}

static enum pf_status read_input(struct fix *fix, struct pf_error *err)
{
    const struct fix_options *options = fix->options;
    struct image_limits limits = IMAGE_LIMITS_DEFAULT;
    limits.max_pixels = options->max_pixels;
    fix->params = options->params;
    uint64_t format_bit = UINT64_C(1) << (params_find("output_format") - params_fields);
    enum image_format format;
    if (!(fix->params.set & format_bit) && picture_format_of(options->output, &format)) {
        fix->params.output_format = format;
        fix->params.set |= format_bit;
    }
    PF_TRY(picture_check_output(options->output, err));
    PF_TRY(image_library_init("promptfix", (int)options->model.threads, err));
    PF_TRY(picture_read(fix->input, &limits, &fix->image, err));
    if (!options->mask[0])
        return PF_OK;
    return picture_read_mask(
        options->mask, &limits, &fix->mask_width, &fix->mask_height, &fix->mask, err);
}

static enum pf_status begin(struct fix *fix, struct pf_error *err)
{
    struct run_request request = {
        .instruction = fix->options->instruction,
        .auxiliary_prompt = fix->options->auxiliary_prompt,
        .params = fix->params,
        .image = &fix->image,
        .mask = fix->mask,
        .mask_width = fix->mask_width,
        .mask_height = fix->mask_height,
    };
    PF_TRY(run_begin(&fix->run, fix->pipeline, &request, err));
    image_finish(&fix->image);
    return PF_OK;
}

static enum pf_status sample(struct fix *fix, struct pf_error *err)
{
    struct batcher batcher;
    batcher_init(&batcher, fix->pipeline, 1);
    PF_TRY(batcher_add(&batcher, fix->run, err));
    const struct run_progress *done = run_progress(fix->run);
    while (!run_done(fix->run)) {
        struct batcher_step step;
        progress_step(&fix->progress, done->step, done->steps, done->sample_ms);
        batcher_step(&batcher, &step);
        if (step.count == 1 && step.errors[0].status != PF_OK)
            return pf_fail(err, step.errors[0].status, "%s", step.errors[0].message);
        if (interrupt_wanted(NULL))
            return pf_fail(
                err, PF_CANCELLED, "interrupted after step %d of %d", done->step, done->steps);
    }
    progress_step(&fix->progress, done->step, done->steps, done->sample_ms);
    return PF_OK;
}

static enum pf_status fix_picture(struct fix *fix, struct pf_error *err)
{
    fix->phase = PHASE_INPUT;
    PF_TRY(read_input(fix, err));
    fix->phase = PHASE_MODEL;
    progress_note(&fix->progress, "loading the model …");
    PF_TRY(model_options_open(&fix->options->model, &fix->pipeline, err));
    fix->phase = PHASE_INPUT;
    progress_note(&fix->progress, "looking at the picture …");
    PF_TRY(begin(fix, err));
    fix->phase = PHASE_RUN;
    PF_TRY(sample(fix, err));
    PF_TRY(run_finish(fix->run, &fix->result, err));
    if (interrupt_wanted(NULL))
        return pf_fail(err, PF_CANCELLED, "interrupted before the result was written");
    fix->phase = PHASE_OUTPUT;
    const struct params *params = run_params(fix->run);
    return picture_write(fix->options->output, &fix->result,
        (enum image_format)params->output_format, (int)params->output_quality, err);
}

static void print_summary(const struct fix *fix)
{
    const struct run_progress *done = run_progress(fix->run);
    fprintf(stderr,
        "%s: %d×%d, %d steps; load %.1f s, encode %.1f s, sample %.1f s, decode %.1f s\n",
        fix->options->output, fix->result.width, fix->result.height, done->steps,
        (double)fix->pipeline->load_ms / 1000, (double)done->encode_ms / 1000,
        (double)done->sample_ms / 1000, (double)done->decode_ms / 1000);
}

static int fix_with(const struct fix_options *options, const char *input)
{
    struct pf_error err = PF_ERROR_INIT;
    struct fix fix = {
        .options = options, .input = input, .progress = {stderr, style_of(options), 0}};
    interrupt_install();
    tensor_set_interrupt(interrupt_wanted, NULL);
    enum pf_status status = fix_picture(&fix, &err);
    progress_end(&fix.progress);
    int code = EXIT_CODE_OK;
    if (status != PF_OK)
        code = command_fail(command_fix.name, fix.phase, &err);
    else if (!options->quiet)
        print_summary(&fix);
    tensor_set_interrupt(NULL, NULL);
    fix_finish(&fix);
    return code;
}

static int run_fix(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct fix_options options = {0};
    struct param_table table;
    const char *input = NULL;
    size_t input_count;
    param_table_init(&table, rows, COUNT_OF(rows), "General", AT(params), params_without);
    params_init(&options.params);
    if (options_init(table.rows, table.count, &options, &err) != PF_OK)
        return command_fail(command_fix.name, PHASE_USAGE, &err);
    struct command_line line = {table.rows, table.count, &options, set_row, &input, 1};
    enum pf_status status = command_parse(&line, argc, argv, &input_count, &err);
    int code = EXIT_CODE_OK;
    if (status == PF_OK && options.help) {
        if (print_help(&table, &err) != PF_OK)
            code = command_fail(command_fix.name, PHASE_OUTPUT, &err);
    } else if (status != PF_OK || check_usage(&options, input_count, &err) != PF_OK) {
        code = command_fail(command_fix.name, PHASE_USAGE, &err);
    } else {
        code = fix_with(&options, input);
    }
    options_finish(table.rows, table.count, &options);
    return code;
}

const struct command command_fix = {"fix", COMMAND_FIX_SUMMARY, run_fix};
