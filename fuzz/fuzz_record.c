/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile records never harm, and what a record says is said again by the record of what was
 * decoded. Inputs that don't begin as a record are read as requests, so that the builder meets
 * everything as well. */
#include "base/span.h"
#include "profile/builder.h"
#include "profile/record.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *take(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void give(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc source = {NULL, take, give};

static void check(bool good)
{
    if (!good)
        abort();
}

static bool same_field(const struct gd_field *a, const struct gd_field *b)
{
    const struct gd_summary *x = &a->summary;
    const struct gd_summary *y = &b->summary;
    return a->location == b->location && a->parent == b->parent &&
           gd_span_equal(a->name, b->name) && x->classes == y->classes && x->types == y->types &&
           x->length_min == y->length_min && x->length_max == y->length_max &&
           x->digits_max == y->digits_max && x->specials_max == y->specials_max &&
           x->items_max == y->items_max && x->count == y->count &&
           x->transitions_full == y->transitions_full && x->literal_known == y->literal_known &&
           (!x->literal_known || x->literal == y->literal) && x->frequent == y->frequent &&
           x->transition_count == y->transition_count &&
           memcmp(x->transitions, y->transitions, x->transition_count * sizeof(*x->transitions)) ==
               0;
}

static void round_trip(const struct gd_profile *profile)
{
    static uint8_t record[GUARD_RECORD_MAX];
    size_t len = 0;
    struct guard_arena arena;
    struct gd_profile out;
    guard_arena_init(&arena, &source, GD_RECORD_ARENA);
    check(gd_record_encode(profile, record, sizeof(record), &len) == GUARD_OK);
    check(gd_record_decode(gd_span(record, len), &arena, &out) == GUARD_OK);
    check(out.field_count <= profile->field_count &&
          (out.cut || out.field_count == profile->field_count));
    for (uint32_t i = 0; i < out.field_count; i++)
        check(same_field(&out.fields[i], &profile->fields[i]));
    guard_arena_reset(&arena);
}

static void decode(struct guard_span input)
{
    struct guard_record_head head;
    struct guard_arena arena;
    struct gd_profile profile;
    enum guard_rc head_rc = guard_record_head_read(input, &head);
    guard_arena_init(&arena, &source, GD_RECORD_ARENA);
    enum guard_rc rc = gd_record_decode(input, &arena, &profile);
    check(rc != GUARD_E_NOMEM);
    if (rc == GUARD_OK) {
        check(head_rc == GUARD_OK);
        round_trip(&profile);
    }
    guard_arena_reset(&arena);
}

/* Lines: target, headers, an empty one, then the body; the first byte is the size of its chunks. */
static void build(struct guard_span input)
{
    struct guard_arena arena;
    struct gd_builder *builder;
    struct guard_txn_cfg cfg = {.service = GUARD_SPAN_LITERAL("s"), .hash_seed = 1};
    guard_arena_init(&arena, &source, 256 * 1024);
    check(gd_builder_begin(&builder, &cfg, &arena) == GUARD_OK);
    size_t chunk = input.ptr[0] == 0 ? SIZE_MAX : input.ptr[0];
    input = gd_span_from(input, 1);
    for (bool first = true; input.len > 0; first = false) {
        const uint8_t *end = memchr(input.ptr, '\n', input.len);
        struct guard_span line =
            gd_span_head(input, end == NULL ? input.len : (size_t)(end - input.ptr));
        input = gd_span_from(input, line.len + 1);
        if (first) {
            gd_builder_request(builder, GUARD_SPAN_LITERAL("POST"), line, 11);
            continue;
        }
        if (line.len == 0)
            break;
        const uint8_t *colon = memchr(line.ptr, ':', line.len);
        size_t name = colon == NULL ? line.len : (size_t)(colon - line.ptr);
        gd_builder_header(builder, gd_span_head(line, name), gd_span_from(line, name + 1));
    }
    (void)gd_builder_headers_end(builder);
    while (input.len > 0) {
        struct guard_span piece = gd_span_head(input, chunk);
        gd_builder_body(builder, piece);
        input = gd_span_from(input, piece.len);
    }
    gd_builder_end(builder);
    round_trip(gd_builder_profile(builder));
    guard_arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_span input = {data, size};
    if (size == 0 || data[0] == 'G')
        decode(input);
    else
        build(input);
    return 0;
}
