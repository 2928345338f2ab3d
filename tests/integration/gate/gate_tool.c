/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the policies that the gate's tests need, without learning: everywhere "q" may hold letters,
 * digits and blanks only, as query parameter, form field, JSON field, cookie and header "x-q"; so
 * does field 1 of a protobuf message and a WebSocket message that is text.
 * With "leaks", no response may hold what leaks.
 * usage: gate_tool key SEED | gate_tool head <RECORD
 *        gate_tool policy SEED SERVICE GENERATION MODE PADDING REPLACES [leaks] >FILE */
#include <guard/policy.h>
#include <guard/txn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOCATIONS = 5, PADDING_MAX = GUARD_GUARDIAN_FIELDS_MAX - LOCATIONS };

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static struct guard_span text(const char *string)
{
    return (struct guard_span){(const uint8_t *)string, strlen(string)};
}

static struct guard_criterion plain(enum guard_location location, const char *name)
{
    return (struct guard_criterion){
        .location = location,
        .name = text(name),
        .required = -1,
        .classes_said = true,
        .classes = UINT64_C(1) << GUARD_CLASS_LOWER | UINT64_C(1) << GUARD_CLASS_UPPER |
                   UINT64_C(1) << GUARD_CLASS_DIGIT | UINT64_C(1) << GUARD_CLASS_SPACE,
        .length_max = -1,
        .length_min = -1,
        .items_max = -1,
    };
}

static int complain(const struct guard_err *err)
{
    fprintf(stderr, "gate_tool: %s\n", err->text);
    return 1;
}

/* A service that answered in every way, never leaked, and had letters alone in "x-q". */
static const struct guard_model *tight_service(struct guard_span service)
{
    enum { CLASSES = 4 };
    static struct guard_model_node root = {.parent = GUARD_NO_INDEX};
    static struct guard_model_endpoint answers[CLASSES];
    static struct guard_model_field tag = {.location = GUARD_LOCATION_HEADER,
                                           .parent = GUARD_NO_INDEX,
                                           .values = 100000,
                                           .clients = 1000,
                                           .epochs = 10,
                                           .support = 8,
                                           .trusted = true,
                                           .classes = UINT64_C(1) << GUARD_CLASS_LOWER,
                                           .types = 1u << GUARD_TYPE_WORD,
                                           .length_max = 100};
    static struct guard_model model = {.nodes = &root,
                                       .fields = &tag,
                                       .field_count = 1,
                                       .node_count = 1,
                                       .endpoints = answers,
                                       .answer_count = CLASSES,
                                       .exchanges = 100000,
                                       .clients = 1000,
                                       .epochs = 10,
                                       .ready = true};
    model.service = service;
    tag.name = tag.path = text("x-q");
    tag.strength[GUARD_RULE_CHARACTER] = 900;
    for (uint32_t i = 0; i < CLASSES; i++) {
        answers[i] = (struct guard_model_endpoint){.status = 2 + i,
                                                   .answer_of = GUARD_NO_INDEX,
                                                   .exchanges = 100000,
                                                   .clients = 1000,
                                                   .epochs = 10,
                                                   .trusted = true,
                                                   .ready = true,
                                                   .field_count = 1,
                                                   .body_seen = true,
                                                   .body_max = UINT32_MAX};
        answers[i].strength[GUARD_RULE_LEAK] = 900;
    }
    return &model;
}

static int make_policy(const uint8_t secret[64], char **args, int padding, bool leaks)
{
    static char names[PADDING_MAX][16];
    static struct guard_criterion fields[LOCATIONS + PADDING_MAX];
    struct guard_criterion headers[] = {plain(GUARD_LOCATION_HEADER, "x-q"),
                                        plain(GUARD_LOCATION_COOKIE, "q")};
    struct guard_endpoint_rule endpoint = {
        .template_text = text("/{*}"), .mode = -1, .body_max = -1, .fields = fields};
    const struct guard_policy_cfg cfg = {
        .alloc = {NULL, get, put},
        .generation = strtoull(args[1], NULL, 10),
        .created_ms = 1,
        .configured_only = !leaks,
        .replaces = strtoull(args[4], NULL, 10),
    };
    struct guard_guardian guardian;
    struct guard_err err = {"failed"};
    uint8_t *bytes = NULL;
    size_t len = 0;

    fields[0] = plain(GUARD_LOCATION_QUERY, "q");
    fields[1] = plain(GUARD_LOCATION_FORM, "q");
    fields[2] = plain(GUARD_LOCATION_JSON, "q");
    fields[3] = plain(GUARD_LOCATION_PROTOBUF, "1");
    fields[4] = plain(GUARD_LOCATION_WEBSOCKET, "");
    endpoint.field_count = LOCATIONS;
    for (int i = 0; i < padding && i < PADDING_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "padding%d", i);
        fields[endpoint.field_count++] = plain(GUARD_LOCATION_QUERY, names[i]);
    }
    guard_guardian_default(&guardian, text(args[0]));
    guardian.mode = strcmp(args[2], "block") == 0   ? GUARD_MODE_BLOCK
                    : strcmp(args[2], "alert") == 0 ? GUARD_MODE_ALERT
                                                    : GUARD_MODE_OBSERVE;
    guardian.request_mode = guardian.response_mode = guardian.mode;
    guardian.endpoints = &endpoint;
    guardian.endpoint_count = 1;
    guardian.headers = headers;
    guardian.header_count = 2;
    if (guard_policy_compile(&bytes, &len, leaks ? tight_service(guardian.service) : NULL,
                             &guardian, &cfg, secret, &err) != GUARD_OK)
        return complain(&err);
    bool good = fwrite(bytes, 1, len, stdout) == len && fflush(stdout) == 0;
    free(bytes);
    return good ? 0 : 1;
}

static int print_head(void)
{
    static uint8_t bytes[GUARD_RECORD_MAX];
    struct guard_record_head head;
    size_t len = fread(bytes, 1, sizeof(bytes), stdin);
    if (guard_record_head_read((struct guard_span){bytes, len}, &head) != GUARD_OK)
        return 1;
    printf("{\"service\":\"%.*s\",\"method\":\"%.*s\",\"time_ms\":%llu,\"status\":%u,\"latency_"
           "us\":%u,",
           (int)head.service.len, (const char *)head.service.ptr, (int)head.method.len,
           (const char *)head.method.ptr, (unsigned long long)head.time_ms, head.status,
           head.latency_us);
    printf("\"bytes\":%u,\"decision\":\"%s\",\"unit\":%d,\"address\":\"", head.request_bytes,
           guard_decision_name(head.decision), (int)head.client.unit);
    for (int i = 0; i < head.client.address_len; i++)
        printf("%02x", head.client.address[i]);
    return puts("\"}") < 0;
}

int main(int argc, char **argv)
{
    uint8_t seed[GUARD_KEY_BYTES] = {0}, public_key[GUARD_KEY_BYTES], secret[64];
    if (argc == 2 && strcmp(argv[1], "head") == 0)
        return print_head();
    if (argc < 3)
        return 2;
    seed[0] = (uint8_t)strtol(argv[2], NULL, 10);
    guard_keypair(public_key, secret, seed);
    if (strcmp(argv[1], "policy") == 0 && argc >= 8)
        return make_policy(secret, argv + 3, (int)strtol(argv[6], NULL, 10), argc > 8);
    for (size_t i = 0; i < sizeof(public_key); i++)
        printf("%02x", public_key[i]);
    return putchar('\n') == '\n' ? 0 : 1;
}
