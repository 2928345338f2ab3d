/* SPDX-License-Identifier: Apache-2.0 */
/* Alpha means false blocks per exchange: of traffic with an endless tail of rare things, as much as
 * was asked for is blocked when it goes on as it was learned, and at most twice that where it comes
 * in bursts, repeated, from few clients most of it, or drifts. */
#include "base/span.h"
#include "policy/policy.h"
#include "support/random.h"

#include <guard/model.h>
#include <guard/pile.h>
#include <guard/policy.h>
#include <guard/txn.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum {
    CLIENTS = 300,
    FIRST_ATTACKER = 5000,
    ATTACKS = 500,
    RUNS = 3,
    LEARNED = 4000,
    LEARNED_MAX = 8 * LEARNED,
    JUDGED = 3000,
    FIELDS = 12
};

struct stream {
    const char *name;
    uint32_t burst;  /* exchanges of one client in a row, at most */
    uint32_t copies; /* of each, at most */
    bool skewed;     /* half of all by a sixtieth of the clients */
    bool drifting;   /* rare things are twice as frequent in the end as in the beginning */
};

static const struct stream streams[] = {
    {"iid", 1, 1, false, false},        {"bursty", 12, 1, false, false},
    {"duplicated", 1, 6, false, false}, {"skewed", 1, 1, true, false},
    {"drifting", 1, 1, false, true},
};
static const double alphas[] = {1e-2, 1e-3};
enum { STREAMS = sizeof(streams) / sizeof(*streams), ALPHAS = sizeof(alphas) / sizeof(*alphas) };

static void *get(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size == 0 ? 1 : size);
}

static void put(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static const struct guard_alloc heap = {NULL, get, put};
static const struct guard_span service = {(const uint8_t *)"shop", 4};

/* A stream on its way: the next exchange, as target and client. */
struct source {
    const struct stream *stream;
    struct test_random random;
    uint32_t number; /* of exchanges so far */
    uint32_t left;   /* of the burst */
    uint32_t copies; /* of the exchange at hand still to come */
    uint32_t client;
    char target[1200];
};

/* Rare things of all degrees: each mark half as frequent as the one before. */
static size_t put_value(struct source *source, char *to)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789",
                      marks[] = "-._'~!*()$@:,;/";
    struct test_random *random = &source->random;
    uint32_t rare =
        source->stream->drifting ? 400 - 200 * source->number / (LEARNED + JUDGED) : 300;
    size_t len = (size_t)test_random_between(random, 3, 8);
    while (len < 60 && test_random_once_in(random, 25))
        len *= 2;
    test_random_text(random, to, len, letters, sizeof(letters) - 1);
    if (test_random_once_in(random, 30))
        test_random_text(random, to + len / 2, 1, digits, sizeof(digits) - 1);
    if (test_random_once_in(random, rare)) {
        uint32_t mark = 0;
        while (mark + 2 < sizeof(marks) && test_random_once_in(random, 2))
            mark++;
        to[test_random_below(random, len)] = marks[mark];
    }
    return len;
}

static void next_client(struct source *source)
{
    struct test_random *random = &source->random;
    bool loud = source->stream->skewed && test_random_once_in(random, 2);
    source->client = (uint32_t)test_random_below(random, loud ? CLIENTS / 60 : CLIENTS);
    source->left = (uint32_t)test_random_between(random, 1, source->stream->burst);
}

/* True when the exchange isn't the one before once more. */
static bool next(struct source *source)
{
    static const char *const paths[] = {"/find", "/orders", "/notes"};
    source->number++;
    if (source->copies > 0) {
        source->copies--;
        return false;
    }
    if (source->left == 0)
        next_client(source);
    source->left--;
    source->copies = (uint32_t)test_random_below(&source->random, source->stream->copies);
    size_t len = 0;
    const char *path = paths[test_random_below(&source->random, 3)];
    len += (size_t)snprintf(source->target, sizeof(source->target), "%s", path);
    for (uint32_t i = 0; i < FIELDS && len + 80 < sizeof(source->target); i++) {
        len += (size_t)snprintf(source->target + len, 8, "%cf%02u=", i == 0 ? '?' : '&', i);
        len += put_value(source, source->target + len);
    }
    source->target[len] = '\0';
    return true;
}

static struct guard_txn *play(const struct source *source, const struct guard_policy *policy,
                              struct guard_arena *arena)
{
    const struct guard_txn_cfg cfg = {.policy = policy,
                                      .service = service,
                                      .time_ms = 1700000000000u + source->number * UINT64_C(15000)};
    const struct guard_client client = {
        .unit = GUARD_UNIT_PREFIX,
        .address_len = 4,
        .address = {10, (uint8_t)(source->client >> 8), (uint8_t)source->client, 1}};
    struct guard_txn *txn;
    guard_arena_reset(arena);
    assert_int_equal(guard_txn_begin(&txn, &cfg, arena), GUARD_OK);
    guard_txn_client(txn, &client);
    guard_txn_request(txn, GUARD_SPAN_LITERAL("GET"),
                      gd_span(source->target, strlen(source->target)), 11);
    guard_txn_header(txn, GUARD_SPAN_LITERAL("Host"), GUARD_SPAN_LITERAL("shop"));
    (void)guard_txn_headers_end(txn);
    (void)guard_txn_request_end(txn);
    guard_txn_response(txn, 200, 1000);
    return txn;
}

/* What nobody else ever sends, in each field, from one of `attackers`. */
static void flood(struct source *source, uint32_t attackers)
{
    static const char odd[] = "<>{}[]|^`#%&+=?0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t len = (size_t)snprintf(source->target, sizeof(source->target), "/find");
    source->number++;
    source->client = FIRST_ATTACKER + (uint32_t)test_random_below(&source->random, attackers);
    for (uint32_t i = 0; i < FIELDS; i++) {
        size_t count = (size_t)test_random_between(&source->random, 1, 60);
        len += (size_t)snprintf(source->target + len, 8, "%cf%02u=", i == 0 ? '?' : '&', i);
        test_random_text(&source->random, source->target + len, count, odd, sizeof(odd) - 1);
        len += count;
    }
    source->target[len] = '\0';
}

/* attackers: that flood it, with one record in twenty; 0 = none. */
static struct guard_model *learn(struct source *source, uint32_t attackers,
                                 struct guard_arena *arena)
{
    static uint8_t record[GUARD_RECORD_MAX];
    struct guard_pile_cfg cfg = {.alloc = heap, .service = service};
    const struct guard_learn_cfg learn_cfg = {.alloc = heap};
    struct guard_pile *pile;
    struct guard_model *model;
    size_t len;
    memset(cfg.key, 7, sizeof(cfg.key));
    assert_int_equal(guard_pile_new(&pile, &cfg, NULL), GUARD_OK);
    struct source hostile = {.random = {source->random.state + 1}};
    for (uint32_t i = 0, distinct = 0; i < LEARNED_MAX && distinct < LEARNED; i++) {
        bool flooded = attackers > 0 && i % 20 == 19;
        hostile.number = source->number;
        if (flooded)
            flood(&hostile, attackers);
        else
            distinct += next(source);
        struct guard_txn *txn = play(flooded ? &hostile : source, NULL, arena);
        assert_int_equal(guard_txn_record(txn, record, sizeof(record), &len), GUARD_OK);
        assert_int_equal(guard_pile_observe(pile, &(struct guard_source){1, 1, i + 1},
                                            gd_span(record, len), NULL),
                         GUARD_OK);
    }
    assert_int_equal(guard_learn(&model, pile, &learn_cfg, NULL), GUARD_OK);
    guard_pile_free(pile);
    return model;
}

static struct guard_policy *compile(const struct guard_model *model, double alpha, uint8_t **bytes)
{
    struct guard_guardian guardian;
    struct guard_policy *policy;
    size_t len;
    guard_guardian_default(&guardian, service);
    guard_guardian_set_mode(&guardian, GUARD_MODE_BLOCK);
    const struct guard_policy_cfg cfg = {.alloc = heap, .generation = 1, .alpha = alpha};
    assert_int_equal(guard_policy_compile(bytes, &len, model, &guardian, &cfg, NULL, NULL),
                     GUARD_OK);
    assert_int_equal(guard_policy_load(&policy, &heap, gd_span(*bytes, len), service, NULL, NULL),
                     GUARD_OK);
    return policy;
}

/* What goes on as it was learned; each distinct exchange counts once. */
static void judge(struct source source, const struct guard_model *model, double alpha,
                  struct guard_arena *arena, uint32_t *judged, uint32_t *blocked)
{
    uint8_t *bytes;
    struct guard_policy *policy = compile(model, alpha, &bytes);
    for (uint32_t i = 0; i < JUDGED;) {
        if (!next(&source))
            continue;
        i++;
        struct guard_txn *txn = play(&source, policy, arena);
        *judged += 1;
        *blocked += guard_txn_verdict(txn)->action == GUARD_BLOCK;
    }
    guard_arena_reset(arena);
    guard_policy_unref(policy);
    free(bytes);
}

/* The chance of so many or more of n at the rate. */
static double tail(uint32_t n, uint32_t count, double rate)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(rate) +
                   (n - i) * log1p(-rate));
    return 1 - sum;
}

static void test_alpha(void **state)
{
    (void)state;
    struct test_random seeds = test_random_start("calibration");
    struct guard_arena arena;
    bool held = true;
    guard_arena_init(&arena, &heap, 1 << 20);
    for (size_t i = 0; i < STREAMS; i++) {
        uint32_t judged[ALPHAS] = {0}, blocked[ALPHAS] = {0};
        for (uint32_t run = 0; run < RUNS; run++) {
            struct source source = {.stream = &streams[i], .random = {test_random_next(&seeds)}};
            struct guard_model *model = learn(&source, 0, &arena);
            for (size_t a = 0; a < ALPHAS; a++)
                judge(source, model, alphas[a], &arena, &judged[a], &blocked[a]);
            guard_model_free(model);
        }
        for (size_t a = 0; a < ALPHAS; a++) {
            bool fits = tail(judged[a], blocked[a], 2 * alphas[a]) > 1e-3;
            fprintf(stderr, "%s: %u of %u blocked at %g%s\n", streams[i].name, blocked[a],
                    judged[a], alphas[a], fits ? "" : ": TOO MANY");
            held = held && fits;
        }
    }
    guard_arena_reset(&arena);
    assert_true(held);
}

struct outcome {
    uint16_t threshold[ALPHAS];
    uint32_t blocked[ALPHAS];
};

/* Of exchanges like the learned ones in which one value ends with an injection, how many are
 * blocked when so many clients sent nothing but novelty meanwhile, one record in twenty. */
static struct outcome detect(uint32_t attackers, uint64_t seed, struct guard_arena *arena)
{
    static const char *const injections[] = {"%27", "%3Cb%3E", "%22)", "%27+or+1=1", ";ls"};
    struct outcome outcome = {{0}, {0}};
    struct source source = {.stream = &streams[0], .random = {seed}};
    struct guard_model *model = learn(&source, attackers, arena);
    for (size_t a = 0; a < ALPHAS; a++) {
        uint8_t *bytes;
        struct guard_policy *policy = compile(model, alphas[a], &bytes);
        struct source later = source;
        for (uint32_t i = 0; i < ATTACKS; i++) {
            (void)next(&later);
            size_t len = strlen(later.target);
            (void)snprintf(later.target + len, sizeof(later.target) - len, "%s", injections[i % 5]);
            outcome.blocked[a] +=
                guard_txn_verdict(play(&later, policy, arena))->action == GUARD_BLOCK;
        }
        outcome.threshold[a] = policy->header->threshold;
        fprintf(stderr, "%u clients flood: at %g threshold %u, %u of %d blocked\n", attackers,
                alphas[a], outcome.threshold[a], outcome.blocked[a], ATTACKS);
        guard_arena_reset(arena);
        guard_policy_unref(policy);
        free(bytes);
    }
    guard_model_free(model);
    return outcome;
}

/* Fewer than D clients don't blunt the scale, more not beyond what the traffic shows of them: they
 * are one exchange in twenty then, and alpha says how many may be blocked. */
static void test_floods(void **state)
{
    (void)state;
    static const struct {
        uint32_t clients;
        uint16_t most; /* hundredths of a decade */
    } floods[] = {{1, 40}, {3, 40}, {20, 130}};
    struct test_random seeds = test_random_start("floods");
    struct guard_arena arena;
    guard_arena_init(&arena, &heap, 1 << 20);
    for (uint32_t run = 0; run < RUNS; run++) {
        uint64_t seed = test_random_next(&seeds);
        struct outcome before = detect(0, seed, &arena);
        for (size_t i = 0; i < sizeof(floods) / sizeof(*floods); i++) {
            struct outcome after = detect(floods[i].clients, seed, &arena);
            for (size_t a = 0; a < ALPHAS; a++)
                assert_true(after.threshold[a] <= before.threshold[a] + floods[i].most);
            if (floods[i].clients < 4)
                assert_true(after.blocked[0] + ATTACKS / 50 >= before.blocked[0]);
        }
    }
    guard_arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_alpha), cmocka_unit_test(test_floods)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
