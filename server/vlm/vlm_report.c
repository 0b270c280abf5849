/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm/vlm_internal.h"

#include "server/jobs/jobs.h"

/* A blind job without an auxiliary prompt would have nothing that says what to do. */
static int must_fail(const struct vlm_options *options, const struct ask *ask, size_t prompt_size)
{
    if (ask_is_answered(ask))
        return 0;
    return options->on_failure == VLM_ON_FAILURE_FAIL ||
           (prompt_size == 0 && ask->job->instruction[0] == '\0');
}

enum pf_status vlm_report(struct vlm_stats *ret_change, const struct vlm_options *options,
    const struct ask *ask, struct pf_error *err)
{
    AUTO_BUFFER struct buffer log = BUFFER_INIT;
    AUTO_BUFFER struct buffer prompt = BUFFER_INIT;
    AUTO_BUFFER struct buffer failure = BUFFER_INIT;
    ask_put_log(&log, ask, options->model);
    ask_put_prompt(&prompt, ask);
    ask_put_failure(&failure, ask);
    PF_TRY(buffer_status(&log, err));
    PF_TRY(buffer_status(&prompt, err));
    PF_TRY(buffer_status(&failure, err));
    int fails = must_fail(options, ask, prompt.size);
    struct jobs_auxiliary auxiliary = {
        .prompt = prompt.size > 0 ? prompt.data : NULL,
        .log = log.data,
        .code = fails ? VLM_FAILURE_CODE : NULL,
        .message = failure.data,
    };
    PF_TRY(jobs_report_auxiliary(options->jobs, ask->job->id, &auxiliary, err));
    *ret_change = (struct vlm_stats){.jobs_done = ask_is_answered(ask),
        .jobs_without = !ask_is_answered(ask) && !fails,
        .jobs_failed = fails};
    return PF_OK;
}
