/* SPDX-License-Identifier: Apache-2.0 */
#include "config/document.h"

#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/help.h"
#include "config/sources.h"

static const struct help_section server_sections[] = {
    {"CONFIGURATION",
        "A value is taken from the command line, else from the environment, else from the file "
        "given "
        "with --config, else it is the default. An option --some-name is the variable "
        "PROMPTFIX_SOME_NAME and the key \"some_name\" of the file. Unknown options, keys and "
        "variables with this prefix are errors.\n"
        "\n"
        "Durations are whole numbers with a unit: ms, s, min, h, d. Sizes are bytes, or whole "
        "numbers "
        "with kB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024)."},
    {"SIGNALS", "  SIGTERM, SIGINT  take no new jobs, let running ones end until\n"
                "                   --drain-deadline, stop\n"
                "  SIGHUP           read file and environment again; the options that are\n"
                "                   reloadable (docs/options.md) take effect"},
    {"EXIT STATUS", "  0  stopped on request, or printed what was asked for\n"
                    "  1  could not start or go on; standard error says why\n"
                    "  2  wrong usage or configuration"},
    {"EXAMPLES", "  promptfixd --model promptfix.safetensors\n"
                 "  promptfixd --model promptfix.ckpt --devices cuda:0,cuda:1 --max-batch 8\n"
                 "  PROMPTFIX_LOG_FORMAT=json promptfixd --config /etc/promptfix/promptfixd.json\n"
                 "\n"
                 "  curl -N -F image=@photo.jpg -F instruction=\"remove the haze\" \\\n"
                 "      -H 'Accept: text/event-stream' http://127.0.0.1:8080/v1/jobs"},
};

static const struct help_section worker_sections[] = {
    {"EXIT STATUS",
        "  0  the server closed the socket\n"
        "  1  the model could not be loaded, or the device failed; standard error says why\n"
        "  2  wrong usage"},
};

void document_put_help(struct buffer *out, enum config_program program)
{
    struct help_page page = {
        .name = "promptfixd",
        .summary = "serves PromptFix over HTTP: photos are fixed as an instruction says",
        .synopsis = "  promptfixd [--model FILE] [--listen HOST:PORT] [--devices DEVICE,…]\n"
                    "             [--data-dir DIR] [OPTION…]",
        .description =
            "Takes jobs (a photo and an instruction such as \"remove the haze\") over HTTP, runs "
            "them "
            "in worker processes, one for each device, streams their progress and hands out the "
            "fixed photos. Prints the line \"listening on http://HOST:PORT\" once it accepts "
            "connections.",
        .options = config_options,
        .option_count = config_option_count,
        .programs = CONFIG_PROGRAM_SERVER,
        .sections = server_sections,
        .section_count = COUNT_OF(server_sections),
    };
    if (program == CONFIG_PROGRAM_WORKER) {
        page.name = "promptfix-worker";
        page.summary = "runs the model on one device for promptfixd";
        page.synopsis = "  promptfix-worker --model FILE --device DEVICE [OPTION…]";
        page.description = "Started by promptfixd, with one end of a socketpair as an open "
                           "descriptor; not meant to "
                           "be started by hand. Takes its options from the command line only.";
        page.programs = CONFIG_PROGRAM_WORKER;
        page.sections = worker_sections;
        page.section_count = COUNT_OF(worker_sections);
    }
    help_put_page(out, &page);
}

static int is_file_row(const struct option_spec *option)
{
    return option->programs & CONFIG_PROGRAM_SERVER && option_is_in_file(option);
}

void document_put_config(struct buffer *out, const struct config *config)
{
    const char *separator = "{\n";
    for (size_t i = 0; i < config_option_count; i++) {
        if (!is_file_row(&config_options[i]))
            continue;
        buffer_put_format(out, "%s    \"%s\": ", separator, config_options[i].name);
        option_put_json(out, &config_options[i], config);
        separator = ",\n";
    }
    buffer_put_text(out, "\n}\n");
}

static void put_json_text(struct buffer *out, const char *text)
{
    buffer_put_json_string(out, text, strlen(text));
}

static void put_schema_type(struct buffer *out, const struct option_spec *option)
{
    switch (option->type) {
    case OPTION_SWITCH:
        buffer_put_text(out, "\"type\": \"boolean\"");
        break;
    case OPTION_INTEGER:
        buffer_put_format(out, "\"type\": \"integer\", \"minimum\": %.0f, \"maximum\": %.0f",
            option->min, option->max);
        break;
    case OPTION_NUMBER:
        buffer_put_format(out, "\"type\": \"number\", \"minimum\": %g, \"maximum\": %g",
            option->min, option->max);
        break;
    case OPTION_BYTES:
        buffer_put_format(out,
            "\"type\": [\"integer\", \"string\"], \"minimum\": %.0f, \"maximum\": %.0f, "
            "\"pattern\": \"^[0-9]{1,18}([kMG]B|[KMG]iB)?$\"",
            option->min, option->max);
        break;
    case OPTION_DURATION:
        buffer_put_text(out, "\"type\": [\"integer\", \"string\"], \"minimum\": 0, \"maximum\": 0, "
                             "\"pattern\": \"^(0|[0-9]{1,18}(ms|s|min|h|d))$\"");
        break;
    case OPTION_CHOICE:
        buffer_put_text(out, "\"enum\": [");
        for (size_t i = 0; option->choices[i]; i++) {
            buffer_put_text(out, i ? ", " : "");
            put_json_text(out, option->choices[i]);
        }
        buffer_put_text(out, "]");
        break;
    case OPTION_TEXT:
        buffer_put_format(out, "\"type\": \"string\", \"maxLength\": %.0f",
            option->max > 0 ? option->max : OPTION_TEXT_MAX);
        break;
    case OPTION_LIST:
        buffer_put_format(out,
            "\"type\": \"array\", \"items\": {\"type\": \"string\", \"minLength\": 1}, "
            "\"minItems\": %.0f, \"maxItems\": %.0f",
            option->min, option->max > 0 ? option->max : OPTION_LIST_MAX);
        break;
    }
}

/* Appends the schema's default, where there is a fixed one. */
static void put_schema_default(
    struct buffer *out, const struct option_spec *option, const struct config *defaults)
{
    if (option->type == OPTION_TEXT && !option->default_text)
        return;
    buffer_put_text(out, ", \"default\": ");
    option_put_json(out, option, defaults);
}

void document_put_schema(struct buffer *out)
{
    struct config defaults = {.program = CONFIG_PROGRAM_SERVER};
    if (options_init(config_options, config_option_count, &defaults, NULL) != PF_OK) {
        out->status = PF_NOMEM;
        return;
    }
    buffer_put_text(out, "{\n    \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                         "    \"title\": \"Configuration of promptfixd\",\n"
                         "    \"type\": \"object\",\n"
                         "    \"additionalProperties\": false,\n"
                         "    \"properties\": {\n        \"$schema\": {\"type\": \"string\"}");
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option_spec *option = &config_options[i];
        if (!is_file_row(option))
            continue;
        buffer_put_format(out, ",\n        \"%s\": {", option->name);
        put_schema_type(out, option);
        put_schema_default(out, option, &defaults);
        buffer_put_text(out, ", \"description\": ");
        put_json_text(out, option->doc);
        buffer_put_text(out, "}");
    }
    buffer_put_text(out, "\n    }\n}\n");
    options_finish(config_options, config_option_count, &defaults);
}

static void put_markdown_row(struct buffer *out, const struct option_spec *option)
{
    const char *value = help_value_name(option);
    buffer_put_text(out, "| `");
    option_put_flag(out, option);
    buffer_put_format(out, "%s%s`", *value ? " " : "", value);
    if (option->short_name)
        buffer_put_format(out, ", `-%c`", option->short_name);
    buffer_put_text(out, " | ");
    help_put_option_doc(out, option);
    if (option->attributes & OPTION_RELOADABLE)
        buffer_put_text(out, " *Reloadable.*");
    else if (option->attributes & OPTION_FLAG_ONLY)
        buffer_put_text(out, " *Flag only.*");
    else if (option->attributes & OPTION_NOT_IN_FILE)
        buffer_put_text(out, " *Flag or environment.*");
    buffer_put_text(out, " |\n");
}

static void put_markdown_tables(struct buffer *out, unsigned programs, unsigned not_programs)
{
    const char *group = "";
    for (size_t i = 0; i < config_option_count; i++) {
        const struct option_spec *option = &config_options[i];
        if (!(option->programs & programs) || option->programs & not_programs)
            continue;
        if (strcmp(group, option->group) != 0)
            buffer_put_format(out, "\n## %s\n\n| option | what |\n|---|---|\n", option->group);
        group = option->group;
        put_markdown_row(out, option);
    }
}

void document_put_markdown(struct buffer *out)
{
    buffer_put_text(out,
        "<!-- Generated by `promptfixd --print-options-markdown`; a test holds that it is current. "
        "-->\n"
        "# Options of promptfixd\n"
        "\n"
        "A value is taken from the command line, else from the environment, else from the file "
        "given\n"
        "with `--config`, else it is the default. The option `--some-name` is the variable\n"
        "`PROMPTFIX_SOME_NAME` and the key `\"some_name\"` of the file, one JSON object whose "
        "schema\n"
        "`promptfixd --print-schema` prints. Unknown options, keys and variables with this prefix "
        "are\n"
        "errors. `promptfixd --print-config` shows what it all comes to.\n"
        "\n"
        "Durations are whole numbers with a unit: ms, s, min, h, d. Sizes are bytes, or whole "
        "numbers\n"
        "with kB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024). Reloadable options "
        "take\n"
        "effect when `promptfixd` gets SIGHUP; the others at its next start.\n");
    put_markdown_tables(out, CONFIG_PROGRAM_SERVER, 0);
    buffer_put_text(out, "\n# Options of promptfix-worker\n\n"
                         "Flags that `promptfixd` gives its workers, besides those both have.\n");
    put_markdown_tables(out, CONFIG_PROGRAM_WORKER, CONFIG_PROGRAM_SERVER);
}

void config_put_action(struct buffer *out, const struct config *config, enum config_action action)
{
    switch (action) {
    case CONFIG_ACTION_RUN:
        break;
    case CONFIG_ACTION_HELP:
        document_put_help(out, config->program);
        break;
    case CONFIG_ACTION_VERSION:
        buffer_put_format(out, "%s %s\n",
            config->program == CONFIG_PROGRAM_WORKER ? "promptfix-worker" : "promptfixd",
            config_version);
        break;
    case CONFIG_ACTION_PRINT_CONFIG:
        document_put_config(out, config);
        break;
    case CONFIG_ACTION_PRINT_SCHEMA:
        document_put_schema(out);
        break;
    case CONFIG_ACTION_PRINT_OPTIONS_MARKDOWN:
        document_put_markdown(out);
        break;
    }
}
