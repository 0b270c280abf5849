/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tools/train/pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "tests/pipeline/fixture.h"
#include "tests/test.h"
#include "tests/tools/scratch.h"
#include "tools/data/shards_write.h"

enum { PATH_SIZE = 1024, COUNT_MAX = 32 };

static void put_pair(struct shards_writer *writer, int index, const char *json)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer packed = BUFFER_INIT;
    char key[16];
    snprintf(key, sizeof key, "%06d", index);
    struct image target = fixture_image(PAIRS_SIZE, PAIRS_SIZE, (unsigned)index + 1);
    struct image input = fixture_image(PAIRS_SIZE, PAIRS_SIZE, (unsigned)index + 1);
    for (int i = 0; i < 3 * PAIRS_SIZE * PAIRS_SIZE; i++)
        input.rgb[i] *= 0.4f;
    assert_ok(sample_pack(&packed, key, &input, &target, NULL, json, PICTURE_PPM, 100, &err), &err);
    assert_ok(shards_writer_put(writer, packed.data, packed.size, &err), &err);
    image_finish(&target);
    image_finish(&input);
}

const char *pairs_folder_of(const char *name, const char *const *jsons, int count)
{
    static char data[PATH_SIZE];
    struct pf_error err = PF_ERROR_INIT;
    struct shards_writer *writer;
    snprintf(data, sizeof data, "%s", scratch_path(name));
    if (mkdir(data, 0700) != 0)
        return data;
    assert_ok(shards_writer_open(&writer, data, (size_t)count, &err), &err);
    for (int i = 0; i < count; i++)
        put_pair(writer, i, jsons[i]);
    assert_ok(shards_writer_finish(writer, &err), &err);
    shards_writer_close(writer);
    return data;
}

const char *pairs_folder(int count)
{
    static const char *const dark[] = {
        "{\"task\":\"lowlight\",\"instruction\":\"a b 0\",\"auxiliary\":\"it is dark\"}",
        "{\"task\":\"lowlight\",\"instruction\":\"a b 1\",\"auxiliary\":\"it is dark\"}",
        "{\"task\":\"lowlight\",\"instruction\":\"a b 2\",\"auxiliary\":\"it is dark\"}",
    };
    const char *jsons[COUNT_MAX];
    char name[32];
    assert_true(count <= COUNT_MAX);
    for (int i = 0; i < count; i++)
        jsons[i] =
            count > 8 && i % 2 ? "{\"task\":\"dehaze\",\"instruction\":\"c d\"}" : dark[i % 3];
    snprintf(name, sizeof name, "data%d", count);
    return pairs_folder_of(name, jsons, count);
}

void pairs_open_trainee(
    struct trainee *ret_trainee, const char *path, enum stage stage, struct pf_error *err)
{
    struct tensor_place place = {TORCH_DEVICE_CPU, TENSOR_F32};
    tensor_grad_enable(0);
    assert_ok(trainee_open(ret_trainee, path, "", stage, NULL, place, err), err);
}

struct batch *pairs_batch(const struct trainee *trainee, int rows, int size)
{
    struct pf_error err = PF_ERROR_INIT;
    struct shards *shards;
    struct batch *batch;
    assert_ok(shards_open(&shards, pairs_folder(8), &err), &err);
    struct batch_options options = {.shards = shards,
        .tokenizer = trainee->tokenizer,
        .positions = trainee->sizes.clip.positions,
        .rows = rows,
        .size = size,
        .seed = 5};
    assert_ok(batch_make(&options, 3, &batch, &err), &err);
    shards_close(shards);
    return batch;
}
