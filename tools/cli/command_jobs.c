/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix jobs: what a server has in work, for people (a table, a bar) and scripts (--json). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tools/cli/command.h"
#include "tools/cli/interrupt.h"
#include "tools/cli/job_text.h"
#include "tools/cli/progress.h"
#include "tools/cli/remote.h"
#include "tools/cli/server_options.h"

enum { ACTIVE_MAX = 10000 };

enum status_choice { STATUS_ANY };
static const char *const status_choices[] = {
    "any", "queued", "running", "succeeded", "failed", "cancelled", NULL};

struct jobs_flags {
    struct server_options server;
    int64_t status, limit, all, json, quiet, help;
};

#define AT(member) offsetof(struct jobs_flags, member)

static const struct option_spec rows[] = {
    {"status", 0, OPTION_CHOICE, 0, 1, AT(status), .default_text = "any", .choices = status_choices,
        .group = "Jobs", .doc = "list: only jobs in this state."},
    {"limit", 'n', OPTION_INTEGER, 0, 1, AT(limit), 1, ACTIVE_MAX, "20", .group = "Jobs",
        .doc = "list: so many of the newest jobs."},
    {"all", 0, OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(all), .group = "Jobs",
        .doc = "cancel: all jobs that are queued or running."},
    {"json", 0, OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(json), .group = "Jobs",
        .doc = "list and show print what the server says, as it is: JSON."},
    SERVER_OPTION_ROWS(struct jobs_flags, server),
    {"quiet", 'q', OPTION_SWITCH, OPTION_NOT_NEGATED, 1, AT(quiet), .group = "General",
        .doc = "watch shows no steps, only how jobs end."},
    COMMAND_HELP_ROW(struct jobs_flags),
};

static const struct help_section sections[] = {
    {"COMMANDS", "  list          the newest jobs (the default)\n"
                 "  show ID…      all about jobs\n"
                 "  watch [ID…]   follows jobs to their end; without an ID all that are\n"
                 "                queued or running\n"
                 "  cancel ID…    cancels jobs; with --all those queued or running"},
    {"EXIT STATUS", "    0  done; watch: all jobs succeeded\n"
                    "    1  watch: a job failed or was cancelled\n"
                    "    2  wrong usage\n"
                    "    3  there is no such job\n"
                    "    5  out of memory\n"
                    "    6  the server can't be reached or refuses\n"
                    "  130  interrupted; jobs go on"},
    {"EXAMPLES", "  promptfix jobs --status running\n"
                 "\n"
                 "  promptfix jobs watch --server http://gpu1:8080\n"
                 "\n"
                 "  promptfix jobs cancel 0123456789abcdef0123456789abcdef"},
};

/* One call of the command. */
struct jobs_call {
    const struct jobs_flags *flags;
    const char *const *ids;
    size_t id_count;
    struct client *client;
    struct progress progress;
    int failed; /* jobs that didn't succeed */
    enum phase phase;
};

static enum pf_status print_help(struct pf_error *err)
{
    struct help_page page = {
        .name = "promptfix jobs",
        .summary = command_jobs.summary,
        .synopsis = "  promptfix jobs [list] [--status STATUS] [--limit N] [--json]\n"
                    "  promptfix jobs show ID… [--json]\n"
                    "  promptfix jobs watch [ID…]\n"
                    "  promptfix jobs cancel ID…|--all",
        .description = "The jobs of a promptfixd that belong to the API key in use.",
        .options = rows,
        .option_count = COUNT_OF(rows),
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    return command_print_page(&page, err);
}

static enum pf_status print(struct jobs_call *call, struct buffer *text, struct pf_error *err)
{
    enum phase before = call->phase;
    call->phase = PHASE_OUTPUT;
    PF_TRY(command_print(text, err));
    call->phase = before;
    buffer_clear(text);
    return PF_OK;
}

/* ---- list ---- */

/* Calls `take` for up to `limit` of the newest jobs with that status (NULL: any). */
static enum pf_status each_job(struct jobs_call *call, const char *status, size_t limit,
    enum pf_status (*take)(
        struct jobs_call *call, const struct remote_job *jobs, size_t count, struct buffer *text),
    struct pf_error *err)
{
    AUTO_FREE struct remote_job *jobs = calloc(REMOTE_LIST_MAX, sizeof *jobs);
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    struct remote_page page = {.status = status, .text = &text};
    char after[ID_SIZE];
    size_t count;
    int has_more = 1;
    if (!jobs)
        return pf_fail(err, PF_NOMEM, "no memory for a list");
    for (; has_more && limit > 0; limit -= count) {
        page.limit = limit < REMOTE_LIST_MAX ? limit : REMOTE_LIST_MAX;
        PF_TRY(remote_list(call->client, &page, jobs, &count, &has_more, err));
        if (take(call, jobs, count, &text) != PF_OK)
            return pf_fail(err, PF_NOMEM, "no memory for a list");
        PF_TRY(print(call, &text, err));
        if (count == 0)
            break;
        memcpy(after, jobs[count - 1].id, sizeof after);
        page.after = after;
    }
    return PF_OK;
}

/* `text` holds the page as JSON. */
static enum pf_status list_page(
    struct jobs_call *call, const struct remote_job *jobs, size_t count, struct buffer *text)
{
    if (!call->flags->json)
        buffer_clear(text);
    for (size_t i = 0; i < count && !call->flags->json; i++)
        job_put_row(text, &jobs[i]);
    if (call->flags->json)
        buffer_put_text(text, "\n");
    return buffer_status(text, NULL);
}

static enum pf_status run_list(struct jobs_call *call, struct pf_error *err)
{
    const struct jobs_flags *flags = call->flags;
    const char *status = flags->status == STATUS_ANY ? NULL : status_choices[flags->status];
    return each_job(call, status, (size_t)flags->limit, list_page, err);
}

/* ---- show, cancel ---- */

static enum pf_status run_show(struct jobs_call *call, struct pf_error *err)
{
    for (size_t i = 0; i < call->id_count; i++) {
        struct remote_job job;
        AUTO_BUFFER struct buffer raw = BUFFER_INIT;
        AUTO_BUFFER struct buffer text = BUFFER_INIT;
        PF_TRY(remote_get(call->client, call->ids[i], &job, &raw, err));
        buffer_put_text(&raw, "\n");
        buffer_put_text(&text, i > 0 ? "\n" : "");
        job_put_details(&text, &job);
        PF_TRY(print(call, call->flags->json ? &raw : &text, err));
    }
    return PF_OK;
}

static enum pf_status cancel_one(struct jobs_call *call, const char *id, struct pf_error *err)
{
    struct remote_job job;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    PF_TRY(remote_cancel(call->client, id, &job, err));
    job_put_end(&text, &job);
    return print(call, &text, err);
}

/* ---- watch ---- */

static void on_progress(void *context, const struct remote_job *job)
{
    struct jobs_call *call = context;
    char text[96];
    if (job->status == REMOTE_RUNNING && job->steps > 0) {
        int64_t done_ms = job->eta_ms > 0 && job->step < job->steps
                              ? job->eta_ms * job->step / (job->steps - job->step)
                              : 0;
        progress_step(&call->progress, (int)job->step, (int)job->steps, done_ms);
    } else if (job->status == REMOTE_QUEUED) {
        snprintf(
            text, sizeof text, "%s  place %" PRId64 " in the queue", job->id, job->queue_position);
        progress_note(&call->progress, text);
    }
}

static enum pf_status watch_one(struct jobs_call *call, const char *id, struct pf_error *err)
{
    struct remote_job job;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    PF_TRY(remote_get(call->client, id, &job, NULL, err));
    enum pf_status status = remote_follow(call->client, &job, on_progress, call, err);
    progress_end(&call->progress);
    PF_TRY(status);
    call->failed += job.status != REMOTE_SUCCEEDED;
    job_put_end(&text, &job);
    return print(call, &text, err);
}

/* ---- jobs given by id, or all that are active ---- */

struct id_list {
    char (*ids)[ID_SIZE];
    size_t count;
};

static enum pf_status find_active(
    struct jobs_call *call, const char *status, struct id_list *list, struct pf_error *err)
{
    AUTO_FREE struct remote_job *jobs = calloc(REMOTE_LIST_MAX, sizeof *jobs);
    struct remote_page page = {.status = status, .limit = REMOTE_LIST_MAX};
    char after[ID_SIZE];
    int has_more = 1;
    if (!jobs)
        return pf_fail(err, PF_NOMEM, "no memory for a list");
    while (has_more && list->count + REMOTE_LIST_MAX <= ACTIVE_MAX) {
        size_t count;
        PF_TRY(remote_list(call->client, &page, jobs, &count, &has_more, err));
        for (size_t i = 0; i < count; i++)
            memcpy(list->ids[list->count++], jobs[i].id, ID_SIZE);
        if (count == 0)
            break;
        memcpy(after, jobs[count - 1].id, sizeof after);
        page.after = after;
    }
    return PF_OK;
}

static enum pf_status each_id(struct jobs_call *call,
    enum pf_status (*act)(struct jobs_call *call, const char *id, struct pf_error *err),
    struct pf_error *err)
{
    for (size_t i = 0; i < call->id_count; i++)
        PF_TRY(act(call, call->ids[i], err));
    if (call->id_count > 0)
        return PF_OK;
    AUTO_FREE char(*ids)[ID_SIZE] = calloc(ACTIVE_MAX, sizeof *ids);
    struct id_list list = {ids, 0};
    if (!ids)
        return pf_fail(err, PF_NOMEM, "no memory for a list");
    PF_TRY(find_active(call, "running", &list, err));
    PF_TRY(find_active(call, "queued", &list, err));
    for (size_t i = 0; i < list.count; i++) {
        struct pf_error why = PF_ERROR_INIT;
        enum pf_status status = act(call, list.ids[i], &why);
        if (status != PF_OK && status != PF_NOT_FOUND) /* gone in the meantime */
            return pf_fail(err, status, "%s", why.message);
    }
    return PF_OK;
}

static enum pf_status run_watch(struct jobs_call *call, struct pf_error *err)
{
    return each_id(call, watch_one, err);
}

static enum pf_status run_cancel(struct jobs_call *call, struct pf_error *err)
{
    return each_id(call, cancel_one, err);
}

/* ---- the command ---- */

static const struct verb {
    const char *name;
    enum pf_status (*run)(struct jobs_call *call, struct pf_error *err);
} verbs[] = {{"list", run_list}, {"show", run_show}, {"watch", run_watch}, {"cancel", run_cancel}};

static enum pf_status find_verb(const struct jobs_flags *flags, const char *const *arguments,
    size_t count, const struct verb **ret_verb, struct pf_error *err)
{
    const char *name = count > 0 ? arguments[0] : verbs[0].name;
    size_t i = 0;
    while (i < COUNT_OF(verbs) && strcmp(verbs[i].name, name) != 0)
        i++;
    if (i == COUNT_OF(verbs))
        return pf_fail(err, PF_INVALID, "'%.100s' is none of list, show, watch, cancel", name);
    for (size_t k = 1; k < count; k++)
        if (!id_is_valid(arguments[k]))
            return pf_fail(err, PF_INVALID, "'%.100s' is no job's id", arguments[k]);
    int wants_id = verbs[i].run == run_show || (verbs[i].run == run_cancel && !flags->all);
    if (wants_id && count < 2)
        return pf_fail(err, PF_INVALID, "%s: no job given", name);
    if (count > 1 && (verbs[i].run == run_list || flags->all))
        return pf_fail(err, PF_INVALID, "%s: takes no job here", name);
    *ret_verb = &verbs[i];
    return PF_OK;
}

static enum progress_style style_of(const struct jobs_flags *flags)
{
    const char *terminal = getenv("TERM");
    int can_draw = isatty(STDERR_FILENO) && !(terminal && strcmp(terminal, "dumb") == 0);
    return can_draw && !flags->quiet ? PROGRESS_BAR : PROGRESS_OFF;
}

static void on_pause(void *context, const char *why, int64_t pause_ms)
{
    struct jobs_call *call = context;
    (void)pause_ms;
    progress_note(&call->progress, why);
}

static enum pf_status call_server(
    struct jobs_call *call, const struct verb *verb, struct pf_error *err)
{
    struct server_access access;
    call->phase = PHASE_USAGE;
    PF_TRY(server_access_open(&access, &call->flags->server, err));
    struct client_options options = server_client_options(&call->flags->server, &access);
    options.is_stopped = interrupt_wanted;
    options.pausing = on_pause;
    options.context = call;
    call->phase = PHASE_SERVER;
    enum pf_status status = client_library_init(err);
    if (status == PF_OK)
        status = client_create(&call->client, &options, err);
    if (status == PF_OK)
        status = verb->run(call, err);
    if (status == PF_NOT_FOUND && call->phase == PHASE_SERVER)
        call->phase = PHASE_INPUT;
    progress_end(&call->progress);
    client_destroy(call->client);
    server_access_close(&access);
    return status;
}

static int jobs_with(const struct jobs_flags *flags, const char *const *arguments, size_t count)
{
    struct pf_error err = PF_ERROR_INIT;
    const struct verb *verb = NULL;
    struct jobs_call call = {.flags = flags,
        .ids = arguments + 1,
        .id_count = count > 1 ? count - 1 : 0,
        .progress = {stderr, style_of(flags), 0},
        .phase = PHASE_USAGE};
    interrupt_install();
    if (find_verb(flags, arguments, count, &verb, &err) != PF_OK ||
        call_server(&call, verb, &err) != PF_OK)
        return command_fail(command_jobs.name, call.phase, &err);
    return call.failed > 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

static int run_jobs(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    struct jobs_flags flags = {0};
    AUTO_FREE const char **arguments = calloc((size_t)argc, sizeof *arguments);
    size_t count;
    if (!arguments)
        pf_fail(&err, PF_NOMEM, "no memory for arguments");
    if (!arguments || options_init(rows, COUNT_OF(rows), &flags, &err) != PF_OK)
        return command_fail(command_jobs.name, PHASE_USAGE, &err);
    struct command_line line = {rows, COUNT_OF(rows), &flags, NULL, arguments, (size_t)argc};
    int code;
    if (command_parse(&line, argc, argv, &count, &err) != PF_OK)
        code = command_fail(command_jobs.name, PHASE_USAGE, &err);
    else if (!flags.help)
        code = jobs_with(&flags, arguments, count);
    else if (print_help(&err) != PF_OK)
        code = command_fail(command_jobs.name, PHASE_OUTPUT, &err);
    else
        code = EXIT_CODE_OK;
    options_finish(rows, COUNT_OF(rows), &flags);
    return code;
}

const struct command command_jobs = {
    "jobs", "lists, watches and cancels a server's jobs", run_jobs};
