/* SPDX-License-Identifier: Apache-2.0 */
/* Two hundred jobs of every kind through one worker: memory must be flat. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pipeline/worker_state.h"
#include "tests/pipeline/fixture.h"
#include "tests/pipeline/talk.h"
#include "tests/test.h"

enum {
    JOBS = 200,
    WARM_JOBS = 50,
    IN_USE_GROWTH_MAX = 512 << 10,  /* of what malloc() gave and free() hasn't got back */
    RESIDENT_GROWTH_MAX = 32 << 20, /* the heap's holes come and go by some 10 MB */
};

static struct talk talk;
static struct worker worker;
static int ends[3]; /* succeeded, failed, cancelled */

struct memory {
    long resident, in_use; /* bytes */
};

static struct memory measure(void)
{
    struct mallinfo2 heap = mallinfo2();
    long pages = 0;
    AUTO_FILE FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
    return (struct memory){
        .resident = pages * sysconf(_SC_PAGESIZE), .in_use = (long)(heap.uordblks + heap.hblkhd)};
}

static void send_job(int i, const struct buffer *file, const struct buffer *mask)
{
    static const char *const modes[] = {"off", "decoder", "latent"};
    char parameters[160], job[16], instruction[32];
    struct buffer half = {.data = file->data, .size = file->size / 2};
    int use_mask = i % 7 == 3, broken = i % 11 == 10;
    snprintf(parameters, sizeof parameters,
        "{\"steps\":2,\"resolution\":64,\"seed\":%d,\"guidance\":\"%s\",\"previews\":%d%s}", i,
        modes[i % 3], i % 2, i % 5 == 4 ? ",\"guidance_region\":\"auto\"" : "");
    snprintf(job, sizeof job, "%d", i);
    snprintf(
        instruction, sizeof instruction, "remove haze number %d", i); /* contexts are dropped */
    talk_send_run(&talk, &(struct talk_run){.job = job,
                             .parameters = parameters,
                             .instruction = instruction,
                             .image = broken ? &half : file,
                             .mask = use_mask && i % 5 != 4 ? mask : NULL});
    if (i % 13 == 12)
        talk_send_cancel(&talk, job);
}

static void drain(void)
{
    struct told told;
    while (talk_next(&talk, 0, &told)) {
        ends[0] += strcmp(told.type, "succeeded") == 0;
        ends[1] += strcmp(told.type, "failed") == 0;
        ends[2] += strcmp(told.type, "cancelled") == 0;
        told_finish(&told);
    }
}

static void test_memory_is_flat(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct image images[] = {fixture_image(40, 40, 1), fixture_image(40, 56, 2)};
    AUTO_BUFFER struct buffer first = talk_png(&images[0]), second = talk_png(&images[1]);
    talk_open(&talk);
    struct worker_options options = {
        .pipeline = {.model = fixture_model("tiny"), .precision = PRECISION_F32, .threads = 1},
        .device = "cpu",
        .max_batch = 4,
        .max_runs = 3,
        .max_pixels = 1000 * 1000,
        .socket_fd = talk.worker_fd,
    };
    assert_ok(worker_open(&worker, &options, &err), &err);
    struct memory warm = {0, 0};
    for (int i = 0; i < JOBS; i++) {
        send_job(i, i % 4 == 1 ? &second : &first, &first);
        int idle =
            i + 1 == WARM_JOBS || i + 1 == JOBS; /* else the next one joins those in flight */
        do {
            worker_turn(&worker);
            drain();
        } while (worker.jobs && (idle || worker.jobs->next));
        if (i + 1 == WARM_JOBS)
            warm = measure();
    }
    struct memory end = measure();
    long resident = end.resident - warm.resident, in_use = end.in_use - warm.in_use;
    print_message("after %d jobs %ld KB resident, %ld KB in use; after %d %+ld KB, %+ld KB\n",
        WARM_JOBS, warm.resident / 1024, warm.in_use / 1024, JOBS, resident / 1024, in_use / 1024);
    assert_int_equal(ends[0] + ends[1] + ends[2], JOBS);
    assert_true(ends[0] > JOBS / 2 && ends[1] > 10 && ends[2] > 10);
    assert_true(in_use < IN_USE_GROWTH_MAX);
    assert_true(FIXTURE_HAS_ASAN || resident < RESIDENT_GROWTH_MAX);
    worker_close(&worker);
    talk_close(&talk);
    image_finish(&images[0]);
    image_finish(&images[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory_is_flat)};
    return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
