/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_TRAIN_SESSION_H
#define TOOLS_TRAIN_SESSION_H

/* One run of the trainer: from a checkpoint or saved state to a later state. */

#include <stdio.h>

#include "tools/train/objective.h"

struct session_options {
    char *data, *valid_data, *out, *log, *sheets, *merges, *model, *overshoot, *only;
    int64_t stage; /* enum stage */
    int64_t steps, rows, accumulate, size, seed, warmup, threads;
    int64_t save_every, log_every, valid_every, valid_rows, valid_size, sample_steps;
    int64_t bf16, fresh;
    double rate, final_rate, weight_decay, clip, average_decay, beta2;
    double drop_instruction, drop_auxiliary, drop_image, swap, shrink;
    double kl_weight, edge_weight, latent_noise, early_share, relative, change_weight, knee,
        colour_weight, detail_weight;
    double minutes; /* of wall-clock time after which the state is saved and the session ends; 0:
                       none */
    char *device;
};

/* Trains until `steps` steps are taken in all, or `minutes` have passed, or `interrupted` says so;
 * the state is saved in every case. Each log line is one JSON object. */
PF_MUST_CHECK enum pf_status session_run(
    const struct session_options *options, int (*interrupted)(void *context), struct pf_error *err);

#endif
