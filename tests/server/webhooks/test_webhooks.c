/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses a webhook may reach, its secret, its signature. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

#include "server/webhooks/address.h"
#include "server/webhooks/delivery.h"

static int is_public(const char *text)
{
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
    assert_int_equal(getaddrinfo(text, NULL, &hints, &found), 0);
    int result = address_is_public(found->ai_addr);
    freeaddrinfo(found);
    return result;
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const private[] = {"0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255",
        "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255",
        "192.0.0.1", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
        "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "::", "::1",
        "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:c0a8:101::1", "2001::1",
        "fec0::1", "::127.0.0.1"};
    static const char *const public[] = {"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0",
        "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "172.15.255.255",
        "172.32.0.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1"};
    for (size_t i = 0; i < sizeof private / sizeof *private; i++)
        if (is_public(private[i]))
            fail_msg("%s is taken for public", private[i]);
    for (size_t i = 0; i < sizeof public / sizeof *public; i++)
        if (!is_public(public[i]))
            fail_msg("%s is taken for private", public[i]);
}

static void test_urls(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    static const char *const taken[] = {"https://example.org", "http://example.org:8080/a?b=c#d",
        "https://8.8.8.8/x", "https://[2606:4700::1111]:443/", "https://localhost.example.org/"};
    static const char *const refused[] = {"", "example.org", "ftp://example.org",
        "file:///etc/passwd", "https://", "https:///x", "https://user@example.org/",
        "https://user:pass@example.org/", "https://exa mple.org", "https://example.org/\x80",
        "https://example.org\\@evil.org/", "http://127.0.0.1/", "http://127.1/",
        "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://[::1]/",
        "http://[::ffff:10.0.0.1]:80/", "http://169.254.169.254/latest/meta-data", "http://0/",
        "http://:80/", "HTTP://x"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        assert_ok(address_check_url(taken[i], 0, &err), &err);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (address_check_url(refused[i], 0, &err) != PF_INVALID)
            fail_msg("%s is taken", refused[i]);
        err = (struct pf_error)PF_ERROR_INIT;
    }
    assert_ok(address_check_url("http://127.0.0.1:1234/hook", 1, &err), &err);
    char longest[WEBHOOK_URL_MAX + 2];
    memset(longest, 'a', sizeof longest - 1);
    memcpy(longest, "http://", 7);
    longest[sizeof longest - 1] = 0;
    assert_fails(address_check_url(longest, 1, &err), PF_INVALID, "at most", &err);
}

/* The example of the Standard Webhooks specification's libraries. */
static void test_signature(void **state)
{
    (void)state;
    struct pf_error err = PF_ERROR_INIT;
    struct webhook_secret secret;
    char signature[WEBHOOK_SIGNATURE_SIZE];
    assert_ok(
        webhook_secret_parse(&secret, " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", &err), &err);
    assert_int_equal(secret.size, 24);
    const char *body = "{\"test\": 2432232314}";
    webhook_sign(
        &secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, strlen(body), signature);
    assert_string_equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    static const char *const refused[] = {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw more"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_fails(webhook_secret_parse(&secret, refused[i], &err), PF_INVALID, "whsec_", &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_signature),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
