/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are kept as they were read: an attack that is learned is the very one that is judged later,
 * which is the worst that poisoning can do. */
#include "eval_attacks.h"

#include "command.h"
#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 64 << 20, CLIENT_TEXT = 32 };

uint64_t eval_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

int eval_service_index(const struct eval_run *run, const struct eval_service *service)
{
    for (int i = 0; i < run->service_count; i++) {
        if (run->services[i] == service)
            return i;
    }
    return -1;
}

struct eval_settings eval_attacks_settings(const struct eval_settings *settings)
{
    struct eval_settings own = *settings;
    own.one_column = true;
    own.baseline = false;
    own.modsecurity = NULL;
    own.alphas[0] = eval_headline(settings);
    own.alpha_count = 1;
    return own;
}

struct keeping {
    struct eval_attacks *attacks;
    const struct eval_run *run;
};

static void keep(void *ctx, const struct guard_exchange *exchange, struct guard_span line,
                 const struct eval_label *label, const struct eval_service *service,
                 const struct guard_verdict *verdict)
{
    struct keeping *keeping = ctx;
    struct eval_attacks *attacks = keeping->attacks;
    int at = eval_service_index(keeping->run, service);
    (void)exchange;
    if (!label->attack || line.len == 0 || at < 0 || attacks->count[at] >= EVAL_ATTACKS_MAX ||
        attacks->bytes + line.len > EVAL_ATTACKS_BYTES_MAX)
        return;
    if (attacks->count[at] == attacks->cap[at]) {
        int cap = attacks->cap[at] == 0 ? 64 : attacks->cap[at] * 2;
        struct eval_attack *more = realloc(attacks->of[at], (size_t)cap * sizeof(*more));
        if (more == NULL)
            return;
        attacks->of[at] = more;
        attacks->cap[at] = cap;
    }
    uint8_t *copy = malloc(line.len);
    if (copy == NULL)
        return;
    memcpy(copy, line.ptr, line.len);
    attacks->bytes += line.len;
    attacks->of[at][attacks->count[at]++] = (struct eval_attack){copy, line.len, verdict->score};
}

bool eval_attacks_open(struct eval_attacks *attacks, const struct eval_settings *settings,
                       const struct eval_set *set, uint64_t seed, struct eval_tally *clean)
{
    struct guard_alloc heap = heap_alloc();
    struct eval_settings own = eval_attacks_settings(settings);
    struct eval_run run;
    struct keeping keeping = {attacks, &run};
    *attacks = (struct eval_attacks){.state = seed};
    guard_arena_init(&attacks->arena, &heap, ARENA_MAX);
    if (!traffic_room_open(&attacks->room))
        return false;
    bool good = eval_run_open(&run, &own, set);
    run.judged_fn = keep;
    run.ctx = &keeping;
    good = good && eval_run_learn(&run, set->name) && eval_run_compile(&run) &&
           eval_run_judge(&run, set->name);
    if (good)
        *clean = eval_run_pool(&run, run.shipped);
    for (int i = 0; i < run.service_count; i++)
        attacks->trained[i] = run.services[i]->trained;
    eval_run_close(&run);
    return good;
}

void eval_attacks_close(struct eval_attacks *attacks)
{
    for (int i = 0; i < EVAL_SERVICES_MAX; i++) {
        for (int k = 0; k < attacks->count[i]; k++)
            free(attacks->of[i][k].line);
        free(attacks->of[i]);
    }
    guard_arena_reset(&attacks->arena);
    traffic_room_close(&attacks->room);
}

static int compare(const void *a, const void *b)
{
    const struct eval_attack *x = a;
    const struct eval_attack *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return memcmp(x->line, y->line, x->len);
}

void eval_attacks_sort(struct eval_attacks *attacks)
{
    for (int i = 0; i < EVAL_SERVICES_MAX; i++) {
        if (attacks->count[i] > 0)
            qsort(attacks->of[i], (size_t)attacks->count[i], sizeof(*attacks->of[i]), compare);
    }
}

void eval_attacks_shuffle(struct eval_attacks *attacks)
{
    eval_attacks_sort(attacks);
    for (int i = 0; i < EVAL_SERVICES_MAX; i++) {
        for (int k = attacks->count[i] - 1; k > 0; k--) {
            int other = (int)(eval_random(&attacks->state) % (uint64_t)(k + 1));
            struct eval_attack swap = attacks->of[i][k];
            attacks->of[i][k] = attacks->of[i][other];
            attacks->of[i][other] = swap;
        }
    }
}

bool eval_attacks_read(struct eval_attacks *attacks, int service, int index, uint32_t client,
                       const struct guard_exchange *when, struct guard_exchange *out)
{
    const struct eval_attack *attack = &attacks->of[service][index % attacks->count[service]];
    struct guard_err err;
    guard_arena_reset(&attacks->arena);
    if (guard_exchange_read(out, (struct guard_span){attack->line, attack->len}, &attacks->arena,
                            &err) != GUARD_OK)
        return complain(0, "an attack can't be read again: %s", err.text) != 0;
    char *text = guard_arena_get(&attacks->arena, CLIENT_TEXT);
    if (text == NULL)
        return complain(0, "no memory") != 0;
    /* Networks of their own: clients are told apart by their prefix. */
    int len = snprintf(text, CLIENT_TEXT, "198.%u.%u.7", 18 + client / 256 % 2, client % 256);
    out->client = (struct guard_span){(const uint8_t *)text, (size_t)len};
    out->time_ms = when->time_ms;
    return true;
}

bool eval_attacks_learn(struct eval_attacks *attacks, struct eval_run *run,
                        struct eval_service *service, int index, uint32_t client,
                        const struct guard_exchange *when)
{
    struct guard_exchange exchange;
    struct guard_err err = {.text = ""};
    bool with_client = false;
    int at = eval_service_index(run, service);
    struct guard_source source = {0x706f69736f6eu, 1, ++attacks->sent};
    if (at < 0 || attacks->count[at] == 0)
        return true;
    if (!eval_attacks_read(attacks, at, index, client, when, &exchange))
        return false;
    if (traffic_learn(&attacks->room, service->pile, service->span, &exchange, &source, false,
                      &with_client, &err) != GUARD_OK)
        return complain(0, "an attack can't be learned: %s", err.text) != 0;
    return true;
}
