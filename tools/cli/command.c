/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/command.h"

#include <errno.h>
#include <stdio.h>

#include "config/flags.h"

const char command_exit_text[] =
    "    0  done\n"
    "    1  failed while computing or writing\n"
    "    2  wrong usage\n"
    "    3  an input can't be used: a file that is missing, damaged or of a\n"
    "       kind not taken, or a value this model refuses\n"
    "    4  the model can't be loaded\n"
    "    5  out of memory, on the host or the device\n"
    "  130  interrupted; no partial file is left";

static const int codes_of_phases[] = {
    [PHASE_USAGE] = EXIT_CODE_USAGE,
    [PHASE_INPUT] = EXIT_CODE_INPUT,
    [PHASE_MODEL] = EXIT_CODE_MODEL,
    [PHASE_RUN] = EXIT_CODE_FAILED,
    [PHASE_OUTPUT] = EXIT_CODE_FAILED,
    [PHASE_SERVER] = EXIT_CODE_SERVER,
};

int command_exit_code(enum phase phase, enum pf_status status)
{
    switch (status) {
    case PF_OK:
        return EXIT_CODE_OK;
    case PF_NOMEM:
        return EXIT_CODE_MEMORY;
    case PF_CANCELLED:
        return EXIT_CODE_INTERRUPTED;
    case PF_INTERNAL:
        return EXIT_CODE_FAILED;
    default:
        return codes_of_phases[phase];
    }
}

const char *command_program = "promptfix";

int command_fail(const char *name, enum phase phase, const struct pf_error *err)
{
    const char *blank = *name ? " " : "";
    fprintf(stderr, "%s%s%s: %s\n", command_program, blank, name, err->message);
    if (phase == PHASE_USAGE)
        fprintf(stderr, "Try '%s%s%s --help'.\n", command_program, blank, name);
    return command_exit_code(phase, err->status);
}

struct parse_state {
    const struct command_line *line;
    size_t positional_count;
};

static enum pf_status set_option(
    void *context, const struct option_spec *option, const char *value, struct pf_error *err)
{
    const struct command_line *line = ((struct parse_state *)context)->line;
    struct option_place place = {OPTION_FROM_FLAG, NULL};
    if (line->set)
        return line->set(option, line->values, value, err);
    return option_set_text(option, line->values, value, place, err);
}

static enum pf_status add_positional(void *context, const char *text, struct pf_error *err)
{
    struct parse_state *state = context;
    if (state->positional_count == state->line->positional_max)
        return pf_fail(err, PF_INVALID, "unexpected argument '%s'", text);
    state->line->positional[state->positional_count++] = text;
    return PF_OK;
}

enum pf_status command_parse(const struct command_line *line, int argc, char **argv,
    size_t *ret_positional_count, struct pf_error *err)
{
    struct parse_state state = {line, 0};
    struct flags_sink sink = {set_option, add_positional, &state};
    PF_TRY(flags_parse(line->options, line->option_count, 1, argc, argv, &sink, err));
    *ret_positional_count = state.positional_count;
    return PF_OK;
}

enum pf_status command_print(const struct buffer *text, struct pf_error *err)
{
    PF_TRY(buffer_status(text, err));
    if (text->size && fwrite(text->data, 1, text->size, stdout) != text->size)
        return pf_fail_errno(err, errno, "standard output");
    if (fflush(stdout) != 0)
        return pf_fail_errno(err, errno, "standard output");
    return PF_OK;
}

enum pf_status command_print_page(const struct help_page *page, struct pf_error *err)
{
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    help_put_page(&text, page);
    return command_print(&text, err);
}
