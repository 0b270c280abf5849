/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of promptfix submit that need no server; tests/e2e/submit.test.mjs runs the whole. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "tools/cli/board.h"
#include "tools/cli/event_reader.h"
#include "tools/cli/items.h"
#include "tools/cli/manifest.h"
#include "tools/cli/report.h"
#include "tools/cli/retry.h"

enum { PATH_SIZE = 256 };

static char folder[] = "/tmp/test_submit_XXXXXX";
static char in[PATH_SIZE], in_out[PATH_SIZE], elsewhere[PATH_SIZE]; /* folders below it */

static const char png[] = "\x89PNG\r\n\x1a\n....";
static const char jpeg[] = "\xff\xd8\xff....";
static const char webp[] = "RIFF....WEBP";

static const char *at(const char *name)
{
    static char paths[4][PATH_SIZE];
    static size_t next;
    char *path = paths[next++ % COUNT_OF(paths)];
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    struct pf_error err = PF_ERROR_INIT;
    assert_ok(file_write(at(name), text, strlen(text), 0600, 0, &err), &err);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const folders[] = {"in", "in/sub", "in/.hidden", "in/out", "more"};
    if (!mkdtemp(folder))
        return -1;
    snprintf(in, sizeof in, "%s/in", folder);
    snprintf(in_out, sizeof in_out, "%s/in/out", folder);
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        if (mkdir(at(folders[i]), 0700) != 0)
            return -1;
    write_text("in/b.png", png);
    write_text("in/a.JPEG", jpeg);
    write_text("in/sub/c.webp", webp);
    write_text("in/sub/lies.png", jpeg);
    write_text("in/sub/notes.txt", "no image");
    write_text("in/.hidden/d.png", png);
    write_text("in/.e.png", png);
    write_text("in/out/f.png", png);
    write_text("more/b.png", png);
    return symlink("..", at("in/sub/up")) == 0 && symlink("nowhere", at("in/dangling.png")) == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[PATH_SIZE];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static struct request empty_request(void)
{
    static char nothing[1] = "";
    struct request request = {nothing, nothing, nothing, nothing, nothing, "off", "batch", {0}};
    params_init(&request.params);
    return request;
}

/* ---- events ---- */

static enum pf_status note_event(
    void *context, const struct received_event *event, struct pf_error *err)
{
    (void)err;
    buffer_put_format(context, "[%s|%s]", event->name, event->data);
    return PF_OK;
}

static void test_events(void **state)
{
    (void)state;
    static const struct {
        const char *stream, *events, *last_id;
    } cases[] = {
        {"", "", ""},
        {"data: a\n\n", "[message|a]", ""},
        {"id: 7\nevent: step\ndata: {\"x\":1}\n\n", "[step|{\"x\":1}]", "7"},
        {"id: 7\nevent: step\ndata: {\"x\":1}\n", "", ""}, /* unfinished: lost */
        {": ping\n\ndata:a\ndata: b\n\n", "[message|a\nb]", ""},
        {"data: a\r\n\r\ndata: b\r\rdata: c\n\n", "[message|a][message|b][message|c]", ""},
        {"id: 1\n\nevent: x\n\ndata: y\n\n", "[message|y]", "1"},
        {"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "[message|a][message|b][message|c]", ""},
        {"data\n\n", "[message|]", ""},
        {"data: a\nnonsense\nretry: 4\n\n", "[message|a]", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t piece = 1; piece < 4; piece++) {
            struct pf_error err = PF_ERROR_INIT;
            struct event_reader reader;
            AUTO_BUFFER struct buffer events = BUFFER_INIT;
            size_t size = strlen(cases[i].stream);
            buffer_put_text(&events, "");
            event_reader_init(&reader);
            for (size_t from = 0; from < size; from += piece)
                assert_ok(event_reader_feed(&reader, cases[i].stream + from,
                              size - from < piece ? size - from : piece, note_event, &events, &err),
                    &err);
            assert_string_equal(events.data ? events.data : "", cases[i].events);
            assert_string_equal(reader.last_id, cases[i].last_id);
            event_reader_finish(&reader);
        }
    }
}

static void test_events_after_a_break(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct event_reader reader;
    AUTO_BUFFER struct buffer events = BUFFER_INIT;
    static const char before[] = "id: 1\ndata: a\n\nid: 2\nevent: step\ndata: hal";
    static const char after[] = "data: b\n\n";
    event_reader_init(&reader);
    assert_ok(
        event_reader_feed(&reader, before, sizeof before - 1, note_event, &events, &err), &err);
    event_reader_restart(&reader);
    assert_string_equal(reader.last_id, "1");
    assert_ok(event_reader_feed(&reader, after, sizeof after - 1, note_event, &events, &err), &err);
    assert_string_equal(events.data, "[message|a][message|b]");
    assert_string_equal(reader.last_id, "1");
    event_reader_finish(&reader);
}

static void test_event_too_long(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct event_reader reader;
    static char line[1 << 16];
    enum pf_status status = PF_OK;
    memset(line, 'x', sizeof line);
    event_reader_init(&reader);
    for (size_t i = 0; status == PF_OK && i <= EVENT_READER_MAX / sizeof line; i++)
        status = event_reader_feed(&reader, line, sizeof line, note_event, NULL, &err);
    assert_fails(status, PF_CORRUPT, "longer than", &err);
    event_reader_finish(&reader);
}

/* ---- retries ---- */

static void test_retries(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum retry_class class;
    } cases[] = {{0, RETRY_LATER}, {200, RETRY_NOT}, {202, RETRY_NOT}, {301, RETRY_NOT},
        {400, RETRY_NOT}, {401, RETRY_NOT}, {404, RETRY_NOT}, {408, RETRY_LATER}, {409, RETRY_NOT},
        {413, RETRY_NOT}, {422, RETRY_NOT}, {429, RETRY_LATER}, {500, RETRY_FEW}, {501, RETRY_FEW},
        {502, RETRY_LATER}, {503, RETRY_LATER}, {504, RETRY_LATER}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(retry_classify(cases[i].status), cases[i].class);
    for (int failures = 1; failures < 40; failures++) {
        int64_t longest = RETRY_FIRST_MS;
        for (int i = 1; i < failures && longest < RETRY_LONGEST_MS; i++)
            longest *= 2;
        longest = longest < RETRY_LONGEST_MS ? longest : RETRY_LONGEST_MS;
        for (uint32_t random = 0; random < 100; random++) {
            int64_t pause = retry_pause_ms(failures, 0, random * 2654435761u);
            assert_in_range(pause, longest / 2, longest);
        }
        assert_int_equal(retry_pause_ms(failures, 120000, 5), 120000);
    }
}

/* ---- items ---- */

static const struct item *find_item(const struct items *items, const char *output)
{
    for (size_t i = 0; i < items->count; i++)
        if (strcmp(items->list[i].output, output) == 0)
            return &items->list[i];
    fail_msg("no item for %s", output);
    return NULL;
}

static void test_folder(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct request request = empty_request();
    struct items items = ITEMS_INIT(in_out);
    assert_ok(items_add_path(&items, at("in/"), &request, &err), &err);
    assert_ok(items_check(&items, &err), &err);
    assert_int_equal(items.count, 4);
    assert_int_equal(items.ignored_count, 1);
    assert_int_equal(find_item(&items, "a.JPEG")->format, IMAGE_FORMAT_JPEG);
    assert_int_equal(find_item(&items, "b.png")->format, IMAGE_FORMAT_PNG);
    assert_int_equal(find_item(&items, "sub/c.webp")->format, IMAGE_FORMAT_WEBP);
    assert_int_equal(find_item(&items, "sub/lies.jpg")->format, IMAGE_FORMAT_JPEG);
    assert_string_equal(find_item(&items, "sub/lies.jpg")->source, at("in/sub/lies.png"));
    items_finish(&items);
}

static void test_output_format(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct request request = empty_request();
    struct items items = ITEMS_INIT(elsewhere);
    assert_ok(params_set_text(&request.params, "output_format", "webp", &err), &err);
    assert_ok(items_add_path(&items, at("in/b.png"), &request, &err), &err);
    assert_ok(items_add_path(&items, at("in/sub/c.webp"), &request, &err), &err);
    assert_ok(items_add_path(&items, at("in/sub/notes.txt"), &request, &err), &err);
    assert_ok(items_check(&items, &err), &err);
    assert_int_equal(find_item(&items, "b.webp")->format, IMAGE_FORMAT_WEBP);
    assert_int_equal(find_item(&items, "c.webp")->is_image, 1);
    assert_int_equal(find_item(&items, "notes.txt")->is_image, 0); /* named: it will be told */
    items_finish(&items);
}

static void test_item_errors(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct request request = empty_request();
    struct items items = ITEMS_INIT(in);
    assert_fails(items_add_path(&items, at("in"), &request, &err), PF_INVALID, "overwrite", &err);
    assert_fails(
        items_add_path(&items, at("nowhere"), &request, &err), PF_NOT_FOUND, "nowhere", &err);
    static const char *const outputs[] = {"/a", "../a", "a/../../b", "..", "", "a/.."};
    for (size_t i = 0; i < COUNT_OF(outputs); i++)
        assert_fails(items_add_file(&items, at("in/b.png"), outputs[i], &request, &err), PF_INVALID,
            "leads out", &err);
    assert_ok(items_add_file(&items, at("in/b.png"), "b.png", &request, &err), &err);
    assert_fails(items_check(&items, &err), PF_INVALID, "overwrite it", &err);
    items_finish(&items);

    items = (struct items)ITEMS_INIT(elsewhere);
    assert_ok(items_add_path(&items, at("in/b.png"), &request, &err), &err);
    assert_ok(items_add_path(&items, at("more"), &request, &err), &err);
    assert_fails(items_check(&items, &err), PF_INVALID, "would both be b.png", &err);
    items_finish(&items);
}

/* ---- manifest ---- */

static void test_manifest(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct request request = empty_request();
    struct items items = ITEMS_INIT(elsewhere);
    char text[1024];
    request.instruction = (char[]){"common"};
    snprintf(text, sizeof text,
        "{\"image\":\"in/b.png\"}\n"
        "\n"
        "{\"image\":\"./in/sub/c.webp\",\"instruction\":\"own\",\"steps\":7,"
        "\"sampler\":\"ddim\",\"mask\":\"more/b.png\",\"auxiliary\":\"auto\","
        "\"auxiliary_prompt\":\"p\",\"metadata\":{\"a\":[1,2.5,null,true,\"\\u00e9\"]},"
        "\"output\":\"x/y\",\"output_format\":\"png\"}\r\n"
        "{\"image\":\"%s\",\"priority\":\"interactive\"}",
        at("more/b.png"));
    write_text("list.jsonl", text);
    assert_ok(manifest_read(&items, at("list.jsonl"), &request, &err), &err);
    /* The third is named after its file: absolute paths aren't mirrored. */
    assert_int_equal(items.count, 3);
    assert_string_equal(items.list[2].output, "b.png");
    assert_string_equal(items.list[2].request->priority, "interactive");
    const struct item *first = find_item(&items, "in/b.png");
    assert_string_equal(first->source, at("in/b.png"));
    assert_string_equal(first->request->instruction, "common");
    assert_int_equal(first->request->params.set, 0);
    const struct request *own = find_item(&items, "x/y.png")->request;
    assert_string_equal(own->instruction, "own");
    assert_string_equal(own->mask, at("more/b.png"));
    assert_string_equal(own->auxiliary, "auto");
    assert_string_equal(own->auxiliary_prompt, "p");
    assert_string_equal(own->metadata, "{\"a\":[1,2.5,null,true,\"\xc3\xa9\"]}");
    assert_int_equal(own->params.steps, 7);
    assert_string_equal(params_choice_name(&own->params, params_find("sampler")), "ddim");
    items_finish(&items);
}

static void test_manifest_errors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum pf_status status;
        const char *message;
    } cases[] = {
        {"{\"image\":\"in/b.png\"}\nnonsense\n", PF_INVALID, "line 2"},
        {"[]", PF_INVALID, "line 1: not an object"},
        {"{}", PF_INVALID, "no image"},
        {"{\"image\":3}", PF_INVALID, "image: expected a text"},
        {"{\"image\":\"in/nowhere.png\"}", PF_NOT_FOUND, "nowhere.png"},
        {"{\"image\":\"in/b.png\",\"stesp\":3}", PF_INVALID, "'stesp'"},
        {"{\"image\":\"in/b.png\",\"steps\":\"3\"}", PF_INVALID, "steps: expected a number"},
        {"{\"image\":\"in/b.png\",\"steps\":0}", PF_INVALID, "steps"},
        {"{\"image\":\"in/b.png\",\"sampler\":\"x\"}", PF_INVALID, "sampler"},
        {"{\"image\":\"in/b.png\",\"sampler\":1}", PF_INVALID, "sampler: expected a name"},
        {"{\"image\":\"in/b.png\",\"auxiliary\":\"perhaps\"}", PF_INVALID, "perhaps"},
        {"{\"image\":\"in/b.png\",\"metadata\":\"x\"}", PF_INVALID, "metadata"},
        {"{\"image\":\"in/b.png\",\"output\":\"../x.png\"}", PF_INVALID, "leads out"},
        {"{\"image\":\"in/b.png\",\"image\":\"in/b.png\"}", PF_INVALID, "line 1"},
        {"{\"image\":\"in/b\\u0000.png\"}", PF_INVALID, "image"},
    };
    struct request request = empty_request();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct pf_error err = PF_ERROR_INIT;
        struct items items = ITEMS_INIT(elsewhere);
        write_text("list.jsonl", cases[i].text);
        assert_fails(manifest_read(&items, at("list.jsonl"), &request, &err), cases[i].status,
            cases[i].message, &err);
        items_finish(&items);
    }
}

/* ---- report ---- */

static struct report_line line_of(enum report_status status, const char *output, char digit)
{
    struct report_line line = {.status = status,
        .source = "a \"b\"\n",
        .output = output,
        .bytes = 12,
        .format = status == REPORT_SUCCEEDED ? "png" : NULL,
        .code = status == REPORT_FAILED ? "unprocessable" : NULL,
        .message = "bad"};
    memset(line.request, digit, SHA256_HEX_SIZE - 1);
    return line;
}

static int has(const struct report *report, const char *output, char digit)
{
    struct report_line line = line_of(REPORT_FAILED, output, digit);
    int64_t bytes = -1;
    int found = report_has_succeeded(report, output, line.request, &bytes);
    if (found)
        assert_int_equal(bytes, 12);
    return found;
}

static void test_report(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct report *report, *other;
    static const struct {
        enum report_status status;
        const char *output;
        char digit;
    } lines[] = {{REPORT_SUCCEEDED, "b", '1'}, {REPORT_FAILED, "c", '1'},
        {REPORT_SUCCEEDED, "a/x", '2'}, {REPORT_SUCCEEDED, "c", '1'}, {REPORT_FAILED, "b", '1'},
        {REPORT_INTERRUPTED, "d", '1'}};
    assert_ok(report_open(&report, at("report.jsonl"), &err), &err);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct report_line line = line_of(lines[i].status, lines[i].output, lines[i].digit);
        assert_ok(report_add(report, &line, &err), &err);
    }
    assert_fails(report_open(&other, at("report.jsonl"), &err), PF_CONFLICT, "another", &err);
    report_close(report);

    /* A line cut short by a crash is dropped, and the next one begins a line of its own. */
    struct stat before, after;
    assert_int_equal(stat(at("report.jsonl"), &before), 0);
    FILE *file = fopen(at("report.jsonl"), "a");
    fputs("{\"output\":\"b\",\"sta", file);
    fclose(file);
    assert_ok(report_open(&report, at("report.jsonl"), &err), &err);
    assert_int_equal(stat(at("report.jsonl"), &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_true(has(report, "a/x", '2'));
    assert_true(has(report, "c", '1'));
    assert_false(has(report, "c", '2')); /* another request */
    assert_false(has(report, "b", '1')); /* failed later */
    assert_false(has(report, "d", '1'));
    assert_false(has(report, "nothing", '1'));
    report_close(report);

    write_text("notes.txt", "{\"steps\": 3}\n");
    assert_fails(report_open(&report, at("notes.txt"), &err), PF_CORRUPT, "line 1", &err);
    write_text("notes.txt", "text\nmore\n");
    assert_fails(report_open(&report, at("notes.txt"), &err), PF_CORRUPT, "line 1", &err);
}

/* ---- board ---- */

static void test_board_line(void **state)
{
    (void)state;
    struct board board;
    AUTO_FILE FILE *nowhere = fopen("/dev/null", "w");
    board_init(&board, nowhere, BOARD_OFF, 0, 10);
    board.started_ms = 0;
    for (int i = 0; i < 2; i++)
        board_end(&board, 0, BOARD_SKIPPED, "x", "");
    board_end(&board, 0, BOARD_SUCCEEDED, "x", "");
    board_end(&board, 0, BOARD_FAILED, "x", "");
    board_begin(&board, 0, "dir/first.png");
    board_move(&board, 0, 0, 5, 10);
    board_begin(&board, 1, "dir/a\033[31m.png");
    board_move(&board, 1, 3, 0, 10);
    static const struct {
        size_t width;
        const char *line;
    } cases[] = {
        /* 2.5 of 8 worked in 5 s: 5.5 left, 11 s */
        {200, "[#############                 ]  45%  4/10  1 failed  11 s left  first.png 5/10  "
              "a?[31m.png queued 3"},
        {43, "[#############                 ]  45%  4/10"},
        {5, "[####"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUFFER struct buffer line = BUFFER_INIT;
        board_put_line(&line, &board, 5000, cases[i].width);
        assert_string_equal(line.data, cases[i].line);
    }
    board_note(&board, "server full");
    AUTO_BUFFER struct buffer line = BUFFER_INIT;
    board_put_line(&line, &board, 5000, 200);
    assert_non_null(strstr(line.data, "  server full"));
    assert_null(strstr(line.data, "first.png"));
    board_finish(&board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_events_after_a_break),
        cmocka_unit_test(test_event_too_long),
        cmocka_unit_test(test_retries),
        cmocka_unit_test(test_folder),
        cmocka_unit_test(test_output_format),
        cmocka_unit_test(test_item_errors),
        cmocka_unit_test(test_manifest),
        cmocka_unit_test(test_manifest_errors),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_board_line),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
