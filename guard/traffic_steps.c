/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange through libguard, to be learned or to be judged. */
#include "traffic_steps.h"

#include "command.h"
#include "common/file.h"
#include "common/state.h"

#include <guard/crypto.h>

#include <stdlib.h>
#include <string.h>

bool traffic_room_open(struct traffic_room *room)
{
    room->likeness_without = 0;
    room->record = malloc(GUARD_RECORD_MAX);
    enum guard_rc rc = judge_open(&room->judge);
    return (room->record != NULL && rc == GUARD_OK) || complain(0, "no memory") != 0;
}

void traffic_room_close(struct traffic_room *room)
{
    judge_close(&room->judge);
    free(room->record);
    room->record = NULL;
}

bool traffic_producer(const char *path, const uint8_t key[GUARD_KEY_BYTES], uint64_t *producer)
{
    static const char purpose[] = "traffic file";
    uint8_t seed[GUARD_KEY_BYTES];
    guard_key_derive(seed, key, (struct guard_span){(const uint8_t *)purpose, sizeof(purpose) - 1});
    memcpy(producer, seed, sizeof(*producer));
    if (traffic_fingerprint(path, producer) ||
        random_bytes(producer, sizeof(*producer)) == GUARD_OK)
        return true;
    return complain(0, "no randomness") != 0;
}

enum guard_rc traffic_learn(struct traffic_room *room, struct guard_pile *pile,
                            struct guard_span service, const struct guard_exchange *exchange,
                            const struct guard_source *source, bool outbound, bool *with_client,
                            struct guard_err *err)
{
    struct guard_txn_cfg cfg = {.service = service,
                                .hash_seed = 1,
                                .time_ms = exchange->time_ms,
                                .unseen = exchange->unseen,
                                .outbound = outbound,
                                .likeness_without = room->likeness_without};
    struct guard_client client = judge_client(exchange);
    struct guard_txn *txn = NULL;
    if (state_revision_valid(exchange->revision))
        cfg.revision = exchange->revision;
    size_t len = 0;
    *with_client = client.unit != GUARD_UNIT_ANONYMOUS;
    guard_arena_reset(&room->judge.arena);
    GUARD_TRY(guard_txn_begin(&txn, &cfg, &room->judge.arena));
    guard_exchange_play(exchange, &client, txn);
    GUARD_TRY(guard_txn_record(txn, room->record, GUARD_RECORD_MAX, &len));
    return guard_pile_observe(pile, source, (struct guard_span){room->record, len}, err);
}

bool judge_has_likeness(void)
{
    return true;
}

bool judge_has_signatures(void)
{
    return false;
}

struct guard_policy *judge_policy(const struct guard_guardian *guardian,
                                  const struct guard_model *model,
                                  const struct judge_options *options, uint8_t **bytes, size_t *len)
{
    struct guard_policy *policy = NULL;
    struct guard_err err;
    if (judge_compile(&policy, guardian, model, options, bytes, len, &err) == GUARD_OK)
        return policy;
    complain(0, "can't compile the policy: %s", err.text);
    return NULL;
}

const struct guard_verdict *traffic_judge(struct traffic_room *room,
                                          const struct guard_policy *policy,
                                          struct guard_span service,
                                          const struct guard_exchange *exchange, bool outbound,
                                          struct guard_txn **txn)
{
    const struct guard_txn_cfg cfg = {.policy = policy,
                                      .service = service,
                                      .outbound = outbound,
                                      .shadow = room->shadow,
                                      .likeness_without = room->likeness_without};
    return judge_play(&room->judge, &cfg, exchange, txn);
}
