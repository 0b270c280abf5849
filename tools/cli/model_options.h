/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CLI_MODEL_OPTIONS_H
#define TOOLS_CLI_MODEL_OPTIONS_H

/* Options of the commands that load a model, as rows for their tables. */

#include "config/option.h"
#include "pipeline/pipeline.h"

struct model_options {
    char *model, *merges, *device;
    int64_t dtype; /* enum precision */
    int64_t threads;
};

extern const char *const model_dtype_names[];

#define MODEL_OPTION_ROWS(type, member)                                                            \
    {"model", 'm', OPTION_TEXT, 0, 1, offsetof(type, member.model), .value_name = "FILE",          \
        .group = "Model",                                                                          \
        .doc = "Checkpoint: safetensors, or a PyTorch zip (.ckpt, .pth, .pt), recognised by its "  \
               "content. Without it: the model that ships with promptfix."},                       \
        {"merges", 0, OPTION_TEXT, 0, 1, offsetof(type, member.merges), .value_name = "FILE",      \
            .group = "Model",                                                                      \
            .doc = "The tokenizer's merges table, plain or gzip. Without it: from the "            \
                   "checkpoint's metadata, or merges.txt beside the checkpoint."},                 \
        {"device", 0, OPTION_TEXT, 0, 1, offsetof(type, member.device), .default_text = "auto",    \
            .value_name = "DEVICE", .group = "Model",                                              \
            .doc = "Where the model runs: cpu, cuda:0, cuda:1, …; auto takes the first CUDA "    \
                   "device, or the CPU when there is none."},                                      \
        {"dtype", 0, OPTION_CHOICE, 0, 1, offsetof(type, member.dtype), .default_text = "auto",    \
            .choices = model_dtype_names, .group = "Model",                                        \
            .doc = "Type of weights and activations. auto takes what the device is fast at; "      \
                   "float16 needs CUDA."},                                                         \
    {                                                                                              \
        "threads", 0, OPTION_INTEGER, 0, 1, offsetof(type, member.threads), 0, 1024, "0",          \
            .group = "Model", .doc = "CPU threads; 0 takes all cores."                             \
    }

/* Loads the model, on the device and in the type asked for.
 * Fails as pipeline_parse_device() and pipeline_create() do. */
PF_MUST_CHECK enum pf_status model_options_open(
    const struct model_options *options, struct pipeline **ret_pipeline, struct pf_error *err);

#endif
