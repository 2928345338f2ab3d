/* SPDX-License-Identifier: Apache-2.0 */
/* See eval_release.h. */
#include "eval_release.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const names[] = {"parameter", "missing", "content-type", "status"};

bool eval_release_read(const char *text, enum eval_release *out)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum eval_release)i;
            return true;
        }
    }
    return false;
}

static void take_target(struct guard_exchange *exchange, const char *room, int len)
{
    if (exchange->target.len < EVAL_RELEASE_TARGET / 2 && len > 0 && len < EVAL_RELEASE_TARGET)
        exchange->target = (struct guard_span){(const uint8_t *)room, (size_t)len};
}

static void add_parameter(uint64_t number, char room[EVAL_RELEASE_TARGET],
                          struct guard_exchange *exchange)
{
    static const char *const values[] = {"spring", "summer", "autumn", "winter"};
    bool query = memchr(exchange->target.ptr, '?', exchange->target.len) != NULL;
    take_target(exchange, room,
                snprintf(room, EVAL_RELEASE_TARGET, "%.*s%ccampaign=%s", (int)exchange->target.len,
                         (const char *)exchange->target.ptr, query ? '&' : '?',
                         values[number % 4]));
}

struct guard_span eval_release_drops(enum eval_release kind, const struct guard_exchange *exchange)
{
    const uint8_t *end = exchange->target.ptr + exchange->target.len;
    const uint8_t *query =
        exchange->target.len > 0 ? memchr(exchange->target.ptr, '?', exchange->target.len) : NULL;
    struct guard_span name = {NULL, 0};
    if (kind != EVAL_RELEASE_MISSING || query == NULL)
        return name;
    name.ptr = ++query;
    for (; query < end && *query != '&' && *query != '='; query++)
        name.len++;
    return name;
}

static void drop_parameter(char room[EVAL_RELEASE_TARGET], struct guard_exchange *exchange)
{
    const char *target = (const char *)exchange->target.ptr;
    const char *query = memchr(target, '?', exchange->target.len);
    if (query == NULL)
        return;
    size_t path = (size_t)(query - target);
    size_t rest = exchange->target.len - path - 1;
    const char *next = memchr(query + 1, '&', rest);
    size_t left = next != NULL ? rest - (size_t)(next + 1 - (query + 1)) : 0;
    take_target(exchange, room,
                snprintf(room, EVAL_RELEASE_TARGET, "%.*s%s%.*s", (int)path, target,
                         left > 0 ? "?" : "", (int)left, left > 0 ? next + 1 : ""));
}

static bool is_type(const struct guard_header *header)
{
    static const char name[] = "content-type";
    return header->name.len == sizeof(name) - 1 &&
           strncasecmp((const char *)header->name.ptr, name, sizeof(name) - 1) == 0;
}

static void change_type(struct guard_header *headers, uint32_t count)
{
    static const char before[] = "application/json";
    static const char after[] = "application/vnd.release.v2+json";
    for (uint32_t i = 0; i < count; i++) {
        struct guard_header *header = &headers[i];
        if (is_type(header) && header->value.len >= sizeof(before) - 1 &&
            strncasecmp((const char *)header->value.ptr, before, sizeof(before) - 1) == 0)
            header->value = (struct guard_span){(const uint8_t *)after, sizeof(after) - 1};
    }
}

static void redirect(struct guard_exchange *exchange)
{
    static const char name[] = "location";
    static const char value[] = "/done";
    if (exchange->status != 200)
        return;
    exchange->status = 303;
    exchange->response_body.len = 0;
    for (uint32_t i = 0; i < exchange->response_header_count; i++) {
        struct guard_header *header = &exchange->response_headers[i];
        if (is_type(header)) {
            header->name = (struct guard_span){(const uint8_t *)name, sizeof(name) - 1};
            header->value = (struct guard_span){(const uint8_t *)value, sizeof(value) - 1};
        }
    }
}

void eval_release_apply(enum eval_release kind, uint64_t number, char room[EVAL_RELEASE_TARGET],
                        struct guard_exchange *exchange)
{
    switch (kind) {
    case EVAL_RELEASE_MISSING:
        drop_parameter(room, exchange);
        return;
    case EVAL_RELEASE_CONTENT_TYPE:
        change_type(exchange->headers, exchange->header_count);
        change_type(exchange->response_headers, exchange->response_header_count);
        return;
    case EVAL_RELEASE_STATUS:
        redirect(exchange);
        return;
    case EVAL_RELEASE_PARAMETER:
    default:
        add_parameter(number, room, exchange);
    }
}
