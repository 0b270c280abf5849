/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix submit: many images through a server. Everything that can be checked here is checked
 * before anything is sent. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/cli/command.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/manifest.h"
#include "tools/cli/param_rows.h"
#include "tools/cli/remote.h"
#include "tools/cli/server_options.h"
#include "tools/cli/submit.h"

enum {
    INSTRUCTION_MAX = 8000, /* bytes; the server counts characters */
    FIRST_RETRY_MS = 10000, /* for the first answer: an address may be mistyped */
    OUT_MODE = 0777,
};

struct submit_flags {
    char *instruction, *auxiliary_prompt, *metadata, *webhook_url;
    char *output, *manifest, *report;
    struct server_options server;
    struct params params;
    int64_t output_format; /* index into formats */
    int64_t auxiliary, priority, parallel, cancel_on_interrupt, verbose, quiet, help;
};

#define AT(member) offsetof(struct submit_flags, member)

/* In the order of enum image_format, behind "same". */
static const char *const formats[] = {"same", "png", "jpeg", "webp", NULL};

static const struct option_spec rows[] = {
    {"instruction", 'i', OPTION_TEXT, 0, 1, AT(instruction), 0, INSTRUCTION_MAX, .group = "Request",
        .doc = "What to do to each image, in plain words: \"remove the haze\". May be left out "
               "when the manifest has one for each, or with an auxiliary prompt."},
    {"output", 'o', OPTION_TEXT, OPTION_REQUIRED, 1, AT(output), .value_name = "DIR",
        .group = "Request", .doc = "Folder the results go to; made when missing."},
    {"output_format", 0, OPTION_CHOICE, 0, 1, AT(output_format), .default_text = "same",
        .choices = formats, .group = "Request",
        .doc = "File format of the results; same keeps that of each image."},
    {"manifest", 0, OPTION_TEXT, 0, 1, AT(manifest), .value_name = "FILE", .group = "Request",
        .doc = "List of images with an instruction each; see MANIFEST."},
    {"auxiliary_prompt", 0, OPTION_TEXT, 0, 1, AT(auxiliary_prompt), 0, INSTRUCTION_MAX,
        .group = "Request",
        .doc = "What is wrong with the images and what they show, as the model's second text."},
    {"auxiliary", 0, OPTION_CHOICE, 0, 1, AT(auxiliary), .default_text = "off",
        .choices = request_auxiliary_names, .group = "Request",
        .doc = "auto has the server ask a vision-language model for each image's auxiliary "
               "prompt, where it has one; an instruction may then be left out."},
    {"priority", 0, OPTION_CHOICE, 0, 1, AT(priority), .default_text = "batch",
        .choices = request_priority_names, .group = "Request",
        .doc = "Whether people's jobs go first."},
    {"metadata", 0, OPTION_TEXT, 0, 1, AT(metadata), 0, 4096, .value_name = "JSON",
        .group = "Request", .doc = "A JSON object that is kept with every job."},
    {"webhook_url", 0, OPTION_TEXT, 0, 1, AT(webhook_url), .value_name = "URL", .group = "Request",
        .doc = "Told by the server of every job's end."},
    SERVER_OPTION_ROWS(struct submit_flags, server),
    {"parallel", 'p', OPTION_INTEGER, 0, 1, AT(parallel), 1, SUBMIT_PARALLEL_MAX, "4",
        .group = "General", .doc = "Most images on their way at a time."},
    {"report", 0, OPTION_TEXT, 0, 1, AT(report), .value_name = "FILE", .group = "General",
        .doc = "Where to write what became of each image; see REPORT. Without it report.jsonl in "
               "the output folder."},
    {"cancel_on_interrupt", 0, OPTION_SWITCH, 0, 1, AT(cancel_on_interrupt), .group = "General",
        .doc = "After Ctrl-C the jobs in flight are cancelled. Otherwise the server finishes them "
               "and a rerun fetches their results."},
    {"verbose", 'v', OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(verbose), .group = "General",
        .doc = "A line for each image, also on a terminal and for those done in an earlier run."},
    {"quiet", 'q', OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(quiet), .group = "General",
        .doc = "Shows no progress and no summary."},
    COMMAND_HELP_ROW(struct submit_flags),
};

/* Nobody sees previews here; the format has a row of its own. */
static const char *const params_without[] = {"previews", "previews_decoded", "output_format", NULL};

static const struct help_section sections[] = {
    {"PARAMETERS", "A parameter that isn't given takes the recommendation of the server's model, "
                   "where that has one, else the default named above."},
    {"FILES",
        "Folders are searched with all below them for png, jpeg and webp files, known by their "
        "content; names that begin with a dot and links to folders are passed over. Results have "
        "the same paths below the output folder, and the format of their image unless "
        "--output-format is given; an ending that doesn't fit the format is replaced. A result is "
        "there whole or not at all."},
    {"RERUNS",
        "A run that was interrupted is started again with the same command: images that the "
        "report has as succeeded for the same request, and whose results are there, are passed "
        "over; jobs still known to the server go on instead of starting anew (idempotency keys "
        "made from image, instruction and parameters); what failed is tried again."},
    {"MANIFEST",
        "A JSON object a line, with `image` (a path, relative to the manifest's folder) and any "
        "of `instruction`, `auxiliary`, `auxiliary_prompt`, `mask` (a file), `output` (a path "
        "below the output folder), `metadata`, `priority`, `webhook_url` and the parameters above "
        "with '_' for '-'. What a line doesn't say is as on the command line.\n"
        "\n"
        "  {\"image\": \"a.jpg\", \"instruction\": \"remove the snow\", \"steps\": 30}\n"
        "  {\"image\": \"b.png\", \"mask\": \"b-mask.png\"}"},
    {"REPORT",
        "A JSON object a line, appended when an image is done: `time`, `status` (succeeded, "
        "failed, cancelled, interrupted), `source`, `output`, `request` (hash of image and "
        "request), `job`, `replayed` (the job was there from an earlier run), `attempts`, "
        "`elapsed_ms`, `format`, `width`, `height`, `bytes`, `error` (`code`, `message`). Where "
        "an image has several lines, the last one counts."},
    {"EXIT STATUS", "    0  all images are done\n"
                    "    1  some failed: see the report; or a result could not be written\n"
                    "    2  wrong usage\n"
                    "    3  an input can't be used: no images, a file missing, a bad line of\n"
                    "       the manifest; nothing was sent\n"
                    "    5  out of memory\n"
                    "    6  the server can't be reached, stays full, or refuses the API key;\n"
                    "       images that are left are done by a rerun\n"
                    "  130  interrupted; images that are left are done by a rerun"},
    {"EXAMPLES", "  promptfix submit holiday -i \"remove the haze\" -o fixed\n"
                 "\n"
                 "  promptfix submit a b c.jpg -i \"sharpen\" -o fixed --parallel 8 --steps 30 \\\n"
                 "      --server https://fix.example.org --key-file ~/.promptfix-key\n"
                 "\n"
                 "  promptfix submit --manifest list.jsonl -o fixed"},
};

static enum pf_status set_row(
    const struct option_spec *row, void *values, const char *value, struct pf_error *err)
{
    struct submit_flags *flags = values;
    return param_rows_set(row, flags, &flags->params, value, err);
}

static enum pf_status print_help(const struct param_table *table, struct pf_error *err)
{
    struct help_page page = {
        .name = "promptfix submit",
        .summary = command_submit.summary,
        .synopsis = "  promptfix submit DIR|FILE… -i INSTRUCTION -o DIR [--server URL] [OPTION…]\n"
                    "  promptfix submit --manifest FILE -o DIR [--server URL] [OPTION…]",
        .description = "Sends images to a promptfixd, a few at a time, follows their jobs and "
                       "brings the results home. Dropped connections, a server that restarts and "
                       "one whose queue is full are waited out.",
        .options = table->rows,
        .option_count = table->count,
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    return command_print_page(&page, err);
}

/* ---- before anything is sent ---- */

static enum pf_status check_usage(
    const struct submit_flags *flags, size_t path_count, struct pf_error *err)
{
    if (path_count == 0 && !*flags->manifest)
        return pf_fail(err, PF_INVALID, "no images given: a folder, files or --manifest");
    if (!*flags->output)
        return pf_fail(err, PF_INVALID, "no output folder given: --output DIR");
    int is_blind = strcmp(request_auxiliary_names[flags->auxiliary], "auto") == 0;
    if (path_count > 0 && !*flags->instruction && !*flags->auxiliary_prompt && !is_blind)
        return pf_fail(err, PF_INVALID, "no instruction given: --instruction TEXT");
    return PF_OK;
}

static enum pf_status find_items(struct items *items, const struct submit_flags *flags,
    const char *const *paths, size_t path_count, struct pf_error *err)
{
    const struct request *request;
    struct params params = flags->params;
    if (flags->output_format > 0) {
        params.output_format = flags->output_format - 1;
        params.set |= UINT64_C(1) << (params_find("output_format") - params_fields);
    }
    struct request common = {.instruction = flags->instruction,
        .auxiliary_prompt = flags->auxiliary_prompt,
        .mask = (char[]){""},
        .metadata = flags->metadata,
        .webhook_url = flags->webhook_url,
        .auxiliary = request_auxiliary_names[flags->auxiliary],
        .priority = request_priority_names[flags->priority],
        .params = params};
    PF_TRY(items_add_request(items, &common, &request, err));
    for (size_t i = 0; i < path_count; i++)
        PF_TRY(items_add_path(items, paths[i], request, err));
    if (*flags->manifest)
        PF_TRY(manifest_read(items, flags->manifest, request, err));
    if (items->count == 0)
        return pf_fail(err, PF_NOT_FOUND, "no images: %zu other files", items->ignored_count);
    return items_check(items, err);
}

static enum pf_status make_output(const char *path, struct pf_error *err)
{
    AUTO_FREE char *copy = strdup(path);
    struct stat info;
    if (!copy)
        return pf_fail(err, PF_NOMEM, "no memory for a path");
    for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)!mkdir(copy, OUT_MODE); /* the last one tells */
        *slash = '/';
    }
    if (mkdir(path, OUT_MODE) != 0 && errno != EEXIST)
        return pf_fail_errno(err, errno, "%s", path);
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode))
        return pf_fail(err, PF_INVALID, "%s is not a folder", path);
    return PF_OK;
}

/* ---- the run ---- */

struct batch {
    const struct submit_flags *flags;
    struct items items;
    struct server_access access;
    struct report *report;
    struct remote_limits limits;
    struct submit_counts counts;
    enum phase phase;
};

static int is_interrupted(void *context)
{
    return interrupt_wanted(context);
}

/* Whether there is a server, that takes our key, and what it takes. */
static enum pf_status ask_server(struct batch *batch, struct pf_error *err)
{
    struct client *client;
    struct client_options options = server_client_options(&batch->flags->server, &batch->access);
    options.is_stopped = is_interrupted;
    if (options.retry_for_ms > FIRST_RETRY_MS)
        options.retry_for_ms = FIRST_RETRY_MS;
    PF_TRY(client_library_init(err));
    PF_TRY(client_create(&client, &options, err));
    enum pf_status status = remote_get_limits(client, &batch->limits, err);
    client_destroy(client);
    PF_TRY(status);
    for (size_t i = 0; i < batch->items.count && !batch->limits.has_auxiliary; i++)
        if (strcmp(batch->items.list[i].request->auxiliary, "auto") == 0)
            return pf_fail(
                err, PF_UNSUPPORTED, "auxiliary 'auto': the server has no vision-language model");
    return PF_OK;
}

static enum board_style style_of(const struct submit_flags *flags)
{
    const char *terminal = getenv("TERM");
    if (flags->quiet)
        return BOARD_OFF;
    return isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0) ? BOARD_BAR
                                                                                 : BOARD_LINES;
}

static void print_summary(const struct batch *batch)
{
    const struct submit_counts *counts = &batch->counts;
    fprintf(stderr, "%zu done", counts->succeeded);
    if (counts->skipped > 0)
        fprintf(stderr, ", %zu done before", counts->skipped);
    if (counts->failed > 0)
        fprintf(stderr, ", %zu failed", counts->failed);
    if (counts->left > 0)
        fprintf(stderr, ", %zu left", counts->left);
    if (batch->items.ignored_count > 0)
        fprintf(stderr, "; %zu other files", batch->items.ignored_count);
    fprintf(stderr, "\n");
}

static enum pf_status open_report(struct batch *batch, struct pf_error *err)
{
    const struct submit_flags *flags = batch->flags;
    AUTO_BUFFER struct buffer path = BUFFER_INIT_MAX(ITEMS_PATH_MAX);
    if (*flags->report)
        buffer_put_text(&path, flags->report);
    else
        buffer_put_format(&path, "%s/report.jsonl", flags->output);
    PF_TRY(buffer_status(&path, err));
    return report_open(&batch->report, path.data, err);
}

static enum pf_status send_all(struct batch *batch, struct pf_error *err)
{
    const struct submit_flags *flags = batch->flags;
    struct board board;
    struct submit_options options = {
        .client = server_client_options(&flags->server, &batch->access),
        .out = flags->output,
        .items = &batch->items,
        .report = batch->report,
        .board = &board,
        .parallel = (size_t)flags->parallel,
        .body_max = batch->limits.body_bytes,
        .cancels = (int)flags->cancel_on_interrupt,
        .interrupted = is_interrupted};
    board_init(&board, stderr, style_of(flags), (int)flags->verbose, batch->items.count);
    enum pf_status status = submit_run(&options, &batch->counts, &batch->phase, err);
    board_finish(&board);
    if (!flags->quiet)
        print_summary(batch);
    return status;
}

static enum pf_status run_batch(
    struct batch *batch, const char *const *paths, size_t path_count, struct pf_error *err)
{
    batch->phase = PHASE_USAGE;
    PF_TRY(check_usage(batch->flags, path_count, err));
    PF_TRY(server_access_open(&batch->access, &batch->flags->server, err));
    batch->phase = PHASE_INPUT;
    PF_TRY(find_items(&batch->items, batch->flags, paths, path_count, err));
    batch->phase = PHASE_OUTPUT;
    PF_TRY(make_output(batch->flags->output, err));
    PF_TRY(open_report(batch, err));
    batch->phase = PHASE_SERVER;
    PF_TRY(ask_server(batch, err));
    return send_all(batch, err);
}

static int submit_with(const struct submit_flags *flags, const char *const *paths, size_t count)
{
    struct pf_error err = PF_ERROR_INIT;
    struct batch batch = {.flags = flags, .items = ITEMS_INIT(flags->output)};
    int code = EXIT_CODE_OK;
    interrupt_install();
    if (run_batch(&batch, paths, count, &err) != PF_OK)
        code = command_fail(command_submit.name, batch.phase, &err);
    else if (batch.counts.failed > 0)
        code = EXIT_CODE_FAILED;
    report_close(batch.report);
    items_finish(&batch.items);
    server_access_close(&batch.access);
    return code;
}

static int run_submit(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct submit_flags flags = {0};
    struct param_table table;
    size_t count;
    AUTO_FREE const char **paths = calloc((size_t)argc, sizeof *paths);
    param_table_init(&table, rows, COUNT_OF(rows), "Server", AT(params), params_without);
    params_init(&flags.params);
    if (!paths)
        pf_fail(&err, PF_NOMEM, "no memory for arguments");
    if (!paths || options_init(table.rows, table.count, &flags, &err) != PF_OK)
        return command_fail(command_submit.name, PHASE_USAGE, &err);
    struct command_line line = {table.rows, table.count, &flags, set_row, paths, (size_t)argc};
    int code;
    if (command_parse(&line, argc, argv, &count, &err) != PF_OK)
        code = command_fail(command_submit.name, PHASE_USAGE, &err);
    else if (!flags.help)
        code = submit_with(&flags, paths, count);
    else if (print_help(&table, &err) != PF_OK)
        code = command_fail(command_submit.name, PHASE_OUTPUT, &err);
    else
        code = EXIT_CODE_OK;
    options_finish(table.rows, table.count, &flags);
    return code;
}

const struct command command_submit = {
    "submit", "sends many images to a server and fetches the results", run_submit};
