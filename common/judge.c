/* SPDX-License-Identifier: Apache-2.0 */
/* See judge.h. */
#include "common/judge.h"

#include "common/file.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MAX = 256 * 1024 };

enum guard_rc judge_open(struct judge *judge)
{
    struct guard_alloc heap = heap_alloc();
    judge->regexes = NULL;
    guard_arena_init(&judge->arena, &heap, ROOM_MAX);
    GUARD_TRY(regexes_new(&judge->regexes, &heap));
    judge->matcher = regexes_matcher(judge->regexes);
    return GUARD_OK;
}

void judge_close(struct judge *judge)
{
    if (judge->regexes == NULL)
        return;
    guard_arena_reset(&judge->arena);
    regexes_free(judge->regexes);
    judge->regexes = NULL;
}

struct guard_client judge_client(const struct guard_exchange *exchange)
{
    struct guard_client client = {.unit = GUARD_UNIT_ANONYMOUS};
    char text[INET6_ADDRSTRLEN];
    if (exchange->client.len == 0)
        return client;
    client.unit = GUARD_UNIT_SUBJECT;
    client.subject = exchange->client;
    if (exchange->client.len >= sizeof(text))
        return client;
    memcpy(text, exchange->client.ptr, exchange->client.len);
    text[exchange->client.len] = '\0';
    if (inet_pton(AF_INET, text, client.address) == 1)
        client.address_len = 4;
    else if (inet_pton(AF_INET6, text, client.address) == 1)
        client.address_len = 16;
    else
        return client;
    client.unit = GUARD_UNIT_PREFIX;
    client.subject = (struct guard_span){NULL, 0};
    return client;
}

void judge_guardian(struct guard_guardian *guardian)
{
    bool cut_late = guardian->time_mode == GUARD_MODE_BLOCK;
    guard_guardian_set_mode(guardian, GUARD_MODE_BLOCK);
    if (cut_late)
        guardian->time_mode = GUARD_MODE_BLOCK;
}

enum guard_rc judge_compile(struct guard_policy **out, const struct guard_guardian *guardian,
                            const struct guard_model *model, const struct judge_options *options,
                            uint8_t **bytes, size_t *len, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_policy_cfg cfg = {.alloc = heap,
                                   .generation = 1,
                                   .alpha = options->alpha,
                                   .configured_only = model == NULL,
                                   .without_likeness = !options->likeness};
    struct guard_guardian judged = *guardian;
    *out = NULL;
    *bytes = NULL;
    if (!options->signatures)
        judged.patch_count = 0;
    GUARD_TRY(guard_policy_compile(bytes, len, model, &judged, &cfg, NULL, err));
    return guard_policy_load(out, &heap, (struct guard_span){*bytes, *len}, guardian->service, NULL,
                             err);
}

const struct guard_verdict *judge_play(struct judge *judge, const struct guard_txn_cfg *cfg,
                                       const struct guard_exchange *exchange,
                                       struct guard_txn **txn)
{
    struct guard_txn_cfg whole = *cfg;
    struct guard_client client = judge_client(exchange);
    whole.hash_seed = 1;
    whole.time_ms = exchange->time_ms;
    whole.matcher = &judge->matcher;
    regexes_refill(judge->regexes);
    guard_arena_reset(&judge->arena);
    if (guard_txn_begin(txn, &whole, &judge->arena) != GUARD_OK)
        return NULL;
    if (exchange->time_ms == 0) /* as if it came now */
        guard_txn_now(*txn, clock_unix_ms());
    guard_exchange_play(exchange, &client, *txn);
    return guard_txn_whole(*txn);
}
