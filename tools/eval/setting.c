/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/eval/setting.h"

#include <string.h>

#include "base/cleanup.h"

const struct setting settings[] = {
    [SETTING_DEFAULT] = {NULL, NULL, 1, 1, 0},
    [SETTING_BLIND] = {NULL, NULL, 0, 1, 0},
    [SETTING_ABLATIONS] = {"off", "none", 1, 0, 1},
    {"off", "none", 1, 1, 1},
    {"latent", "none", 1, 0, 1},
    {"latent", "none", 1, 1, 1},
    {"latent", "auto", 1, 0, 1},
    {"latent", "auto", 1, 1, 1},
    {"latent", "mask", 1, 0, 1},
    {"latent", "mask", 1, 1, 1},
    {"decoder", "none", 1, 0, 1},
    {"decoder", "none", 1, 1, 1},
    {"decoder", "auto", 1, 0, 1},
    {"decoder", "auto", 1, 1, 1},
    {"decoder", "mask", 1, 0, 1},
    {"decoder", "mask", 1, 1, 1},
};
const size_t setting_count = COUNT_OF(settings);

int setting_suits(
    const struct setting *setting, const struct sample *sample, int is_local, int has_decoder)
{
    if (setting->is_ablation && setting->has_auxiliary && !sample->auxiliary[0])
        return 0;
    if (!setting->has_instruction && !sample->auxiliary[0])
        return 0;
    if (setting->guidance && strcmp(setting->guidance, "decoder") == 0 && !has_decoder)
        return 0;
    if (!setting->region || strcmp(setting->region, "none") == 0)
        return 1;
    return is_local && (sample->mask || strcmp(setting->region, "mask") != 0);
}

enum pf_status setting_params(const struct setting *setting, const struct params *base,
    struct params *ret_params, struct pf_error *err)
{
    struct params params = *base;
    if (setting->guidance)
        PF_TRY(params_set_text(&params, "guidance", setting->guidance, err));
    if (setting->region)
        PF_TRY(params_set_text(&params, "guidance_region", setting->region, err));
    *ret_params = params;
    return PF_OK;
}
