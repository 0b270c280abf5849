/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_WEBHOOKS_ADDRESS_H
#define SERVER_WEBHOOKS_ADDRESS_H

/* Which addresses a webhook may reach. A URL is given by a client: without this it could make the
 * server talk to the machines behind it. */

#include <sys/socket.h>

#include "base/error.h"

enum { WEBHOOK_URL_MAX = 2048 };

/* Whether an address is of the public network: not loopback, private, link-local, multicast,
 * reserved, and not such an IPv4 address inside an IPv6 one. */
int address_is_public(const struct sockaddr *address);

/* Whether a URL can be a webhook: http or https, a host, no user, visible ASCII, not too long; and
 * unless allow_private, no private address written out. PF_INVALID. Names are looked up, and
 * checked again, when it is called. */
PF_MUST_CHECK enum pf_status address_check_url(
    const char *url, int allow_private, struct pf_error *err);

#endif
