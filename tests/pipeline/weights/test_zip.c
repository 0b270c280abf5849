/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "pipeline/weights/zip.h"
#include "tests/pipeline/weights/archive.h"

static enum pf_status open_exact(const struct buffer *file, size_t size, struct pf_error *err)
{
    struct zip zip;
    AUTO_FREE unsigned char *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, file->data, size);
    enum pf_status status = zip_open(&zip, copy, size, err);
    if (status == PF_OK)
        zip_finish(&zip);
    return status;
}

static void check_fails(const struct archive_entry *entries, size_t count,
    const struct archive_options *options, enum pf_status status, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    archive_put(&file, entries, count, options);
    assert_fails(open_exact(&file, file.size, &err), status, part, &err);
}

static void check_opens(
    const struct archive_entry *entries, size_t count, const struct archive_options *options)
{
    struct pf_error err = PF_ERROR_INIT;
    struct zip zip;
    AUTO_BUFFER struct buffer file = BUFFER_INIT;
    archive_put(&file, entries, count, options);
    assert_ok(zip_open(&zip, (unsigned char *)file.data, file.size, &err), &err);
    assert_int_equal(zip.count, count);
    for (size_t i = 0; i < count; i++) {
        const struct zip_entry *entry = zip_find(&zip, entries[i].name, strlen(entries[i].name));
        assert_non_null(entry);
        assert_int_equal(entry->size, entries[i].size);
        assert_memory_equal(entry->data, entries[i].data, entry->size);
    }
    assert_null(zip_find(&zip, "none", 4));
    assert_null(zip_find(&zip, "", 0));
    zip_finish(&zip);
    /* every prefix is cut short; none is read too far */
    size_t comment = options && options->comment ? strlen(options->comment) : 0;
    for (size_t cut = 0; cut < file.size - comment; cut++)
        assert_int_not_equal(open_exact(&file, cut, NULL), PF_OK);
}

static void test_opens(void **state)
{
    (void)state;
    const struct archive_entry entries[] = {
        {.name = "archive/data/1", .data = "world!", .size = 6, .flags = 8},
        {.name = "archive/data/0", .data = "hello", .size = 5},
        {.name = "archive/", .data = "", .size = 0},
    };
    const struct archive_options comment = {.comment = "a comment"};
    check_opens(entries, 3, NULL);
    check_opens(entries, 3, &comment);
    check_opens(entries, 0, NULL);
}

static void test_opens_zip64(void **state)
{
    (void)state;
    const struct archive_entry entries[] = {
        {.name = "a", .data = "hello", .size = 5, .zip64 = 1},
        {.name = "b", .data = "world!", .size = 6},
    };
    const struct archive_options options = {.zip64 = 1};
    const struct archive_options lie = {.zip64 = 1, .end64_lie = 3};
    const struct archive_options far = {.zip64 = 1, .end64_lie = UINT64_MAX};
    check_opens(entries, 2, &options);
    check_opens(entries, 2, NULL);
    check_fails(entries, 2, &lie, PF_CORRUPT, "zip64 locator points to 3");
    check_fails(entries, 2, &far, PF_CORRUPT, "18446744073709551615");
}

static void test_refuses_compression(void **state)
{
    (void)state;
    const struct archive_entry deflated = {
        .name = "x/data/7", .data = "abc", .size = 3, .method = 8};
    const struct archive_entry encrypted = {.name = "secret", .data = "abc", .size = 3, .flags = 1};
    check_fails(&deflated, 1, NULL, PF_UNSUPPORTED, "'x/data/7' is compressed (method 8)");
    check_fails(&encrypted, 1, NULL, PF_UNSUPPORTED, "'secret' is encrypted");
}

static void test_lying_entries(void **state)
{
    (void)state;
    const struct archive_entry renamed = {.name = "a", .data = "abc", .size = 3, .local_name = "b"};
    const struct archive_entry larger = {.name = "a", .data = "abc", .size = 3, .size_lie = 1000};
    const struct archive_entry huge = {
        .name = "a", .data = "abc", .size = 3, .zip64 = 1, .size_lie = UINT64_MAX};
    const struct archive_entry shorter = {.name = "a", .data = "abc", .size = 3, .local_lie = 2};
    const struct archive_entry outside = {
        .name = "a", .data = "abc", .size = 3, .offset_lie = 100000};
    const struct archive_entry far = {
        .name = "a", .data = "abc", .size = 3, .zip64 = 1, .offset_lie = UINT64_MAX - 10};
    const struct archive_entry nowhere = {.name = "a", .data = "abc", .size = 3, .offset_lie = 1};
    check_fails(&renamed, 1, NULL, PF_CORRUPT, "'a' has another name");
    check_fails(&larger, 1, NULL, PF_CORRUPT, "'a' has 1000 bytes at 31");
    check_fails(&huge, 1, NULL, PF_CORRUPT, "18446744073709551615 bytes");
    check_fails(&shorter, 1, NULL, PF_CORRUPT, "3 bytes stored, the local header 2");
    check_fails(&outside, 1, NULL, PF_CORRUPT, "'a' begins at 100000");
    check_fails(&far, 1, NULL, PF_CORRUPT, "'a' begins at 18446744073709551605");
    check_fails(&nowhere, 1, NULL, PF_CORRUPT, "no local header at 1");
}

static void test_overlaps(void **state)
{
    (void)state;
    /* the second entry's local header lies inside the first one's data */
    AUTO_BUFFER struct buffer inner = BUFFER_INIT;
    const struct archive_entry hidden = {.name = "b", .data = "xyz", .size = 3};
    archive_put(&inner, &hidden, 1, NULL);
    const struct archive_entry entries[] = {
        {.name = "a", .data = inner.data, .size = 34},
        {.name = "b", .data = "xyz", .size = 3, .offset_lie = 31},
    };
    check_fails(entries, 2, NULL, PF_CORRUPT, "'b' begins at 31, but 'a' ends at 65: they overlap");
    const struct archive_entry twice[] = {
        {.name = "a", .data = "abc", .size = 3},
        {.name = "a", .data = "abc", .size = 3},
    };
    check_fails(twice, 2, NULL, PF_CORRUPT, "'a' is there twice");
}

static void test_lying_end(void **state)
{
    (void)state;
    const struct archive_entry entry = {.name = "a", .data = "abc", .size = 3};
    const struct archive_options many = {.count_lie = 1000};
    const struct archive_options many64 = {.count_lie = UINT64_C(1) << 40, .zip64 = 1};
    const struct archive_options two = {.count_lie = 2, .zip64 = 1};
    const struct archive_options late = {.directory_lie = 60};
    const struct archive_options far = {.directory_lie = UINT64_MAX, .zip64 = 1};
    check_fails(&entry, 1, &many, PF_CORRUPT, "1000 zip entries don't fit");
    check_fails(&entry, 1, &many64, PF_UNSUPPORTED, "1099511627776 entries");
    check_fails(&entry, 1, &two, PF_CORRUPT, "2 zip entries don't fit");
    check_fails(&entry, 1, &late, PF_CORRUPT, "the zip directory has 47 bytes at 60");
    check_fails(&entry, 1, &far, PF_CORRUPT, "the zip directory has 47 bytes at");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens),
        cmocka_unit_test(test_opens_zip64),
        cmocka_unit_test(test_refuses_compression),
        cmocka_unit_test(test_lying_entries),
        cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_lying_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
