/* SPDX-License-Identifier: Apache-2.0 */
/* See destination.h. */
#include "profile/destination.h"

#include "base/span.h"

#include <guard/crypto.h>

enum {
    TEXT_MAX = 320, /* of a name (253), a port, and what doesn't belong there */
    NAME_HEAD = 48,
    NAME_DIGITS = 15,
    GROUPS = 8, /* of an IPv6 address */
    PORT_DIGITS = 5,
};

struct text {
    uint8_t bytes[TEXT_MAX];
    size_t len;
};

static void put(struct text *text, uint8_t byte)
{
    if (text->len < TEXT_MAX)
        text->bytes[text->len++] = byte;
}

static void put_lower(struct text *text, struct guard_span part)
{
    for (size_t i = 0; i < part.len; i++) {
        uint8_t byte = part.ptr[i];
        put(text, byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
    }
}

static void put_hex(struct text *text, uint32_t value)
{
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        uint32_t digit = value >> shift & 15;
        begun = begun || digit != 0 || shift == 0;
        if (begun)
            put(text, (uint8_t) "0123456789abcdef"[digit]);
    }
}

static struct guard_span trim(struct guard_span text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = gd_span_from(text, 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Where the byte is last, or text.len. */
static size_t find_last(struct guard_span text, uint8_t byte)
{
    for (size_t i = text.len; i > 0; i--) {
        if (text.ptr[i - 1] == byte)
            return i - 1;
    }
    return text.len;
}

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Up to four hexadecimal digits at *at; false when there are none or more. */
static bool read_group(struct guard_span text, size_t *at, uint16_t *out)
{
    uint32_t value = 0;
    size_t digits = 0;
    for (; *at < text.len && digit_of(text.ptr[*at]) >= 0; ++*at, digits++) {
        if (digits == 4)
            return false;
        value = value << 4 | (uint32_t)digit_of(text.ptr[*at]);
    }
    *out = (uint16_t)value;
    return digits > 0;
}

/* The dotted end of "::ffff:192.0.2.1" as two groups. */
static bool read_dotted(struct guard_span text, size_t at, uint16_t out[2])
{
    uint32_t value = 0;
    for (int part = 0; part < 4; part++) {
        uint32_t number = 0;
        size_t digits = 0;
        if (part > 0 && (at >= text.len || text.ptr[at++] != '.'))
            return false;
        for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++, digits++) {
            number = number * 10 + (uint32_t)(text.ptr[at] - '0');
            if (digits == 3)
                return false;
        }
        if (digits == 0 || number > 255)
            return false;
        value = value << 8 | number;
    }
    out[0] = (uint16_t)(value >> 16);
    out[1] = (uint16_t)value;
    return at == text.len;
}

static bool is_dotted(struct guard_span text, size_t at)
{
    while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9')
        at++;
    return at < text.len && text.ptr[at] == '.';
}

/* text is what stands between the brackets. */
static bool read_ipv6(struct guard_span text, uint16_t out[GROUPS])
{
    uint16_t groups[GROUPS] = {0};
    int count = 0;
    int gap = -1; /* groups before "::" */
    size_t at = 0;
    if (text.len >= 2 && text.ptr[0] == ':' && text.ptr[1] == ':') {
        gap = 0;
        at = 2;
    }
    while (at < text.len) {
        if (count <= GROUPS - 2 && is_dotted(text, at)) {
            if (!read_dotted(text, at, groups + count))
                return false;
            count += 2;
            break;
        }
        if (count == GROUPS || !read_group(text, &at, &groups[count++]))
            return false;
        if (at == text.len)
            break;
        if (text.ptr[at++] != ':' || at == text.len)
            return false;
        if (text.ptr[at] == ':') {
            if (gap >= 0)
                return false;
            gap = count;
            at++;
        }
    }
    if (gap < 0 ? count != GROUPS : count == GROUPS)
        return false;
    memset(out, 0, GROUPS * sizeof(*out));
    int head = gap < 0 ? count : gap;
    for (int i = 0; i < head; i++)
        out[i] = groups[i];
    for (int i = head; i < count; i++)
        out[GROUPS - count + i] = groups[i];
    return true;
}

/* The longest run of at least two zero groups, the first of equals; its length in *len. */
static int zero_run(const uint16_t groups[GROUPS], int *len)
{
    int best = -1;
    *len = 1;
    for (int i = 0, run = 0; i < GROUPS; i++) {
        run = groups[i] == 0 ? run + 1 : 0;
        if (run > *len) {
            *len = run;
            best = i + 1 - run;
        }
    }
    return best;
}

static void put_ipv6(struct text *text, const uint16_t groups[GROUPS])
{
    int len;
    int run = zero_run(groups, &len);
    put(text, '[');
    for (int i = 0; i < GROUPS; i++) {
        if (i == run) {
            put(text, ':');
            put(text, ':');
            i += len - 1;
            continue;
        }
        if (i > 0 && i != run + len)
            put(text, ':');
        put_hex(text, groups[i]);
    }
    put(text, ']');
}

static void put_host(struct text *text, struct guard_span host)
{
    uint16_t groups[GROUPS];
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']' &&
        read_ipv6(gd_span(host.ptr + 1, host.len - 2), groups)) {
        put_ipv6(text, groups);
        return;
    }
    if (host.len > 1 && host.ptr[host.len - 1] == '.')
        host.len--;
    put_lower(text, host);
}

/* port is what follows the colon. */
static void put_port(struct text *text, struct guard_span port, bool tls)
{
    struct guard_span digits = port;
    while (digits.len > 1 && digits.ptr[0] == '0')
        digits = gd_span_from(digits, 1);
    uint32_t number = 0;
    bool good = digits.len <= PORT_DIGITS;
    for (size_t i = 0; good && i < digits.len; i++) {
        good = digits.ptr[i] >= '0' && digits.ptr[i] <= '9';
        number = number * 10 + (uint32_t)(digits.ptr[i] - '0');
    }
    if (good && (digits.len == 0 || number == (tls ? 443u : 80u)))
        return;
    put(text, ':');
    put_lower(text, good ? digits : port);
}

/* The name with its port; authority without user information. */
static void put_authority(struct text *text, struct guard_span authority, bool tls)
{
    size_t colon = find_last(authority, ':');
    size_t bracket = find_last(authority, ']');
    bool bracketed = authority.len > 0 && authority.ptr[0] == '[' && bracket < authority.len;
    bool port = colon < authority.len && (!bracketed || colon == bracket + 1);
    /* Two colons without brackets: no port can be told from an address. */
    if (port && !bracketed && memchr(authority.ptr, ':', colon) != NULL)
        port = false;
    put_host(text, port ? gd_span_head(authority, colon) : authority);
    if (port)
        put_port(text, gd_span_from(authority, colon + 1), tls);
}

static struct guard_span shorten(struct guard_span text, struct guard_span whole,
                                 uint8_t room[GD_NAME_MAX])
{
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest(digest, whole);
    memcpy(room, text.ptr, NAME_HEAD);
    room[NAME_HEAD] = '~';
    for (size_t i = 0; i < NAME_DIGITS; i++)
        room[NAME_HEAD + 1 + i] =
            (uint8_t) "0123456789abcdef"[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    return gd_span(room, NAME_HEAD + 1 + NAME_DIGITS);
}

struct guard_span gd_destination(struct guard_span authority, bool tls, uint8_t room[GD_NAME_MAX])
{
    struct text text = {.len = 0};
    authority = trim(authority);
    size_t at = find_last(authority, '@');
    if (at < authority.len)
        authority = gd_span_from(authority, at + 1);
    put_authority(&text, authority, tls);
    if (text.len == 0)
        return GUARD_SPAN_LITERAL("-");
    struct guard_span out = gd_span(text.bytes, text.len);
    if (text.len > GD_NAME_MAX)
        return shorten(out, text.len < TEXT_MAX ? out : authority, room);
    memcpy(room, text.bytes, text.len);
    return gd_span(room, text.len);
}
