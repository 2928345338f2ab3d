/* SPDX-License-Identifier: Apache-2.0 */
/* Many agents whose parent was away while they collected: each has a spool of deltas, tries by the
 * pauses of guardd's own (guardd/tree/pause.c), and says at the end how often, how spread, and what
 * it was told. Fetches keys first, then waits for a line on standard input; says when each of them
 * has failed four times in a row. */
#include "fleet.h"

#include "common/file.h"

#include "guardd/tree/pause.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DELTAS_MAX = 16, STEPS_MAX = 8, TIMEOUT_MS = 30000, TRIED = 4 };

struct agent {
    struct fleet *fleet;
    uint64_t number;
    uint8_t *bytes[DELTAS_MAX];
    size_t lens[DELTAS_MAX];
    uint32_t held; /* of them */
    uint32_t failures;
    uint64_t next_ms;
    uint64_t not_before_ms; /* as the parent asked */
    bool busy;
};

struct fleet {
    struct http_client *client;
    uint64_t agents, services, deltas, seconds;
    uint8_t (*keys)[GUARD_KEY_BYTES];
    struct agent *list;
    uint64_t done;
    uint64_t tried; /* those that have failed so often */
    /* Counted. */
    uint64_t attempts, contained, unreachable, unavailable, asked, early, refused, most_failures;
    uint64_t *pauses[STEPS_MAX]; /* of each agent, after that many failures in a row */
};

static void failed(struct agent *agent, const struct http_answer *answer, uint64_t now_ms)
{
    struct fleet *fleet = agent->fleet;
    agent->failures++;
    fleet->unreachable += answer->status == 0;
    fleet->unavailable += answer->status != 0;
    fleet->asked += answer->retry_after_s > 0;
    if (agent->failures == TRIED && ++fleet->tried == fleet->agents) {
        puts("tried");
        fflush(stdout);
    }
    if (agent->failures > fleet->most_failures)
        fleet->most_failures = agent->failures;
    uint64_t pause = uplink_pause(agent->failures, answer->retry_after_s);
    if (agent->failures <= STEPS_MAX)
        fleet->pauses[agent->failures - 1][agent->number] = pause;
    agent->next_ms = now_ms + pause;
    agent->not_before_ms = now_ms + (uint64_t)answer->retry_after_s * 1000;
}

static void on_pile(void *ctx, const struct http_answer *answer)
{
    struct agent *agent = ctx;
    struct fleet *fleet = agent->fleet;
    agent->busy = false;
    if (answer->status == 200) {
        fleet->contained += strstr((const char *)answer->body.ptr, "\"contained\"") != NULL;
        agent->failures = 0;
        fleet->done += ++agent->held == fleet->deltas;
    } else if (answer->status == 0 || answer->status == 429 || answer->status >= 500) {
        failed(agent, answer, clock_unix_ms());
    } else { /* no retry helps */
        if (fleet->refused++ == 0)
            fprintf(stderr, "returning: %u %.*s\n", answer->status, (int)answer->body.len,
                    answer->body.len > 0 ? (const char *)answer->body.ptr : "");
        fleet->done += ++agent->held == fleet->deltas;
    }
}

static void try_again(struct agent *agent, uint64_t now_ms)
{
    struct fleet *fleet = agent->fleet;
    char path[96];
    struct guard_err err;
    snprintf(path, sizeof(path), "/api/v1/services/bench-%" PRIu64 "/piles",
             agent->number % fleet->services);
    const struct http_request request = {
        .method = "POST",
        .path = path,
        .headers = {"Content-Type: application/octet-stream"},
        .body = {agent->bytes[agent->held], agent->lens[agent->held]},
        .answer_max = FLEET_ANSWER_MAX,
        .timeout_ms = TIMEOUT_MS,
        .done = on_pile,
        .ctx = agent};
    fleet->attempts++;
    fleet->early += now_ms < agent->not_before_ms;
    agent->busy = http_client_start(fleet->client, &request, &err) == GUARD_OK;
    if (!agent->busy)
        failed(agent, &(struct http_answer){.failure = err.text}, now_ms);
}

static int by_size(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* How many different pauses the agents made after so many failures, and how many made one. */
static void print_spread(struct fleet *fleet)
{
    for (int step = 0; step < STEPS_MAX; step++) {
        uint64_t *pauses = fleet->pauses[step];
        uint64_t made = 0, distinct = 0;
        qsort(pauses, fleet->agents, sizeof(pauses[0]), by_size);
        for (uint64_t i = 0; i < fleet->agents; i++) {
            made += pauses[i] != 0;
            distinct += pauses[i] != 0 && (i == 0 || pauses[i] != pauses[i - 1]);
        }
        printf("%s[%" PRIu64 ",%" PRIu64 "]", step > 0 ? "," : "", made, distinct);
    }
}

static void report(struct fleet *fleet)
{
    printf("{\"agents\":%" PRIu64 ",\"finished\":%" PRIu64 ",\"attempts\":%" PRIu64
           ",\"unreachable\":%" PRIu64 ",\"unavailable\":%" PRIu64 ",\"asked_to_wait\":%" PRIu64
           ",\"early\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"contained\":%" PRIu64
           ",\"most_failures\":%" PRIu64 ",\"pauses\":[",
           fleet->agents, fleet->done, fleet->attempts, fleet->unreachable, fleet->unavailable,
           fleet->asked, fleet->early, fleet->refused, fleet->contained, fleet->most_failures);
    print_spread(fleet);
    printf("]}\n");
}

static void run(struct fleet *fleet)
{
    uint64_t end_ms = clock_unix_ms() + fleet->seconds * 1000;
    for (uint64_t now = clock_unix_ms(); fleet->done < fleet->agents && now < end_ms;
         now = clock_unix_ms()) {
        for (uint64_t i = 0; i < fleet->agents; i++) {
            struct agent *agent = &fleet->list[i];
            if (!agent->busy && agent->held < fleet->deltas && now >= agent->next_ms)
                try_again(agent, now);
        }
        fleet_turn(fleet->client, 5);
    }
}

static bool collect(struct fleet *fleet)
{
    uint64_t now_ms = clock_unix_ms();
    for (uint64_t i = 0; i < fleet->agents; i++) {
        struct agent *agent = &fleet->list[i];
        uint64_t service = i % fleet->services;
        struct guard_source source = {i + 1, now_ms, 0};
        *agent = (struct agent){.fleet = fleet, .number = i};
        for (uint64_t k = 0; k < fleet->deltas; k++) {
            if (!fleet_delta(service, fleet->keys[service], &source, &agent->bytes[k],
                             &agent->lens[k]))
                return false;
        }
    }
    return true;
}

static bool prepare(struct fleet *fleet, const char *server, struct guard_err *err)
{
    const struct http_client_cfg cfg = {.server = server};
    fleet->keys = calloc(fleet->services, sizeof(fleet->keys[0]));
    fleet->list = calloc(fleet->agents, sizeof(fleet->list[0]));
    bool good = fleet->keys != NULL && fleet->list != NULL;
    for (int i = 0; i < STEPS_MAX; i++) {
        fleet->pauses[i] = calloc(fleet->agents, sizeof(uint64_t));
        good = good && fleet->pauses[i] != NULL;
    }
    return good && http_client_open(&fleet->client, &cfg, err) == GUARD_OK &&
           fleet_keys(fleet->client, fleet->keys, fleet->services) && collect(fleet);
}

static void release(struct fleet *fleet)
{
    http_client_close(fleet->client);
    for (uint64_t i = 0; fleet->list != NULL && i < fleet->agents; i++) {
        for (uint64_t k = 0; k < fleet->deltas; k++)
            free(fleet->list[i].bytes[k]);
    }
    for (int i = 0; i < STEPS_MAX; i++)
        free(fleet->pauses[i]);
    free(fleet->keys);
    free(fleet->list);
}

int main(int argc, char **argv)
{
    struct guard_err err = {.text = "no keys"};
    struct fleet fleet = {.agents = 500, .services = 20, .deltas = 3, .seconds = 300};
    const char *server = NULL;
    char line[8];
    for (int found; (found = getopt(argc, argv, "s:a:n:d:t:")) != -1;) {
        if (found == 's')
            server = optarg;
        else if (found == 'a')
            fleet.agents = strtoull(optarg, NULL, 10);
        else if (found == 'n')
            fleet.services = strtoull(optarg, NULL, 10);
        else if (found == 'd')
            fleet.deltas = strtoull(optarg, NULL, 10);
        else if (found == 't')
            fleet.seconds = strtoull(optarg, NULL, 10);
    }
    if (server == NULL || fleet.agents == 0 || fleet.services == 0 || fleet.deltas == 0 ||
        fleet.deltas > DELTAS_MAX) {
        fputs("usage: guard-bench-returning -s SERVER [-a AGENTS] [-n SERVICES] [-d DELTAS] "
              "[-t SECONDS]\n",
              stderr);
        return 2;
    }
    bool good = prepare(&fleet, server, &err);
    if (!good)
        fprintf(stderr, "returning: can't begin: %s\n", err.text);
    if (good) {
        puts("ready");
        fflush(stdout);
        good = fgets(line, sizeof(line), stdin) != NULL;
        run(&fleet);
        report(&fleet);
    }
    release(&fleet);
    return good && fleet.done == fleet.agents ? 0 : 1;
}
