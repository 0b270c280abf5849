/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_EVAL_SETTING_H
#define TOOLS_EVAL_SETTING_H

/* One way to run a pair: a row a setting of the ablations. */

#include "base/params.h"
#include "tools/data/shards.h"

struct setting {
    const char *guidance; /* as in base/params.h; NULL: as the caller and the model say */
    const char *region;
    int has_instruction, has_auxiliary;
    int is_ablation;
};

enum {
    SETTING_DEFAULT, /* instruction and auxiliary prompt as the pair has them */
    SETTING_BLIND,   /* auxiliary prompt only */
    SETTING_ABLATIONS,
};
extern const struct setting settings[];
extern const size_t setting_count;
enum { SETTINGS_MAX = 24 };

/* Whether the setting says anything of this pair: a blind run wants an auxiliary prompt, a region
 * a mask.
 *   has_decoder   the model can be guided in its decoder */
int setting_suits(
    const struct setting *setting, const struct sample *sample, int is_local, int has_decoder);

/* `base` with the setting's guidance. */
PF_MUST_CHECK enum pf_status setting_params(const struct setting *setting,
    const struct params *base, struct params *ret_params, struct pf_error *err);

#endif
