/* SPDX-License-Identifier: Apache-2.0 */
/* See fleet.h. */
#include "fleet.h"

#include "common/file.h"
#include "common/guardian_words.h"

#include <guard/txn.h>

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fleet_name(char out[FLEET_NAME_CAP], uint64_t service)
{
    snprintf(out, FLEET_NAME_CAP, "bench-%" PRIu64, service);
}

void fleet_turn(struct http_client *client, uint32_t ms)
{
    struct pollfd waited = {.fd = http_client_fd(client), .events = POLLIN};
    (void)poll(&waited, 1, (int)http_client_wait_ms(client, ms));
    http_client_run(client);
}

/* A record of a made exchange. */
static size_t record_of(const char *service, uint64_t number, uint64_t now_ms,
                        uint8_t out[GUARD_RECORD_MAX])
{
    static const char *const words[] = {"tom", "anna", "marie", "li", "olga", "bob", "zoe", "max"};
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    char target[160];
    size_t len = 0;
    guard_arena_init(&arena, &heap, 262144);
    struct guard_txn_cfg cfg = {.service = {(const uint8_t *)service, strlen(service)},
                                .time_ms = now_ms};
    const struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX, .address_len = 4, .address = {10, (uint8_t)(number % 40), 1, 1}};
    struct guard_txn *txn = NULL;
    snprintf(target, sizeof(target),
             "/things/%" PRIu64 "/parts?user=%s&page=%" PRIu64 "&q=blue%%20hat&sort=price",
             number * 7919 % 100000, words[number % 8], number % 20);
    if (guard_txn_begin(&txn, &cfg, &arena) == GUARD_OK) {
        guard_txn_client(txn, &client);
        guard_txn_request(txn, GUARD_SPAN_LITERAL("GET"),
                          (struct guard_span){(const uint8_t *)target, strlen(target)}, 11);
        guard_txn_header(txn, GUARD_SPAN_LITERAL("Host"), GUARD_SPAN_LITERAL("bench.example"));
        guard_txn_header(txn, GUARD_SPAN_LITERAL("User-Agent"), GUARD_SPAN_LITERAL("bench/1.0"));
        guard_txn_header(txn, GUARD_SPAN_LITERAL("Accept"), GUARD_SPAN_LITERAL("*/*"));
        (void)guard_txn_headers_end(txn);
        (void)guard_txn_request_end(txn);
        guard_txn_response(txn, 200, 4000);
        if (guard_txn_record(txn, out, GUARD_RECORD_MAX, &len) != GUARD_OK)
            len = 0;
    }
    guard_arena_reset(&arena);
    return len;
}

bool fleet_delta(uint64_t service, const uint8_t key[GUARD_KEY_BYTES], struct guard_source *source,
                 uint8_t **bytes, size_t *len)
{
    static uint8_t record[GUARD_RECORD_MAX];
    char name[FLEET_NAME_CAP];
    struct guard_pile *pile = NULL;
    uint64_t now_ms = clock_unix_ms();
    fleet_name(name, service);
    struct guard_pile_cfg cfg = {.alloc = heap_alloc(),
                                 .service = {(const uint8_t *)name, strlen(name)}};
    memcpy(cfg.key, key, GUARD_KEY_BYTES);
    if (guard_pile_new(&pile, &cfg, NULL) != GUARD_OK)
        return false;
    bool good = true;
    for (int i = 0; i < FLEET_RECORDS && good; i++) {
        source->sequence++;
        size_t size = record_of(name, source->sequence * 31 + source->producer - 1, now_ms, record);
        good = size > 0 && guard_pile_observe(pile, source, (struct guard_span){record, size},
                                              NULL) == GUARD_OK;
    }
    good = good && guard_pile_encode(pile, bytes, len, NULL) == GUARD_OK;
    guard_pile_free(pile);
    return good;
}

struct asking {
    uint8_t *key;
    bool *got;
};

static void on_key(void *ctx, const struct http_answer *answer)
{
    struct asking *asking = ctx;
    static const char mark[] = "\"key\":\"";
    const char *at = answer->status == 200 ? strstr((const char *)answer->body.ptr, mark) : NULL;
    *asking->got =
        at != NULL &&
        guardian_digest_parse((struct guard_span){(const uint8_t *)at + sizeof(mark) - 1, 64},
                              asking->key);
    free(asking);
}

static bool ask_key(struct http_client *client, uint8_t *key, uint64_t service, bool *got)
{
    char path[96];
    struct asking *asking = calloc(1, sizeof(*asking));
    if (asking == NULL)
        return false;
    *asking = (struct asking){key, got};
    snprintf(path, sizeof(path), "/api/v1/services/bench-%" PRIu64 "/key", service);
    const struct http_request request = {.method = "GET",
                                         .path = path,
                                         .answer_max = FLEET_ANSWER_MAX,
                                         .timeout_ms = 60000,
                                         .done = on_key,
                                         .ctx = asking};
    if (http_client_start(client, &request, NULL) == GUARD_OK)
        return true;
    free(asking);
    return false;
}

/* Those that aren't there yet, once. */
static uint64_t ask_missing(struct http_client *client, uint8_t (*keys)[GUARD_KEY_BYTES], bool *got,
                            uint64_t services)
{
    uint64_t missing = 0;
    for (uint64_t i = 0; i < services; i++) {
        while (http_client_busy(client) >= 64)
            fleet_turn(client, 10);
        if (!got[i])
            (void)ask_key(client, keys[i], i, &got[i]);
    }
    while (http_client_busy(client) > 0)
        fleet_turn(client, 10);
    for (uint64_t i = 0; i < services; i++)
        missing += !got[i];
    return missing;
}

bool fleet_keys(struct http_client *client, uint8_t (*keys)[GUARD_KEY_BYTES], uint64_t services)
{
    enum { KEYS_MS = 60000, PAUSE_MS = 500 };
    uint64_t begin_ms = clock_unix_ms();
    uint64_t missing = services;
    bool *got = calloc(services, sizeof(*got));
    while (got != NULL && missing > 0 && clock_unix_ms() - begin_ms < KEYS_MS) {
        missing = ask_missing(client, keys, got, services);
        if (missing > 0)
            (void)poll(NULL, 0, PAUSE_MS);
    }
    free(got);
    return missing == 0;
}
