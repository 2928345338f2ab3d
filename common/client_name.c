/* SPDX-License-Identifier: Apache-2.0 */
/* Clients as texts. */
#include "common/client_name.h"

#include "common/hex.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char subject[] = "subject ";

bool client_name(const char *text, char out[CLIENT_NAME_MAX])
{
    uint8_t bytes[16];
    char address[CLIENT_NAME_MAX];
    if (strlen(text) >= CLIENT_NAME_MAX)
        return false;
    if (strncmp(text, subject, sizeof(subject) - 1) == 0) {
        snprintf(out, CLIENT_NAME_MAX, "%s", text);
        return true;
    }
    snprintf(address, sizeof(address), "%s", text);
    address[strcspn(address, "/")] = '\0';
    if (inet_pton(AF_INET, address, bytes) == 1) {
        snprintf(out, CLIENT_NAME_MAX, "%u.%u.%u.0/24", bytes[0], bytes[1], bytes[2]);
        return true;
    }
    if (inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    snprintf(out, CLIENT_NAME_MAX, "%02x%02x:%02x%02x:%02x%02x:%02x00::/56", bytes[0], bytes[1],
             bytes[2], bytes[3], bytes[4], bytes[5], bytes[6]);
    return true;
}

/* --- one client, nobody else --- */

enum { SUBJECT_DIGITS = 2 * GUARD_CLIENT_SUBJECT };

static bool read_subject(const char *text, uint8_t out[GUARD_CLIENT_SUBJECT])
{
    return strlen(text) == SUBJECT_DIGITS &&
           hex_read(out, GUARD_CLIENT_SUBJECT, (const uint8_t *)text);
}

/* The length after the slash; longest where there is none, -1 where it is no number. */
static int read_length(const char *text, int longest)
{
    const char *slash = strchr(text, '/');
    int length = 0;
    if (slash == NULL)
        return longest;
    size_t digits = strspn(slash + 1, "0123456789");
    if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
        return -1;
    for (size_t i = 1; i <= digits; i++)
        length = 10 * length + (slash[i] - '0');
    return length <= longest ? length : -1;
}

static const char *wrong_with_4(const uint8_t bytes[4], int length)
{
    enum { PREFIX = 24, MULTICAST = 224 };
    if (length < 0)
        return "is no address, prefix or subject";
    if (length < PREFIX)
        return "is too wide: at most a /24 is one client";
    if (bytes[0] == 0 || bytes[0] >= MULTICAST)
        return "is nobody's address";
    return NULL;
}

static const char *wrong_with_6(const uint8_t bytes[16], int length)
{
    enum { PREFIX = 56, MULTICAST = 0xff };
    static const uint8_t unspecified[7];
    if (length < 0)
        return "is no address, prefix or subject";
    if (length < PREFIX)
        return "is too wide: at most a /56 is one client";
    if (memcmp(bytes, unspecified, sizeof(unspecified)) == 0 || bytes[0] == MULTICAST)
        return "is nobody's address";
    return NULL;
}

/* Gates know an address of IPv4 in IPv6 by the former. */
static bool is_mapped(const uint8_t bytes[16])
{
    static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(bytes, head, sizeof(head)) == 0;
}

bool client_name_of_one(const char *text, char out[CLIENT_NAME_MAX], const char **why)
{
    enum { MAPPED = 96 };
    uint8_t bytes[16];
    char address[CLIENT_NAME_MAX];
    *why = "is no address, prefix or subject";
    if (strlen(text) >= CLIENT_NAME_MAX)
        return false;
    if (strncmp(text, subject, sizeof(subject) - 1) == 0) {
        *why = "must name the subject by 16 digits, as verdicts do";
        return read_subject(text + sizeof(subject) - 1, bytes) && client_name(text, out);
    }
    snprintf(address, sizeof(address), "%s", text);
    address[strcspn(address, "/")] = '\0';
    if (inet_pton(AF_INET, address, bytes) == 1) {
        *why = wrong_with_4(bytes, read_length(text, 32));
        return *why == NULL && client_name(address, out);
    }
    if (inet_pton(AF_INET6, address, bytes) != 1)
        return false;
    int length = read_length(text, 128);
    if (!is_mapped(bytes)) {
        *why = wrong_with_6(bytes, length);
        return *why == NULL && client_name(address, out);
    }
    *why = wrong_with_4(bytes + 12, length < MAPPED ? (length < 0 ? -1 : 0) : length - MAPPED);
    snprintf(address, sizeof(address), "%u.%u.%u.%u", bytes[12], bytes[13], bytes[14], bytes[15]);
    return *why == NULL && client_name(address, out);
}

bool client_of_name(const char *name, struct guard_client *out,
                    uint8_t digest[GUARD_CLIENT_SUBJECT])
{
    char address[CLIENT_NAME_MAX];
    *out = (struct guard_client){.unit = GUARD_UNIT_PREFIX};
    if (strncmp(name, subject, sizeof(subject) - 1) == 0) {
        out->unit = GUARD_UNIT_SUBJECT;
        out->subject = (struct guard_span){digest, GUARD_CLIENT_SUBJECT};
        return read_subject(name + sizeof(subject) - 1, digest);
    }
    snprintf(address, sizeof(address), "%s", name);
    address[strcspn(address, "/")] = '\0';
    if (inet_pton(AF_INET, address, out->address) == 1)
        out->address_len = 4;
    else if (inet_pton(AF_INET6, address, out->address) == 1)
        out->address_len = 16;
    return out->address_len != 0;
}

/* --- texts --- */

/* Addresses have many spellings. */
static bool same_address(const char *a, const char *b)
{
    uint8_t one[16];
    uint8_t two[16];
    for (int family = AF_INET;; family = AF_INET6) {
        size_t len = family == AF_INET ? 4 : 16;
        if (inet_pton(family, a, one) == 1 && inet_pton(family, b, two) == 1)
            return memcmp(one, two, len) == 0;
        if (family == AF_INET6)
            return false;
    }
}

bool client_is(const char *who, struct guard_span client)
{
    char text[CLIENT_NAME_MAX];
    char own[CLIENT_NAME_MAX];
    char prefix[CLIENT_NAME_MAX];
    if (client.len == 0 || client.len >= sizeof(text) || !client_name(who, prefix))
        return false;
    memcpy(text, client.ptr, client.len);
    text[client.len] = '\0';
    if (strcmp(text, who) == 0 || strcmp(text, prefix) == 0 || same_address(text, who))
        return true;
    return strchr(who, '/') != NULL && client_name(text, own) && strcmp(own, prefix) == 0;
}

static bool of_address(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == '.' ||
           c == ':' || c == '/';
}

/* The length of the word that begins here, if it is an address or a prefix. */
static size_t word_at(struct guard_span line, size_t at)
{
    size_t len = 0;
    if (at > 0 && of_address(line.ptr[at - 1]))
        return 0;
    while (at + len < line.len && of_address(line.ptr[at + len]))
        len++;
    return len;
}

/* A subject is a text of its own. */
static size_t mention_at(const char *who, struct guard_span line, size_t at)
{
    size_t who_len = strlen(who);
    if (strncmp(who, subject, sizeof(subject) - 1) == 0)
        return line.len - at >= who_len && memcmp(line.ptr + at, who, who_len) == 0 ? who_len : 0;
    size_t len = word_at(line, at);
    while (len > 0 && (line.ptr[at + len - 1] == '.' || line.ptr[at + len - 1] == ':') &&
           !client_is(who, (struct guard_span){line.ptr + at, len}))
        len--; /* the end of a sentence */
    return len > 0 && client_is(who, (struct guard_span){line.ptr + at, len}) ? len : 0;
}

uint32_t client_redact(const char *who, struct guard_span line, char *out, size_t cap,
                       size_t *out_len)
{
    static const char forgotten[] = "forgotten";
    uint32_t found = 0;
    size_t len = 0;
    for (size_t at = 0; at < line.len && len + sizeof(forgotten) < cap;) {
        size_t mention = mention_at(who, line, at);
        if (mention > 0) {
            memcpy(out + len, forgotten, sizeof(forgotten) - 1);
            len += sizeof(forgotten) - 1;
            at += mention;
            found++;
        } else {
            out[len++] = (char)line.ptr[at++];
        }
    }
    *out_len = len;
    return found;
}
