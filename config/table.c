/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where an option of promptfixd or promptfix-worker is stated. After a change here:
 * `promptfixd --print-options-markdown > docs/options.md` (a test compares them). */
#include "config/config.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

#define SERVER     CONFIG_PROGRAM_SERVER
#define WORKER     CONFIG_PROGRAM_WORKER
#define BOTH       (CONFIG_PROGRAM_SERVER | CONFIG_PROGRAM_WORKER)
#define AT(member) offsetof(struct config, member)
#define KIB        1024.0
#define MIB        (1024.0 * KIB)
#define GIB        (1024.0 * MIB)
#define SECONDS    1000.0
#define MINUTES    (60.0 * SECONDS)
#define HOURS      (60.0 * MINUTES)
#define DAYS       (24.0 * HOURS)

static const char *const dtypes[] = {"auto", "float32", "bfloat16", "float16", NULL};
static const char *const log_formats[] = {"human", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

static const char *const vlm_on_failure[] = {"fail", "continue", NULL};

static int is_device_name(const char *text)
{
    if (strcmp(text, "cpu") == 0)
        return 1;
    if (strncmp(text, "cuda:", 5) != 0)
        return 0;
    size_t digits = strspn(text + 5, "0123456789");
    return digits >= 1 && digits <= 3 && !text[5 + digits];
}

static const char *check_device(const char *text)
{
    return is_device_name(text) ? NULL : "cpu or cuda:N";
}

static const char *check_device_item(const char *text)
{
    return strcmp(text, "auto") == 0 || is_device_name(text) ? NULL : "auto, cpu or cuda:N";
}

static const char *check_listen(const char *text)
{
    char host[CONFIG_HOST_SIZE];
    unsigned port;
    return config_listen_split(text, host, &port, NULL) == PF_OK
               ? NULL
               : "HOST:PORT, as 127.0.0.1:8080 or [::1]:8080";
}

static const char *check_store(const char *text)
{
    return strcmp(text, ":memory:") == 0 ? NULL : "':memory:'";
}

/* Without user and password: a key belongs in a file. */
static const char *check_url(const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;
    size_t size = strlen(text), plain = 0;
    while (plain < size && text[plain] > ' ' && text[plain] < 0x7f && !strchr("?#@\\", text[plain]))
        plain++;
    return scheme && size > scheme && text[scheme] != '/' && text[scheme] != ':' && plain == size
               ? NULL
               : "an address as http://127.0.0.1:8000/v1, without user, password and query";
}

static const char *check_origin(const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;
    return scheme && text[scheme] && !strpbrk(text + scheme, "/?#@ ,*")
               ? NULL
               : "scheme and host, as https://example.org or http://localhost:3000";
}

/* clang-format off */
const struct option_spec config_options[] = {
    /* Model */
    {"model", 'm', OPTION_TEXT, 0, BOTH, AT(model), .value_name = "FILE", .group = "Model",
        .doc = "Checkpoint: safetensors, or a PyTorch zip (.ckpt, .pth, .pt), recognised by its content. "
               "Without it: the model that ships with promptfix."},
    {"merges", 0, OPTION_TEXT, 0, BOTH, AT(merges), .value_name = "FILE", .group = "Model",
        .doc = "The tokenizer's merges table, plain or gzip. Without it: from the checkpoint's metadata, or "
               "merges.txt beside the checkpoint."},
    {"devices", 0, OPTION_LIST, 0, SERVER, AT(devices), 1, OPTION_LIST_MAX, "auto",
        .value_name = "DEVICE,…", .group = "Model", .check = check_device_item,
        .doc = "Where the model runs, one worker process for each: cpu, cuda:0, cuda:1, … in any number. "
               "auto takes all CUDA devices, or the CPU when there is none."},
    {"dtype", 0, OPTION_CHOICE, 0, BOTH, AT(dtype), .default_text = "auto", .choices = dtypes,
        .group = "Model",
        .doc = "Type of weights and activations. auto takes what the device is fast at; float16 needs CUDA."},
    {"threads", 0, OPTION_INTEGER, 0, BOTH, AT(threads), 0, 1024, "0", .group = "Model",
        .doc = "CPU threads of one worker. 0 shares all cores evenly among the workers. A thread that waits "
               "sleeps instead of spinning: promptfixd sets OMP_WAIT_POLICY=passive for its workers, unless its "
               "own environment sets another."},
    {"max_batch", 0, OPTION_INTEGER, 0, BOTH, AT(max_batch), 1, 64, "4", .group = "Model",
        .doc = "Most runs that are joined in one call of the UNet. More use the device better and need more "
               "memory."},
    {"max_runs", 0, OPTION_INTEGER, 0, BOTH, AT(max_runs), 1, 64, "8", .group = "Model",
        .doc = "Most runs one worker holds at a time, stepped in turn."},

    /* Network */
    {"listen", 'l', OPTION_TEXT, 0, SERVER, AT(listen), .default_text = "127.0.0.1:8080",
        .value_name = "HOST:PORT", .group = "Network", .check = check_listen,
        .doc = "Address to serve on. Port 0 takes a free one, which the line 'listening on' tells."},
    {"max_connections", 0, OPTION_INTEGER, 0, SERVER, AT(max_connections), 8, 100000, "1100",
        .group = "Network", .doc = "Most connections at a time, event streams among them."},
    {"max_connections_per_address", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(max_connections_per_address), 0, 100000,
        "0", .group = "Network",
        .doc = "Most connections of one client address. 0 sets no limit of its own, as behind a proxy, where "
               "all clients share an address."},
    {"request_deadline", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(request_deadline_ms), SECONDS,
        HOURS, "2min", .group = "Network",
        .doc = "Time a request has to arrive whole, however slowly it drips."},
    {"wait_max", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(wait_max_ms), SECONDS, HOURS, "5min",
        .group = "Network", .doc = "Longest time a request with 'Prefer: wait' is held open."},
    {"sse_ping", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(sse_ping_ms), 100, 5 * MINUTES, "15s",
        .group = "Network",
        .doc = "Pause after which an idle event stream gets a comment line, so that proxies keep it open and a "
               "client that left is noticed."},
    {"drain_deadline", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(drain_deadline_ms), 0, HOURS, "30s",
        .group = "Network",
        .doc = "After SIGTERM running jobs have this long to end; what still runs then goes back to the queue."},

    /* Access */
    {"keys_file", 0, OPTION_TEXT, OPTION_RELOADABLE, SERVER, AT(keys_file), .value_name = "FILE",
        .group = "Access",
        .doc = "API keys, one 'ID HASH' a line: a name for the key's holder and the SHA-256 of the key in hex. "
               "With it every request but probes and documentation needs 'Authorization: Bearer KEY', and a key "
               "sees only its own jobs. Reloading reads the file again."},
    {"allow_without_keys", 0, OPTION_SWITCH, OPTION_NOT_NEGATED, SERVER, AT(allow_without_keys), .group = "Access",
        .doc = "Serves everybody who can reach an address other than loopback although there is no keys_file."},
    {"cors_origins", 0, OPTION_LIST, OPTION_RELOADABLE, SERVER, AT(cors_origins), .value_name = "ORIGIN,…", .group = "Access",
        .check = check_origin,
        .doc = "Origins whose pages may use this server from a browser, as https://example.org. Others may not "
               "even post a form to it."},
    {"tls_certificate", 0, OPTION_TEXT, 0, SERVER, AT(tls_certificate), .value_name = "FILE",
        .group = "Access", .doc = "Certificate chain in PEM, to serve HTTPS; needs tls_key."},
    {"tls_key", 0, OPTION_TEXT, 0, SERVER, AT(tls_key), .value_name = "FILE", .group = "Access",
        .doc = "Private key of the certificate in PEM."},

    /* Webhooks */
    {"webhook_secret_file", 0, OPTION_TEXT, 0, SERVER, AT(webhook_secret_file), .value_name = "FILE",
        .group = "Webhooks",
        .doc = "Secret that signs calls of a job's webhook_url (Standard Webhooks): whsec_ and the base64 of 24 to "
               "64 random bytes. Without it jobs with a webhook_url are refused."},
    {"webhook_allow_private", 0, OPTION_SWITCH, OPTION_NOT_NEGATED, SERVER, AT(webhook_allow_private),
        .group = "Webhooks",
        .doc = "Also calls addresses that are not of the public network: this machine, the networks behind it."},
    {"webhook_first_retry", 0, OPTION_DURATION, 0, SERVER, AT(webhook_first_retry_ms), 10, HOURS, "5s",
        .group = "Webhooks",
        .doc = "Pause before a call that failed is made again; each further pause is four times as long, at most 5 "
               "hours, for nine calls in all."},

    /* Requests */
    {"max_body_bytes", 0, OPTION_BYTES, OPTION_RELOADABLE, SERVER, AT(max_body_bytes), 64 * KIB, GIB, "32MiB",
        .group = "Requests", .doc = "Largest request body; a larger one is answered 413."},
    {"max_buffered_bytes", 0, OPTION_BYTES, OPTION_RELOADABLE, SERVER, AT(max_buffered_bytes), 64 * KIB, 1024 * GIB,
        "512MiB", .group = "Requests",
        .doc = "Most memory that the bodies of all requests together take while they arrive; what goes beyond is "
               "answered 503 with Retry-After. Not less than max_body_bytes."},
    {"max_parts", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(max_parts), 2, 1000, "32",
        .group = "Requests", .doc = "Most parts of a multipart form."},
    {"max_field_bytes", 0, OPTION_BYTES, OPTION_RELOADABLE, SERVER, AT(max_field_bytes), KIB, MIB, "16KiB",
        .group = "Requests", .doc = "Largest text field of a form."},
    {"max_pixels", 0, OPTION_INTEGER, 0, BOTH, AT(max_pixels), 4096, 1e9, "50000000", .group = "Requests",
        .doc = "Most pixels of an image, looked up in its header before anything is decoded."},

    /* Jobs */
    {"data_dir", 0, OPTION_TEXT, 0, SERVER, AT(data_dir), .value_name = "DIR", .group = "Jobs",
        .doc = "Folder of jobs, inputs and results; made when missing. Without it $XDG_STATE_HOME/promptfix or "
               "~/.local/state/promptfix; for root /var/lib/promptfix."},
    {"store", 0, OPTION_TEXT, 0, SERVER, AT(store), .value_name = ":memory:", .group = "Jobs",
        .check = check_store,
        .doc = "Where jobs are remembered: ':memory:' forgets them when the server ends. Without it an SQLite "
               "database in the data directory, from which a restarted server goes on."},
    {"max_queued", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(max_queued), 1, 1e6, "1000",
        .group = "Jobs", .doc = "Most interactive jobs that wait; further ones are answered 429 with Retry-After."},
    {"max_queued_batch", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(max_queued_batch), 1, 1e6, "4096",
        .group = "Jobs", .doc = "The same for jobs of priority batch, those of batches among them."},
    {"max_queued_per_key", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(max_queued_per_key), 0, 1e6, "0",
        .group = "Jobs",
        .doc = "Most jobs of one API key that wait; further ones are answered 429. 0 sets no limit of its own. "
               "Without keys all callers are one."},
    {"max_running_per_key", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(max_running_per_key), 0, 1e6, "0",
        .group = "Jobs",
        .doc = "Most jobs of one API key that run at a time; its next ones wait while those of others run. 0 sets "
               "no limit of its own. Without keys all callers are one."},
    {"ageing", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(ageing_ms), 0, 24 * HOURS, "1min", .group = "Jobs",
        .doc = "Interactive jobs run before batch jobs; but one in four goes to a batch job that has waited so long."},
    {"max_attempts", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(max_attempts), 1, 100, "3",
        .group = "Jobs", .doc = "A job whose worker died is tried again, this many times in all."},
    {"result_ttl", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(result_ttl_ms), SECONDS, 365 * DAYS,
        "24h", .group = "Jobs", .doc = "Time after a job's end until its input and its result are removed."},
    {"expired_ttl", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(expired_ttl_ms), 0, 365 * DAYS,
        "24h", .group = "Jobs",
        .doc = "Time after that until the job itself is forgotten; until then asking for its result is answered "
               "410. One with an Idempotency-Key is known for a day at least."},

    /* Auxiliary prompts */
    {"vlm_url", 0, OPTION_TEXT, OPTION_RELOADABLE, SERVER, AT(vlm_url), .value_name = "URL", .group = "Auxiliary prompts",
        .check = check_url,
        .doc = "Base address of the OpenAI-compatible chat endpoint of a vision-language model (llama.cpp's "
               "server, vLLM, Ollama, a cloud), such as http://127.0.0.1:8000/v1. It describes the pictures of "
               "jobs with auxiliary=auto. Without it such jobs are refused."},
    {"vlm_model", 0, OPTION_TEXT, OPTION_RELOADABLE, SERVER, AT(vlm_model), .value_name = "NAME", .group = "Auxiliary prompts",
        .doc = "Name of that model, as its server knows it. Needed with --vlm-url."},
    {"vlm_key_file", 0, OPTION_TEXT, OPTION_RELOADABLE, SERVER, AT(vlm_key_file), .value_name = "FILE",
        .group = "Auxiliary prompts", .doc = "File with the key that is sent as bearer token. Without it none is sent."},
    {"vlm_question_defect", 0, OPTION_TEXT, OPTION_RELOADABLE, SERVER, AT(vlm_question_defect),
        .default_text = "What is wrong with the quality of this picture? Name its defects in one short sentence: "
                        "haze, noise, low light, blur, snow, a watermark, missing colour, or none.",
        .value_name = "TEXT", .group = "Auxiliary prompts",
        .doc = "The question about the picture's defects; its answer comes first in the auxiliary prompt. Empty: "
               "not asked."},
    {"vlm_question_semantic", 0, OPTION_TEXT, OPTION_RELOADABLE, SERVER, AT(vlm_question_semantic),
        .default_text = "What is in this picture? Describe it in one short sentence, as if it were flawless: say "
                        "nothing about haze, noise, darkness, blur, snow, watermarks or missing colour.",
        .value_name = "TEXT", .group = "Auxiliary prompts",
        .doc = "The question about what the picture shows; its answer follows. Empty: not asked."},
    {"vlm_image_side", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(vlm_image_side), 64, 8192, "768",
        .group = "Auxiliary prompts",
        .doc = "Pixels of the longer side of the picture that is sent: always a JPEG without metadata, larger "
               "ones are scaled down to it."},
    {"vlm_timeout", 0, OPTION_DURATION, OPTION_RELOADABLE, SERVER, AT(vlm_timeout_ms), 100, HOURS, "1min",
        .group = "Auxiliary prompts", .doc = "Time one attempt to get an answer may take."},
    {"vlm_retries", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(vlm_retries), 0, 20, "3", .group = "Auxiliary prompts",
        .doc = "Further attempts after one that failed in a way that may pass: no connection, no answer in time, "
               "status 408, 409, 425, 429 or 5xx, an answer that is none. The pause doubles from half a second to 30 "
               "s, or is what Retry-After says; more than 120 s is a failure."},
    {"vlm_concurrency", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(vlm_concurrency), 1, 256, "4",
        .group = "Auxiliary prompts",
        .doc = "Most questions asked at a time. The two of one job are asked side by side."},
    {"vlm_cache_entries", 0, OPTION_INTEGER, OPTION_RELOADABLE, SERVER, AT(vlm_cache_entries), 0, 1e6, "1000",
        .group = "Auxiliary prompts",
        .doc = "Answers kept in memory, so that a picture that comes again isn't asked about again. 0: none."},
    {"vlm_on_failure", 0, OPTION_CHOICE, OPTION_RELOADABLE, SERVER, AT(vlm_on_failure), .default_text = "fail",
        .choices = vlm_on_failure, .group = "Auxiliary prompts",
        .doc = "What becomes of a job whose questions are not all answered. fail: it fails with code "
               "auxiliary_failed. continue: it goes on with what was answered, and its auxiliary_log says what is "
               "missing; a job without an instruction that would have no text at all fails nevertheless."},

    /* Workers */
    {"worker_path", 0, OPTION_TEXT, 0, SERVER, AT(worker_path), .value_name = "FILE", .group = "Workers",
        .doc = "The program promptfix-worker. Without it: the one beside promptfixd, else from PATH."},
    {"worker_memory_limit", 0, OPTION_BYTES, 0, SERVER, AT(worker_memory_limit_bytes), 0,
        1024 * GIB, "0", .group = "Workers",
        .doc = "A worker whose resident memory is above it is replaced as soon as it has no runs. 0: never."},
    {"worker_start_timeout", 0, OPTION_DURATION, 0, SERVER, AT(worker_start_timeout_ms),
        SECONDS, HOURS, "10min", .group = "Workers",
        .doc = "Time a worker has from its start until the model is loaded."},
    {"worker_silence_timeout", 0, OPTION_DURATION, 0, SERVER, AT(worker_silence_timeout_ms),
        SECONDS, 24 * HOURS, "15min", .group = "Workers",
        .doc = "A worker that has runs and says nothing for so long is taken for hung: it is killed and its "
               "runs are tried again."},

    /* Logging */
    {"log_format", 0, OPTION_CHOICE, OPTION_RELOADABLE, BOTH, AT(log_format), .default_text = "human",
        .choices = log_formats, .group = "Logging",
        .doc = "Lines on standard error: for people, or one JSON object a line."},
    {"log_level", 0, OPTION_CHOICE, OPTION_RELOADABLE, BOTH, AT(log_level), .default_text = "info",
        .choices = log_levels, .group = "Logging", .doc = "The least severe kind of line that is written."},

    /* The worker's own */
    {"device", 0, OPTION_TEXT, OPTION_FLAG_ONLY, WORKER, AT(device), .default_text = "cpu",
        .group = "Worker", .value_name = "DEVICE", .check = check_device,
        .doc = "The device this worker runs the model on: cpu or cuda:N."},
    {"socket_fd", 0, OPTION_INTEGER, OPTION_FLAG_ONLY, WORKER, AT(socket_fd), 3, 1023, "3",
        .group = "Worker", .doc = "Descriptor of its end of the socketpair."},

    /* Program */
    {"config", 'c', OPTION_TEXT, OPTION_NOT_IN_FILE, SERVER, AT(config_file), .value_name = "FILE",
        .group = "Program", .doc = "Configuration file: one JSON object with the options' names, '_' for '-'."},
    {"help", 'h', OPTION_SWITCH, OPTION_FLAG_ONLY | OPTION_ACTION | OPTION_NOT_NEGATED, BOTH,
        AT(action[CONFIG_ACTION_HELP]), .group = "Program", .doc = "Prints this page."},
    {"version", 'V', OPTION_SWITCH, OPTION_FLAG_ONLY | OPTION_ACTION | OPTION_NOT_NEGATED, BOTH,
        AT(action[CONFIG_ACTION_VERSION]), .group = "Program", .doc = "Prints name and version."},
    {"print_config", 0, OPTION_SWITCH, OPTION_FLAG_ONLY | OPTION_ACTION | OPTION_NOT_NEGATED, SERVER,
        AT(action[CONFIG_ACTION_PRINT_CONFIG]), .group = "Program",
        .doc = "Prints what file, environment and flags come to, as a configuration file, and checks it so."},
    {"print_schema", 0, OPTION_SWITCH, OPTION_FLAG_ONLY | OPTION_ACTION | OPTION_NOT_NEGATED, SERVER,
        AT(action[CONFIG_ACTION_PRINT_SCHEMA]), .group = "Program",
        .doc = "Prints the JSON Schema of the configuration file."},
    {"print_options_markdown", 0, OPTION_SWITCH, OPTION_FLAG_ONLY | OPTION_ACTION | OPTION_NOT_NEGATED,
        SERVER, AT(action[CONFIG_ACTION_PRINT_OPTIONS_MARKDOWN]), .group = "Program",
        .doc = "Prints the options as a page of the documentation."},
};
/* clang-format on */

const size_t config_option_count = COUNT_OF(config_options);

_Static_assert(COUNT_OF(config_options) <= CONFIG_OPTIONS_MAX, "raise CONFIG_OPTIONS_MAX");
