/* SPDX-License-Identifier: Apache-2.0 */
/* Loading is four passes over the same struct, each overwriting the one before: defaults, file,
 * environment, flags. The flags are read once before all that, for the name of the file and for the
 * actions that must work however broken the rest is (--help). */
#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "config/flags.h"
#include "config/sources.h"

const char config_version[] = PROMPTFIX_VERSION;

/* Those of the command line promptfix, which a person may have set for good. */
static const char *const foreign_variables[] = {
    OPTION_ENVIRONMENT_PREFIX "SERVER", OPTION_ENVIRONMENT_PREFIX "KEY", NULL};

static struct option_target target_of(struct config *config)
{
    return (struct option_target){
        .options = config_options,
        .count = config_option_count,
        .programs = config->program,
        .values = config,
        .origin = config->origin,
        .foreign = foreign_variables,
    };
}

static enum pf_status set_flag(
    void *context, const struct option_spec *option, const char *value, struct pf_error *err)
{
    struct config *config = context;
    struct option_place place = {OPTION_FROM_FLAG, NULL};
    PF_TRY(option_set_text(option, config, value, place, err));
    config->origin[option - config_options] = OPTION_FROM_FLAG;
    return PF_OK;
}

static enum pf_status set_early_flag(
    void *context, const struct option_spec *option, const char *value, struct pf_error *err)
{
    int is_early = option->attributes & OPTION_ACTION ||
                   option->offset == offsetof(struct config, config_file);
    return is_early ? set_flag(context, option, value, err) : PF_OK;
}

static enum pf_status read_flags(struct config *config, int early, struct pf_error *err)
{
    struct flags_sink sink = {early ? set_early_flag : set_flag, NULL, config};
    return flags_parse(config_options, config_option_count, config->program, config->argc,
        config->argv, &sink, err);
}

static enum config_action wanted_action(const struct config *config)
{
    for (size_t i = CONFIG_ACTION_HELP; i < COUNT_OF(config->action); i++)
        if (config->action[i])
            return (enum config_action)i;
    return CONFIG_ACTION_RUN;
}

/* The member is replaced by "a/b". */
static enum pf_status join_path(char **member, const char *a, const char *b, struct pf_error *err)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT_MAX(OPTION_TEXT_MAX);
    buffer_put_format(&path, "%s/%s", a, b);
    PF_TRY(buffer_status(&path, err));
    free(*member);
    *member = buffer_steal(&path, NULL);
    return PF_OK;
}

/* XDG base directory specification: relative paths in the variable are to be ignored. */
static enum pf_status resolve_data_dir(struct config *config, struct pf_error *err)
{
    if (config->data_dir[0])
        return PF_OK;
    if (geteuid() == 0)
        return join_path(&config->data_dir, "/var/lib", "promptfix", err);
    const char *state = source_environment_get(config->environment, "XDG_STATE_HOME");
    if (state && state[0] == '/')
        return join_path(&config->data_dir, state, "promptfix", err);
    const char *home = source_environment_get(config->environment, "HOME");
    if (home && home[0] == '/')
        return join_path(&config->data_dir, home, ".local/state/promptfix", err);
    return pf_fail(err, PF_INVALID,
        "no data directory: --data-dir is not given and neither XDG_STATE_HOME nor HOME is set");
}

static enum pf_status check_devices(const struct config *config, struct pf_error *err)
{
    for (size_t i = 0; i < config->devices.count; i++)
        if (strcmp(config->devices.items[i], "auto") == 0 && config->devices.count > 1)
            return pf_fail(err, PF_INVALID, "--devices: 'auto' can't be combined with others");
    return PF_OK;
}

static enum pf_status read_all(struct config *config, struct pf_error *err)
{
    if (config->program == CONFIG_PROGRAM_WORKER)
        return read_flags(config, 0, err);
    struct option_target target = target_of(config);
    const char *from_environment =
        source_environment_get(config->environment, OPTION_ENVIRONMENT_PREFIX "CONFIG");
    const char *path = config->config_file[0] ? config->config_file : from_environment;
    if (path && path[0])
        PF_TRY(source_read_file(&target, path, CONFIG_FILE_MAX, err));
    PF_TRY(source_read_environment(&target, config->environment, err));
    PF_TRY(read_flags(config, 0, err));
    PF_TRY(check_devices(config, err));
    return resolve_data_dir(config, err);
}

enum pf_status config_load(struct config *ret_config, enum config_program program, int argc,
    char *const *argv, char *const *environment, enum config_action *ret_action,
    struct pf_error *err)
{
    struct config config = {
        .program = program, .argc = argc, .argv = argv, .environment = environment};
    PF_TRY(options_init(config_options, config_option_count, &config, err));
    enum pf_status status = read_flags(&config, 1, err);
    enum config_action action = wanted_action(&config);
    if (status == PF_OK && (action == CONFIG_ACTION_RUN || action == CONFIG_ACTION_PRINT_CONFIG))
        status = read_all(&config, err);
    if (status != PF_OK) {
        config_finish(&config);
        return status;
    }
    *ret_config = config;
    *ret_action = action;
    return PF_OK;
}

void config_finish(struct config *config)
{
    options_finish(config_options, config_option_count, config);
}

enum pf_status config_reload(const struct config *running, struct config *ret_next,
    struct buffer *ret_ignored, struct pf_error *err)
{
    struct config next;
    enum config_action action;
    PF_TRY(config_load(
        &next, running->program, running->argc, running->argv, running->environment, &action, err));
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option_spec *option = &config_options[i];
        if (option->attributes & OPTION_RELOADABLE || option_is_equal(option, running, &next))
            continue;
        buffer_put_format(ret_ignored, "%s%s", ret_ignored->size ? ", " : "", option->name);
        enum pf_status status = option_copy(option, running, &next, err);
        if (status != PF_OK) {
            config_finish(&next);
            return status;
        }
        next.origin[i] = running->origin[i];
    }
    *ret_next = next;
    return PF_OK;
}

enum pf_status config_listen_split(
    const char *listen, char ret_host[CONFIG_HOST_SIZE], unsigned *ret_port, struct pf_error *err)
{
    const char *colon = strrchr(listen, ':');
    const char *host = listen, *host_end = colon;
    if (colon && listen[0] == '[' && colon > listen + 1 && colon[-1] == ']') {
        host++;
        host_end--;
    } else if (colon && strchr(listen, ':') != colon) {
        colon = NULL;
    }
    size_t size = colon ? (size_t)(host_end - host) : 0;
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    unsigned long port = digits >= 1 && digits <= 5 ? strtoul(colon + 1, NULL, 10) : 65536;
    if (size == 0 || size >= CONFIG_HOST_SIZE || colon[1 + digits] || port > 65535)
        return pf_fail(err, PF_INVALID, "'%.100s' is not HOST:PORT", listen);
    memcpy(ret_host, host, size);
    ret_host[size] = '\0';
    *ret_port = (unsigned)port;
    return PF_OK;
}
