/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a GraphQL document: no crash, what is opened is closed, and the check says the same
 * as the reading. The first byte chooses the limits. */
#include "http/graphql.h"
#include "http_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t on_node(void *ctx, uint32_t parent, enum gd_graphql_place place,
                        struct guard_span name)
{
    http_run_mark(ctx, (char)('A' + (int)place), parent, name);
    uint32_t node = (uint32_t)(parent * 7 + name.len + (uint32_t)place) % 20000;
    return node % 97 == 5 ? GD_GRAPHQL_SKIP : node;
}

static void on_value(void *ctx, uint32_t node, enum gd_graphql_type type, struct guard_span text)
{
    if (node == GD_GRAPHQL_SKIP)
        abort();
    http_run_mark(ctx, (char)('0' + (int)type), node, text);
}

static void on_leaf(void *ctx, uint32_t node)
{
    http_run_mark(ctx, 'l', node, gd_span(NULL, 0));
}

static void on_open(void *ctx, uint32_t node, enum gd_graphql_group group)
{
    http_run_open(ctx, node, group == GD_GRAPHQL_LIST);
}

static void on_close(void *ctx, uint32_t node, uint32_t items)
{
    http_run_close(ctx, node, false, items);
}

static void on_fault(void *ctx, enum guard_fault fault)
{
    http_run_fault(ctx, fault, GUARD_LOCATION_GRAPHQL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct gd_limits usual = {
        .names = 512, .leaves = 4096, .depth = 64, .value = 65536};
    static const struct gd_limits small = {.names = 4, .leaves = 8, .depth = 3, .value = 24};
    if (size == 0)
        return 0;
    const struct gd_limits *limits = data[0] & 1 ? &small : &usual;
    uint8_t *copy = malloc(size);
    if (copy == NULL)
        abort();
    memcpy(copy, data + 1, size - 1);
    struct guard_span text = {copy, size - 1};
    struct http_run run = {.fail_at = data[0] & 2};
    struct guard_alloc source = {&run, http_run_get, http_run_put};
    struct guard_arena arena;
    struct gd_buffer scratch;
    const struct gd_graphql_handler handler = {&run,    on_node,  on_value, on_leaf,
                                               on_open, on_close, on_fault};
    guard_arena_init(&arena, &source, 256 * 1024);
    gd_buffer_init(&scratch, &arena, limits->value);
    gd_graphql_read(text, false, &handler, limits, &scratch);
    if (run.open != 0)
        abort();
    /* Bad escapes are found by who decodes them. */
    if (run.faults == 0 && !gd_graphql_check(text, limits))
        abort();
    (void)gd_graphql_looks(text);
    guard_arena_reset(&arena);
    if (run.live != 0)
        abort();
    free(copy);
    return 0;
}
