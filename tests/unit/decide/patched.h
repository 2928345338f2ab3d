/* SPDX-License-Identifier: Apache-2.0 */
/* Patches in a policy, and messages held against it. */
#ifndef GUARD_TEST_DECIDE_PATCHED_H
#define GUARD_TEST_DECIDE_PATCHED_H

#include "base/span.h"
#include "support/naive_matcher.h"
#include "unit/policy/world.h"

#include <guard/likeness.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S(text) GUARD_SPAN_LITERAL(text)

struct fixture {
    struct world world;
    struct guard_policy *policy;
    struct naive_matcher naive;
    struct guard_matcher matcher;
    bool bare; /* without a matcher */
    struct guard_arena arena;
    struct guard_span revision;
    uint64_t now;
    size_t body_limit;
};

static inline struct guard_patch patch_of(const char *id, struct guard_patch_condition when)
{
    return (struct guard_patch){.id = world_span(id),
                                .title = S("a flaw"),
                                .mode = GUARD_PATCH_ENFORCE,
                                .action = GUARD_PATCH_BLOCK,
                                .when = when};
}

static inline struct guard_patch_condition leaf(enum guard_patch_operator op, uint32_t places,
                                                struct guard_span *text)
{
    return (struct guard_patch_condition){.op = op,
                                          .places = places,
                                          .texts = text,
                                          .text_count = text != NULL,
                                          .min = -1,
                                          .max = -1};
}

static inline void begin(struct fixture *f, struct guard_patch *patches, uint32_t count)
{
    memset(f, 0, sizeof(*f));
    world_init(&f->world);
    f->world.guardian.patches = patches;
    f->world.guardian.patch_count = count;
}

static inline void compile(struct fixture *f)
{
    f->policy = world_policy(&f->world);
    f->naive = (struct naive_matcher){.policy = f->policy};
    f->matcher = (struct guard_matcher){&f->naive, naive_scan, naive_find};
    guard_arena_init(&f->arena, &world_heap, 256 * 1024);
}

static inline void end(struct fixture *f)
{
    guard_arena_reset(&f->arena);
    world_policy_free(f->policy);
}

static inline const struct guard_verdict *send(struct fixture *f, const char *method,
                                               const char *target, const char *type,
                                               const char *header, struct guard_span body)
{
    struct guard_txn *txn;
    const struct guard_txn_cfg cfg = {.policy = f->policy,
                                      .service = f->world.guardian.service,
                                      .body_limit = f->body_limit,
                                      .time_ms = f->now,
                                      .revision = f->revision,
                                      .matcher = f->bare ? NULL : &f->matcher};
    guard_arena_reset(&f->arena);
    assert_int_equal(guard_txn_begin(&txn, &cfg, &f->arena), GUARD_OK);
    guard_txn_request(txn, world_span(method), world_span(target), 11);
    guard_txn_header(txn, S("Host"), S("shop.example"));
    if (type != NULL)
        guard_txn_header(txn, S("Content-Type"), world_span(type));
    if (header != NULL)
        guard_txn_header(txn, S("X-Api"), world_span(header));
    (void)guard_txn_headers_end(txn);
    while (body.len > 0) {
        guard_txn_body(txn, gd_span_head(body, 7000));
        body = gd_span_from(body, 7000);
    }
    return guard_txn_request_end(txn);
}

static inline bool hit(const struct guard_verdict *verdict, const char *id)
{
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        if (verdict->findings[i].rule == GUARD_RULE_PATCH &&
            gd_span_equal(verdict->findings[i].patch, world_span(id)))
            return true;
    }
    return false;
}

static inline bool unseen(const struct guard_verdict *verdict)
{
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        if (verdict->findings[i].rule == GUARD_RULE_PATCH_UNSEEN)
            return true;
    }
    return false;
}

static inline bool blocks(struct fixture *f, const char *method, const char *target,
                          const char *type, const char *header, const char *body)
{
    const struct guard_verdict *verdict =
        send(f, method, target, type, header, body == NULL ? gd_span(NULL, 0) : world_span(body));
    return hit(verdict, "P");
}

#endif
