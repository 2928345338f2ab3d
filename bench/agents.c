/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated agents of a fleet: each sends a delta of its service per period to one parent, over
 * HTTP as guardd does, spread over the period. Prints what the parent answered and how long that
 * took. */
#include "common/file.h"
#include "common/guardian_words.h"
#include "common/http_client.h"

#include <guard/pile.h>
#include <guard/txn.h>

#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 100, LAGS_MAX = 1 << 20, ANSWER_MAX = 65536 };

struct bench {
    struct http_client *client;
    uint64_t agents, services, period_ms, seconds;
    uint8_t (*keys)[GUARD_KEY_BYTES];
    uint64_t *sequences;
    uint32_t *lags;
    uint64_t lag_count, sent, good, bad, bytes, begun_ms;
};

struct sent {
    struct bench *bench;
    uint64_t at_ms;
    uint8_t *key; /* of a key's request */
};

static void name_of(char out[32], uint64_t service)
{
    snprintf(out, 32, "bench-%" PRIu64, service);
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

static bool delta_of(struct bench *bench, uint64_t agent, uint8_t **bytes, size_t *len)
{
    static uint8_t record[GUARD_RECORD_MAX];
    char service[32];
    struct guard_pile *pile = NULL;
    uint64_t now_ms = clock_unix_ms();
    name_of(service, agent % bench->services);
    struct guard_pile_cfg cfg = {.alloc = heap_alloc(),
                                 .service = {(const uint8_t *)service, strlen(service)}};
    memcpy(cfg.key, bench->keys[agent % bench->services], GUARD_KEY_BYTES);
    if (guard_pile_new(&pile, &cfg, NULL) != GUARD_OK)
        return false;
    bool good = true;
    for (int i = 0; i < RECORDS && good; i++) {
        struct guard_source source = {agent + 1, bench->begun_ms, ++bench->sequences[agent]};
        size_t size = record_of(service, bench->sequences[agent] * 31 + agent, now_ms, record);
        good = size > 0 && guard_pile_observe(pile, &source, (struct guard_span){record, size},
                                              NULL) == GUARD_OK;
    }
    good = good && guard_pile_encode(pile, bytes, len, NULL) == GUARD_OK;
    guard_pile_free(pile);
    return good;
}

static void on_pile(void *ctx, const struct http_answer *answer)
{
    struct sent *sent = ctx;
    struct bench *bench = sent->bench;
    if (answer->status == 200)
        bench->good++;
    else if (bench->bad++ == 0)
        fprintf(stderr, "agents: %u %s %.*s\n", answer->status, answer->failure,
                (int)answer->body.len, answer->body.len > 0 ? (const char *)answer->body.ptr : "");
    if (bench->lag_count < LAGS_MAX)
        bench->lags[bench->lag_count++] = (uint32_t)(clock_unix_ms() - sent->at_ms);
    free(sent);
}

static bool post(struct bench *bench, uint64_t agent)
{
    char path[96];
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct guard_err err;
    struct sent *sent = calloc(1, sizeof(*sent));
    if (sent == NULL || !delta_of(bench, agent, &bytes, &len)) {
        free(sent);
        return false;
    }
    *sent = (struct sent){.bench = bench, .at_ms = clock_unix_ms()};
    snprintf(path, sizeof(path), "/api/v1/services/bench-%" PRIu64 "/piles",
             agent % bench->services);
    const struct http_request request = {.method = "POST",
                                         .path = path,
                                         .headers = {"Content-Type: application/octet-stream"},
                                         .body = {bytes, len},
                                         .answer_max = ANSWER_MAX,
                                         .timeout_ms = 60000,
                                         .done = on_pile,
                                         .ctx = sent};
    bool good = http_client_start(bench->client, &request, &err) == GUARD_OK;
    if (!good)
        free(sent);
    bench->sent += good;
    bench->bad += !good;
    bench->bytes += good ? len : 0;
    free(bytes);
    return true;
}

static void on_key(void *ctx, const struct http_answer *answer)
{
    struct sent *sent = ctx;
    static const char mark[] = "\"key\":\"";
    const char *at = answer->status == 200 ? strstr((const char *)answer->body.ptr, mark) : NULL;
    if (at != NULL &&
        guardian_digest_parse((struct guard_span){(const uint8_t *)at + sizeof(mark) - 1, 64},
                              sent->key))
        sent->bench->good++;
    else
        sent->bench->bad++;
    free(sent);
}

static void turn(struct bench *bench, uint32_t ms)
{
    struct pollfd waited = {.fd = http_client_fd(bench->client), .events = POLLIN};
    (void)poll(&waited, 1, (int)http_client_wait_ms(bench->client, ms));
    http_client_run(bench->client);
}

static bool fetch_keys(struct bench *bench)
{
    for (uint64_t i = 0; i < bench->services; i++) {
        char path[96];
        struct sent *sent = calloc(1, sizeof(*sent));
        if (sent == NULL)
            return false;
        *sent = (struct sent){.bench = bench, .key = bench->keys[i]};
        snprintf(path, sizeof(path), "/api/v1/services/bench-%" PRIu64 "/key", i);
        const struct http_request request = {.method = "GET",
                                             .path = path,
                                             .answer_max = ANSWER_MAX,
                                             .timeout_ms = 60000,
                                             .done = on_key,
                                             .ctx = sent};
        while (http_client_busy(bench->client) >= 64)
            turn(bench, 10);
        if (http_client_start(bench->client, &request, NULL) != GUARD_OK)
            return false;
    }
    while (http_client_busy(bench->client) > 0)
        turn(bench, 10);
    bool all = bench->good == bench->services;
    bench->good = bench->bad = 0;
    return all;
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void report(struct bench *bench)
{
    uint64_t n = bench->lag_count;
    qsort(bench->lags, n, sizeof(bench->lags[0]), by_size);
    printf("{\"agents\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"held\":%" PRIu64 ",\"refused\":%" PRIu64
           ",\"delta_bytes\":%" PRIu64 ",\"lag_ms\":{\"p50\":%u,\"p99\":%u,\"max\":%u}}\n",
           bench->agents, bench->sent, bench->good, bench->bad,
           bench->sent > 0 ? bench->bytes / bench->sent : 0, n > 0 ? bench->lags[n / 2] : 0,
           n > 0 ? bench->lags[n * 99 / 100] : 0, n > 0 ? bench->lags[n - 1] : 0);
}

static bool run(struct bench *bench)
{
    uint64_t end_ms = bench->begun_ms + bench->seconds * 1000;
    uint64_t due = 0; /* deltas since the begin */
    for (uint64_t now = clock_unix_ms(); now < end_ms; now = clock_unix_ms()) {
        uint64_t wanted = (now - bench->begun_ms) * bench->agents / bench->period_ms;
        for (int i = 0; due < wanted && i < 8; i++)
            if (!post(bench, due++ % bench->agents))
                return false;
        turn(bench, due < wanted ? 0 : 5);
    }
    while (http_client_busy(bench->client) > 0)
        turn(bench, 10);
    return true;
}

int main(int argc, char **argv)
{
    struct guard_err err = {.text = "no memory"};
    struct bench bench = {.agents = 200, .services = 20, .period_ms = 10000, .seconds = 10};
    const char *server = NULL;
    for (int found; (found = getopt(argc, argv, "s:a:n:p:t:")) != -1;) {
        if (found == 's')
            server = optarg;
        else if (found == 'a')
            bench.agents = strtoull(optarg, NULL, 10);
        else if (found == 'n')
            bench.services = strtoull(optarg, NULL, 10);
        else if (found == 'p')
            bench.period_ms = strtoull(optarg, NULL, 10);
        else if (found == 't')
            bench.seconds = strtoull(optarg, NULL, 10);
    }
    if (server == NULL || bench.agents == 0 || bench.services == 0 || bench.period_ms == 0) {
        fputs("usage: guard-bench-agents -s SERVER [-a AGENTS] [-n SERVICES] [-p PERIOD_MS] "
              "[-t SECONDS]\n",
              stderr);
        return 2;
    }
    const struct http_client_cfg cfg = {.server = server};
    bench.keys = calloc(bench.services, sizeof(bench.keys[0]));
    bench.sequences = calloc(bench.agents, sizeof(bench.sequences[0]));
    bench.lags = calloc(LAGS_MAX, sizeof(bench.lags[0]));
    if (bench.keys == NULL || bench.sequences == NULL || bench.lags == NULL ||
        http_client_open(&bench.client, &cfg, &err) != GUARD_OK || !fetch_keys(&bench)) {
        fprintf(stderr, "agents: can't begin: %s\n", err.text);
        return 1;
    }
    bench.begun_ms = clock_unix_ms();
    bool good = run(&bench);
    report(&bench);
    http_client_close(bench.client);
    free(bench.keys);
    free(bench.sequences);
    free(bench.lags);
    return good ? 0 : 1;
}
