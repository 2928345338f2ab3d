/* SPDX-License-Identifier: Apache-2.0 */
/* The file that knows the C library's reader of DNS messages (RFC 1035): lengths, compression and
 * its loops are that one's to check; whose an address is, is ours. */
#include "dns_answer.h"

#include <arpa/nameser.h>
#include <string.h>

static bool name_byte(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '_' || byte == '.';
}

/* As hosts are called: other names are nobody's whom a program connects to. */
static bool take_name(char out[DNS_NAME_MAX + 1], const char *name)
{
    size_t len = strnlen(name, DNS_NAME_MAX + 2);
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len > DNS_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char byte = name[i];
        out[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
        if (!name_byte(out[i]))
            return false;
    }
    out[len] = '\0';
    return true;
}

static void take_address(struct dns_answer *out, const ns_rr *record, uint32_t ttl)
{
    size_t len = ns_rr_type(*record) == ns_t_a ? 4 : 16;
    if (ns_rr_rdlen(*record) != len || out->count == DNS_ADDRESSES_MAX)
        return;
    struct dns_address *address = &out->addresses[out->count++];
    *address = (struct dns_address){.len = (uint8_t)len, .ttl = ttl};
    memcpy(address->bytes, ns_rr_rdata(*record), len);
}

/* What an alias leads to; false: it is none, or broken. */
static bool read_alias(ns_msg *message, const ns_rr *record, char out[DNS_NAME_MAX + 1])
{
    char text[NS_MAXDNAME];
    return ns_rr_type(*record) == ns_t_cname &&
           ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), ns_rr_rdata(*record),
                              text, sizeof(text)) >= 0 &&
           take_name(out, text);
}

/* The addresses of one name; where it is an alias, of whom. */
static bool look_at(ns_msg *message, struct dns_answer *out, char name[DNS_NAME_MAX + 1],
                    uint32_t *ttl)
{
    char owner[DNS_NAME_MAX + 1], next[DNS_NAME_MAX + 1] = "";
    uint32_t of_alias = UINT32_MAX;
    for (int i = 0; i < ns_msg_count(*message, ns_s_an); i++) {
        ns_rr record;
        if (ns_parserr(message, ns_s_an, i, &record) != 0)
            return false;
        if (ns_rr_class(record) != ns_c_in || !take_name(owner, ns_rr_name(record)) ||
            strcmp(owner, name) != 0)
            continue;
        uint32_t lowest = (uint32_t)ns_rr_ttl(record) < *ttl ? (uint32_t)ns_rr_ttl(record) : *ttl;
        if (ns_rr_type(record) == ns_t_a || ns_rr_type(record) == ns_t_aaaa)
            take_address(out, &record, lowest);
        else if (next[0] == '\0' && read_alias(message, &record, next))
            of_alias = lowest;
    }
    memcpy(name, next, sizeof(next));
    *ttl = of_alias;
    return next[0] != '\0';
}

static bool is_answer(ns_msg *message)
{
    int code = ns_msg_getflag(*message, ns_f_rcode);
    return ns_msg_getflag(*message, ns_f_qr) == 1 &&
           ns_msg_getflag(*message, ns_f_opcode) == ns_o_query &&
           ns_msg_getflag(*message, ns_f_tc) == 0 &&
           (code == ns_r_noerror || code == ns_r_nxdomain) && ns_msg_count(*message, ns_s_qd) == 1;
}

bool dns_answer_read(struct dns_answer *out, struct guard_span bytes)
{
    ns_msg message;
    ns_rr question;
    char name[DNS_NAME_MAX + 1];
    uint32_t ttl = UINT32_MAX;
    memset(out, 0, sizeof(*out));
    if (bytes.len > NS_MAXMSG || ns_initparse(bytes.ptr, (int)bytes.len, &message) != 0 ||
        !is_answer(&message) || ns_parserr(&message, ns_s_qd, 0, &question) != 0)
        return false;
    if (ns_rr_class(question) != ns_c_in || !take_name(out->name, ns_rr_name(question)))
        return false;
    if (ns_rr_type(question) != ns_t_a && ns_rr_type(question) != ns_t_aaaa)
        return true;
    memcpy(name, out->name, sizeof(name));
    for (int i = 0; i < DNS_ALIASES_MAX; i++)
        if (!look_at(&message, out, name, &ttl))
            break;
    return true;
}
