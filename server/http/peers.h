/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_PEERS_H
#define SERVER_HTTP_PEERS_H

/* The open connections: how many, how many of one address, and how long each may take to send a
 * request. libmicrohttpd's own limits close without a word, and its timeout starts anew with every
 * byte; here a connection over a limit is still answered, and a deadline is for the whole request.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

struct peers;
struct peer; /* one open connection */

struct peers_options {
    size_t max_connections;
    size_t max_per_address; /* 0: no limit of its own; IPv6 counts by /64 */
    int64_t request_deadline_ms;
    int64_t idle_ms;   /* between two requests of a connection */
    int can_send_text; /* plain TCP: a late request is answered with 408 before it is cut off */
};

PF_MUST_CHECK enum pf_status peers_create(
    struct peers **ret_peers, const struct peers_options *options, struct pf_error *err);
void peers_destroy(struct peers *peers); /* all closed; takes NULL */

/* A connection was accepted; NULL when out of memory. It begins as receiving. */
struct peer *peers_open(struct peers *peers, int fd, const struct sockaddr *address);
/* Before its socket is closed. Takes NULL. */
void peers_close(struct peers *peers, struct peer *peer);

enum peer_verdict { PEER_FINE, PEER_TOO_MANY, PEER_TOO_MANY_OF_ADDRESS };
/* Whether it was over a limit when it was accepted. */
enum peer_verdict peer_get_verdict(const struct peer *peer);
/* The address as text, without port: "127.0.0.1", "2001:db8::1". */
const char *peer_get_address(const struct peer *peer);

/* Its request has begun to arrive / is there whole / is answered. */
void peers_set_receiving(struct peers *peers, struct peer *peer);
void peers_set_answering(struct peers *peers, struct peer *peer);
void peers_set_idle(struct peers *peers, struct peer *peer);

/* Cuts off those over their deadline; libmicrohttpd then sees the end of the stream. */
void peers_tick(struct peers *peers, int64_t now_ms);

/* For connections and requests to come. */
void peers_set_limits(struct peers *peers, size_t max_per_address, int64_t request_deadline_ms);

size_t peers_count(struct peers *peers);

#endif
