/* SPDX-License-Identifier: Apache-2.0 */
/* Simulated agents of a fleet: each sends a delta of its service per period to one parent, over
 * HTTP as guardd does, spread over the period. Prints what the parent answered and how long that
 * took. */
#include "fleet.h"

#include "common/file.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAGS_MAX = 1 << 20 };

struct bench {
    struct http_client *client;
    uint64_t agents, services, period_ms, seconds;
    uint64_t first; /* the number of the first one: others may be of another process */
    uint8_t (*keys)[GUARD_KEY_BYTES];
    uint64_t *sequences;
    uint32_t *lags;
    uint64_t lag_count, sent, good, bad, bytes, begun_ms;
};

struct sent {
    struct bench *bench;
    uint64_t at_ms;
};

static bool delta_of(struct bench *bench, uint64_t agent, uint8_t **bytes, size_t *len)
{
    struct guard_source source = {bench->first + agent + 1, bench->begun_ms,
                                  bench->sequences[agent]};
    uint64_t service = agent % bench->services;
    bool good = fleet_delta(service, bench->keys[service], &source, bytes, len);
    bench->sequences[agent] = source.sequence;
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
                                         .answer_max = FLEET_ANSWER_MAX,
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
        fleet_turn(bench->client, due < wanted ? 0 : 5);
    }
    while (http_client_busy(bench->client) > 0)
        fleet_turn(bench->client, 10);
    return true;
}

int main(int argc, char **argv)
{
    struct guard_err err = {.text = "no memory"};
    struct bench bench = {.agents = 200, .services = 20, .period_ms = 10000, .seconds = 10};
    const char *server = NULL;
    for (int found; (found = getopt(argc, argv, "s:a:n:p:t:f:")) != -1;) {
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
        else if (found == 'f')
            bench.first = strtoull(optarg, NULL, 10);
    }
    if (server == NULL || bench.agents == 0 || bench.services == 0 || bench.period_ms == 0) {
        fputs("usage: guard-bench-agents -s SERVER [-a AGENTS] [-n SERVICES] [-p PERIOD_MS] "
              "[-t SECONDS] [-f FIRST]\n",
              stderr);
        return 2;
    }
    const struct http_client_cfg cfg = {.server = server};
    bench.keys = calloc(bench.services, sizeof(bench.keys[0]));
    bench.sequences = calloc(bench.agents, sizeof(bench.sequences[0]));
    bench.lags = calloc(LAGS_MAX, sizeof(bench.lags[0]));
    if (bench.keys == NULL || bench.sequences == NULL || bench.lags == NULL ||
        http_client_open(&bench.client, &cfg, &err) != GUARD_OK ||
        !fleet_keys(bench.client, bench.keys, bench.services)) {
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
