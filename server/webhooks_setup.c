/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webhooks_setup.h"

#include <string.h>

#include "base/file.h"

enum { SECRET_FILE_MAX = 4096 };

enum pf_status webhooks_setup_start(const struct config *config, struct jobs *jobs,
    void (*notice)(void *context, const struct webhooks_notice *notice), void *notice_context,
    struct webhooks **ret_webhooks, struct pf_error *err)
{
    AUTO_BUFFER struct buffer secret = BUFFER_INIT_MAX(SECRET_FILE_MAX);
    AUTO_BUFFER struct buffer folder = BUFFER_INIT;
    *ret_webhooks = NULL;
    if (!config->webhook_secret_file[0])
        return PF_OK;
    PF_TRY(file_read(config->webhook_secret_file, SECRET_FILE_MAX, &secret, err));
    buffer_put_format(&folder, "%s/webhooks", config->data_dir);
    PF_TRY(buffer_status(&folder, err));
    enum pf_status status = webhooks_create(ret_webhooks,
        &(struct webhooks_options){.jobs = jobs,
            .folder = folder.data,
            .secret = secret.data ? secret.data : "",
            .allow_private = (int)config->webhook_allow_private,
            .first_retry_ms = config->webhook_first_retry_ms,
            .notice = notice,
            .notice_context = notice_context},
        err);
    if (secret.data)
        memset(secret.data, 0, secret.size);
    return status;
}
