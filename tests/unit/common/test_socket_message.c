/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of sock_diag as bytes: what they tell, cut anywhere, and with lengths that lie. */
#include "common/pods/socket_message.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct whole {
    struct nlmsghdr head;
    struct inet_diag_msg body;
    struct nlattr protocol_head;
    uint8_t protocol, pad[3];
    struct nlattr info_head;
    uint8_t info[sizeof(struct tcp_info)]; /* would be aligned otherwise */
};

static struct whole made(void)
{
    struct whole whole = {
        .head = {.nlmsg_len = sizeof(whole), .nlmsg_type = SOCK_DIAG_BY_FAMILY},
        .body = {.idiag_family = AF_INET, .idiag_state = 7, .idiag_uid = 33},
        .protocol_head = {.nla_len = sizeof(struct nlattr) + 1, .nla_type = INET_DIAG_PROTOCOL},
        .protocol = 6,
        .info_head = {.nla_len = sizeof(struct nlattr) + sizeof(struct tcp_info),
                      .nla_type = INET_DIAG_INFO},
    };
    whole.body.id.idiag_dport = 0x5000; /* 80 in network order */
    whole.body.id.idiag_dst[0] = 0x0100000a;
    whole.body.id.idiag_cookie[0] = 7;
    const struct tcp_info info = {.tcpi_bytes_acked = 100, .tcpi_bytes_received = 200};
    memcpy(whole.info, &info, sizeof(info));
    return whole;
}

static enum socket_message next(const void *bytes, size_t len, struct socket_told *told)
{
    struct guard_span span = {bytes, len};
    return socket_message_next(&span, 0, told);
}

static void test_what_is_told(void **state)
{
    struct whole whole = made();
    struct socket_told told;
    static const uint8_t address[] = {10, 0, 0, 1};
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_TOLD);
    assert_int_equal(told.remote.port, 80);
    assert_memory_equal(told.remote.address, address, 4);
    assert_int_equal(told.address_len, 4);
    assert_int_equal(told.transport, 6);
    assert_int_equal(told.user, 33);
    assert_true(told.cookie == 7 && told.bytes_out == 100 && told.bytes_in == 200);
    assert_false(socket_is_inside(&told));
    whole.body.id.idiag_dst[0] = 0x0100007f;
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_TOLD);
    assert_true(socket_is_inside(&told));
}

static void test_mapped_addresses_are_of_the_fourth_version(void **state)
{
    struct whole whole = made();
    struct socket_told told;
    static const uint8_t address[] = {192, 0, 2, 1};
    whole.body.idiag_family = AF_INET6;
    memset(whole.body.id.idiag_dst, 0, 16);
    memset((uint8_t *)whole.body.id.idiag_dst + 10, 0xff, 2);
    memcpy((uint8_t *)whole.body.id.idiag_dst + 12, address, 4);
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_TOLD);
    assert_int_equal(told.address_len, 4);
    assert_memory_equal(told.remote.address, address, 4);
}

static void test_lengths_that_lie(void **state)
{
    struct whole whole = made();
    struct socket_told told;
    for (size_t len = 1; len < sizeof(whole); len++)
        assert_int_equal(next(&whole, len, &told), SOCKET_BAD);
    for (uint32_t len = 0; len < sizeof(struct nlmsghdr) + sizeof(struct inet_diag_msg); len++) {
        whole.head.nlmsg_len = len;
        assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_BAD);
    }
    whole = made();
    whole.protocol_head.nla_len = 0; /* would be read for ever */
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_TOLD);
    assert_false(told.has_bytes);
    whole.protocol_head.nla_len = 60000;
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_TOLD);
}

static void test_other_messages(void **state)
{
    struct whole whole = made();
    struct socket_told told;
    assert_int_equal(next(NULL, 0, &told), SOCKET_END);
    whole.head.nlmsg_type = NLMSG_DONE;
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_DONE);
    whole.head.nlmsg_type = NLMSG_ERROR;
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_REFUSED);
    whole.head.nlmsg_type = 999;
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_OTHER);
    whole = made();
    whole.body.idiag_family = AF_UNIX;
    assert_int_equal(next(&whole, sizeof(whole), &told), SOCKET_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_told),
        cmocka_unit_test(test_mapped_addresses_are_of_the_fourth_version),
        cmocka_unit_test(test_lengths_that_lie),
        cmocka_unit_test(test_other_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
