/* SPDX-License-Identifier: Apache-2.0 */
/* bench-step MODEL [WIDTH HEIGHT [STEPS [BATCH [DTYPE [GUIDANCE [DEVICE [MERGES]]]]]]]: the stages of a run, as one
 * line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"

int main(int argc, char **argv)
{
    const char *a[] = {NULL, "", "512", "512", "2", "1", "auto", "off", "auto", ""};
    struct pf_error err = PF_ERROR_INIT;
    struct pipeline_options options = {0};
    struct measure_options measure = {0};
    struct measure_result result;
    struct pipeline *pipeline = NULL;
    for (int i = 1; i < argc && i < 10; i++)
        a[i] = argv[i];
    if (argc < 2)
        return fprintf(stderr, "usage: %s MODEL [WIDTH HEIGHT STEPS BATCH DTYPE GUIDANCE DEVICE MERGES]\n",
                   argv[0]), 2;
    options.model = a[1];
    options.merges = *a[9] ? a[9] : NULL;
    params_init(&measure.params);
    measure.width = atoi(a[2]);
    measure.height = atoi(a[3]);
    measure.steps = atoi(a[4]);
    measure.batch = atoi(a[5]);
    if (pipeline_parse_precision(a[6], &options.precision, &err) != PF_OK ||
        params_set_text(&measure.params, "guidance", a[7], &err) != PF_OK ||
        pipeline_parse_device(a[8], &options.device, &err) != PF_OK ||
        pipeline_create(&pipeline, &options, &err) != PF_OK ||
        measure_run(pipeline, &measure, &result, &err) != PF_OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    printf("{\"model\":\"%s\",\"dtype\":\"%s\",\"size\":\"%dx%d\",\"batch\":%d,\"load_ms\":%lld,"
           "\"encode_ms\":%.0f,\"step_ms\":%.0f,\"decode_ms\":%.0f,\"peak_mb\":%lld}\n",
        pipeline->name, tensor_type_name(pipeline->place.type), measure.width, measure.height,
        measure.batch, (long long)result.load_ms, result.encode_ms,
        measure_median_step_ms(&result), result.decode_ms, (long long)(result.peak_bytes >> 20));
    pipeline_destroy(pipeline);
    return 0;
}
