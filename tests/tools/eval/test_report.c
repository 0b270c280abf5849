/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/jdoc.h"
#include "tests/test.h"
#include "tests/tools/eval/scene.h"
#include "tools/eval/report.h"

static struct report *make_report(void)
{
    struct pf_error err = PF_ERROR_INIT;
    struct report *report = report_create("A <report>", &err);
    assert_non_null(report);
    struct report_table *table = report_add_table(report, "Table", "note", "Name|dB|Verdict");
    report_add_row(report, table);
    report_put_text(report, table, "größer \"&\"");
    report_put_number(report, table, 12.3456, 2);
    report_put_verdict(report, table, 1);
    report_add_row(report, table);
    report_put_text(report, table, "x");
    report_put_number(report, table, NAN, 2);
    report_put_verdict(report, table, 0);
    report_add_row(report, table); /* stays empty */
    assert_ok(report_status(report, &err), &err);
    return report;
}

static void test_text(void **state)
{
    (void)state;
    struct report *report = make_report();
    struct buffer text = BUFFER_INIT;
    report_write_text(report, &text);
    assert_non_null(strstr(text.data, "  Name           dB  Verdict\n"));
    assert_non_null(strstr(text.data, "  größer \"&\"  12.35  pass\n"));
    assert_non_null(strstr(text.data, "  x                  FAIL\n"));
    assert_int_equal(report->passed, 0);
    buffer_finish(&text);
    report_destroy(report);
}

static void test_json(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct report *report = make_report();
    struct buffer text = BUFFER_INIT;
    struct jdoc *doc;
    report_write_json(report, &text);
    assert_ok(jdoc_parse(&doc, text.data, text.size, &err), &err);
    const struct jdoc_value *root = jdoc_root(doc);
    assert_int_equal(jdoc_get(root, "passed")->type, JDOC_FALSE);
    const struct jdoc_value *rows = jdoc_get(jdoc_get(root, "tables")->first, "rows");
    assert_int_equal(rows->size, 3);
    assert_string_equal(jdoc_get_string(rows->first, "Name", ""), "größer \"&\"");
    assert_true(jdoc_get_number(rows->first, "dB", 0) == 12.3456); /* not rounded */
    assert_int_equal(jdoc_get(rows->first, "Verdict")->type, JDOC_TRUE);
    assert_int_equal(jdoc_get(rows->first->next, "dB")->type, JDOC_NULL);
    jdoc_destroy(doc);
    buffer_finish(&text);
    report_destroy(report);
}

static void test_html(void **state)
{
    (void)state;
    struct report *report = make_report();
    struct buffer text = BUFFER_INIT;
    report_write_html(report, &text);
    assert_non_null(strstr(text.data, "<h1>A &lt;report&gt;</h1>"));
    assert_non_null(strstr(text.data, "<td>größer &quot;&amp;&quot;</td>"));
    assert_non_null(strstr(text.data, "<td class=\"fail\">FAIL</td>"));
    assert_null(strstr(text.data, "<img"));
    assert_null(strstr(text.data, "http:"));
    buffer_finish(&text);
    report_destroy(report);
}

/* Without libvips there is no jpeg: the report remembers that. */
static void test_pictures(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT, encode_err = PF_ERROR_INIT;
    struct image image = scene_create(32);
    struct buffer probe = BUFFER_INIT, text = BUFFER_INIT;
    struct report *report = make_report();
    assert_ok(image_library_init("test_eval_report", 1, &err), &err);
    enum pf_status expected = image_encode(&image, IMAGE_FORMAT_JPEG, 88, &probe, &encode_err);
    struct report_strip *strip = report_add_strip(report, "Haze: \"photo\"", "remove the haze");
    report_add_picture(report, strip, "input", &image, "10.00 dB");
    assert_int_equal(report_status(report, &err), expected);
    if (expected == PF_OK) {
        report_write_html(report, &text);
        assert_non_null(strstr(text.data, "alt=\"Haze: &quot;photo&quot;, input\""));
        assert_non_null(strstr(text.data, "src=\"data:image/jpeg;base64,/9j/"));
    }
    report_add_picture(report, NULL, "input", &image, "");
    buffer_finish(&probe);
    buffer_finish(&text);
    image_finish(&image);
    report_destroy(report);
    report_destroy(NULL);
}

static void test_long_texts_are_cut_between_characters(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    char name[2 * REPORT_TEXT_SIZE + 1] = "";
    for (int i = 0; i < REPORT_TEXT_SIZE; i++)
        memcpy(name + 2 * i, "ä", 3);
    struct report *report = report_create(name, &err);
    assert_non_null(report);
    size_t size = strlen(report->title);
    assert_true(size < REPORT_TEXT_SIZE && size % 2 == 0);
    report_destroy(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
