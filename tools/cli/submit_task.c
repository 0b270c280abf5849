/* SPDX-License-Identifier: Apache-2.0 */
/* Nothing is done twice, whatever breaks. The hash of image and request is the idempotency key, so
 * a submission that is sent again (the answer was lost, the server restarted, this program was
 * stopped and started) finds its job; and an image whose result the report has is passed over.
 * Since a key also finds a job that failed, a later run would get the old failure for ever: then
 * the key is numbered, "HASH-2", and the image gets a new job. */
#include "tools/cli/submit_task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"

enum {
    KEYS_MAX = 20,  /* failed jobs of one image that are passed by */
    LOSSES_MAX = 3, /* jobs of one image that the server forgets */
    RESULT_MODE = 0644,
    FOLDER_MODE = 0777,
    KEY_SIZE = SHA256_HEX_SIZE + 8,
};

/* ---- reading ---- */

static enum pf_status read_file(
    struct task *task, const char *path, struct buffer *ret, struct pf_error *err)
{
    int64_t max = task->options->body_max;
    struct pf_error why = PF_ERROR_INIT;
    enum image_format format;
    enum pf_status status = file_read(path, (size_t)max, ret, &why);
    task->code = status == PF_INVALID ? "too_large" : "unreadable";
    if (status != PF_OK)
        return pf_fail(err, status, "%s", why.message);
    task->code = "unsupported_media_type";
    if (!items_sniff((const unsigned char *)ret->data, ret->size, &format))
        return pf_fail(err, PF_UNSUPPORTED, "%.300s: neither png nor jpeg nor webp", path);
    task->code = NULL;
    return PF_OK;
}

static enum pf_status read_task(struct task *task, struct pf_error *err)
{
    const struct task_options *options = task->options;
    const struct item *item = task->item;
    struct stat info;
    int64_t bytes = 0;
    task->code = "unreadable";
    if (snprintf(task->output, sizeof task->output, "%s/%s", options->out, item->output) >=
        (int)sizeof task->output)
        return pf_fail(err, PF_INVALID, "the path of its result is too long");
    PF_TRY(read_file(task, item->source, &task->image, err));
    if (*item->request->mask)
        PF_TRY(read_file(task, item->request->mask, &task->mask, err));
    submit_form_make(&task->form, item, &task->image, &task->mask);
    task->is_done_already =
        report_has_succeeded(options->report, item->output, task->form.hash, &bytes) &&
        stat(task->output, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == bytes;
    return PF_OK;
}

/* ---- the job ---- */

/* Submits under the first key whose job hasn't ended badly, and follows that job to its end. */
static enum pf_status run_job(struct task *task, int *key_number, struct pf_error *err)
{
    struct client *client = task->options->client;
    for (; *key_number <= KEYS_MAX; ++*key_number) {
        char key[KEY_SIZE];
        if (*key_number == 1)
            snprintf(key, sizeof key, "%s", task->form.hash);
        else
            snprintf(key, sizeof key, "%s-%d", task->form.hash, *key_number);
        PF_TRY(remote_submit(
            client, task->form.fields, task->form.count, key, &task->job, &task->is_replayed, err));
        int is_old_failure = task->is_replayed && remote_has_ended(&task->job) &&
                             task->job.status != REMOTE_SUCCEEDED;
        if (!is_old_failure)
            return remote_follow(
                client, &task->job, task->options->progress, task->options->context, err);
    }
    return PF_OK; /* the last failure stands */
}

static enum pf_status fetch_result(struct task *task, struct pf_error *err)
{
    struct client *client = task->options->client;
    enum image_format format;
    PF_TRY(remote_get_result(client, task->job.id, &task->result, err));
    if (task->result.size != (size_t)task->job.bytes ||
        !items_sniff((const unsigned char *)task->result.data, task->result.size, &format) ||
        format != task->item->format) {
        task->code = "bad_result";
        return pf_fail(
            err, PF_CORRUPT, "the result of job %s is not the image it should be", task->job.id);
    }
    return PF_OK;
}

/* Job and result. A job that the server has forgotten in the meantime (its store is in memory, the
 * result has expired) is submitted again, under the next key. */
static enum pf_status work_task(struct task *task, struct pf_error *err)
{
    int key_number = 1;
    for (int losses = 0;; losses++) {
        struct pf_error why = PF_ERROR_INIT;
        enum pf_status status = run_job(task, &key_number, &why);
        if (status == PF_OK && task->job.status != REMOTE_SUCCEEDED)
            return PF_OK;
        if (status == PF_OK)
            status = fetch_result(task, &why);
        if (status == PF_OK)
            return PF_OK;
        int is_lost = status == PF_NOT_FOUND && task->job.id[0];
        if (!is_lost || losses == LOSSES_MAX)
            return pf_fail(err, status, "%s", why.message);
        key_number++;
        buffer_clear(&task->result);
    }
}

/* ---- writing ---- */

static enum pf_status make_folders(char *path, struct pf_error *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int made = mkdir(path, FOLDER_MODE);
        int made_errno = errno;
        *slash = '/';
        if (made != 0 && made_errno != EEXIST)
            return pf_fail_errno(err, made_errno, "%s", path);
    }
    return PF_OK;
}

static enum pf_status write_result(struct task *task, struct pf_error *err)
{
    task->phase = PHASE_OUTPUT;
    task->code = "unwritable";
    PF_TRY(make_folders(task->output, err));
    PF_TRY(file_write(task->output, task->result.data, task->result.size, RESULT_MODE, 1, err));
    task->code = NULL;
    task->phase = PHASE_SERVER;
    return PF_OK;
}

/* ---- the whole ---- */

void task_init(struct task *task, const struct task_options *options, const struct item *item)
{
    *task = (struct task){.options = options,
        .item = item,
        .image = BUFFER_INIT,
        .mask = BUFFER_INIT,
        .result = BUFFER_INIT,
        .started_ms = clock_monotonic_ms(),
        .phase = PHASE_SERVER};
}

void task_finish(struct task *task)
{
    buffer_finish(&task->image);
    buffer_finish(&task->mask);
    buffer_finish(&task->result);
}

enum pf_status task_run(struct task *task, struct pf_error *err)
{
    PF_TRY(read_task(task, err));
    if (task->is_done_already)
        return PF_OK;
    PF_TRY(work_task(task, err));
    return task->job.status == REMOTE_SUCCEEDED ? write_result(task, err) : PF_OK;
}

int task_failed_for_all(const struct task *task, const struct pf_error *failure)
{
    if (failure->status == PF_CANCELLED || failure->status == PF_OK)
        return 0;
    return task->phase == PHASE_OUTPUT || failure->status == PF_NOMEM ||
           (!task->code && client_failure_is_general(task->options->client));
}

const char *task_failure_code(const struct task *task, const struct pf_error *failure)
{
    const char *code = task->code ? task->code : client_failure_code(task->options->client);
    return *code ? code : pf_status_name(failure->status);
}
