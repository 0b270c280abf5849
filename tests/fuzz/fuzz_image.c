/* SPDX-License-Identifier: Apache-2.0 */
/* Image files: whatever the bytes, the probe ends without a decoder; and when decoding succeeds,
 * the picture is as large as the probe said, within the limits, and every sample is in [0,1]. */
#include <stdint.h>
#include <stdlib.h>

#include "pipeline/image/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

static void start_library(void)
{
    static int is_started;
    if (!is_started)
        require(image_library_init("fuzz_image", 1, NULL) == PF_OK);
    is_started = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct image_limits limits = {64 * 1024, 1024};
    struct image_info info;
    struct image image = IMAGE_INIT;
    struct pf_error probe_err = PF_ERROR_INIT, err = PF_ERROR_INIT;
    start_library();
    enum pf_status probed = image_probe(data, size, &limits, &info, &probe_err);
    enum pf_status decoded = image_decode(data, size, &limits, &image, &err);
    require(probed == probe_err.status && decoded == err.status);
    require(decoded != PF_INTERNAL);
    if (decoded != PF_OK) {
        require(!image.rgb && !image.alpha);
        return 0;
    }
    require(probed == PF_OK && image.width == info.width && image.height == info.height);
    require(image.width <= limits.max_side && image.height <= limits.max_side);
    size_t area = (size_t)image.width * (size_t)image.height;
    require(area <= (size_t)limits.max_pixels);
    for (size_t i = 0; i < 3 * area; i++)
        require(image.rgb[i] >= 0.0f && image.rgb[i] <= 1.0f);
    image_finish(&image);
    return 0;
}
