/* SPDX-License-Identifier: Apache-2.0 */
/* Random profiles of a small service and piles that learn them: what the tests of piles share. */
#ifndef GUARD_TEST_PILE_TRAFFIC_H
#define GUARD_TEST_PILE_TRAFFIC_H

#include "base/arena.h"
#include "learn/pile_state.h"
#include "profile/record.h"

#include <guard/crypto.h>
#include <guard/likeness.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/failing_alloc.h"
#include "support/random.h"

static inline void *traffic_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static inline void traffic_release(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc traffic_memory = {NULL, traffic_alloc, traffic_release};

static inline struct guard_span traffic_text(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

struct traffic_shape {
    uint32_t clients;
    uint32_t paths; /* of two segments */
    uint32_t fields;
    uint32_t names; /* that a field may have */
    uint32_t values;
    uint64_t time_ms; /* of the first record */
    uint64_t span_ms;
    bool reads; /* values with "=" read like something */
};

static const struct traffic_shape traffic_usual = {
    .clients = 40,
    .paths = 6,
    .fields = 4,
    .names = 6,
    .values = 20,
    .time_ms = 1700000000000,
    .span_ms = 20 * 60 * 60 * 1000,
};

static inline struct guard_pile_cfg traffic_cfg(const struct guard_alloc *alloc)
{
    struct guard_pile_cfg cfg = {.alloc = *alloc, .service = traffic_text("shop")};
    memset(cfg.key, 7, sizeof(cfg.key));
    return cfg;
}

/* The pattern with number in place of its "%llu". */
static inline struct guard_span traffic_name(struct guard_arena *arena, const char *pattern,
                                             uint64_t number)
{
    char text[64];
    const char *mark = strstr(pattern, "%llu");
    size_t head = mark != NULL ? (size_t)(mark - pattern) : strlen(pattern);
    int len = snprintf(text, sizeof(text), "%.*s%llu%s", (int)head, pattern,
                       (unsigned long long)number, mark != NULL ? mark + 4 : "");
    return gd_arena_copy(arena, gd_span(text, (size_t)len));
}

static inline void traffic_field(struct test_random *random, const struct traffic_shape *shape,
                                 struct gd_profile *profile, struct guard_arena *arena)
{
    static const enum guard_location places[] = {GUARD_LOCATION_QUERY, GUARD_LOCATION_JSON,
                                                 GUARD_LOCATION_HEADER, GUARD_LOCATION_COOKIE,
                                                 GUARD_LOCATION_FORM};
    static const char *const forms[] = {"word%llu", "%llu", "a b=%llu", "x_%llu@y.org",
                                        "%llu-%llu"};
    struct gd_field *field = &profile->fields[profile->field_count];
    field->location = places[test_random_below(random, 5)];
    field->parent = GD_NO_FIELD;
    field->name = traffic_name(arena, "name%llu", test_random_below(random, shape->names));
    gd_summary_init(&field->summary);
    struct guard_span value = traffic_name(arena, forms[test_random_below(random, 4)],
                                           test_random_below(random, shape->values));
    gd_summary_add(&field->summary, value, 0, arena);
    if (shape->reads && memchr(value.ptr, '=', value.len) != NULL) {
        field->summary.construct = (uint8_t)(1 + value.ptr[value.len - 1] % 60);
        field->summary.likeness = (uint16_t)(1u << guard_construct_likeness(
                                                 (enum guard_construct)field->summary.construct));
        profile->likeness = true;
    }
    uint32_t above = (uint32_t)test_random_below(random, profile->field_count + 1);
    if (above < profile->field_count && profile->fields[above].location == field->location &&
        field->location == GUARD_LOCATION_JSON)
        field->parent = above;
    profile->field_count++;
}

/* A profile in the arena. */
static inline struct gd_profile traffic_profile(struct test_random *random,
                                                const struct traffic_shape *shape,
                                                struct guard_arena *arena)
{
    struct gd_profile profile = {.service = traffic_text("shop"), .latency_us = UINT32_MAX};
    uint64_t client = test_random_below(random, shape->clients);
    profile.method = traffic_text(test_random_once_in(random, 4) ? "POST" : "GET");
    profile.version = 11;
    profile.time_ms =
        shape->time_ms == 0 ? 0 : shape->time_ms + test_random_below(random, shape->span_ms + 1);
    profile.client.unit = (enum guard_unit)(client % 4);
    profile.client.address_len = profile.client.unit == GUARD_UNIT_ANONYMOUS ? 0 : 4;
    profile.client.address[0] = 10;
    profile.client.address[1] = (uint8_t)(client >> 8);
    profile.client.address[2] = (uint8_t)client;
    if (profile.client.unit == GUARD_UNIT_SUBJECT)
        profile.client.subject = traffic_name(arena, "subject%llu", client);
    profile.status = test_random_once_in(random, 10) ? 404 : 200;
    profile.segment_count = 2;
    profile.segments = gd_arena_get(arena, 2 * sizeof(*profile.segments));
    profile.segments[0] =
        (struct gd_segment){traffic_name(arena, "part%llu", test_random_below(random, 3)), false};
    profile.segments[1] = (struct gd_segment){
        traffic_name(arena, "page%llu", test_random_below(random, shape->paths)), false};
    profile.field_cap = shape->fields;
    profile.fields = gd_arena_get(arena, (shape->fields + 1) * sizeof(*profile.fields));
    memset(profile.fields, 0, (shape->fields + 1) * sizeof(*profile.fields));
    for (uint32_t i = 0; i < shape->fields; i++)
        traffic_field(random, shape, &profile, arena);
    if (profile.status == 404 && client % 3 == 1) { /* mistyped: as if the path said "tom'" */
        profile.fields[0].location = GUARD_LOCATION_PATH;
        profile.fields[0].name = traffic_text("seg1");
        gd_summary_add(&profile.fields[0].summary, traffic_text("tom'"), 0, arena);
    }
    if (test_random_once_in(random, 3)) {
        profile.body_kind = GUARD_BODY_JSON;
        profile.media_type = traffic_text("application/json");
        profile.body_bytes = (uint32_t)test_random_below(random, 5000);
        profile.depth = (uint32_t)test_random_below(random, 9);
    }
    if (test_random_once_in(random, 20))
        profile.faults[GUARD_LOCATION_QUERY] = UINT64_C(1) << GUARD_FAULT_BAD_ESCAPE;
    if (test_random_once_in(random, 20))
        profile.faults[GUARD_LOCATION_HEADER] = UINT64_C(1) << GUARD_FAULT_CONTROL;
    return profile;
}

/* Learns `count` records of a source, from its next sequence on. */
static inline enum guard_rc traffic_learn(struct guard_pile *pile, struct test_random *random,
                                          const struct traffic_shape *shape,
                                          struct guard_source source, uint32_t count)
{
    struct guard_arena arena;
    guard_arena_init(&arena, &traffic_memory, 4 * 1024 * 1024);
    enum guard_rc rc = GUARD_OK;
    for (uint32_t i = 0; i < count && rc == GUARD_OK; i++) {
        struct gd_profile profile = traffic_profile(random, shape, &arena);
        rc = gd_pile_observe_profile(pile, &source, &profile, NULL);
        source.sequence++;
        guard_arena_reset(&arena);
    }
    guard_arena_reset(&arena);
    return rc;
}

struct traffic_digest {
    uint8_t bytes[GUARD_DIGEST_BYTES];
};

static inline struct traffic_digest traffic_digest(const struct guard_pile *pile)
{
    struct traffic_digest digest;
    uint8_t *bytes;
    size_t len;
    if (guard_pile_encode(pile, &bytes, &len, NULL) != GUARD_OK)
        abort();
    guard_digest(digest.bytes, gd_span(bytes, len));
    pile->alloc.free(pile->alloc.ctx, bytes);
    return digest;
}

static inline bool traffic_equal(struct traffic_digest a, struct traffic_digest b)
{
    return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;
}

#endif
