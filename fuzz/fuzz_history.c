/* SPDX-License-Identifier: Apache-2.0 */
/* History that nodes below tell, and counts as they lie in the store: what is read is bounded, and
 * counts that were read are written again as the same numbers. */
#include "guardd/history.h"

#include "common/file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
    if (!good)
        abort();
}

/* Their sum, and the same after a way through the store. */
static void look_at_counts(const struct traffic *counts)
{
    uint8_t bytes[HISTORY_COUNTS_MAX];
    uint64_t before[HISTORY_NUMBERS], after[HISTORY_NUMBERS];
    struct traffic again = {0};
    size_t len = history_encode(counts, bytes);
    check(len <= sizeof(bytes));
    check(history_decode(&again, (struct guard_span){bytes, len}));
    history_numbers(counts, before);
    history_numbers(&again, after);
    check(memcmp(before, after, sizeof(before)) == 0);
}

static void look_at_batch(struct guard_span text)
{
    const uint64_t now_s = UINT64_C(1700000000);
    static struct history_batch batch;
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    struct guard_err err = {{0}};
    struct history_bins bins = {.count = 0};
    memset(&batch, 0, sizeof(batch));
    guard_arena_init(&arena, &heap, (size_t)64 << 20);
    if (document_parse(&document, "history", text, &arena, &err) == GUARD_OK) {
        enum guard_rc rc = history_batch_read(&batch, document.root, now_s, &err);
        check(rc == GUARD_OK || (rc == GUARD_E_SYNTAX && err.text[0] != '\0'));
        check(batch.count <= HISTORY_BATCH_MAX);
        for (uint32_t i = 0; i < batch.count && rc == GUARD_OK; i++) {
            const struct history_bin *bin = &batch.bins[i];
            check(bin->at_s % HISTORY_MINUTE_S == 0 && bin->at_s <= now_s + HISTORY_HOUR_S &&
                  bin->at_s + HISTORY_KEPT_S > now_s);
            look_at_counts(&bin->counts);
            struct history_bin *kept = history_bin_of(&bins, bin->at_s);
            check(kept != NULL && bins.count <= batch.count);
        }
    }
    free(bins.list);
    guard_arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct traffic counts = {0};
    if (size > 0 && data[0] != '{' && history_decode(&counts, (struct guard_span){data, size}))
        look_at_counts(&counts);
    look_at_batch((struct guard_span){data, size});
    return 0;
}
