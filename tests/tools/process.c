/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

void process_start(struct process *process, char *const *argv)
{
    int out[2], err[2];
    posix_spawn_file_actions_t actions;
    *process = (struct process){-1, -1, -1, BUFFER_INIT, BUFFER_INIT};
    if (pipe(out) != 0 || pipe(err) != 0)
        return;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    for (int i = 0; i < 2; i++) {
        posix_spawn_file_actions_addclose(&actions, out[i]);
        posix_spawn_file_actions_addclose(&actions, err[i]);
    }
    if (posix_spawn(&process->pid, argv[0], &actions, NULL, argv, environ) != 0)
        process->pid = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    process->out_fd = out[0];
    process->err_fd = err[0];
}

static void read_some(int *fd, struct buffer *to)
{
    char bytes[4096];
    ssize_t count = read(*fd, bytes, sizeof bytes);
    if (count > 0) {
        buffer_put(to, bytes, (size_t)count);
        return;
    }
    close(*fd);
    *fd = -1;
}

/* Waits for output and takes it. 0 when there is none to come or the deadline passed. */
static int pump(struct process *process, int64_t deadline_ms)
{
    struct pollfd fds[] = {{process->out_fd, POLLIN, 0}, {process->err_fd, POLLIN, 0}};
    int64_t left_ms = deadline_ms - clock_monotonic_ms();
    if (left_ms <= 0 || (process->out_fd < 0 && process->err_fd < 0))
        return 0;
    if (poll(fds, 2, (int)left_ms) <= 0)
        return 0;
    if (fds[0].revents)
        read_some(&process->out_fd, &process->out);
    if (fds[1].revents)
        read_some(&process->err_fd, &process->err);
    return 1;
}

int process_wait_for(struct process *process, const char *text)
{
    int64_t deadline_ms = clock_monotonic_ms() + PROCESS_DEADLINE_S * 1000;
    do {
        if (process->err.data && strstr(process->err.data, text))
            return 1;
    } while (pump(process, deadline_ms));
    return 0;
}

int process_wait(struct process *process)
{
    int64_t deadline_ms = clock_monotonic_ms() + PROCESS_DEADLINE_S * 1000;
    int status = 0;
    if (process->pid < 0)
        return -1;
    while (pump(process, deadline_ms))
        ;
    int is_late = process->out_fd >= 0 || process->err_fd >= 0;
    if (is_late)
        kill(process->pid, SIGKILL);
    waitpid(process->pid, &status, 0);
    process->pid = -1;
    if (is_late)
        return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void process_finish(struct process *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    if (process->out_fd >= 0)
        close(process->out_fd);
    if (process->err_fd >= 0)
        close(process->err_fd);
    buffer_finish(&process->out);
    buffer_finish(&process->err);
}
