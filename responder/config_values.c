/* SPDX-License-Identifier: Apache-2.0 */
/* Readers of single values. */
#include "config_values.h"

#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESS_TEXT = 64, BITS = 128, BITS4 = 32, MAPPED_BITS = 96 };

#define FAIL(reading, node, rc, ...)                                                               \
    document_fail_member((reading)->document, node, rc, (reading)->err, __VA_ARGS__)

bool is_word(const struct document_node *node, const char *word)
{
    return node != NULL && node->kind == DOCUMENT_SCALAR && node->text.len == strlen(word) &&
           memcmp(node->text.ptr, word, node->text.len) == 0;
}

enum guard_rc unknown_member(const struct reading *reading, const struct document_node *member)
{
    return document_fail(reading->document, member->key, GUARD_E_SYNTAX, reading->err,
                         "unknown member \"%.40s\"", (const char *)member->key->text.ptr);
}

enum guard_rc read_truth(const struct reading *reading, const struct document_node *node, bool *out)
{
    if (node->quoted || (!is_word(node, "true") && !is_word(node, "false")))
        return FAIL(reading, node, GUARD_E_RANGE, "must be true or false");
    *out = is_word(node, "true");
    return GUARD_OK;
}

enum guard_rc read_count(const struct reading *reading, const struct document_node *node,
                         uint32_t min, uint32_t max, uint32_t *out)
{
    uint32_t number = 0;
    bool good = node->kind == DOCUMENT_SCALAR && node->text.len >= 1 && node->text.len <= 8;
    for (size_t i = 0; good && i < node->text.len; i++) {
        good = node->text.ptr[i] >= '0' && node->text.ptr[i] <= '9';
        number = number * 10 + (uint32_t)(node->text.ptr[i] - '0');
    }
    if (!good || number < min || number > max)
        return FAIL(reading, node, GUARD_E_RANGE, "must be a number from %u to %u", min, max);
    *out = number;
    return GUARD_OK;
}

enum guard_rc read_seconds(const struct reading *reading, const struct document_node *node,
                           uint32_t min, uint32_t max, uint64_t *out_ms)
{
    uint32_t seconds;
    GUARD_TRY(read_count(reading, node, min, max, &seconds));
    *out_ms = (uint64_t)seconds * 1000;
    return GUARD_OK;
}

static bool is_plain(struct guard_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f)
            return false;
    }
    return text.len > 0;
}

enum guard_rc read_path(const struct reading *reading, const struct document_node *node,
                        const char **out)
{
    const char *text = (const char *)node->text.ptr;
    enum { PATH_LEN = 512 };
    if (node->kind != DOCUMENT_SCALAR || !is_plain(node->text) || text[0] != '/' ||
        node->text.len > PATH_LEN || strstr(text, "/../") != NULL)
        return FAIL(reading, node, GUARD_E_RANGE,
                    "must be an absolute path without blanks and \"..\", at most %d bytes",
                    PATH_LEN);
    *out = text;
    return GUARD_OK;
}

enum guard_rc read_name(const struct reading *reading, const struct document_node *node,
                        const char **out)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    const char *text = (const char *)node->text.ptr;
    if (node->kind != DOCUMENT_SCALAR || node->text.len == 0 ||
        node->text.len > GUARD_POD_NAME_MAX || strspn(text, letters) != node->text.len)
        return FAIL(reading, node, GUARD_E_RANGE,
                    "must be a name: letters, digits, '.', '-' and '_', at most %d bytes",
                    GUARD_POD_NAME_MAX);
    *out = text;
    return GUARD_OK;
}

enum guard_rc read_command(const struct reading *reading, const struct document_node *node,
                           char ***out)
{
    uint32_t count = 0;
    if (node->kind != DOCUMENT_SEQUENCE || node->first == NULL)
        return FAIL(reading, node, GUARD_E_SYNTAX, "must be a list: a path and its arguments");
    if (node->count > CONFIG_WORDS_MAX)
        return FAIL(reading, node, GUARD_E_LIMIT, "has more than %d words", CONFIG_WORDS_MAX);
    char **words = guard_arena_get(reading->document->arena, (node->count + 1) * sizeof(*words));
    if (words == NULL)
        return FAIL(reading, node, GUARD_E_NOMEM, "no memory");
    for (const struct document_node *word = node->first; word != NULL; word = word->next) {
        if (word->kind != DOCUMENT_SCALAR || memchr(word->text.ptr, '\0', word->text.len) != NULL)
            return FAIL(reading, word, GUARD_E_RANGE, "must be a text without NUL");
        words[count] = guard_arena_get(reading->document->arena, word->text.len + 1);
        if (words[count] == NULL)
            return FAIL(reading, node, GUARD_E_NOMEM, "no memory");
        memcpy(words[count++], word->text.ptr, word->text.len + 1);
    }
    words[count] = NULL;
    if (words[0][0] != '/')
        return FAIL(reading, node->first, GUARD_E_RANGE, "must be an absolute path");
    *out = words;
    return GUARD_OK;
}

/* "ADDRESS[/BITS][:PORT]", IPv6 with a port in brackets. */
static bool split(const char *text, char address[ADDRESS_TEXT], const char **port)
{
    const char *begin = text[0] == '[' ? text + 1 : text;
    const char *end = text[0] == '[' ? strchr(text, ']') : NULL;
    const char *colon = strchr(text, ':');
    if (text[0] != '[')
        end = colon != NULL && strchr(colon + 1, ':') == NULL ? colon : text + strlen(text);
    if (end == NULL || end - begin >= ADDRESS_TEXT)
        return false;
    snprintf(address, ADDRESS_TEXT, "%.*s", (int)(end - begin), begin);
    const char *rest = text[0] == '[' ? end + 1 : end;
    *port = rest[0] == ':' ? rest + 1 : NULL;
    return rest[0] == '\0' || (rest[0] == ':' && rest[1] != '\0');
}

static bool read_number(const char *text, unsigned long max, unsigned *out)
{
    char *end;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 5)
        return false;
    unsigned long number = strtoul(text, &end, 10);
    *out = (unsigned)number;
    return *end == '\0' && number <= max;
}

static bool parse_destination(const char *text, struct contain_allow *out)
{
    char address[ADDRESS_TEXT];
    const char *port_text;
    unsigned port = 0, bits;
    uint8_t mask[16] = {0};
    *out = (struct contain_allow){.used = 1};
    if (!split(text, address, &port_text))
        return false;
    char *slash = strchr(address, '/');
    if (slash != NULL)
        *slash = '\0';
    bool four = inet_pton(AF_INET, address, &out->address[3]) == 1;
    if (four)
        out->address[2] = htonl(0xffff);
    else if (inet_pton(AF_INET6, address, out->address) != 1)
        return false;
    unsigned most = four ? BITS4 : BITS;
    bits = most;
    if (slash != NULL && !read_number(slash + 1, most, &bits))
        return false;
    if (port_text != NULL && (!read_number(port_text, UINT16_MAX, &port) || port == 0))
        return false;
    bits += four ? MAPPED_BITS : 0;
    for (unsigned i = 0; i < bits; i++)
        mask[i / 8] = (uint8_t)(mask[i / 8] | 0x80u >> i % 8);
    memcpy(out->mask, mask, sizeof(mask));
    out->port = htons((uint16_t)port);
    return true;
}

enum guard_rc read_destination(const struct reading *reading, const struct document_node *node,
                               struct contain_allow *out)
{
    if (node->kind != DOCUMENT_SCALAR || !parse_destination((const char *)node->text.ptr, out))
        return FAIL(reading, node, GUARD_E_RANGE,
                    "must be an address with /BITS and :PORT as wanted, IPv6 with a port in "
                    "brackets: 10.0.0.10:53, 10.0.0.0/8, [fd00::/8]:443");
    return GUARD_OK;
}

enum guard_rc read_mapping(const struct reading *reading, const struct document_node *node,
                           member_reader *take, void *ctx)
{
    bool nothing = node->kind == DOCUMENT_SCALAR && node->text.len == 0 && !node->quoted;
    if (node->kind != DOCUMENT_MAPPING && !nothing)
        return FAIL(reading, node, GUARD_E_SYNTAX, "must be a mapping");
    for (const struct document_node *member = node->first; member != NULL; member = member->next)
        GUARD_TRY(take(reading, member, ctx));
    return GUARD_OK;
}
