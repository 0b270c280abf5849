/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/degrade.h"

#include <math.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "tools/curate/plane.h"

int degrade_is_regional(enum task task)
{
    return task == TASK_DESNOW || task == TASK_DEWATERMARK || task == TASK_REMOVE;
}

enum pf_status degrade(
    enum task task, struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err)
{
    static enum pf_status (*const degradations[TASK_COUNT])(
        struct scene *, struct rng *, struct buffer *, struct pf_error *) = {
        [TASK_COLORIZE] = degrade_colorize,
        [TASK_LOWLIGHT] = degrade_lowlight,
        [TASK_DEHAZE] = degrade_dehaze,
        [TASK_DESNOW] = degrade_desnow,
        [TASK_DEBLUR] = degrade_deblur,
        [TASK_DEWATERMARK] = degrade_dewatermark,
        [TASK_REMOVE] = degrade_remove,
    };
    return degradations[task](scene, rng, note, err);
}

enum pf_status degrade_add_noise(float *linear_rgb, int width, int height, double shot, double read,
    double correlation, struct rng *rng, struct pf_error *err)
{
    size_t area = (size_t)width * (size_t)height;
    AUTO_FREE float *noise = NULL;
    PF_TRY(plane_create(&noise, width, height, err));
    for (size_t c = 0; c < 3; c++) {
        float *plane = linear_rgb + c * area;
        for (size_t i = 0; i < area; i++)
            noise[i] = (float)rng_normal(rng);
        /* A blur of deviation s leaves 1/(2·s·√π) of white noise's deviation. */
        PF_TRY(plane_blur(noise, width, height, correlation, err));
        double gain = correlation > 0.3 ? 2.0 * correlation * 1.7724539 : 1.0;
        for (size_t i = 0; i < area; i++) {
            double deviation = sqrt(read * read + shot * (double)plane_clamp(plane[i]));
            plane[i] = plane_clamp(plane[i] + (float)(gain * deviation) * noise[i]);
        }
    }
    return PF_OK;
}
