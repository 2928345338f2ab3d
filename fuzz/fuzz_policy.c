/* SPDX-License-Identifier: Apache-2.0 */
/* A policy file is checked before it is believed. The input is tried as it is, then with its length
 * and digest repaired, as whoever holds the key could write it: then what the check accepts must be
 * harmless to decide with. */
#include <guard/policy.h>
#include <guard/txn.h>

#include "policy/format.h"
#include "policy/seal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static const struct guard_alloc heap = {NULL, heap_get, heap_put};

static struct guard_span text(const char *string)
{
    return (struct guard_span){(const uint8_t *)string, strlen(string)};
}

static void explain(struct guard_txn *txn, const struct guard_verdict *verdict)
{
    char line[256], observed[64], expected[64];
    (void)guard_explain(verdict, guard_txn_method(txn), guard_txn_template(txn), line,
                        sizeof(line));
    for (uint32_t i = 0; i < verdict->finding_count; i++) {
        (void)guard_explain_finding(&verdict->findings[i], line, sizeof(line));
        guard_finding_texts(&verdict->findings[i], observed, sizeof(observed), expected,
                            sizeof(expected));
    }
}

static void reply(struct guard_txn *txn, uint32_t status, const char *body)
{
    if (guard_txn_response_begin(txn, status) != GUARD_OK)
        return;
    guard_txn_response_header(txn, text("Content-Type"), text("application/json"));
    guard_txn_response_header(txn, text("Cache-Control"), text("no-store'"));
    (void)guard_txn_response_headers_end(txn);
    guard_txn_response_body(txn, text(body));
    explain(txn, guard_txn_response_end(txn));
    explain(txn, guard_txn_whole(txn));
}

static void ask(const struct guard_policy *policy, const char *method, const char *target,
                const char *body)
{
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, 256 * 1024);
    struct guard_txn_cfg cfg = {
        .policy = policy, .service = text("shop"), .hash_seed = 1, .time_ms = 1000000};
    struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {192, 0, 2, 7}};
    struct guard_txn *txn = NULL;
    if (guard_txn_begin(&txn, &cfg, &arena) != GUARD_OK)
        return;
    guard_txn_client(txn, &client);
    guard_txn_request(txn, text(method), text(target), 11);
    guard_txn_header(txn, text("Host"), text("shop.test"));
    guard_txn_header(txn, text("User-Agent"), text("${jndi} Mozilla/5.0"));
    guard_txn_header(txn, text("Cookie"), text("lang=en; x='1"));
    if (body != NULL)
        guard_txn_header(txn, text("Content-Type"), text("application/json"));
    (void)guard_txn_headers_end(txn);
    if (body != NULL)
        guard_txn_body(txn, text(body));
    const struct guard_verdict *verdict = guard_txn_request_end(txn);
    explain(txn, verdict);
    reply(
        txn, 200,
        "{\"id\":\"x\",\"role\":1,\"address\":{\"x\":[{}]},\"trace\":\"Traceback (most recent call "
        "last):\"}");
    reply(txn, 404, "{\"error\":\"not found\"}");
    reply(txn, 500, "[]");
    guard_arena_reset(&arena);
}

static void load(struct guard_span bytes)
{
    struct guard_policy *policy = NULL;
    struct guard_err err;
    if (guard_policy_load(&policy, &heap, bytes, (struct guard_span){NULL, 0}, NULL, &err) !=
        GUARD_OK)
        return;
    ask(policy, "GET", "/search?username=tom+or+1%3D1&id=a&sort=up&x=1&tag[]=a&tag[]=b", NULL);
    ask(policy, "GET", "/search?username=tom&id=1&sort=asc", NULL);
    ask(policy, "GET", "/users/7", NULL);
    ask(policy, "DELETE", "/users/7/x", NULL);
    ask(policy, "GET", "/files/readme", NULL);
    ask(policy, "GET", "/files/../%2e%2e/a;b//c?username=a*b%27", NULL);
    ask(policy, "POST", "/orders",
        "{\"item\":\"chair\",\"qty\":\"1'\",\"address\":{\"zip\":[1],\"x\":{\"y\":1}},\"tags\":["
        "\"new\",\"\"]}");
    guard_policy_unref(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size == 0 ? 1 : size);
    if (bytes == NULL)
        return 0;
    if (size > 0)
        memcpy(bytes, data, size);
    load((struct guard_span){bytes, size});
    size_t whole = size & ~(size_t)7;
    if (whole >= sizeof(struct gd_policy_header) + GD_POLICY_TRAILER) {
        struct gd_policy_header *header = (void *)bytes;
        memcpy(header->magic, "GPOL", 4);
        header->version = GD_POLICY_VERSION;
        header->length = whole;
        gd_policy_seal(bytes, whole, (struct guard_span){NULL, 0}, NULL);
        load((struct guard_span){bytes, whole});
    }
    free(bytes);
    return 0;
}
