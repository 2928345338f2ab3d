/* SPDX-License-Identifier: Apache-2.0 */
/* The service by hand: its model, taught by the same summaries that traffic makes. */
#include "unit/policy/world.h"

#include "policy/policy.h"
#include "profile/transition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void *heap_get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size == 0 ? 1 : size);
}

static void heap_put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

const struct guard_alloc world_heap = {NULL, heap_get, heap_put};
bool world_shadow;
uint64_t world_time_ms;
const char world_headers[] =
    "host: shop.test\nuser-agent: curl/7.88.1\naccept: */*\ncookie: lang=en\n";

struct guard_span world_span(const char *text)
{
    return gd_span(text, strlen(text));
}

static void strong(uint16_t strength[GUARD_RULE_COUNT])
{
    for (int i = 0; i < GUARD_RULE_COUNT; i++)
        strength[i] = WORLD_STRENGTH;
}

static uint32_t node(struct world *world, uint32_t parent, const char *text, uint32_t types)
{
    uint32_t index = world->model.node_count++;
    struct guard_model_node *out = &world->nodes[index];
    out->text = world_span(text);
    out->parent = parent;
    out->wildcard = text[0] == '{';
    out->types = types;
    out->strength[0] = out->strength[1] = WORLD_STRENGTH;
    out->exchanges = 1000;
    return index;
}

static struct guard_model_endpoint *endpoint(struct world *world, const char *method,
                                             const char *text, uint32_t at)
{
    struct guard_model_endpoint *out = &world->endpoints[world->model.endpoint_count++];
    out->method = world_span(method);
    out->template_text = world_span(text);
    out->node = at;
    out->exchanges = 5000;
    out->clients = 120;
    out->trusted = out->ready = true;
    out->first_field = world->model.field_count;
    strong(out->strength);
    return out;
}

static void literal(struct world *world, struct guard_model_field *field, uint64_t code)
{
    if (field->literal_count == 0)
        field->literals = &world->literals[world->literal_count];
    uint32_t at = field->literal_count++;
    for (; at > 0 && field->literals[at - 1] > code; at--)
        field->literals[at] = field->literals[at - 1];
    field->literals[at] = code;
    world->literal_count++;
}

static void teach(struct guard_model_field *field, const char *value, uint32_t json, uint64_t *code)
{
    struct guard_arena arena;
    guard_arena_init(&arena, &world_heap, 64 * 1024);
    struct gd_summary summary;
    gd_summary_init(&summary);
    gd_summary_add(&summary, world_span(value), json, &arena);
    field->classes |= summary.classes;
    field->types |= summary.types;
    struct gd_transition_walk walk = gd_transitions(&summary);
    for (uint32_t transition; gd_transition_next(&walk, &transition);)
        field->transitions[transition >> 6] |= UINT64_C(1) << (transition & 63);
    if (field->values == 0 || summary.length_min < field->length_min)
        field->length_min = summary.length_min;
    if (summary.length_max > field->length_max)
        field->length_max = summary.length_max;
    if (summary.digits_max > field->digits_max)
        field->digits_max = summary.digits_max;
    if (summary.specials_max > field->specials_max)
        field->specials_max = summary.specials_max;
    field->values++;
    if (code != NULL)
        *code = summary.literal;
    guard_arena_reset(&arena);
}

void world_teach(struct guard_model_field *field, const char *value)
{
    teach(field, value, field->location == GUARD_LOCATION_JSON ? 1u << GUARD_TYPE_STRING : 0, NULL);
}

/* values: "|" between them; numbers of JSON are not strings. */
static struct guard_model_field *field(struct world *world, enum guard_location location,
                                       uint32_t parent, const char *name, const char *path,
                                       const char *values, uint32_t json)
{
    struct guard_model_field *out = &world->fields[world->model.field_count++];
    out->location = location;
    out->parent = parent;
    out->name = world_span(name);
    out->path = world_span(path);
    out->trusted = true;
    strong(out->strength);
    char text[256];
    snprintf(text, sizeof(text), "%s", values);
    for (char *at = text; values[0] != '\0' && at != NULL;) {
        char *end = strchr(at, '|');
        if (end != NULL)
            *end = '\0';
        teach(out, at, json, NULL);
        at = end == NULL ? NULL : end + 1;
    }
    out->values = 48211;
    out->clients = 3120;
    return out;
}

static struct guard_model_field *plain(struct world *world, enum guard_location location,
                                       const char *name, const char *values)
{
    return field(world, location, GUARD_NO_INDEX, name, name, values, 0);
}

/* A field with one closed set of values. */
static void closed(struct world *world, struct guard_model_field *field, const char *const *values)
{
    field->closed = true;
    for (; *values != NULL; values++) {
        uint64_t code = 0;
        teach(field, *values, 0, &code);
        literal(world, field, gd_policy_literal(world->model.literal_key, code, NULL));
    }
    field->values = 48211;
}

static void end_fields(struct world *world, struct guard_model_endpoint *endpoint)
{
    endpoint->field_count = world->model.field_count - endpoint->first_field;
}

static void make_search(struct world *world, uint32_t root)
{
    static const char *const orders[] = {"asc", "desc", NULL};
    struct guard_model_endpoint *search =
        endpoint(world, "GET", "/search", node(world, root, "search", 0));
    plain(world, GUARD_LOCATION_QUERY, "username", "tom|alice|bob|christine")->required = true;
    plain(world, GUARD_LOCATION_QUERY, "id", "1|42|2024");
    closed(world, plain(world, GUARD_LOCATION_QUERY, "sort", ""), orders);
    plain(world, GUARD_LOCATION_QUERY, "note", "two words|fine, thanks|a-b");
    plain(world, GUARD_LOCATION_QUERY, "tag[]", "red|blue")->items_max = 3;
    end_fields(world, search);
}

static void make_order(struct world *world, uint32_t at)
{
    static struct guard_span media[1];
    media[0] = GUARD_SPAN_LITERAL("application/json");
    const uint32_t string = 1u << GUARD_TYPE_STRING;
    struct guard_model_endpoint *order = endpoint(world, "POST", "/orders", at);
    order->media_types = media;
    order->media_count = 1;
    order->body_seen = true;
    order->body_max = 512;
    order->depth_max = 3;
    struct guard_model_field *document =
        field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "", "", "", 0);
    document->types = 1u << GUARD_TYPE_OBJECT;
    document->items_max = 6;
    field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "item", "item", "chair|table", string)
        ->required = true;
    field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "qty", "qty", "1|12", 1u << GUARD_TYPE_INT);
    uint32_t address = world->model.field_count;
    struct guard_model_field *object =
        field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "address", "address", "", 0);
    object->types = 1u << GUARD_TYPE_OBJECT;
    object->items_max = 3;
    field(world, GUARD_LOCATION_JSON, address, "zip", "address.zip", "12345|99001", string)
        ->required = true;
    field(world, GUARD_LOCATION_JSON, address, "city", "address.city", "Rome|Oslo", string);
    uint32_t tags = world->model.field_count;
    struct guard_model_field *array =
        field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "tags", "tags", "", 0);
    array->types = 1u << GUARD_TYPE_ARRAY;
    array->items_max = 4;
    field(world, GUARD_LOCATION_JSON, tags, "[]", "tags[]", "new|sale", string);
    end_fields(world, order);
}

static void make_service(struct world *world)
{
    world->model.first_service_field = world->model.field_count;
    plain(world, GUARD_LOCATION_HEADER, "host", "shop.test")->required = true;
    plain(world, GUARD_LOCATION_HEADER, "user-agent",
          "curl/7.88.1|Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101");
    plain(world, GUARD_LOCATION_HEADER, "accept", "*/*|text/html");
    plain(world, GUARD_LOCATION_HEADER, "content-type",
          "application/json|application/x-www-form-urlencoded");
    plain(world, GUARD_LOCATION_COOKIE, "lang", "en|de");
    world->model.service_field_count = world->model.field_count - world->model.first_service_field;
    strong(world->model.service_strength);
}

void world_init(struct world *world)
{
    static struct guard_span form[1];
    form[0] = GUARD_SPAN_LITERAL("application/x-www-form-urlencoded");
    memset(world, 0, sizeof(*world));
    struct guard_model *model = &world->model;
    model->service = GUARD_SPAN_LITERAL("shop");
    memset(model->literal_key, 7, sizeof(model->literal_key));
    memset(model->client_key, 9, sizeof(model->client_key));
    model->exchanges = 60000;
    model->clients = 3200;
    model->ready = true;
    model->nodes = world->nodes;
    model->endpoints = world->endpoints;
    model->fields = world->fields;
    uint32_t root = node(world, GUARD_NO_INDEX, "", 0);
    make_search(world, root);
    uint32_t users = node(world, root, "users", 0);
    struct guard_model_endpoint *user =
        endpoint(world, "GET", "/users/{int}", node(world, users, "{int}", 1u << GUARD_TYPE_INT));
    plain(world, GUARD_LOCATION_PATH, "seg0", "users");
    plain(world, GUARD_LOCATION_PATH, "seg1", "7|4711");
    end_fields(world, user);
    uint32_t orders = node(world, root, "orders", 0);
    make_order(world, orders);
    struct guard_model_endpoint *login =
        endpoint(world, "POST", "/login", node(world, root, "login", 0));
    login->media_types = form;
    login->media_count = 1;
    login->body_seen = true;
    login->body_max = 256;
    plain(world, GUARD_LOCATION_FORM, "user", "tom|alice");
    plain(world, GUARD_LOCATION_FORM, "password", "secret1|hunter22");
    end_fields(world, login);
    struct guard_model_endpoint *file =
        endpoint(world, "GET", "/files/{}", node(world, node(world, root, "files", 0), "{}", 0));
    plain(world, GUARD_LOCATION_PATH, "seg1", "readme|notes|plan-b");
    end_fields(world, file);
    endpoint(world, "PUT", "/orders", orders)->trusted = false;
    make_service(world);
    guard_guardian_default(&world->guardian, model->service);
    world->guardian.mode = world->guardian.request_mode = GUARD_MODE_BLOCK;
    world->cfg = (struct guard_policy_cfg){
        .alloc = world_heap, .generation = 5, .created_ms = 1700000000000, .alpha = 1e-3};
}

/* A response behind the endpoints; its fields follow. */
static struct guard_model_endpoint *response(struct world *world, uint32_t status, uint32_t of)
{
    struct guard_model_endpoint *out =
        &world->endpoints[world->model.endpoint_count + world->model.answer_count++];
    out->status = status;
    out->answer_of = of;
    out->exchanges = 5000;
    out->clients = 120;
    out->trusted = out->ready = true;
    out->body_seen = true;
    out->body_max = 400;
    out->depth_max = 2;
    out->first_field = world->model.field_count;
    strong(out->strength);
    return out;
}

static void json_type(struct guard_model_endpoint *response)
{
    static struct guard_span media[1];
    media[0] = GUARD_SPAN_LITERAL("application/json");
    response->media_types = media;
    response->media_count = 1;
}

static void document(struct world *world)
{
    struct guard_model_field *made =
        field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "", "", "", 0);
    made->types = 1u << GUARD_TYPE_OBJECT;
    made->items_max = 6;
}

static void common_headers(struct world *world)
{
    plain(world, GUARD_LOCATION_HEADER, "cache-control", "no-store|max-age=60");
    plain(world, GUARD_LOCATION_HEADER, "content-type", "application/json");
}

void world_learn_responses(struct world *world)
{
    const uint32_t string = 1u << GUARD_TYPE_STRING;
    world->endpoints[WORLD_USER].statuses = 1u << 2;
    struct guard_model_endpoint *success = response(world, 2, GUARD_NO_INDEX);
    common_headers(world);
    end_fields(world, success);
    struct guard_model_endpoint *failure = response(world, 4, GUARD_NO_INDEX);
    common_headers(world);
    json_type(failure);
    document(world);
    field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "error", "error", "not found", string);
    end_fields(world, failure);
    struct guard_model_endpoint *user = response(world, 2, WORLD_USER);
    json_type(user);
    document(world);
    field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "id", "id", "7|42|1971",
          1u << GUARD_TYPE_INT);
    field(world, GUARD_LOCATION_JSON, GUARD_NO_INDEX, "name", "name", "tom|alice", string);
    end_fields(world, user);
}

struct guard_criterion world_criterion(enum guard_location location, const char *name)
{
    return (struct guard_criterion){.location = location,
                                    .name = world_span(name),
                                    .required = -1,
                                    .length_max = -1,
                                    .length_min = -1,
                                    .items_max = -1};
}

struct guard_model_field *world_field(struct world *world, int endpoint,
                                      enum guard_location location, const char *path)
{
    uint32_t first = world->model.first_service_field;
    uint32_t count = world->model.service_field_count;
    if (endpoint >= 0) {
        first = world->endpoints[endpoint].first_field;
        count = world->endpoints[endpoint].field_count;
    }
    for (uint32_t i = first; i < first + count; i++) {
        if (world->fields[i].location == location &&
            gd_span_equal(world->fields[i].path, world_span(path)))
            return &world->fields[i];
    }
    fail_msg("the world has no field %s", path);
    return NULL;
}

static void free_bytes(void *ctx)
{
    free(ctx);
}

struct guard_policy *world_policy(const struct world *world)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err = {""};
    struct guard_policy *policy = NULL;
    enum guard_rc rc = guard_policy_compile(&bytes, &len, &world->model, &world->guardian,
                                            &world->cfg, NULL, &err);
    if (rc == GUARD_OK)
        rc = guard_policy_load(&policy, &world_heap, gd_span(bytes, len), world->guardian.service,
                               NULL, &err);
    if (rc != GUARD_OK)
        fail_msg("%s: %s", guard_rc_name(rc), err.text);
    guard_policy_on_free(policy, free_bytes, bytes);
    return policy;
}

void world_policy_free(struct guard_policy *policy)
{
    guard_policy_unref(policy);
}

static void send_headers(struct guard_txn *txn, const char *headers,
                         void (*send)(struct guard_txn *txn, struct guard_span name,
                                      struct guard_span value))
{
    while (*headers != '\0') {
        const char *colon = strchr(headers, ':');
        const char *end = strchr(headers, '\n');
        assert_true(colon != NULL && end != NULL && colon < end);
        send(txn, gd_span(headers, (size_t)(colon - headers)),
             gd_span(colon + 2, (size_t)(end - colon - 2)));
        headers = end + 1;
    }
}

static void send_client(struct guard_txn *txn, const char *text)
{
    unsigned a, b, c, d;
    assert_int_equal(sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d), 4);
    struct guard_client client = {.unit = GUARD_UNIT_PREFIX,
                                  .address_len = 4,
                                  .address = {(uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d}};
    guard_txn_client(txn, &client);
}

static void play(struct answer *answer, const struct guard_policy *policy, const struct ask *ask,
                 bool outbound, uint32_t without)
{
    guard_arena_init(&answer->arena, &world_heap, 256 * 1024);
    struct guard_txn_cfg cfg = {.policy = policy,
                                .shadow = world_shadow,
                                .service = GUARD_SPAN_LITERAL("shop"),
                                .time_ms = world_time_ms,
                                .hash_seed = 1,
                                .outbound = outbound,
                                .likeness_without = without};
    assert_int_equal(guard_txn_begin(&answer->txn, &cfg, &answer->arena), GUARD_OK);
    if (ask->client != NULL)
        send_client(answer->txn, ask->client);
    guard_txn_request(answer->txn, world_span(ask->method), world_span(ask->target), 11);
    send_headers(answer->txn, ask->headers != NULL ? ask->headers : world_headers,
                 guard_txn_header);
    if (ask->body != NULL && ask->headers == NULL)
        guard_txn_header(answer->txn, GUARD_SPAN_LITERAL("content-type"),
                         ask->body[0] == '{' || ask->body[0] == '['
                             ? GUARD_SPAN_LITERAL("application/json")
                             : GUARD_SPAN_LITERAL("application/x-www-form-urlencoded"));
    (void)guard_txn_headers_end(answer->txn);
    if (ask->body != NULL)
        guard_txn_body(answer->txn, world_span(ask->body));
    answer->verdict = guard_txn_request_end(answer->txn);
}

void world_ask(struct answer *answer, const struct guard_policy *policy, const struct ask *ask)
{
    play(answer, policy, ask, false, 0);
}

void world_ask_but(struct answer *answer, const struct guard_policy *policy, const struct ask *ask,
                   uint32_t without)
{
    play(answer, policy, ask, false, without);
}

void world_reply(struct answer *answer, const struct guard_policy *policy, const struct ask *ask,
                 const struct reply *reply)
{
    world_ask(answer, policy, ask);
    assert_int_equal(guard_txn_response_begin(answer->txn, reply->status), GUARD_OK);
    if (reply->type != NULL)
        guard_txn_response_header(answer->txn, GUARD_SPAN_LITERAL("content-type"),
                                  world_span(reply->type));
    if (reply->headers != NULL)
        send_headers(answer->txn, reply->headers, guard_txn_response_header);
    (void)guard_txn_response_headers_end(answer->txn);
    if (reply->body != NULL)
        guard_txn_response_body(answer->txn, world_span(reply->body));
    answer->verdict = guard_txn_response_end(answer->txn);
}

void world_call(struct answer *answer, const struct guard_policy *policy, const struct ask *ask)
{
    play(answer, policy, ask, true, 0);
}

void world_answer_free(struct answer *answer)
{
    guard_arena_reset(&answer->arena);
}

const struct guard_finding *world_finding(const struct answer *answer, enum guard_rule rule,
                                          const char *name)
{
    for (uint32_t i = 0; i < answer->verdict->finding_count; i++) {
        const struct guard_finding *finding = &answer->verdict->findings[i];
        if (finding->rule == rule &&
            (name == NULL || gd_span_equal(finding->name, world_span(name))))
            return finding;
    }
    return NULL;
}
