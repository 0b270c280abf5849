/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_DEGRADE_H
#define TOOLS_CURATE_DEGRADE_H

/* The seven ways a good picture is spoilt, one file each. */

#include "base/buffer.h"
#include "base/error.h"
#include "tools/curate/objects.h"
#include "tools/curate/rng.h"
#include "tools/data/tasks.h"

/* A picture on its way from clean to degraded. */
struct scene {
    int width, height;
    const float *clean; /* [3,height,width] sRGB before anything; depth is guessed from it, so that
                           it doesn't depend on what came before */
    float *rgb;         /* [3,height,width] sRGB in [0,1], changed in place */
    float *mask; /* [height,width] in [0,1]: the most of what regional degradations covered */
    const struct object *object; /* what TASK_REMOVE pastes; borrowed */
};

/* Spoils scene->rgb with parameters drawn from `rng`, which are appended to `note` as members of a
 * JSON object ('"gamma":2.1,…'). Every value stays in [0,1]. Regional ones (snow, watermark,
 * object) leave pixels where their mask is 0 as they were, and raise scene->mask to their own.
 * NOMEM. */
PF_MUST_CHECK enum pf_status degrade_colorize(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err);
PF_MUST_CHECK enum pf_status degrade_lowlight(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err);
PF_MUST_CHECK enum pf_status degrade_dehaze(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err);
PF_MUST_CHECK enum pf_status degrade_desnow(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err);
PF_MUST_CHECK enum pf_status degrade_deblur(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err);
PF_MUST_CHECK enum pf_status degrade_dewatermark(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err);
PF_MUST_CHECK enum pf_status degrade_remove(
    struct scene *scene, struct rng *rng, struct buffer *note, struct pf_error *err);

/* The one of that task. */
PF_MUST_CHECK enum pf_status degrade(enum task task, struct scene *scene, struct rng *rng,
    struct buffer *note, struct pf_error *err);

/* Whether the task's region is a mask's (snow, watermark, object) and not the whole picture. */
int degrade_is_regional(enum task task);

/* Read noise and shot noise in linear light: var = read² + shot·value; the three channels of a
 * sensor are independent, `correlation` pixels wide after demosaicing (0: none). */
PF_MUST_CHECK enum pf_status degrade_add_noise(float *linear_rgb, int width, int height,
    double shot, double read, double correlation, struct rng *rng, struct pf_error *err);

#endif
