/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of records and policies, which gates and guardds of different age exchange: a change of
 * a format shows here and wants another version number. The same files are the fuzzers' seeds. */
#include "unit/policy/world.h"

#include "profile/builder.h"
#include "profile/record.h"
#include "unit/profile/exchange.h"

#include <stdio.h>
#include <stdlib.h>

static const char *corpus; /* the folder of all corpora */
static bool update;
static int failures;

static void agree(const char *name, struct guard_span bytes)
{
    char path[4096];
    uint8_t *held = malloc(bytes.len + 1);
    (void)snprintf(path, sizeof(path), "%s/%s", corpus, name);
    FILE *file = fopen(path, update ? "wb" : "rb");
    size_t done = 0;
    if (file != NULL && held != NULL)
        done = update ? fwrite(bytes.ptr, 1, bytes.len, file) : fread(held, 1, bytes.len + 1, file);
    if (file != NULL)
        (void)fclose(file);
    if (done != bytes.len || (!update && memcmp(held, bytes.ptr, bytes.len) != 0)) {
        fprintf(stderr, "%s isn't what this build writes (%zu bytes)\n", path, bytes.len);
        failures++;
    }
    free(held);
}

/* A call of the service. */
static void outbound(const char *name)
{
    uint8_t bytes[GUARD_RECORD_MAX];
    size_t len = 0;
    struct guard_alloc heap = world_heap;
    struct guard_arena arena;
    struct gd_builder *builder;
    struct guard_txn_cfg cfg = {.service = text("shop.egress"), .outbound = true};
    guard_arena_init(&arena, &heap, EXCHANGE_ARENA);
    assert_int_equal(gd_builder_begin(&builder, &cfg, &arena), GUARD_OK);
    gd_builder_request(builder, text("GET"), text("/charge/17?currency=eur"), 11);
    gd_builder_header(builder, text("Host"), text("Payments:8443"));
    (void)gd_builder_headers_end(builder);
    gd_builder_end(builder);
    assert_int_equal(gd_record_encode(gd_builder_profile(builder), bytes, sizeof(bytes), &len),
                     GUARD_OK);
    agree(name, gd_span(bytes, len));
    guard_arena_reset(&arena);
}

static void record(const char *name, const char *target, const char *const *headers,
                   const char *type, const char *body, size_t cap)
{
    uint8_t bytes[GUARD_RECORD_MAX];
    size_t len = 0;
    struct exchange exchange;
    struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {192, 0, 2, 7}};
    struct gd_profile *profile =
        exchange_run(&exchange, body == NULL ? "GET" : "POST", target, headers, type, body);
    profile->client = client;
    profile->status = 200;
    profile->latency_us = 1500;
    assert_int_equal(gd_record_encode(profile, bytes, cap, &len), GUARD_OK);
    agree(name, gd_span(bytes, len));
    exchange_fini(&exchange);
}

/* Of a new revision, with what nobody used before. */
static void revision(const char *name)
{
    uint8_t bytes[GUARD_RECORD_MAX];
    size_t len = 0;
    struct exchange exchange;
    struct gd_profile *profile = exchange_run(&exchange, "GET", "/a?new=1", NULL, NULL, NULL);
    profile->revision = text("v2-7f3a");
    profile->decision = GUARD_ALERT;
    profile->novel = true;
    profile->novel_count = 1;
    profile->novel_elements[0] = UINT64_C(0x1122334455667788);
    assert_int_equal(gd_record_encode(profile, bytes, sizeof(bytes), &len), GUARD_OK);
    agree(name, gd_span(bytes, len));
    exchange_fini(&exchange);
}

static void records(void)
{
    static const char *const headers[] = {"Host: shop.test", "Accept: text/html;q=0.8, */*",
                                          "Cookie: session=0123456789abcdef; theme=dark", NULL};
    record("record/record-get", "/users/4711?sort=asc&q=blue+mug&tag[]=a&tag[]=b", headers, NULL,
           NULL, GUARD_RECORD_MAX);
    record("record/record-json", "/orders", headers, "application/json",
           "{\"id\":\"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\",\"price\":-1.5,\"tags\":[\"new\","
           "\"sale!\"],\"address\":{\"zip\":\"12345\",\"12\":null},\"ok\":true}",
           GUARD_RECORD_MAX);
    record("record/record-transitions", "/a", NULL, "text/plain",
           "a!b\"c#d$e%f&g'h(i)j*k+l,m:n;o<p=q>r?s@t[u\\v]w^x_y`z{0|1}2~", GUARD_RECORD_MAX);
    record("record/record-cut", "/a?one=1&two=2&three=3&four=4&five=5", headers, NULL, NULL, 250);
    outbound("record/record-outbound");
    revision("record/record-revision");
    agree("record/record-head", gd_span("G\2\0\0", 4));
    agree("record/record-version", gd_span("G\3", 2));
}

static void policy(const char *name, const struct world *world, bool learned)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err = {""};
    enum guard_rc rc = guard_policy_compile(&bytes, &len, learned ? &world->model : NULL,
                                            &world->guardian, &world->cfg, NULL, &err);
    if (rc != GUARD_OK)
        fail_msg("%s: %s", name, err.text);
    agree(name, gd_span(bytes, len));
    free(bytes);
}

/* What a person says of responses, over what was learned of them. */
static void responses(void)
{
    static struct world world;
    static struct guard_status_range statuses[2] = {{200, 200}, {400, 499}};
    static struct guard_criterion criteria[2];
    static struct guard_response_rule response;
    static struct guard_endpoint_rule rule;
    world_init(&world);
    world_learn_responses(&world);
    criteria[0] = world_criterion(GUARD_LOCATION_JSON, "address.zip");
    criteria[0].required = 1;
    criteria[1] = world_criterion(GUARD_LOCATION_HEADER, "cache-control");
    criteria[1].length_max = 20;
    response = (struct guard_response_rule){.statuses = statuses,
                                            .status_count = 2,
                                            .body_max = 500,
                                            .closed = true,
                                            .fields = criteria,
                                            .field_count = 2,
                                            .leaks_forbidden = 1u << GUARD_LEAK_STACK_TRACE};
    rule = (struct guard_endpoint_rule){.template_text = world_span("/users/{int}"),
                                        .mode = -1,
                                        .body_max = -1,
                                        .response = &response};
    world.guardian.response = &response;
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
    policy("policy/responses", &world, true);
    policy("policy/responses-only", &world, false);
}

static void policy_of_exceptions(void)
{
    struct world world;
    const struct guard_span endpoints[] = {GUARD_SPAN_LITERAL("/search"),
                                           GUARD_SPAN_LITERAL("/files/{*}")};
    const struct guard_span names[] = {GUARD_SPAN_LITERAL("user*"), GUARD_SPAN_LITERAL("a[].b")};
    const struct guard_span method = GUARD_SPAN_LITERAL("GET");
    const struct guard_span patch = GUARD_SPAN_LITERAL("CVE-2021-44228");
    const struct guard_address_prefix clients[] = {{{192, 0, 2}, 4, 24}, {{0x20, 1}, 16, 16}};
    struct guard_exception exceptions[] = {
        {.id = GUARD_SPAN_LITERAL("FP-1"),
         .endpoints = endpoints,
         .endpoint_count = 2,
         .methods = &method,
         .method_count = 1,
         .clients = clients,
         .client_count = 2,
         .locations = 1u << GUARD_LOCATION_QUERY | 1u << GUARD_LOCATION_JSON,
         .names = names,
         .name_count = 2,
         .rules = {UINT64_C(1) << GUARD_RULE_CHARACTER | UINT64_C(1) << GUARD_RULE_LIKENESS,
                   UINT64_C(1) << (GUARD_RULE_CLIENT_VERDICT - 64)}},
        {.id = GUARD_SPAN_LITERAL("FP-2"), .patches = &patch, .patch_count = 1}};
    for (size_t i = 0; i < 2; i++) {
        exceptions[i].author = exceptions[i].reason = GUARD_SPAN_LITERAL("x");
        exceptions[i].created_ms = 1;
        exceptions[i].expires_ms = 2000000;
    }
    world_init(&world);
    world.guardian.exceptions = exceptions;
    world.guardian.exception_count = 2;
    policy("policy/exceptions", &world, true);
}

/* Conditions of every kind, as a policy carries them. */
static void policy_of_patches(void)
{
    static struct world world;
    static struct guard_patch patches[3];
    const struct guard_span texts[] = {GUARD_SPAN_LITERAL("${jndi:"), GUARD_SPAN_LITERAL("a+b")};
    const struct guard_span names[] = {GUARD_SPAN_LITERAL("x-*")};
    const struct guard_span paths[] = {GUARD_SPAN_LITERAL("/search"), GUARD_SPAN_LITERAL("/f/{*}")};
    struct guard_patch_condition leaves[] = {
        {.op = GUARD_OPERATOR_CONTAINS, .ignore_case = true, .min = -1, .max = -1},
        {.op = GUARD_OPERATOR_REGEX, .view = GUARD_VIEW_RAW, .min = -1, .max = -1},
        {.op = GUARD_OPERATOR_LENGTH, .places = GUARD_PLACE_QUERY, .min = 5, .max = 900},
        {.op = GUARD_OPERATOR_LIKENESS, .likeness = 1, .min = -1, .max = -1},
    };
    leaves[0].texts = &texts[0];
    leaves[1].texts = &texts[1];
    leaves[0].text_count = leaves[1].text_count = leaves[0].name_count = 1;
    leaves[0].names = names;
    const struct guard_patch_condition no = {
        .op = GUARD_OPERATOR_NOT, .children = &leaves[2], .child_count = 1};
    const struct guard_patch_condition any[] = {leaves[1], no, leaves[3]};
    const struct guard_patch_condition all[] = {
        leaves[0], {.op = GUARD_OPERATOR_ANY, .children = any, .child_count = 3}};
    for (size_t i = 0; i < 3; i++)
        patches[i] = (struct guard_patch){.id = gd_span(&"ABC"[i], 1),
                                          .title = GUARD_SPAN_LITERAL("a flaw"),
                                          .mode = GUARD_PATCH_ENFORCE,
                                          .action = GUARD_PATCH_BLOCK,
                                          .when = all[0]};
    patches[0].when =
        (struct guard_patch_condition){.op = GUARD_OPERATOR_ALL, .children = all, .child_count = 2};
    patches[0].endpoints = paths;
    patches[0].endpoint_count = 2;
    patches[1].when = no;
    patches[1].expires_ms = 5000;
    patches[2].part = GUARD_PATCH_RESPONSE;
    world_init(&world);
    world.guardian.patches = patches;
    world.guardian.patch_count = 3;
    policy("policy/patches", &world, true);
}

static void policies(void)
{
    policy_of_patches();
    policy_of_exceptions();
    static struct world world;
    static struct guard_span values[2];
    static struct guard_criterion criteria[4];
    static struct guard_endpoint_rule rule;
    values[0] = GUARD_SPAN_LITERAL("asc");
    values[1] = GUARD_SPAN_LITERAL("desc");
    for (size_t i = 0; i < 4; i++) {
        static const char *const names[] = {"username", "id", "sort", "never"};
        criteria[i] = world_criterion(GUARD_LOCATION_QUERY, names[i]);
    }
    criteria[0].length_max = 20;
    criteria[1].types = 1u << GUARD_TYPE_INT;
    criteria[2].values = values;
    criteria[2].value_count = 2;
    criteria[3].forbidden = true;
    rule = (struct guard_endpoint_rule){.template_text = world_span("/search"),
                                        .mode = -1,
                                        .body_max = -1,
                                        .fields = criteria,
                                        .field_count = 4};
    world_init(&world);
    policy("policy/learned", &world, true);
    policy("policy/empty", &world, false);
    struct guard_model_field *name =
        world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "username");
    name->pending_classes = UINT64_C(1) << GUARD_CLASS_DIGIT;
    name->pending_transitions[GUARD_CLASS_LOWER] = UINT64_C(1) << GUARD_CLASS_DIGIT;
    world_field(&world, WORLD_SEARCH, GUARD_LOCATION_QUERY, "note")->trusted = false;
    policy("policy/pending", &world, true);
    world_init(&world);
    world.guardian.endpoints = &rule;
    world.guardian.endpoint_count = 1;
    policy("policy/configured", &world, true);
    policy("policy/configured-only", &world, false);
    responses();
}

int main(int argc, char **argv)
{
    update = argc == 3 && strcmp(argv[1], "--update") == 0;
    if (argc != (update ? 3 : 2)) {
        fprintf(stderr, "usage: %s [--update] fuzz/corpus\n", argv[0]);
        return 2;
    }
    corpus = argv[argc - 1];
    records();
    policies();
    return failures == 0 ? 0 : 1;
}
