/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/model_options.h"

/* Order of enum precision. */
const char *const model_dtype_names[] = {"auto", "float32", "bfloat16", "float16", NULL};

enum pf_status model_options_open(
    const struct model_options *options, struct pipeline **ret_pipeline, struct pf_error *err)
{
    struct pipeline_options wanted = {
        .model = options->model,
        .merges = options->merges[0] ? options->merges : NULL,
        .precision = (enum precision)options->dtype,
        .threads = (int)options->threads,
    };
    PF_TRY(pipeline_parse_device(options->device, &wanted.device, err));
    return pipeline_create(ret_pipeline, &wanted, err);
}
