/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_COMMAND_H
#define TOOLS_CLI_COMMAND_H

/* What the commands of `promptfix` share: how they are called, how they read their command line,
 * and what they exit with. A command is one file with a table of options and a run(). */

#include "base/error.h"
#include "config/help.h"
#include "config/option.h"

/* How far a command had come when it failed; with the status it decides the exit code. */
enum phase {
    PHASE_USAGE,  /* the command line */
    PHASE_INPUT,  /* files it names, values the model refuses */
    PHASE_MODEL,  /* loading the checkpoint */
    PHASE_RUN,    /* computing */
    PHASE_OUTPUT, /* writing the result */
    PHASE_SERVER, /* talking to a server */
};

/* Documented in every command's help (command_exit_text; submit and jobs have their own). */
enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_INPUT = 3,
    EXIT_CODE_MODEL = 4,
    EXIT_CODE_MEMORY = 5,
    EXIT_CODE_SERVER = 6,
    EXIT_CODE_INTERRUPTED = 130,
};

extern const char command_exit_text[]; /* of the section EXIT STATUS */

int command_exit_code(enum phase phase, enum pf_status status);

/* What command_fail() calls the program; "promptfix" unless main() says otherwise. */
extern const char *command_program;

/* Prints "promptfix fix: message" to standard error (a usage error with a hint to --help) and
 * returns the exit code. */
int command_fail(const char *name, enum phase phase, const struct pf_error *err);

struct command {
    const char *name; /* "fix" */
    const char *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns the exit code */
};

extern const struct command command_fix, command_inspect, command_bench, command_submit,
    command_jobs;

/* Of the commands that two programs know (local.h). */
#define COMMAND_FIX_SUMMARY   "changes a photo as an instruction says"
#define COMMAND_BENCH_SUMMARY "measures load, encode, step and decode times of a model"

/* Those of this build: a bare one talks to no server. */
extern const struct command *const commands[];
extern const size_t command_count;

/* Reads a command line into `values`, which options_init() has set up. At most `positional_max`
 * positional arguments are stored (borrowed).
 *   set   called for each flag instead of option_set_text(); NULL: that
 * *ret_positional_count is how many there were. PF_INVALID. */
struct command_line {
    const struct option_spec *options;
    size_t option_count;
    void *values;
    enum pf_status (*set)(
        const struct option_spec *option, void *values, const char *value, struct pf_error *err);
    const char **positional;
    size_t positional_max;
};
PF_MUST_CHECK enum pf_status command_parse(const struct command_line *line, int argc, char **argv,
    size_t *ret_positional_count, struct pf_error *err);

/* Writes a whole buffer to standard output. PF_IO. */
PF_MUST_CHECK enum pf_status command_print(const struct buffer *text, struct pf_error *err);

/* The page of --help, likewise. PF_IO, PF_NOMEM. */
PF_MUST_CHECK enum pf_status command_print_page(const struct help_page *page, struct pf_error *err);

/* The row of every command's --help; `type` has a member int64_t help. */
#define COMMAND_HELP_ROW(type)                                                                     \
    {                                                                                              \
        "help", 'h', OPTION_SWITCH, OPTION_NOT_NEGATED, 1, offsetof(type, help),                   \
            .group = "General", .doc = "Prints this page."                                         \
    }

#endif
