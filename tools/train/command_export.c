/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-train export and normalize: what makes a checkpoint of a state. */
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tools/train/commands.h"
#include "tools/train/export.h"

enum { TEXT_FILE_MAX = 1 << 20, TEXTS_MAX = 3 };

struct export_options {
    char *model, *out, *merges, *defaults, *card;
    int64_t dtype, help;
};

#define AT(member) offsetof(struct export_options, member)

static const char *const dtype_names[] = {"float16", "float32", NULL};

static const struct option_spec rows[] = {
    {"model", 'm', OPTION_TEXT, OPTION_REQUIRED, 1, AT(model), .value_name = "FILE",
        .group = "Files", .doc = "A training's state."},
    {"out", 'o', OPTION_TEXT, OPTION_REQUIRED, 1, AT(out), .value_name = "FILE", .group = "Files",
        .doc = "The checkpoint to write (safetensors)."},
    {"merges", 0, OPTION_TEXT, 0, 1, AT(merges), .value_name = "FILE", .group = "Metadata",
        .doc = "Merges table to put in."},
    {"defaults", 0, OPTION_TEXT, 0, 1, AT(defaults), .value_name = "FILE", .group = "Metadata",
        .doc = "JSON object of recommended job parameters to put in."},
    {"card", 0, OPTION_TEXT, 0, 1, AT(card), .value_name = "FILE", .group = "Metadata",
        .doc = "Text of the model card to put in."},
    {"dtype", 0, OPTION_CHOICE, 0, 1, AT(dtype), .default_text = "float16", .choices = dtype_names,
        .group = "Metadata", .doc = "Type of the weights written."},
    COMMAND_HELP_ROW(struct export_options),
};

static enum pf_status add_text(struct rewrite_text *texts, size_t *count, struct buffer *buffer,
    const char *key, const char *path, struct pf_error *err)
{
    if (!path[0])
        return PF_OK;
    PF_TRY(file_read(path, TEXT_FILE_MAX, buffer, err));
    buffer_put_text(buffer, "");
    PF_TRY(buffer_status(buffer, err));
    texts[(*count)++] = (struct rewrite_text){key, buffer->data};
    return PF_OK;
}

static enum pf_status export_state(
    const struct export_options *options, const struct checkpoint *state, struct pf_error *err)
{
    AUTO_BUFFER struct buffer merges = BUFFER_INIT, defaults = BUFFER_INIT, card = BUFFER_INIT;
    struct rewrite_text texts[TEXTS_MAX];
    size_t count = 0;
    PF_TRY(add_text(texts, &count, &merges, "merges", options->merges, err));
    PF_TRY(add_text(texts, &count, &defaults, "defaults", options->defaults, err));
    PF_TRY(add_text(texts, &count, &card, "card", options->card, err));
    return export_model(
        state, options->dtype == 0 ? DTYPE_F16 : DTYPE_F32, texts, count, options->out, err);
}

static int run_export(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct export_options options = {0};
    struct checkpoint *state = NULL;
    int code = EXIT_CODE_OK;
    struct train_command_line line = {&command_export, rows, COUNT_OF(rows), &options,
        &options.help, "  promptfix-train export --model FILE --out FILE [OPTION…]"};
    if (train_command_parse(&line, argc, argv, &code)) {
        if (checkpoint_open(&state, options.model, &err) != PF_OK)
            code = command_fail(command_export.name, PHASE_MODEL, &err);
        else if (export_state(&options, state, &err) != PF_OK)
            code = command_fail(command_export.name, PHASE_OUTPUT, &err);
    }
    checkpoint_close(state);
    options_finish(rows, COUNT_OF(rows), &options);
    return code;
}

const struct command command_export = {
    "export", "writes the checkpoint of a training's state", run_export};
