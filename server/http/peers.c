/* SPDX-License-Identifier: Apache-2.0 */
/* Locking: peers.mutex guards the list, the limits and every peer's phase and deadline; verdict and
 * address are set once. A peer in the list has an open socket: peers_close() comes before close().
 */
#include "server/http/peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum phase { PHASE_RECEIVING, PHASE_ANSWERING, PHASE_IDLE, PHASE_CUT };

struct peer {
    int fd;
    enum peer_verdict verdict;
    enum phase phase;
    int64_t deadline_ms;
    unsigned char key[16]; /* what counts as one address */
    char address[INET6_ADDRSTRLEN];
    struct peer *next, *previous;
};

struct peers {
    pthread_mutex_t mutex;
    struct peers_options options;
    struct peer *head;
    size_t admitted; /* those over no limit */
};

enum { REFUSED_DEADLINE_MS = 5000 }; /* for one over a limit to hear so */

enum pf_status peers_create(
    struct peers **ret_peers, const struct peers_options *options, struct pf_error *err)
{
    struct peers *peers = calloc(1, sizeof *peers);
    if (!peers)
        return pf_fail(err, PF_NOMEM, "connections: out of memory");
    peers->options = *options;
    pthread_mutex_init(&peers->mutex, NULL);
    *ret_peers = peers;
    return PF_OK;
}

void peers_destroy(struct peers *peers)
{
    if (!peers)
        return;
    pthread_mutex_destroy(&peers->mutex);
    free(peers);
}

static void set_address(struct peer *peer, const struct sockaddr *address)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        memcpy(peer->key, mapped, 12);
        memcpy(peer->key + 12, &in->sin_addr, 4);
        inet_ntop(AF_INET, &in->sin_addr, peer->address, sizeof peer->address);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        int is_mapped = memcmp(&in6->sin6_addr, mapped, 12) == 0;
        memcpy(peer->key, &in6->sin6_addr, is_mapped ? 16 : 8);
        if (is_mapped)
            inet_ntop(AF_INET, peer->key + 12, peer->address, sizeof peer->address);
        else
            inet_ntop(AF_INET6, &in6->sin6_addr, peer->address, sizeof peer->address);
    }
}

/* Under the mutex, before the peer is in the list. */
static enum peer_verdict judge(const struct peers *peers, const struct peer *peer)
{
    if (peers->admitted >= peers->options.max_connections)
        return PEER_TOO_MANY;
    if (peers->options.max_per_address == 0)
        return PEER_FINE;
    size_t same = 0;
    for (const struct peer *at = peers->head; at; at = at->next)
        same += at->verdict == PEER_FINE && memcmp(at->key, peer->key, sizeof peer->key) == 0;
    return same >= peers->options.max_per_address ? PEER_TOO_MANY_OF_ADDRESS : PEER_FINE;
}

struct peer *peers_open(struct peers *peers, int fd, const struct sockaddr *address)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return NULL;
    peer->fd = fd;
    if (address)
        set_address(peer, address);
    pthread_mutex_lock(&peers->mutex);
    int64_t within_ms = peers->options.request_deadline_ms;
    peer->verdict = judge(peers, peer);
    if (peer->verdict != PEER_FINE && within_ms > REFUSED_DEADLINE_MS)
        within_ms = REFUSED_DEADLINE_MS;
    peer->phase = PHASE_RECEIVING;
    peer->deadline_ms = clock_monotonic_ms() + within_ms;
    peer->next = peers->head;
    if (peers->head)
        peers->head->previous = peer;
    peers->head = peer;
    peers->admitted += peer->verdict == PEER_FINE;
    pthread_mutex_unlock(&peers->mutex);
    return peer;
}

void peers_close(struct peers *peers, struct peer *peer)
{
    if (!peer)
        return;
    pthread_mutex_lock(&peers->mutex);
    if (peer->previous)
        peer->previous->next = peer->next;
    else
        peers->head = peer->next;
    if (peer->next)
        peer->next->previous = peer->previous;
    peers->admitted -= peer->verdict == PEER_FINE;
    pthread_mutex_unlock(&peers->mutex);
    free(peer);
}

enum peer_verdict peer_get_verdict(const struct peer *peer)
{
    return peer->verdict;
}

const char *peer_get_address(const struct peer *peer)
{
    return peer->address;
}

void peers_set_limits(struct peers *peers, size_t max_per_address, int64_t request_deadline_ms)
{
    pthread_mutex_lock(&peers->mutex);
    peers->options.max_per_address = max_per_address;
    peers->options.request_deadline_ms = request_deadline_ms;
    pthread_mutex_unlock(&peers->mutex);
}

static void set_phase(struct peers *peers, struct peer *peer, enum phase phase)
{
    int64_t now_ms = clock_monotonic_ms();
    pthread_mutex_lock(&peers->mutex);
    /* The time of a connection's first request runs from accept(). */
    int keeps_deadline = phase == PHASE_RECEIVING && peer->phase == PHASE_RECEIVING;
    if (peer->phase != PHASE_CUT && !keeps_deadline) {
        peer->phase = phase;
        peer->deadline_ms = phase == PHASE_RECEIVING ? now_ms + peers->options.request_deadline_ms
                            : phase == PHASE_IDLE    ? now_ms + peers->options.idle_ms
                                                     : INT64_MAX;
    }
    pthread_mutex_unlock(&peers->mutex);
}

void peers_set_receiving(struct peers *peers, struct peer *peer)
{
    set_phase(peers, peer, PHASE_RECEIVING);
}

void peers_set_answering(struct peers *peers, struct peer *peer)
{
    set_phase(peers, peer, PHASE_ANSWERING);
}

void peers_set_idle(struct peers *peers, struct peer *peer)
{
    set_phase(peers, peer, PHASE_IDLE);
}

static void cut_off(const struct peers *peers, struct peer *peer)
{
    static const char late[] = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n";
    if (peer->phase == PHASE_RECEIVING && peers->options.can_send_text)
        (void)!send(peer->fd, late, sizeof late - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(peer->fd, SHUT_RDWR);
    peer->phase = PHASE_CUT;
    peer->deadline_ms = INT64_MAX;
}

void peers_tick(struct peers *peers, int64_t now_ms)
{
    pthread_mutex_lock(&peers->mutex);
    for (struct peer *at = peers->head; at; at = at->next)
        if (at->deadline_ms <= now_ms)
            cut_off(peers, at);
    pthread_mutex_unlock(&peers->mutex);
}

size_t peers_count(struct peers *peers)
{
    pthread_mutex_lock(&peers->mutex);
    size_t count = peers->admitted;
    pthread_mutex_unlock(&peers->mutex);
    return count;
}
