/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vlm_setup.h"

#include <string.h>

#include "base/file.h"
#include "base/program.h"
#include "base/sha256.h"

/* One line of visible ASCII: what may stand in a header. */
static enum pf_status read_key(const char *path, struct buffer *ret, struct pf_error *err)
{
    PF_TRY(file_read(path, VLM_KEY_BYTES_MAX, ret, err));
    while (ret->size > 0 && strchr(" \t\r\n", ret->data[ret->size - 1]))
        ret->data[--ret->size] = '\0';
    size_t plain = 0;
    while (plain < ret->size && ret->data[plain] > ' ' && ret->data[plain] < 0x7f)
        plain++;
    if (ret->size == 0 || plain < ret->size)
        return pf_fail(err, PF_INVALID,
            "--vlm-key-file: %s holds no key: expected one line of visible ASCII characters", path);
    return PF_OK;
}

static enum pf_status check(const struct config *config, struct pf_error *err)
{
    if (!config->vlm_model[0])
        return pf_fail(err, PF_INVALID, "--vlm-url needs --vlm-model");
    if (!config->vlm_question_defect[0] && !config->vlm_question_semantic[0])
        return pf_fail(err, PF_INVALID,
            "--vlm-url needs a question: --vlm-question-defect and --vlm-question-semantic are "
            "both empty");
    return PF_OK;
}

_Static_assert((int)VLM_SETUP_DIGEST_SIZE == SHA256_HEX_SIZE, "a digest in hex");

static void add_text(struct sha256 *sha, const char *text, size_t size)
{
    uint64_t count = size;
    sha256_update(sha, &count, sizeof count);
    sha256_update(sha, text, size);
}

enum pf_status vlm_setup_digest(
    const struct config *config, char ret_digest[VLM_SETUP_DIGEST_SIZE], struct pf_error *err)
{
    AUTO_BUFFER struct buffer key = BUFFER_INIT;
    struct sha256 sha;
    if (config->vlm_url[0])
        PF_TRY(check(config, err));
    if (config->vlm_url[0] && config->vlm_key_file[0])
        PF_TRY(read_key(config->vlm_key_file, &key, err));
    sha256_init(&sha);
    for (size_t i = 0; i < config_option_count; i++) {
        AUTO_BUFFER struct buffer value = BUFFER_INIT;
        if (strncmp(config_options[i].name, "vlm_", 4) != 0)
            continue;
        option_put_text(&value, &config_options[i], config);
        PF_TRY(buffer_status(&value, err));
        add_text(&sha, value.data ? value.data : "", value.size);
    }
    add_text(&sha, key.data ? key.data : "", key.size);
    unsigned char digest[SHA256_SIZE];
    sha256_finish(&sha, digest);
    sha256_hex(digest, ret_digest);
    return PF_OK;
}

enum pf_status vlm_setup_start(const struct config *config, struct jobs *jobs,
    void (*notice)(void *context, const struct vlm_notice *notice), void *notice_context,
    struct vlm **ret_vlm, struct pf_error *err)
{
    char program[PATH_MAX];
    AUTO_BUFFER struct buffer key = BUFFER_INIT;
    struct vlm_options options = {.jobs = jobs,
        .url = config->vlm_url,
        .model = config->vlm_model,
        .questions = {[VLM_DEFECT] = config->vlm_question_defect,
            [VLM_SEMANTIC] = config->vlm_question_semantic},
        .timeout_ms = config->vlm_timeout_ms,
        .retries = config->vlm_retries,
        .concurrency = config->vlm_concurrency,
        .image_side = config->vlm_image_side,
        .max_pixels = config->max_pixels,
        .cache_entries = config->vlm_cache_entries,
        .on_failure = (enum vlm_on_failure)config->vlm_on_failure,
        .thumbnail_program = program,
        .notice = notice,
        .notice_context = notice_context};
    *ret_vlm = NULL;
    if (!config->vlm_url[0])
        return vlm_give_up(&options, err);
    PF_TRY(check(config, err));
    if (config->vlm_key_file[0]) {
        PF_TRY(read_key(config->vlm_key_file, &key, err));
        options.key = key.data;
    }
    PF_TRY(program_find("promptfix-thumbnail", program, err));
    return vlm_create(ret_vlm, &options, err);
}
