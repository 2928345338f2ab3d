/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink messages of sock_diag, each length checked against what there is. */
#include "common/pods/socket_message.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum { TCP_STATE_LISTEN = 10, ALIGN = 4, PROTOCOL_TCP = 6 };

/* Linux tells which protocol destroyed sockets were of since 4.8; of others it can't be told. */
static void take_info(struct socket_told *out, struct guard_span info)
{
    struct tcp_info tcp = {0};
    size_t need = offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(tcp.tcpi_bytes_received);
    if (info.len < need)
        return;
    memcpy(&tcp, info.ptr, info.len < sizeof(tcp) ? info.len : sizeof(tcp));
    out->has_bytes = true;
    out->bytes_out = tcp.tcpi_bytes_acked;
    out->bytes_in = tcp.tcpi_bytes_received;
}

static size_t aligned(size_t len)
{
    return (len + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

static void take_attributes(struct socket_told *out, struct guard_span bytes)
{
    struct nlattr head;
    while (bytes.len >= sizeof(head)) {
        memcpy(&head, bytes.ptr, sizeof(head));
        if (head.nla_len < sizeof(head) || head.nla_len > bytes.len)
            return;
        struct guard_span value = {bytes.ptr + sizeof(head), head.nla_len - sizeof(head)};
        if (head.nla_type == INET_DIAG_INFO)
            take_info(out, value);
        else if (head.nla_type == INET_DIAG_PROTOCOL && value.len >= 1)
            out->transport = value.ptr[0];
        size_t step = aligned(head.nla_len);
        step = step < bytes.len ? step : bytes.len;
        bytes = (struct guard_span){bytes.ptr + step, bytes.len - step};
    }
}

static bool is_mapped(const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, mapped, sizeof(mapped)) == 0;
}

static void take_end(struct socket_end *end, const __be32 address[4], __be16 port)
{
    memcpy(end->address, address, sizeof(end->address));
    end->port = (uint16_t)((port & 0xff) << 8 | port >> 8);
}

static bool take_addresses(struct socket_told *out, const struct inet_diag_msg *message)
{
    if (message->idiag_family != AF_INET && message->idiag_family != AF_INET6)
        return false;
    take_end(&out->local, message->id.idiag_src, message->id.idiag_sport);
    take_end(&out->remote, message->id.idiag_dst, message->id.idiag_dport);
    out->address_len = message->idiag_family == AF_INET ? 4 : 16;
    if (out->address_len == 16 && is_mapped(out->remote.address)) {
        out->address_len = 4;
        memmove(out->remote.address, out->remote.address + 12, 4);
        memmove(out->local.address, out->local.address + 12, 4);
    }
    return true;
}

static enum socket_message take_socket(struct socket_told *out, struct guard_span body)
{
    struct inet_diag_msg message;
    if (body.len < sizeof(message))
        return SOCKET_BAD;
    memcpy(&message, body.ptr, sizeof(message));
    if (!take_addresses(out, &message))
        return SOCKET_OTHER;
    out->cookie = (uint64_t)message.id.idiag_cookie[1] << 32 | message.id.idiag_cookie[0];
    out->user = message.idiag_uid;
    take_attributes(out,
                    (struct guard_span){body.ptr + sizeof(message), body.len - sizeof(message)});
    out->listens = message.idiag_state == TCP_STATE_LISTEN && out->transport == PROTOCOL_TCP;
    return SOCKET_TOLD;
}

enum socket_message socket_message_next(struct guard_span *bytes, uint8_t transport,
                                        struct socket_told *out)
{
    struct nlmsghdr head;
    if (bytes->len == 0)
        return SOCKET_END;
    if (bytes->len < sizeof(head))
        return SOCKET_BAD;
    memcpy(&head, bytes->ptr, sizeof(head));
    if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > bytes->len)
        return SOCKET_BAD;
    struct guard_span body = {bytes->ptr + sizeof(head), head.nlmsg_len - sizeof(head)};
    size_t step = aligned(head.nlmsg_len);
    step = step < bytes->len ? step : bytes->len;
    *bytes = (struct guard_span){bytes->ptr + step, bytes->len - step};
    *out = (struct socket_told){.transport = transport, .sequence = head.nlmsg_seq};
    if (head.nlmsg_type == NLMSG_DONE)
        return SOCKET_DONE;
    if (head.nlmsg_type == NLMSG_ERROR)
        return SOCKET_REFUSED;
    if (head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return SOCKET_OTHER;
    return take_socket(out, body);
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

bool socket_end_is_any(const struct socket_told *told, const struct socket_end *end)
{
    return all_zero(end->address, told->address_len);
}

bool socket_is_inside(const struct socket_told *told)
{
    const uint8_t *remote = told->remote.address;
    if (told->address_len == 4 && remote[0] == 127)
        return true;
    if (told->address_len == 16 && all_zero(remote, 15) && remote[15] == 1)
        return true;
    return !socket_end_is_any(told, &told->local) &&
           memcmp(remote, told->local.address, told->address_len) == 0;
}
