/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd runs one thread that parses, calls back and sends. Beside it: the executor's
 * threads for handlers, and the keeper, which a few times a second looks after deadlines,
 * disconnects and pings of sleeping connections.
 *
 * Stopping, in order: no new connections; sleepers wake, streams and deferrals end; the executor
 * runs dry; then the daemon stops, with no connection suspended (it aborts otherwise).
 *
 * Locking: the server's own state is atomic or constant; see suspend.c, peers.c, executor.c. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/http/listen.h"
#include "server/http/log.h"
#include "server/http/request_impl.h"

enum { STOP_WAIT_MS = 5000 }; /* for answers under way, when stopping */

struct keeper {
    pthread_mutex_t mutex; /* guards `ending` */
    pthread_cond_t changed;
    int ending;
    pthread_t thread;
};

void http_server_options_init(struct http_server_options *options)
{
    *options = (struct http_server_options){
        .host = "127.0.0.1",
        .port = 8080,
        .tuning = {.max_body_bytes = 32u << 20,
            .max_buffered_bytes = (size_t)512 << 20,
            .max_parts = 32,
            .max_field_bytes = 16384,
            .request_deadline_ms = 120000,
            .ping_ms = 15000},
        .max_connections = 1000,
        .executor_threads = 8,
    };
}

/* ---- libmicrohttpd's callbacks, all on its thread ---- */

static struct peer *connection_peer(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
    enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        peers_close(server->peers, *socket_context);
        return;
    }
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *socket_context =
        peers_open(server->peers, fd ? fd->connect_fd : -1, address ? address->client_addr : NULL);
}

static void *on_request_line(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_server *server = context;
    struct peer *peer = connection_peer(connection);
    struct http_request *request = peer ? request_create(server, connection, peer, target) : NULL;
    if (request) {
        atomic_fetch_add(&server->requests, 1);
        peers_set_receiving(server->peers, peer);
    }
    return request;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_size,
    void **request_context)
{
    (void)context;
    (void)connection;
    (void)url;
    struct http_request *request = *request_context;
    if (!request)
        return MHD_NO;
    if (request->stage == REQUEST_NEW) {
        int answer_now = request_begin(request, method, version);
        if (answer_now)
            return request_queue_answer(request);
        request->stage = request->status != 0 ? REQUEST_DISCARDING : REQUEST_RECEIVING;
        return MHD_YES;
    }
    if (request->stage != REQUEST_RECEIVING && request->stage != REQUEST_DISCARDING)
        return request_continue(request);
    if (*upload_size > 0) {
        request_take_body(request, upload, *upload_size);
        *upload_size = 0;
        size_t worth_reading =
            atomic_load(&request->server->tuned.max_body_bytes) * HTTP_DRAIN_FACTOR;
        return request->received > worth_reading ? MHD_NO : MHD_YES;
    }
    peers_set_answering(request->server->peers, request->peer);
    request_end_body(request);
    return request->status != 0 ? request_queue_answer(request) : request_dispatch(request);
}

static void log_request(const struct http_request *request, const struct http_summary *summary,
    enum MHD_RequestTerminationCode code)
{
    char trace_id[TRACE_ID_SIZE];
    trace_get_id(request->trace, trace_id);
    int is_quiet = summary->route && (summary->route->attributes & ROUTE_QUIET);
    log_line(is_quiet ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "request",
        LOG_TEXT("request_id", request->id), LOG_TEXT("method", request->method),
        LOG_TEXT("path", request->target), LOG_NUMBER("status", summary->status),
        LOG_NUMBER("duration_us", summary->duration_us),
        LOG_NUMBER("received", summary->body_bytes),
        LOG_TEXT("client", peer_get_address(request->peer)), LOG_TEXT("owner", request->owner),
        LOG_TEXT("trace_id", trace_id),
        LOG_TEXT(request->log_key ? request->log_key : "", request->log_value),
        LOG_TEXT("end", code == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : "aborted"));
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
    enum MHD_RequestTerminationCode code)
{
    (void)connection;
    struct http_server *server = context;
    struct http_request *request = *request_context;
    if (!request)
        return;
    *request_context = NULL;
    struct http_summary summary = {.route = request->match.route,
        .status = request->status,
        .duration_us = clock_monotonic_us() - request->started_us,
        .body_bytes = (int64_t)request->received};
    log_request(request, &summary, code);
    if (server->options.finished)
        server->options.finished(&summary, server->options.context);
    peers_set_idle(server->peers, request->peer);
    request_destroy(request);
    atomic_fetch_sub(&server->requests, 1);
}

static void on_message(void *context, const char *fmt, va_list args) PF_PRINTF(2, 0);
static void on_message(void *context, const char *fmt, va_list args)
{
    (void)context;
    char text[512];
    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = 0;
    log_write(LOG_LEVEL_DEBUG, text, NULL, 0);
}

/* ---- the keeper ---- */

static void *run_keeper(void *context)
{
    struct http_server *server = context;
    struct keeper *keeper = server->keeper;
    pthread_mutex_lock(&keeper->mutex);
    while (!keeper->ending) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += HTTP_TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&keeper->changed, &keeper->mutex, &until);
        pthread_mutex_unlock(&keeper->mutex);
        int64_t now_ms = clock_monotonic_ms();
        peers_tick(server->peers, now_ms);
        suspender_tick(server->suspender, now_ms);
        pthread_mutex_lock(&keeper->mutex);
    }
    pthread_mutex_unlock(&keeper->mutex);
    return NULL;
}

static enum pf_status keeper_start(struct http_server *server, struct pf_error *err)
{
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper)
        return pf_fail(err, PF_NOMEM, "keeper: out of memory");
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&keeper->mutex, NULL);
    server->keeper = keeper;
    int code = pthread_create(&keeper->thread, NULL, run_keeper, server);
    if (code != 0) {
        free(keeper);
        server->keeper = NULL;
        return pf_fail_errno(err, code, "keeper: can't start a thread");
    }
    return PF_OK;
}

static void keeper_stop(struct keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->mutex);
    keeper->ending = 1;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->mutex);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->mutex);
    free(keeper);
}

/* ---- start and stop ---- */

static const char tls_priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

/* MHD's options lack a const they keep to. */
static void *without_const(const char *text)
{
    union {
        const char *in;
        void *out;
    } both = {.in = text};
    return both.out;
}

static enum pf_status start_daemon(struct http_server *server, struct pf_error *err)
{
    const struct http_server_options *options = &server->options;
    unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[4] = {{MHD_OPTION_END, 0, NULL}};
    if (server->address[0] == '[')
        flags |= MHD_USE_IPv6;
    if (options->tls_certificate) {
        if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
            return pf_fail(err, PF_UNSUPPORTED, "http: this libmicrohttpd has no TLS");
        flags |= MHD_USE_TLS;
        tls[0] = (struct MHD_OptionItem){
            MHD_OPTION_HTTPS_MEM_CERT, 0, without_const(options->tls_certificate)};
        tls[1] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, without_const(options->tls_key)};
        tls[2] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, without_const(tls_priorities)};
        tls[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    /* clang-format off */
    server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_access, server,
        MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)server->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(options->max_connections + HTTP_CONNECTIONS_SPARE),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_STALL_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
        MHD_OPTION_ARRAY, tls,
        MHD_OPTION_END);
    /* clang-format on */
    if (!server->daemon && options->tls_certificate)
        return pf_fail(err, PF_INVALID, "http: certificate and key are not a pair in PEM");
    if (!server->daemon)
        return pf_fail_errno(err, errno, "http: can't start the daemon");
    return PF_OK;
}

static enum pf_status start_parts(struct http_server *server, struct pf_error *err)
{
    const struct http_server_options *options = &server->options;
    PF_TRY(listen_open(options->host, options->port, &server->listen_fd, server->address,
        sizeof server->address, err));
    PF_TRY(suspender_create(&server->suspender, err));
    PF_TRY(peers_create(&server->peers,
        &(struct peers_options){.max_connections = options->max_connections,
            .max_per_address = options->tuning.max_connections_per_address,
            .request_deadline_ms = options->tuning.request_deadline_ms,
            .idle_ms = HTTP_IDLE_MS,
            .can_send_text = !options->tls_certificate},
        err));
    PF_TRY(executor_create(
        &server->executor, options->executor_threads, HTTP_EXECUTOR_WAITING_MAX, err));
    PF_TRY(keeper_start(server, err));
    return start_daemon(server, err);
}

static void release_parts(struct http_server *server)
{
    keeper_stop(server->keeper);
    executor_destroy(server->executor);
    peers_destroy(server->peers);
    suspender_destroy(server->suspender);
    tuned_finish(&server->tuned);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    free(server);
}

enum pf_status http_server_start(struct http_server **ret_server,
    const struct http_server_options *options, struct pf_error *err)
{
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return pf_fail(err, PF_NOMEM, "http: out of memory");
    server->options = *options;
    server->listen_fd = -1;
    tuned_init(&server->tuned);
    /* Threads started here leave signals to the main thread. */
    sigset_t all, kept;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    enum pf_status status = http_server_tune(server, &options->tuning, err);
    if (status == PF_OK)
        status = start_parts(server, err);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    if (status != PF_OK) {
        release_parts(server);
        return status;
    }
    *ret_server = server;
    return PF_OK;
}

const char *http_server_address(const struct http_server *server)
{
    return server->address;
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    MHD_quiesce_daemon(server->daemon);
    atomic_store(&server->stopping, 1);
    suspender_stop(server->suspender);
    int64_t deadline_ms = clock_monotonic_ms() + STOP_WAIT_MS;
    while (atomic_load(&server->requests) > 0 && clock_monotonic_ms() < deadline_ms)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    executor_stop(server->executor);
    MHD_stop_daemon(server->daemon);
    release_parts(server);
}

void http_server_get_stats(struct http_server *server, struct http_server_stats *ret_stats)
{
    *ret_stats = (struct http_server_stats){.connections = peers_count(server->peers),
        .asleep = suspender_count(server->suspender),
        .streams = atomic_load(&server->streams),
        .buffered_bytes = atomic_load(&server->buffered_bytes)};
}
