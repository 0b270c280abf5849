/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/cli/picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/weights/checkpoint.h"
#include "pipeline/weights/checkpoint_write.h"

enum { OUTPUT_MODE = 0644 };

static int ends_in(const char *path, const char *ending)
{
    size_t size = strlen(path), ending_size = strlen(ending);
    return size > ending_size && strcasecmp(path + size - ending_size, ending) == 0;
}

int picture_is_tensor(const char *path)
{
    return ends_in(path, ".safetensors");
}

int picture_format_of(const char *path, enum image_format *ret_format)
{
    static const struct {
        const char *ending;
        enum image_format format;
    } endings[] = {
        {".png", IMAGE_FORMAT_PNG},
        {".jpg", IMAGE_FORMAT_JPEG},
        {".jpeg", IMAGE_FORMAT_JPEG},
        {".webp", IMAGE_FORMAT_WEBP},
    };
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (ends_in(path, endings[i].ending))
            return *ret_format = endings[i].format, 1;
    return 0;
}

/* The floats of a tensor [1,channels,H,W], each value v as v·scale + offset. */
static enum pf_status read_planes(const struct checkpoint *file, const char *name,
    const struct image_limits *limits, int channels, float scale, float offset, int *ret_width,
    int *ret_height, float **ret_planes, struct pf_error *err)
{
    const struct array *array = checkpoint_find(file, name);
    if (!array)
        return pf_fail(err, PF_INVALID, "no tensor '%s'", name);
    int is_fit = array->dtype == DTYPE_F32 && array->dim_count == 4 && array->dims[0] == 1 &&
                 array->dims[1] == channels && array->dims[2] > 0 && array->dims[3] > 0;
    if (!is_fit)
        return pf_fail(err, PF_INVALID, "tensor '%s' is not F32 [1,%d,H,W]", name, channels);
    int64_t height = array->dims[2], width = array->dims[3];
    if (height > limits->max_side || width > limits->max_side ||
        height * width > limits->max_pixels)
        return pf_fail(err, PF_INVALID,
            "tensor '%s' has %" PRId64 "×%" PRId64 " pixels, more than %" PRId64, name, width,
            height, limits->max_pixels);
    size_t count = (size_t)array->element_count;
    float *planes = malloc(count * sizeof *planes);
    if (!planes)
        return pf_fail(err, PF_NOMEM, "%zu pixel values", count);
    memcpy(planes, array->data, count * sizeof *planes);
    for (size_t i = 0; i < count; i++)
        planes[i] = planes[i] * scale + offset;
    *ret_width = (int)width;
    *ret_height = (int)height;
    *ret_planes = planes;
    return PF_OK;
}

enum pf_status picture_read(const char *path, const struct image_limits *limits,
    struct image *ret_image, struct pf_error *err)
{
    if (picture_is_tensor(path)) {
        struct checkpoint *file;
        PF_TRY(checkpoint_open(&file, path, err));
        struct image image = IMAGE_INIT;
        enum pf_status status = read_planes(
            file, "image", limits, 3, 0.5f, 0.5f, &image.width, &image.height, &image.rgb, err);
        checkpoint_close(file);
        if (status == PF_OK)
            *ret_image = image;
        return status;
    }
    struct file_map map;
    PF_TRY(file_map_open(&map, path, err));
    enum pf_status status = image_decode(map.data, map.size, limits, ret_image, err);
    file_map_close(&map);
    return status;
}

enum pf_status picture_read_mask(const char *path, const struct image_limits *limits,
    int *ret_width, int *ret_height, float **ret_plane, struct pf_error *err)
{
    enum pf_status status;
    if (picture_is_tensor(path)) {
        struct checkpoint *file;
        PF_TRY(checkpoint_open(&file, path, err));
        status =
            read_planes(file, "mask", limits, 1, 1.0f, 0.0f, ret_width, ret_height, ret_plane, err);
        checkpoint_close(file);
        return status;
    }
    struct file_map map;
    PF_TRY(file_map_open(&map, path, err));
    status = image_decode_mask(map.data, map.size, limits, ret_width, ret_height, ret_plane, err);
    file_map_close(&map);
    return status;
}

enum pf_status picture_check_output(const char *path, struct pf_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return pf_fail(err, PF_IO, "%s is a folder", path);
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return pf_fail(err, PF_NOMEM, "a copy of the path %s", path);
    if (access(folder, W_OK) != 0)
        return pf_fail_errno(err, errno, "can't write to %s", folder);
    return PF_OK;
}

static enum pf_status write_tensor(
    struct checkpoint_writer *writer, const struct image *image, struct pf_error *err)
{
    int64_t dims[] = {1, 3, image->height, image->width};
    size_t count = 3 * (size_t)image->height * (size_t)image->width;
    AUTO_FREE float *values = malloc(count * sizeof *values);
    if (!values)
        return pf_fail(err, PF_NOMEM, "%zu pixel values", count);
    for (size_t i = 0; i < count; i++)
        values[i] = image->rgb[i] * 2.0f - 1.0f;
    PF_TRY(checkpoint_writer_add(writer, "image", DTYPE_F32, dims, 4, err));
    PF_TRY(checkpoint_writer_put(writer, values, count * sizeof *values, err));
    return checkpoint_writer_finish(writer, 0, err);
}

enum pf_status picture_write(const char *path, const struct image *image, enum image_format format,
    int quality, struct pf_error *err)
{
    if (picture_is_tensor(path)) {
        struct checkpoint_writer *writer;
        PF_TRY(checkpoint_writer_create(&writer, path, CHECKPOINT_SAFETENSORS, err));
        enum pf_status status = write_tensor(writer, image, err);
        checkpoint_writer_destroy(writer);
        return status;
    }
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    PF_TRY(image_encode(image, format, quality, &bytes, err));
    return file_write(path, bytes.data, bytes.size, OUTPUT_MODE, 0, err);
}
