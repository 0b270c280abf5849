/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* posix_spawn_file_actions_addclosefrom_np() */
#include "server/vlm/thumbnail.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

extern char **environ;

enum { NUMBER_SIZE = 24, READ_SIZE = 16 << 10 };

/* Signals as a fresh process has them, whatever the server blocks or ignores. */
static int set_signals(posix_spawnattr_t *attributes)
{
    sigset_t none, standard;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF) ||
           posix_spawnattr_setsigmask(attributes, &none) ||
           posix_spawnattr_setsigdefault(attributes, &standard);
}

/* Our environment but for our own variables: they may hold secrets, and it needs none. The array is
 * the caller's, its texts are not. */
static char **make_environment(void)
{
    static const char own[] = "PROMPTFIX_";
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **copy = calloc(count + 1, sizeof(char *));
    for (size_t i = 0; copy && i < count; i++)
        if (strncmp(environ[i], own, sizeof own - 1) != 0)
            copy[kept++] = environ[i];
    return copy;
}

static int spawn(const struct thumbnail_options *options, int image_fd, int out_fd, pid_t *ret_pid)
{
    char side[NUMBER_SIZE], max_pixels[NUMBER_SIZE];
    snprintf(side, sizeof side, "%lld", (long long)options->side);
    snprintf(max_pixels, sizeof max_pixels, "%lld", (long long)options->max_pixels);
    char *const argv[] = {(char *)(uintptr_t)options->program, side, max_pixels, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    AUTO_FREE char **environment = make_environment();
    if (!environment || posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    /* Nothing else of ours is open in it: not the sockets, not the database. */
    int code = posix_spawn_file_actions_adddup2(&actions, image_fd, STDIN_FILENO) ||
                       posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO) ||
                       posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1) ||
                       set_signals(&attributes)
                   ? ENOMEM
                   : 0;
    if (code == 0)
        code = posix_spawn(ret_pid, options->program, &actions, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return code;
}

enum pf_status thumbnail_start(struct thumbnail *thumbnail, const struct thumbnail_options *options,
    int image_fd, struct pf_error *err)
{
    int ends[2];
    if (pipe(ends) != 0)
        return pf_fail_errno(err, errno, "can't make a pipe for %s", options->program);
    AUTO_FD int ours = ends[0];
    AUTO_FD int theirs = ends[1];
    if (fcntl(ours, F_SETFD, FD_CLOEXEC) != 0 || fcntl(theirs, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(ours, F_SETFL, O_NONBLOCK) != 0)
        return pf_fail_errno(err, errno, "can't set up a pipe for %s", options->program);
    pid_t pid = 0;
    int code = spawn(options, image_fd, theirs, &pid);
    if (code != 0)
        return pf_fail_errno(err, code, "can't start %s", options->program);
    *thumbnail = (struct thumbnail){.pid = pid,
        .fd = ours,
        .until_ms = clock_monotonic_ms() + THUMBNAIL_TIMEOUT_MS,
        .out = BUFFER_INIT_MAX(THUMBNAIL_BYTES_MAX)};
    ours = -1;
    return PF_OK;
}

/* Its standard output is closed: it ends now. */
static enum pf_status read_end(struct thumbnail *thumbnail, struct pf_error *err)
{
    int status = 0;
    pid_t pid;
    do
        pid = waitpid(thumbnail->pid, &status, 0);
    while (pid < 0 && errno == EINTR);
    thumbnail->pid = 0;
    if (pid < 0)
        return pf_fail(err, PF_IO, "the exit status of the thumbnail program is lost");
    if (WIFSIGNALED(status))
        return pf_fail(
            err, PF_IO, "the thumbnail program was killed by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return pf_fail(err, PF_CORRUPT, "%.300s",
            thumbnail->out.size > 0 ? thumbnail->out.data : "the thumbnail program failed");
    if (thumbnail->out.size == 0)
        return pf_fail(err, PF_IO, "the thumbnail program wrote nothing");
    return PF_OK;
}

static enum pf_status pump(struct thumbnail *thumbnail, int *ret_is_done, struct pf_error *err)
{
    char bytes[READ_SIZE];
    ssize_t count;
    while ((count = read(thumbnail->fd, bytes, sizeof bytes)) > 0 || (count < 0 && errno == EINTR))
        if (count > 0) {
            buffer_put(&thumbnail->out, bytes, (size_t)count);
            PF_TRY(buffer_status(&thumbnail->out, err));
        }
    if (count < 0 && errno != EAGAIN)
        return pf_fail_errno(err, errno, "can't read from the thumbnail program");
    if (count == 0) {
        *ret_is_done = 1;
        return read_end(thumbnail, err);
    }
    if (clock_monotonic_ms() >= thumbnail->until_ms)
        return pf_fail(
            err, PF_IO, "the thumbnail program took longer than %d ms", THUMBNAIL_TIMEOUT_MS);
    return PF_OK;
}

enum pf_status thumbnail_pump(struct thumbnail *thumbnail, int *ret_is_done, struct pf_error *err)
{
    *ret_is_done = 0;
    enum pf_status status = pump(thumbnail, ret_is_done, err);
    if (status != PF_OK) {
        thumbnail_stop(thumbnail);
    } else if (*ret_is_done) {
        close(thumbnail->fd);
        thumbnail->fd = -1;
    }
    return status;
}

void thumbnail_stop(struct thumbnail *thumbnail)
{
    if (thumbnail->fd >= 0)
        close(thumbnail->fd);
    if (thumbnail->pid > 0) {
        kill(thumbnail->pid, SIGKILL);
        while (waitpid(thumbnail->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
    buffer_finish(&thumbnail->out);
    *thumbnail = (struct thumbnail)THUMBNAIL_INIT;
}
