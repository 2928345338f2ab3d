/* SPDX-License-Identifier: Apache-2.0 */
/* Short ways to build profiles in tests. */
#ifndef GUARD_TEST_PROFILE_EXCHANGE_H
#define GUARD_TEST_PROFILE_EXCHANGE_H

#include "base/span.h"
#include "profile/builder.h"
#include "profile/record.h"
#include "support/failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { EXCHANGE_ARENA = 256 * 1024 };

static inline struct guard_span text(const char *string)
{
    return gd_span(string, strlen(string));
}

/* An exchange in the making; headers are "Name: value" lines that end with NULL. */
struct exchange {
    struct failing_alloc memory;
    struct guard_arena arena;
    struct gd_builder *builder;
    struct gd_profile *profile;
};

static inline enum guard_rc exchange_begin(struct exchange *exchange, uint64_t fail_at)
{
    struct guard_txn_cfg cfg = {.service = text("shop"), .hash_seed = 42, .time_ms = 1700000000000};
    failing_alloc_init(&exchange->memory, fail_at);
    guard_arena_init(&exchange->arena, &exchange->memory.alloc, EXCHANGE_ARENA);
    exchange->profile = NULL;
    return gd_builder_begin(&exchange->builder, &cfg, &exchange->arena);
}

static inline void exchange_header(struct exchange *exchange, const char *line)
{
    const char *colon = strchr(line, ':');
    gd_builder_header(exchange->builder, gd_span(line, (size_t)(colon - line)), text(colon + 2));
}

/* The body in chunks of at most `chunk` bytes. */
static inline void exchange_body(struct exchange *exchange, struct guard_span body, size_t chunk)
{
    for (size_t at = 0; at < body.len; at += chunk) {
        struct guard_span piece = gd_span_head(gd_span_from(body, at), chunk);
        /* A copy that dies with the call: what the builder keeps must be its own. */
        uint8_t *copy = malloc(piece.len);
        memcpy(copy, piece.ptr, piece.len);
        gd_builder_body(exchange->builder, gd_span(copy, piece.len));
        memset(copy, 0xdd, piece.len);
        free(copy);
    }
}

static inline struct gd_profile *exchange_end(struct exchange *exchange)
{
    gd_builder_end(exchange->builder);
    exchange->profile = gd_builder_profile(exchange->builder);
    return exchange->profile;
}

/* A whole request. content_type and body may be NULL. */
static inline struct gd_profile *exchange_run(struct exchange *exchange, const char *method,
                                              const char *target, const char *const *headers,
                                              const char *content_type, const char *body)
{
    assert_int_equal(exchange_begin(exchange, 0), GUARD_OK);
    gd_builder_request(exchange->builder, text(method), text(target), 11);
    for (; headers != NULL && *headers != NULL; headers++)
        exchange_header(exchange, *headers);
    if (content_type != NULL)
        gd_builder_header(exchange->builder, text("Content-Type"), text(content_type));
    (void)gd_builder_headers_end(exchange->builder);
    if (body != NULL)
        exchange_body(exchange, text(body), 65536);
    return exchange_end(exchange);
}

static inline void exchange_fini(struct exchange *exchange)
{
    guard_arena_reset(&exchange->arena);
    assert_int_equal(exchange->memory.live, 0);
}

static inline const struct gd_field *find_child(const struct gd_profile *profile,
                                                enum guard_location location, uint32_t parent,
                                                const char *name)
{
    for (uint32_t i = 0; i < profile->field_count; i++) {
        const struct gd_field *field = &profile->fields[i];
        if (field->location == location && field->parent == parent &&
            gd_span_equal(field->name, text(name)))
            return field;
    }
    return NULL;
}

static inline const struct gd_field *find_field(const struct gd_profile *profile,
                                                enum guard_location location, const char *name)
{
    return find_child(profile, location, GD_NO_FIELD, name);
}

static inline bool has_fault(const struct gd_profile *profile, enum guard_location location,
                             enum guard_fault fault)
{
    return profile->faults[location] >> (unsigned)fault & 1;
}

#endif
