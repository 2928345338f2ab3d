/* SPDX-License-Identifier: Apache-2.0 */
/* The attacks of a set, kept to be sent again: into the training traffic, or while learning goes
 * on. */
#ifndef GUARD_CLI_EVAL_ATTACKS_H
#define GUARD_CLI_EVAL_ATTACKS_H

#include "eval_run.h"

enum { EVAL_ATTACKS_MAX = 65536, EVAL_ATTACKS_BYTES_MAX = 64 << 20 };

struct eval_attack {
    uint8_t *line;
    size_t len;
    uint16_t score; /* of a model that learned no attack */
};

struct eval_attacks {
    struct eval_attack *of[EVAL_SERVICES_MAX]; /* by the service's index */
    int count[EVAL_SERVICES_MAX];
    int cap[EVAL_SERVICES_MAX];
    uint64_t trained[EVAL_SERVICES_MAX]; /* exchanges that a run without attacks learned */
    size_t bytes;
    struct guard_arena arena;
    struct traffic_room room;
    uint64_t sent;
    uint64_t state; /* of what is drawn */
};

/* Learns and judges the set without attacks in training; *clean is its result at the shipped alpha.
 * False after a message. */
bool eval_attacks_open(struct eval_attacks *attacks, const struct eval_settings *settings,
                       const struct eval_set *set, uint64_t seed, struct eval_tally *clean);
void eval_attacks_close(struct eval_attacks *attacks);
/* The settings of such runs: one column, one alpha. */
struct eval_settings eval_attacks_settings(const struct eval_settings *settings);
int eval_service_index(const struct eval_run *run, const struct eval_service *service);
/* By score, the least first; or at random. */
void eval_attacks_sort(struct eval_attacks *attacks);
void eval_attacks_shuffle(struct eval_attacks *attacks);
uint64_t eval_random(uint64_t *state);
/* Reads an attack; its client becomes the number's, its time the other exchange's. The exchange
 * lives until the next call. */
bool eval_attacks_read(struct eval_attacks *attacks, int service, int index, uint32_t client,
                       const struct guard_exchange *when, struct guard_exchange *out);
/* The same, learned by the service as if the gate had recorded it. False after a message. */
bool eval_attacks_learn(struct eval_attacks *attacks, struct eval_run *run,
                        struct eval_service *service, int index, uint32_t client,
                        const struct guard_exchange *when);

#endif
