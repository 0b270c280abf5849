/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/pipeline/fixture.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pipeline/batcher.h"
#include "pipeline/weights/checkpoint_write.h"
#include "tests/test.h"

enum { PATH_SIZE = 4096 };

static char folder[PATH_SIZE];

const char *fixture_model(const char *name)
{
    static char path[PATH_SIZE];
    const char *models = getenv("PROMPTFIX_TEST_MODELS");
    if (!models)
        fail_msg("PROMPTFIX_TEST_MODELS is not set; run this through meson test");
    snprintf(path, sizeof path, "%s/%s.safetensors", models, name);
    return path;
}

static void remove_folder(void)
{
    DIR *open_folder = opendir(folder);
    for (struct dirent *entry; open_folder && (entry = readdir(open_folder));)
        unlinkat(dirfd(open_folder), entry->d_name, 0);
    if (open_folder)
        closedir(open_folder);
    rmdir(folder);
}

static void make_folder(void)
{
    if (*folder)
        return;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/promptfix-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(folder));
    atexit(remove_folder);
}

static enum pf_status add_metadata(struct checkpoint_writer *writer,
    const struct checkpoint *source, const struct fixture_edit *edit, struct pf_error *err)
{
    for (size_t i = 0; i < checkpoint_metadata_count(source); i++) {
        const char *key, *value;
        checkpoint_metadata_at(source, i, &key, &value);
        if (!edit->key || strcmp(key, edit->key) != 0)
            PF_TRY(checkpoint_writer_add_metadata(writer, key, value, err));
    }
    if (edit->key && edit->value)
        return checkpoint_writer_add_metadata(writer, edit->key, edit->value, err);
    return PF_OK;
}

static enum pf_status put_array(
    struct checkpoint_writer *writer, const struct array *array, int poisoned, struct pf_error *err)
{
    size_t size = (size_t)array->element_count * dtype_size(array->dtype);
    AUTO_FREE char *nan_bytes = malloc(size + 1);
    assert_non_null(nan_bytes);
    memset(nan_bytes, 0xFF, size); /* all ones is a NaN */
    return checkpoint_writer_put(writer, poisoned ? (void *)nan_bytes : array->data, size, err);
}

static enum pf_status copy_model(const struct checkpoint *source, const char *path,
    const struct fixture_edit *edit, struct pf_error *err)
{
    struct checkpoint_writer *writer;
    size_t count = checkpoint_array_count(source);
    int found = edit->poisoned == NULL;
    PF_TRY(checkpoint_writer_create(&writer, path, CHECKPOINT_SAFETENSORS, err));
    enum pf_status status = add_metadata(writer, source, edit, err);
    for (size_t i = 0; i < count && status == PF_OK; i++) {
        const struct array *a = checkpoint_array_at(source, i);
        status = checkpoint_writer_add(writer, a->name, a->dtype, a->dims, a->dim_count, err);
    }
    for (size_t i = 0; i < count && status == PF_OK; i++) {
        const struct array *a = checkpoint_array_at(source, i);
        int poisoned = edit->poisoned && strcmp(a->name, edit->poisoned) == 0;
        found = found || poisoned;
        status = put_array(writer, a, poisoned, err);
    }
    if (status == PF_OK)
        status = checkpoint_writer_finish(writer, 0, err);
    checkpoint_writer_destroy(writer);
    assert_true(found);
    return status;
}

char *fixture_edited_model(const char *name, const struct fixture_edit *edit)
{
    static int number;
    struct pf_error err = PF_ERROR_INIT;
    struct checkpoint *source = NULL;
    char *path = malloc(PATH_SIZE);
    assert_non_null(path);
    make_folder();
    snprintf(path, PATH_SIZE, "%.*s/%s-%d.safetensors", PATH_SIZE / 2, folder, name, number++);
    assert_ok(checkpoint_open(&source, fixture_model(name), &err), &err);
    assert_ok(copy_model(source, path, edit, &err), &err);
    checkpoint_close(source);
    return path;
}

struct pipeline *fixture_pipeline(const char *model_path, enum precision precision)
{
    struct pf_error err = PF_ERROR_INIT;
    struct pipeline *pipeline = NULL;
    struct pipeline_options options = {
        .model = model_path, .device = TORCH_DEVICE_CPU, .precision = precision, .threads = 1};
    assert_ok(pipeline_create(&pipeline, &options, &err), &err);
    return pipeline;
}

struct pipeline *fixture_tiny;

int fixture_open_tiny(void **state)
{
    (void)state;
    fixture_tiny = fixture_pipeline(fixture_model("tiny"), PRECISION_F32);
    return 0;
}

int fixture_close_tiny(void **state)
{
    (void)state;
    pipeline_destroy(fixture_tiny);
    return 0;
}

struct image fixture_image(int width, int height, unsigned seed)
{
    size_t area = (size_t)width * (size_t)height;
    struct image image = {width, height, malloc(3 * area * sizeof *image.rgb), NULL};
    assert_non_null(image.rgb);
    for (size_t i = 0; i < 3 * area; i++) {
        size_t x = i % (size_t)width, y = i / (size_t)width % (size_t)height, c = i / area;
        double wave = sin((double)x * 0.21 + seed) * cos((double)y * 0.13 + (double)c);
        double edge = (x / 16 + y / 16 + c + seed) % 3 == 0 ? 0.25 : 0;
        image.rgb[i] = (float)(0.375 + 0.375 * wave + edge);
    }
    return image;
}

struct run_request fixture_request(const struct image *image)
{
    struct pf_error err = PF_ERROR_INIT;
    struct run_request request = {
        .instruction = "remove the haze", .auxiliary_prompt = "", .image = image};
    params_init(&request.params);
    assert_ok(params_set_number(&request.params, "steps", 3, &err), &err);
    assert_ok(params_set_number(&request.params, "resolution", 64, &err), &err);
    assert_ok(params_set_text(&request.params, "guidance", "off", &err), &err);
    return request;
}

void fixture_set(struct run_request *request, const char *name, const char *value)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(params_set_text(&request->params, name, value, &err), &err);
}

struct run *fixture_begin(struct pipeline *pipeline, const struct run_request *request)
{
    struct pf_error err = PF_ERROR_INIT;
    struct run *run = NULL;
    assert_ok(run_begin(&run, pipeline, request, &err), &err);
    return run;
}

static enum pf_status solve(struct pipeline *pipeline, const struct run_request *request,
    struct image *ret_image, struct pf_error *err)
{
    struct run *run = NULL;
    struct batcher batcher;
    batcher_init(&batcher, pipeline, 1);
    PF_TRY(run_begin(&run, pipeline, request, err));
    enum pf_status status = batcher_add(&batcher, run, err);
    while (status == PF_OK && !run_done(run)) {
        struct batcher_step step;
        batcher_step(&batcher, &step);
        assert_int_equal(step.count, 1);
        *err = step.errors[0];
        status = err->status;
    }
    if (status == PF_OK)
        status = run_finish(run, ret_image, err);
    run_destroy(run);
    return status;
}

struct image fixture_solve(struct pipeline *pipeline, const struct run_request *request)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    assert_ok(solve(pipeline, request, &image, &err), &err);
    return image;
}

struct pf_error fixture_solve_error(struct pipeline *pipeline, const struct run_request *request)
{
    struct pf_error err = PF_ERROR_INIT;
    struct image image = IMAGE_INIT;
    if (solve(pipeline, request, &image, &err) == PF_OK)
        fail_msg("the request succeeded");
    return err;
}

double fixture_difference(const struct image *a, const struct image *b)
{
    double max = 0;
    if (a->width != b->width || a->height != b->height)
        return (double)INFINITY;
    for (size_t i = 0; i < 3 * (size_t)a->width * (size_t)a->height; i++) {
        double difference = fabs((double)a->rgb[i] - (double)b->rgb[i]);
        if (!isfinite(difference))
            return (double)INFINITY;
        max = fmax(max, difference);
    }
    return max;
}
