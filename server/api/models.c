/* SPDX-License-Identifier: Apache-2.0 */
/* GET /v1/models, /v1/models/{model}, /v1/capabilities. */
#include <string.h>

#include "base/buffer.h"
#include "server/api/handlers.h"

/* The worker's object with the members OpenAI's clients expect in front. */
static void put_model(struct buffer *out, const struct api_model *model)
{
    buffer_put_format(out, "{\"object\":\"model\",\"created\":%lld,\"owned_by\":\"promptfix\",",
        (long long)(model->loaded_ms / 1000));
    buffer_put_text(out, model->json + 1);
}

static int refuse_query(struct http_request *request)
{
    struct pf_error err = PF_ERROR_INIT;
    if (http_check_query(request, (const char *const[]){NULL}, &err) == PF_OK)
        return 0;
    http_fail_error(request, NULL, &err);
    return 1;
}

void handle_list_models(struct http_request *request, void *context)
{
    struct buffer body = BUFFER_INIT;
    if (refuse_query(request))
        return;
    const struct api_model *model = api_get_model(context);
    buffer_put_text(&body, "{\"object\":\"list\",\"data\":[");
    if (model)
        put_model(&body, model);
    buffer_put_text(&body, "]}");
    http_respond_buffer(request, 200, "application/json", &body);
}

void handle_get_model(struct http_request *request, void *context)
{
    struct buffer body = BUFFER_INIT;
    if (refuse_query(request))
        return;
    const struct api_model *model = api_get_model(context);
    const char *id = http_path_param(request, "model");
    if (!model || strcmp(model->id, id) != 0) {
        http_fail(request, PROBLEM_NOT_FOUND, "model", "there is no model '%.100s'", id);
        return;
    }
    put_model(&body, model);
    http_respond_buffer(request, 200, "application/json", &body);
}

static void put_parameter(
    struct buffer *out, const struct param_field *field, const struct params *defaults)
{
    static const char *const types[] = {"integer", "number", "choice"};
    buffer_put_format(out, "{\"name\":\"%s\",\"type\":\"%s\"", field->name, types[field->type]);
    buffer_put_text(out, ",\"default\":");
    if (field->type == PARAM_CHOICE) {
        buffer_put_format(out, "\"%s\",\"choices\":[", params_choice_name(defaults, field));
        for (const char *const *choice = field->choices; *choice; choice++)
            buffer_put_format(out, "%s\"%s\"", choice == field->choices ? "" : ",", *choice);
        buffer_put_text(out, "]");
    } else {
        buffer_put_json_number(out, params_get(defaults, field));
        buffer_put_text(out, ",\"minimum\":");
        buffer_put_json_number(out, field->min);
        buffer_put_text(out, ",\"maximum\":");
        buffer_put_json_number(out, field->max);
    }
    buffer_put_text(out, ",\"description\":");
    buffer_put_json_string(out, field->doc, strlen(field->doc));
    buffer_put_text(out, "}");
}

static void put_limits(struct buffer *out, const struct api_options *options)
{
    buffer_put_format(out,
        "\"limits\":{\"body_bytes\":%lld,\"parts\":%lld,\"field_bytes\":%lld,\"pixels\":%lld,"
        "\"instruction_characters\":%d,\"metadata_bytes\":%d,\"wait_seconds\":%lld,"
        "\"list\":%d}",
        (long long)options->max_body_bytes, (long long)options->max_parts,
        (long long)options->max_field_bytes, (long long)options->max_pixels,
        API_INSTRUCTION_CHARACTERS_MAX, API_METADATA_BYTES_MAX,
        (long long)(options->wait_max_ms / 1000), JOBS_PAGE_MAX);
}

void handle_get_capabilities(struct http_request *request, void *context)
{
    struct api *api = context;
    struct api_options options;
    struct buffer body = BUFFER_INIT;
    if (refuse_query(request))
        return;
    api_get_options(api, &options);
    const struct api_model *model = api_get_model(api);
    struct params defaults;
    params_init(&defaults);
    if (model)
        defaults = model->defaults;
    buffer_put_text(&body, "{\"object\":\"capabilities\",\"model\":");
    if (model)
        put_model(&body, model);
    else
        buffer_put_text(&body, "null");
    buffer_put_text(&body, ",\"parameters\":[");
    for (size_t i = 0; i < params_field_count; i++) {
        if (i > 0)
            buffer_put_text(&body, ",");
        put_parameter(&body, &params_fields[i], &defaults);
    }
    buffer_put_text(&body, "],\"input_formats\":[\"png\",\"jpeg\",\"webp\"],"
                           "\"output_formats\":[\"png\",\"jpeg\",\"webp\"],"
                           "\"auxiliary\":[");
    buffer_put_text(&body,
        options.takes_auto && (!model || model->has_auxiliary) ? "\"off\",\"auto\"" : "\"off\"");
    buffer_put_text(&body, "],\"webhooks\":");
    buffer_put_text(&body, options.webhooks ? "true," : "false,");
    put_limits(&body, &options);
    buffer_put_text(&body, "}");
    http_respond_buffer(request, 200, "application/json", &body);
}
