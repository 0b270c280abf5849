/* SPDX-License-Identifier: Apache-2.0 */
#include "server/webhooks/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct range {
    unsigned char bytes[16];
    unsigned bits;
};

/* IANA's special-purpose registries, what is not globally reachable, and multicast. */
static const struct range ranges4[] = {
    {{0}, 8},
    {{10}, 8},
    {{100, 64}, 10},
    {{127}, 8},
    {{169, 254}, 16},
    {{172, 16}, 12},
    {{192, 0, 0}, 24},
    {{192, 0, 2}, 24},
    {{192, 88, 99}, 24},
    {{192, 168}, 16},
    {{198, 18}, 15},
    {{198, 51, 100}, 24},
    {{203, 0, 113}, 24},
    {{224}, 3},
};
/* Of IPv6 only 2000::/3 is given out at all; these are holes in it. */
static const struct range global6 = {{0x20}, 3};
static const struct range ranges6[] = {
    {{0x20, 0x01, 0x00}, 23},
    {{0x20, 0x01, 0x0d, 0xb8}, 32},
    {{0x3f, 0xff}, 20},
};

static int is_in(const unsigned char *address, const struct range *range)
{
    unsigned whole = range->bits / 8, rest = range->bits % 8;
    if (memcmp(address, range->bytes, whole) != 0)
        return 0;
    unsigned mask = rest ? 0xffu << (8 - rest) & 0xffu : 0;
    return ((unsigned)(address[whole] ^ range->bytes[whole]) & mask) == 0;
}

static int is_public4(const unsigned char *address)
{
    unsigned char padded[5] = {address[0], address[1], address[2], address[3], 0};
    for (size_t i = 0; i < sizeof ranges4 / sizeof *ranges4; i++)
        if (is_in(padded, &ranges4[i]))
            return 0;
    return 1;
}

static int is_public6(const unsigned char *address)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const unsigned char six_to_four[2] = {0x20, 0x02};
    if (memcmp(address, mapped, 12) == 0 || memcmp(address, nat64, 12) == 0)
        return is_public4(address + 12);
    if (memcmp(address, six_to_four, 2) == 0)
        return is_public4(address + 2);
    if (!is_in(address, &global6))
        return 0;
    for (size_t i = 0; i < sizeof ranges6 / sizeof *ranges6; i++)
        if (is_in(address, &ranges6[i]))
            return 0;
    return 1;
}

int address_is_public(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        return is_public4((const unsigned char *)&in->sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        return is_public6((const unsigned char *)&in6->sin6_addr);
    }
    return 0;
}

/* A host that is an address in any notation the resolver takes ("127.1", "0x7f000001"). */
static int is_private_literal(const char *host)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return 0;
    int is_private = !address_is_public(found->ai_addr);
    freeaddrinfo(found);
    return is_private;
}

enum pf_status address_check_url(const char *url, int allow_private, struct pf_error *err)
{
    size_t size = strlen(url), visible = 0;
    size_t scheme = strncmp(url, "https://", 8) == 0 ? 8 : strncmp(url, "http://", 7) == 0 ? 7 : 0;
    while (visible < size && url[visible] > ' ' && url[visible] < 0x7f && url[visible] != '\\')
        visible++;
    size_t host_size = strcspn(url + scheme, "/?#");
    if (!scheme || size > WEBHOOK_URL_MAX || visible < size || host_size == 0 ||
        memchr(url + scheme, '@', host_size))
        return pf_fail(err, PF_INVALID,
            "expected http:// or https:// with a host and no user, of at most %d visible ASCII "
            "characters",
            WEBHOOK_URL_MAX);
    const char *host = url + scheme;
    char text[256];
    if (*host == '[') {
        host++;
        host_size = strcspn(host, "]");
    } else {
        host_size = strcspn(host, ":/?#");
    }
    if (host_size == 0 || host_size >= sizeof text)
        return pf_fail(err, PF_INVALID, "a host of %zu characters", host_size);
    memcpy(text, host, host_size);
    text[host_size] = 0;
    if (!allow_private && is_private_literal(text))
        return pf_fail(err, PF_INVALID, "%.100s is not an address of the public network", text);
    return PF_OK;
}
