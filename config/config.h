/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

/* The configuration of promptfixd and promptfix-worker: plain typed members, filled from one table
 * (config/table.c) by flags over environment over file over defaults. An unknown flag, key or
 * PROMPTFIX_ variable, and a value of the wrong type or out of range, is an error that says which,
 * where it was given and what was expected.
 *
 * A server's main():
 *
 *     struct config config;
 *     enum config_action action;
 *     if (config_load(&config, CONFIG_PROGRAM_SERVER, argc, argv, environ, &action, &err) != PF_OK)
 *         complain and exit 2;
 *     if (action != CONFIG_ACTION_RUN) {
 *         config_put_action(&out, &config, action);
 *         write it to stdout and exit 0;
 *     }
 *     …
 *     config_finish(&config);
 *
 * Links base only (no libtorch, no jansson). */

#include "config/option.h"

/* Bits of option_spec.programs. The worker takes flags only: its server passes them on. */
enum config_program { CONFIG_PROGRAM_SERVER = 1, CONFIG_PROGRAM_WORKER = 2 };

enum config_dtype {
    CONFIG_DTYPE_AUTO,
    CONFIG_DTYPE_FLOAT32,
    CONFIG_DTYPE_BFLOAT16,
    CONFIG_DTYPE_FLOAT16,
};
enum config_vlm_on_failure { CONFIG_VLM_FAIL, CONFIG_VLM_CONTINUE };
enum config_log_format { CONFIG_LOG_HUMAN, CONFIG_LOG_JSON };
enum config_log_level {
    CONFIG_LOG_ERROR,
    CONFIG_LOG_WARNING,
    CONFIG_LOG_INFO,
    CONFIG_LOG_DEBUG,
};

enum config_action {
    CONFIG_ACTION_RUN,
    CONFIG_ACTION_HELP,
    CONFIG_ACTION_VERSION,
    CONFIG_ACTION_PRINT_CONFIG,           /* the effective values, as a file */
    CONFIG_ACTION_PRINT_SCHEMA,           /* JSON Schema of the file */
    CONFIG_ACTION_PRINT_OPTIONS_MARKDOWN, /* docs/options.md */
};

enum { CONFIG_OPTIONS_MAX = 96, CONFIG_FILE_MAX = 1 << 20 };

/* Texts are never NULL; "" means not given. Durations are in milliseconds. */
struct config {
    /* Model */
    char *model;              /* checkpoint file; "": the embedded model */
    char *merges;             /* tokenizer's merges table; "": beside the checkpoint or inside it */
    struct text_list devices; /* "auto" alone, or "cpu", "cuda:N"; one worker each */
    int64_t dtype;            /* enum config_dtype */
    int64_t threads;          /* CPU threads of one worker; 0: all cores / workers */
    int64_t max_batch;        /* runs joined in one UNet call */
    int64_t max_runs;         /* runs in flight in one worker */

    /* Network */
    char *listen; /* "HOST:PORT", see config_listen_split() */
    int64_t max_connections;
    int64_t max_connections_per_address; /* 0: no limit of its own */
    int64_t request_deadline_ms;         /* for a request to arrive whole */
    int64_t wait_max_ms;                 /* longest Prefer: wait */
    int64_t sse_ping_ms;
    int64_t drain_deadline_ms;

    /* Access */
    char *keys_file;                 /* see server/http/keys.h; "": no keys are needed */
    int64_t allow_without_keys;      /* also on a public address */
    struct text_list cors_origins;   /* "https://example.org" */
    char *tls_certificate, *tls_key; /* PEM files; "": plain HTTP */

    /* Webhooks */
    char *webhook_secret_file; /* "whsec_…"; "": webhooks are refused */
    int64_t webhook_allow_private;
    int64_t webhook_first_retry_ms;

    /* Requests */
    int64_t max_body_bytes;
    int64_t max_buffered_bytes; /* bodies of all requests together */
    int64_t max_parts;
    int64_t max_field_bytes; /* a text field of a form */
    int64_t max_pixels;      /* of an image file, by its header */

    /* Jobs */
    char *data_dir; /* never "" after config_load() */
    char *store;    /* ":memory:"; "": a database in data_dir */
    int64_t max_queued;
    int64_t max_queued_batch;
    int64_t max_queued_per_key;  /* 0: no limit of its own */
    int64_t max_running_per_key; /* 0: no limit of its own */
    int64_t ageing_ms;           /* after which batch jobs may pass interactive ones */
    int64_t max_attempts;
    int64_t result_ttl_ms;
    int64_t expired_ttl_ms;

    /* Auxiliary prompts */
    char *vlm_url; /* "http://host/v1"; "": no vision-language model */
    char *vlm_model;
    char *vlm_key_file;          /* "": no key */
    char *vlm_question_semantic; /* "": not asked */
    char *vlm_question_defect;
    int64_t vlm_timeout_ms; /* of one attempt */
    int64_t vlm_retries;
    int64_t vlm_concurrency; /* requests at a time */
    int64_t vlm_image_side;
    int64_t vlm_cache_entries;
    int64_t vlm_on_failure; /* enum config_vlm_on_failure */

    /* Workers */
    char *worker_path;                 /* "": promptfix-worker beside promptfixd, else on PATH */
    int64_t worker_memory_limit_bytes; /* a worker above it is replaced when idle; 0: never */
    int64_t worker_start_timeout_ms;   /* from spawn to ready */
    int64_t worker_silence_timeout_ms; /* between two messages while it has runs; then killed */

    /* Logging */
    int64_t log_format; /* enum config_log_format */
    int64_t log_level;  /* enum config_log_level */

    /* The worker's own */
    char *device;      /* "cpu", "cuda:N" */
    int64_t socket_fd; /* descriptor of its end of the socketpair */

    /* How it was loaded */
    char *config_file;                                        /* --config; "": none */
    int64_t action[CONFIG_ACTION_PRINT_OPTIONS_MARKDOWN + 1]; /* switches; see config_load() */
    enum config_program program;
    unsigned char origin[CONFIG_OPTIONS_MAX]; /* enum option_origin of config_options[i] */
    int argc;                                 /* borrowed, for config_reload() */
    char *const *argv;
    char *const *environment;
};

extern const char config_version[]; /* "0.1.0" */
extern const struct option_spec config_options[];
extern const size_t config_option_count;

/* Fills `ret_config` (uninitialised before; needs config_finish() only after PF_OK). `argv` and
 * `environment` are borrowed and outlive it. With an action other than RUN the rest is loaded as
 * far as that action needs: HELP, VERSION, PRINT_SCHEMA and PRINT_OPTIONS_MARKDOWN work whatever
 * the environment holds. Creates no folder and opens nothing but the configuration file. Errors
 * PF_INVALID (flag, environment, file content), PF_IO, PF_NOT_FOUND (file), PF_NOMEM */
PF_MUST_CHECK enum pf_status config_load(struct config *ret_config, enum config_program program,
    int argc, char *const *argv, char *const *environment, enum config_action *ret_action,
    struct pf_error *err);
void config_finish(struct config *config);

/* Appends what an action prints. */
void config_put_action(struct buffer *out, const struct config *config, enum config_action action);

/* Loads file and environment again. `ret_next` is a whole configuration of its own: reloadable
 * options have their new values, the others those of `running`; the names of others that were
 * changed in the file are appended to `ret_ignored`, separated by ", ". `running` is not touched.
 */
PF_MUST_CHECK enum pf_status config_reload(const struct config *running, struct config *ret_next,
    struct buffer *ret_ignored, struct pf_error *err);

enum { CONFIG_HOST_SIZE = 256 };

/* "127.0.0.1:8080", "localhost:0", "[::1]:8080" → host (without brackets) and port; port 0 lets the
 * kernel choose. */
PF_MUST_CHECK enum pf_status config_listen_split(
    const char *listen, char ret_host[CONFIG_HOST_SIZE], unsigned *ret_port, struct pf_error *err);

#endif
