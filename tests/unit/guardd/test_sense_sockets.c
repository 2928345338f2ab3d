/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the kernel that are left from an earlier question, or never end. The other end of a
 * pair of sockets is the kernel here. */
#include "guardd/pods/sense_sockets.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* cmocka.h wants these before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct pair {
    struct sense_sockets sockets;
    int kernel;
    uint32_t told;
    uint64_t cookie;
    uint8_t transport;
};

static void set_up(struct pair *pair)
{
    int ends[2], room = 1 << 20;
    const struct timeval patience = {.tv_sec = 20};
    memset(pair, 0, sizeof(*pair));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    (void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    (void)setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    pair->sockets = (struct sense_sockets){.ended = -1, .asking = ends[0]};
    pair->kernel = ends[1];
}

static void tear_down(struct pair *pair)
{
    sense_sockets_close(&pair->sockets);
    close(pair->kernel);
}

static void answer(const struct pair *pair, uint32_t sequence, uint64_t cookie)
{
    struct {
        struct nlmsghdr head;
        struct inet_diag_msg body;
    } message = {.head = {.nlmsg_len = sizeof(message),
                          .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                          .nlmsg_seq = sequence},
                 .body = {.idiag_family = AF_INET}};
    message.body.id.idiag_cookie[0] = (uint32_t)cookie;
    assert_true(send(pair->kernel, &message, sizeof(message), 0) == sizeof(message));
}

static void done(const struct pair *pair, uint32_t sequence)
{
    const struct nlmsghdr head = {
        .nlmsg_len = sizeof(head), .nlmsg_type = NLMSG_DONE, .nlmsg_seq = sequence};
    assert_true(send(pair->kernel, &head, sizeof(head), 0) == sizeof(head));
}

static void take(void *ctx, const struct socket_told *told)
{
    struct pair *pair = ctx;
    pair->told++;
    pair->cookie = told->cookie;
    pair->transport = told->transport;
}

/* A connection of TCP's would be told as UDP's, and each answer as that of the next question. */
static void test_the_rest_of_another_answer_is_passed_over(void **state)
{
    (void)state;
    struct pair pair;
    set_up(&pair);
    pair.sockets.asked = 7;
    answer(&pair, 7, 1);
    done(&pair, 7);
    answer(&pair, 8, 2);
    done(&pair, 8);
    done(&pair, 9);
    assert_int_equal(sense_sockets_list(&pair.sockets, 17, false, take, &pair), GUARD_OK);
    assert_int_equal(pair.told, 1);
    assert_int_equal(pair.cookie, 2);
    assert_int_equal(pair.transport, 17);
    tear_down(&pair);
}

static void test_what_never_answers_is_given_up(void **state)
{
    (void)state;
    struct pair pair;
    set_up(&pair);
    for (uint32_t i = 0; i < 300; i++)
        answer(&pair, 7, 1);
    done(&pair, 1);
    done(&pair, 2);
    assert_int_equal(sense_sockets_list(&pair.sockets, 17, false, take, &pair), GUARD_E_IO);
    assert_int_equal(pair.told, 0);
    tear_down(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rest_of_another_answer_is_passed_over),
        cmocka_unit_test(test_what_never_answers_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
