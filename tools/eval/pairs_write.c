/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "tools/data/ppm.h"
#include "tools/eval/pairs.h"

enum { FILE_MODE = 0644, FOLDER_MODE = 0755 };

static enum pf_status make_folder(const char *folder, const char *part, struct pf_error *err)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    buffer_put_format(&path, "%s%s%s", folder, *part ? "/" : "", part);
    PF_TRY(buffer_status(&path, err));
    if (mkdir(path.data, FOLDER_MODE) == 0 || errno == EEXIST)
        return PF_OK;
    int reason = errno;
    return pf_fail_errno(err, reason, "%s", path.data);
}

enum pf_status pairs_prepare(const char *folder, struct pf_error *err)
{
    static const char *const parts[] = {"", "input", "target", "mask", "instruction"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        PF_TRY(make_folder(folder, parts[i], err));
    return PF_OK;
}

/* Where one sample's files go. */
struct place {
    const char *folder, *name;
    enum picture_format format;
};

static enum pf_status write_file(const struct place *place, const char *part, const char *ending,
    const struct buffer *bytes, struct pf_error *err)
{
    AUTO_BUFFER struct buffer path = BUFFER_INIT;
    buffer_put_format(&path, "%s/%s/%s.%s", place->folder, part, place->name, ending);
    PF_TRY(buffer_status(&path, err));
    if (access(path.data, F_OK) == 0)
        return pf_fail(err, PF_CONFLICT, "%s: is there already", path.data);
    return file_write(path.data, bytes->data, bytes->size, FILE_MODE, 0, err);
}

static enum pf_status write_picture(
    const struct place *place, const char *part, const struct image *image, struct pf_error *err)
{
    AUTO_BUFFER struct buffer bytes = BUFFER_INIT;
    if (place->format == PICTURE_PPM) {
        PF_TRY(ppm_encode(image, NULL, &bytes, err));
        return write_file(place, part, "ppm", &bytes, err);
    }
    PF_TRY(image_encode(image, IMAGE_FORMAT_PNG, 100, &bytes, err));
    return write_file(place, part, "png", &bytes, err);
}

static enum pf_status write_mask(
    const struct place *place, const struct sample *sample, struct pf_error *err)
{
    size_t area = (size_t)sample->input.width * (size_t)sample->input.height;
    AUTO_FREE float *planes = malloc(3 * area * sizeof *planes);
    if (!planes)
        return pf_fail(err, PF_NOMEM, "no memory for a mask");
    for (size_t c = 0; c < 3; c++)
        memcpy(planes + c * area, sample->mask, area * sizeof *planes);
    struct image mask = {sample->input.width, sample->input.height, planes, NULL};
    return write_picture(place, "mask", &mask, err);
}

static void put_member(struct buffer *out, const char *name, const char *text, const char *end)
{
    buffer_put_format(out, "\"%s\": ", name);
    buffer_put_json_string(out, text, strlen(text));
    buffer_put_text(out, end);
}

enum pf_status pairs_write(const char *folder, const char *name, const struct sample *sample,
    enum picture_format format, struct pf_error *err)
{
    struct place place = {folder, name, format};
    AUTO_BUFFER struct buffer json = BUFFER_INIT;
    buffer_put_text(&json, "{");
    put_member(&json, "instruction", sample->instruction, ", ");
    put_member(&json, "auxiliary", sample->auxiliary, ", ");
    put_member(&json, "task", sample->task, "}\n");
    PF_TRY(buffer_status(&json, err));
    PF_TRY(write_file(&place, "instruction", "json", &json, err));
    PF_TRY(write_picture(&place, "input", &sample->input, err));
    PF_TRY(write_picture(&place, "target", &sample->target, err));
    return sample->mask ? write_mask(&place, sample, err) : PF_OK;
}
