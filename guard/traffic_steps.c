/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange through libguard, to be learned or to be judged. */
#include "traffic_steps.h"

#include "command.h"
#include "common/file.h"
#include "common/state.h"

#include <guard/crypto.h>

#include <stdlib.h>
#include <string.h>

enum { ROOM_MAX = 256 * 1024 };

bool traffic_room_open(struct traffic_room *room)
{
    struct guard_alloc heap = heap_alloc();
    room->likeness_without = 0;
    guard_arena_init(&room->arena, &heap, ROOM_MAX);
    room->record = malloc(GUARD_RECORD_MAX);
    room->regexes = NULL;
    if (room->record != NULL && regexes_new(&room->regexes, &heap) == GUARD_OK)
        room->matcher = regexes_matcher(room->regexes);
    return room->regexes != NULL || complain(0, "no memory") != 0;
}

void traffic_room_close(struct traffic_room *room)
{
    if (room->record != NULL)
        guard_arena_reset(&room->arena);
    free(room->record);
    regexes_free(room->regexes);
    room->record = NULL;
    room->regexes = NULL;
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
    struct guard_client client = traffic_client(exchange);
    struct guard_txn *txn = NULL;
    if (state_revision_valid(exchange->revision))
        cfg.revision = exchange->revision;
    size_t len = 0;
    *with_client = client.unit != GUARD_UNIT_ANONYMOUS;
    guard_arena_reset(&room->arena);
    GUARD_TRY(guard_txn_begin(&txn, &cfg, &room->arena));
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

void judge_guardian(struct guard_guardian *guardian)
{
    bool cut_late = guardian->time_mode == GUARD_MODE_BLOCK;
    guard_guardian_set_mode(guardian, GUARD_MODE_BLOCK);
    if (cut_late)
        guardian->time_mode = GUARD_MODE_BLOCK;
}

struct guard_policy *judge_policy(const struct guard_guardian *guardian,
                                  const struct guard_model *model,
                                  const struct judge_options *options, uint8_t **bytes, size_t *len)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_policy_cfg cfg = {.alloc = heap,
                                   .generation = 1,
                                   .alpha = options->alpha,
                                   .configured_only = model == NULL,
                                   .without_likeness = !options->likeness};
    struct guard_policy *policy = NULL;
    struct guard_guardian judging = *guardian;
    struct guard_err err;
    if (!options->signatures)
        judging.patch_count = 0;
    if (guard_policy_compile(bytes, len, model, &judging, &cfg, NULL, &err) != GUARD_OK ||
        guard_policy_load(&policy, &heap, (struct guard_span){*bytes, *len}, guardian->service,
                          NULL, &err) != GUARD_OK) {
        complain(0, "can't compile the policy: %s", err.text);
        return NULL;
    }
    return policy;
}

const struct guard_verdict *traffic_judge(struct traffic_room *room,
                                          const struct guard_policy *policy,
                                          struct guard_span service,
                                          const struct guard_exchange *exchange, bool outbound,
                                          struct guard_txn **txn)
{
    struct guard_txn_cfg cfg = {.policy = policy,
                                .service = service,
                                .hash_seed = 1,
                                .time_ms = exchange->time_ms,
                                .outbound = outbound,
                                .likeness_without = room->likeness_without};
    struct guard_client client = traffic_client(exchange);
    cfg.shadow = room->shadow;
    cfg.matcher = &room->matcher;
    regexes_refill(room->regexes);
    guard_arena_reset(&room->arena);
    if (guard_txn_begin(txn, &cfg, &room->arena) != GUARD_OK)
        return NULL;
    if (exchange->time_ms == 0) /* as if it came now */
        guard_txn_now(*txn, clock_unix_ms());
    guard_exchange_play(exchange, &client, *txn);
    return guard_txn_whole(*txn);
}
