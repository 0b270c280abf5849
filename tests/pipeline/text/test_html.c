/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "tests/test.h"

#include "base/utf8.h"
#include "pipeline/text/html.h"

enum { TEXT_MAX = 256 };

/* Unescapes once; compares as UTF-8. Expected values are those of Python's html.unescape(). */
static void check(const char *text, const char *expected)
{
    uint32_t code_points[TEXT_MAX];
    size_t count = 0, size = strlen(text);
    for (size_t at = 0; at < size; count++) {
        assert_true(count < TEXT_MAX);
        at += utf8_decode(text + at, size - at, &code_points[count]);
    }
    count = html_unescape(code_points, count);
    char bytes[4 * TEXT_MAX + 1];
    size_t out = 0;
    for (size_t i = 0; i < count; i++)
        out += utf8_encode(code_points[i], bytes + out);
    bytes[out] = 0;
    assert_string_equal(bytes, expected);
}

static void test_names(void **state)
{
    (void)state;
    check("caf&eacute; &lt;b&gt; &amp;amp;", "caf\xc3\xa9 <b> &amp;");
    check("&AElig;&zwnj;&zscr;", "\xc3\x86\xe2\x80\x8c\xf0\x9d\x93\x8f");
    check("&nGt;", "\xe2\x89\xab\xe2\x83\x92"); /* two code points */
    check("&CounterClockwiseContourIntegral;", "\xe2\x88\xb3");
    check("&Amp; &nosuchname; &;", "&Amp; &nosuchname; &;");
}

static void test_old_names_without_semicolon(void **state)
{
    (void)state;
    check("&amp&lt&copy", "&<\xc2\xa9");
    check("&notit; &notin; &timesb", "\xc2\xacit; \xe2\x88\x89 \xc3\x97"
                                     "b");
    check("&alpha &ampx\xc3\xa9", "&alpha &x\xc3\xa9");
    check("&a&amp;&", "&a&&");
}

static void test_numbers(void **state)
{
    (void)state;
    check("&#233;&#xE9;&#XE9 &#65g", "\xc3\xa9\xc3\xa9\xc3\xa9 Ag");
    check("&#x1F600;", "\xf0\x9f\x98\x80");
    check("&#128;&#x9f;", "\xe2\x82\xac\xc5\xb8"); /* windows-1252 */
    check("&#0;&#xD800;&#x110000;&#99999999999999999999;",
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    check("a&#1;b&#xFDD0;c&#x10FFFF;d", "abcd"); /* stand for nothing */
    check("&# &#; &#x; &#xg &#", "&# &#; &#x; &#xg &#");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_old_names_without_semicolon),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
