/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI document of a service made by hand, byte by byte: people keep such documents and
 * compare them, so that nothing may change in them by accident. */
#include "common/file.h"
#include "common/json_layout.h"
#include "common/openapi.h"
#include "unit/policy/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct guard_span made(struct world *world, struct guard_arena *arena)
{
    static struct guard_span methods[] = {GUARD_SPAN_LITERAL("GET")};
    static struct guard_status_range statuses[] = {{200, 200}, {400, 499}};
    static struct guard_criterion criteria[2];
    static struct guard_response_rule response;
    static struct guard_endpoint_rule rule;
    world_init(world);
    world_learn_responses(world);
    criteria[0] = world_criterion(GUARD_LOCATION_QUERY, "fields");
    criteria[0].types = 1u << GUARD_TYPE_WORD;
    criteria[0].length_max = 12;
    criteria[1] = world_criterion(GUARD_LOCATION_QUERY, "debug");
    criteria[1].forbidden = true;
    response =
        (struct guard_response_rule){.statuses = statuses, .status_count = 2, .body_max = 4096};
    rule = (struct guard_endpoint_rule){.template_text = GUARD_SPAN_LITERAL("/users/{int}"),
                                        .methods = methods,
                                        .method_count = 1,
                                        .mode = -1,
                                        .body_max = -1,
                                        .fields = criteria,
                                        .field_count = 2,
                                        .response = &response};
    world->guardian.endpoints = &rule;
    world->guardian.endpoint_count = 1;
    const struct openapi_cfg cfg = {&world->model, &world->guardian, false, NULL};
    struct guard_span text = {NULL, 0};
    if (openapi_write(&cfg, arena, &text, NULL) != GUARD_OK ||
        json_layout(text, JSON_LAYOUT_YAML, arena, &text, NULL) != GUARD_OK)
        return (struct guard_span){NULL, 0};
    return text;
}

int main(int argc, char **argv)
{
    static struct world world;
    struct guard_alloc heap = world_heap;
    struct guard_arena arena;
    uint8_t *held = NULL;
    size_t len = 0;
    if (argc < 2 || (argc > 2 && strcmp(argv[1], "--update") != 0)) {
        fprintf(stderr, "usage: %s [--update] openapi.yaml\n", argv[0]);
        return 2;
    }
    guard_arena_init(&arena, &heap, (size_t)64 << 20);
    struct guard_span text = made(&world, &arena);
    int status = text.len == 0;
    if (status == 0 && argc > 2) {
        status = file_replace(argv[2], text, 0644, false, NULL) != GUARD_OK;
    } else if (status == 0) {
        status = file_read(argv[1], (size_t)1 << 20, &held, &len, NULL) != GUARD_OK ||
                 len != text.len || memcmp(held, text.ptr, len) != 0;
        if (status != 0)
            fprintf(stderr, "%s isn't what this build writes\n", argv[1]);
    }
    free(held);
    guard_arena_reset(&arena);
    return status;
}
