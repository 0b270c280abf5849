/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix-train normalize and merges: what is learned by counting over the data. */
#include <stddef.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "tools/train/batch.h"
#include "tools/train/commands.h"
#include "tools/train/export.h"
#include "tools/train/learn_merges.h"

struct data_options {
    char *model, *data, *out, *merges;
    int64_t pairs, rows, size, count, help;
};

#define AT(member) offsetof(struct data_options, member)

static const struct option_spec normalize_rows[] = {
    {"model", 'm', OPTION_TEXT, OPTION_REQUIRED, 1, AT(model), .value_name = "FILE",
        .group = "Files", .doc = "Checkpoint with a trained autoencoder."},
    {"data", 'd', OPTION_TEXT, OPTION_REQUIRED, 1, AT(data), .value_name = "DIR", .group = "Files",
        .doc = "Shards of pairs."},
    {"out", 'o', OPTION_TEXT, OPTION_REQUIRED, 1, AT(out), .value_name = "FILE", .group = "Files",
        .doc = "The checkpoint to write."},
    {"merges", 0, OPTION_TEXT, 0, 1, AT(merges), .value_name = "FILE", .group = "Files",
        .doc = "Merges table, when the checkpoint holds none."},
    {"pairs", 0, OPTION_INTEGER, 0, 1, AT(pairs), 1, 1e6, "512", .group = "Data",
        .doc = "Targets to measure."},
    {"rows", 0, OPTION_INTEGER, 0, 1, AT(rows), 1, BATCH_ROWS_MAX, "16", .group = "Data",
        .doc = "Encoded at a time."},
    {"size", 0, OPTION_INTEGER, 0, 1, AT(size), 16, 1024, "128", .group = "Data",
        .doc = "Pixels a side."},
    COMMAND_HELP_ROW(struct data_options),
};

static const struct option_spec merges_rows[] = {
    {"data", 'd', OPTION_TEXT, OPTION_REQUIRED, 1, AT(data), .value_name = "DIR", .group = "Files",
        .doc = "Shards whose instructions and auxiliary prompts are read."},
    {"out", 'o', OPTION_TEXT, OPTION_REQUIRED, 1, AT(out), .value_name = "FILE", .group = "Files",
        .doc = "The merges table to write."},
    {"count", 0, OPTION_INTEGER, 0, 1, AT(count), 1, 100000, "1534", .group = "Data",
        .doc = "Merges; the vocabulary has 514 tokens more."},
    COMMAND_HELP_ROW(struct data_options),
};

static enum pf_status normalize(
    const struct data_options *options, struct shards *shards, struct pf_error *err)
{
    struct normalize_options n = {shards, options->pairs, options->rows, options->size};
    PF_TRY(image_library_init("promptfix-train", 1, err));
    return normalize_latents(options->model, options->merges, &n, options->out, err);
}

static enum pf_status add_texts(
    struct learn_merges *learn, const struct shards *shards, struct pf_error *err)
{
    for (size_t i = 0; i < shards_count(shards); i++) {
        struct sample sample = {0};
        PF_TRY(shards_read_texts(shards, i, &sample, err));
        enum pf_status status = learn_merges_add(learn, sample.instruction, err);
        if (status == PF_OK)
            status = learn_merges_add(learn, sample.auxiliary, err);
        sample_finish(&sample);
        PF_TRY(status);
    }
    return PF_OK;
}

static enum pf_status learn(
    const struct data_options *options, struct shards *shards, struct pf_error *err)
{
    AUTO_BUFFER struct buffer table = BUFFER_INIT;
    struct learn_merges *learner = NULL;
    PF_TRY(learn_merges_create(&learner, err));
    enum pf_status status = add_texts(learner, shards, err);
    if (status == PF_OK)
        status = learn_merges_finish(learner, (int)options->count, &table, err);
    if (status == PF_OK)
        status = file_write(options->out, table.data, table.size, 0644, 0, err);
    learn_merges_destroy(learner);
    return status;
}

static int run_with(const struct train_command_line *line, int argc, char **argv,
    enum pf_status (*work)(const struct data_options *, struct shards *, struct pf_error *))
{
    struct pf_error err = PF_ERROR_INIT;
    struct data_options *options = line->values;
    struct shards *shards = NULL;
    int code = EXIT_CODE_OK;
    if (train_command_parse(line, argc, argv, &code)) {
        if (shards_open(&shards, options->data, &err) != PF_OK)
            code = command_fail(line->command->name, PHASE_INPUT, &err);
        else if (work(options, shards, &err) != PF_OK)
            code = command_fail(line->command->name, PHASE_RUN, &err);
    }
    shards_close(shards);
    options_finish(line->rows, line->row_count, options);
    return code;
}

static int run_normalize(int argc, char **argv)
{
    struct data_options options = {0};
    struct train_command_line line = {&command_normalize, normalize_rows, COUNT_OF(normalize_rows),
        &options, &options.help,
        "  promptfix-train normalize --model FILE --data DIR --out FILE [OPTION…]"};
    return run_with(&line, argc, argv, normalize);
}

static int run_merges(int argc, char **argv)
{
    struct data_options options = {0};
    struct train_command_line line = {&command_merges, merges_rows, COUNT_OF(merges_rows), &options,
        &options.help, "  promptfix-train merges --data DIR --out FILE [--count N]"};
    return run_with(&line, argc, argv, learn);
}

const struct command command_normalize = {
    "normalize", "gives the latents mean 0 and deviation 1", run_normalize};
const struct command command_merges = {"merges", "learns a tokenizer's merges table", run_merges};
