/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix inspect: what a checkpoint is and can do, without loading it. */
#include "base/cleanup.h"
#include "pipeline/weights/inspect.h"
#include "tools/cli/command.h"

struct inspect_options {
    int64_t json, help;
};

static const struct option_spec rows[] = {
    {"json", 0, OPTION_SWITCH, OPTION_NOT_NEGATED, 1, offsetof(struct inspect_options, json),
        .group = "General", .doc = "Prints one JSON object."},
    COMMAND_HELP_ROW(struct inspect_options),
};

static const struct help_section sections[] = {
    {"EXIT STATUS",
        "    0  the model can be run\n"
        "    1  the report can't be written\n"
        "    2  wrong usage\n"
        "    4  the file can't be read, or holds no model that can be run; when it is a\n"
        "       checkpoint at all, the report says what it lacks\n"
        "    5  out of memory"},
    {"EXAMPLES", "  promptfix inspect promptfix.ckpt\n"
                 "  promptfix inspect model.safetensors --json | jq .parts"},
};

static enum pf_status print_help(struct pf_error *err)
{
    struct help_page page = {
        .name = "promptfix inspect",
        .summary = command_inspect.summary,
        .synopsis = "  promptfix inspect FILE [--json]",
        .description = "Reads the names, shapes and types of a checkpoint's tensors (no weights, "
                       "so it takes no "
                       "time whatever the size) and prints its parts with their sizes, what the "
                       "model can do, and "
                       "how many tensors nobody uses.",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    return command_print_page(&page, err);
}

/* *ret_problem: why the model can't be run, PF_OK when it can. */
static enum pf_status put_report(struct buffer *out, const char *path, int json,
    struct pf_error *ret_problem, struct pf_error *err)
{
    struct checkpoint *checkpoint;
    struct inspect inspect;
    PF_TRY(checkpoint_open(&checkpoint, path, err));
    enum pf_status status = inspect_read(checkpoint, &inspect, err);
    if (status == PF_OK) {
        if (json)
            inspect_put_json(out, &inspect);
        else
            inspect_put_text(out, &inspect);
        *ret_problem = inspect.problem;
        inspect_finish(&inspect);
    }
    checkpoint_close(checkpoint);
    return status;
}

static int inspect_file(const char *path, int json)
{
    struct pf_error err = PF_ERROR_INIT, problem = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    if (put_report(&text, path, json, &problem, &err) != PF_OK)
        return command_fail(command_inspect.name, PHASE_MODEL, &err);
    if (text.size && text.data[text.size - 1] != '\n')
        buffer_put_text(&text, "\n");
    if (command_print(&text, &err) != PF_OK)
        return command_fail(command_inspect.name, PHASE_OUTPUT, &err);
    return problem.status == PF_OK ? EXIT_CODE_OK : EXIT_CODE_MODEL;
}

static int run_inspect(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct inspect_options options = {0};
    const char *path = NULL;
    size_t path_count = 0;
    struct command_line line = {rows, COUNT_OF(rows), &options, NULL, &path, 1};
    enum pf_status status = command_parse(&line, argc, argv, &path_count, &err);
    if (status == PF_OK && options.help) {
        if (print_help(&err) == PF_OK)
            return EXIT_CODE_OK;
        return command_fail(command_inspect.name, PHASE_OUTPUT, &err);
    }
    if (status == PF_OK && path_count == 0)
        status = pf_fail(&err, PF_INVALID, "no checkpoint given");
    if (status != PF_OK)
        return command_fail(command_inspect.name, PHASE_USAGE, &err);
    return inspect_file(path, (int)options.json);
}

const struct command command_inspect = {
    "inspect", "says what a checkpoint is, what it holds and what it can do", run_inspect};
