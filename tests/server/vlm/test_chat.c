/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <string.h>

#include "base/utf8.h"
#include "server/vlm/chat.h"
#include "tests/test.h"

static void test_request(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    static const char url[] = "data:image/jpeg;base64,/9j/";
    chat_put_request(&out, "a \"model\"", "what\nis \xc3\xa4?", url, sizeof url - 1);
    json_error_t why;
    json_t *root = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        fail_msg("%s: %s", why.text, out.data);
    const char *model, *role, *type[2], *text, *found;
    int max_tokens, stream;
    double temperature;
    assert_int_equal(
        json_unpack_ex(root, &why, JSON_STRICT,
            "{s:s, s:[{s:s, s:[{s:s, s:s !}, {s:s, s:{s:s !} !}] !}], s:i, s:F, s:b !}", "model",
            &model, "messages", "role", &role, "content", "type", &type[0], "text", &text, "type",
            &type[1], "image_url", "url", &found, "max_tokens", &max_tokens, "temperature",
            &temperature, "stream", &stream),
        0);
    assert_string_equal(model, "a \"model\"");
    assert_string_equal(role, "user");
    assert_string_equal(type[0], "text");
    assert_string_equal(text, "what\nis \xc3\xa4?");
    assert_string_equal(type[1], "image_url");
    assert_string_equal(found, url);
    assert_int_equal(max_tokens, CHAT_ANSWER_TOKENS_MAX);
    assert_true(temperature == 0);
    assert_false(stream);
    json_decref(root);
}

static void assert_answer(const char *response, const char *expected)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    assert_ok(chat_read_answer(&out, response, strlen(response), &err), &err);
    assert_string_equal(out.data, expected);
}

static void assert_no_answer(const char *response, const char *part)
{
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    assert_fails(chat_read_answer(&out, response, strlen(response), &err), PF_CORRUPT, part, &err);
    assert_int_equal(out.size, 0);
}

static void test_answers(void **state)
{
    (void)state;
    /* llama.cpp's server, vLLM, Ollama, OpenAI: what they have in common */
    assert_answer("{\"choices\":[{\"finish_reason\":\"stop\",\"index\":0,\"message\":{\"role\":"
                  "\"assistant\",\"content\":\" It is hazy.\"}}],\"object\":\"chat.completion\"}",
        " It is hazy.");
    assert_answer("{\"choices\":[{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"a \"},"
                  "{\"type\":\"other\"},{\"type\":\"text\",\"text\":\"b\"}]}}]}",
        "a b");
    assert_answer("{\"choices\":[{\"message\":{\"content\":\"one\"}},{\"message\":{\"content\":"
                  "\"two\"}}]}",
        "one");
    assert_answer("{\"choices\":[{\"message\":{\"content\":\"\\u00e4\\ud83d\\ude00\"}}]}",
        "\xc3\xa4\xf0\x9f\x98\x80");
}

static void test_no_answers(void **state)
{
    (void)state;
    assert_no_answer("", "not JSON");
    assert_no_answer("<html>502 Bad Gateway</html>", "not JSON");
    assert_no_answer("{\"choices\":[", "not JSON");
    assert_no_answer("{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}", "not JSON");
    assert_no_answer("{\"choices\":[{\"message\":{\"content\":\"a\\u0000b\"}}]}", "not JSON");
    assert_no_answer("[]", "no choices");
    assert_no_answer("{}", "no choices");
    assert_no_answer("{\"choices\":{}}", "no choices");
    assert_no_answer("{\"choices\":[]}", "no choices");
    assert_no_answer("{\"choices\":[{\"text\":\"old style\"}]}", "no choices");
    assert_no_answer("{\"choices\":[{\"message\":\"x\"}]}", "no choices");
    assert_no_answer("{\"choices\":[{\"message\":{}}]}", "without text");
    assert_no_answer("{\"choices\":[{\"message\":{\"content\":null},\"finish_reason\":"
                     "\"length\"}]}",
        "finish_reason length");
    assert_no_answer("{\"choices\":[{\"message\":{\"content\":\" \\n\"}}]}", "without text");
    assert_no_answer(
        "{\"choices\":[{\"message\":{\"content\":[1,{\"text\":2}]}}]}", "without text");
    char deep[4000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_no_answer(deep, "not JSON");
}

static void test_long_answers(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    AUTO_BUFFER struct buffer response = BUFFER_INIT;
    AUTO_BUFFER struct buffer out = BUFFER_INIT;
    buffer_put_text(&response, "{\"choices\":[{\"message\":{\"content\":[");
    for (int part = 0; part < 3; part++) {
        buffer_put_text(&response, part ? ",{\"text\":\"x" : "{\"text\":\"");
        for (int i = 0; i < 1000; i++)
            buffer_put_text(&response, "\xe2\x82\xac");
        buffer_put_text(&response, "\"}");
    }
    buffer_put_text(&response, "]}}]}");
    buffer_put_text(&out, "kept");
    assert_ok(chat_read_answer(&out, response.data, response.size, &err), &err);
    assert_true(out.size - 4 <= CHAT_ANSWER_BYTES_MAX && out.size - 4 > CHAT_ANSWER_BYTES_MAX - 3);
    assert_true(utf8_is_valid(out.data, out.size, NULL));
    assert_memory_equal(out.data, "kept", 4);
}

static void assert_error(const char *body, const char *expected)
{
    char text[CHAT_ERROR_SIZE];
    chat_read_error(text, body, strlen(body));
    assert_string_equal(text, expected);
}

static void test_errors(void **state)
{
    (void)state;
    assert_error("{\"error\":{\"code\":500,\"message\":\"image\\ntoo large\",\"type\":\"x\"}}",
        "image too large");
    assert_error("{\"error\":\"model not found\"}", "model not found");
    assert_error(
        "{\"object\":\"error\",\"message\":\"no such model\",\"code\":404}", "no such model");
    assert_error("{\"detail\":\"Not Found\"}", "Not Found");
    assert_error("{\"error\":{}}", "");
    assert_error("{\"detail\":[{\"loc\":[]}]}", "");
    assert_error("<html>", "");
    assert_error("", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_no_answers),
        cmocka_unit_test(test_long_answers),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
