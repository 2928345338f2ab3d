/* SPDX-License-Identifier: Apache-2.0 */
/* `guard eval merge`: k gates learn a part of the traffic each; their piles, merged in any order
 * and with repeats, are the same bytes, and judge as one learner does. */
#include "command.h"
#include "common/file.h"
#include "eval_attacks.h"
#include "eval_modes.h"
#include "eval_report.h"
#include "service_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATES_MAX = 8, ORDERS = 5 };
static const int gate_counts[] = {2, 4, 8};
enum { KINDS = sizeof(gate_counts) / sizeof(gate_counts[0]) };

struct merged {
    struct guard_pile *gates[GATES_MAX];
    uint64_t sequences[GATES_MAX];
    struct guard_policy *policy;
    uint8_t *bytes;
};

struct merging {
    const struct eval_job *job;
    const struct eval_set *set;
    int gates;
    struct merged services[EVAL_SERVICES_MAX];
    const struct eval_run *run;
    struct traffic_room room;
    uint64_t state;
    bool same_bytes;
    struct eval_share agreeing;
    struct {
        bool same_bytes;
        struct eval_share agreeing;
    } results[KINDS];
};

static struct guard_pile *new_pile(const struct eval_service *service)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc(), .service = service->span};
    struct guard_pile *pile = NULL;
    struct guard_err err;
    memcpy(cfg.key, service->key, sizeof(cfg.key));
    if (guard_pile_new(&pile, &cfg, &err) != GUARD_OK) {
        complain(0, "%s", err.text);
        return NULL;
    }
    return pile;
}

static bool spread(void *ctx, struct eval_run *run, struct eval_service *service,
                   const struct guard_exchange *exchange)
{
    struct merging *merging = ctx;
    struct merged *merged = &merging->services[eval_service_index(run, service)];
    struct guard_err err = {.text = ""};
    bool with_client = false;
    int gate = (int)(eval_random(&merging->state) % (uint64_t)merging->gates);
    if (merged->gates[gate] == NULL && (merged->gates[gate] = new_pile(service)) == NULL)
        return false;
    struct guard_source source = {(uint64_t)gate + 1, 1, ++merged->sequences[gate]};
    return traffic_learn(&merging->room, merged->gates[gate], service->span, exchange, &source,
                         false, &with_client, &err) == GUARD_OK ||
           complain(0, "%s: can't be learned: %s", service->name, err.text) != 0;
}

/* All gates in a drawn order, some of them twice. */
static struct guard_pile *merge_once(struct merging *merging, const struct merged *merged,
                                     const struct eval_service *service)
{
    struct guard_pile *sum = new_pile(service);
    int order[GATES_MAX];
    for (int i = 0; i < merging->gates; i++)
        order[i] = i;
    for (int i = merging->gates - 1; i > 0; i--) {
        int other = (int)(eval_random(&merging->state) % (uint64_t)(i + 1));
        int swap = order[i];
        order[i] = order[other];
        order[other] = swap;
    }
    for (int i = 0; sum != NULL && i < merging->gates; i++) {
        struct guard_err err;
        int times = 1 + (int)(eval_random(&merging->state) % 2);
        for (int k = 0; sum != NULL && k < times && merged->gates[order[i]] != NULL; k++) {
            if (guard_pile_merge(sum, merged->gates[order[i]], NULL, &err) != GUARD_OK) {
                complain(0, "%s: can't be merged: %s", service->name, err.text);
                guard_pile_free(sum);
                sum = NULL;
            }
        }
    }
    return sum;
}

static bool compile(struct merging *merging, struct merged *merged, struct eval_service *service,
                    struct guard_pile *pile)
{
    struct guard_guardian guardian;
    struct judge_options options = {
        .alpha = eval_headline(&merging->job->settings), .likeness = true, .signatures = true};
    size_t len = 0;
    struct guard_model *model = pile_model(pile, merging->job->settings.support);
    if (model == NULL)
        return false;
    guard_guardian_default(&guardian, service->span);
    judge_guardian(&guardian);
    merged->policy = judge_policy(&guardian, model, &options, &merged->bytes, &len);
    guard_model_free(model);
    return merged->policy != NULL;
}

static bool merge_orders(struct merging *merging, struct merged *merged,
                         struct eval_service *service)
{
    uint8_t *first = NULL;
    size_t first_len = 0;
    bool good = true;
    for (int i = 0; good && i < ORDERS; i++) {
        uint8_t *bytes = NULL;
        size_t len = 0;
        struct guard_err err;
        struct guard_pile *sum = merge_once(merging, merged, service);
        good = sum != NULL && guard_pile_encode(sum, &bytes, &len, &err) == GUARD_OK;
        if (good && i == 0) {
            first = bytes;
            first_len = len;
            bytes = NULL;
            good = compile(merging, merged, service, sum);
        } else if (good) {
            merging->same_bytes &= len == first_len && memcmp(bytes, first, len) == 0;
        }
        free(bytes);
        guard_pile_free(sum);
    }
    free(first);
    return good;
}

static void compare(void *ctx, const struct guard_exchange *exchange, struct guard_span line,
                    const struct eval_label *label, const struct eval_service *service,
                    const struct guard_verdict *verdict)
{
    struct merging *merging = ctx;
    struct merged *merged = &merging->services[eval_service_index(merging->run, service)];
    struct guard_txn *txn = NULL;
    (void)line;
    (void)label;
    const struct guard_verdict *other =
        traffic_judge(&merging->room, merged->policy, service->span, exchange, false, &txn);
    merging->agreeing.of++;
    merging->agreeing.hits +=
        other != NULL && (other->decision == GUARD_BLOCK) == (verdict->decision == GUARD_BLOCK);
}

static void forget(struct merging *merging)
{
    for (int i = 0; i < EVAL_SERVICES_MAX; i++) {
        struct merged *merged = &merging->services[i];
        for (int k = 0; k < GATES_MAX; k++)
            guard_pile_free(merged->gates[k]);
        if (merged->policy != NULL)
            guard_policy_unref(merged->policy);
        free(merged->bytes);
        *merged = (struct merged){.policy = NULL};
    }
}

static bool measure(struct merging *merging)
{
    struct eval_settings settings = eval_attacks_settings(&merging->job->settings);
    struct eval_run run;
    bool good = eval_run_open(&run, &settings, merging->set);
    merging->same_bytes = true;
    merging->agreeing = (struct eval_share){0, 0};
    merging->run = &run;
    run.learning_fn = spread;
    run.judged_fn = compare;
    run.ctx = merging;
    good = good && eval_run_learn(&run, merging->set->name) && eval_run_compile(&run);
    for (int i = 0; good && i < run.service_count; i++)
        good = merge_orders(merging, &merging->services[i], run.services[i]);
    good = good && eval_run_judge(&run, merging->set->name);
    forget(merging);
    eval_run_close(&run);
    return good;
}

static void write_json(void *ctx, struct json_writer *json)
{
    const struct merging *merging = ctx;
    json_open(json, NULL, '{');
    json_text(json, "set", merging->set->name);
    json_open(json, "merge", '[');
    for (int i = 0; i < KINDS; i++) {
        json_open(json, NULL, '{');
        json_integer(json, "gates", gate_counts[i]);
        json_integer(json, "orders", ORDERS);
        json_bool(json, "same_bytes", merging->results[i].same_bytes);
        json_integer(json, "judged", (int64_t)merging->results[i].agreeing.of);
        json_number(json, "same_verdict", eval_rate(merging->results[i].agreeing));
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static void print_text(const struct merging *merging)
{
    printf("%s: piles of several gates, merged in %d orders with repeats\n", merging->set->name,
           ORDERS);
    for (int i = 0; i < KINDS; i++)
        printf("  %d gates: %s bytes; %.3f %% of %" PRIu64 " verdicts are those of one learner\n",
               gate_counts[i], merging->results[i].same_bytes ? "the same" : "DIFFERENT",
               100 * eval_rate(merging->results[i].agreeing), merging->results[i].agreeing.of);
}

int eval_merge(struct eval_job *job)
{
    struct merging *merging = calloc(1, sizeof(*merging));
    bool good = merging != NULL && traffic_room_open(&merging->room);
    for (int i = 0; good && i < job->sets.count; i++) {
        merging->job = job;
        merging->set = &job->sets.sets[i];
        merging->state = job->seed;
        for (int k = 0; good && k < KINDS; k++) {
            merging->gates = gate_counts[k];
            good = measure(merging);
            merging->results[k].same_bytes = merging->same_bytes;
            merging->results[k].agreeing = merging->agreeing;
        }
        if (good && job->json)
            good = eval_json_print(write_json, merging);
        else if (good)
            print_text(merging);
    }
    if (merging != NULL)
        traffic_room_close(&merging->room);
    free(merging);
    return good ? EXIT_GOOD : EXIT_FAILED;
}
