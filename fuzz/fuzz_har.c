/* SPDX-License-Identifier: Apache-2.0 */
/* A HAR document: its entries are the same however the bytes come in, and each is read. */
#include "common/file.h"
#include "common/traffic/har_entry.h"
#include "common/traffic/har_scanner.h"
#include "common/traffic/sniff.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guard_arena arena;

static void read_entry(struct guard_span entry)
{
    struct guard_exchange exchange;
    bool skipped = false;
    uint64_t sum = 0;
    guard_arena_reset(&arena);
    if (har_entry_read(&exchange, &skipped, entry, &arena, NULL) != GUARD_OK || skipped)
        return;
    if (exchange.method.len == 0 || exchange.target.len == 0 ||
        exchange.header_count > GUARD_EXCHANGE_HEADERS_MAX)
        abort();
    for (size_t i = 0; i < exchange.body.len; i++)
        sum += exchange.body.ptr[i];
    for (size_t i = 0; i < exchange.response_body.len; i++)
        sum += exchange.response_body.ptr[i];
    if (sum > UINT64_MAX / 2)
        abort();
}

/* A number that depends on where entries begin and end. */
static uint64_t scan(struct guard_span rest, size_t step, bool read)
{
    struct har_scanner scanner;
    const uint8_t *start = rest.ptr;
    const uint8_t *begin = NULL;
    uint64_t sum = 17;
    har_scanner_init(&scanner);
    while (rest.len > 0) {
        size_t used = 0;
        struct guard_span part = {rest.ptr, rest.len < step ? rest.len : step};
        enum har_event event = har_scanner_feed(&scanner, part, &used);
        if (used == 0 || used > part.len)
            abort();
        rest = (struct guard_span){rest.ptr + used, rest.len - used};
        if (event == HAR_FAULT)
            return sum * 31 + 1;
        if (event != HAR_MORE)
            sum = sum * 31 + (uint64_t)(rest.ptr - start) * 2 + (event == HAR_ENTRY_BEGIN);
        if (event == HAR_ENTRY_BEGIN)
            begin = rest.ptr - 1;
        if (event == HAR_ENTRY_END && read)
            read_entry((struct guard_span){begin, (size_t)(rest.ptr - begin)});
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_span text = {data, size};
    guard_arena_init(&arena, &heap, (size_t)8 << 20);
    (void)traffic_is_har(text, NULL);
    if (scan(text, size + 1, true) != scan(text, 1, false))
        abort();
    read_entry(text); /* bytes that no scanner has looked at */
    guard_arena_reset(&arena);
    return 0;
}
