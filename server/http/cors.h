/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVER_HTTP_CORS_H
#define SERVER_HTTP_CORS_H

/* Requests that a browser makes for a page of another origin. Only listed origins may read answers;
 * and of others nothing but GET is taken, because a form on any page can post to a server of one's
 * own network without asking. */

#include "server/http/request.h"

/* Adds the headers an allowed origin needs, answers its preflights, and refuses what must not be
 * done for a strange page. */
void cors_check(struct http_request *request);

/* Whether "http://host:port" is the host of this Host header (a default port may be left out). */
int cors_is_same_host(const char *origin, const char *host);

#endif
