/* SPDX-License-Identifier: Apache-2.0 */
#include "tools/curate/workers.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "pipeline/image/image.h"

/* One pipe a worker. A piece goes through as its status (4 bytes), its size (8 bytes), and its
 * bytes, or the message when it failed. */

enum { PIECE_MAX = 256 << 20 };

struct head {
    uint64_t size;
    int64_t status;
};

static enum pf_status send_piece(
    int fd, enum pf_status status, const void *bytes, size_t count, struct pf_error *err)
{
    struct head head = {count, status};
    PF_TRY(file_write_full(fd, &head, sizeof head, err));
    return count ? file_write_full(fd, bytes, count, err) : PF_OK;
}

static void run_worker(const struct workers *workers, size_t first, int fd)
{
    struct pf_error err = PF_ERROR_INIT;
    enum pf_status status = image_library_init("promptfix-curate", 1, &err);
    for (size_t i = first; i < workers->count; i += (size_t)workers->jobs) {
        AUTO_BUFFER struct buffer out = BUFFER_INIT_MAX(PIECE_MAX);
        if (status == PF_OK)
            status = workers->make(workers->context, i, &out, &err);
        if (status == PF_OK)
            status = buffer_status(&out, &err);
        if (status != PF_OK) {
            if (send_piece(fd, status, err.message, strlen(err.message), &err) != PF_OK)
                _exit(2);
            _exit(1);
        }
        if (send_piece(fd, PF_OK, out.data, out.size, NULL) != PF_OK)
            _exit(2);
    }
    _exit(0);
}

static enum pf_status take_piece(
    const struct workers *workers, size_t index, int fd, struct pf_error *err)
{
    struct head head;
    int eof = 0;
    PF_TRY(file_read_full(fd, &head, sizeof head, &eof, err));
    if (eof)
        return pf_fail(err, PF_IO, "a worker died at piece %zu", index);
    if (head.size > PIECE_MAX)
        return pf_fail(
            err, PF_INTERNAL, "piece %zu has %llu bytes", index, (unsigned long long)head.size);
    AUTO_FREE char *bytes = calloc(1, (size_t)head.size + 1);
    if (!bytes)
        return pf_fail(err, PF_NOMEM, "no memory for piece %zu", index);
    if (head.size)
        PF_TRY(file_read_full(fd, bytes, (size_t)head.size, &eof, err));
    if (head.status != PF_OK)
        return pf_fail(err, (enum pf_status)head.status, "%s", bytes);
    return workers->take ? workers->take(workers->context, index, bytes, (size_t)head.size, err)
                         : PF_OK;
}

static enum pf_status start_workers(
    const struct workers *workers, int *fds, pid_t *pids, struct pf_error *err)
{
    for (int w = 0; w < workers->jobs; w++) {
        int ends[2];
        if (pipe(ends) != 0)
            return pf_fail_errno(err, errno, "no pipe for worker %d", w);
        pids[w] = fork();
        if (pids[w] == 0) {
            for (int other = 0; other < w; other++)
                close(fds[other]);
            close(ends[0]);
            run_worker(workers, (size_t)w, ends[1]);
        }
        int errno_value = errno;
        close(ends[1]);
        fds[w] = ends[0];
        if (pids[w] < 0)
            return pf_fail_errno(err, errno_value, "no process for worker %d", w);
    }
    return PF_OK;
}

enum pf_status workers_run(const struct workers *workers, struct pf_error *err)
{
    int fds[WORKERS_MAX];
    pid_t pids[WORKERS_MAX];
    if (workers->jobs < 1 || workers->jobs > WORKERS_MAX)
        return pf_fail(err, PF_INVALID, "%d jobs, must be 1 to %d", workers->jobs, WORKERS_MAX);
    for (int w = 0; w < WORKERS_MAX; w++)
        fds[w] = -1, pids[w] = -1;
    signal(SIGPIPE, SIG_IGN);
    enum pf_status status = start_workers(workers, fds, pids, err);
    for (size_t i = 0; status == PF_OK && i < workers->count; i++)
        status = take_piece(workers, i, fds[i % (size_t)workers->jobs], err);
    for (int w = 0; w < workers->jobs; w++)
        if (fds[w] >= 0)
            close(fds[w]); /* ends a worker that still writes */
    for (int w = 0; w < workers->jobs; w++)
        if (pids[w] > 0)
            waitpid(pids[w], NULL, 0);
    return status;
}
