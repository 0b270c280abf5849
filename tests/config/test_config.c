/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "config/config.h"

static char folder[] = "/tmp/test_config_XXXXXX";
static char file[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/c.json", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    return rmdir(folder);
}

static void write_file(const char *text)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(file_write(file, text, strlen(text), 0600, 0, &err), &err);
}

enum { ARGS_MAX = 8 };

/* Loads with `flags` behind the program's name and, when `json` is given, --config FILE. */
static enum pf_status load(struct config *config, char *const *flags, char *const *environment,
    const char *json, enum config_action *ret_action, struct pf_error *err)
{
    static char *argv[ARGS_MAX + 4]; /* config_reload() reads it again */
    int argc = 0;
    argv[argc++] = "promptfixd";
    if (json) {
        write_file(json);
        argv[argc++] = "--config";
        argv[argc++] = file;
    }
    for (; *flags; flags++)
        argv[argc++] = *flags;
    argv[argc] = NULL;
    return config_load(config, CONFIG_PROGRAM_SERVER, argc, argv, environment, ret_action, err);
}

static void test_defaults(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct config config;
    enum config_action action;
    char *environment[] = {"HOME=/home/x", "XDG_STATE_HOME=/state", "OTHER=1", NULL};
    assert_ok(load(&config, (char *[]){NULL}, environment, NULL, &action, &err), &err);
    assert_int_equal(action, CONFIG_ACTION_RUN);
    assert_string_equal(config.model, "");
    assert_string_equal(config.listen, "127.0.0.1:8080");
    assert_int_equal(config.devices.count, 1);
    assert_string_equal(config.devices.items[0], "auto");
    assert_int_equal(config.dtype, CONFIG_DTYPE_AUTO);
    assert_int_equal(config.max_batch, 4);
    assert_int_equal(config.result_ttl_ms, 24 * 3600 * 1000);
    assert_int_equal(config.expired_ttl_ms, 24 * 3600 * 1000);
    assert_int_equal(config.max_body_bytes, 32 << 20);
    assert_int_equal(config.log_level, CONFIG_LOG_INFO);
    const char *data_dir = geteuid() == 0 ? "/var/lib/promptfix" : "/state/promptfix";
    assert_string_equal(config.data_dir, data_dir);
    assert_string_equal(config.store, "");
    config_finish(&config);
}

/* Each row: the value of max_runs in the four places, and which one counts. */
static void test_precedence(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        char *environment, *flag;
        int expected;
        enum option_origin origin;
    } cases[] = {
        {NULL, NULL, NULL, 8, OPTION_DEFAULT},
        {"{\"max_runs\": 11}", NULL, NULL, 11, OPTION_FROM_FILE},
        {NULL, "PROMPTFIX_MAX_RUNS=12", NULL, 12, OPTION_FROM_ENVIRONMENT},
        {NULL, NULL, "--max-runs=13", 13, OPTION_FROM_FLAG},
        {"{\"max_runs\": 11}", "PROMPTFIX_MAX_RUNS=12", NULL, 12, OPTION_FROM_ENVIRONMENT},
        {"{\"max_runs\": 11}", NULL, "--max-runs=13", 13, OPTION_FROM_FLAG},
        {NULL, "PROMPTFIX_MAX_RUNS=12", "--max-runs=13", 13, OPTION_FROM_FLAG},
        {"{\"max_runs\": 11}", "PROMPTFIX_MAX_RUNS=12", "--max-runs=8", 8, OPTION_FROM_FLAG},
    };
    const struct option_spec *option = option_find(config_options, config_option_count, "max_runs");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct config config;
        enum config_action action;
        char *environment[] = {"HOME=/home/x", cases[i].environment, NULL};
        char *flags[] = {cases[i].flag, NULL};
        assert_ok(load(&config, flags, environment, cases[i].json, &action, &err), &err);
        assert_int_equal(config.max_runs, cases[i].expected);
        assert_int_equal(config.origin[option - config_options], cases[i].origin);
        config_finish(&config);
    }
}

static void test_every_type_from_the_file(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct config config;
    enum config_action action;
    char *environment[] = {"HOME=/home/x", NULL};
    const char *json = "{\"$schema\": \"x\", \"devices\": [\"cpu\", \"cuda:1\"], "
                       "\"dtype\": \"bfloat16\", \"max_body_bytes\": 1048576, "
                       "\"max_field_bytes\": \"2KiB\", \"sse_ping\": \"250ms\", "
                       "\"drain_deadline\": 0, \"store\": \":memory:\", \"data_dir\": \"/d\"}";
    assert_ok(load(&config, (char *[]){NULL}, environment, json, &action, &err), &err);
    assert_int_equal(config.devices.count, 2);
    assert_string_equal(config.devices.items[1], "cuda:1");
    assert_int_equal(config.dtype, CONFIG_DTYPE_BFLOAT16);
    assert_int_equal(config.max_body_bytes, 1 << 20);
    assert_int_equal(config.max_field_bytes, 2048);
    assert_int_equal(config.sse_ping_ms, 250);
    assert_int_equal(config.drain_deadline_ms, 0);
    assert_string_equal(config.store, ":memory:");
    config_finish(&config);
}

static void test_file_named_by_the_environment(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct config config;
    enum config_action action;
    char variable[96];
    write_file("{\"max_runs\": 5}");
    snprintf(variable, sizeof variable, "PROMPTFIX_CONFIG=%s", file);
    char *environment[] = {"HOME=/h", variable, NULL};
    assert_ok(load(&config, (char *[]){NULL}, environment, NULL, &action, &err), &err);
    assert_int_equal(config.max_runs, 5);
    config_finish(&config);
}

/* Where, what, and what was expected: all three in each message. */
static void test_errors(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        char *environment, *flag;
        enum pf_status status;
        const char *parts[3];
    } cases[] = {
        {NULL, NULL, "--max-runs=0", PF_INVALID, {"--max-runs", "'0'", "integer from 1 to 64"}},
        {NULL, NULL, "--max-runs=9x", PF_INVALID, {"--max-runs", "'9x'", "integer"}},
        {NULL, NULL, "--devices=gpu", PF_INVALID, {"--devices", "'gpu'", "auto, cpu or cuda:N"}},
        {NULL, NULL, "--devices=auto,cpu", PF_INVALID, {"--devices", "'auto'", "combined"}},
        {NULL, NULL, "--devices=", PF_INVALID, {"--devices", "0 items", "1 to 64"}},
        {NULL, NULL, "--devices=cpu,,cpu", PF_INVALID, {"--devices", "''", "not empty"}},
        {NULL, NULL, "--dtype=fp16", PF_INVALID, {"--dtype", "'fp16'", "bfloat16 or float16"}},
        {NULL, NULL, "--listen=8080", PF_INVALID, {"--listen", "'8080'", "HOST:PORT"}},
        {NULL, NULL, "--store=/x.db", PF_INVALID, {"--store", "'/x.db'", "':memory:'"}},
        {NULL, NULL, "--sse-ping=15", PF_INVALID, {"--sse-ping", "'15'", "duration"}},
        {NULL, NULL, "--sse-ping=1ms", PF_INVALID, {"--sse-ping", "'1ms'", "from 100ms to 5min"}},
        {NULL, NULL, "--max-body-bytes=1", PF_INVALID, {"--max-body-bytes", "'1'", "64KiB"}},
        {NULL, NULL, "--device=cpu", PF_INVALID, {"--device", "--devices", "unknown"}},
        {NULL, "PROMPTFIX_MAX_RUNS=", NULL, PF_INVALID, {"PROMPTFIX_MAX_RUNS", "''", "integer"}},
        {NULL, "PROMPTFIX_MAX_RUN=1", NULL, PF_INVALID,
            {"unknown", "PROMPTFIX_MAX_RUN;", "PROMPTFIX_MAX_RUNS"}},
        {NULL, "PROMPTFIX_=1", NULL, PF_INVALID, {"unknown", "PROMPTFIX_", ""}},
        {NULL, "PROMPTFIX_max_runs=1", NULL, PF_INVALID, {"unknown", "PROMPTFIX_max_runs", ""}},
        {NULL, "PROMPTFIX_HELP=true", NULL, PF_INVALID, {"PROMPTFIX_HELP", "only a flag", ""}},
        {NULL, "PROMPTFIX_SOCKET_FD=3", NULL, PF_INVALID, {"unknown", "PROMPTFIX_SOCKET_FD", ""}},
        {"{\"max_runs\": \"8\"}", NULL, NULL, PF_INVALID,
            {"'max_runs' in ", "a string", "integer from 1 to 64"}},
        {"{\"max_runs\": 8.5}", NULL, NULL, PF_INVALID, {"'max_runs' in ", "8.5", "integer"}},
        {"{\"max_runs\": 1000}", NULL, NULL, PF_INVALID, {"'max_runs' in ", "1000", "64"}},
        {"{\"max_runs\": null}", NULL, NULL, PF_INVALID, {"'max_runs' in ", "null", "integer"}},
        {"{\"model\": 3}", NULL, NULL, PF_INVALID, {"'model' in ", "a number", "text"}},
        {"{\"model\": \"a\\u0000b\"}", NULL, NULL, PF_INVALID, {"'model' in ", "NUL", ""}},
        {"{\"devices\": \"cpu\"}", NULL, NULL, PF_INVALID, {"'devices' in ", "a string", "list"}},
        {"{\"devices\": [1]}", NULL, NULL, PF_INVALID, {"'devices' in ", "array of strings", ""}},
        {"{\"sse_ping\": 15}", NULL, NULL, PF_INVALID, {"'sse_ping' in ", "a number", "duration"}},
        {"{\"max_rnus\": 8}", NULL, NULL, PF_INVALID,
            {"unknown key 'max_rnus' in ", "c.json", "'max_runs'"}},
        {"{\"zzz\": 8}", NULL, NULL, PF_INVALID, {"unknown key 'zzz' in ", "c.json", ""}},
        {"{\"help\": true}", NULL, NULL, PF_INVALID, {"'help' in ", "can't be set", ""}},
        {"{\"config\": \"x\"}", NULL, NULL, PF_INVALID, {"'config' in ", "can't be set", ""}},
        {"[]", NULL, NULL, PF_INVALID, {"c.json", "an array", "an object"}},
        {"{\"max_runs\": 1, \"max_runs\": 2}", NULL, NULL, PF_INVALID, {"c.json", "max_runs", ""}},
        {"{\"max_runs\": ", NULL, NULL, PF_INVALID, {"c.json", "byte", ""}},
        {"", NULL, NULL, PF_INVALID, {"c.json", "byte 0", ""}},
        {NULL, NULL, "--config=/nowhere/x.json", PF_NOT_FOUND, {"/nowhere/x.json", "", ""}},
        {NULL, "PROMPTFIX_CONFIG=/nowhere/y.json", NULL, PF_NOT_FOUND, {"/nowhere/y.json", "", ""}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct config config;
        enum config_action action;
        char *environment[] = {"HOME=/home/x", cases[i].environment, NULL};
        char *flags[] = {cases[i].flag, NULL};
        enum pf_status got = load(&config, flags, environment, cases[i].json, &action, &err);
        if (got != cases[i].status)
            fail_msg("case %zu: %s: %s", i, pf_status_name(got), err.message);
        for (size_t part = 0; part < 3; part++)
            if (!strstr(err.message, cases[i].parts[part]))
                fail_msg("case %zu: no \"%s\" in: %s", i, cases[i].parts[part], err.message);
    }
}

static void test_actions_need_no_sane_environment(void **state)
{
    (void)state;
    static const struct {
        char *flag;
        enum config_action action;
        enum pf_status status;
    } cases[] = {
        {"--help", CONFIG_ACTION_HELP, PF_OK},
        {"-h", CONFIG_ACTION_HELP, PF_OK},
        {"--version", CONFIG_ACTION_VERSION, PF_OK},
        {"--print-schema", CONFIG_ACTION_PRINT_SCHEMA, PF_OK},
        {"--print-options-markdown", CONFIG_ACTION_PRINT_OPTIONS_MARKDOWN, PF_OK},
        {"--print-config", CONFIG_ACTION_PRINT_CONFIG, PF_INVALID},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct config config;
        enum config_action action = CONFIG_ACTION_RUN;
        char *environment[] = {"PROMPTFIX_NONSENSE=1", NULL};
        char *flags[] = {cases[i].flag, NULL};
        assert_int_equal(load(&config, flags, environment, NULL, &action, &err), cases[i].status);
        if (cases[i].status != PF_OK)
            continue;
        assert_int_equal(action, cases[i].action);
        config_finish(&config);
    }
}

static void test_no_home(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    struct pf_error err = PF_ERROR_INIT;
    struct config config;
    enum config_action action;
    char *environment[] = {"HOME=relative", NULL};
    assert_fails(load(&config, (char *[]){NULL}, environment, NULL, &action, &err), PF_INVALID,
        "--data-dir", &err);
}

static void test_reload(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct config config, next;
    enum config_action action;
    char *environment[] = {"HOME=/h", "PROMPTFIX_LOG_FORMAT=json", "PROMPTFIX_KEY=client's",
        "PROMPTFIX_SERVER=http://client's", NULL};
    char *flags[] = {"--log-level=debug", NULL};
    assert_ok(
        load(&config, flags, environment,
            "{\"drain_deadline\": \"10s\", \"model\": \"a\", \"max_runs\": 2}", &action, &err),
        &err);
    write_file("{\"drain_deadline\": \"20s\", \"model\": \"b\", \"max_runs\": 3, "
               "\"log_level\": \"error\", \"log_format\": \"human\"}");
    AUTO_BUFFER struct buffer ignored = BUFFER_INIT;
    assert_ok(config_reload(&config, &next, &ignored, &err), &err);
    assert_int_equal(next.drain_deadline_ms, 20000);
    assert_int_equal(next.log_format, CONFIG_LOG_JSON);
    assert_int_equal(next.log_level, CONFIG_LOG_DEBUG);
    assert_string_equal(next.model, "a");
    assert_int_equal(next.max_runs, 2);
    assert_string_equal(ignored.data, "model, max_runs");
    assert_int_equal(config.drain_deadline_ms, 10000);
    config_finish(&next);
    write_file("{\"max_queued\": 0}");
    assert_fails(config_reload(&config, &next, &ignored, &err), PF_INVALID, "max_queued", &err);
    config_finish(&config);
}

/* The worker's flags are as base/protocol.h says; environment and file don't concern it. */
static void test_worker(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct config config;
    enum config_action action;
    char *environment[] = {"PROMPTFIX_LISTEN=0.0.0.0:80", "PROMPTFIX_MAX_RUNS=x", NULL};
    char *argv[] = {"promptfix-worker", "--model=--odd name", "--device", "cuda:2", "--dtype",
        "float32", "--max-batch", "3", "--max-runs", "5", "--socket-fd", "4", NULL};
    int argc = (int)COUNT_OF(argv) - 1;
    assert_ok(
        config_load(&config, CONFIG_PROGRAM_WORKER, argc, argv, environment, &action, &err), &err);
    assert_int_equal(action, CONFIG_ACTION_RUN);
    assert_string_equal(config.model, "--odd name");
    assert_string_equal(config.device, "cuda:2");
    assert_int_equal(config.dtype, CONFIG_DTYPE_FLOAT32);
    assert_int_equal(config.max_batch, 3);
    assert_int_equal(config.max_runs, 5);
    assert_int_equal(config.socket_fd, 4);
    config_finish(&config);
    argv[1] = "--listen=0.0.0.0:80";
    assert_fails(
        config_load(&config, CONFIG_PROGRAM_WORKER, argc, argv, environment, &action, &err),
        PF_INVALID, "--listen", &err);
}

static void test_listen_split(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        unsigned port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"localhost:0", "localhost", 0},
        {"[::1]:65535", "::1", 65535},
        {"0.0.0.0:1", "0.0.0.0", 1},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"[]:80", NULL, 0},
        {":80", NULL, 0},
        {"host:", NULL, 0},
        {"host:65536", NULL, 0},
        {"host:-1", NULL, 0},
        {"host:80x", NULL, 0},
        {"host:000080", NULL, 0},
        {"host", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        char host[CONFIG_HOST_SIZE] = "";
        unsigned port = 0;
        enum pf_status status = config_listen_split(cases[i].text, host, &port, &err);
        assert_int_equal(status, cases[i].host ? PF_OK : PF_INVALID);
        if (!cases[i].host)
            continue;
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_every_type_from_the_file),
        cmocka_unit_test(test_file_named_by_the_environment),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_actions_need_no_sane_environment),
        cmocka_unit_test(test_no_home),
        cmocka_unit_test(test_reload),
        cmocka_unit_test(test_worker),
        cmocka_unit_test(test_listen_split),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
