/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* SOCK_CLOEXEC */
#include "server/http/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

enum { BACKLOG = 1024 };

static int open_one(const struct addrinfo *address)
{
    AUTO_FD int fd = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
        address->ai_protocol);
    int on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        return -1;
    int opened = fd;
    fd = -1;
    return opened;
}

static enum pf_status describe(int fd, char *ret_text, size_t capacity, struct pf_error *err)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof bound;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(fd, (struct sockaddr *)&bound, &size) != 0)
        return pf_fail_errno(err, errno, "listen: getsockname");
    int code = getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, port, sizeof port,
        NI_NUMERICHOST | NI_NUMERICSERV);
    if (code != 0)
        return pf_fail(err, PF_IO, "listen: %s", gai_strerror(code));
    snprintf(ret_text, capacity, bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    return PF_OK;
}

enum pf_status listen_open(const char *host, unsigned port, int *ret_fd, char *ret_text,
    size_t capacity, struct pf_error *err)
{
    char service[16];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo *addresses = NULL;
    int code = getaddrinfo(host, service,
        &(struct addrinfo){.ai_family = AF_UNSPEC,
            .ai_socktype = SOCK_STREAM,
            .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
        &addresses);
    if (code != 0)
        return pf_fail(err, PF_INVALID, "listen: host '%.200s': %s", host, gai_strerror(code));

    int fd = -1, last_errno = 0;
    for (const struct addrinfo *at = addresses; at && fd < 0; at = at->ai_next) {
        fd = open_one(at);
        if (fd < 0)
            last_errno = errno;
    }
    freeaddrinfo(addresses);
    if (fd < 0)
        return pf_fail_errno(err, last_errno, "listen: %.200s port %u", host, port);
    enum pf_status status = describe(fd, ret_text, capacity, err);
    if (status != PF_OK) {
        close(fd);
        return status;
    }
    *ret_fd = fd;
    return PF_OK;
}
