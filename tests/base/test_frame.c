/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"

static void put(struct buffer *out, const char *header, const void *body, size_t body_size)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(frame_put(out, header, strlen(header), body, body_size, &err), &err);
}

static void feed(struct frame_reader *reader, const void *bytes, size_t count)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(frame_reader_feed(reader, bytes, count, &err), &err);
}

static int next(struct frame_reader *reader, struct frame *ret_frame)
{
    struct pf_error err = PF_ERROR_INIT;
    int have = -1;
    assert_ok(frame_reader_next(reader, ret_frame, &have, &err), &err);
    return have;
}

static void test_layout(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    put(&out, "{\"type\":\"x\"}", "body", 4);
    assert_int_equal(out.size, 16 + 12 + 4);
    assert_memory_equal(out.data, "PFX1\x0c\0\0\0\x04\0\0\0\0\0\0\0{\"type\":\"x\"}body", 32);
}

/* Three frames, cut into chunks of every size: what comes out is what went in. */
static void test_any_chunks(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    put(&out, "{}", NULL, 0);
    put(&out, "{\"a\":1}", "12345", 5);
    put(&out, "{\"b\":22}", "PFX1", 4);
    for (size_t chunk = 1; chunk <= out.size; chunk++) {
        struct frame_reader reader;
        frame_reader_init(&reader);
        int frames = 0;
        for (size_t at = 0; at < out.size; at += chunk) {
            feed(&reader, out.data + at, out.size - at < chunk ? out.size - at : chunk);
            struct frame frame;
            while (next(&reader, &frame)) {
                static const char *const headers[] = {"{}", "{\"a\":1}", "{\"b\":22}"};
                static const char *const bodies[] = {"", "12345", "PFX1"};
                assert_true(frames < 3);
                assert_int_equal(frame.header_size, strlen(headers[frames]));
                assert_memory_equal(frame.header, headers[frames], frame.header_size);
                assert_int_equal(frame.body_size, strlen(bodies[frames]));
                if (frame.body_size > 0)
                    assert_memory_equal(frame.body, bodies[frames], frame.body_size);
                else
                    assert_null(frame.body);
                frames++;
            }
        }
        assert_int_equal(frames, 3);
        frame_reader_finish(&reader);
    }
}

static void check_corrupt(const char *bytes, size_t count, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    struct frame_reader reader;
    struct frame frame;
    int have = -1;
    frame_reader_init(&reader);
    feed(&reader, bytes, count);
    assert_fails(frame_reader_next(&reader, &frame, &have, &err), PF_CORRUPT, part, &err);
    frame_reader_finish(&reader);
}

static void test_corrupt_streams(void **state)
{
    (void)state;
    check_corrupt("G", 1, "bad magic");
    check_corrupt("PFX2", 4, "bad magic");
    check_corrupt("PFX1\1\0\0\0\0\0\0\0\0\0\0\0", 16, "header of 1 bytes");
    check_corrupt("PFX1\1\0\x10\0\0\0\0\0\0\0\0\0", 16, "header of 1048577 bytes");
    check_corrupt("PFX1\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 16, "header of 4294967295 bytes");
    check_corrupt("PFX1\2\0\0\0\1\0\0\x10\0\0\0\0", 16, "body of 268435457 bytes");
    check_corrupt(
        "PFX1\2\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16, "body of 18446744073709551615 bytes");
}

static void test_put_checks_sizes(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    assert_fails(frame_put(&out, "1", 1, NULL, 0, &err), PF_INVALID, "header of 1 bytes", &err);
    assert_fails(frame_put(&out, "{}", FRAME_HEADER_MAX + 1, NULL, 0, &err), PF_INVALID,
        "header of 1048577 bytes", &err);
    assert_fails(frame_put(&out, "{}", 2, "", (size_t)FRAME_BODY_MAX + 1, &err), PF_INVALID,
        "body of 268435457 bytes", &err);
    assert_int_equal(out.size, 0);
    AUTO_BUFFER struct buffer small = BUFFER_INIT_MAX(20);
    assert_fails(frame_put(&small, "{}", 2, "abc", 3, &err), PF_INVALID, "20 bytes", &err);
    assert_int_equal(small.size, 0);
}

static void test_declared_size_costs_nothing(void **state)
{
    (void)state;
    struct frame_reader reader;
    struct frame frame;
    frame_reader_init(&reader);
    feed(&reader, "PFX1\2\0\0\0\0\0\0\x10\0\0\0\0{}", 18);
    assert_int_equal(next(&reader, &frame), 0);
    assert_true(reader.pending.capacity < 4096);
    frame_reader_finish(&reader);
}

static void test_memory_of_a_large_frame_is_returned(void **state)
{
    (void)state;
    enum { SIZE = 16 << 20 };
    AUTO_FREE char *body = calloc(1, SIZE);
    assert_non_null(body);
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    put(&out, "{}", body, SIZE);
    for (int tail = 0; tail < 2; tail++) {
        struct frame_reader reader;
        struct frame frame;
        frame_reader_init(&reader);
        feed(&reader, out.data, out.size);
        feed(&reader, "PFX1", tail ? 4 : 0);
        assert_int_equal(next(&reader, &frame), 1);
        assert_int_equal(frame.body_size, SIZE);
        assert_int_equal(next(&reader, &frame), 0);
        assert_true(reader.pending.capacity <= 1 << 20);
        static const char small[] = "PFX1\2\0\0\0\0\0\0\0\0\0\0\0{}";
        feed(&reader, &small[tail ? 4 : 0], tail ? 14 : 18);
        assert_int_equal(next(&reader, &frame), 1);
        assert_memory_equal(frame.header, "{}", 2);
        frame_reader_finish(&reader);
    }
}

/* Bytes that memmove() or realloc() would have to move if every call moved the rest: 2^17 frames
 * times megabytes, or 2^19 chunks times megabytes. That takes minutes; done right it is a fraction
 * of a second. */
static void test_time_is_linear(void **state)
{
    (void)state;
    enum { FRAMES = 1 << 17, BODY = 8 << 20, CHUNK = 16 };
    int64_t deadline_ms = clock_monotonic_ms() + 20000;
    struct frame_reader reader;
    struct frame frame;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    for (int i = 0; i < FRAMES; i++)
        put(&out, "{\"type\":\"step\"}", NULL, 0);
    frame_reader_init(&reader);
    feed(&reader, out.data, out.size);
    for (int i = 0; i < FRAMES; i++) {
        assert_int_equal(next(&reader, &frame), 1);
        feed(&reader, "PFX1", 0);
    }
    assert_int_equal(next(&reader, &frame), 0);
    buffer_clear(&out);
    AUTO_FREE char *body = calloc(1, BODY);
    assert_non_null(body);
    put(&out, "{}", body, BODY);
    for (size_t at = 0; at < out.size; at += CHUNK) {
        assert_int_equal(next(&reader, &frame), 0);
        feed(&reader, out.data + at, out.size - at < CHUNK ? out.size - at : CHUNK);
    }
    assert_int_equal(next(&reader, &frame), 1);
    assert_int_equal(frame.body_size, BODY);
    assert_true(clock_monotonic_ms() < deadline_ms);
    frame_reader_finish(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_any_chunks),
        cmocka_unit_test(test_corrupt_streams),
        cmocka_unit_test(test_put_checks_sizes),
        cmocka_unit_test(test_declared_size_costs_nothing),
        cmocka_unit_test(test_memory_of_a_large_frame_is_returned),
        cmocka_unit_test(test_time_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
