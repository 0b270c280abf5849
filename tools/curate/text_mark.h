/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TOOLS_CURATE_TEXT_MARK_H
#define TOOLS_CURATE_TEXT_MARK_H

#include "base/error.h"

enum { TEXT_MARK_FONTS = 12 };

/* Draws a line of text about `height` pixels high as a plane [h,w] of coverage in [0,1], malloc'd.
 * `font` is 0 … TEXT_MARK_FONTS-1. With libvips by Pango and whatever fonts the machine has for
 * those families; without it by a small built-in bitmap font, which knows only ASCII capitals,
 * digits and some signs. NOMEM, INTERNAL. */
PF_MUST_CHECK enum pf_status text_mark_render(const char *text, int font, double height,
    float **ret_plane, int *ret_width, int *ret_height, struct pf_error *err);

#endif
