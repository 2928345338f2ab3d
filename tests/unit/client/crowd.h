/* SPDX-License-Identifier: Apache-2.0 */
/* Clients of the small world, in any number: what they send goes through records, as from a gate.
 */
#ifndef GUARD_TEST_CROWD_H
#define GUARD_TEST_CROWD_H

#include "client/client.h"
#include "unit/policy/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define CROWD_START_MS UINT64_C(1772409600000)
enum { CROWD_MINUTE_MS = 60000, CROWD_PLACES = 8192 };

struct crowd {
    struct world world;
    struct guard_policy *policy;
    struct guard_client_places *places;
    struct guard_clients *clients;
    struct guard_client_report report; /* of the last exchange */
    enum guard_mode mode;
    uint64_t now_ms;
    uint32_t response_bytes;
};

static inline void crowd_open(struct crowd *crowd)
{
    struct guard_err err;
    struct guard_clients_cfg cfg = {.alloc = world_heap, .service = GUARD_SPAN_LITERAL("shop")};
    memset(cfg.key, 3, sizeof(cfg.key));
    world_init(&crowd->world);
    crowd->policy = world_policy(&crowd->world);
    crowd->mode = GUARD_MODE_BLOCK;
    crowd->now_ms = CROWD_START_MS;
    crowd->response_bytes = 0;
    assert_int_equal(guard_client_places_new(&crowd->places, &world_heap, CROWD_PLACES), GUARD_OK);
    cfg.places = crowd->places;
    assert_int_equal(guard_clients_new(&crowd->clients, &cfg, &err), GUARD_OK);
}

static inline void crowd_close(struct crowd *crowd)
{
    guard_clients_free(crowd->clients);
    guard_client_places_free(crowd->places);
    world_policy_free(crowd->policy);
}

/* An IPv4 client by the number of its /24. */
static inline struct guard_client crowd_client(uint32_t number)
{
    return (struct guard_client){
        .unit = GUARD_UNIT_PREFIX,
        .address_len = 4,
        .address = {(uint8_t)(10 + (number >> 16)), (uint8_t)(number >> 8), (uint8_t)number, 7}};
}

static inline size_t crowd_record(struct crowd *crowd, const struct guard_client *client,
                                  const char *method, const char *target, const char *form,
                                  uint32_t status, uint8_t record[GUARD_RECORD_MAX])
{
    struct guard_arena arena;
    struct guard_txn *txn;
    struct guard_txn_cfg cfg = {
        .service = GUARD_SPAN_LITERAL("shop"), .hash_seed = 1, .time_ms = crowd->now_ms};
    size_t len = 0;
    guard_arena_init(&arena, &world_heap, 256 * 1024);
    assert_int_equal(guard_txn_begin(&txn, &cfg, &arena), GUARD_OK);
    guard_txn_client(txn, client);
    guard_txn_request(txn, world_span(method), world_span(target), 11);
    if (form != NULL)
        guard_txn_header(txn, world_span("Content-Type"),
                         world_span("application/x-www-form-urlencoded"));
    (void)guard_txn_headers_end(txn);
    if (form != NULL)
        guard_txn_body(txn, world_span(form));
    (void)guard_txn_request_end(txn);
    if (crowd->response_bytes > 0 && guard_txn_response_begin(txn, status) == GUARD_OK) {
        static uint8_t zeros[65536];
        guard_txn_response_header(txn, world_span("Content-Type"),
                                  world_span("application/octet-stream"));
        (void)guard_txn_response_headers_end(txn);
        guard_txn_response_body(txn, (struct guard_span){zeros, crowd->response_bytes});
        (void)guard_txn_response_end(txn);
    }
    guard_txn_response(txn, status, 1000);
    assert_int_equal(guard_txn_record(txn, record, GUARD_RECORD_MAX, &len), GUARD_OK);
    guard_arena_reset(&arena);
    return len;
}

/* The report is left in crowd->report; true when there is one. */
static inline bool crowd_send(struct crowd *crowd, const struct guard_client *client,
                              const char *method, const char *target, const char *form,
                              uint32_t status)
{
    static uint8_t record[GUARD_RECORD_MAX];
    size_t len = crowd_record(crowd, client, method, target, form, status, record);
    assert_int_equal(guard_clients_observe(crowd->clients, crowd->policy, crowd->mode,
                                           (struct guard_span){record, len}, &crowd->report),
                     GUARD_OK);
    return crowd->report.verdict.finding_count > 0;
}

/* What a client does who wants nothing but its own: a login that fails now and then, one to three
 * users, two searches. Returns how many reports there were. */
static inline uint32_t crowd_visit(struct crowd *crowd, const struct guard_client *client,
                                   uint32_t number)
{
    char text[96];
    uint32_t reports = 0;
    snprintf(text, sizeof(text), "user=name%u&password=secret1", number);
    if (number % 10 == 0)
        reports += crowd_send(crowd, client, "POST", "/login", text, 401);
    reports += crowd_send(crowd, client, "POST", "/login", text, 200);
    for (uint32_t i = 0; i <= number % 3; i++) {
        snprintf(text, sizeof(text), "/users/%u", 100000 + number * 10 + i);
        reports += crowd_send(crowd, client, "GET", text, NULL, 200);
    }
    reports += crowd_send(crowd, client, "GET", "/search?username=tom&id=42&sort=asc", NULL, 200);
    return reports + crowd_send(crowd, client, "GET", "/search?username=tom&id=1", NULL, 200);
}

/* Visits of so many clients, a second apart. */
static inline uint32_t crowd_live(struct crowd *crowd, uint32_t first, uint32_t count)
{
    uint32_t reports = 0;
    for (uint32_t i = first; i < first + count; i++) {
        struct guard_client client = crowd_client(i);
        reports += crowd_visit(crowd, &client, i);
        crowd->now_ms += 1000;
    }
    return reports;
}

/* How many requests the client sends until it is reported: at most `most`, 0 when it never is. The
 * target and form may hold one %u, which is replaced by a number that grows. */
static inline uint32_t crowd_until(struct crowd *crowd, const struct guard_client *client,
                                   const char *method, const char *target, const char *form,
                                   uint32_t status, uint32_t most, uint64_t pause_ms)
{
    for (uint32_t i = 1; i <= most; i++) {
        char path[128], body[128];
        const char *number = strstr(target, "%u");
        if (number == NULL)
            snprintf(path, sizeof(path), "%s", target);
        else
            snprintf(path, sizeof(path), "%.*s%u%s", (int)(number - target), target, 200000 + i,
                     number + 2);
        if (form != NULL) {
            number = strstr(form, "%u");
            snprintf(body, sizeof(body), "%.*s%u%s", (int)(number - form), form, i, number + 2);
        }
        crowd->now_ms += pause_ms;
        if (crowd_send(crowd, client, method, path, form == NULL ? NULL : body, status))
            return i;
    }
    return 0;
}

#endif
