/* SPDX-License-Identifier: Apache-2.0 */
/* One suite for every kind of store: each test runs on a database file and on one in memory. */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>

#include "base/cleanup.h"
#include "server/jobs/store.h"
#include "tests/server/jobs/fixture.h"

struct fixture {
    struct folder folder;
    char path[128];
    int in_memory;
    struct store *store;
    struct pf_error err;
};

static void open_store(struct fixture *f)
{
    assert_ok(store_sqlite_open(&f->store, f->in_memory ? NULL : f->path, &f->err), &f->err);
}

static int set_up(void **state, int in_memory)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_create(&f->folder);
    snprintf(f->path, sizeof f->path, "%s/jobs.db", f->folder.path);
    f->in_memory = in_memory;
    open_store(f);
    *state = f;
    return 0;
}

static int set_up_file(void **state)
{
    return set_up(state, 0);
}

static int set_up_memory(void **state)
{
    return set_up(state, 1);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    folder_remove(&f->folder);
    free(f);
    return 0;
}

static struct job *make_job(int64_t sequence, const char *owner)
{
    struct job *job = job_create();
    assert_non_null(job);
    assert_int_equal(id_create(job->id, NULL), PF_OK);
    strcpy(job->owner, owner);
    job->instruction = strdup("remove the haze \xc3\xa4 \"quoted\"");
    job->sequence = sequence;
    job->created_ms = 1000 + sequence;
    params_init(&job->params);
    return job;
}

static void insert(struct fixture *f, const struct job *job)
{
    assert_ok(f->store->ops->insert(f->store, job, &f->err), &f->err);
}

#define TRACE "0af7651916cd43dd8448eb211c80319c-01"

static void fill_every_member(struct job *job)
{
    assert_int_equal(id_create(job->batch, NULL), PF_OK);
    job->status = JOB_FAILED;
    job->priority = JOB_BATCH;
    job->auxiliary = JOB_AUXILIARY_AUTO;
    job->auxiliary_prompt = strdup("");
    job->auxiliary_log = strdup("{\"asked\":1}");
    job->model = strdup("m");
    job->metadata = strdup("{\"a\":[1,2]}");
    job->webhook_url = strdup("https://example.org/x");
    strcpy(job->trace, TRACE);
    job->idempotency_key = strdup("key");
    memset(job->fingerprint, 'f', JOB_FINGERPRINT_SIZE - 1);
    job->attempts = 2;
    job->step = 3;
    job->steps = 20;
    job->timings = (struct job_timings){1, 2, 3, 4, 5};
    job->started_ms = 11;
    job->finished_ms = 12;
    job->expires_ms = 13;
    memset(job->image_blob, 'a', ID_SIZE - 1);
    memset(job->mask_blob, 'b', ID_SIZE - 1);
    memset(job->result_blob, 'c', ID_SIZE - 1);
    job->image_bytes = 100;
    job->mask_bytes = 200;
    strcpy(job->result.format, "webp");
    job->result.width = 640;
    job->result.height = 480;
    job->result.bytes = INT64_C(5000000000);
    strcpy(job->error.code, "nomem");
    strcpy(job->error.field, "image");
    memset(job->error.message, 'm', PF_ERROR_MESSAGE_MAX - 1);
    job->event_id = 77;
}

static void assert_same_text(const char *a, const char *b)
{
    assert_true(!a == !b);
    if (a)
        assert_string_equal(a, b);
}

static void assert_same_job(const struct job *a, const struct job *b)
{
    assert_same_text(a->instruction, b->instruction);
    assert_same_text(a->auxiliary_prompt, b->auxiliary_prompt);
    assert_same_text(a->auxiliary_log, b->auxiliary_log);
    assert_same_text(a->model, b->model);
    assert_same_text(a->metadata, b->metadata);
    assert_same_text(a->webhook_url, b->webhook_url);
    assert_same_text(a->idempotency_key, b->idempotency_key);
    /* What the columns don't hold, made equal; the rest byte by byte. */
    struct job x = *a, y = *b;
    struct job *both[] = {&x, &y};
    for (int i = 0; i < 2; i++) {
        both[i]->refs = 0;
        both[i]->eta_ms = 0;
        both[i]->instruction = both[i]->auxiliary_prompt = both[i]->auxiliary_log = NULL;
        both[i]->model = both[i]->metadata = both[i]->webhook_url = NULL;
        both[i]->idempotency_key = NULL;
    }
    assert_memory_equal(&x, &y, sizeof x);
}

static void test_keeps_every_member(void **state)
{
    struct fixture *f = *state;
    AUTO_JOB struct job *job = make_job(1, "alice");
    insert(f, job);
    AUTO_JOB struct job *plain = NULL;
    assert_ok(f->store->ops->get(f->store, job->id, &plain, &f->err), &f->err);
    assert_same_job(job, plain);

    fill_every_member(job);
    assert_ok(params_set_text(&job->params, "steps", "33", &f->err), &f->err);
    assert_ok(params_set_text(&job->params, "text_scale", "7.123456789012345", &f->err), &f->err);
    assert_ok(params_set_text(&job->params, "sampler", "ddim", &f->err), &f->err);
    assert_ok(f->store->ops->update(f->store, job, &f->err), &f->err);
    AUTO_JOB struct job *full = NULL;
    assert_ok(f->store->ops->get(f->store, job->id, &full, &f->err), &f->err);
    assert_same_job(job, full);
}

static void test_conflicts(void **state)
{
    struct fixture *f = *state;
    AUTO_JOB struct job *first = make_job(1, "alice");
    first->idempotency_key = strdup("k");
    insert(f, first);
    AUTO_JOB struct job *same_key = make_job(2, "alice");
    same_key->idempotency_key = strdup("k");
    assert_fails(
        f->store->ops->insert(f->store, same_key, &f->err), PF_CONFLICT, same_key->id, &f->err);
    AUTO_JOB struct job *same_id = make_job(3, "alice");
    memcpy(same_id->id, first->id, ID_SIZE);
    assert_fails(f->store->ops->insert(f->store, same_id, &f->err), PF_CONFLICT, "in use", &f->err);
    /* Another owner's key is another key; a refused job left no trace. */
    AUTO_JOB struct job *other = make_job(4, "bob");
    other->idempotency_key = strdup("k");
    insert(f, other);
    AUTO_JOB struct job *found = NULL;
    assert_ok(f->store->ops->find_key(f->store, "bob", "k", &found, &f->err), &f->err);
    assert_string_equal(found->id, other->id);
    struct job *none = NULL;
    assert_fails(
        f->store->ops->get(f->store, same_key->id, &none, &f->err), PF_NOT_FOUND, "", &f->err);
    assert_fails(f->store->ops->find_key(f->store, "bob", "other", &none, &f->err), PF_NOT_FOUND,
        "", &f->err);
    assert_null(none);
}

static void test_absent(void **state)
{
    struct fixture *f = *state;
    AUTO_JOB struct job *job = make_job(1, "");
    assert_fails(f->store->ops->update(f->store, job, &f->err), PF_NOT_FOUND, job->id, &f->err);
    assert_fails(f->store->ops->remove(f->store, job->id, &f->err), PF_NOT_FOUND, job->id, &f->err);
    insert(f, job);
    assert_ok(f->store->ops->remove(f->store, job->id, &f->err), &f->err);
    struct job *none = NULL;
    assert_fails(
        f->store->ops->get(f->store, job->id, &none, &f->err), PF_NOT_FOUND, job->id, &f->err);
}

struct found {
    int64_t sequences[32];
    size_t count;
    size_t stop_after;
};

static enum pf_status note_sequence(void *context, struct job *job, struct pf_error *err)
{
    struct found *found = context;
    found->sequences[found->count++] = job->sequence;
    if (found->stop_after && found->count == found->stop_after)
        return pf_fail(err, PF_CANCELLED, "enough");
    return PF_OK;
}

static void assert_list(struct fixture *f, struct store_query query, const char *expected)
{
    struct found found = {.count = 0};
    query.limit = query.limit ? query.limit : 20;
    assert_ok(f->store->ops->list(
                  f->store, &query, &(struct store_visitor){note_sequence, &found}, &f->err),
        &f->err);
    char text[128] = "";
    for (size_t i = 0; i < found.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i ? " " : "",
            (long long)found.sequences[i]);
    assert_string_equal(text, expected);
}

static void test_lists(void **state)
{
    struct fixture *f = *state;
    char batch[ID_SIZE];
    assert_ok(id_create(batch, &f->err), &f->err);
    for (int64_t i = 1; i <= 6; i++) {
        AUTO_JOB struct job *job = make_job(i, i % 2 ? "alice" : "bob");
        job->status = i <= 2 ? JOB_SUCCEEDED : i == 3 ? JOB_RUNNING : JOB_QUEUED;
        job->expires_ms = i <= 2 ? 100 * i : 0;
        if (i >= 5)
            memcpy(job->batch, batch, ID_SIZE);
        insert(f, job);
    }
    assert_list(f, (struct store_query){.status = -1}, "6 5 4 3 2 1");
    assert_list(f, (struct store_query){.status = -1, .limit = 2}, "6 5");
    assert_list(f, (struct store_query){.status = -1, .before = 3}, "2 1");
    assert_list(f, (struct store_query){.status = -1, .owner = "alice"}, "5 3 1");
    assert_list(f, (struct store_query){.status = JOB_QUEUED}, "6 5 4");
    assert_list(f, (struct store_query){.status = JOB_QUEUED, .owner = "bob"}, "6 4");
    assert_list(f, (struct store_query){.status = -1, .batch = batch}, "6 5");
    assert_list(f, (struct store_query){.status = -1, .owner = "carol"}, "");

    struct found open = {.count = 0};
    assert_ok(
        f->store->ops->list_open(f->store, &(struct store_visitor){note_sequence, &open}, &f->err),
        &f->err);
    assert_int_equal(open.count, 4);
    assert_int_equal(open.sequences[0], 3);
    assert_int_equal(open.sequences[3], 6);

    struct found expired = {.count = 0};
    assert_ok(f->store->ops->list_expired(
                  f->store, 150, 10, &(struct store_visitor){note_sequence, &expired}, &f->err),
        &f->err);
    assert_int_equal(expired.count, 1);
    assert_int_equal(expired.sequences[0], 1);

    struct found stopped = {.stop_after = 2};
    struct store_query all = {.status = -1, .limit = 20};
    assert_fails(f->store->ops->list(
                     f->store, &all, &(struct store_visitor){note_sequence, &stopped}, &f->err),
        PF_CANCELLED, "enough", &f->err);
    assert_int_equal(stopped.count, 2);
    assert_list(f, (struct store_query){.status = -1, .limit = 1}, "6");
}

static void test_last_sequence(void **state)
{
    struct fixture *f = *state;
    int64_t last = -1;
    assert_ok(f->store->ops->last_sequence(f->store, &last, &f->err), &f->err);
    assert_int_equal(last, 0);
    AUTO_JOB struct job *job = make_job(41, "");
    insert(f, job);
    assert_ok(f->store->ops->remove(f->store, job->id, &f->err), &f->err);
    assert_ok(f->store->ops->last_sequence(f->store, &last, &f->err), &f->err);
    assert_int_equal(last, 41);
}

static void test_insert_many(void **state)
{
    struct fixture *f = *state;
    struct job *jobs[4];
    for (int i = 0; i < 4; i++) {
        jobs[i] = make_job(10 + i, "alice");
        strcpy(jobs[i]->batch, "0123456789abcdef0123456789abcdef");
        jobs[i]->status = i == 0 ? JOB_SUCCEEDED : JOB_QUEUED;
        jobs[i]->finished_ms = i == 0 ? 99 : 0;
    }
    jobs[3]->sequence = 10; /* taken: none goes in */
    assert_fails(
        f->store->ops->insert_many(f->store, jobs, 4, &f->err), PF_CONFLICT, jobs[3]->id, &f->err);
    assert_list(f, (struct store_query){.status = -1}, "");
    jobs[3]->sequence = 13;
    assert_ok(f->store->ops->insert_many(f->store, jobs, 4, &f->err), &f->err);
    assert_list(f, (struct store_query){.status = -1}, "13 12 11 10");
    assert_list(f,
        (struct store_query){.status = JOB_QUEUED, .batch = jobs[0]->batch, .owner = "alice"},
        "13 12 11");
    struct batch batch;
    assert_ok(f->store->ops->get_batch(f->store, jobs[0]->batch, &batch, &f->err), &f->err);
    assert_int_equal(batch.total, 4);
    assert_int_equal(batch.counts[JOB_QUEUED], 3);
    assert_int_equal(batch.created_ms, 1010);
    assert_int_equal(batch.finished_ms, 0);
    assert_string_equal(batch.owner, "alice");
    assert_fails(
        f->store->ops->get_batch(f->store, "", &batch, &f->err), PF_NOT_FOUND, "", &f->err);
    for (int i = 0; i < 4; i++)
        job_unref(jobs[i]);
}

enum { THREADS = 8, JOBS_EACH = 25 };
struct inserter {
    struct fixture *f;
    int index;
    enum pf_status status;
};

static void *insert_many(void *context)
{
    struct inserter *inserter = context;
    struct store *store = inserter->f->store;
    for (int i = 0; i < JOBS_EACH && inserter->status == PF_OK; i++) {
        struct job *job = make_job(1 + inserter->index * JOBS_EACH + i, "x");
        inserter->status = store->ops->insert(store, job, NULL);
        /* In the same transactions, one that must fail alone. */
        if (inserter->status == PF_OK && store->ops->insert(store, job, NULL) != PF_CONFLICT)
            inserter->status = PF_INTERNAL;
        struct job *back = NULL;
        if (inserter->status == PF_OK)
            inserter->status = store->ops->get(store, job->id, &back, NULL);
        job_unref(back);
        job_unref(job);
    }
    return NULL;
}

static enum pf_status count_job(void *context, struct job *job, struct pf_error *err)
{
    (void)job;
    (void)err;
    ++*(size_t *)context;
    return PF_OK;
}

static void test_many_threads(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[THREADS];
    struct inserter inserters[THREADS];
    for (int i = 0; i < THREADS; i++) {
        inserters[i] = (struct inserter){.f = f, .index = i};
        assert_int_equal(pthread_create(&threads[i], NULL, insert_many, &inserters[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(inserters[i].status, PF_OK);
    }
    size_t count = 0;
    assert_ok(
        f->store->ops->list_open(f->store, &(struct store_visitor){count_job, &count}, &f->err),
        &f->err);
    assert_int_equal(count, THREADS * JOBS_EACH);
}

/* ---- files only ---- */

static void test_reopens(void **state)
{
    struct fixture *f = *state;
    AUTO_JOB struct job *job = make_job(7, "alice");
    insert(f, job);
    store_close(f->store);
    open_store(f);
    AUTO_JOB struct job *back = NULL;
    assert_ok(f->store->ops->get(f->store, job->id, &back, &f->err), &f->err);
    assert_same_job(job, back);
    struct stat info;
    assert_int_equal(stat(f->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void write_over(const char *path, off_t offset, const char *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, count, offset), count);
    close(fd);
}

static void test_damaged(void **state)
{
    struct fixture *f = *state;
    for (int64_t i = 1; i <= 200; i++) {
        AUTO_JOB struct job *job = make_job(i, "alice");
        insert(f, job);
    }
    store_close(f->store);
    f->store = NULL;
    char junk[4096 * 4];
    memset(junk, 0x5a, sizeof junk);
    write_over(f->path, 4096 * 4, junk, sizeof junk);
    assert_fails(store_sqlite_open(&f->store, f->path, &f->err), PF_CORRUPT, "damaged", &f->err);

    write_over(f->path, 0, junk, sizeof junk);
    assert_fails(
        store_sqlite_open(&f->store, f->path, &f->err), PF_CORRUPT, "not a database", &f->err);
    assert_null(f->store);
}

/* A database of the first schema is brought up to date, with the jobs in it. */
static void test_first_schema(void **state)
{
    struct fixture *f = *state;
    AUTO_JOB struct job *old = make_job(1, "alice");
    AUTO_JOB struct job *new = make_job(2, "alice");
    strcpy(new->trace, TRACE);
    insert(f, old);
    store_close(f->store);
    f->store = NULL;
    sqlite3 *db;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "ALTER TABLE jobs DROP COLUMN trace; PRAGMA user_version = 1",
                         NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    open_store(f);
    insert(f, new);
    for (int i = 0; i < 2; i++) { /* as brought up, and as opened again */
        AUTO_JOB struct job *found_old = NULL;
        AUTO_JOB struct job *found_new = NULL;
        assert_ok(f->store->ops->get(f->store, old->id, &found_old, &f->err), &f->err);
        assert_string_equal(found_old->instruction, old->instruction);
        assert_string_equal(found_old->trace, "");
        assert_ok(f->store->ops->get(f->store, new->id, &found_new, &f->err), &f->err);
        assert_string_equal(found_new->trace, TRACE);
        store_close(f->store);
        open_store(f);
    }
}

static void test_foreign(void **state)
{
    struct fixture *f = *state;
    store_close(f->store);
    f->store = NULL;
    write_over(f->path, 68, "XXXX", 4); /* the application id of SQLite's header */
    assert_fails(
        store_sqlite_open(&f->store, f->path, &f->err), PF_CORRUPT, "another program", &f->err);
    write_over(f->path, 68, "PFX1", 4);
    write_over(f->path, 60, "\0\0\0\x63", 4); /* the user version */
    assert_fails(
        store_sqlite_open(&f->store, f->path, &f->err), PF_UNSUPPORTED, "schema 99", &f->err);
    assert_fails(store_sqlite_open(&f->store, "/nonexistent/x.db", &f->err), PF_IO,
        "/nonexistent/x.db", &f->err);
}

#define ON_BOTH(test)                                                                              \
    {#test " (file)", test, set_up_file, tear_down, NULL},                                         \
    {                                                                                              \
#test " (memory)", test, set_up_memory, tear_down, NULL                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(test_keeps_every_member),
        ON_BOTH(test_conflicts),
        ON_BOTH(test_absent),
        ON_BOTH(test_lists),
        ON_BOTH(test_last_sequence),
        ON_BOTH(test_insert_many),
        ON_BOTH(test_many_threads),
        cmocka_unit_test_setup_teardown(test_reopens, set_up_file, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up_file, tear_down),
        cmocka_unit_test_setup_teardown(test_first_schema, set_up_file, tear_down),
        cmocka_unit_test_setup_teardown(test_foreign, set_up_file, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
