/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/diffusion/schedule.h"

#include <math.h>

#define BETA_FIRST 0.00085
#define BETA_LAST  0.0120

enum { LAST = SCHEDULE_TIMESTEPS - 1 };

void schedule_init(struct schedule *ret_schedule)
{
    double product = 1;
    for (int i = 0; i < SCHEDULE_TIMESTEPS; i++) {
        double root =
            sqrt(BETA_FIRST) + (sqrt(BETA_LAST) - sqrt(BETA_FIRST)) * (double)i / (double)LAST;
        product *= 1 - root * root;
        ret_schedule->alphas_cumprod[i] = product;
        ret_schedule->sigma[i] = sqrt((1 - product) / product);
        ret_schedule->log_sigma[i] = log(ret_schedule->sigma[i]);
    }
}

static double sigma_of_t(const struct schedule *schedule, double t)
{
    int low = (int)t < LAST - 1 ? (int)t : LAST - 1;
    double w = t - (double)low;
    return exp((1 - w) * schedule->log_sigma[low] + w * schedule->log_sigma[low + 1]);
}

enum pf_status schedule_sigmas(
    const struct schedule *schedule, int steps, double *ret_sigmas, struct pf_error *err)
{
    if (steps < 1 || steps > SCHEDULE_STEPS_MAX)
        return pf_fail(
            err, PF_INVALID, "%d sampling steps, expected 1 to %d", steps, (int)SCHEDULE_STEPS_MAX);
    for (int i = 0; i < steps; i++) {
        double t = steps == 1 ? LAST : LAST - (double)LAST * (double)i / (double)(steps - 1);
        ret_sigmas[i] = sigma_of_t(schedule, t);
    }
    ret_sigmas[steps] = 0;
    return PF_OK;
}

double schedule_t_of_sigma(const struct schedule *schedule, double sigma)
{
    const double *logs = schedule->log_sigma;
    double wanted = log(sigma);
    if (!(wanted > logs[0]))
        return 0;
    if (wanted >= logs[LAST])
        return LAST;
    int low = 0, high = LAST; /* logs[low] < wanted < logs[high] */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (logs[middle] <= wanted)
            low = middle;
        else
            high = middle;
    }
    return (double)low + (wanted - logs[low]) / (logs[high] - logs[low]);
}
