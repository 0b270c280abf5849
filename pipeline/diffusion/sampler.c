/* SPDX-License-Identifier: Apache-2.0 */
/* One function a sampler, from (σ, σ', z, x0) to z'; the loop around them is the caller's.
 *
 * In z = x0 + σ·ε deterministic DDIM is Euler: with ᾱ = 1/(1+σ²) and x = z·√ᾱ, DDIM's
 * x' = √ᾱ'·x0 + √(1-ᾱ')·ε, divided by √ᾱ', is x0 + σ'·ε, and so is Euler's z + (σ'-σ)·(z-x0)/σ.
 * `ddim` is written in its own form all the same, for those who compare with other programs; a test
 * holds the two together. dpmpp_2m's first step and its step to σ' = 0 are first order, as
 * k-diffusion's. */
#include "pipeline/diffusion/sampler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum pf_status sampler_init(struct sampler *ret_sampler, enum sampler_kind kind,
    const double *sigmas, int steps, struct pf_error *err)
{
    if (steps < 1)
        return pf_fail(err, PF_INVALID, "%d sampling steps, expected 1 or more", steps);
    for (int i = 0; i < steps; i++)
        if (!(sigmas[i] > sigmas[i + 1]) || !(sigmas[i + 1] >= 0) || !isfinite(sigmas[i]))
            return pf_fail(err, PF_INVALID, "sigma %d of %d goes from %g to %g, expected to fall",
                i, steps, sigmas[i], sigmas[i + 1]);
    size_t size = ((size_t)steps + 1) * sizeof *sigmas;
    double *copy = malloc(size);
    if (!copy)
        return pf_fail(err, PF_NOMEM, "the sigmas of %d steps", steps);
    memcpy(copy, sigmas, size);
    *ret_sampler = (struct sampler){.kind = kind, .sigmas = copy, .steps = steps};
    return PF_OK;
}

void sampler_finish(struct sampler *sampler)
{
    tensor_free(sampler->former_x0);
    free(sampler->sigmas);
    *sampler = (struct sampler){0};
}

int sampler_done(const struct sampler *sampler)
{
    return sampler->step >= sampler->steps;
}

double sampler_sigma(const struct sampler *sampler)
{
    return sampler->sigmas[sampler->step];
}

int sampler_needs_noise(const struct sampler *sampler)
{
    return sampler->kind == SAMPLER_EULER_ANCESTRAL && !sampler_done(sampler) &&
           sampler->sigmas[sampler->step + 1] > 0;
}

/* a·x + b·y */
static tensor weighted(struct scope *s, double a, tensor x, double b, tensor y)
{
    return op_add(s, op_mul_scalar(s, x, a), op_mul_scalar(s, y, b));
}

/* z + (z - x0)/σ · (σ' - σ) */
static tensor euler(struct scope *s, double from, double to, tensor z, tensor x0)
{
    tensor slope = op_mul_scalar(s, op_sub(s, z, x0), 1 / from);
    return op_add(s, z, op_mul_scalar(s, slope, to - from));
}

static tensor euler_ancestral(
    struct scope *s, double from, double to, tensor z, tensor x0, tensor noise)
{
    double from2 = from * from, to2 = to * to;
    double up = fmin(to, sqrt(to2 * (from2 - to2) / from2));
    double down = sqrt(to2 - up * up);
    tensor next = euler(s, from, down, z, x0);
    return to > 0 ? op_add(s, next, op_mul_scalar(s, noise, up)) : next;
}

static tensor ddim(struct scope *s, double from, double to, tensor z, tensor x0)
{
    double alpha = 1 / (1 + from * from), alpha_next = 1 / (1 + to * to);
    tensor x = op_mul_scalar(s, z, sqrt(alpha));
    tensor eps = weighted(s, 1 / sqrt(1 - alpha), x, -sqrt(alpha / (1 - alpha)), x0);
    tensor x_next = weighted(s, sqrt(alpha_next), x0, sqrt(1 - alpha_next), eps);
    return op_mul_scalar(s, x_next, 1 / sqrt(alpha_next));
}

/* Exponential integrator in t = -log σ, x0 extrapolated from the last two estimates. */
static tensor dpmpp_2m(const struct sampler *sampler, struct scope *s, tensor z, tensor x0)
{
    const double *sigmas = sampler->sigmas + sampler->step;
    if (sigmas[1] == 0)
        return op_clone(s, x0);
    double h = log(sigmas[0] / sigmas[1]);
    tensor estimate = x0;
    if (sampler->former_x0) {
        double former_h = log(sigmas[-1] / sigmas[0]);
        double half_inverse_r = h / (2 * former_h);
        estimate = weighted(s, 1 + half_inverse_r, x0, -half_inverse_r, sampler->former_x0);
    }
    return weighted(s, sigmas[1] / sigmas[0], z, -expm1(-h), estimate);
}

static tensor step_of_kind(
    struct sampler *sampler, struct scope *s, tensor z, tensor x0, tensor noise)
{
    double from = sampler->sigmas[sampler->step], to = sampler->sigmas[sampler->step + 1];
    switch (sampler->kind) {
    case SAMPLER_EULER_ANCESTRAL:
        return euler_ancestral(s, from, to, z, x0, noise);
    case SAMPLER_EULER:
        return euler(s, from, to, z, x0);
    case SAMPLER_DDIM:
        return ddim(s, from, to, z, x0);
    case SAMPLER_DPMPP_2M:
        return dpmpp_2m(sampler, s, z, x0);
    }
    pf_fail(s->err, PF_INTERNAL, "sampler %d", (int)sampler->kind);
    return NULL;
}

tensor sampler_step(struct sampler *sampler, struct scope *out, tensor z, tensor x0, tensor noise)
{
    if (!scope_ok(out))
        return NULL;
    if (sampler_done(sampler) || (sampler_needs_noise(sampler) && !noise)) {
        pf_fail(out->err, PF_INTERNAL, "sampler at step %d of %d %s", sampler->step, sampler->steps,
            sampler_done(sampler) ? "asked for another" : "without noise");
        return NULL;
    }
    SCOPE(s, out->err);
    tensor next = step_of_kind(sampler, &s, z, x0, noise);
    tensor kept = sampler->kind == SAMPLER_DPMPP_2M ? op_clone(&s, x0) : NULL;
    next = scope_move(&s, next, out);
    if (!next)
        return NULL;
    tensor_free(sampler->former_x0);
    sampler->former_x0 = scope_keep(&s, kept);
    sampler->step++;
    return next;
}
