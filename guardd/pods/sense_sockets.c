/* SPDX-License-Identifier: Apache-2.0 */
/* Two netlink sockets: one is told of ended sockets, one asks. */
#include "sense_sockets.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum {
    GROUPS_ENDED = 0xf, /* TCP and UDP, of both versions */
    ROOM = 4 << 20,     /* for what is told while guardd does something else */
    READ_BUF = 64 * 1024,
    READS_MAX = 256, /* for each call: the rest waits for the next */
    STRAY_MAX = 256, /* reads of an answer that bring nothing of it */
    STATE_SYN_RECEIVED = 3,
    STATE_TIME_WAIT = 6, /* that one was told as ended */
    STATE_CLOSE = 7,
    STATE_LISTEN = 10,
    STATES = 12,
};

static int open_netlink(unsigned groups)
{
    struct sockaddr_nl self = {.nl_family = AF_NETLINK, .nl_groups = groups};
    struct timeval patience = {.tv_sec = 1};
    int room = ROOM;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return -1;
    if (groups != 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) != 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (bind(fd, (struct sockaddr *)&self, sizeof(self)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

enum guard_rc sense_sockets_open(struct sense_sockets *sockets, struct guard_err *err)
{
    *sockets = (struct sense_sockets){.ended = open_netlink(GROUPS_ENDED), .asking = -1};
    if (sockets->ended >= 0)
        sockets->asking = open_netlink(0);
    if (sockets->asking >= 0)
        return GUARD_OK;
    enum guard_rc rc = guard_fail(err, GUARD_E_IO, "sock_diag: %s", strerror(errno));
    sense_sockets_close(sockets);
    return rc;
}

void sense_sockets_close(struct sense_sockets *sockets)
{
    if (sockets->ended >= 0)
        close(sockets->ended);
    if (sockets->asking >= 0)
        close(sockets->asking);
    sockets->ended = sockets->asking = -1;
}

/* Of the kernel only: other processes may write to the port, too. */
static ssize_t receive(int fd, void *buf, size_t size, int flags)
{
    struct sockaddr_nl from = {0};
    socklen_t from_len = sizeof(from);
    ssize_t got = recvfrom(fd, buf, size, flags, (struct sockaddr *)&from, &from_len);
    return got > 0 && from.nl_pid != 0 ? 0 : got;
}

void sense_sockets_ended(struct sense_sockets *sockets, sense_socket_handler *handler, void *ctx)
{
    uint8_t buf[READ_BUF];
    struct socket_told told;
    for (uint32_t i = 0; i < READS_MAX; i++) {
        ssize_t got = receive(sockets->ended, buf, sizeof(buf), MSG_DONTWAIT);
        if (got < 0 && errno == ENOBUFS) {
            sockets->overruns++;
            continue;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return;
        struct guard_span bytes = {buf, (size_t)got};
        enum socket_message message;
        while ((message = socket_message_next(&bytes, 0, &told)) != SOCKET_END &&
               message != SOCKET_BAD)
            if (message == SOCKET_TOLD)
                handler(ctx, &told);
    }
}

static bool ask(int fd, uint32_t sequence, uint8_t family, uint8_t transport, bool listening)
{
    const uint32_t with_peer =
        ((1U << STATES) - 1) & ~(1U << STATE_SYN_RECEIVED | 1U << STATE_TIME_WAIT |
                                 1U << STATE_CLOSE | 1U << STATE_LISTEN | 1U);
    struct {
        struct nlmsghdr head;
        struct inet_diag_req_v2 body;
    } request = {
        .head = {.nlmsg_len = sizeof(request),
                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                 .nlmsg_seq = sequence},
        .body = {.sdiag_family = family,
                 .sdiag_protocol = transport,
                 .idiag_ext = listening ? 0 : 1U << (INET_DIAG_INFO - 1),
                 .idiag_states = listening ? 1U << STATE_LISTEN : with_peer},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    return sendto(fd, &request, sizeof(request), 0, (struct sockaddr *)&kernel, sizeof(kernel)) ==
           (ssize_t)sizeof(request);
}

/* Until the kernel says that this was all. What is left of an answer that was given up is of
 * another request, and may be of another transport. */
static bool read_answer(int fd, uint32_t sequence, uint8_t transport, sense_socket_handler *handler,
                        void *ctx)
{
    uint8_t buf[READ_BUF];
    struct socket_told told;
    for (uint32_t stray = 0; stray < STRAY_MAX;) {
        ssize_t got = receive(fd, buf, sizeof(buf), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        struct guard_span bytes = {buf, (size_t)got};
        enum socket_message message;
        bool answers = false;
        while ((message = socket_message_next(&bytes, transport, &told)) != SOCKET_END) {
            if (message == SOCKET_BAD)
                return false;
            if (told.sequence != sequence)
                continue;
            answers = true;
            if (message == SOCKET_TOLD)
                handler(ctx, &told);
            else if (message != SOCKET_OTHER)
                return message == SOCKET_DONE;
        }
        stray += !answers;
    }
    return false;
}

enum guard_rc sense_sockets_list(struct sense_sockets *sockets, uint8_t transport, bool listening,
                                 sense_socket_handler *handler, void *ctx)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    bool all = true;
    for (size_t i = 0; i < sizeof(families); i++)
        all &= ask(sockets->asking, ++sockets->asked, families[i], transport, listening) &&
               read_answer(sockets->asking, sockets->asked, transport, handler, ctx);
    return all ? GUARD_OK : GUARD_E_IO;
}

void sense_sockets_look_at_own(struct sense_sockets *sockets)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return;
    sockets->own_count = 0;
    for (const struct ifaddrs *at = all; at != NULL; at = at->ifa_next) {
        struct sockaddr_in fourth;
        struct sockaddr_in6 sixth;
        int family = at->ifa_addr != NULL ? at->ifa_addr->sa_family : AF_UNSPEC;
        if ((family != AF_INET && family != AF_INET6) || sockets->own_count == SENSE_OWN_MAX)
            continue;
        uint8_t *address = sockets->own[sockets->own_count].address;
        sockets->own[sockets->own_count++].len = family == AF_INET ? 4 : 16;
        if (family == AF_INET) {
            memcpy(&fourth, at->ifa_addr, sizeof(fourth));
            memcpy(address, &fourth.sin_addr, sizeof(fourth.sin_addr));
        } else {
            memcpy(&sixth, at->ifa_addr, sizeof(sixth));
            memcpy(address, &sixth.sin6_addr, sizeof(sixth.sin6_addr));
        }
    }
    freeifaddrs(all);
}

bool sense_sockets_is_own(const struct sense_sockets *sockets, const struct socket_told *told)
{
    for (uint32_t i = 0; i < sockets->own_count; i++)
        if (sockets->own[i].len == told->address_len &&
            memcmp(sockets->own[i].address, told->remote.address, told->address_len) == 0)
            return true;
    return false;
}
