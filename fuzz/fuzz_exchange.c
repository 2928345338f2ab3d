/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a traffic file, all the way through a transaction into a record. */
#include "common/file.h"

#include <guard/exchange.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t record[GUARD_RECORD_MAX];
    struct guard_alloc heap = heap_alloc();
    struct guard_arena lines;
    struct guard_arena arena;
    struct guard_exchange exchange;
    struct guard_txn *txn = NULL;
    struct guard_client client = {.unit = GUARD_UNIT_ANONYMOUS};
    struct guard_txn_cfg cfg = {.service = GUARD_SPAN_LITERAL("fuzz"), .hash_seed = 7};
    struct guard_record_head head;
    size_t len = 0;
    guard_arena_init(&lines, &heap, (size_t)8 << 20);
    guard_arena_init(&arena, &heap, 256 * 1024);
    if (guard_exchange_read(&exchange, (struct guard_span){data, size}, &lines, NULL) == GUARD_OK &&
        guard_txn_begin(&txn, &cfg, &arena) == GUARD_OK) {
        guard_exchange_play(&exchange, &client, txn);
        if (guard_txn_record(txn, record, sizeof(record), &len) != GUARD_OK ||
            guard_record_head_read((struct guard_span){record, len}, &head) != GUARD_OK)
            abort();
    }
    guard_arena_reset(&arena);
    guard_arena_reset(&lines);
    return 0;
}
