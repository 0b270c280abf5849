/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a process from a threaded one: between fork and exec only async-signal-safe calls are
 * allowed, so everything that needs memory is made before. The child keeps four descriptors:
 * nothing to read, our standard error twice, and the socket. */
#include "server/workers/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/protocol.h"

enum {
    EXEC_FAILED = 127, /* exit status, as shells have it */
    NUMBER_SIZE = 24,
    ARGS_MAX = 64,
    RECEIVE_SIZE = 64 << 10,
    RECEIVE_MAX = 1 << 20,
    OUT_KEEP_MAX = 1 << 20,
};

struct command {
    char *argv[ARGS_MAX];
    char max_batch[NUMBER_SIZE], max_runs[NUMBER_SIZE], socket_fd[NUMBER_SIZE];
};

static enum pf_status make_command(
    const struct worker *worker, struct command *ret_command, struct pf_error *err)
{
    const struct workers_options *options = worker->options;
    struct command *command = ret_command;
    snprintf(command->max_batch, NUMBER_SIZE, "%lld", (long long)options->max_batch);
    snprintf(command->max_runs, NUMBER_SIZE, "%lld", (long long)options->max_runs);
    snprintf(command->socket_fd, NUMBER_SIZE, "%d", PROTOCOL_SOCKET_FD);
    const char *fixed[] = {options->program, "--model", options->model, "--device", worker->device,
        "--dtype", options->dtype, "--max-batch", command->max_batch, "--max-runs",
        command->max_runs, "--socket-fd", command->socket_fd};
    size_t count = 0;
    for (; count < COUNT_OF(fixed); count++)
        command->argv[count] = (char *)(uintptr_t)fixed[count];
    for (const char *const *arg = options->extra_args; arg && *arg; arg++) {
        if (count == ARGS_MAX - 1)
            return pf_fail(err, PF_INVALID, "more than %d arguments for a worker", ARGS_MAX - 1);
        command->argv[count++] = (char *)(uintptr_t)*arg;
    }
    command->argv[count] = NULL;
    return PF_OK;
}

static void close_from(int first)
{
    if (syscall(SYS_close_range, (unsigned)first, UINT_MAX, 0) == 0)
        return;
    for (int fd = first; fd < 65536; fd++) /* a kernel before 5.9 */
        close(fd);
}

/* The child, up to exec. `null_fd` and `socket_fd` are close-on-exec; dup2() makes copies that
 * aren't. */
static void become_worker(const struct command *command, int null_fd, int socket_fd, pid_t parent)
{
    /* Three is free first: the socket must not be overwritten by what is put below it. */
    int high_fd = fcntl(socket_fd, F_DUPFD, PROTOCOL_SOCKET_FD + 1);
    if (high_fd < 0 || dup2(null_fd, 0) < 0 || dup2(2, 1) < 0 ||
        dup2(high_fd, PROTOCOL_SOCKET_FD) < 0)
        _exit(EXEC_FAILED);
    close_from(PROTOCOL_SOCKET_FD + 1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXEC_FAILED); /* it died before the signal was asked for */
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        sigaction(s, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(command->argv[0], command->argv);
    _exit(EXEC_FAILED);
}

static enum pf_status fork_worker(
    const struct command *command, int null_fd, int socket_fd, pid_t *ret_pid, struct pf_error *err)
{
    /* No handler of ours may run in the child. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_worker(command, null_fd, socket_fd, parent);
    int fork_errno = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (pid < 0)
        return pf_fail_errno(err, fork_errno, "can't start a worker process");
    *ret_pid = pid;
    return PF_OK;
}

enum pf_status worker_spawn(struct worker *worker, struct pf_error *err)
{
    struct command command;
    PF_TRY(make_command(worker, &command, err));
    AUTO_FD int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null_fd < 0)
        return pf_fail_errno(err, errno, "can't open /dev/null");
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
        return pf_fail_errno(err, errno, "can't make a socket for a worker");
    AUTO_FD int ours = fds[0];
    AUTO_FD int theirs = fds[1];
    if (fcntl(ours, F_SETFL, O_NONBLOCK) != 0)
        return pf_fail_errno(err, errno, "can't make a worker's socket non-blocking");
    PF_TRY(fork_worker(&command, null_fd, theirs, &worker->pid, err));
    worker->fd = ours;
    ours = -1;
    frame_reader_init(&worker->reader);
    worker->spawned_ms = worker->heard_ms = clock_monotonic_ms();
    worker->stopped_ms = 0;
    worker->is_recycling = worker->is_alone = 0;
    worker->state = WORKER_STARTING;
    return PF_OK;
}

void worker_stop(struct worker *worker)
{
    if (worker->fd >= 0) {
        close(worker->fd);
        worker->fd = -1;
        frame_reader_finish(&worker->reader);
        buffer_finish(&worker->out);
        worker->sent = 0;
    }
    if (worker->stopped_ms == 0)
        worker->stopped_ms = clock_monotonic_ms();
}

void worker_kill(struct worker *worker)
{
    worker_stop(worker);
    if (worker->pid > 0)
        kill(worker->pid, SIGKILL);
}

int worker_reap(struct worker *worker, char *ret_how, size_t how_size)
{
    if (worker->pid == 0)
        return 1;
    int status = 0;
    pid_t pid = waitpid(worker->pid, &status, WNOHANG);
    if (pid == 0 || (pid < 0 && errno == EINTR))
        return 0;
    if (pid < 0)
        snprintf(ret_how, how_size, "its exit status is lost");
    else if (WIFSIGNALED(status))
        snprintf(ret_how, how_size, "killed by signal %d (%s)", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) == EXEC_FAILED)
        snprintf(ret_how, how_size, "can't be run: '%s'", worker->options->program);
    else
        snprintf(ret_how, how_size, "exited with status %d", WEXITSTATUS(status));
    worker->pid = 0;
    return 1;
}

/* ---- the socket ---- */

int worker_has_output(const struct worker *worker)
{
    return worker->sent < worker->out.size;
}

enum pf_status worker_send(struct worker *worker, const struct buffer *header, const void *body,
    size_t body_size, struct pf_error *err)
{
    PF_TRY(buffer_status(header, err));
    return frame_put(&worker->out, header->data, header->size, body, body_size, err);
}

enum pf_status worker_flush(struct worker *worker, struct pf_error *err)
{
    while (worker_has_output(worker)) {
        ssize_t count = send(worker->fd, worker->out.data + worker->sent,
            worker->out.size - worker->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return PF_OK;
        if (count < 0)
            return pf_fail_errno(err, errno, "can't write to the worker");
        worker->sent += (size_t)count;
    }
    if (worker->out.capacity > OUT_KEEP_MAX)
        buffer_finish(&worker->out);
    else
        buffer_clear(&worker->out);
    worker->sent = 0;
    return PF_OK;
}

enum pf_status worker_receive(struct worker *worker, int *ret_eof, struct pf_error *err)
{
    char bytes[RECEIVE_SIZE];
    *ret_eof = 0;
    for (size_t total = 0; total < RECEIVE_MAX;) {
        ssize_t count = recv(worker->fd, bytes, sizeof bytes, 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return PF_OK;
        if (count < 0 && errno == ECONNRESET)
            count = 0;
        if (count < 0)
            return pf_fail_errno(err, errno, "can't read from the worker");
        if (count == 0) {
            *ret_eof = 1;
            return PF_OK;
        }
        worker->heard_ms = clock_monotonic_ms();
        PF_TRY(frame_reader_feed(&worker->reader, bytes, (size_t)count, err));
        total += (size_t)count;
    }
    return PF_OK;
}

/* ---- slots ---- */

struct worker_slot *worker_find_slot(struct worker *worker, const char *job, int64_t attempt)
{
    for (size_t i = 0; i < worker->slot_count; i++)
        if (worker->slots[i].attempt == attempt && strcmp(worker->slots[i].job, job) == 0)
            return &worker->slots[i];
    return NULL;
}

void worker_free_slot(struct worker *worker, struct worker_slot *slot)
{
    *slot = worker->slots[--worker->slot_count];
    if (worker->slot_count == 0)
        worker->is_alone = 0;
}
