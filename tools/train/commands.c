/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/train/commands.h"

#include "base/cleanup.h"

static int print_help(const struct train_command_line *line)
{
    static const struct help_section sections[] = {{"EXIT STATUS", command_exit_text}};
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer name = BUFFER_INIT;
    buffer_put_format(&name, "%s %s", command_program, line->command->name);
    struct help_page page = {
        .name = name.data,
        .summary = line->command->summary,
        .synopsis = line->synopsis,
        .description = "See docs/model.md for how the embedded model was made.",
        .options = line->rows,
        .option_count = line->row_count,
        .programs = 1,
        .sections = sections,
        .section_count = COUNT_OF(sections),
    };
    if (command_print_page(&page, &err) != PF_OK)
        return command_fail(line->command->name, PHASE_OUTPUT, &err);
    return EXIT_CODE_OK;
}

int train_command_parse(const struct train_command_line *line, int argc, char **argv, int *ret_code)
{
    struct pf_error err = PF_ERROR_INIT;
    size_t positional_count = 0;
    struct command_line parsed = {line->rows, line->row_count, line->values, NULL, NULL, 0};
    enum pf_status status = options_init(line->rows, line->row_count, line->values, &err);
    if (status == PF_OK)
        status = command_parse(&parsed, argc, argv, &positional_count, &err);
    if (status == PF_OK && *line->help) {
        *ret_code = print_help(line);
        return 0;
    }
    for (size_t i = 0; status == PF_OK && i < line->row_count; i++) {
        const struct option_spec *row = &line->rows[i];
        const char *text = *(char *const *)((const char *)line->values + row->offset);
        if (row->type == OPTION_TEXT && (row->attributes & OPTION_REQUIRED) && !text[0])
            status = pf_fail(&err, PF_INVALID, "--%s is needed", row->name);
    }
    if (status != PF_OK)
        *ret_code = command_fail(line->command->name, PHASE_USAGE, &err);
    return status == PF_OK;
}
