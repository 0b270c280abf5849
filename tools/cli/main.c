/* SPDX-License-Identifier: Apache-2.0 */
/* promptfix: the command line. This file only finds the command. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/config.h"
#include "tools/cli/command.h"

static const struct help_section sections[] = {
    {"EXIT STATUS", command_exit_text},
    {"EXAMPLES", "  promptfix fix photo.jpg -i \"remove the haze\" -o fixed.png\n"
                 "  promptfix inspect promptfix.ckpt"},
    {"SEE ALSO", "promptfixd --help: the same as a service over HTTP."},
};

static const struct option_spec options[] = {
    {"help", 'h', OPTION_SWITCH, OPTION_NOT_NEGATED, 1,
        .doc = "Prints this page; behind a command, that command's."},
    {"version", 'V', OPTION_SWITCH, OPTION_NOT_NEGATED, 1, .doc = "Prints name and version."},
};

static void put_help(struct buffer *out)
{
    AUTO_BUFFER struct buffer description = BUFFER_INIT;
    buffer_put_text(&description,
        "PromptFix fixes photos as an instruction in plain words says. The "
        "commands:\n\n");
    for (size_t i = 0; i < command_count; i++)
        buffer_put_format(&description, "  %-8s  %s\n", commands[i]->name, commands[i]->summary);
    buffer_put_text(&description, "\n'promptfix COMMAND --help' tells all about one.");
    if (buffer_status(&description, NULL) != PF_OK)
        return;
    struct help_page page = {
        .name = "promptfix",
        .summary = "fixes photos as an instruction says",
        .synopsis = "  promptfix COMMAND [OPTION…] [ARGUMENT…]\n"
                    "  promptfix COMMAND --help",
        .description = description.data,
        .options = options,
        .option_count = COUNT_OF(options),
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    help_put_page(out, &page);
}

static int print(const struct buffer *text)
{
    struct pf_error err = PF_ERROR_INIT;
    if (command_print(text, &err) != PF_OK)
        return command_fail("", PHASE_OUTPUT, &err);
    return EXIT_CODE_OK;
}

int main(int argc, char **argv)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer text = BUFFER_INIT;
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        AUTO_BUFFER struct buffer names = BUFFER_INIT;
        for (size_t i = 0; i < command_count; i++)
            buffer_put_format(&names, "%s%s", i ? ", " : "", commands[i]->name);
        pf_fail(&err, PF_INVALID, "no command given: one of %s", names.data ? names.data : "");
        return command_fail("", PHASE_USAGE, &err);
    }
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i]->run(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        put_help(&text);
        return print(&text);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        buffer_put_format(&text, "promptfix %s\n", config_version);
        return print(&text);
    }
    pf_fail(&err, PF_INVALID, "unknown command '%s'", name);
    return command_fail("", PHASE_USAGE, &err);
}
